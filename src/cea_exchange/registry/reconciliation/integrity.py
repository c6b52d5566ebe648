"""What every institution proves of its database, and what the registry proves besides."""

from collections.abc import Iterator

from cea_exchange.institution.maintenance.feed_books import heads_sent as heads_sent
from cea_exchange.institution.maintenance.feed_books import sent_heads_differ
from cea_exchange.institution.maintenance.integrity import integrity_differences
from cea_exchange.ledger.store import Store
from cea_exchange.registry.reconciliation.audit import findings

CAUSES = "causes"
"""The query of `audit` that is part of it, beside the one that every institution's proof has."""


def registry_integrity(store: Store) -> Iterator[str]:
    """Yield where what is there is not what was written, or was caused by nothing.

    Rules: CEA-REG-05 (the chain), CEA-REG-07 (every entry has a cause).
    """
    yield from integrity_differences(store)
    yield from sent_heads_differ(store)
    yield from findings(store, CAUSES)
