"""Cash that the exchange settles itself: how it comes and goes where no registry keeps it.

Under `settlement_agent = "exchange"` the market's accounts are the cash's only record. The registry
sends tonnes alone; an operator books what the exchange's bank took in or paid out, once by the
bank's reference, and another agrees.
"""

from collections.abc import Container
from typing import Any

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EVENT_DTYPE, PRODUCT_NONE, EventKind, Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.market.cash_book import Payment
from cea_exchange.venue.refusals import (
    ActRefusal,
    account_unknown,
    persons_refusal,
    reason_refusal,
    refused,
)

CASH_PHASES = (Phase.LISTED, Phase.BREAK, Phase.LISTED_AND_BLOCK)
"""From the first session of a day to the end of its last."""

Booking = control.CashPaidIn | control.CashPaidOut

_NOTHING = np.zeros(0, EVENT_DTYPE)


def settles_here(profile: Profile) -> bool:
    """Return whether the exchange settles the cash of a market.

    Notes
    -----
    Rules: CCER-STL-01.
    """
    return profile.rules.settlement_agent == "exchange"


def feed_refusal(profile: Profile, command: control.FeedCommand) -> ActRefusal:
    """Say why the registry may not send this; None if it may.

    Notes
    -----
    Rules: CCER-STL-01.
    """
    moves = (control.TransferIn, control.TransferOut, control.Seizure)
    if isinstance(command, moves) and command.product is None and settles_here(profile):
        expected, got = "tonnes of a product", "cash, which the exchange settles"
        return refused(VenueRefusal.CASH_SETTLED_HERE, "transfer", expected, got)
    return None


def booking_refusal(
    profile: Profile,
    phase: int,
    accounts: Container[str],
    references: Container[str],
    booking: Booking,
) -> ActRefusal:
    """Say why cash may not be booked in a phase; None if it may.

    Parameters
    ----------
    accounts, references
        The accounts that are declared, and the bank's references that were booked before.

    Notes
    -----
    Rules: CCER-STL-01 (where), CCER-CSH-01 (when, once, by two).
    """
    if (refusal := _agent_refusal(profile) or persons_refusal("cash", booking)) is not None:
        return refusal
    if booking.account not in accounts:
        return account_unknown("cash", booking.account)
    if booking.reference in references:
        got = f"{booking.reference!r}, booked before"
        return refused(VenueRefusal.CASH_BOOKED, "cash", "a new reference", got)
    if phase not in CASH_PHASES:
        got = f"phase {Phase(phase).name.lower()}"
        return refused(VenueRefusal.CASH_HOURS, "cash", "the hours of trading", got)
    return None


def correction_refusal(
    profile: Profile,
    accounts: Container[str],
    differing: Container[str],
    act: control.CashCorrected,
) -> ActRefusal:
    """Say why an account's cash may not be corrected; None if it may.

    Parameters
    ----------
    accounts, differing
        The accounts that are declared, and those whose records do not agree.

    Notes
    -----
    Rules: CCER-STL-03 (where, by two, with a reason).
    """
    if (refusal := _agent_refusal(profile) or persons_refusal("cash", act)) is not None:
        return refusal
    if (missing := reason_refusal("cash", act)) is not None:
        return missing
    if act.account not in accounts:
        return account_unknown("cash", act.account)
    if act.account not in differing:
        where, expected = f"cash of account {act.account!r}", "records that differ"
        return refused(VenueRefusal.CASH_AGREES, where, expected, "some that agree")
    return None


def _agent_refusal(profile: Profile) -> ActRefusal:
    if not settles_here(profile):
        expected = "a market whose cash the exchange settles"
        return refused(VenueRefusal.CASH_NOT_SETTLED_HERE, "cash", expected, "the registry's")
    return None


def corrected(core: Any, account_index: int, cash: int) -> np.ndarray:
    """Let an account have so much cash in the market, which says where it can't.

    Notes
    -----
    Rules: CCER-STL-03.
    """
    more = cash - int(core.account(account_index)["cash"])
    if not more:
        return _NOTHING
    act = core.deposit if more > 0 else core.withdraw
    events: np.ndarray = act(account_index, PRODUCT_NONE, abs(more))
    return events


def booked(
    core: Any, account_index: int, payments: dict[str, Payment], booking: Booking
) -> np.ndarray:
    """Bring cash into an account, or take it out; the market says where it can't.

    A payment that moves nothing keeps its reference.

    Notes
    -----
    Rules: CCER-CSH-01, CEA-FND-05, CEA-FND-07.
    """
    is_out = isinstance(booking, control.CashPaidOut)
    act = core.withdraw if is_out else core.deposit
    events: np.ndarray = act(account_index, PRODUCT_NONE, booking.amount)
    moved = 0 if events[0]["kind"] == EventKind.TRANSFER_REJECTED else booking.amount
    payments[booking.reference] = booking.account, -moved if is_out else moved
    return events
