"""Post one trade, at once or late; or say what it lacks, or let a record wait for what it needs.

To the venue everything has happened that its records say, in their order. Here a trade may not be
posted yet: it was only received, or it failed. What comes after it may need what it would have
brought::

    enough is held and to spare ---------> posted
    needed for what waits before it -----> a trade fails, a withdrawal or bust is postponed
    lacking, but unposted trades bring it -> the same
    lacking beyond them -----------------> an impossible record: the line stops
"""

from collections.abc import Sequence

from cea_exchange.ledger.double_entry import (
    Compartment,
    EntryKind,
    Holding,
    InsufficientHolding,
    Posting,
    Trade,
    trade_legs,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.enforcement.arrivals import Arrivals
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS
from cea_exchange.registry.settlement.waiting import Lacking, Waiting


def trade_post(
    store: Store, trade: Trade, waiting: Waiting, *, settlement_seq: int, reference: str = ""
) -> Lacking | None:
    """Post a trade, within a transaction; or say for want of what it can't be.

    Returns None if it was posted; else what is lacking, of unposted trades before it.

    Raises LedgerError: it lacks what no unposted trade would bring: it can't be.

    Parameters
    ----------
    waiting
        What waits: of that before this trade none is left short.
    settlement_seq
        That settlement has reached: the trade's own where it is posted at once.
    reference
        ``trade 12`` where it is posted late.
    """
    legs = trade_legs(trade)
    lacking = waiting.lacking(legs, before=trade.settlement_seq)
    if lacking is not None:
        possible_check(store, legs, trade.settlement_seq)
        return lacking
    store.entry_add(
        EntryKind.TRADE,
        legs,
        settlement_seq=settlement_seq,
        business_date=trade.trading_date,
        reference=reference,
    )
    return None


def possible_check(store: Store, legs: Sequence[Posting], seq: int) -> None:
    """Raise `InsufficientHolding` where what the record at `seq` takes is brought by nothing."""
    for account, asset, compartment, amount in legs:
        holding = Holding(account, asset, compartment)
        held = store.balance(holding)
        if compartment == Compartment.TRADING and held + amount < 0:
            lacking_checked(store, InsufficientHolding(holding, held, amount), seq)


def lacking_checked(store: Store, error: InsufficientHolding, seq: int) -> int:
    """Return how much the record at `seq` lacks, if unposted ones would bring it; else raise."""
    lacking = -(error.held + error.change)
    if lacking > _unposted_sum(store, error.holding, seq):
        raise error
    return lacking


def _unposted_sum(store: Store, holding: Holding, but_seq: int) -> int:
    """Return what a holding would have more, were everything but one posted that waits."""
    rows = store.all(
        f"SELECT {TRADE_COLUMNS} FROM trades WHERE state <> 'settled' AND state <> 'busted'"
        " AND posted_seq = 0 AND settlement_seq <> ? AND ? IN (buyer_index, seller_index)",
        (but_seq, holding.account_index),
    )
    legs = [leg for row in rows for leg in trade_legs(Trade(*row))]
    rows = store.all(
        "SELECT account_index, asset_index, compartment, amount FROM postponed"
        " WHERE posted_seq = 0 AND settlement_seq <> ? AND account_index = ?",
        (but_seq, holding.account_index),
    )
    legs += [Posting(*row) for row in rows]
    return sum(leg.amount for leg in legs if Holding(*leg[:3]) == holding)


def postpone(
    store: Store, kind: EntryKind, legs: Sequence[Posting], seq: int, business_date: int
) -> None:
    """Let a withdrawal or a bust wait: to the venue it has happened, here it can't be posted yet.

    Rules: CEA-STL-06 (what needs unposted trades waits for them), CEA-STL-09.
    """
    rows = [
        (seq, number, int(kind), business_date, *map(int, leg), 0)
        for number, leg in enumerate(legs)
        if leg.amount
    ]
    store.insert(
        "postponed (settlement_seq, leg, kind, business_date, account_index, asset_index,"
        " compartment, amount, posted_seq)",
        rows,
    )


def postponed_post(store: Store, seq: int, waiting: Waiting) -> bool:
    """Post what was postponed at a sequence, within a transaction; say whether it could be."""
    rows = store.all(
        "SELECT kind, business_date, account_index, asset_index, compartment, amount"
        " FROM postponed WHERE settlement_seq = ? ORDER BY leg",
        (seq,),
    )
    kind, business_date = rows[0][:2]
    legs = [Posting(*row[2:]) for row in rows]
    subject = (0, 0, 0, 0)
    if kind == EntryKind.WITHDRAWN:
        (leg,) = (leg for leg in legs if leg.compartment == Compartment.TRADING)
        subject = (leg.account_index, leg.account_index, leg.asset_index, -leg.amount)
    if waiting.lacking(legs, before=seq) is not None:
        possible_check(store, legs, seq)
        return False
    store.entry_add(
        EntryKind(kind),
        legs,
        subject,
        settlement_seq=store.last_seq,
        business_date=business_date,
        reference=f"record {seq}",
    )
    waiting.remove(seq, legs)
    if kind == EntryKind.WITHDRAWN:
        account, _account, asset, amount = subject
        Arrivals(store).take((account, asset), store.last_seq, business_date, amount)
    store.change("postponed", {"settlement_seq": seq}, posted_seq=store.last_seq)
    return True
