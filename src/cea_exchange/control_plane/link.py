"""What a daemon and one of its fronts say to each other, over two connected Unix sockets.

    packet: bytes that follow (u32, little-endian), MessagePack list of items

Neither end ever waits for the other: what does not go out at once is kept, and who keeps too much
takes no more in, or gives the other up.
"""

import contextlib
import select
import socket
import time
from collections import deque

import msgspec

RECEIVE_BYTES = 1 << 18
FULL_BYTES = 1 << 20
"""An end with so much to send had better take nothing more in."""
_LENGTH_BYTES = 4
PACKET_BYTES_MAX = 64 << 20
DESCRIPTORS_MAX = 16


def descriptors_give(end: socket.socket, descriptors: list[int]) -> None:
    """Hand sockets that listen over to a front, before anything else is said; it may wait."""
    socket.send_fds(end, [bytes([len(descriptors)])], descriptors)


def descriptors_take(end: socket.socket) -> list[int]:
    """Wait for them; empty if the other end is gone."""
    _, descriptors, _, _ = socket.recv_fds(end, 1, DESCRIPTORS_MAX)
    return descriptors


class LinkEnded(Exception):
    """The other end is gone, or said what is no packet."""


class DoorSetting(msgspec.Struct, frozen=True):
    """What a front is told of a door when it starts.

    Attributes
    ----------
    address
        Where it listens already: the descriptor of that is handed over (`descriptors_give`).
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


class Send(msgspec.Struct, array_like=True, tag=4, gc=False):
    """A message to a connection."""

    door: int
    routing_id: bytes
    frames: tuple[bytes, ...]


class End(msgspec.Struct, array_like=True, tag=5, gc=False):
    """End a connection."""

    door: int
    routing_id: bytes
    why: str


class Reach(msgspec.Struct, array_like=True, tag=6, gc=False):
    """Say when you have come so far."""

    number: int


class Arrived(msgspec.Struct, array_like=True, tag=1, gc=False):
    """A message came."""

    door: int
    routing_id: bytes
    key: str
    frames: list[bytes]


class Gone(msgspec.Struct, array_like=True, tag=2, gc=False):
    """Nothing can be sent to a connection any more; it did not read, or it is gone."""

    door: int
    routing_id: bytes
    is_slow: bool


class Reached(msgspec.Struct, array_like=True, tag=3, gc=False):
    """All that was said before `Reach` has been done."""

    number: int


class Told(msgspec.Struct, array_like=True, tag=4, gc=False):
    """A line for the daemon's log."""

    event: str
    fields: dict[str, str | int | float | None]


class Pulse(msgspec.Struct, array_like=True, tag=5, gc=False):
    """The front goes on; so many keys it has refused since it began."""

    refused_count: int


ToFront = Begin | Keys | Apart | Send | End | Reach
ToDaemon = Arrived | Gone | Reached | Told | Pulse


class Link:
    """One end.

    Parameters
    ----------
    end
        A connected Unix stream socket; the link's own from now on.
    kind
        What the other end says: `ToFront` or `ToDaemon`.
    """

    def __init__(self, end: socket.socket, kind: object) -> None:
        end.setblocking(False)
        self._end = end
        self._decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type]
        self._encoder = msgspec.msgpack.Encoder()
        self._put: list[ToFront | ToDaemon] = []
        self._out: deque[memoryview] = deque()
        self._buffer = memoryview(bytearray(RECEIVE_BYTES))
        self._in = bytearray()
        self.waiting_bytes = 0

    def fileno(self) -> int:
        """Return the socket's descriptor, to be polled."""
        return self._end.fileno()

    @property
    def is_full(self) -> bool:
        """Whether too much waits to be sent."""
        return self.waiting_bytes > FULL_BYTES

    def put(self, item: ToFront | ToDaemon) -> None:
        """Let an item go with the next `flush`."""
        self._put.append(item)

    def flush(self) -> bool:
        """Send what was put, as far as it goes; say whether nothing is left.

        Raises
        ------
        LinkEnded
            The other end is gone.
        """
        if self._put:
            content = self._encoder.encode(self._put)
            self._put.clear()
            packet = len(content).to_bytes(_LENGTH_BYTES, "little") + content
            self._out.append(memoryview(packet))
            self.waiting_bytes += len(packet)
        try:
            while self._out:
                sent = self._end.send(self._out[0])
                self.waiting_bytes -= sent
                if sent == len(self._out[0]):
                    self._out.popleft()
                else:
                    self._out[0] = self._out[0][sent:]
        except BlockingIOError:
            return False
        except OSError as error:
            raise LinkEnded(str(error)) from None
        return True

    def receive(self) -> list[ToFront] | list[ToDaemon]:
        """Return the items that have come; LinkEnded once there are none and the end is gone."""
        items: list = []
        while not items:
            try:
                count = self._end.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                raise LinkEnded(str(error)) from None
            if not count:
                raise LinkEnded("it has ended")
            content = self._buffer[:count]
            if self._in:
                self._in += content
                with memoryview(self._in) as whole:
                    taken, items = self._packets_take(whole)
                del self._in[:taken]
            else:
                taken, items = self._packets_take(content)
                self._in += content[taken:]
        return items

    def finish(self, until_s: float) -> None:
        """Send the last that was put, and wait for the other end to have taken it and ended.

        Parameters
        ----------
        until_s
            How long at most (the monotonic clock).
        """
        with contextlib.suppress(LinkEnded, OSError):
            while not self.flush() and self._await(select.POLLOUT, until_s):
                pass
            self._end.shutdown(socket.SHUT_WR)
            # What is not read when an end closes makes the other one forget what it was sent.
            while self._await(select.POLLIN, until_s):
                self.receive()

    def close(self) -> None:
        """End the link."""
        self._end.close()

    def _await(self, event: int, until_s: float) -> bool:
        """Wait for an event of the socket, until a time; say whether that has not come."""
        left_s = until_s - time.monotonic()
        if left_s > 0:
            poll = select.poll()
            poll.register(self._end, event)
            poll.poll(1_000 * left_s)
        return left_s > 0

    def _packets_take(self, content: memoryview) -> tuple[int, list]:
        """Return the items of all whole packets, and how many bytes they are."""
        items: list = []
        begins = 0
        while len(content) - begins >= _LENGTH_BYTES:
            inner = begins + _LENGTH_BYTES
            size = int.from_bytes(content[begins:inner], "little")
            if size > PACKET_BYTES_MAX:
                raise LinkEnded(f"no packet: of {size} bytes")
            ends = inner + size
            if len(content) < ends:
                break
            try:
                items += self._decoder.decode(content[inner:ends])
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise LinkEnded(f"no packet: {error}") from None
            begins = ends
        return begins, items
