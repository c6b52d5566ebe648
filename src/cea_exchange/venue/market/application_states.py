"""Applications for biddings as the market's state keeps them, until their day is over."""

from collections.abc import Container, Mapping

from msgspec import Struct

from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.venue.refusals import ActRefusal, account_unknown, product_unknown, refused

PENDING = ("applied", "approved")
"""States of an application that a bidding may still come of."""


class Application(Struct, frozen=True):
    """An application for a bidding, and what became of it.

    Attributes
    ----------
    status
        ``applied``, ``approved``, ``announced``, ``refused`` or ``lapsed``.
    why
        Why it was refused, or lapsed.
    """

    terms: control.BiddingApplied
    status: str = "applied"
    why: str = ""


def applications_kept(
    applications: Mapping[str, Application], trading_date: int
) -> dict[str, Application]:
    """Return those that the opening of a day leaves: what is to come, and what still waits."""
    return {
        name: application
        for name, application in applications.items()
        if application.terms.date >= trading_date or application.status in PENDING
    }


def application_refusal(
    applications: Mapping[str, Application],
    accounts: Container[str],
    products: Container[str],
    trading_date: int,
    act: control.Act,
) -> ActRefusal:
    """Say why an application, or what becomes of one, may not be journaled."""
    match act:
        case control.BiddingApplied(bidding=name):
            if name in applications:
                got = f"{name!r}, applied for already"
                return refused(VenueRefusal.BIDDING_TAKEN, "bidding", "a new name", got)
            where = f"bidding {name!r}"
            if act.account not in accounts:
                return account_unknown(where, act.account)
            if act.product not in products:
                return product_unknown(where, act.product)
            if act.date <= trading_date:
                expected = f"a day after {trading_date}"
                return refused(VenueRefusal.DATE_OUT_OF_RANGE, where, expected, act.date)
        case control.BiddingReviewed(bidding=name) | control.BiddingLapsed(bidding=name):
            status = getattr(applications.get(name), "status", "none")
            wanted = ("applied",) if isinstance(act, control.BiddingReviewed) else PENDING
            if status not in wanted:
                where, expected = f"bidding {name!r}", "an application that waits"
                return refused(VenueRefusal.BIDDING_UNKNOWN, where, expected, status)
    return None
