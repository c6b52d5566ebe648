"""Who is logged on where: connections by routing id, and each account's sessions."""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

SESSIONS_PER_ACCOUNT_MAX = 64


class Session(msgspec.Struct):
    """One logged-on connection.

    Attributes
    ----------
    routing_id
        Where to send; says nothing about who it is.
    key
        The connection's public key at logon; another key under the same routing id is refused.
    seen_s
        When it last sent something (the daemon's monotonic clock).
    """

    routing_id: bytes
    key: str
    account_index: int
    operator_index: int
    seen_s: float


class Sessions:
    """The logged-on connections."""

    def __init__(self) -> None:
        self._by_routing_id: dict[bytes, Session] = {}
        self._by_account: dict[int, dict[bytes, Session]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._by_routing_id)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_routing_id.values()))

    def add(self, session: Session) -> None:
        """Begin a session; the connection's last one ends, and an account's oldest of too many."""
        self.remove(session.routing_id)
        self._by_routing_id[session.routing_id] = session
        of_account = self._by_account[session.account_index]
        of_account[session.routing_id] = session
        if len(of_account) > SESSIONS_PER_ACCOUNT_MAX:
            self.remove(next(iter(of_account)))

    def remove(self, routing_id: bytes) -> None:
        """End a connection's session, if it has one."""
        session = self._by_routing_id.pop(routing_id, None)
        if session is not None:
            del self._by_account[session.account_index][routing_id]

    def get(self, routing_id: bytes) -> Session | None:
        """Return a connection's session; None if it is not logged on."""
        return self._by_routing_id.get(routing_id)

    def of_account(self, account_index: int) -> list[Session]:
        """Return all sessions of an account."""
        sessions = self._by_account.get(account_index)
        return list(sessions.values()) if sessions else []

    def expire(self, before_s: float) -> None:
        """End the sessions that have been silent since `before_s`."""
        for session in self:
            if session.seen_s < before_s:
                self.remove(session.routing_id)
