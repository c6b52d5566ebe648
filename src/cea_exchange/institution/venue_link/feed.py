"""The numbered stream from the registry to the venue: accounts, products, keys and transfers.

One numbering, 1, 2, ..., over all kinds. An item is stored in the transaction of the act it tells
of, so the venue hears of an act if and only if it happened; it applies each number once.
"""

from typing import Annotated, Any

import msgspec

from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import (
    AccountDeclared,
    AccountRestored,
    AccountSuspended,
    FeedCommand,
    FeedItem,
    KeyGranted,
    KeyRevoked,
    ProductDeclared,
    control_decode,
    control_encode,
    feed_command_hash,
)

ITEM_COUNT_MAX = 5_000
ANSWER_BYTES_MAX = 512 * 1024  # half of what a message may have
VENUE = "venue"
"""The partner that takes the feed; see `Partners`."""
MOVES_NOTHING = (
    *(ProductDeclared, AccountDeclared, AccountSuspended, AccountRestored),
    *(KeyGranted, KeyRevoked),
)
"""Commands that an act may give while nothing of value may move; all others are of value."""


class FeedRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the venue asks: items from a number on, and which stream it speaks of."""

    first: Annotated[int, msgspec.Meta(ge=1, le=2**62)] = msgspec.field(name="from")
    count: Annotated[int, msgspec.Meta(ge=0, le=2**62)]
    log_id: str | None = None


def feed_append(store: Store, command: FeedCommand, at_ns: int) -> int:
    """Number a command and store it; belongs in the transaction of its act.

    Returns its `transfer_seq`.

    Raises ActsStopped: an act gives it, and it may not be numbered now.

    Rules: CEA-REG-09.
    """
    if store.act_id != 0:
        store.partners.number_check(VENUE)
        if not isinstance(command, MOVES_NOTHING):
            store.partners.value_check()
    transfer_seq = feed_last_seq(store) + 1
    item = FeedItem(transfer_seq=transfer_seq, command=command, at_ns=at_ns)
    store.insert("feed (transfer_seq, item)", [(transfer_seq, control_encode(item))])
    return transfer_seq


def feed_last_seq(store: Store) -> int:
    """Return the number of the last item, 0 before the first."""
    return store.one("SELECT coalesce(max(transfer_seq), 0) FROM feed")


def feed_lacking(store: Store, venue_seq: int, venue_hash: str) -> str:
    """Return which items of the feed the venue has and the ledger lacks; '' if none.

    Parameters
    ----------
    venue_seq, venue_hash
        Number of the last item that the venue has taken, and the hash of its command; '' if the
        venue does not know it any more.
    """
    last_seq = feed_last_seq(store)
    if venue_seq > last_seq:
        return (
            f"the venue has the feed up to item {venue_seq}, this ledger only up to {last_seq}:"
            " it is older than what the venue has taken"
        )
    item = store.one("SELECT item FROM feed WHERE transfer_seq = ?", (venue_seq,))
    if item is None or venue_hash in ("", command_hash(bytes(item))):
        return ""
    return (
        f"item {venue_seq} of the feed is another one than the venue has taken: this ledger is not"
        " the one that was followed"
    )


def command_hash(item: bytes) -> str:
    """Return the hash of an item's command, as the venue has it."""
    message = control_decode(item)
    assert isinstance(message, FeedItem), message
    return feed_command_hash(message.command)


def feed_items(store: Store, first: int, count: int) -> list[bytes]:
    """Return encoded items from number `first` on, as many as a message may carry."""
    items: list[bytes] = []
    size = 0
    rows = store.column(
        "SELECT item FROM feed WHERE transfer_seq >= ? ORDER BY transfer_seq LIMIT ?",
        (first, min(count, ITEM_COUNT_MAX)),
    )
    for item in rows:
        size += len(item) + 5
        if size > ANSWER_BYTES_MAX:
            break
        items.append(item)
    return items


def feed_answer(store: Store, request: FeedRequest, state: str) -> dict[str, Any]:
    """Return the answer to a request: items, and how far settlement is (after its commit)."""
    return {
        "items": feed_items(store, request.first, request.count),
        "last_seq": feed_last_seq(store),
        "settled_seq": store.last_seq,
        "confirmed_date": store.confirmed_date,
        "state": state,
    }
