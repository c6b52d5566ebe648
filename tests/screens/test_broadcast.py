"""Channels to viewers: the latest state, made once for all, and nobody waits for anybody."""

import asyncio
import socket
import zlib
from typing import Any

import pytest

from cea_exchange.screens.live import broadcast
from cea_exchange.screens.live.broadcast import Hub, Kind, Wire, event_frame
from support.patience import patience

PLAIN = Wire(is_packed=False, is_chunked=False)


class Viewer:
    """A browser at the other end of a real connection; one that does not read takes nothing."""

    def __init__(self) -> None:
        self.received = b""
        self.task: asyncio.Task[None]
        self._gone = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self._here: socket.socket

    @classmethod
    async def come(
        cls, hub: Hub, *names: str, language: str = "en", reads: bool = True, wire: Wire = PLAIN
    ) -> "Viewer":
        """Sit down at some channels."""
        viewer = cls()
        there, viewer._here = socket.socketpair()
        for end in (there, viewer._here):
            end.setblocking(False)
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, option, 4_096)
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: Lost(viewer._gone), sock=there
        )
        viewer.task = asyncio.ensure_future(
            hub.serve(viewer._receive, transport, names, language, wire)
        )
        if reads:
            viewer.read()
        return viewer

    def read(self) -> None:
        """Begin to read."""
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while part := await loop.sock_recv(self._here, 65_536):
            self.received += part

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def leave(self) -> None:
        """Go away."""
        if self._reading is not None:
            self._reading.cancel()
        self._here.close()
        self._gone.set()
        await self.task


class Lost(asyncio.Protocol):
    """Tells of a connection's end, as the server does."""

    def __init__(self, gone: asyncio.Event) -> None:
        self._gone = gone

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()


def run(story: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(broadcast, "INTERVAL_S", 0.005)

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
    async with asyncio.timeout(30 * patience()):
        while not condition():
            await asyncio.sleep(0.002)


def test_a_viewer_sees_the_state_at_once_and_then_the_latest(monkeypatch):
    async def story(hub: Hub, state: dict[str, int], rendered: list[Any]) -> None:
        viewer = await Viewer.come(hub, "book.CEA24")
        await until(lambda: b"event: book.CEA24\ndata: CEA24 1\n\n" in viewer.received)
        for price in range(2, 500):
            state["price"] = price
            hub.changed("book.CEA24")
        await until(lambda: b"CEA24 499" in viewer.received)
        assert len(rendered) < 10
        await viewer.leave()
        assert hub.viewer_count == 0

    run(story, monkeypatch)


def test_a_state_is_rendered_once_for_all_who_read_the_same_language(monkeypatch):
    async def story(hub: Hub, state: dict[str, int], rendered: list[Any]) -> None:
        viewers = [await Viewer.come(hub, "book.CEA24") for _ in range(50)]
        viewers.append(await Viewer.come(hub, "book.CEA24", language="zh"))
        await until(lambda: all(viewer.received for viewer in viewers))
        assert sorted(rendered) == [("en", "CEA24"), ("zh", "CEA24")]
        for viewer in viewers:
            await viewer.leave()

    run(story, monkeypatch)


def test_a_viewer_that_does_not_read_keeps_nobody_waiting_and_is_let_go(monkeypatch):
    monkeypatch.setattr(broadcast, "STALLED_S", 0.3 * patience())

    async def story(hub: Hub, state: dict[str, Any], rendered: list[Any]) -> None:
        stuck = await Viewer.come(hub, "book.CEA24", reads=False)
        other = await Viewer.come(hub, "book.CEA24")
        for number in range(10):
            # More than a connection takes that nobody reads from.
            state["price"] = f"{number} " + "x" * 40_000
            hub.changed("book")
            await until(lambda wanted=number: f"CEA24 {wanted} ".encode() in other.received)
        await until(stuck.task.done)
        assert hub.viewer_count == 1
        await other.leave()

    run(story, monkeypatch)


def test_a_viewer_that_was_behind_gets_the_whole_state_and_nothing_in_between(monkeypatch):
    async def story(hub: Hub, state: dict[str, Any], rendered: list[Any]) -> None:
        state["price"] = "0 " + "x" * 400_000
        late = await Viewer.come(hub, "book.CEA24", "book", reads=False)
        other = await Viewer.come(hub, "book.CEA24", "book")
        for number in range(1, 6):
            state["price"] = f"{number} t"
            hub.changed("book.CEA24")
            await until(lambda wanted=number: f"CEA24 {wanted} ".encode() in other.received)
        late.read()
        await until(lambda: b"CEA24 5 " in late.received)
        assert late.received.count(b"event: book.CEA24\n") == 2
        assert late.received.count(b"event: book\n") == 2
        for viewer in (late, other):
            await viewer.leave()

    run(story, monkeypatch)


def test_an_audience_whose_page_cannot_be_made_is_let_go_and_others_are_told(monkeypatch):
    async def story(hub: Hub, state: dict[str, Any], rendered: list[Any]) -> None:
        broken, other = await Viewer.come(hub, "faulty"), await Viewer.come(hub, "book.CEA24")
        await until(lambda: broken.received and other.received)
        faults.append(1)
        state["price"] = 2
        for source in ("faulty", "book"):
            hub.changed(source)
        await until(broken.task.done)
        await until(lambda: b"CEA24 2" in other.received)
        await other.leave()

    faults: list[int] = []

    async def with_fault(hub: Hub, state: dict[str, Any], rendered: list[Any]) -> None:
        hub.kinds["faulty"] = Kind("faulty", lambda reading, part: str(1 // (1 - len(faults))))
        await story(hub, state, rendered)

    run(with_fault, monkeypatch)


def chunks_of(content: bytes) -> bytes:
    """Return what chunks of HTTP/1.1 hold, as far as they are whole."""
    held = b""
    while content:
        size, _, rest = content.partition(b"\r\n")
        held += rest[: int(size, 16)]
        content = rest[int(size, 16) + 2 :]
    return held


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("is_packed", [False, True])
def test_whoever_comes_later_reads_the_same_messages_as_whoever_was_there(
    monkeypatch, is_packed, is_chunked
):
    def read(viewer: Viewer) -> bytes:
        content = chunks_of(viewer.received) if is_chunked else viewer.received
        return zlib.decompressobj(31).decompress(content) if is_packed else content

    async def story(hub: Hub, state: dict[str, Any], rendered: list[Any]) -> None:
        wire = Wire(is_packed, is_chunked)
        early = await Viewer.come(hub, "book.CEA24", wire=wire)
        await until(lambda: b"CEA24 1" in read(early))
        late = await Viewer.come(hub, "book.CEA24", wire=wire)
        for number in range(2, 5):
            state["price"] = number
            hub.changed("book")
            await until(lambda wanted=number: f"CEA24 {wanted}\n".encode() in read(late))
        await until(lambda: b"CEA24 4" in read(early))
        for viewer in (early, late):
            await viewer.leave()

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
