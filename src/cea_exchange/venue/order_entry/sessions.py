"""Who is logged on where: one session a key, found by key, connection or account."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec

from cea_exchange.protocol.framing import Logon, SessionEnd
from cea_exchange.venue.market.state_machine import KeyHolder

ENDS_KEPT = 16_384


class Session(msgspec.Struct):
    """One key that is logged on.

    Attributes
    ----------
    routing_id
        Where to send; says nothing about who it is.
    key
        The connection's public key at logon; another key under the same routing id is refused.
    holder
        For whom the key acted at logon, and what it might do.
    seen_s, sent_s, look_s
        When it last sent something, when something was last sent to it, and when that is looked
        at next (the daemon's monotonic clock).
    client, attempt
        Which of a client's logons began it; None and 0 where the client does not say.
    is_connected
        Whether anything may still be sent to its routing id. A connection that is gone is no lost
        session yet: its key may log on again before it counts as silent.
    """

    routing_id: bytes
    key: str
    holder: KeyHolder
    seen_s: float
    sent_s: float = 0.0
    look_s: float = 0.0
    client: int | None = None
    attempt: int = 0
    is_connected: bool = True

    def is_later_than(self, logon: Logon) -> bool:
        """Say whether a later logon of the same client began it."""
        return self.client is not None and (
            self.client == logon.client and self.attempt > logon.attempt
        )


class Sessions:
    """The keys that are logged on, and for a while why others no longer are.

    Attributes
    ----------
    by_routing_id : dict of bytes to Session
        Those to which something may be sent; for reading.
    """

    def __init__(self) -> None:
        self.by_routing_id: dict[bytes, Session] = {}
        self._by_key: dict[str, Session] = {}
        self._by_account: dict[int, dict[bytes, Session]] = defaultdict(dict)
        self._traders: Counter[tuple[int, int]] = Counter()
        self._ends: dict[bytes, SessionEnd] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_key.values()))

    def add(self, session: Session) -> None:
        """Begin a session; neither its key nor its connection may have one."""
        assert session.key not in self._by_key and session.routing_id not in self.by_routing_id
        self._by_key[session.key] = session
        self.by_routing_id[session.routing_id] = session
        self._by_account[session.holder.account_index][session.routing_id] = session
        if session.holder.role == "trader":
            self._traders[session.holder.operator] += 1
        self._ends.pop(session.routing_id, None)

    def disconnect(self, session: Session) -> None:
        """Send nothing more to a session whose connection is gone; it may still be taken over."""
        session.is_connected = False
        if self.by_routing_id.get(session.routing_id) is session:
            del self.by_routing_id[session.routing_id]
            del self._by_account[session.holder.account_index][session.routing_id]

    def end(self, session: Session, why: SessionEnd) -> None:
        """End a session, and remember why for its connection."""
        if self._by_key.get(session.key) is not session:
            return
        was_connected = session.is_connected
        self.disconnect(session)
        del self._by_key[session.key]
        if session.holder.role == "trader":
            self._traders[session.holder.operator] -= 1
        if was_connected:
            self._ends[session.routing_id] = why
            if len(self._ends) > ENDS_KEPT:
                del self._ends[next(iter(self._ends))]

    def get(self, routing_id: bytes) -> Session | None:
        """Return a connection's session; None if it is not logged on."""
        return self.by_routing_id.get(routing_id)

    def of_key(self, key: str) -> Session | None:
        """Return a key's session, connected or not; None if it has none."""
        return self._by_key.get(key)

    def connected(self) -> list[Session]:
        """Return all sessions to which something may be sent."""
        return list(self.by_routing_id.values())

    def of_account(self, account_index: int) -> list[Session]:
        """Return the sessions of an account that are connected."""
        sessions = self._by_account.get(account_index)
        return list(sessions.values()) if sessions else []

    def has_trader(self, operator: tuple[int, int]) -> bool:
        """Say whether a key that may enter orders for an operator is logged on."""
        return self._traders[operator] > 0

    def end_of(self, routing_id: bytes) -> SessionEnd | None:
        """Say why the last session of a connection ended; None if it is not known."""
        return self._ends.get(routing_id)
