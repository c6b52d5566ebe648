"""The registry's two sockets towards the venue, and where the venue says they lead."""

from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
import zmq

from cea_exchange.institution.venue_link.stream import replay_request
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.security import CurveKeys, client_socket

ENDPOINTS_BYTES_MAX = 64 * 1024

log = structlog.get_logger()


class VenueLine:
    """The two sockets towards the venue, which may come, go and move."""

    def __init__(self, context: zmq.Context, keys: CurveKeys, venue_key: str) -> None:
        self._context = context
        self._keys = keys
        self._venue_key = venue_key
        self._endpoints: tuple[str, str] | None = None
        self.sub: zmq.Socket | None = None
        self.dealer: zmq.Socket | None = None

    def connect(self, settlement: str, replay: str) -> bool:
        """Connect, if not there already; say whether anything changed."""
        if self._endpoints == (settlement, replay):
            return False
        self.close()
        self._endpoints = (settlement, replay)
        self.sub = client_socket(
            self._context, zmq.SUB, keys=self._keys, server_key=self._venue_key
        )
        self.sub.subscribe(b"")
        self.sub.connect(settlement)
        self.dealer_renew()
        return True

    def dealer_renew(self) -> None:
        """A fresh socket: no request that was not sent, no answer that came too late."""
        if self._endpoints is None:
            return
        if self.dealer is not None:
            self.dealer.close()
        self.dealer = client_socket(
            self._context, zmq.DEALER, keys=self._keys, server_key=self._venue_key
        )
        self.dealer.connect(self._endpoints[1])

    def ask(self, log_id: str | None, first_seq: int) -> None:
        """Ask for records."""
        if self.dealer is None:
            return
        # A venue that refuses our key ends the connection for good: then a send would block, and
        # the wait for the answer is what leads to a fresh socket.
        with suppress(zmq.Again):
            self.dealer.send(replay_request(log_id, first_seq), zmq.NOBLOCK)

    def close(self) -> None:
        for socket in (self.sub, self.dealer):
            if socket is not None:
                socket.close()
        self.sub = self.dealer = self._endpoints = None


class _VenueEndpoints(msgspec.Struct, frozen=True):
    """What a venue writes of where it listens; the rest is for others."""

    settlement: str
    replay: str


def venue_endpoints_read(path: Path) -> tuple[str, str] | None:
    """Return the venue's settlement and replay endpoints, None while it has not said them."""
    try:
        with path.open("rb") as file:
            content = file.read(ENDPOINTS_BYTES_MAX)
        endpoints = msgspec.json.decode(content, type=_VenueEndpoints)
        return endpoints.settlement, endpoints.replay
    except FileNotFoundError:
        return None
    except (OSError, *DECODE_ERRORS) as error:
        log.warning("venue_endpoints_unreadable", path=str(path), error=repr(error))
        return None
