"""Applications for biddings as the market's state keeps them, until their day is over."""

from collections.abc import Container, Mapping

from msgspec import Struct

from cea_exchange.protocol import control

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
) -> str | None:
    """Say why an application, or what becomes of one, may not be journaled."""
    match act:
        case control.BiddingApplied(bidding=name):
            if name in applications:
                return f"bidding: expected a new name, got {name!r}, applied for already"
            if act.account not in accounts or act.product not in products:
                given = f"{act.account!r} and {act.product!r}"
                return f"bidding {name!r}: expected a declared account and product, got {given}"
            if act.date <= trading_date:
                return f"bidding {name!r}: expected a day after {trading_date}, got {act.date}"
        case control.BiddingReviewed(bidding=name) | control.BiddingLapsed(bidding=name):
            status = getattr(applications.get(name), "status", "none")
            wanted = ("applied",) if isinstance(act, control.BiddingReviewed) else PENDING
            if status not in wanted:
                return f"bidding {name!r}: expected an application that waits, got {status}"
    return None
