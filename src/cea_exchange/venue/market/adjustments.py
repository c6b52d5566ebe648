"""Market adjustment at the venue: what the authority sells from its reserve, buys, or releases.

    sale, purchase   as a bidding, a listed order, or a block offer open to all
    release          at a fixed price: a listed order that waits, or a block offer open to all

Each is one journaled act of two persons, in the name of an account that no key trades by; what the
market makes of it is kept beside it.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from cea_exchange.domain.naming import name_key
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    BiddingState,
    BlockFlag,
    CommandKind,
    EventKind,
    OrderFlag,
    Pricing,
    Reason,
    Side,
    Tif,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import (
    ActRefusal,
    account_unknown,
    not_next,
    persons_refusal,
    reason_refusal,
    refused,
)

PREFIX = "ADJ-"
"""What the names of its biddings begin with."""
WHERE = "adjustment"
"""What its refusals say that they are of."""
_TAKEN = {
    EventKind.ORDER_ACCEPTED,
    EventKind.BLOCK_OFFERED,
    EventKind.BIDDING_OPENED,
}


class Adjustment(Struct, frozen=True):
    """An act of market adjustment, and what came of it.

    Attributes
    ----------
    acted
        What the journal has of it.
    target
        The id of its order, block or bidding; 0 where the market refused it.
    reason
        Why it did.
    ended
        What the journal has of its end; None while nobody has ended it.
    """

    acted: control.MarketAdjusted
    target: int
    reason: str = ""
    ended: control.AdjustmentEnded | None = None


def naming_refusal(
    accounts: Mapping[str, int],
    named: Sequence[str],
    traded: Iterable[int],
    act: control.AdjustmentAccountNamed,
) -> ActRefusal:
    """Say why an account can't be one by which the authority adjusts the market; None if it can.

    Parameters
    ----------
    traded
        Indexes of the accounts that keys trade by.

    Notes
    -----
    Rules: CEA-ADJ-01.
    """
    if act.account not in accounts:
        return account_unknown(WHERE, act.account)
    if act.account in named:
        code, got = VenueRefusal.ADJUSTMENT_ACCOUNT_TAKEN, f"{act.account!r}, which is one already"
        return refused(code, WHERE, "a new account", got)
    return _account_refusal(act.account, accounts, traded) or _word_refusal(act)


def acting_refusal(
    named: Sequence[str],
    accounts: Mapping[str, int],
    traded: Iterable[int],
    count: int,
    act: control.MarketAdjusted,
) -> ActRefusal:
    """Say why an act of market adjustment may not be journaled; None if it may.

    What the market's rules refuse (its phase, band, sizes, balances) is no refusal here: it is
    journaled with the market's reason.

    Notes
    -----
    Rules: CEA-ADJ-01, CEA-ADJ-02.
    """
    if act.account not in named:
        code, got = VenueRefusal.ADJUSTMENT_ACCOUNT_UNKNOWN, repr(act.account)
        return refused(code, WHERE, "an account that adjusts the market", got)
    if (refusal := _account_refusal(act.account, accounts, traded)) is not None:
        return refusal
    if act.adjustment != count + 1:
        return not_next(WHERE, count + 1, act.adjustment)
    terms = VenueRefusal.ADJUSTMENT_TERMS
    if act.kind == "release" and act.method == "bidding":
        expected = "a fixed price, by listed or block"
        return refused(terms, f"{WHERE}: a release", expected, "bidding")
    if act.method != "bidding" and (act.closes_at or act.reserve_price):
        where = f"{WHERE}: an end or reserve price"
        return refused(terms, where, "of a bidding", f"of {act.method}")
    return _word_refusal(act)


def ending_refusal(adjustments: Sequence[Adjustment], act: control.AdjustmentEnded) -> ActRefusal:
    """Say why an act of market adjustment can't be ended; None if it can.

    Notes
    -----
    Rules: CEA-ADJ-02.
    """
    if act.adjustment > len(adjustments):
        code, expected = VenueRefusal.ADJUSTMENT_UNKNOWN, f"one up to {len(adjustments)}"
        return refused(code, WHERE, expected, act.adjustment)
    found, got = adjustments[act.adjustment - 1], ""
    if not found.target:
        got = f"one that the market refused: {found.reason}"
    elif found.ended is not None:
        got = "one that was ended"
    if got:
        where = f"{WHERE} {act.adjustment}"
        return refused(VenueRefusal.ADJUSTMENT_ENDED, where, "one that goes on", got)
    return _word_refusal(act)


def allocation_refusal(accounts: Container[str], act: control.AllocationNoted) -> ActRefusal:
    """Say why it can't be noted what an account was allocated; None if it can."""
    if act.account not in accounts:
        return account_unknown("allocation", act.account)
    return _word_refusal(act)


