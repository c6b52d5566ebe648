"""What a daemon and one of its fronts say to each other, through memory that both have.

The memory is two rings of packets (`_ring`): of messages as they came, and of everything else in
MessagePack. Over a Unix socket beside it one end wakes the other, and hears that it is gone.
Neither ever waits for the other: what finds no room is kept, and who keeps too much takes no more
in, or gives the other up.
"""

import contextlib
import fcntl
import os
import select
import socket
import time
from typing import NamedTuple

import msgspec

from cea_exchange.control_plane.fronts._ring import RING_BYTES, LinkEnded, Reader, Writer

RECEIVE_BYTES = 1 << 16
CALLS_BYTES = 4_096
DESCRIPTORS_MAX = 16


def memory_make() -> int:
    """Return a descriptor of the memory for a link; OSError if there is none left."""
    memory = os.memfd_create("front", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        # Whose memory ends under its feet ends itself: it is all there, and stays.
        os.posix_fallocate(memory, 0, 2 * RING_BYTES)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(memory)
        raise
    return memory


def descriptors_give(end: socket.socket, descriptors: list[int]) -> None:
    """Hand a front a link's memory and the doors' sockets, before anything else; it may wait."""
    socket.send_fds(end, [bytes([len(descriptors)])], descriptors)


def descriptors_take(end: socket.socket) -> list[int]:
    """Wait for them; empty if the other end is gone."""
    _, descriptors, _, _ = socket.recv_fds(end, 1, DESCRIPTORS_MAX)
    return descriptors


class DoorSetting(msgspec.Struct, frozen=True):
    """What a front knows of a door when it starts.

    Attributes
    ----------
    address
        Which was taken for it: the descriptor of that is handed over (`descriptors_give`).
    """

    name: str
    address: str
    high_water_mark: int
    message_bytes_max: int
    connection_queue_bytes_max: int
    queue_bytes_max: int
    wait_s_max: float
    ends_slow: bool


class Begin(msgspec.Struct, array_like=True, tag=1, gc=False):
    """The first item to a front.

    Attributes
    ----------
    part
        Of the keys that are set apart, those it is for; 0: it is for all others.
    stranger
        A key of the daemon's own, by which it proves that strangers are refused.
    """

    doors: list[DoorSetting]
    public_key: str
    secret_key: str
    part: int
    stranger: str
    memory_mib_max: int


class Keys(msgspec.Struct, array_like=True, tag=2, gc=False):
    """Which keys a door admits from now on, and which no more."""

    door: int
    added: list[str]
    removed: list[str]


class Apart(msgspec.Struct, array_like=True, tag=3, gc=False):
    """Which keys belong to a part of their own; all of them."""

    parts: dict[str, int]


class Send(NamedTuple):
    """A message to a connection."""

    door: int
    routing_id: bytes
    frames: tuple[bytes, ...]


class End(msgspec.Struct, array_like=True, tag=4, gc=False):
    """End a connection."""

    door: int
    routing_id: bytes
    why: str


class Reach(msgspec.Struct, array_like=True, tag=5, gc=False):
    """Say when you have come so far."""

    number: int


class Arrived(NamedTuple):
    """A message came."""

    door: int
    routing_id: bytes
    key: str
    frames: list[bytes]


class Gone(msgspec.Struct, array_like=True, tag=1, gc=False):
    """Nothing can be sent to a connection any more; it did not read, or it is gone."""

    door: int
    routing_id: bytes
    is_slow: bool


class Reached(msgspec.Struct, array_like=True, tag=2, gc=False):
    """All that was said before `Reach` has been done."""

    number: int


class LogLine(msgspec.Struct, array_like=True, tag=3, gc=False):
    """A line for the daemon's log."""

    event: str
    fields: dict[str, str | int | float | None]


class Pulse(msgspec.Struct, array_like=True, tag=4, gc=False):
    """The front goes on; so many keys it has refused since it began."""

    refused_count: int


ToFront = Begin | Keys | Apart | Send | End | Reach
ToDaemon = Arrived | Gone | Reached | LogLine | Pulse


class Link:
    """One end.

    Parameters
    ----------
    end
        A connected Unix stream socket; the link's own from now on.
    memory
        A descriptor of its memory (`memory_make`), which may be closed afterwards.
    is_front
        Whether this is the front's end.

    Attributes
    ----------
    incoming, outgoing : Reader, Writer
        The rings.

    Raises
    ------
    MemoryError
        There is no room for it in the address space.
    """

    def __init__(self, end: socket.socket, memory: int, *, is_front: bool) -> None:
        end.setblocking(False)
        self._end = end
        self._encoder = msgspec.msgpack.Encoder()
        said = Begin | Keys | Apart | End | Reach if is_front else Gone | Reached | LogLine | Pulse
        self._decoder = msgspec.msgpack.Decoder(said)
        self._message = _send if is_front else _arrived
        self.incoming = Reader(memory, 0 if is_front else RING_BYTES, end.fileno())
        self.outgoing = Writer(memory, RING_BYTES if is_front else 0, end.fileno())

    def fileno(self) -> int:
        """Return the socket's descriptor, to be polled: it can be read once something has come."""
        return self._end.fileno()

    @property
    def waiting_bytes(self) -> int:
        """What found no room yet."""
        return self.outgoing.waiting_bytes

    def put(self, item: ToFront | ToDaemon) -> None:
        """Say something; the other end hears of it with the next `flush`."""
        match item:
            case Send(door=door, routing_id=routing_id, frames=frames):
                self.outgoing.message(door, routing_id, b"", frames)
            case Arrived(door=door, routing_id=routing_id, key=key, frames=frames):
                self.outgoing.message(door, routing_id, key.encode("ascii"), tuple(frames))
            case _:
                self.outgoing.item(self._encoder.encode(item))

    def send(self, door: int, routing_id: bytes, frames: tuple[bytes, ...]) -> None:
        """Say the same as with `Send`."""
        self.outgoing.message(door, routing_id, b"", frames)

    def flush(self) -> bool:
        """Let the other end hear what was put, as far as there is room; say whether it all has.

        Raises
        ------
        LinkEnded
            The other end says what can't be.
        """
        return self.outgoing.flush()

    def taken(self) -> list:
        """Return the items that have come; the other end does not call for more unless asked to."""
        return [self._item(packet) for packet in self.incoming.receive(RECEIVE_BYTES, False)]

    def listen(self) -> bool:
        """Ask the other end to call when more comes; say whether something has come already."""
        return self.incoming.listen()

    def hear(self) -> None:
        """Hear the other end's calls; LinkEnded if there will be none any more."""
        if self._is_over():
            raise LinkEnded("it has ended")

    def receive(self) -> list:
        """Return the items that have come; LinkEnded once there are none and the end is gone."""
        packets = self.incoming.receive(RECEIVE_BYTES)
        if not packets:
            is_over = self._is_over()
            # What came before the call, which is not heard again.
            packets = self.incoming.receive(RECEIVE_BYTES)
            if not packets and is_over:
                raise LinkEnded("it has ended")
        return [self._item(packet) for packet in packets]

    def finish(self, until_s: float) -> None:
        """Send the last that was put, and wait for the other end to have taken it and ended.

        Parameters
        ----------
        until_s
            How long at most (the monotonic clock).
        """
        with contextlib.suppress(LinkEnded, OSError):
            while not self.flush() and self._await(until_s):
                self.receive()
            self._end.shutdown(socket.SHUT_WR)
            while self._await(until_s):
                self.receive()

    def close(self) -> None:
        """End the link."""
        self.incoming.close()
        self.outgoing.close()
        self._end.close()

    def _item(self, packet: bytes | tuple[int, bytes, bytes, list[bytes]]) -> ToFront | ToDaemon:
        try:
            if isinstance(packet, tuple):
                return self._message(*packet)
            return self._decoder.decode(packet)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise LinkEnded(f"no packet: {error}") from None

    def _is_over(self) -> bool:
        """Hear the other end's calls; say whether there will be none any more."""
        try:
            return not self._end.recv(CALLS_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _await(self, until_s: float) -> bool:
        """Wait for a call, until a time; say whether that has not come."""
        left_s = until_s - time.monotonic()
        if left_s > 0:
            poll = select.poll()
            poll.register(self._end, select.POLLIN)
            poll.poll(1_000 * left_s)
        return left_s > 0


class Calls:
    """The other ends of links, of which it is known at one look who calls and who is gone."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def follow(self, link: Link) -> None:
        """Look at a link's other end from now on."""
        self._poll.register(link.fileno(), select.POLLIN)

    def leave(self, link: Link) -> None:
        """Look at it no more; before it is closed."""
        self._poll.unregister(link.fileno())

    def look(self) -> list[tuple[int, bool]]:
        """Return the descriptors of links whose other end calls or is gone, and whether it is.

        It may be gone with something left to be taken.
        """
        return [(number, bool(event & ~select.POLLIN)) for number, event in self._poll.poll(0)]


def _arrived(door: int, routing_id: bytes, key: bytes, frames: list[bytes]) -> Arrived:
    return Arrived(door, routing_id, key.decode("ascii"), frames)


def _send(door: int, routing_id: bytes, _key: bytes, frames: list[bytes]) -> Send:
    return Send(door, routing_id, tuple(frames))
