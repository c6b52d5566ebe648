"""Errors of a client without a connection: each says how far the connection got, and what to do."""

from cea_exchange.client.session import SessionError
from cea_exchange.protocol.connection import Reached


class NotConnected(SessionError, TimeoutError):
    """There was no connection in time. Where it is known why, a subclass is raised."""


class NobodyThere(NotConnected):
    """Nobody listens at the address."""


class ServerKeyWrong(NotConnected):
    """Who listens at the address does not have this public key, or is another kind of socket."""


class KeyRefused(NotConnected):
    """The venue does not admit the client's own key: it is not granted, or was revoked."""


def not_connected(
    what: str, reached: Reached, *, address: str, key: str, server_key: str
) -> NotConnected:
    """Return the error that says why something did not come in time.

    Parameters
    ----------
    what : str
        What did not come.
    reached : Reached
        How far the connection came.
    address, key, server_key : str
        Where it went, with which public key of its own, and whom it expected there.
    """
    late = f"{what} did not come in time"
    match reached:
        case Reached.NOBODY:
            return NobodyThere(f"{late}: nobody could be reached at {address}")
        case Reached.ANOTHER:
            expected = f"expected the venue's socket with the public key {server_key}"
            return ServerKeyWrong(f"{late}: at {address}, {expected}, got another")
        case Reached.REFUSED:
            refused = f"the key {key}: it is not granted, or was revoked"
            return KeyRefused(f"{late}: the venue at {address} refuses {refused}")
        case Reached.SILENT:
            return NotConnected(f"{late}: who listens at {address} is stopped, or no venue")
    return NotConnected(f"{late}: {address} lets the key in and does not answer: another socket?")
