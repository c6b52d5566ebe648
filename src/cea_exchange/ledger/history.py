"""Balances of any moment: kept now and then in full, and from there the postings since.

    snapshot       snapshot          snapshot    now
       |--postings--|----postings-------|----------|
                    +-------> as of a sequence

Postings lie in the order in which they were made, so that writing them stays as fast with ten
million as with none; an index by account would not. A snapshot every so many entries bounds what a
question about the past, or a start, must read.
"""

from collections import Counter
from collections.abc import Iterator

from cea_exchange.ledger.balances import Balances
from cea_exchange.ledger.database.interface import Database
from cea_exchange.ledger.double_entry import Holding

LEGS_MAX = 8
"""Posting ids are entry id times this, plus the number of the leg."""

SNAPSHOT_ENTRY_COUNT = 32_768
"""Entries between two snapshots: some 130,000 postings of trades, read in a few hundredths of a
second."""


def balances_load(database: Database) -> Balances:
    """Read what everybody holds now; not by the view, which somebody may have made anew."""
    entry_last = _first_of_row(database, "SELECT coalesce(max(entry_id), 0) FROM entries")
    balances = Balances()
    balances.load([(*holding, held) for holding, held in balances_as_of(database, entry_last)])
    return balances


def snapshot_write(
    database: Database, balances: Balances, entry_id: int, settlement_seq: int, business_date: int
) -> None:
    """Keep all balances as they are after an entry; belongs in its transaction."""
    database.insert(
        "snapshots (entry_id, settlement_seq, business_date)",
        [(entry_id, settlement_seq, business_date)],
    )
    database.insert(
        "snapshot_balances (entry_id, account_index, asset_index, compartment, amount)",
        ((entry_id, *row) for row in balances.rows()),
    )


def balance_as_of(database: Database, holding: Holding, entry_id: int) -> int:
    """Return what was held after an entry; 0 where nothing was.

    Parameters
    ----------
    holding
        Whose, of what, where.
    entry_id
        The ledger's sequence; one before the first entry gives 0.
    """
    snapshot, first = _range_since(database, entry_id)
    values = {
        "snapshot": snapshot,
        "account": holding.account_index,
        "asset": holding.asset_index,
        "compartment": int(holding.compartment),
        "first": first,
        "end": LEGS_MAX * (entry_id + 1),
    }
    ((amount,),) = database.execute(
        "SELECT coalesce(sum(amount), 0) FROM ("
        " SELECT amount FROM snapshot_balances WHERE entry_id = :snapshot"
        "  AND account_index = :account AND asset_index = :asset AND compartment = :compartment"
        " UNION ALL"
        " SELECT amount FROM postings WHERE posting_id >= :first AND posting_id < :end"
        "  AND account_index = :account AND asset_index = :asset AND compartment = :compartment"
        ") AS counted",
        values,
    ).fetchall()
    return int(amount)


def account_as_of(
    database: Database, account_index: int, entry_id: int
) -> list[tuple[Holding, int]]:
    """Return all that one account held after an entry, and how much, by asset, compartment."""
    snapshot, first = _range_since(database, entry_id)
    rows = database.execute(
        "SELECT asset_index, compartment, sum(amount) FROM ("
        " SELECT asset_index, compartment, amount FROM snapshot_balances"
        "  WHERE entry_id = ? AND account_index = ?"
        " UNION ALL"
        " SELECT asset_index, compartment, amount FROM postings"
        "  WHERE posting_id >= ? AND posting_id < ? AND account_index = ?"
        ") AS counted GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1, 2",
        (snapshot, account_index, first, LEGS_MAX * (entry_id + 1), account_index),
    )
    return [(Holding(account_index, *row[:2]), row[2]) for row in rows.fetchall()]


def balances_as_of(database: Database, entry_id: int) -> Iterator[tuple[Holding, int]]:
    """Yield all that was held after an entry, and how much, by account, asset, compartment."""
    snapshot, first = _range_since(database, entry_id)
    rows = database.execute(
        "SELECT account_index, asset_index, compartment, sum(amount) FROM ("
        " SELECT account_index, asset_index, compartment, amount FROM snapshot_balances"
        "  WHERE entry_id = ?"
        " UNION ALL"
        " SELECT account_index, asset_index, compartment, amount FROM postings"
        "  WHERE posting_id >= ? AND posting_id < ?"
        ") AS counted GROUP BY 1, 2, 3 HAVING sum(amount) <> 0 ORDER BY 1, 2, 3",
        (snapshot, first, LEGS_MAX * (entry_id + 1)),
    )
    return ((Holding(*row[:3]), row[3]) for row in rows)


def balances_at_date(
    database: Database, business_date: int, account_index: int | None = None
) -> dict[Holding, int]:
    """Return all that was held as a day ended, or all that one account held, and how much.

    Settlement may bring a day's records when acts of the next have been entered already, and a
    failed trade of the day much later: those count, and the acts before them do not. A date is what
    they carry.
    """
    first_later = _first_of_row(
        database,
        "SELECT coalesce(min(first_entry), 0) FROM entry_days WHERE business_date > ?",
        business_date,
    )
    last = entry_at_date(database, business_date)
    if not first_later or last < first_later:
        known = first_later - 1 if first_later else last
        held = _held_as_of(database, known, account_index)
    else:
        held = _held_among_later(database, business_date, account_index, first_later, last)
    return {holding: amount for holding, amount in held.items() if amount}


