"""Honest days of another kind than the corpus has, to measure on what nothing was tuned to.

The corpus draws single orders around a value that drifts. Here each firm has a task for the day,
buys or sells it in slices of its own style, three dealers quote both sides at several levels, news
moves the value in jumps, a trade draws others within seconds, and some agree on blocks. Only the
player of scripts (`Scene`) is the corpus's.
"""

from datetime import date

from cea_exchange.supervision.corpus.scene import BUY, DAY_S, OTHER, SELL, SESSION_S, Scene

PRODUCT = "CEA24"
QUIET = "CEA22"
PRICE_FEN = 8_450
FIRMS = 48
FAMILIES = 6
"""Firms with a second account of the same group."""
DEALERS = ("D01", "D02", "D03")
STYLES = ("taker", "rester", "slicer", "late", "once")
ROUND_SIZES = (10, 20, 50, 100, 100, 100, 200, 200, 500, 500, 1_000)


class Street:
    """A market's honest days, played as a scene.

    Parameters
    ----------
    seed
        Of all that is drawn.
    days
        How many trading days.
    drift_per_mille
        By how much the value rises a day.
    first_day
        Trading days from this one on.
    tonnes
        What each account holds of each product at first.
    """

    def __init__(
        self,
        seed: int,
        days: int = 1,
        *,
        drift_per_mille: float = 0.0,
        first_day: date = date(2025, 9, 8),
        tonnes: int = 4_000_000,
    ) -> None:
        self.scene = Scene(seed, first_day, days)
        self.random = self.scene.random
        self.scene.opening_tonnes = tonnes
        self.scene.product(PRODUCT, PRICE_FEN)
        self.scene.product(QUIET, PRICE_FEN - 300)
        names = [f"Q{number:03}" for number in self.random.sample(range(100, 999), FIRMS)]
        self.families = [(name, f"{name}X") for name in names[:FAMILIES]]
        self.firms = names[FAMILIES:]
        for name in names[:FAMILIES]:
            for account in (name, f"{name}X"):
                self.scene.account(account, group=f"H{name}")
        for account in (*self.firms, *DEALERS):
            self.scene.account(account)
        self._drift = drift_per_mille
        self.value = float(PRICE_FEN)
        for day in range(days):
            self._day(day)

    def newcomer(self, group: str = "") -> str:
        """Return a new account."""
        name = f"Z{len(self.scene.indexes):03}"
        self.scene.account(name, group=group)
        return name

    # -- A day ------------------------------------------------------------------------------------

    def _day(self, day: int) -> None:
        draw, scene = self.random, self.scene
        for _ in range(2):
            jump = draw.gauss(0, 0.003)
            scene.at(day, draw.uniform(900, DAY_S - 900), lambda j=jump: self._news(j))
        for step in range(DAY_S // 60):
            scene.at(day, step * 60 + draw.uniform(0, 30), self._wander)
        for place, dealer in enumerate(DEALERS):
            self._quote(day, dealer, 8 + 7 * place)
        accounts = [*self.firms, *(name for family in self.families for name in family)]
        for account in draw.sample(accounts, 34):
            self._task(day, account)
        for _ in range(draw.randrange(3)):
            self._agreed(day)

    def _wander(self) -> None:
        self.value *= 1 + self.random.gauss(0, 0.0003) + self._drift / 1000 / (DAY_S / 60)

    def _news(self, jump: float) -> None:
        self.value *= 1 + jump

    def _quote(self, day: int, dealer: str, half_spread: int) -> None:
        """Quote two levels on each side, and move them when the value has moved."""
        scene, draw = self.scene, self.random
        held: list[str] = []
        around: list[float] = [0.0]

        def move() -> None:
            if abs(self.value - around[0]) < half_spread / 2 and draw.random() < 0.8:
                return
            around[0] = self.value
            while held:
                scene.cancel(dealer, held.pop())
            for level in range(2):
                for side, sign in ((BUY, -1), (SELL, 1)):
                    price = round(self.value) + sign * (half_spread + 12 * level)
                    tonnes = draw.choice((200, 300, 500))
                    held.append(scene.enter(dealer, PRODUCT, side, price, tonnes))

        for step in range(DAY_S // 90):
            scene.at(day, 1 + step * 90 + draw.uniform(0, 80), move)

    def _task(self, day: int, account: str) -> None:
        """Buy or sell what the firm needs, in one of the styles."""
        draw, scene = self.random, self.scene
        side = draw.choice((BUY, SELL))
        style = draw.choices(STYLES, (3, 4, 4, 1, 2))[0]
        left = int(draw.lognormvariate(6.8, 0.8))
        if style == "once":
            at = draw.betavariate(0.7, 0.7) * (DAY_S - 120) + 30
            scene.at(day, at, lambda: self._take(account, side, min(left, 1_500)))
            return
        count = draw.randrange(4, 26)
        begin = draw.uniform(30, DAY_S * 0.6)
        end = draw.uniform(begin + 900, DAY_S - 20)
        if style == "late":
            begin, end = DAY_S - draw.uniform(900, 2_700), DAY_S - 15
        for _ in range(count):
            size = max(min(draw.choice(ROUND_SIZES), left // count * 2), 10)
            at = draw.uniform(begin, end)
            if style in ("rester", "slicer") and draw.random() < 0.75:
                scene.at(day, at, lambda s=size: self._rest(account, side, s))
            else:
                scene.at(day, at, lambda s=size: self._take(account, side, s))

    def _rest(self, account: str, side: str, tonnes: int) -> None:
        draw, scene = self.random, self.scene
        away = draw.choice((0, 1, 2, 4, 8, 15, 30, 60))
        best = scene.best(PRODUCT, side)
        price = best - away if side == BUY else best + away
        order = scene.enter(account, PRODUCT, side, price, tonnes)
        if draw.random() < 0.4:
            scene.after(draw.expovariate(1 / 500), lambda: scene.cancel(account, order))

    def _take(self, account: str, side: str, tonnes: int) -> None:
        """Take from the best price, no further than a little beyond; some follow at once."""
        draw, scene = self.random, self.scene
        best = scene.best(PRODUCT, OTHER[side])
        slip = draw.choice((0, 0, 5, 15))
        price = best + slip if side == BUY else best - slip
        scene.enter(account, PRODUCT, side, price, tonnes, tif="ioc")
        if draw.random() < 0.25:
            follower = draw.choice(self.firms)
            size = draw.choice(ROUND_SIZES)
            way = side if draw.random() < 0.6 else OTHER[side]
            act = self._take if draw.random() < 0.5 else self._rest
            scene.after(draw.expovariate(1 / 4), lambda: act(follower, way, size))

    def _agreed(self, day: int) -> None:
        """Agree on a block; every other time its buyer bought a little on the book before."""
        draw, scene = self.random, self.scene
        buyer, seller = draw.sample(self.firms, 2)
        at = draw.uniform(SESSION_S + 300, DAY_S - 300)
        if draw.random() < 0.5:
            for _ in range(3):
                scene.at(day, at - draw.uniform(20, 280), lambda: self._take(buyer, BUY, 200))
        tonnes = draw.randrange(100, 300) * 1_000
        off = 1 + draw.gauss(0, 0.03)
        scene.at(
            day, at, lambda: scene.block(PRODUCT, seller, buyer, round(self.value * off), tonnes)
        )
