"""Records that the venue has and the ledger lacks: each by its number, and what it says."""

from collections.abc import Iterable, Iterator

import msgspec

from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import FeedCommand, FeedItem, control_decode


def lost_records(store: Store, taken: Iterable[FeedItem]) -> Iterator[str]:
    """Yield the items of the feed that the ledger lacks, or has otherwise.

    Parameters
    ----------
    taken
        The items as the venue's journal has them.

    Notes
    -----
    Rules: CEA-REG-09.
    """
    for item in taken:
        kept = store.one("SELECT item FROM feed WHERE transfer_seq = ?", (item.transfer_seq,))
        if kept is None:
            yield (
                f"item {item.transfer_seq} of the feed, {_shown(item.command)}: the venue has it,"
                " the ledger lacks it"
            )
            continue
        own = control_decode(bytes(kept))
        if isinstance(own, FeedItem) and own.command != item.command:
            yield (
                f"item {item.transfer_seq} of the feed, {_shown(item.command)}: the venue has it,"
                f" the ledger has {_shown(own.command)}"
            )


def _shown(command: FeedCommand) -> str:
    """Return a command in words: ``transfer_in account P001, product CEA24, amount 500``."""
    fields = msgspec.to_builtins(command)
    said = [
        f"{name} {value}"
        for name, value in fields.items()
        if name not in ("t", "at_ns") and value is not None
    ]
    return f"{fields['t']} {', '.join(said)}"
