"""A DEALER socket towards a server that may come, go and move, and where that says it listens."""

from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import structlog
import zmq

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket

ENDPOINTS_BYTES_MAX = 64 * 1024

log = structlog.get_logger()

Endpoints = TypeVar("Endpoints", bound=msgspec.Struct)


class ServerLine:
    """The socket towards a server; None while it is not known where that is."""

    def __init__(self, context: zmq.Context, keys: CurveKeys, server_key: str) -> None:
        self._context, self._keys, self._server_key = context, keys, server_key
        self.address: str | None = None
        self.dealer: zmq.Socket | None = None

    def connect(self, address: str) -> None:
        """Go to where the server is now; ValueError if that is no address."""
        self.close()
        self.address = address
        self.renew()

    def renew(self) -> None:
        """A fresh socket: no question that was not sent, no answer that came too late."""
        if self.address is None:
            return
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = client_socket(
            self._context, zmq.DEALER, keys=self._keys, server_key=self._server_key
        )
        client_connect(self.dealer, self.address)

    def ask(self, question: bytes) -> None:
        """Send a question; where that can't be, the wait for its answer leads to a fresh socket."""
        # A server that refuses our key ends the connection for good: then a send would block.
        if self.dealer is not None:
            with suppress(zmq.Again):
                self.dealer.send(question, zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket."""
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = self.address = None


class EndpointsFile(Generic[Endpoints]):
    """A file in which a server says where it listens.

    Parameters
    ----------
    path
        The file.
    kind
        What of it is of interest.
    """

    def __init__(self, path: Path, kind: type[Endpoints]) -> None:
        self._path, self._kind = path, kind
        self._unreadable = ""

    def read(self) -> Endpoints | None:
        """Return what it says; None while it says nothing, or nonsense, which is logged once."""
        try:
            with self._path.open("rb") as file:
                said = msgspec.json.decode(file.read(ENDPOINTS_BYTES_MAX), type=self._kind)
        except FileNotFoundError:
            return None
        except (OSError, *DECODE_ERRORS) as error:
            if self._unreadable != repr(error):
                self._unreadable = repr(error)
                log.warning("endpoints_unreadable", path=str(self._path), error=repr(error))
            return None
        self._unreadable = ""
        return said
