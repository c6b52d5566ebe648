"""How often a client tries to connect, and what its errors say: how far the connection got."""

from cea_exchange.client.session import SessionError
from cea_exchange.protocol.connection import TURNED_AWAY, Reached

RECONNECT_S_MIN = 0.02
RECONNECT_S_MAX = 1.0
RECONNECT_QUICK_S = 10.0
"""A front of the venue's may be another's door, and others are begun; whoever is not let in for so
long, or is refused, comes again ever later."""


class NotConnected(SessionError, TimeoutError):
    """There was no connection in time. Where it is known why, a subclass is raised."""


class NobodyThere(NotConnected):
    """Nobody listens at the address."""


class ServerKeyWrong(NotConnected):
    """Who listens at the address does not have this public key, or is another kind of socket.

    So it looks, too, where a venue or way in does not know yet whose keys are granted.
    """


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
            got = "got another, or one that admits nobody yet"
            return ServerKeyWrong(f"{late}: at {address}, {expected}, {got}")
        case Reached.REFUSED:
            refused = f"the key {key}: it is not granted, or was revoked"
            return KeyRefused(f"{late}: the venue at {address} refuses {refused}")
        case Reached.SILENT:
            what = "is stopped, admits nobody yet, or is no venue"
            return NotConnected(f"{late}: who listens at {address} {what}")
    return NotConnected(f"{late}: {address} lets the key in and does not answer: another socket?")


def reached_by(latest: Reached, before: Reached, latest_age_s: float) -> Reached:
    """Return how far a connection got; by the attempt before, where the latest is too fresh."""
    if latest is Reached.NOBODY and before is not Reached.LET_IN:
        return before
    if latest is Reached.SILENT and before in TURNED_AWAY and latest_age_s < RECONNECT_S_MAX:
        return before
    return latest


class Attempts:
    """How long each attempt to connect has before the next."""

    def __init__(self, now_s: float) -> None:
        self._pause_s = RECONNECT_S_MIN
        self.let_in(now_s)

    def let_in(self, now_s: float) -> None:
        """Note that there is a session."""
        self._quick_until_s = now_s + RECONNECT_QUICK_S

    def pause_s(self, now_s: float, reached: Reached) -> float:
        """Return it, by how far the last one came: ever longer while no session is to be had."""
        if now_s < self._quick_until_s and reached is not Reached.REFUSED:
            self._pause_s = RECONNECT_S_MIN
        else:
            self._pause_s = min(2 * self._pause_s, RECONNECT_S_MAX)
        return self._pause_s
