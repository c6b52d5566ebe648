"""The venue's socket towards the registry, and where the registry says it leads."""

from pathlib import Path

import msgspec
import structlog
import zmq

from cea_exchange.control_plane.server_line import EndpointsFile
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket
from cea_exchange.venue.config import VenueConfig

log = structlog.get_logger("venue")


class _FeedEndpoints(msgspec.Struct, frozen=True):
    """What the registry writes of where it listens; the rest is for others."""

    feed: str


class RegistryLine:
    """A DEALER towards the registry's feed; a `FeedLine`.

    Parameters
    ----------
    context
        ZeroMQ's.
    config, data
        Where the registry is, or where it says so.
    keys
        The venue's.
    """

    def __init__(
        self, context: zmq.Context, config: VenueConfig, data: Path, keys: CurveKeys
    ) -> None:
        self._socket: zmq.Socket | None = None
        self._context = context
        self._config = config
        self._file = EndpointsFile(config.registry_endpoints_file(data), _FeedEndpoints)
        self._keys = keys
        # The key that the venue's own sockets admit, too; its file is not needed any more.
        self._server_key = config.registry_key(data)
        self._trouble = ""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    def open(self) -> bool:
        """Make one; False if the registry's address is not known, or there is no room for it."""
        address = self._config.registry_feed or self._address_read()
        if address is None:
            return False
        try:
            self._socket = client_socket(
                self._context, zmq.DEALER, keys=self._keys, server_key=self._server_key
            )
            client_connect(self._socket, address)
        except (zmq.ZMQError, ValueError) as error:
            # No descriptor is left, or it is no address: it may be otherwise soon.
            self.close()
            self._trouble_tell(f"{address}: {error}")
            return False
        self._trouble_tell("")
        return True

    def send(self, content: bytes) -> bool:
        """Send a question; False if it can't be sent."""
        assert self._socket is not None
        try:
            self._socket.send(content, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def receive(self) -> bytes | None:
        """Return an answer that has arrived; None if there is none."""
        assert self._socket is not None
        try:
            return self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def close(self) -> None:
        """Drop the connection."""
        if self._socket is not None:
            self._socket.close(linger=0)
        self._socket = None

    def _trouble_tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("registry_not_reached", error=trouble)
        self._trouble = trouble

    def _address_read(self) -> str | None:
        found = self._file.read()
        return None if found is None else found.feed
