"""The registry's socket towards the platform, and where the platform says it leads."""

from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
import zmq

from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.security import CurveKeys, client_socket

ENDPOINTS_BYTES_MAX = 64 * 1024

log = structlog.get_logger()


class PlatformLine:
    """The socket towards the platform, which may come, go and move."""

    def __init__(self, context: zmq.Context, keys: CurveKeys, platform_key: str) -> None:
        self._context = context
        self._keys = keys
        self._platform_key = platform_key
        self._endpoint: str | None = None
        self.dealer: zmq.Socket | None = None

    def connect(self, endpoint: str) -> bool:
        """Connect, if not there already; say whether anything changed."""
        if self._endpoint == endpoint:
            return False
        self.close()
        self._endpoint = endpoint
        self.renew()
        return True

    def renew(self) -> None:
        """A fresh socket: no question that was not sent, no answer that came too late."""
        if self._endpoint is None:
            return
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = client_socket(
            self._context, zmq.DEALER, keys=self._keys, server_key=self._platform_key
        )
        self.dealer.connect(self._endpoint)

    def ask(self, question: bytes) -> None:
        """Send a question; where that can't be, the wait for its answer leads to a fresh socket."""
        if self.dealer is not None:
            with suppress(zmq.Again):
                self.dealer.send(question, zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket."""
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = self._endpoint = None


class _PlatformEndpoints(msgspec.Struct, frozen=True):
    """What a platform writes of where it listens; the rest is for others."""

    link: str


def platform_endpoint_read(path: Path) -> str | None:
    """Return the platform's door for the registry, None while it has not said it."""
    try:
        with path.open("rb") as file:
            content = file.read(ENDPOINTS_BYTES_MAX)
        return msgspec.json.decode(content, type=_PlatformEndpoints).link
    except FileNotFoundError:
        return None
    except (OSError, *DECODE_ERRORS) as error:
        log.warning("platform_endpoints_unreadable", path=str(path), error=repr(error))
        return None
