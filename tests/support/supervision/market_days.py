"""Market days in a few words, and what surveillance finds on them."""

from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.supervision.alerts import Alert
from cea_exchange.supervision.limits import Limits
from cea_exchange.supervision.patterns.context import NO_FACTS, Facts
from cea_exchange.supervision.sources import ScriptTape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.supervision.tape import Tape

PRODUCT = "CEA24"
DAY = "2025-07-16"


class MarketDays:
    """A market of `PRODUCT` at 90.00 and some accounts that have enough of everything.

    Parameters
    ----------
    accounts
        Names, or "name:group".
    """

    def __init__(
        self,
        *accounts: str,
        reference: str = "90.00",
        tonnes: int = 3_000_000,
        profile: Profile | None = None,
    ) -> None:
        self._script = ScriptTape(profile or load_profile("cea"))
        self._count = 0
        self.play(cmd="product", product=PRODUCT, reference_price=reference)
        for account in accounts:
            name, _, group = account.partition(":")
            self.play(cmd="account", account=name, **({"group": group} if group else {}))
            self.play(cmd="deposit", account=name, cash="9000000000.00")
            if tonnes:
                self.play(cmd="deposit", account=name, product=PRODUCT, tonnes=tonnes)

    def play(self, **fields) -> None:
        """Play a command of a script."""
        self._script.play(fields)

    def at(self, time: str, day: str = DAY) -> None:
        """Let it be that time: "09:31:00"."""
        self.play(cmd="clock", at=f"{day}T{time}+08:00")

    def enter(self, account: str, side: str, price: str, tonnes: int, **options) -> str:
        """Enter an order; return its id."""
        self._count += 1
        order = f"n{self._count}"
        self.play(
            cmd="enter",
            id=order,
            account=account,
            product=PRODUCT,
            side=side,
            price=price,
            tonnes=tonnes,
            **options,
        )
        return order

    def cancel(self, account: str, order: str) -> None:
        """Take an order back."""
        self.play(cmd="cancel", id=order, account=account)

    def deal(self, seller: str, buyer: str, price: str, tonnes: int) -> None:
        """Let one account buy what another offers; the buyer takes."""
        order = self.enter(seller, "sell", price, tonnes)
        self.enter(buyer, "buy", price, tonnes, pick=order)

    def block(self, seller: str, buyer: str, price: str, tonnes: int) -> None:
        """Let two accounts agree on a block."""
        self._count += 1
        block = f"n{self._count}"
        terms = {"product": PRODUCT, "side": "sell", "price": price, "tonnes": tonnes}
        self.play(cmd="block_offer", id=block, account=seller, counterparty=buyer, **terms)
        self.play(cmd="block_accept", id=block, account=buyer)

    def close(self, day: str = DAY) -> None:
        """Let the day end."""
        self.at("15:00:00", day)

    @property
    def market(self):
        """The market itself."""
        return self._script.market

    def tape(self) -> Tape:
        """What the market has said."""
        return self._script.tape()

    def alerts(
        self, pattern: str, facts: Facts = NO_FACTS, limits: Limits | None = None
    ) -> list[Alert]:
        """What is found of a pattern."""
        return surveil(self.tape(), facts=facts, limits=limits, patterns=(pattern,))


def clock(seconds: int) -> str:
    """Seconds of trading since 09:30 as a time of day; the lunch break is left out."""
    of_day = 9 * 3600 + 1800 + seconds + (5400 if seconds >= 7200 else 0)
    return f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"


def figures(alert: Alert) -> dict[str, int]:
    """An alert's figures by name."""
    return {figure.name: figure.value for figure in alert.figures}
