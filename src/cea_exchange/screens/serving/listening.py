"""The sockets: where screens listen, and how long a browser may take to say what it wants."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S_MAX = 10.0
"""A request whose head takes longer to arrive is none."""
HEAD_BYTES_MAX = 16 * 1024
KEEP_ALIVE_S = 30
BACKLOG_COUNT = 2_048
VIEWERS_MAX = 8_192
TRANSPORT = "transport"
"""Under which a request's `state` has its connection, for streams that thousands read."""


class NotLoopback(ValueError):
    """A console would listen where others could come to it."""


class ImpatientProtocol(H11Protocol):
    """HTTP that lets go of whoever has not said what it wants in time, or does not read the end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of the first request."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}
        self._idle_until_s = self.loop.time() + HEAD_S_MAX
        self._look_timer = self.loop.call_later(HEAD_S_MAX, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._look_timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Begin to wait for the head of the next request."""
        super().on_response_complete()
        self._idle_until_s = self.loop.time() + KEEP_ALIVE_S + HEAD_S_MAX

    def _look(self) -> None:
        """See now and then whether the other side does its part."""
        if self.transport.is_closing():
            # What is left was not read, and a close would wait for that.
            self.transport.abort()
            return
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self.loop.time() >= self._idle_until_s:
            self.transport.close()
        self._look_timer = self.loop.call_later(HEAD_S_MAX / 2, self._look)


def listening_socket(host: str, port: int, *, loopback_only: bool) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    NotLoopback
        The address is not this machine's own, or is a name: whose address that is, others say.
    ValueError
        It is no address.
    OSError
        It can't be listened at.
    """
    address = ipaddress.ip_address(host)
    if loopback_only and not address.is_loopback:
        raise NotLoopback(
            f"host: expected a loopback address such as 127.0.0.1, got {host}: a console acts with"
            " its owner's key and is for that person alone"
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only where the protocol is named: without,
    # each waits some 40 ms for the other side to acknowledge the one before.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG_COUNT)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def address_of(listening: socket.socket) -> str:
    """Return HOST:PORT as a browser writes it."""
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Server(uvicorn.Server):
    """Ends in order at SIGTERM and SIGINT, with exit status 0.

    Parameters
    ----------
    config
        As uvicorn takes it.
    stopping
        Called first: lets go of whoever would stay for ever.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while it serves."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        self._stopping()
        self.should_exit = True


def server(app: Any, stopping: Callable[[], None]) -> Server:
    """Return what serves an application on a socket that listens: ``serve(sockets=[...])``."""
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
        limit_concurrency=VIEWERS_MAX,
        backlog=BACKLOG_COUNT,
    )
    return Server(config, stopping)
