"""The latest of many things to many viewers: whole states, made once for all, never a queue.

    changed -> version + 1 -> at most ten times a second: one message for each audience

An audience are those who look at the same things in the same language: what has changed is
rendered, packed and framed once for them, and written to each connection as it is. A viewer who has
not read the last message is passed over, holds nothing but that one, and gets the whole state once
it has; one that has read nothing for `STALLED_S` is let go.
"""

import asyncio
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

import structlog

from cea_exchange.screens.reading import READINGS, Reading

INTERVAL_S = 0.1
BEAT_S = 1.0
"""So often viewers are sent a beat; the page calls itself stale after some without."""
STALLED_S = 20.0
WRITES_AT_ONCE = 200
"""Viewers that are written to before anything else may go on."""
PACKED_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""With which each gzip stream begins."""
PACKING = 5

Render = Callable[[Reading, str], str]
Receive = Callable[[], Awaitable[dict[str, Any]]]

log = structlog.get_logger("screens")


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


class Wire(NamedTuple):
    """How a stream is written to its connection.

    Attributes
    ----------
    is_packed
        With gzip: each message is packed by itself, so that all may get the same bytes.
    is_chunked
        In chunks, as HTTP/1.1 has it.
    """

    is_packed: bool
    is_chunked: bool

    def begun(self) -> bytes:
        """Return what stands before the first message."""
        return self._chunk(PACKED_HEAD) if self.is_packed else b""

    def framed(self, frames: Iterable[bytes]) -> bytes:
        """Return one message as it is written."""
        content = b"".join(frames)
        if self.is_packed and content:
            packer = zlib.compressobj(PACKING, zlib.DEFLATED, -zlib.MAX_WBITS)
            # After a full flush nothing refers back: what a connection got before does not matter.
            content = packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)
        return self._chunk(content) if content else b""

    def _chunk(self, content: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(content), content) if self.is_chunked else content


class Viewer:
    """One connection.

    Attributes
    ----------
    is_current
        Whether it was sent the last message; else it gets the whole state.
    waits_since_s
        Since when it has not read what it was sent; 0 where it has.
    """

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self.transport = transport
        self.is_current = False
        self.waits_since_s = 0.0

    def has_read(self, now_s: float) -> bool:
        """Whether all that was written to it has left; one that waits too long is let go."""
        if self.transport.is_closing():
            return False
        if not self.transport.get_write_buffer_size():
            self.waits_since_s = 0.0
        elif not self.waits_since_s:
            self.waits_since_s = now_s
        elif now_s - self.waits_since_s > STALLED_S:
            self.transport.abort()
        return not self.waits_since_s


class Audience:
    """Those who look at the same channels in the same language, over the same kind of wire."""

    def __init__(self, channels: list[Channel], language: str, wire: Wire) -> None:
        self.viewers: dict[Viewer, None] = {}
        self._channels = channels
        self._language = language
        self._wire = wire
        self._versions = [-1] * len(channels)
        self._whole: tuple[list[int], bytes, bytes] = ([], b"", b"")

    def whole(self, beat: bytes) -> bytes:
        """Return all that there is to show now, with a beat."""
        versions = [channel.version for channel in self._channels]
        if (versions, beat) != self._whole[:2]:
            frames = [channel.frame(self._language) for channel in self._channels]
            self._whole = versions, beat, self._wire.framed([*frames, beat])
        return self._whole[2]

    @property
    def names(self) -> list[str]:
        """Its channels."""
        return [channel.name for channel in self._channels]

    def abort(self) -> None:
        """Let go of all of them."""
        for viewer in self.viewers:
            viewer.transport.abort()

    def news(self, beat: bytes) -> bytes:
        """Return what has changed since last asked, with the beat where there is one."""
        frames = []
        for at, channel in enumerate(self._channels):
            if channel.version != self._versions[at]:
                self._versions[at] = channel.version
                frames.append(channel.frame(self._language))
        return self._wire.framed([*frames, beat])


class Hub:
    """All channels, and who looks at them.

    Parameters
    ----------
    is_part
        Tells which products there are: a channel of another is none.

    Attributes
    ----------
    is_fresh : bool
        Whether what the channels show is as the market is; each beat says so to viewers.
    """

    def __init__(self, is_part: Callable[[str], bool]) -> None:
        self.kinds: dict[str, Kind] = {}
        self.is_fresh = False
        self._is_part = is_part
        self._channels: dict[str, Channel] = {}
        self._audiences: dict[tuple[tuple[str, ...], str, Wire], Audience] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._beat_s = 0.0

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

    def is_looked_at(self, name: str) -> bool:
        """Whether somebody looks at a channel."""
        return any(name in names for names, _, _ in self._audiences)

    @property
    def viewer_count(self) -> int:
        """How many look."""
        return len(self._leaving)

    async def run(self) -> None:
        """Tell viewers of what has changed, for as long as the screens are served."""
        due_s = time.monotonic()
        while True:
            due_s = max(due_s + INTERVAL_S, time.monotonic())
            await asyncio.sleep(due_s - time.monotonic())
            beat = b""
            if due_s - self._beat_s >= BEAT_S:
                self._beat_s, beat = due_s, self._fresh()
            for audience in list(self._audiences.values()):
                try:
                    await self._tell(audience, beat)
                except Exception:
                    # Their pages say that they are stale, and come again.
                    log.exception("not_told", channels=audience.names)
                    audience.abort()

    def _fresh(self) -> bytes:
        return _FRESH if self.is_fresh else _STALE

    async def _tell(self, audience: Audience, beat: bytes) -> None:
        news, now_s = audience.news(beat), time.monotonic()
        for number, viewer in enumerate(list(audience.viewers), 1):
            if number % WRITES_AT_ONCE == 0:
                await asyncio.sleep(0)
            if not viewer.has_read(now_s):
                viewer.is_current = viewer.is_current and not news
            elif viewer.is_current:
                if news:
                    viewer.transport.write(news)
            else:
                viewer.transport.write(audience.whole(self._fresh()))
                viewer.is_current = True

    def close(self) -> None:
        """Let go of all who look."""
        for leaving in list(self._leaving):
            leaving.cancel()

    async def serve(
        self,
        receive: Receive,
        transport: asyncio.WriteTransport,
        names: Iterable[str],
        language: str,
        wire: Wire,
    ) -> None:
        """Show channels to one viewer until it goes away.

        Parameters
        ----------
        receive
            Returns when the connection is lost.
        transport
            The connection, of which nothing else is written to meanwhile.
        names
            Of channels; what is none is left out.
        """
        found = [channel for name in names if (channel := self.channel(name)) is not None]
        key = tuple(channel.name for channel in found), language, wire
        audience = self._audiences.setdefault(key, Audience(found, language, wire))
        viewer = Viewer(transport)
        transport.write(wire.begun() + audience.whole(self._fresh()))
        viewer.is_current = True
        audience.viewers[viewer] = None
        leaving = asyncio.ensure_future(_left(receive))
        self._leaving.add(leaving)
        try:
            await asyncio.wait({leaving})
        finally:
            leaving.cancel()
            self._leaving.discard(leaving)
            del audience.viewers[viewer]
            if not audience.viewers:
                self._audiences.pop(key, None)


def event_frame(name: str, text: str) -> bytes:
    """Return one event of a stream; lines of text stay lines."""
    data = "".join(f"data: {line.strip()}\n" for line in text.splitlines() if line.strip())
    return "event: {}\n{}\n".format(name, data or "data:\n").encode()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_FRESH = event_frame("beat", json.dumps({"fresh": True}))
_STALE = event_frame("beat", json.dumps({"fresh": False}))
