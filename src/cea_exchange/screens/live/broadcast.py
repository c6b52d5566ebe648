"""The latest of many things to many viewers: whole states, rendered once a language, never a queue.

    changed -> version + 1 -> at most ten times a second: each viewer what it has not seen

A viewer that does not read holds nothing but its own connection: nothing waits for it, and what it
missed it does not get. One that has read nothing for `STALLED_S` is let go.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from cea_exchange.screens.reading import READINGS, Reading

INTERVAL_S = 0.1
BEAT_S = 1.0
"""So often viewers are told that all goes on; the page calls itself stale after some without."""
STALLED_S = 20.0
LAST_S = 1.0
"""How long the end of a stream may take to be sent."""

Render = Callable[[Reading, str], str]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Kind(NamedTuple):
    """A kind of channel: what it shows is made anew when `source` has changed."""

    source: str
    render: Render


class Channel:
    """The latest state of one thing, such as the book of one product.

    Parameters
    ----------
    name
        What the page's part is called that shows it (`data-live`): the kind's name, and behind a
        point of which product it is.
    """

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.part = name.partition(".")[2]
        self.kind = kind
        self.version = 0
        self._frames: dict[str, tuple[int, bytes]] = {}

    def text(self, language: str) -> str:
        """Return the fragment as it is now."""
        return self.kind.render(READINGS[language], self.part)

    def frame(self, language: str) -> bytes:
        """Return the event that shows it; rendered once for all who read that language."""
        version, frame = self._frames.get(language, (-1, b""))
        if version != self.version:
            frame = event_frame(self.name, self.text(language))
            self._frames[language] = (self.version, frame)
        return frame


class Hub:
    """All channels, and who looks at them.

    Parameters
    ----------
    is_part
        Tells which products there are: a channel of another is none.

    Attributes
    ----------
    is_fresh : bool
        Whether what the channels show is as the market is; viewers are told with each beat.
    """

    def __init__(self, is_part: Callable[[str], bool]) -> None:
        self.kinds: dict[str, Kind] = {}
        self.is_fresh = False
        self._is_part = is_part
        self._channels: dict[str, Channel] = {}
        self._next = asyncio.Event()
        self._viewers: dict[asyncio.Task[None], float] = {}
        self._beat = 0
        self._sent_version = -1
        self._sent_s = 0.0

    def channel(self, name: str) -> Channel | None:
        """Return a channel; None where there is no such kind, or no such product."""
        channel = self._channels.get(name)
        if channel is None:
            kind, _, part = name.partition(".")
            if kind not in self.kinds or (part and not self._is_part(part)):
                return None
            channel = self._channels[name] = Channel(name, self.kinds[kind])
        return channel

    def changed(self, name: str) -> None:
        """Note that a source has changed, of one product (`book.CEA24`) or of all (`market`)."""
        source, _, part = name.partition(".")
        for channel in self._channels.values():
            if channel.kind.source == source and part in ("", channel.part):
                channel.version += 1

    @property
    def viewer_count(self) -> int:
        """How many look."""
        return len(self._viewers)

    async def run(self) -> None:
        """Tell viewers of what has changed, for as long as the screens are served."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            now_s = time.monotonic()
            version = sum(channel.version for channel in self._channels.values())
            is_beat = now_s - self._sent_s >= BEAT_S
            if version == self._sent_version and not is_beat:
                continue
            self._sent_version = version
            if is_beat:
                self._sent_s = now_s
                self._beat += 1
            before, self._next = self._next, asyncio.Event()
            before.set()
            for viewer, waits_since_s in list(self._viewers.items()):
                if waits_since_s and now_s - waits_since_s > STALLED_S:
                    viewer.cancel()

    def close(self) -> None:
        """Let go of all who look."""
        for viewer in list(self._viewers):
            viewer.cancel()

    async def serve(
        self, receive: Receive, send: Send, names: Iterable[str], language: str
    ) -> None:
        """Show channels to one viewer until it goes away."""
        viewer = asyncio.ensure_future(self._show(send, list(names), language))
        self._viewers[viewer] = 0.0
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({viewer, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not leaving.done():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LAST_S):
                        await send({"type": "http.response.body", "body": b""})
        finally:
            self._viewers.pop(viewer, None)
            for task in (viewer, leaving):
                task.cancel()
            await asyncio.gather(viewer, leaving, return_exceptions=True)

    async def _show(self, send: Send, names: list[str], language: str) -> None:
        viewer = asyncio.current_task()
        assert viewer is not None
        channels = [channel for name in names if (channel := self.channel(name)) is not None]
        seen = [-1] * len(channels)
        beat = -1
        while True:
            following = self._next
            frames = []
            for at, channel in enumerate(channels):
                if channel.version != seen[at]:
                    seen[at] = channel.version
                    frames.append(channel.frame(language))
            if self._beat != beat:
                beat = self._beat
                frames.append(_FRESH if self.is_fresh else _STALE)
            if frames:
                self._viewers[viewer] = time.monotonic()
                body = b"".join(frames)
                await send({"type": "http.response.body", "body": body, "more_body": True})
                self._viewers[viewer] = 0.0
            await following.wait()


def event_frame(name: str, text: str) -> bytes:
    """Return one event of a stream; lines of text stay lines."""
    data = "".join(f"data: {line.strip()}\n" for line in text.splitlines() if line.strip())
    return "event: {}\n{}\n".format(name, data or "data:\n").encode()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_FRESH = event_frame("beat", json.dumps({"fresh": True}))
_STALE = event_frame("beat", json.dumps({"fresh": False}))
