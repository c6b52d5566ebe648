"""Ordinary trading: firms that come and go, and honest people who look like abusers."""

from dataclasses import dataclass

from cea_exchange.supervision.corpus.scene import BUY, DAY_S, OTHER, SELL, SESSION_S, Scene

PRODUCT = "CEA24"
QUIET = "CEA21"
"""A product that nobody trades on most days."""
OPENING_FEN = 9_000
FIRMS = 24
PAIRED_FIRMS = 10
"""So many firms have two accounts, the others one."""


@dataclass
class People:
    """Who trades: accounts by name.

    Attributes
    ----------
    singles
        Accounts of firms that have one.
    pairs
        Pairs of accounts of one firm each.
    """

    singles: list[str]
    pairs: list[tuple[str, str]]

    @property
    def all(self) -> list[str]:
        """Return every account."""
        return [*self.singles, *(name for pair in self.pairs for name in pair)]


def people_arrive(scene: Scene) -> People:
    """Declare products and accounts; who is drawn for what follows from the scene's seed."""
    scene.product(PRODUCT, OPENING_FEN)
    scene.product(QUIET, OPENING_FEN - 800)
    numbers = list(range(1, FIRMS + PAIRED_FIRMS + 1))
    scene.random.shuffle(numbers)
    pairs, singles = [], []
    for number in numbers[:PAIRED_FIRMS]:
        pair = f"P{number:03}", f"P{number:03}B"
        for name in pair:
            scene.account(name, group=f"G{number:03}")
        pairs.append(pair)
    for number in numbers[PAIRED_FIRMS:]:
        scene.account(f"P{number:03}")
        singles.append(f"P{number:03}")
    return People(singles, pairs)


class Flow:
    """Orders of everybody, around a value that drifts; who sees pressure in the book follows it.

    Parameters
    ----------
    scene, people
        Where, and who.
    orders_per_day
        How many come a day.
    drift_per_mille
        By how much the value moves a day.
    """

    def __init__(
        self,
        scene: Scene,
        people: People,
        *,
        orders_per_day: int = 500,
        drift_per_mille: float = 0.0,
    ) -> None:
        self.scene, self.people = scene, people
        self.value = float(OPENING_FEN)
        self._drift = drift_per_mille / 1000 / orders_per_day
        self._open: list[tuple[str, str]] = []
        random = scene.random
        self._weights = [random.paretovariate(1.2) for _ in people.all]
        for day in range(len(scene.days)):
            scene.at(day, 0.5, self._opening)
            for _ in range(orders_per_day):
                scene.at(day, random.uniform(1, DAY_S - 1), self._order)

    def _who(self) -> str:
        return self.scene.random.choices(self.people.all, self._weights)[0]

    def _tonnes(self, median: int) -> int:
        drawn = self.scene.random.lognormvariate(0, 0.9) * median
        return int(min(max(round(drawn, -1), 10), 12_000))

    def _opening(self) -> None:
        self._open.clear()
        for _ in range(30):
            for side in (BUY, SELL):
                self._rest(side)

    def _order(self) -> None:
        random = self.scene.random
        self.value *= 1 + self._drift + random.gauss(0, 0.0004)
        drawn = random.random()
        if drawn < 0.15 and self._open:
            place = random.randrange(len(self._open))
            account, order = self._open.pop(place)
            self.scene.cancel(account, order)
        elif drawn < 0.45:
            self._take()
        else:
            self._rest(random.choice((BUY, SELL)))

    def _take(self) -> None:
        """Buy where the value is above the price, or where more stands on the buyers' side."""
        scene = self.scene
        bid, ask = (scene.best(PRODUCT, side) for side in (BUY, SELL))
        buys, sells = (sum(t for _, t in scene.levels(PRODUCT, side)) + 1 for side in (BUY, SELL))
        lean = (self.value - (bid + ask) / 2) / 40 + 0.3 * (buys - sells) / (buys + sells)
        side = BUY if scene.random.random() < min(max(0.5 + lean, 0.05), 0.95) else SELL
        scene.enter(
            self._who(), PRODUCT, side, ask if side == BUY else bid, self._tonnes(250), tif="ioc"
        )

    def _rest(self, side: str) -> None:
        scene, random = self.scene, self.scene.random
        away = (
            round(random.expovariate(1 / 4)) if random.random() < 0.7 else random.randrange(10, 350)
        )
        # No one pays more than it is worth, nor crosses the best price on the way.
        other = scene.best(PRODUCT, OTHER[side])
        price = round(self.value) - away if side == BUY else round(self.value) + away
        price = min(price, other - 1) if side == BUY else max(price, other + 1)
        account = self._who()
        order = scene.enter(account, PRODUCT, side, price, self._tonnes(300))
        self._open.append((account, order))


