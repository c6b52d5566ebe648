"""Abuse planted among a street's honest days, at three sizes and three speeds, by other code.

The corpus's abusers share none of this. A size is how much is done: small is a little more than the
rule calls abuse. A speed is how soon its parts follow each other.
"""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from bench.surveillance.street import PRODUCT, QUIET, Street
from cea_exchange.supervision.corpus.scene import BUY, DAY_S, OTHER, SELL, SESSION_S
from cea_exchange.supervision.patterns.context import NO_FACTS, Facts
from cea_exchange.supervision.tape import Tape

SIZES = ("small", "medium", "large")
SPEEDS = ("slow", "medium", "fast")
MEAN_DAY_TONNES = 30_000
"""What a street's day trades on the book, about."""
BEFORE_DEADLINE = date(2025, 11, 21)


class Grade(NamedTuple):
    """How much is done, and how fast: indexes of `SIZES` and `SPEEDS`."""

    size: int
    speed: int

    def by_size(self, *values: float) -> float:
        """Return the value of this size."""
        return values[self.size]

    def by_speed(self, *values: float) -> float:
        """Return the value of this speed."""
        return values[self.speed]


class Scheme(NamedTuple):
    """Days with a scheme in them, and who carried it out."""

    accounts: tuple[str, ...]
    facts: Facts
    tape: Tape


Plant = Callable[[Street, Grade], tuple[tuple[str, ...], Facts]]


def scheme_made(pattern: str, grade: Grade, seed: int) -> Scheme:
    """Return a street's days in which one pattern is committed."""
    place = list(SCHEMES).index(pattern)
    street = Street(
        7_000_000 + (seed * 100 + place) * 9 + grade.size * 3 + grade.speed,
        DAYS.get(pattern, 1),
        drift_per_mille=14.0 if pattern == "corner" else 0.0,
        first_day=BEFORE_DEADLINE if pattern == "corner" else date(2025, 9, 8),
        tonnes=300_000 if pattern == "corner" else 4_000_000,
    )
    accounts, facts = SCHEMES[pattern](street, grade)
    street.scene.run()
    return Scheme(accounts, facts, street.scene.tape())


def _start(street: Street, lasts_s: float) -> float:
    """Return when something that lasts so long begins: after a quarter of an hour of trading."""
    return street.random.uniform(900, max(DAY_S - lasts_s - 900, 901))


