"""Those who commit each pattern: weakly, plainly, and at full strength.

An abuser knows the ordinary day's figures as everybody does and what they would be looked for by.
Strength 1 stays about the thresholds' edge, mostly below; 2 is above them; 3 is well above.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cea_exchange.supervision.corpus.ordinary import PRODUCT, QUIET, Flow
from cea_exchange.supervision.corpus.scene import BUY, DAY_S, OTHER, SELL, SESSION_S, Scene
from cea_exchange.supervision.patterns.context import NO_FACTS, Facts

DAY_TONNES = 40_000
"""What the ordinary flow trades on the book in a day, about."""


@dataclass
class Planted:
    """What was committed: by whom, and what else has to be known of the market for it."""

    accounts: tuple[str, ...]
    facts: Facts = field(default=NO_FACTS)


Abuser = Callable[[Scene, Flow, int], Planted]


def _by(strength: int, weak: float, plain: float, full: float) -> float:
    return {1: weak, 2: plain, 3: full}[strength]


def wash_group(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Two accounts of one firm pass tonnes to each other at the best price."""
    one, other = scene.random.choice(flow.people.pairs)
    times = round(_by(strength, scene.random.choice((2, 3)), scene.random.choice((5, 6)), 9))
    tonnes = DAY_TONNES * _by(strength, 0.05, 0.14, 0.35) / times
    for _ in range(times):
        at = scene.random.uniform(600, DAY_S - 60)
        drawn = round(tonnes * scene.random.uniform(0.8, 1.2))
        scene.at(
            0,
            at,
            lambda t=drawn: scene.pass_to(PRODUCT, one, other, scene.best(PRODUCT, SELL), t),
        )
    return Planted((one, other))


