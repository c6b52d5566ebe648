"""The registry's two sockets towards the venue."""

import zmq

from cea_exchange.control_plane.server_line import ServerLine
from cea_exchange.institution.venue_link.stream import replay_request
from cea_exchange.protocol.security import CurveKeys, client_connect, client_socket


class VenueLine(ServerLine):
    """The socket on which the venue is asked, and `sub`, on which it publishes."""

    def __init__(self, context: zmq.Context, keys: CurveKeys, venue_key: str) -> None:
        super().__init__(context, keys, venue_key)
        self._endpoints: tuple[str, str] | None = None
        self.sub: zmq.Socket | None = None

    def venue_connect(self, settlement: str, replay: str) -> bool:
        """Connect, if not there already; say whether anything changed.

        Raises ValueError: one of them is no address.
        """
        if self._endpoints == (settlement, replay):
            return False
        self.close()
        self.sub = client_socket(
            self._context, zmq.SUB, keys=self._keys, server_key=self._server_key
        )
        self.sub.subscribe(b"")
        client_connect(self.sub, settlement)
        self.address = replay
        self.renew()
        self._endpoints = (settlement, replay)
        return True

    def records_ask(self, log_id: str | None, first_seq: int) -> None:
        """Ask for records."""
        self.ask(replay_request(log_id, first_seq))

    def close(self) -> None:
        """Close both."""
        super().close()
        if self.sub is not None:
            self.sub.close()
        self.sub = self._endpoints = None