def wash_group(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Two accounts of a group trade with each other six times."""
    one, other = street.newcomer("GW"), street.newcomer("GW")
    tonnes = round(grade.by_size(0.06, 0.15, 0.4) * MEAN_DAY_TONNES / 6)
    apart = grade.by_speed(1_500, 200, 8)
    start = _start(street, 5 * apart)
    for number in range(6):
        seller, buyer = (one, other) if number % 3 else (other, one)
        street.scene.at(
            0, start + number * apart, lambda s=seller, b=buyer: _pass(street, s, b, tonnes)
        )
    return (one, other), NO_FACTS


def _pass(street: Street, seller: str, buyer: str, tonnes: int) -> None:
    """Trade at the best offer; the buyer names the seller's order."""
    scene = street.scene
    scene.pass_to(PRODUCT, seller, buyer, scene.best(PRODUCT, SELL), tonnes)


def wash_ring(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Three or four accounts pass the same tonnes round."""
    size = street.random.choice((3, 4))
    members = street.random.sample(street.firms, size)
    share = grade.by_size(0.16, 0.3, 0.6)
    leg = round(MEAN_DAY_TONNES * share / (1 - share) / size)
    apart = grade.by_speed(2_500, 400, 15)
    start = _start(street, size * apart)
    for number, seller in enumerate(members):
        buyer = members[(number + 1) % size]
        street.scene.at(
            0, start + number * apart, lambda s=seller, b=buyer: _pass(street, s, b, leg)
        )
    return tuple(members), NO_FACTS


def matched_orders(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Two firms that trade otherwise too enter orders for each other, within a few seconds."""
    one, other = street.random.sample(street.firms, 2)
    times = round(grade.by_size(3, 5, 8))
    tonnes = round(grade.by_size(150, 600, 2_000))
    slow = grade.speed == 0
    apart = grade.by_speed(0, 900, 20)
    start = _start(street, times * apart)
    for number in range(times):
        day = number % 3 if slow else 0
        at = start + (number // 3 * 300 if slow else number * apart)

        def meet() -> None:
            scene = street.scene
            price = scene.best(PRODUCT, SELL)
            order = scene.enter(one, PRODUCT, SELL, price, tonnes)
            wait = street.random.uniform(0.2, 4.5)
            scene.after(wait, lambda: scene.enter(other, PRODUCT, BUY, price, tonnes, pick=order))

        street.scene.at(day, at, meet)
    return (one, other), NO_FACTS


def spoofing(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """One large order shown, a trade on the other side, and the order withdrawn; four rounds."""
    account = street.newcomer()
    side = street.random.choice((BUY, SELL))
    fill = 900
    large = round(fill * grade.by_size(12, 17, 30))
    apart = grade.by_speed(620, 240, 60)
    start = _start(street, 4 * apart)
    for number in range(4):
        street.scene.at(
            0, start + number * apart, lambda: _round(street, account, side, fill, [large])
        )
    return (account,), NO_FACTS


def _round(street: Street, account: str, side: str, fill: int, shown: list[int]) -> None:
    """Show orders behind the best price, sell (or buy) to a friend of the market, withdraw."""
    scene, sign = street.scene, -1 if side == BUY else 1
    prices = [price for price, _ in scene.levels(PRODUCT, side)[1 : 1 + len(shown)]]
    while len(prices) < len(shown):
        prices.append((prices[-1] if prices else scene.best(PRODUCT, side)) + sign * 3)
    orders = [
        scene.enter(account, PRODUCT, side, price, tonnes)
        for price, tonnes in zip(prices, shown, strict=True)
    ]
    lured = street.random.choice(street.firms)

    def trade() -> None:
        price = scene.best(PRODUCT, side) - sign
        mine = scene.enter(account, PRODUCT, OTHER[side], price, fill)
        scene.enter(lured, PRODUCT, side, price, fill, pick=mine)

    def withdraw() -> None:
        for order in orders:
            scene.cancel(account, order)

    scene.after(12, trade)
    scene.after(25, withdraw)


def layering(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Orders on three levels instead of one; five rounds."""
    account = street.newcomer()
    side = street.random.choice((BUY, SELL))
    share = grade.by_size(0.42, 0.55, 0.75)
    apart = grade.by_speed(620, 240, 60)
    start = _start(street, 5 * apart)

    def act() -> None:
        there = sum(tonnes for _, tonnes in street.scene.levels(PRODUCT, side)) or 1_000
        each = round(there * share / (1 - share) / 3) + 1
        _round(street, account, side, max(each // 4, 10), [each] * 3)

    for number in range(5):
        street.scene.at(0, start + number * apart, act)
    return (account,), NO_FACTS


def limit_queue(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Orders in the queue at the upper limit that are withdrawn."""
    account, crowd = street.newcomer(), street.random.sample(street.firms, 30)
    scene = street.scene
    share = grade.by_size(0.4, 0.55, 0.7)
    times = round(grade.by_size(2, 3, 4))
    rests = grade.by_speed(900, 500, 320)

    def rush() -> None:
        street.value = scene.reference(PRODUCT) * 1.2
        _, high = scene.band(PRODUCT)
        for buyer in crowd:
            scene.enter(buyer, PRODUCT, BUY, high, 7_000)

    def queue() -> None:
        _, high = scene.band(PRODUCT)
        there = dict(scene.levels(PRODUCT, BUY)).get(high, 10_000)
        left = round(there * share / (1 - share))
        while left > 0:
            order = scene.enter(account, PRODUCT, BUY, high, min(left, 90_000))
            left -= 90_000
            scene.after(rests, lambda o=order: scene.cancel(account, o))

    scene.at(0, 600, rush)
    for number in range(times):
        scene.at(0, 1_500 + number * (rests + 60), queue)
    return (account,), NO_FACTS


def dense_entry(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Orders that live for less than a second."""
    account = street.newcomer()
    count = round(grade.by_size(540, 800, 1_300))
    apart = grade.by_speed(9, 3, 0.5)
    start = _start(street, count * apart)
    scene = street.scene

    def flash() -> None:
        order = scene.enter(account, PRODUCT, BUY, scene.best(PRODUCT, BUY) - 40, 20)
        scene.after(0.3, lambda: scene.cancel(account, order))

    for number in range(count):
        scene.at(0, start + number * apart, flash)
    return (account,), NO_FACTS


def ramping(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Push the price level by level, then trade most of it the other way."""
    account = street.newcomer()
    scene = street.scene
    side = street.random.choice((BUY, SELL))
    sign = 1 if side == BUY else -1
    move = grade.by_size(0.013, 0.024, 0.045)
    steps = 8
    lasts = grade.by_speed(160, 70, 12)
    backs = grade.by_speed(1_500, 500, 90)
    start = street.random.uniform(900, SESSION_S - 2_000) + street.random.choice((0, SESSION_S))
    base: list[int] = []

    def push(step: int) -> None:
        if not base:
            base.append(scene.best(PRODUCT, OTHER[side]))
        goal = round(base[0] * (1 + sign * move * (step + 1) / steps))
        _sweep(street, account, side, goal)
        # A helper's offer makes sure that there is a trade at the goal.
        if step == steps - 1:
            helper = street.random.choice(street.firms)
            order = scene.enter(helper, PRODUCT, OTHER[side], goal, 200)
            scene.enter(account, PRODUCT, side, goal, 200, pick=order)

    def back() -> None:
        price = scene.best(PRODUCT, side)
        lured = street.random.choice(street.firms)
        order = scene.enter(lured, PRODUCT, side, price, 900)
        scene.enter(account, PRODUCT, OTHER[side], price, 900, pick=order)

    for step in range(steps):
        scene.at(0, start + lasts * step / steps, lambda s=step: push(s))
    for number in range(12):
        scene.at(0, start + lasts + 5 + backs * number / 12, back)
    return (account,), NO_FACTS


def _sweep(street: Street, account: str, side: str, goal: int) -> None:
    """Take all that stands up to a price; an order takes the best five levels at most."""
    scene, sign = street.scene, 1 if side == BUY else -1
    for _ in range(60):
        stands = [t for p, t in scene.levels(PRODUCT, OTHER[side]) if (goal - p) * sign >= 0]
        if not stands:
            return
        scene.enter(account, PRODUCT, side, goal, sum(stands), tif="ioc")


def marking_close(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Buy, or sell, through the book in the last minutes."""
    account = street.newcomer()
    scene = street.scene
    side = street.random.choice((BUY, SELL))
    sign = 1 if side == BUY else -1
    move = grade.by_size(0.012, 0.025, 0.05)
    share = grade.by_size(0.04, 0.1, 0.25)
    lasts = grade.by_speed(270, 100, 12)
    base: list[int] = []

    def act(step: int) -> None:
        if not base:
            base.append(scene.best(PRODUCT, OTHER[side]))
        goal = round(base[0] * (1 + sign * move * (step + 1) / 6))
        _sweep(street, account, side, goal)
        friend = street.random.choice(street.firms)
        order = scene.enter(friend, PRODUCT, OTHER[side], goal, round(MEAN_DAY_TONNES * share / 6))
        wanted = round(MEAN_DAY_TONNES * share / 6)
        scene.enter(account, PRODUCT, side, goal, wanted, pick=order)

    for step in range(6):
        scene.at(0, DAY_S - 4 - lasts + lasts * step / 6, lambda s=step: act(s))
    return (account,), NO_FACTS


def thin_close(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """The only trades of a product nobody trades, far from its last close."""
    one, other = street.random.sample(street.firms, 2)
    scene = street.scene
    off = grade.by_size(0.055, 0.07, 0.095) * street.random.choice((1, -1))
    count = round(grade.by_speed(3, 2, 1))
    for _ in range(count):
        at = street.random.uniform(100, DAY_S - 50)
        price = round((8_450 - 300) * (1 + off))
        scene.at(0, at, lambda p=price: scene.pass_to(QUIET, one, other, p, 25))
    return (one, other), NO_FACTS


def building(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """One price held with most of a side on three days; renewed each so many minutes."""
    account = street.newcomer()
    scene = street.scene
    share = grade.by_size(0.6, 0.7, 0.85)
    minutes = grade.by_size(80, 100, 110)
    every = grade.by_speed(15, 6, 2)
    price: list[int] = []
    held: list[str] = []

    def hold() -> None:
        while held:
            scene.cancel(account, held.pop())
        if not price:
            price.append(scene.best(PRODUCT, BUY) - 45)
        left = round(scene.side_tonnes(PRODUCT, BUY) * share / (1 - share))
        while left > 0:
            held.append(scene.enter(account, PRODUCT, BUY, price[0], min(left, 90_000)))
            left -= 90_000

    def leave() -> None:
        while held:
            scene.cancel(account, held.pop())

    for day in range(3):
        for step in range(round(minutes / every)):
            scene.at(day, 400 + step * every * 60, hold)
        scene.at(day, 400 + minutes * 60, leave)
    return (account,), NO_FACTS


def corner(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Two accounts of a group gather most of the float before the deadline."""
    one, other = street.newcomer("GC"), street.newcomer("GC")
    scene = street.scene
    street.scene.opening_tonnes = 0
    floating = 3_000_000
    share = grade.by_size(0.6, 0.7, 0.9)
    last = round(grade.by_speed(20, 12, 6))
    held = 2 * 300_000
    blocks = max(round((floating * share - held) / 100_000), 1)
    for number in range(blocks):
        seller = street.firms[number % len(street.firms)]
        at = street.random.uniform(SESSION_S + 100, DAY_S - 100)
        buyer = (one, other)[number % 2]
        scene.at(
            number * last // blocks,
            at,
            lambda s=seller, b=buyer: scene.block(PRODUCT, s, b, scene.best(PRODUCT, BUY), 105_000),
        )
    return (one, other), Facts(float_tonnes={PRODUCT: floating})


def evasion(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Accounts of a group that are over the limit together only."""
    count = round(grade.by_speed(2, 3, 5))
    scene = street.scene
    scene.opening_tonnes = 0
    names = tuple(street.newcomer("GE") for _ in range(count))
    limit = 2_000_000
    goal = limit * grade.by_size(1.03, 1.2, 1.7)
    each = round(goal / count)
    for number, name in enumerate(names):
        seller = street.firms[number]
        at = street.random.uniform(SESSION_S + 100, DAY_S - 100)
        scene.at(
            0,
            at,
            lambda s=seller, b=name: scene.block(PRODUCT, s, b, scene.best(PRODUCT, SELL), each),
        )
    return names, Facts(holding_limit_tonnes=limit)


def front_running(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """A declared associate, or one that nobody declared, trades before a block."""
    declared = street.random.random() < 0.5
    scene = street.scene
    side = street.random.choice((BUY, SELL))
    ahead = street.newcomer("GF" if declared else "")
    party = street.newcomer("GF" if declared else "")
    other = street.random.choice(street.firms)
    tonnes = MEAN_DAY_TONNES * grade.by_size(0.06, 0.15, 0.35)
    lead = grade.by_speed(3_200, 1_200, 90)
    at = street.random.uniform(SESSION_S + 3_300, DAY_S - 1_200)

    def take(way: str) -> None:
        friend = street.random.choice(street.firms)
        price = scene.best(PRODUCT, OTHER[way])
        order = scene.enter(friend, PRODUCT, OTHER[way], price, round(tonnes / 5))
        scene.enter(ahead, PRODUCT, way, price, round(tonnes / 5), pick=order)

    for number in range(5):
        scene.at(1, at - lead * (5 - number) / 5, lambda: take(side))
    pair = (other, party) if side == BUY else (party, other)
    scene.at(1, at, lambda: scene.block(PRODUCT, *pair, round(street.value), 180_000))
    if not declared:
        # What it holds of old is what it sells: T+1 bars only what was bought today.
        for number in range(4):
            scene.at(1, at + 60 + 200 * number, lambda: take(OTHER[side]))
    return (ahead,), NO_FACTS


def bid_ring(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Accounts of one group win most of a bidding."""
    one, other = street.newcomer("GB"), street.newcomer("GB")
    seller, *rivals = street.random.sample(street.firms, 5)
    scene = street.scene
    share = grade.by_size(0.56, 0.7, 0.9)
    total = 200_000
    apart = grade.by_speed(400, 60, 1)

    def price(above: int) -> str:
        fen = scene.reference(PRODUCT) + above
        return f"{fen // 100}.{fen % 100:02}"

    def bid(account: str, above: int, tonnes: int) -> None:
        terms = {"price": price(above), "tonnes": tonnes}
        scene.play(cmd="bid", id=f"b-{account}", bidding="V", account=account, **terms)

    start = street.random.uniform(900, 3_000)
    opening = {"product": PRODUCT, "tonnes": total, "pricing": "uniform"}
    scene.at(
        0,
        start,
        lambda: scene.play(cmd="bidding_open", id="V", account=seller, floor=price(0), **opening),
    )
    scene.at(0, start + 60, lambda: bid(one, 300, round(total * share / 2)))
    scene.at(0, start + 60 + apart, lambda: bid(other, 280, round(total * share / 2)))
    for number, rival in enumerate(rivals):
        left = round(total * (1 - share) / len(rivals))
        at = start + 500 + 37 * number
        scene.at(0, at, lambda r=rival, n=number, t=left: bid(r, 100 + 10 * n, t))
    scene.at(0, start + 1_200, lambda: scene.play(cmd="bidding_close", id="V"))
    return (one, other), NO_FACTS


def reverse_trades(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """Accounts of a group trade to and fro."""
    one, other = street.newcomer("GR"), street.newcomer("GR")
    times = round(grade.by_size(3, 5, 8))
    tonnes = round(grade.by_size(100, 300, 900))
    apart = grade.by_speed(0, 300, 10)
    start = _start(street, times * 2 * apart)
    for number in range(2 * times):
        seller, buyer = (one, other) if number % 2 else (other, one)
        day = number // 2 % 3 if grade.speed == 0 else 0
        at = start + number * (apart or 60)
        street.scene.at(day, at, lambda s=seller, b=buyer: _pass(street, s, b, tonnes))
    return (one, other), NO_FACTS


def off_price(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """A large order far from the latest trade."""
    account = street.newcomer()
    scene = street.scene
    side = street.random.choice((BUY, SELL))
    off = grade.by_size(0.056, 0.07, 0.085) * (-1 if side == BUY else 1)
    tonnes = round(grade.by_size(11_000, 25_000, 80_000))

    def show() -> None:
        # From the latest trade, which the middle of the book is near.
        middle = (scene.best(PRODUCT, BUY) + scene.best(PRODUCT, SELL)) / 2
        order = scene.enter(account, PRODUCT, side, round(middle * (1 + off)), tonnes)
        scene.after(grade.by_speed(3_600, 300, 5), lambda: scene.cancel(account, order))

    scene.at(0, _start(street, 0), show)
    return (account,), NO_FACTS


def block_edge(street: Street, grade: Grade) -> tuple[tuple[str, ...], Facts]:
    """A block far off the mean, and the same pair the other way soon after."""
    one, other = street.random.sample(street.firms, 2)
    scene = street.scene
    off = grade.by_size(0.263, 0.28, 0.295) * street.random.choice((1, -1))
    back = round(grade.by_speed(2, 1, 0))

    def deal() -> None:
        low = scene.reference(PRODUCT) * 0.7001
        high = scene.reference(PRODUCT) * 1.2999
        price = min(max(street.value * (1 + off), low), high)
        scene.block(PRODUCT, one, other, round(price), 120_000)

    scene.at(0, SESSION_S + 600, deal)
    scene.at(back, DAY_S - 2_000, lambda: _pass(street, other, one, 700))
    return (one, other), NO_FACTS


SCHEMES: dict[str, Plant] = {
    each.__name__: each
    for each in (
        *(wash_group, wash_ring, matched_orders, spoofing, layering, limit_queue, dense_entry),
        *(ramping, marking_close, thin_close, building, corner, evasion, front_running),
        *(bid_ring, reverse_trades, off_price, block_edge),
    )
}
"""Who commits each pattern, by its name."""

DAYS = {
    "matched_orders": 3,
    "building": 3,
    "corner": 23,
    "front_running": 2,
    "reverse_trades": 3,
    "block_edge": 3,
}
"""How many days a pattern needs; one if it is not here."""
