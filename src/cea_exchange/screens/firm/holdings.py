"""What an account holds, by product and by where it is."""

from collections.abc import Iterable
from typing import Any, NamedTuple

CASH = "CNY"
FROZEN = ("judicial", "supervisory")


class Holding(NamedTuple):
    """Tonnes of a product, or fen of cash.

    Attributes
    ----------
    free
        On the registration account, or the bank's sub-account.
    trading, transit
        At the venue, and on the way there.
    applied, frozen, banking
        Set aside for applications; frozen; on its way out through the bank.
    """

    product: str
    free: int = 0
    trading: int = 0
    transit: int = 0
    applied: int = 0
    frozen: int = 0
    banking: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self[1:])


def holdings_of(balances: Iterable[dict[str, Any]]) -> dict[str, Holding]:
    """Return product -> what is held of it, as the registry's balances say; cash among them."""
    found: dict[str, Holding] = {CASH: Holding(CASH)}
    for each in balances:
        product, place = each["product"], each["compartment"]
        name = {"registration": "free"} | dict.fromkeys(FROZEN, "frozen")
        held = found.get(product, Holding(product))
        field = name.get(place, place)
        found[product] = held._replace(**{field: getattr(held, field) + each["amount"]})
    return found
