"""The last time that a registry knows of, which its clock is held against at a start."""

from cea_exchange.institution import clock
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import control_decode


def noted_ns(store: Store) -> int:
    """Return the last time that a registry has noted, 0 if it has noted none."""
    item = store.one("SELECT item FROM feed ORDER BY transfer_seq DESC LIMIT 1")
    fed = 0 if item is None else control_decode(bytes(item)).at_ns
    return max(fed, clock.noted_ns(store, ("at_ns", "account_changes", "change_id")))
