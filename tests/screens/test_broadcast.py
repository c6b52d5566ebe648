"""Channels to viewers: the latest state to each, rendered once, and nobody waits for anybody."""

import asyncio
from typing import Any

from cea_exchange.screens.live import broadcast
from cea_exchange.screens.live.broadcast import Hub, Kind, event_frame


class Viewer:
    """A browser; one that does not read takes nothing after the first."""

    def __init__(self, hub: Hub, *names: str, language: str = "en", reads: bool = True) -> None:
        self.received: list[bytes] = []
        self._gone = asyncio.Event()
        self._reads = reads
        self.task = asyncio.ensure_future(hub.serve(self._receive, self._send, names, language))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.received.append(message["body"])
        if not self._reads:
            await asyncio.Event().wait()

    def leave(self) -> None:
        self._gone.set()


def run(story: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(broadcast, "INTERVAL_S", 0.005)
    monkeypatch.setattr(broadcast, "LAST_S", 0.02)

    async def whole() -> None:
        hub = Hub(lambda product: product == "CEA24")
        state, rendered = {"price": 1}, []

        def render(reading: Any, part: str) -> str:
            rendered.append((reading.language, part))
            return f"{part} {state['price']}"

        hub.kinds["book"] = Kind("book", render)
        running = asyncio.ensure_future(hub.run())
        try:
            await story(hub, state, rendered)
        finally:
            running.cancel()

    asyncio.run(whole())


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.002)


def test_a_viewer_sees_the_state_at_once_and_then_the_latest(monkeypatch):
    async def story(hub: Hub, state: dict[str, int], rendered: list[Any]) -> None:
        viewer = Viewer(hub, "book.CEA24")
        await until(lambda: viewer.received)
        assert b"event: book.CEA24\ndata: CEA24 1\n\n" in viewer.received[0]
        for price in range(2, 500):
            state["price"] = price
            hub.changed("book.CEA24")
        await until(lambda: b"CEA24 499" in b"".join(viewer.received))
        assert len(rendered) < 10
        viewer.leave()
        await viewer.task
        assert hub.viewer_count == 0

    run(story, monkeypatch)


def test_a_state_is_rendered_once_for_all_who_read_the_same_language(monkeypatch):
    async def story(hub: Hub, state: dict[str, int], rendered: list[Any]) -> None:
        viewers = [Viewer(hub, "book.CEA24") for _ in range(50)]
        viewers.append(Viewer(hub, "book.CEA24", language="zh"))
        await until(lambda: all(viewer.received for viewer in viewers))
        assert sorted(rendered) == [("en", "CEA24"), ("zh", "CEA24")]
        for viewer in viewers:
            viewer.leave()

    run(story, monkeypatch)


def test_a_viewer_that_does_not_read_keeps_nobody_waiting_and_is_let_go(monkeypatch):
    monkeypatch.setattr(broadcast, "STALLED_S", 0.05)

    async def story(hub: Hub, state: dict[str, int], rendered: list[Any]) -> None:
        stuck, other = Viewer(hub, "book.CEA24", reads=False), Viewer(hub, "book.CEA24")
        await until(lambda: stuck.received and other.received)
        for price in (2, 3):
            state["price"] = price
            hub.changed("book")
            await until(lambda wanted=price: f"CEA24 {wanted}".encode() in b"".join(other.received))
        assert len(stuck.received) <= 2
        await until(stuck.task.done)
        assert hub.viewer_count == 1
        other.leave()

    run(story, monkeypatch)


def test_what_is_no_channel_is_none():
    async def story() -> None:
        hub = Hub(lambda product: product == "CEA24")
        hub.kinds["book"] = Kind("book", lambda reading, part: part)
        assert hub.channel("book.CEA99") is None
        assert hub.channel("orders") is None
        assert hub.channel("book.CEA24") is hub.channel("book.CEA24") is not None

    asyncio.run(story())


def test_no_text_ends_an_event_early():
    expected = b"event: a\ndata: x\ndata: y\ndata: event: b\n\n"
    assert expected == event_frame("a", "x\n\ny\r\nevent: b")