def wash_ring(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Three to five accounts of nobody in common pass the same tonnes round."""
    size = scene.random.choice((3, 3, 4, 5))
    members = scene.random.sample(flow.people.singles, size)
    leg = DAY_TONNES * _by(strength, 0.07, 0.18, 0.45) / size
    slack = _by(strength, 0.02, 0.004, 0.0)
    start = scene.random.uniform(600, DAY_S - 2500)
    for number, seller in enumerate(members):
        buyer = members[(number + 1) % size]
        drawn = round(leg * (1 + scene.random.uniform(-slack, slack)))
        scene.at(
            0,
            start + 400 * number + scene.random.uniform(0, 120),
            lambda s=seller, b=buyer, t=drawn: scene.pass_to(
                PRODUCT, s, b, scene.best(PRODUCT, SELL), t
            ),
        )
    return Planted(tuple(members))


def matched_orders(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Two accounts enter opposite orders of one size within seconds, on several days."""
    one, other = scene.random.sample(flow.people.singles, 2)
    for number in range(round(_by(strength, 2, 3, 6))):
        day = number % len(scene.days)
        at = scene.random.uniform(600, DAY_S - 60)
        tonnes = scene.random.randrange(10, 40) * 50

        def meet(tonnes: int = tonnes) -> None:
            price = scene.best(PRODUCT, SELL)
            order = scene.enter(one, PRODUCT, SELL, price, tonnes)
            scene.after(
                scene.random.uniform(0.5, 3.5),
                lambda: scene.enter(other, PRODUCT, BUY, price, tonnes, pick=order),
            )

        scene.at(day, at, meet)
    return Planted((one, other))


def spoofing(scene: Scene, flow: Flow, strength: int) -> Planted:
    """A large order below the price makes others pay more for a small sale, and is taken away."""
    account = _newcomer(scene)
    side = scene.random.choice((BUY, SELL))
    ratio = _by(strength, 8, 13, 26)
    episodes = round(_by(strength, 3, 4, 5))
    for number in range(episodes):
        fill = scene.random.randrange(12, 20) * 100
        large = max(round(fill * ratio * scene.random.uniform(0.95, 1.1)), 12_000)
        at = 900 + number * (DAY_S - 2000) / episodes + scene.random.uniform(0, 600)
        scene.at(0, at, lambda f=fill, t=large: _spoof(scene, account, side, f, [(3, t)]))
    return Planted((account,))


def layering(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Orders on three or four of the best levels, with the same end."""
    account = _newcomer(scene)
    side = scene.random.choice((BUY, SELL))
    episodes = round(_by(strength, 3, 5, 7))
    share = _by(strength, 0.22, 0.45, 0.7)
    for number in range(episodes):
        at = 600 + number * (DAY_S - 1500) / episodes + scene.random.uniform(0, 400)

        def act() -> None:
            found = scene.levels(PRODUCT, side)
            total = sum(tonnes for _, tonnes in found) or 1000
            best = scene.best(PRODUCT, side)
            each = round(total * share / (1 - share) / 4)
            # Not at the best price itself: nobody is to meet them.
            away = [abs(best - price) for price, _ in found[1:5]]
            _spoof(scene, account, side, max(each // 4, 50), [(d, each) for d in away])

        scene.at(0, at, act)
    return Planted((account,))


def _spoof(scene: Scene, account: str, side: str, fill: int, large: list[tuple[int, int]]) -> None:
    """Show orders on a side, trade on the other, take them away."""
    sign = -1 if side == BUY else 1
    best = scene.best(PRODUCT, side)
    shown = [
        scene.enter(account, PRODUCT, side, best + sign * away, min(tonnes, 99_000))
        for away, tonnes in large
    ]
    resting = scene.enter(
        account, PRODUCT, OTHER[side], scene.best(PRODUCT, OTHER[side]), max(fill // 2, 10)
    )

    def cross() -> None:
        # What nobody took until now is sold to who pays best.
        scene.cancel(account, resting)
        stands = scene.levels(PRODUCT, side)
        if stands:
            price, tonnes = stands[0]
            scene.enter(account, PRODUCT, OTHER[side], price, min(fill, tonnes), tif="ioc")
        scene.after(scene.random.uniform(5, 40), gone)

    def gone() -> None:
        for order in shown:
            scene.cancel(account, order)

    scene.after(scene.random.uniform(30, 90), cross)


def limit_queue(scene: Scene, flow: Flow, strength: int) -> Planted:
    """On a day at the limit, orders that never mean to trade lead the queue."""
    account = _newcomer(scene)
    times = round(_by(strength, 1, 2, 4))
    share = _by(strength, 0.25, 0.45, 0.65)

    def demand() -> None:
        # News: everybody wants to buy, up to the limit.
        flow.value = scene.reference(PRODUCT) * 1.14

    def push() -> None:
        _, high = scene.band(PRODUCT)
        buyer = scene.random.choice(flow.people.singles)
        scene.enter(buyer, PRODUCT, BUY, high, scene.random.randrange(5, 20) * 100)

    scene.at(0, 30, demand)
    for number in range(80):
        scene.at(0, 40 + number * 8, push)
    for number in range(times):

        def queue() -> None:
            _, high = scene.band(PRODUCT)
            stands = scene.levels(PRODUCT, BUY, 1)
            total = stands[0][1] if stands and stands[0][0] == high else 10_000
            left = round(total * share / (1 - share))
            while left > 0:
                order = scene.enter(account, PRODUCT, BUY, high, min(left, 99_000))
                left -= 99_000
                scene.after(
                    scene.random.uniform(330, 600), lambda o=order: scene.cancel(account, o)
                )

        scene.at(0, 1500 + number * 1500 + scene.random.uniform(0, 300), queue)
    return Planted((account,))


def dense_entry(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Orders by the hundred that live for a fraction of a second."""
    account = _newcomer(scene)
    count = round(_by(strength, 400, 640, 1000))
    apart = round(_by(strength, 9, 6, 3))
    side = scene.random.choice((BUY, SELL))
    start = scene.random.uniform(600, DAY_S - count * apart - 100)
    for number in range(count):

        def flash() -> None:
            step = -20 if side == BUY else 20
            order = scene.enter(account, PRODUCT, side, scene.best(PRODUCT, side) + step, 10)
            scene.after(scene.random.uniform(0.05, 0.6), lambda: scene.cancel(account, order))

        scene.at(0, start + number * apart + scene.random.uniform(0, 1), flash)
    return Planted((account,))


def ramping(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Buys through level after level for some minutes, and sells old stock into it."""
    account = _newcomer(scene)
    move = _by(strength, 0.014, 0.027, 0.045)
    start = scene.random.uniform(1200, SESSION_S - 2400) + scene.random.choice((0, SESSION_S))
    bought: list[int] = []
    base: list[int] = []

    def push() -> None:
        base.append(scene.best(PRODUCT, SELL))
        bought.append(_sweep(scene, account, round(base[0] * (1 + move))))

    def sell() -> None:
        stands = scene.levels(PRODUCT, BUY)
        if stands:
            tonnes = min(sum(t for _, t in stands), max(sum(bought) // 6, 100))
            scene.enter(account, PRODUCT, SELL, stands[-1][0], tonnes, tif="ioc")

    for step in range(40):
        scene.at(0, start + step * 4, push)
    for step in range(round(_by(strength, 6, 9, 12))):
        scene.at(0, start + 300 + step * 60, sell)
    return Planted((account,))


def marking_close(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Buys through the book in the last minutes, and much where it comes out, from a mate."""
    account, helper = _newcomer(scene), _newcomer(scene)
    share = _by(strength, 0.07, 0.15, 0.35)
    move = _by(strength, 0.018, 0.036, 0.06)
    base: list[int] = []

    def push() -> None:
        if not base:
            base.append(scene.best(PRODUCT, BUY))
        _sweep(scene, account, round(base[0] * (1 + move)))

    def deal() -> None:
        price = round(base[0] * (1 + move))
        # Nobody may offer for less when the mate's offer is to be the best.
        while _sweep(scene, account, price):
            pass
        wanted = round(scene.traded_today(PRODUCT) * share)
        scene.pass_to(PRODUCT, helper, account, price, wanted)

    for step in range(60):
        scene.at(0, DAY_S - 290 + 4 * step, push)
    scene.at(0, DAY_S - 30, deal)
    return Planted((account, helper))


def _sweep(scene: Scene, account: str, up_to: int) -> int:
    """Buy the best five levels, no higher than a price; return how much was asked for."""
    stands = [(p, t) for p, t in scene.levels(PRODUCT, SELL) if p <= up_to]
    tonnes = sum(t for _, t in stands)
    if stands:
        scene.enter(account, PRODUCT, BUY, stands[-1][0], tonnes, tif="ioc")
    return tonnes


def thin_close(scene: Scene, flow: Flow, strength: int) -> Planted:
    """A few tonnes of what nobody trades, far from the close before."""
    one, other = scene.random.sample(flow.people.singles, 2)
    move = _by(strength, 0.036, 0.06, 0.095) * scene.random.choice((1, -1))

    def deal() -> None:
        price = round(scene.reference(QUIET) * (1 + move))
        scene.pass_to(QUIET, one, other, price, scene.random.randrange(5, 90))

    scene.at(0, scene.random.uniform(600, DAY_S - 100), deal)
    return Planted((one, other))


def building(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Holds one price with more than all others on the side, for days."""
    account = _newcomer(scene)
    days = round(_by(strength, 2, 3, 4))
    minutes = _by(strength, 50, 75, 120)
    share = _by(strength, 0.52, 0.6, 0.7)
    price: list[int] = []
    shown: list[str] = []

    def hold() -> None:
        if not price:
            price.append(scene.best(PRODUCT, BUY) - 30)
        # Both may have traded, or expired, since.
        while shown:
            scene.cancel(account, shown.pop())
        left = round(scene.side_tonnes(PRODUCT, BUY) * share / (1 - share) * 1.05)
        while left > 0:
            shown.append(scene.enter(account, PRODUCT, BUY, price[0], min(left, 99_000)))
            left -= 99_000

    def leave() -> None:
        while shown:
            scene.cancel(account, shown.pop())

    for day in range(min(days, len(scene.days))):
        start = 600 + scene.random.uniform(0, 300)
        for step in range(round(minutes / 12)):
            scene.at(day, start + 720 * step, hold)
        scene.at(day, start + minutes * 60, leave)
    return Planted((account,))


def corner(scene: Scene, flow: Flow, strength: int) -> Planted:
    """A firm gathers what others need before the deadline, on the book and by blocks."""
    number = scene.random.randrange(100)
    one, other = f"K{number:03}", f"K{number:03}B"
    for name in (one, other):
        scene.at(0, 0.1, lambda n=name: scene.account(n, group="GK", tonnes=0))
    # A large firm holds as much, and must surrender it.
    needy = f"N{scene.random.randrange(100):03}"
    scene.at(0, 0.1, lambda: scene.account(needy, tonnes=3_000_000))
    floating = 5_000_000
    wanted = (floating + 2_900_000) * _by(strength, 0.4, 0.55, 0.75)
    blocks = round(wanted / 2 / 125_000) * 2
    for number in range(blocks):
        day = number * (len(scene.days) - 1) // blocks
        buyer = (one, other)[number % 2]
        seller = flow.people.singles[number % len(flow.people.singles)]
        scene.at(
            day,
            scene.random.uniform(SESSION_S + 200, DAY_S - 200),
            lambda s=seller, b=buyer: scene.block(
                PRODUCT, s, b, scene.best(PRODUCT, SELL), 125_000
            ),
        )
    needs = {needy: {PRODUCT: 2_900_000}}
    return Planted(
        (one, other), Facts(float_tonnes={PRODUCT: floating + 2_900_000}, need_tonnes=needs)
    )


def evasion(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Accounts of one firm that hold more than the limit together, and less each."""
    names = [f"E{number}" for number in range(3)]
    limit = 1_000_000
    for name in names:
        scene.at(0, 0.1, lambda n=name: scene.account(n, group="GE", tonnes=0))
    each = round(limit * _by(strength, 0.93, 1.08, 1.5) / 3)
    for number, name in enumerate(names):
        seller = flow.people.singles[number]
        scene.at(
            0,
            scene.random.uniform(SESSION_S + 200, DAY_S - 200),
            lambda s=seller, b=name: scene.block(PRODUCT, s, b, scene.best(PRODUCT, SELL), each),
        )
    return Planted(tuple(names), Facts(holding_limit_tonnes=limit))


def front_running(scene: Scene, flow: Flow, strength: int) -> Planted:
    """One desk buys on the book before the other buys a block."""
    ahead, block_buyer = scene.random.choice(flow.people.pairs)
    tonnes = DAY_TONNES * _by(strength, 0.06, 0.16, 0.35) / 6
    at = scene.random.uniform(SESSION_S + 2600, DAY_S - 300)
    for _ in range(6):
        scene.at(
            1,
            at - scene.random.uniform(100, 2400),
            lambda: scene.enter(
                ahead, PRODUCT, BUY, scene.best(PRODUCT, SELL) + 40, round(tonnes), tif="ioc"
            ),
        )
    seller = scene.random.choice(flow.people.singles)
    scene.at(
        1,
        at,
        lambda: scene.block(PRODUCT, seller, block_buyer, scene.best(PRODUCT, SELL), 200_000),
    )
    return Planted((ahead,))


def bid_ring(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Bidders who are one: they win most of it together."""
    one, other = scene.random.choice(flow.people.pairs)
    seller, *others = scene.random.sample(flow.people.singles, 6)
    share = _by(strength, 0.35, 0.62, 0.85)
    total = 300_000
    at = scene.random.uniform(1000, SESSION_S - 1500)

    def opened() -> None:
        floor = scene.reference(PRODUCT)
        common = {"product": PRODUCT, "tonnes": total, "pricing": "uniform"}
        price = f"{floor // 100}.{floor % 100:02}"
        scene.play(cmd="bidding_open", id="B1", account=seller, floor=price, **common)

    def bid(account: str, above: int, tonnes: int) -> None:
        price = scene.reference(PRODUCT) + above
        scene.play(
            cmd="bid",
            id=f"bid-{account}",
            bidding="B1",
            account=account,
            price=f"{price // 100}.{price % 100:02}",
            tonnes=tonnes,
        )

    scene.at(0, at, opened)
    for account in (one, other):
        scene.at(
            0,
            at + scene.random.uniform(60, 600),
            lambda a=account: bid(a, scene.random.randrange(300, 420), round(total * share / 2)),
        )
    for account in others:
        scene.at(
            0,
            at + scene.random.uniform(60, 600),
            lambda a=account: bid(a, scene.random.randrange(50, 280), 60_000),
        )
    scene.at(0, at + 900, lambda: scene.play(cmd="bidding_close", id="B1"))
    return Planted((one, other))


def reverse_trades(scene: Scene, flow: Flow, strength: int) -> Planted:
    """Two desks of one firm trade to and fro over days, a little each time."""
    pair = scene.random.choice(flow.people.pairs)
    for number in range(2 * round(_by(strength, 2, 3, 5))):
        seller, buyer = pair if number % 2 else pair[::-1]
        scene.at(
            number % len(scene.days),
            scene.random.uniform(300, DAY_S - 100),
            lambda s=seller, b=buyer: scene.pass_to(
                PRODUCT, s, b, scene.best(PRODUCT, SELL), scene.random.randrange(100, 400)
            ),
        )
    return Planted(pair)


def off_price(scene: Scene, flow: Flow, strength: int) -> Planted:
    """A large order far from the latest deal, to be seen."""
    account = _newcomer(scene)
    off = _by(strength, 0.043, 0.058, 0.085)
    tonnes = round(_by(strength, 9_000, 13_000, 40_000))
    side = scene.random.choice((BUY, SELL))

    def show() -> None:
        sign = -1 if side == BUY else 1
        price = round(scene.best(PRODUCT, side) * (1 + sign * off))
        scene.enter(account, PRODUCT, side, price, tonnes)

    scene.at(0, scene.random.uniform(600, DAY_S - 600), show)
    return Planted((account,))


def block_edge(scene: Scene, flow: Flow, strength: int) -> Planted:
    """A block far off the mean, and some of it back on the book: value is passed on."""
    one, other = scene.random.sample(flow.people.singles, 2)
    off = _by(strength, 0.21, 0.268, 0.29) * scene.random.choice((1, -1))
    scene.at(
        0,
        scene.random.uniform(SESSION_S + 300, DAY_S - 300),
        lambda: scene.block(
            PRODUCT, one, other, round(scene.reference(PRODUCT) * (1 + off)), 110_000
        ),
    )
    scene.at(
        1,
        scene.random.uniform(300, DAY_S - 300),
        lambda: scene.pass_to(PRODUCT, other, one, scene.best(PRODUCT, SELL), 900),
    )
    return Planted((one, other))


def _newcomer(scene: Scene) -> str:
    """Declare an account that has nothing in common with the others."""
    name = f"T{len(scene.indexes):03}"
    scene.account(name)
    return name


ABUSERS: dict[str, Abuser] = {
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
    "building": 4,
    "corner": 22,
    "front_running": 2,
    "reverse_trades": 3,
    "block_edge": 2,
}
"""How many days a pattern needs; one if it is not here."""
