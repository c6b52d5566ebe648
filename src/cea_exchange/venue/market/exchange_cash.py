"""Cash that the exchange settles itself: how it comes and goes where no registry keeps it.

Under `settlement_agent = "exchange"` the market's accounts are the cash's only record. The registry
sends tonnes alone; an operator books what the exchange's bank took in or paid out, once by the
bank's reference, and another agrees.
"""

from collections.abc import Container
from typing import Any

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import PRODUCT_NONE, Phase
from cea_exchange.protocol import control

CASH_PHASES = (Phase.LISTED, Phase.BREAK, Phase.LISTED_AND_BLOCK)
"""From the first session of a day to the end of its last."""

Booking = control.CashPaidIn | control.CashPaidOut


def settles_here(profile: Profile) -> bool:
    """Return whether the exchange settles the cash of a market.

    Notes
    -----
    Rules: CCER-STL-01.
    """
    return profile.rules.settlement_agent == "exchange"


def feed_refusal(profile: Profile, command: control.FeedCommand) -> str | None:
    """Say why the registry may not send this; None if it may.

    Notes
    -----
    Rules: CCER-STL-01.
    """
    moves = (control.TransferIn, control.TransferOut, control.Seizure)
    if isinstance(command, moves) and command.product is None and settles_here(profile):
        return "expected tonnes of a product, came cash, which the exchange settles"
    return None


def booking_refusal(
    profile: Profile,
    phase: int,
    accounts: Container[str],
    references: Container[str],
    booking: Booking,
) -> str | None:
    """Say why cash may not be booked in a phase; None if it may.

    Parameters
    ----------
    accounts, references
        The accounts that are declared, and the bank's references that were booked before.

    Notes
    -----
    Rules: CCER-STL-01 (where), CCER-CSH-01 (when, once, by two).
    """
    if not settles_here(profile):
        return "cash: the registry settles it"
    if not booking.by or not booking.second or booking.by == booking.second:
        return f"cash: two persons must agree to it, were {booking.by!r} and {booking.second!r}"
    if booking.account not in accounts:
        return f"cash of account {booking.account!r}, which is not declared"
    if booking.reference in references:
        return f"cash: the bank's reference {booking.reference!r} was booked before"
    if phase not in CASH_PHASES:
        return f"cash: expected the hours of trading, came phase {Phase(phase).name.lower()}"
    return None


def booked(core: Any, account_index: int, references: set[str], booking: Booking) -> np.ndarray:
    """Bring cash into an account, or take it out; the market says where it can't.

    Notes
    -----
    Rules: CCER-CSH-01, CEA-FND-05, CEA-FND-07.
    """
    references.add(booking.reference)
    act = core.withdraw if isinstance(booking, control.CashPaidOut) else core.deposit
    events: np.ndarray = act(account_index, PRODUCT_NONE, booking.amount)
    return events


def free_and_locked(account: dict[str, Any], asset: int) -> tuple[int, int]:
    """Return what of an account may leave today, and what its orders have locked."""
    if asset == PRODUCT_NONE:
        locked = account["cash_locked"]
        return account["cash"] - locked - account["proceeds_today"], locked
    tonnes, locked, bought_today = account["holdings"].get(asset, (0, 0, 0))
    return tonnes - locked - bought_today, locked
