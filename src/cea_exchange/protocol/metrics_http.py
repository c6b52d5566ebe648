"""Serves metrics to Prometheus: HTTP on the loopback, each request in a thread of its own.

Nobody can hold the door: an asker has a few seconds in all, and where too many ask at once the one
that has been there longest makes room.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app

from cea_exchange.protocol.pulse import Health
from cea_exchange.protocol.security import SecurityError

HEALTH_PATH = "/healthz"
ASKING_S_MAX = 5.0
"""So long an asker may take, from the connection to the last byte of its answer."""
ASKERS_MAX = 8
_LOOK_S = 0.2


class _Handler(WSGIRequestHandler):
    """Says nothing on standard error, which is for events."""

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """Ends connections that take too long, and the longest of too many."""

    # The process may end while a question is being answered.
    daemon_threads = True

    def __init__(self, *arguments: object, **named: object) -> None:
        self._askers: dict[socket.socket, float] = {}
        self._askers_lock = threading.Lock()
        super().__init__(*arguments, **named)

    def process_request(self, request: socket.socket, client_address: object) -> None:
        """Begin to answer."""
        with self._askers_lock:
            if len(self._askers) >= ASKERS_MAX:
                self._end(min(self._askers, key=self._askers.__getitem__))
            self._askers[request] = time.monotonic() + ASKING_S_MAX
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """End the connections whose time is over."""
        now_s = time.monotonic()
        with self._askers_lock:
            for request in [each for each, until_s in self._askers.items() if until_s <= now_s]:
                self._end(request)

    def shutdown_request(self, request: socket.socket) -> None:
        """Close a connection."""
        with self._askers_lock:
            self._askers.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: what an asker sends, or that it has gone, is its own business."""

    def _end(self, request: socket.socket) -> None:
        """Let the thread that reads from a connection, or writes to it, find it closed."""
        del self._askers[request]
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)


class MetricsServer:
    """Answers with a registry's metrics until `close`.

    Parameters
    ----------
    address
        ``127.0.0.1:9464``; port 0 takes a free one.
    metrics
        What is exposed.
    health
        Asked for ``/healthz``: 200 where the daemon is well, 503 where it is not.

    Attributes
    ----------
    address : str
        With the port it listens on.

    Raises
    ------
    SecurityError
        The address can't be had.
    """

    def __init__(
        self, address: str, metrics: CollectorRegistry, health: Callable[[], Health]
    ) -> None:
        metrics_app = make_wsgi_app(metrics)

        def app(environment: dict[str, Any], respond: Any) -> Iterable[bytes]:
            if environment["PATH_INFO"] != HEALTH_PATH:
                return metrics_app(environment, respond)
            found = health()
            status = "200 OK" if found.is_well else "503 Service Unavailable"
            respond(status, [("Content-Type", "application/json")])
            return [msgspec.json.encode(found._asdict()) + b"\n"]

        host, _, port = address.rpartition(":")
        try:
            self._server = make_server(
                host, int(port), app, server_class=_Server, handler_class=_Handler
            )
        except (OSError, OverflowError) as error:
            raise SecurityError(f"metrics: can not bind {address}: {error}") from None
        self.address = f"{host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK_S,), name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
