"""Three schemes of abuse, committed on purpose by firms of a nation, so that they can be found.

    a spoofer    bids large just below the best price, sells little into it, and takes the bid away
    a pair       enters opposite orders of one price and size at once, day after day
    a washer     and a firm that it controls trade with each other, to and fro

They begin when a third of the year is over, and go on as long as the market takes their orders.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cea_exchange.year.firms.firm import Day, Firm, Order, Product, Side

ROLES = ("spoofer", "matcher", "matched", "washer", "washed")
ROLE = "abuser"
"""Of a firm's memory: which of `ROLES` it has, from 1; no others remember one."""
CASH_FEN = 600_000_000
BID_TONNES = 30_000
SOLD_TONNES = 100
EPISODES = 4
EPISODE_S = 400
HELD_S = 20
MATCHED_TONNES = 400
WASH_TONNES, WASH_TRADES = 300, 6


class TradingSeat(Protocol):
    """How an abuser acts in the market, while everybody else waits."""

    def enter(self, order: Order) -> None: ...
    def orders_of(self, firm: Firm) -> Sequence[int]: ...
    def cancel(self, firm: Firm, order_id: int) -> None: ...
    def wait(self, seconds: int) -> None: ...
    def best_bid(self, firm: Firm, product: Product) -> int: ...


class Scheme(NamedTuple):
    """What some firms do together, and under which pattern it is to be found."""

    pattern: str
    firms: tuple[Firm, ...]


def schemes(firms: Sequence[Firm]) -> tuple[Scheme, ...]:
    """Return the schemes of a nation; none where nobody was chosen."""
    chosen = {firm.memory[ROLE]: firm for firm in firms if ROLE in firm.memory}
    if len(chosen) < len(ROLES):
        return ()
    spoofer, *others = (chosen[number] for number in range(1, len(ROLES) + 1))
    return (
        Scheme("spoofing", (spoofer,)),
        Scheme("matched_orders", tuple(others[:2])),
        Scheme("wash_group", tuple(others[2:])),
    )


def chosen(firms: Sequence[Firm]) -> None:
    """Let those firms of no group that have most be the abusers.

    Raises
    ------
    ValueError
        There are too few firms.
    """
    alone = sorted((f for f in firms if not f.group), key=lambda firm: (-firm.held, firm.index))
    if len(alone) < len(ROLES):
        raise ValueError(f"abusers: expected {len(ROLES)} firms of no group, got {len(alone)}")
    for number, firm in enumerate(alone[: len(ROLES)], start=1):
        firm.memory[ROLE] = number


def has_begun(day: Day) -> bool:
    """Tell whether schemes are under way on a day; on the last they are over."""
    return 0 < day.days_left < day.days * 2 // 3


def in_the_morning(day: Day, firms: Sequence[Firm], seat: TradingSeat) -> None:
    """Let the pair and the washer act, before others enter anything."""
    found = schemes(firms)
    if not found or not has_begun(day):
        return
    for scheme, tonnes, times in (
        (found[1], MATCHED_TONNES, 1),
        (found[2], WASH_TONNES, WASH_TRADES),
    ):
        one, other = scheme.firms
        seller, buyer = (one, other) if day.days_left % 2 else (other, one)
        if (product := _held(day, seller, tonnes * times)) is None:
            seller, buyer = buyer, seller
            product = _held(day, seller, tonnes * times)
        if product is None:
            continue
        for _ in range(times):
            sides: tuple[tuple[Firm, Side], ...] = (seller, "sell"), (buyer, "buy")
            for firm, side in sides:
                seat.enter(Order(firm, side, product, product.centre, tonnes))
            seat.wait(60)


def in_the_afternoon(day: Day, firms: Sequence[Firm], seat: TradingSeat) -> None:
    """Let the spoofer act, against what others bid."""
    found = schemes(firms)
    if not found or not has_begun(day):
        return
    (spoofer,) = found[0].firms
    product = _held(day, spoofer, SOLD_TONNES * EPISODES)
    if product is None:
        return
    for _ in range(EPISODES):
        best = seat.best_bid(spoofer, product)
        if best <= product.low:
            return
        before = set(seat.orders_of(spoofer))
        seat.enter(Order(spoofer, "buy", product, best - 1, BID_TONNES))
        seat.wait(HELD_S)
        seat.enter(Order(spoofer, "sell", product, best, SOLD_TONNES))
        seat.wait(HELD_S)
        for order_id in seat.orders_of(spoofer):
            if order_id not in before:
                seat.cancel(spoofer, order_id)
        seat.wait(EPISODE_S)


def cash_wanted(firm: Firm) -> int:
    """Return the fen that a firm needs for its scheme."""
    return CASH_FEN if ROLE in firm.memory else 0


def _held(day: Day, firm: Firm, tonnes: int) -> Product | None:
    """Return a product of which a firm has so much at the venue."""
    for product in day.products:
        if firm.at_venue.get(product.name, 0) >= tonnes:
            return product
    return None
