"""Checks an order before it is sent, by the market's rules, as far as the page can know.

The venue decides; this only spares the way. What is not seen here (a measure against the account,
the market's room, another's order that comes in between) it says then. The first reason that
applies is given, in the venue's own order (CEA-ORD-10).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cea_exchange.client import Level
from cea_exchange.domain.documents.statement import Position
from cea_exchange.domain.profile import MarketRules
from cea_exchange.domain.records import Method, Reason, Side
from cea_exchange.domain.units import AMOUNT_FEN_LIMIT, PRICE_FEN_MAX
from cea_exchange.screens.trader.account_day import OTHER_SIDE, OwnOrder

LISTED_PHASES = ("listed", "listed_and_block")


class Terms(NamedTuple):
    """An order as it stands on the ticket.

    Attributes
    ----------
    pick
        The order that it takes; 0 is none.
    replaced
        The order that it amends; None is none.
    """

    product: str
    side: str
    price: int
    tonnes: int
    tif: str = "day"
    post_only: bool = False
    pick: int = 0
    replaced: OwnOrder | None = None


class Seen(NamedTuple):
    """What is known of market and account while somebody fills in a ticket.

    Attributes
    ----------
    band
        Lowest and highest price of the day's listed trading, fen.
    opposite
        Levels of the other side, best first; None while the book is not exactly known.
    own_orders
        The account's open ones.
    """

    phase: str
    is_halted: bool
    is_listed: bool
    band: tuple[int, int]
    opposite: Sequence[Level] | None
    position: Position
    own_orders: Sequence[OwnOrder]
    rules: MarketRules


def refusal(terms: Terms, seen: Seen) -> Reason:
    """Return the first reason against an order; `NONE` where none is seen.

    Notes
    -----
    Rules: CEA-ORD-02, CEA-ORD-04, CEA-ORD-06, CEA-ORD-09, CEA-ORD-10, CEA-LST-01, CEA-LST-02,
    CEA-LST-06, CEA-LST-07, CEA-DAY-05.
    """
    rules = seen.rules
    if not seen.is_listed:
        return Reason.PRODUCT_UNKNOWN
    if seen.phase not in LISTED_PHASES:
        return Reason.PHASE_CLOSED
    if seen.is_halted:
        return Reason.PRODUCT_HALTED
    if terms.tonnes <= 0:
        return Reason.TONNES_NOT_POSITIVE
    if terms.price > PRICE_FEN_MAX or terms.price * terms.tonnes >= AMOUNT_FEN_LIMIT:
        return Reason.AMOUNT_TOO_LARGE
    if 0 < rules.listed_tonnes_most < terms.tonnes:
        return Reason.LISTED_TONNES_TOO_LARGE
    if not seen.band[0] <= terms.price <= seen.band[1]:
        return Reason.PRICE_OUT_OF_BAND
    return _cover_refusal(terms, seen) or _meeting_refusal(terms, seen)


def cash_needed(terms: Terms, rules: MarketRules) -> int:
    """Return what a purchase locks: price x tonnes, and the fee (CEA-FND-03, CEA-FEE-01)."""
    amount = terms.price * terms.tonnes
    basis_points = rules.fee_bp_of(Method.LISTED, Side.BUY)
    return amount + max(rules.fee_min_fen, -(-amount * basis_points // 10_000))


def _cover_refusal(terms: Terms, seen: Seen) -> Reason:
    """Return what the account lacks.

    Notes
    -----
    Rules: CEA-FND-02, CEA-FND-03, CEA-FND-04, CEA-FND-06.
    """
    if not seen.rules.holdings_checked:
        return Reason.NONE
    replaced = terms.replaced
    held = seen.position.holding(terms.product)
    if terms.side == "buy":
        bid = _tonnes_bid((each for each in seen.own_orders if each != replaced), terms)
        limit = seen.rules.holding_limit_tonnes
        if limit and held.tonnes + bid + terms.tonnes > limit:
            return Reason.HOLDING_LIMIT
        freed = 0
        if replaced is not None:
            freed = cash_needed(
                terms._replace(price=replaced.price, tonnes=replaced.tonnes_open), seen.rules
            )
        if cash_needed(terms, seen.rules) > seen.position.cash_available + freed:
            return Reason.CASH_INSUFFICIENT
        return Reason.NONE
    free = held.tonnes - held.locked + (replaced.tonnes_open if replaced else 0)
    if terms.tonnes > free:
        return Reason.ALLOWANCES_INSUFFICIENT
    if terms.tonnes > free - held.bought_today:
        return Reason.ALLOWANCES_BOUGHT_TODAY
    return Reason.NONE


def _tonnes_bid(orders: Iterable[OwnOrder], terms: Terms) -> int:
    return sum(
        order.tonnes_open
        for order in orders
        if order.product == terms.product and order.side == "buy"
    )


def _meeting_refusal(terms: Terms, seen: Seen) -> Reason:
    """Return what stands against what the order would meet."""
    if seen.opposite is None:
        return Reason.NONE
    own = {
        order.order_id
        for order in seen.own_orders
        if order.product == terms.product and order.side == OTHER_SIDE[terms.side]
    }
    if terms.pick:
        return _pick_refusal(terms, seen.opposite, own)
    reached = [level for level in seen.opposite if _crosses(terms, level.price)]
    left, met = terms.tonnes, 0
    for level in reached:
        for order_id, tonnes in level.orders:
            if left <= 0:
                break
            if order_id in own and seen.rules.self_trade == "reject":
                return Reason.SELF_TRADE
            left -= tonnes
            met += 1
    if met and terms.post_only:
        return Reason.POST_ONLY_WOULD_TRADE
    if left > 0 and terms.tif == "fok":
        return Reason.FOK_NOT_FILLABLE
    return Reason.NONE


def _pick_refusal(terms: Terms, opposite: Sequence[Level], own: set[int]) -> Reason:
    best = opposite[0] if opposite else None
    ids = {order_id for order_id, _ in best.orders} if best else set()
    if best is None or terms.pick not in ids or terms.pick in own:
        return Reason.PICK_NOT_AVAILABLE
    return Reason.NONE if _crosses(terms, best.price) else Reason.PICK_NOT_AVAILABLE


def _crosses(terms: Terms, price: int) -> bool:
    return price <= terms.price if terms.side == "buy" else price >= terms.price
