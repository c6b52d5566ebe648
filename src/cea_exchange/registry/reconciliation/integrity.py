"""The chain against what it covers, every row against its log, every entry against its cause."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from cea_exchange.ledger.chain import chain_breaks, records_wrong
from cea_exchange.ledger.database.row_log import logged_tables, unlogged_rows
from cea_exchange.ledger.database.schema import triggers_wrong
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import (
    DECODE_ERRORS,
    ControlError,
    FeedItem,
    LedgerHead,
    control_decode,
)
from cea_exchange.registry.act_log import Asked, asked_of
from cea_exchange.registry.reconciliation.audit import audit_queries


def integrity_differences(store: Store) -> Iterator[str]:
    """Yield where what is there is not what was written, or was caused by nothing.

    Notes
    -----
    Rules: CEA-REG-05 (the chain), CEA-REG-07 (every entry has a cause).
    """
    # One says it for all: others must not be crowded out.
    yield from islice(triggers_wrong(store.database), 1)
    yield from chain_breaks(store.database)
    if store.head_before is not None:
        yield from heads_differing(store, [store.head_before], "the registry's folder has")
    yield from records_wrong(store.database)
    yield from rows_wrong(store)
    yield from _acts_wrong(store)
    yield from _acts_of_another_time(store)
    try:
        yield from heads_differing(store, heads_sent(store), "the venue was sent")
    except ControlError as error:
        yield f"the feed can not be read: {error}"
    for entry_id, act_id, wrong in store.execute(audit_queries()["causes"]).fetchall():
        yield f"entry {entry_id} of act {act_id}: {wrong}"


def heads_sent(store: Store) -> Iterator[tuple[int, str]]:
    """Yield the heads of the chain in the feed to the venue: link and head.

    Raises
    ------
    ControlError
        An item is none.
    """
    for (item,) in store.database.stream("SELECT item FROM feed ORDER BY transfer_seq"):
        message = control_decode(item)
        if isinstance(message, FeedItem) and isinstance(message.command, LedgerHead):
            yield message.command.link_id, message.command.head


def heads_differing(
    store: Store, heads: Iterable[tuple[int, str]], whose: str
) -> Iterator[str]:
    """Yield the first of some links' heads, as another knows them, that the chain has not."""
    for link_id, head in heads:
        kept = store.one("SELECT head FROM chain WHERE link_id = ?", (link_id,))
        if kept != head:
            yield f"link {link_id} of the chain has the head {kept}, {whose} {head}"
            return


def rows_wrong(store: Store) -> Iterator[str]:
    """Yield the rows that are not what the log of rows says they are."""
    for table in logged_tables():
        for name, row_key, now, logged in store.execute(unlogged_rows(table)).fetchall():
            what = f"row {row_key} of {name}"
            if logged is None:
                yield f"{what} was never written by the registry"
            elif now is None:
                yield f"{what} is missing"
            else:
                yield f"{what}: expected {logged!r}, got {now!r}"


def _acts_wrong(store: Store) -> Iterator[str]:
    rows = store.database.stream(
        "SELECT act_id, request, account, product, amount FROM acts ORDER BY act_id"
    )
    for act_id, request, *kept in rows:
        try:
            content = msgspec.msgpack.decode(request)
        except DECODE_ERRORS as error:
            yield f"act {act_id}: its request can not be read: {error}"
            continue
        asked = asked_of(content) if isinstance(content, dict) else Asked()
        if Asked(*kept) != asked:
            yield f"act {act_id}: its request asks for {tuple(asked)}, kept is {tuple(kept)}"


def _acts_of_another_time(store: Store) -> Iterator[str]:
    """Yield the entries whose act was not noted in their transaction: an act brings nothing later.

    The entry and the act's row lie between the ends of the same two links.
    """
    ends = store.execute("SELECT entry_last, change_last FROM chain ORDER BY link_id").fetchall()
    entry_ends, change_ends = [each[0] for each in ends], [each[1] for each in ends]
    noted = store.execute(
        "SELECT row_key, min(change_id) FROM row_changes WHERE table_name = 'acts' GROUP BY row_key"
    )
    links = {int(act_id): bisect_left(change_ends, change_id) for act_id, change_id in noted}
    rows = store.database.stream(
        "SELECT entry_id, act_id FROM entries WHERE act_id > 0 ORDER BY entry_id"
    )
    for entry_id, act_id in rows:
        if act_id in links and links[act_id] != bisect_left(entry_ends, entry_id):
            yield f"entry {entry_id} of act {act_id}: the act was not noted with it"