def _account_refusal(
    account: str, accounts: Mapping[str, int], traded: Iterable[int]
) -> ActRefusal:
    if accounts[account] in {*traded}:
        expected = "an account nobody trades by alone"
        return refused(VenueRefusal.ACCOUNT_TRADED, WHERE, expected, repr(account))
    return None


def _word_refusal(act: control.ActOfTwo) -> ActRefusal:
    return reason_refusal(WHERE, act) or persons_refusal(WHERE, act)


def bidding_name(number: int) -> str:
    """Return the name of the bidding that an act announces."""
    return f"{PREFIX}{number}"


def acted(
    core: Any,
    account_index: int,
    product_index: int,
    window: BiddingState,
    act: control.MarketAdjusted,
) -> tuple[np.ndarray, Adjustment]:
    """Let the market have what an act asks for; return its events, and what is kept of it.

    Parameters
    ----------
    window
        How the window of a bidding stands.

    Notes
    -----
    Rules: CEA-ADJ-02.
    """
    side = Side.BUY if act.kind == "purchase" else Side.SELL
    if act.method == "bidding":
        events = core.bidding_open(
            name_key(bidding_name(act.adjustment)),
            account_index,
            product_index,
            side=side,
            tonnes=act.tonnes,
            limit=act.price,
            pricing=Pricing.UNIFORM,
            closes_at=act.closes_at,
            window=window,
            reserve_price=act.reserve_price,
        )
    else:
        is_block = act.method == "block"
        flags = OrderFlag.POST_ONLY if act.kind == "release" and not is_block else BlockFlag(0)
        events = _entered(
            core,
            account_index,
            kind=CommandKind.BLOCK_OFFER if is_block else CommandKind.ENTER,
            side=side,
            tif=0 if is_block else Tif.DAY,
            flags=int(flags),
            product_index=product_index,
            price=act.price,
            tonnes=act.tonnes,
        )
    first = events[0]
    is_taken = EventKind(int(first["kind"])) in _TAKEN
    target = int(first["order_id"]) if is_taken else 0
    reason = "" if is_taken else Reason(int(first["reason"])).name
    return events, Adjustment(act, target, reason)


def ended(core: Any, account_index: int, adjustment: Adjustment) -> np.ndarray:
    """Take off what is open of an act; return the market's events, its refusal among them.

    Notes
    -----
    Rules: CEA-ADJ-02.
    """
    if adjustment.acted.method == "bidding":
        return np.asarray(core.bidding_cancel(adjustment.target))
    is_block = adjustment.acted.method == "block"
    return _entered(
        core,
        account_index,
        kind=CommandKind.BLOCK_WITHDRAW if is_block else CommandKind.CANCEL,
        order_id=adjustment.target,
    )


def shown(adjustments: Sequence[Adjustment]) -> list[dict[str, Any]]:
    """Return the acts as operators and regulators see them, oldest first."""
    return [
        {
            "adjustment": each.acted.adjustment,
            "kind": each.acted.kind,
            "method": each.acted.method,
            "account": each.acted.account,
            "product": each.acted.product,
            "tonnes": each.acted.tonnes,
            "price": each.acted.price,
            "trigger": each.acted.trigger,
            "acted_at_ns": each.acted.at_ns,
            "by": each.acted.by,
            "second": each.acted.second,
            "why": each.acted.why,
            "target": each.target,
            "reason": each.reason,
            "ended_at_ns": each.ended.at_ns if each.ended else 0,
            "ended_by": each.ended.by if each.ended else "",
            "ended_why": each.ended.why if each.ended else "",
        }
        for each in adjustments
    ]


def _entered(core: Any, account_index: int, **fields: int) -> np.ndarray:
    """Let an account's first operator send one command; return all that comes of it."""
    command = np.zeros(1, COMMAND_DTYPE)
    command["account_index"] = account_index
    command["client_order_id"] = core.last_client_order_id(account_index, 0) + 1
    for name, value in fields.items():
        command[name] = value
    rows = np.zeros(64, EVENT_DTYPE)
    consumed, produced = core.process(command, rows)
    if not consumed:
        rows = np.zeros(core.rows_needed, EVENT_DTYPE)
        consumed, produced = core.process(command, rows)
    return rows[:produced]
