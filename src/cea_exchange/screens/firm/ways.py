"""What is missing for an obligation, and the cost of each way to get it. Whole tonnes and fen."""

from collections.abc import Mapping
from typing import NamedTuple

from cea_exchange.domain.compliance.vintages import VintageRules
from cea_exchange.screens.firm.holdings import Holding


class Need(NamedTuple):
    """What an obligation still needs, all in tonnes.

    Attributes
    ----------
    payable
        Due, and neither applied for nor deducted.
    free
        Of products that may pay, on the registration account: can be surrendered at once.
    trading
        Of those, at the venue: to be transferred out first, if no order needs them.
    missing
        What neither covers.
    ccer_room
        CCERs that still may count.
    """

    payable: int
    free: int
    trading: int
    missing: int
    ccer_room: int


class Way(NamedTuple):
    """One way to cover what is missing.

    Attributes
    ----------
    kind
        `buy`: all allowances; `ccer`: as many CCERs as may count, the rest allowances.
    product
        Which allowances are bought; empty where nothing has a price.
    tonnes, price
        Of allowances, and fen for each.
    ccer_tonnes, ccer_price
        Of CCERs; the price is None while nobody has said it.
    cost
        Fen; None where a price is missing.
    """

    kind: str
    product: str
    tonnes: int
    price: int | None
    ccer_tonnes: int = 0
    ccer_price: int | None = None

    @property
    def cost(self) -> int | None:
        """What it takes, without fees."""
        parts = ((self.tonnes, self.price), (self.ccer_tonnes, self.ccer_price))
        if any(tonnes and price is None for tonnes, price in parts):
            return None
        return sum(tonnes * (price or 0) for tonnes, price in parts)


def may_pay(rules: VintageRules, product: str, year: int, *, in_arrears: bool) -> bool:
    """Tell whether a product can pay for a year's emissions."""
    vintage = rules.of_product(product)
    return vintage is not None and rules.may_pay(vintage, year, in_arrears=in_arrears)


def need_of(
    *, payable: int, offset_max: int, offset: int, paying: Mapping[str, Holding]
) -> Need:
    """Return what an obligation still needs.

    Parameters
    ----------
    payable, offset_max, offset
        As the registry says: what may still be applied for; how many CCERs may count, and do.
    paying
        What is held of products that may pay.
    """
    free = sum(held.free for held in paying.values())
    trading = sum(held.trading + held.transit for held in paying.values())
    missing = max(0, payable - free - trading)
    room = max(0, min(offset_max - offset, payable))
    return Need(payable, free, trading, missing, room)


def ways_of(need: Need, prices: Mapping[str, int], ccer_price: int | None) -> list[Way]:
    """Return the ways to cover what is missing: with the cheapest allowances, and with CCERs.

    Parameters
    ----------
    prices
        Last prices of products that may pay, in fen.
    ccer_price
        What a CCER is thought to cost; None: nobody has said it.
    """
    if not need.missing:
        return []
    product = min(prices, key=lambda name: (prices[name], name), default="")
    price = prices.get(product)
    ways = [Way("buy", product, need.missing, price)]
    ccers = min(need.ccer_room, need.missing)
    if ccers:
        ways.append(Way("ccer", product, need.missing - ccers, price, ccers, ccer_price))
    return ways


def lines_proposed(payable: int, paying: Mapping[str, Holding]) -> dict[str, int]:
    """Return product -> tonnes that a surrender would take: of the oldest vintages first."""
    left, found = payable, {}
    for product, held in sorted(paying.items()):
        found[product] = min(left, held.free)
        left -= found[product]
    return found
