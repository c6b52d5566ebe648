"""A proxy before a TCP port, that can drop its connections and hold back what passes."""

import contextlib
import heapq
import itertools
import selectors
import socket
import threading
import time
from urllib.parse import urlsplit

CHUNK_BYTES = 1 << 16
TURN_S = 0.05


class _Pipe:
    """One direction of a connection; bytes leave in order, each at its time."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.other: _Pipe | None = None
        self.unsent = bytearray()
        self.last_at = 0.0


class Proxy:
    """Passes connections of the loopback on to a port, in a thread of its own.

    Parameters
    ----------
    upstream : str
        ``tcp://host:port``.

    Attributes
    ----------
    endpoint : str
        Where to connect instead.
    dropped : int
        How many connections `drop` has ended.
    """

    def __init__(self, upstream: str) -> None:
        place = urlsplit(upstream)
        self._upstream = (place.hostname or "127.0.0.1", place.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        host, port = self._listener.getsockname()
        self.endpoint = f"tcp://{host}:{port}"
        self.dropped = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._pipes: dict[socket.socket, _Pipe] = {}
        self._held: list[tuple[float, int, _Pipe, bytes]] = []
        self._order = itertools.count()
        self._delay_s = 0.0
        self._drop_wanted = False
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="proxy")

    def start(self) -> None:
        """Begin to pass."""
        self._thread.start()

    def drop(self) -> None:
        """End all connections that there are; new ones are taken."""
        self._drop_wanted = True

    def delay(self, seconds: float) -> None:
        """Hold back everything for so long from now on; 0 passes it at once."""
        self._delay_s = seconds

    def close(self) -> None:
        """End it with its connections."""
        self._is_over = True
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._is_over:
                self._turn()
        finally:
            self._end_all()
            self._listener.close()
            self._selector.close()

    def _turn(self) -> None:
        wait_s = TURN_S
        if self._held:
            wait_s = min(max(self._held[0][0] - time.monotonic(), 0.0), TURN_S)
        for key, events in self._selector.select(wait_s):
            if key.fileobj is self._listener:
                self._accept()
                continue
            pipe = self._pipes.get(key.fileobj)  # type: ignore[call-overload]
            if pipe is not None and events & selectors.EVENT_READ:
                self._read(pipe)
            if events & selectors.EVENT_WRITE and pipe is not None and pipe.other is not None:
                self._write(pipe.other)
        now = time.monotonic()
        while self._held and self._held[0][0] <= now:
            _, _, pipe, data = heapq.heappop(self._held)
            pipe.unsent += data
            self._write(pipe)
        if self._drop_wanted:
            self._drop_wanted = False
            self.dropped += len(self._pipes) // 2
            self._end_all()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(self._upstream, timeout=1.0)
            except OSError:
                near.close()
                return
            there, back = _Pipe(near, far), _Pipe(far, near)
            there.other, back.other = back, there
            for pipe in (there, back):
                pipe.source.setblocking(False)
                pipe.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pipes[pipe.source] = pipe
                self._selector.register(pipe.source, selectors.EVENT_READ)

    def _read(self, pipe: _Pipe) -> None:
        try:
            data = pipe.source.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end(pipe)
            return
        # Never before what came earlier, also where the delay has just ended.
        pipe.last_at = max(time.monotonic() + self._delay_s, pipe.last_at)
        heapq.heappush(self._held, (pipe.last_at, next(self._order), pipe, data))

    def _write(self, pipe: _Pipe) -> None:
        if pipe.source not in self._pipes:
            return
        try:
            del pipe.unsent[: pipe.sink.send(pipe.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._end(pipe)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if pipe.unsent else 0)
        self._selector.modify(pipe.sink, wanted)

    def _end(self, pipe: _Pipe) -> None:
        for each in (pipe, pipe.other):
            if each is not None and self._pipes.pop(each.source, None) is not None:
                self._selector.unregister(each.source)
                each.source.close()

    def _end_all(self) -> None:
        for pipe in list(self._pipes.values()):
            self._end(pipe)