def look_alikes(scene: Scene, flow: Flow) -> None:
    """Add honest people who look like abusers, some each day."""
    random, people = scene.random, flow.people
    for day in range(len(scene.days)):
        for act in random.sample(
            (_hurried, _patient, _refreshing, _large_then_gone, _two_of_a_firm, _own_block), 3
        ):
            act(scene, people, day)


def _hurried(scene: Scene, people: People, day: int) -> None:
    """A firm that must have its tonnes today buys slice by slice to the end, and keeps them."""
    account = scene.random.choice(people.singles)
    for minute in range(30):
        scene.at(
            day,
            DAY_S - 1800 + 60 * minute + scene.random.uniform(0, 30),
            lambda: scene.enter(
                account, PRODUCT, BUY, scene.best(PRODUCT, SELL), scene.random.randrange(60, 160)
            ),
        )


def _patient(scene: Scene, people: People, day: int) -> None:
    """A firm leaves one order below the price all day."""
    account = scene.random.choice(people.singles)

    def rest() -> None:
        price = scene.best(PRODUCT, BUY) - scene.random.randrange(5, 40)
        scene.enter(account, PRODUCT, BUY, price, scene.random.randrange(5, 9) * 1000)

    scene.at(day, scene.random.uniform(300, 3000), rest)


def _refreshing(scene: Scene, people: People, day: int) -> None:
    """A desk keeps one small order at the best price, and moves it as the price moves."""
    account = scene.random.choice(people.singles)
    side = scene.random.choice((BUY, SELL))
    held: list[str] = []

    def refresh() -> None:
        if held:
            scene.cancel(account, held.pop())
        held.append(scene.enter(account, PRODUCT, side, scene.best(PRODUCT, side), 200))

    start = scene.random.uniform(100, SESSION_S)
    for step in range(60):
        scene.at(day, start + 60 * step, refresh)


def _large_then_gone(scene: Scene, people: People, day: int) -> None:
    """A firm shows a large order, thinks again and takes it back; it trades nothing meanwhile."""
    account = f"W{day:03}"
    if account not in scene.indexes:
        scene.at(day, 0.2, lambda: scene.account(account))
    side = scene.random.choice((BUY, SELL))
    start = scene.random.uniform(600, DAY_S - 2000)

    def rest() -> None:
        step = -30 if side == BUY else 30
        order = scene.enter(account, PRODUCT, side, scene.best(PRODUCT, side) + step, 30_000)
        scene.after(scene.random.uniform(60, 900), lambda: scene.cancel(account, order))

    scene.at(day, start, rest)


def _two_of_a_firm(scene: Scene, people: People, day: int) -> None:
    """Two desks of one firm with needs of their own: one sells now and then, the other buys."""
    one, other = scene.random.choice(people.pairs)
    for _ in range(6):
        at = scene.random.uniform(100, DAY_S - 400)
        tonnes = scene.random.randrange(1, 6) * 50
        scene.at(
            day,
            at,
            lambda t=tonnes: scene.enter(one, PRODUCT, SELL, scene.best(PRODUCT, SELL), t),
        )
        scene.at(
            day,
            at + scene.random.uniform(20, 300),
            lambda t=tonnes: scene.enter(other, PRODUCT, BUY, scene.best(PRODUCT, SELL), t),
        )


def _own_block(scene: Scene, people: People, day: int) -> None:
    """A firm buys a little on the book and then the rest as a block: its own need."""
    buyer, seller = scene.random.sample(people.singles, 2)
    at = scene.random.uniform(SESSION_S + 2000, DAY_S - 600)
    for _ in range(4):
        scene.at(
            day,
            at - scene.random.uniform(60, 1500),
            lambda: scene.enter(buyer, PRODUCT, BUY, scene.best(PRODUCT, SELL), 400),
        )
    scene.at(
        day,
        at,
        lambda: scene.block(PRODUCT, seller, buyer, scene.best(PRODUCT, SELL), 120_000),
    )