def _held_among_later(
    database: Database, business_date: int, account_index: int | None, first_later: int, last: int
) -> Counter[Holding]:
    """Return what was held as a day ended of which entries came when the next had begun.

    From the end before them what counts is added, or from the last one what does not count is
    taken off: whichever is less to read.
    """
    counted: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    for first, end, date in _day_stretches(database, first_later, last):
        (counted if 1 <= date <= business_date else others).append((first, end))
    is_adding = _entry_count(counted) <= _entry_count(others)
    held = _held_as_of(database, first_later - 1 if is_adding else last, account_index)
    for first, end in counted if is_adding else others:
        moved = _moved(database, first, end, account_index)
        (held.update if is_adding else held.subtract)(moved)
    return held


def _day_stretches(database: Database, first: int, last: int) -> list[tuple[int, int, int]]:
    """Return the stretches of entries of one day between two entries: first, last, the day."""
    rows = database.execute(
        "SELECT first_entry, business_date FROM entry_days WHERE first_entry BETWEEN ? AND ?"
        " ORDER BY first_entry",
        (first, last),
    ).fetchall()
    ends = [start - 1 for start, _date in rows[1:]] + [last]
    return [(start, end, date) for (start, date), end in zip(rows, ends, strict=True)]


def _entry_count(stretches: list[tuple[int, int]]) -> int:
    return sum(end - first + 1 for first, end in stretches)


def _held_as_of(database: Database, entry_id: int, account_index: int | None) -> Counter[Holding]:
    """Return what was held after an entry, by all or by one account."""
    if account_index is None:
        return Counter(dict(balances_as_of(database, entry_id)))
    return Counter(dict(account_as_of(database, account_index, entry_id)))


def _moved(
    database: Database, first: int, last: int, account_index: int | None
) -> Counter[Holding]:
    """Return what the entries of a stretch moved; a long one's from the balances at its ends."""
    if last - first >= SNAPSHOT_ENTRY_COUNT:
        moved = _held_as_of(database, last, account_index)
        moved.subtract(_held_as_of(database, first - 1, account_index))
        return moved
    rows = database.execute(
        "SELECT account_index, asset_index, compartment, sum(amount) FROM postings"
        " WHERE posting_id >= :first AND posting_id < :end"
        + (" AND account_index = :account" if account_index is not None else "")
        + " GROUP BY 1, 2, 3",
        {"first": LEGS_MAX * first, "end": LEGS_MAX * (last + 1), "account": account_index},
    )
    return Counter({Holding(*row[:3]): row[3] for row in rows.fetchall()})


def entry_at_date(database: Database, business_date: int) -> int:
    """Return the last entry of a day or of those before it; 0 is none.

    What a record brought while no trading day was open has no date, and says nothing here.
    """
    first = _first_of_row(
        database,
        "SELECT coalesce(max(first_entry), 0) FROM entry_days WHERE business_date BETWEEN 1 AND ?",
        business_date,
    )
    if not first:
        return 0
    following = _first_of_row(
        database,
        "SELECT coalesce(min(first_entry), 0) FROM entry_days WHERE first_entry > ?",
        first,
    )
    if following:
        return following - 1
    return _first_of_row(database, "SELECT coalesce(max(entry_id), 0) FROM entries")


def entry_at_settlement(database: Database, settlement_seq: int) -> int:
    """Return the last entry made before any settlement record beyond this one; 0 is none.

    By halves: entries carry the sequence that settlement had reached, so it never falls.
    """
    low, high = 0, _first_of_row(database, "SELECT coalesce(max(entry_id), 0) FROM entries")
    while low < high:
        middle = (low + high + 1) // 2
        reached = _first_of_row(
            database, "SELECT settlement_seq FROM entries WHERE entry_id = ?", middle
        )
        if reached <= settlement_seq:
            low = middle
        else:
            high = middle - 1
    return low


def trade_at_date(database: Database, trading_date: int) -> int:
    """Return the sequence of the first trade of a day or of those after it; behind all if none.

    By halves: the venue's days do not go back.
    """
    low = 0
    high = 1 + _first_of_row(database, "SELECT coalesce(max(settlement_seq), 0) FROM trades")
    while low < high:
        middle = (low + high) // 2
        date = _first_of_row(
            database,
            "SELECT trading_date FROM trades WHERE settlement_seq >= ?"
            " ORDER BY settlement_seq LIMIT 1",
            middle,
        )
        if date >= trading_date:
            high = middle
        else:
            low = middle + 1
    return low


def _range_since(database: Database, entry_id: int) -> tuple[int, int]:
    """Return the newest snapshot that is not after an entry, and the first posting after that."""
    snapshot = _first_of_row(
        database, "SELECT coalesce(max(entry_id), 0) FROM snapshots WHERE entry_id <= ?", entry_id
    )
    return snapshot, LEGS_MAX * (snapshot + 1)


def _first_of_row(database: Database, sql: str, *values: int) -> int:
    row = database.execute(sql, values).fetchone()
    return 0 if row is None else row[0]
