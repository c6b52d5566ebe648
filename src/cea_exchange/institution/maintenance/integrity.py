"""The chain against what it covers, every row against its log, every entry against its act."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from cea_exchange.institution.act_log import Asked, asked_of
from cea_exchange.ledger.audit import findings, rows_as_logged
from cea_exchange.ledger.chain import chain_breaks, records_wrong
from cea_exchange.ledger.database.schema import triggers_wrong
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.control import DECODE_ERRORS


def integrity_differences(store: RecordStore) -> Iterator[str]:
    """Yield where what is there is not what the institution wrote, within a transaction.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    yield from store.partners.lacking.values()
    # One says it for all: others must not be crowded out.
    yield from islice(triggers_wrong(store.database, store.schema), 1)
    yield from chain_breaks(store.database, store.schema)
    if store.head_before is not None:
        whose = f"the {store.schema.institution}'s folder has"
        yield from heads_differing(store, [store.head_before], whose)
    yield from records_wrong(store.database, store.schema)
    yield from findings(store, [rows_as_logged(store.schema)])
    yield from _acts_wrong(store)
    if store.schema.has_entries:
        yield from _acts_of_another_time(store)


def heads_differing(
    store: RecordStore, heads: Iterable[tuple[int, str]], whose: str
) -> Iterator[str]:
    """Yield the first of some links' heads, as another knows them, that the chain has not."""
    for link_id, head in heads:
        kept = store.one("SELECT head FROM chain WHERE link_id = ?", (link_id,))
        if kept != head:
            yield f"link {link_id} of the chain has the head {kept}, {whose} {head}"
            return


def _acts_wrong(store: RecordStore) -> Iterator[str]:
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


def _acts_of_another_time(store: RecordStore) -> Iterator[str]:
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
