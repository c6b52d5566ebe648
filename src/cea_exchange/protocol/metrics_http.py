"""Where Prometheus asks a daemon: HTTP on the loopback, in one thread, one question at a time."""

import threading
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import msgspec
from prometheus_client import CollectorRegistry, make_wsgi_app

from cea_exchange.protocol.pulse import Health
from cea_exchange.protocol.security import SecurityError

HEALTH_PATH = "/healthz"
SILENCE_S_MAX = 5.0


class _Handler(WSGIRequestHandler):
    """Gives up on who connects and says nothing, so that nobody can hold the thread."""

    timeout = SILENCE_S_MAX

    def log_message(self, *_arguments: object) -> None:
        """Standard error is for events."""


class MetricsServer:
    """Answers with a registry's metrics until `close`.

    Parameters
    ----------
    address
        ``127.0.0.1:9464``; port 0 takes a free one.
    metrics
        What is told.
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
            self._server: WSGIServer = make_server(
                host, int(port), app, handler_class=_Handler
            )
        except (OSError, OverflowError) as error:
            raise SecurityError(f"metrics: can not bind {address}: {error}") from None
        self.address = f"{host}:{self._server.server_port}"
        # The process may end while a question is being answered.
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
