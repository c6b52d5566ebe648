"""A run of trades, checked and posted at once: what `Settlement` does with one, for thousands.

    records --columns--> figures agree? --> holdings suffice, one after the other? --> rows
                              |                        |
                              +---- no: nothing is done, each is looked at by itself

The rows of trades go in from here; their entries and postings follow inside the database, from
those rows: at once, or after the close for those that were only received.
"""

import numpy as np

from cea_exchange.domain.records import Side
from cea_exchange.ledger.double_entry import (
    AMOUNT_LIMIT,
    CASH_ASSET,
    Compartment,
    EntryKind,
    Holding,
)
from cea_exchange.ledger.history import LEGS_MAX
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store

_FEES = Holding(int(Institution.FEES), CASH_ASSET, int(Compartment.REGISTRATION))
_COLUMN_NAMES = (
    *("settlement_seq", "trade_id", "trading_date", "method", "buyer", "seller"),
    *("product_index", "price", "tonnes", "cash", "buy_fee", "sell_fee"),
)
_FEE_LIMIT = 1 << 46
"""Larger ones are looked at by themselves: the sum of a run's fees has to fit in 63 bits."""

_TRADE_LEG_COLUMNS = (
    "settlement_seq, trading_date, buyer_index, seller_index, product_index, tonnes, cash, buy_fee,"
    " sell_fee"
)
_AT_ONCE = f"""
    SELECT {_TRADE_LEG_COLUMNS}, settlement_seq + :ahead AS entry_id
    FROM trades WHERE settlement_seq BETWEEN :first AND :last
"""
_LATE = f"""
    SELECT {_TRADE_LEG_COLUMNS}, :ahead + row_number() OVER (ORDER BY settlement_seq) AS entry_id
    FROM trades WHERE settlement_seq BETWEEN :first AND :last AND state = 'received'
"""

_ENTRIES_AT_ONCE = f"""
INSERT INTO entries (entry_id, kind, settlement_seq, business_date, account_index, counter_index,
    asset_index, amount, reference, act_id)
SELECT entry_id, :kind, settlement_seq, trading_date, 0, 0, 0, 0, '', 0
FROM ({_AT_ONCE}) AS t ORDER BY settlement_seq
"""
_ENTRIES_LATE = f"""
INSERT INTO entries (entry_id, kind, settlement_seq, business_date, account_index, counter_index,
    asset_index, amount, reference, act_id)
SELECT entry_id, :kind, :now, trading_date, 0, 0, 0, 0, 'trade ' || settlement_seq, 0
FROM ({_LATE}) AS t ORDER BY settlement_seq
"""

# The legs of `trade_legs`, in its order; those of nothing are left out.
_POSTINGS = """
WITH run AS ({trades}), numbered AS (
    SELECT buyer_index, seller_index, product_index, tonnes, cash, buy_fee, sell_fee,
        :legs * entry_id AS leg_0
    FROM run
)
INSERT INTO postings (posting_id, account_index, asset_index, compartment, amount)
SELECT posting_id, account_index, asset_index, compartment, amount FROM (
    SELECT leg_0 AS posting_id, buyer_index AS account_index, :cash AS asset_index,
        :trading AS compartment, -(cash + buy_fee) AS amount FROM numbered
    UNION ALL SELECT leg_0 + 1, seller_index, :cash, :trading, cash - sell_fee FROM numbered
    UNION ALL SELECT leg_0 + 2, seller_index, product_index, :trading, -tonnes FROM numbered
    UNION ALL SELECT leg_0 + 3, buyer_index, product_index, :trading, tonnes FROM numbered
    UNION ALL SELECT leg_0 + 4, :fees, :cash, :registration, buy_fee + sell_fee FROM numbered
) AS legs
WHERE amount <> 0 ORDER BY posting_id
"""
_POSTINGS_AT_ONCE = _POSTINGS.format(trades=_AT_ONCE)
_POSTINGS_LATE = _POSTINGS.format(trades=_LATE)

_SETTLED_LATE = """
UPDATE trades SET state = 'settled', posted_seq = :now
WHERE settlement_seq BETWEEN :first AND :last AND state = 'received'
"""

_VALUES = {
    "kind": int(EntryKind.TRADE),
    "legs": LEGS_MAX,
    "cash": CASH_ASSET,
    "fees": int(Institution.FEES),
    "registration": int(Compartment.REGISTRATION),
    "trading": int(Compartment.TRADING),
}


def trades_post(store: Store, records: np.ndarray, account_count: int, product_count: int) -> bool:
    """Post a run of trades, within a transaction, if nothing about them is out of the ordinary.

    Returns False, and nothing was done, if a figure contradicts another, somebody trades with
    himself, or a holding would not suffice at some moment.

    Rules: CEA-STL-01 (delivery versus payment), CEA-STL-02 (each once, in order).

    Parameters
    ----------
    records : Event[count]
        TRADE records with contiguous sequences.
    account_count, product_count
        Indexes below these are declared.
    """
    columns = _columns_sound(records, account_count, product_count)
    if columns is None or not _balances_apply(store, columns):
        return False
    first, last = int(columns["settlement_seq"][0]), int(columns["settlement_seq"][-1])
    lists = [column.tolist() for column in columns.values()]
    settled, unfailed = ["settled"] * len(records), [""] * len(records)
    store.insert(
        "trades (settlement_seq, trade_id, trading_date, method, buyer_index, seller_index,"
        " product_index, price, tonnes, cash, buy_fee, sell_fee, state, failure, posted_seq)",
        zip(*lists, settled, unfailed, lists[0], strict=True),
    )
    values = {"first": first, "last": last, "ahead": store.entry_last + 1 - first}
    store.execute(_ENTRIES_AT_ONCE, values | _VALUES)
    _days_note(store, columns["trading_date"])
    store.execute(_POSTINGS_AT_ONCE, values | _VALUES)
    store.entry_last += len(records)
    return True


