"""A client of the venue whose session is kept while a test looks elsewhere."""

import threading
from collections.abc import Callable
from typing import Any, Self

from cea_exchange.client import Client
from cea_exchange.loadtest.local_exchange import LocalExchange

PAUSE_S = 0.2


class KeptClient:
    """Does what a `Client` does, one thing at a time, and its heartbeats in between."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    @classmethod
    def of(cls, exchange: LocalExchange, name: str) -> Self:
        """Log a participant of an exchange on."""
        return cls(
            Client.connect(
                exchange.endpoint("venue", "gateway"),
                exchange.keys(name),
                exchange.keys("venue").public,
                timeout_s=30.0,
            )
        )

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                return getattr(self._client, name)(*arguments, **named)

        return method

    def _keep(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            with self._lock:
                self._client.poll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._client.close()
