"""What every institution proves of its database, and what the registry proves besides."""

from collections.abc import Iterator

from cea_exchange.institution.maintenance.integrity import heads_differing, integrity_differences
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import ControlError, FeedItem, LedgerHead, control_decode
from cea_exchange.registry.reconciliation.audit import findings

CAUSES = "causes"
"""The query of `audit` that is part of it, beside the one that every institution's proof has."""


def registry_integrity(store: Store) -> Iterator[str]:
    """Yield where what is there is not what was written, or was caused by nothing.

    Rules: CEA-REG-05 (the chain), CEA-REG-07 (every entry has a cause).
    """
    yield from integrity_differences(store)
    try:
        yield from heads_differing(store, heads_sent(store), "the venue was sent")
    except ControlError as error:
        yield f"the feed can not be read: {error}"
    yield from findings(store, CAUSES)


def heads_sent(store: Store) -> Iterator[tuple[int, str]]:
    """Yield the heads of the chain in the feed to the venue: link and head.

    Raises ControlError: an item is none.
    """
    for (item,) in store.database.stream("SELECT item FROM feed ORDER BY transfer_seq"):
        message = control_decode(item)
        if isinstance(message, FeedItem) and isinstance(message.command, LedgerHead):
            yield message.command.link_id, message.command.head