def trades_receive(
    store: Store, records: np.ndarray, account_count: int, product_count: int
) -> bool:
    """Take a run of trades in that are posted later; parameters as of `trades_post`.

    Returns False, and nothing was done, if a figure contradicts another, or somebody trades with
    himself.
    """
    columns = _columns_sound(records, account_count, product_count)
    if columns is None:
        return False
    lists = [column.tolist() for column in columns.values()]
    count = len(records)
    rest = (["received"] * count, [""] * count, [0] * count)
    store.insert(
        "trades (settlement_seq, trade_id, trading_date, method, buyer_index, seller_index,"
        " product_index, price, tonnes, cash, buy_fee, sell_fee, state, failure, posted_seq)",
        zip(*lists, *rest, strict=True),
    )
    return True


def trades_post_late(store: Store, trades: np.ndarray) -> bool:
    """Post trades that were received before, as `trades_post` does.

    Rules: CEA-STL-05 (delivery after the close).

    Parameters
    ----------
    trades : int64[count, 12]
        All trades received and not posted between the first and the last of them, in order; the
        columns are those of the table `trades`.
    """
    columns = dict(zip(_COLUMN_NAMES, trades.T, strict=True))
    if not _balances_apply(store, columns):
        return False
    values = {
        "first": int(trades[0, 0]),
        "last": int(trades[-1, 0]),
        "ahead": store.entry_last,
        "now": store.last_seq,
    }
    store.execute(_ENTRIES_LATE, values | _VALUES)
    _days_note(store, columns["trading_date"])
    store.execute(_POSTINGS_LATE, values | _VALUES)
    store.execute(_SETTLED_LATE, values)
    store.unposted_changes += 1
    store.entry_last += len(trades)
    return True


def stretch_end(flags: np.ndarray, first: int) -> int:
    """Return where the stretch of equal flags ends that begins at `first`: one behind its last."""
    turns = np.flatnonzero(flags[first:] != flags[first])
    return first + int(turns[0]) if len(turns) else len(flags)


def _days_note(store: Store, dates: np.ndarray) -> None:
    """Keep of which days the entries after the last that counts are, one for each trade."""
    for first in (0, *(np.flatnonzero(dates[1:] != dates[:-1]) + 1).tolist()):
        store.day_note(store.entry_last + 1 + first, int(dates[first]))


def _balances_apply(store: Store, columns: dict[str, np.ndarray]) -> bool:
    """Move what trades move, one after the other; all or, if a holding does not suffice, none."""
    fees = int(columns["buy_fee"].sum() + columns["sell_fee"].sum())
    fees_held = store.balances[_FEES] + fees
    if fees_held >= AMOUNT_LIMIT or not store.balances.trades_apply(
        columns["buyer"],
        columns["seller"],
        columns["product_index"],
        columns["tonnes"],
        columns["cash"] + columns["buy_fee"],
        columns["cash"] - columns["sell_fee"],
    ):
        return False
    store.balances.update({_FEES: fees_held})
    return True


def _columns_sound(
    records: np.ndarray, account_count: int, product_count: int
) -> dict[str, np.ndarray] | None:
    """Return the figures of trades by column; None where one contradicts another."""
    columns = _columns(records)
    sides_known = np.isin(records["side"], (Side.BUY, Side.SELL)).all()
    agree = sides_known and _figures_agree(columns, account_count, product_count)
    return columns if agree else None


def _columns(records: np.ndarray) -> dict[str, np.ndarray]:
    """Return the figures of trades by column, in the order of the table `trades`."""
    buys = records["side"] == Side.BUY
    takers, makers = records["account_index"], records["counter_account_index"]
    sides = {"buyer": np.where(buys, takers, makers), "seller": np.where(buys, makers, takers)}
    return {
        name: (sides[name] if name in sides else records[name]).astype(np.int64)
        for name in _COLUMN_NAMES
    }


def _figures_agree(columns: dict[str, np.ndarray], account_count: int, product_count: int) -> bool:
    """Tell whether `trade_check` and the declarations would let each of the trades pass."""
    buyers, sellers, cash = columns["buyer"], columns["seller"], columns["cash"]
    price, tonnes = columns["price"], columns["tonnes"]
    checks = (
        (columns["trade_id"] > 0) & (columns["trade_id"] < AMOUNT_LIMIT),
        (price > 0) & (tonnes > 0) & (cash > 0) & (cash < AMOUNT_LIMIT),
        # A product that wraps is no longer the cash divided by the tonnes.
        (price * tonnes == cash) & (cash // np.maximum(tonnes, 1) == price),
        (columns["buy_fee"] >= 0) & (columns["buy_fee"] < _FEE_LIMIT),
        cash + columns["buy_fee"] < AMOUNT_LIMIT,
        (columns["sell_fee"] >= 0) & (columns["sell_fee"] <= np.minimum(cash, _FEE_LIMIT)),
        (buyers != sellers) & (buyers < account_count) & (sellers < account_count),
        columns["product_index"] < product_count,
    )
    return all(bool(check.all()) for check in checks)
