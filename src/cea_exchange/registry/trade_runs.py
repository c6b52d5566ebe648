"""A run of trades, checked and posted at once: what `Settlement` does with one, for thousands.

    records --columns--> figures agree? --> holdings suffice, one after the other? --> rows
                              |                        |
                              +---- no: nothing is done, each is looked at by itself

The rows of trades go in from here; their entries and postings follow inside the database, from
those rows.
"""

import numpy as np

from cea_exchange.domain.records import Side
from cea_exchange.registry.history import LEGS_MAX
from cea_exchange.registry.institutions import Institution
from cea_exchange.registry.ledger import AMOUNT_LIMIT, CASH_ASSET, Compartment, EntryKind, Holding
from cea_exchange.registry.store import Store

_FEES = Holding(int(Institution.FEES), CASH_ASSET, int(Compartment.REGISTRATION))
_FEE_LIMIT = 1 << 46
"""Larger ones are looked at by themselves: the sum of a run's fees has to fit in 63 bits."""

_ENTRIES = """
INSERT INTO entries
SELECT settlement_seq + :ahead, :kind, settlement_seq, trading_date, 0, 0, 0, 0, ''
FROM trades WHERE settlement_seq BETWEEN :first AND :last ORDER BY settlement_seq
"""

# The legs of `trade_legs`, in its order; those of nothing are left out.
_POSTINGS = """
WITH run AS (
    SELECT *, :legs * (settlement_seq + :ahead) AS leg_0 FROM trades
    WHERE settlement_seq BETWEEN :first AND :last
)
INSERT INTO postings
SELECT posting_id, account_index, asset_index, compartment, amount FROM (
    SELECT leg_0 AS posting_id, buyer_index AS account_index, :cash AS asset_index,
        :trading AS compartment, -(cash + buy_fee) AS amount FROM run
    UNION ALL SELECT leg_0 + 1, seller_index, :cash, :trading, cash - sell_fee FROM run
    UNION ALL SELECT leg_0 + 2, seller_index, product_index, :trading, -tonnes FROM run
    UNION ALL SELECT leg_0 + 3, buyer_index, product_index, :trading, tonnes FROM run
    UNION ALL SELECT leg_0 + 4, :fees, :cash, :registration, buy_fee + sell_fee FROM run
) AS legs
WHERE amount <> 0 ORDER BY posting_id
"""


def trades_post(
    store: Store, records: np.ndarray, account_count: int, product_count: int
) -> bool:
    """Post a run of trades, within a transaction, if nothing about them is out of the ordinary.

    Parameters
    ----------
    records : Event[count]
        TRADE records with contiguous sequences.
    account_count, product_count
        Indexes below these are declared.

    Returns
    -------
    bool
        False, and nothing was done, if a figure contradicts another, somebody trades with himself,
        or a holding would not suffice at some moment.

    Notes
    -----
    Rules: CEA-STL-01 (delivery versus payment), CEA-STL-02 (each once, in order).
    """
    columns = _columns(records)
    sides_known = np.isin(records["side"], (Side.BUY, Side.SELL)).all()
    if not sides_known or not _figures_agree(columns, account_count, product_count):
        return False
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
    first, last = int(columns["settlement_seq"][0]), int(columns["settlement_seq"][-1])
    lists = [column.tolist() for column in columns.values()]
    settled, unfailed = ["settled"] * len(records), [""] * len(records)
    store.insert("trades", zip(*lists, settled, unfailed, lists[0], strict=True))
    values = {
        "first": first,
        "last": last,
        "ahead": store.entry_last + 1 - first,
        "kind": int(EntryKind.TRADE),
        "legs": LEGS_MAX,
        "cash": CASH_ASSET,
        "fees": int(Institution.FEES),
        "registration": int(Compartment.REGISTRATION),
        "trading": int(Compartment.TRADING),
    }
    store.execute(_ENTRIES, values)
    store.execute(_POSTINGS, values)
    store.entry_last += len(records)
    return True


def _columns(records: np.ndarray) -> dict[str, np.ndarray]:
    """Return the figures of trades by column, in the order of the table `trades`."""
    buys = records["side"] == Side.BUY
    takers, makers = records["account_index"], records["counter_account_index"]
    found = {
        "settlement_seq": records["settlement_seq"],
        "trade_id": records["trade_id"],
        "trading_date": records["trading_date"],
        "method": records["method"],
        "buyer": np.where(buys, takers, makers),
        "seller": np.where(buys, makers, takers),
        "product_index": records["product_index"],
        "price": records["price"],
        "tonnes": records["tonnes"],
        "cash": records["cash"],
        "buy_fee": records["buy_fee"],
        "sell_fee": records["sell_fee"],
    }
    return {name: column.astype(np.int64) for name, column in found.items()}


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
        (columns["sell_fee"] >= 0) & (columns["sell_fee"] <= np.minimum(cash, _FEE_LIMIT)),
        (buyers != sellers) & (buyers < account_count) & (sellers < account_count),
        columns["product_index"] < product_count,
    )
    return all(bool(check.all()) for check in checks)
