"""A million trades of a live venue, settled while venue, registry and database server are killed.

    python -m torture.settlement --trades 1000000 --kills 50 [--database postgresql] [--seed 1]
    python -m torture.settlement --trades 200000 --kills 50 --database failover

With `failover` only the database's primary is killed; its standby is promoted each time, and that
of before is rewound or copied anew, as contrib/failover.md says.

Sums of zero prove little: a trade that is settled twice sums to zero too. So at the end the journal
is replayed, every account's every balance is computed from what it gives, trade by trade, and held
against the ledger, whose own check runs as well. What participants are told is torture's business
(`python -m torture`); here the sender is killed with the venue and another takes its place.
"""

import argparse
import json
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np

from cea_exchange.cli.flows.flow_files import progress
from cea_exchange.domain.calendar import TradingCalendar, date_number
from cea_exchange.domain.records import EventKind, Reason, Side
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment
from cea_exchange.ledger.institutions import Institution
from cea_exchange.ledger.store import Store
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import (
    ExchangeError,
    LocalExchange,
    prepare_process,
)
from cea_exchange.loadtest.population import Participant, population
from cea_exchange.loadtest.stands.audit import settlement_faults, venue_events, verify_faults
from cea_exchange.loadtest.stands.database import DatabaseServer
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.store import RegistryStore
from soak.flow import FlowAccount, FlowConfig
from soak.sender import FlowProcess, SoakFailed
from support.institution.postgres_pair import PostgresPair

FIRST_DAY = date(2024, 1, 2)
REFERENCE_PRICES = {"CEA22": 9749, "CEA23": 9749, "CEA24": 9749, "CEA25": 9749}
PARTICIPANTS = 64
DAYS = 5
ROUND_COMMANDS = 40_000
LAG_RECORDS_MAX = 100_000
ORDERS_EACH = 4_000_000
IDS_PER_SENDER = 1_000_000_000
TAKE_SHARE = 0.4
SETTLE_S_MAX = 300.0
SERVER = "server"
VICTIMS = {
    "sqlite": ("registry", "registry", "venue"),
    "postgresql": ("registry", "registry", "venue", SERVER),
    "failover": (SERVER,),
}
REWOUND_SHARE = 0.7


class SettlementFailed(Exception):
    """Something is not as it must be."""


@dataclass
class SettlementReport:
    """What was done and found."""

    seed: int
    database: str
    kills: Counter = field(default_factory=Counter)
    trades: int = 0
    commands: int = 0
    balances: int = 0
    rewound: int = 0
    outages_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    check_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def as_dict(self) -> dict:
        """Return plain values for JSON."""
        return {**self.__dict__, "kills": dict(self.kills)}


class FailoverServers:
    """A primary and its standby, which changes places with it each time that it is killed.

    Attributes
    ----------
    rewound
        How often the primary of before was rewound; the other times it was copied anew.
    """

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._pair = PostgresPair()
        self._pair.commits_wait("ANY 1 (a, b)")
        self.rewound = 0

    @property
    def address(self) -> str:
        """Of the ledger's database, on whichever of them is the primary."""
        return self._pair.address

    def kill(self) -> None:
        """Kill the primary, and promote its standby."""
        self._pair.fail_over()

    def start(self) -> None:
        """Make the primary of before a standby."""
        is_rewound = self._draw.random() < REWOUND_SHARE
        self.rewound += is_rewound
        self._pair.standby_make(is_rewound=is_rewound)

    def close(self) -> None:
        """End both for good."""
        self._pair.close()


class SettlementRun:
    """One run in an empty data folder; see the module."""

    def __init__(self, data: Path, report: SettlementReport, trades: int, kills: int):
        self.data = data
        self.report = report
        self._trades, self._kills_left = trades, kills
        self._draw = random.Random(report.seed)
        self._server = self._server_made()
        address = None if self._server is None else self._server.address
        self._exchange = LocalExchange(data, database=address)
        self._senders = 0

    def _server_made(self) -> DatabaseServer | FailoverServers | None:
        if self.report.database == "failover":
            return FailoverServers(self._draw)
        if self.report.database == "postgresql":
            return DatabaseServer(self.data / "server")
        return None

    def run(self, show) -> None:
        """Trade, kill, settle, and hold everything against everything."""
        began = time.monotonic()
        try:
            with self._exchange:
                self._trade(show)
            self.report.seconds = time.monotonic() - began
            if isinstance(self._server, FailoverServers):
                self.report.rewound = self._server.rewound
                self.report.outages_s.sort()
            self._check()
            self.report.check_seconds = time.monotonic() - began - self.report.seconds
        finally:
            if self._server is not None:
                self._server.close()

    # -- Trading -----------------------------------------------------------------------------------

    def _trade(self, show) -> None:
        members = population(
            PARTICIPANTS, REFERENCE_PRICES, seed=self.report.seed, orders_each=ORDERS_EACH
        )
        self._exchange.prepare(members, REFERENCE_PRICES, start=f"{FIRST_DAY}T08:30:00+08:00")
        if self.report.database == "failover":
            with (self.data / "registry.toml").open("a") as settings:
                settings.write("database_synchronous = true\n")
        self._exchange.start()
        await_transfers(self._exchange)
        flow = self._sender(members)
        calendar, day = TradingCalendar.load("cn_carbon"), FIRST_DAY
        try:
            for number in range(1, DAYS + 1):
                self._exchange.operate("clock", at=f"{day}T09:30:00+08:00")
                goal = self._trades * number // DAYS
                days_left = DAYS - number
                kills_after = self._kills_left * days_left // (days_left + 1)
                while self._settled()[1] < goal or self._kills_left > kills_after:
                    flow = self._round(flow, members, date_number(day), goal, kills_after)
                    show(self._settled()[1])
                self._exchange.operate("clock", at=f"{day}T15:00:00+08:00")
                confirmed = date_number(day)
                self._exchange.wait_until(
                    lambda due=confirmed: self._confirmed_date() >= due,
                    f"the registry to confirm {day}",
                    SETTLE_S_MAX,
                )
                day = calendar.next_trading_day(day)
        finally:
            flow.close()
        for name in ("venue", "registry"):
            if (status := self._exchange.stop(name)) != 0:
                raise SettlementFailed(f"asked to end, the {name} ended with {status}")

    def _round(
        self, flow: FlowProcess, members: list[Participant], day: int, goal: int, kills_after: int
    ) -> FlowProcess:
        """Have a round of commands sent; kill somebody meanwhile, as often as is due."""
        rounds_left = max(1, (goal - self._settled()[1]) * 8 // ROUND_COMMANDS)
        due = self._kills_left - kills_after
        kills = due // rounds_left + (self._draw.random() < due % rounds_left / rounds_left)
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(flow.run, ROUND_COMMANDS, day)
            for _ in range(kills):
                time.sleep(self._draw.uniform(0.0, 0.4))
                self._kill(self._draw.choice(VICTIMS[self.report.database]), flow)
                self._kills_left -= 1
            try:
                sending.result()
                self.report.commands += ROUND_COMMANDS
            except SoakFailed as error:
                if self._exchange.is_running("venue"):
                    raise SettlementFailed(str(error)) from error
        venue_killed = not self._exchange.is_running("venue")
        if venue_killed:
            self._exchange.start_venue()
        self._await_registry()
        if venue_killed:
            flow.close()
            flow = self._sender(members)
        return flow

    def _kill(self, victim: str, flow: FlowProcess) -> None:
        """SIGKILL, and all but the venue start again after a moment."""
        self.report.kills[victim] += 1
        if victim == SERVER:
            killed_s, backs = time.monotonic(), self._backs()
            self._server.kill()
            time.sleep(self._draw.uniform(0.0, 1.0))
            self._server.start()
            if self.report.database == "failover":
                # So that each kill meets it at work.
                self._exchange.wait_until(
                    lambda: self._backs() > backs, "the registry to be back", SETTLE_S_MAX
                )
                self.report.outages_s.append(round(time.monotonic() - killed_s, 2))
        elif victim == "registry":
            self._exchange.kill("registry")
            time.sleep(self._draw.uniform(0.0, 0.5))
            self._exchange.start_registry(wait=False)
        elif self._exchange.is_running("venue"):
            self._exchange.kill("venue")
            flow.kill()

    def _backs(self) -> int:
        """Return how often the registry has said that its database is back."""
        return self._exchange.log("registry").read_text().count('"database_back"')

    def _sender(self, members: list[Participant]) -> FlowProcess:
        self._senders += 1
        config = FlowConfig(
            endpoint=self._exchange.endpoint("venue", "gateway"),
            server_key=self._exchange.keys("venue").public,
            keys=str(self._exchange.keys_directory),
            accounts=[
                FlowAccount(own.name, {name: side.name.lower() for name, side in own.sides.items()})
                for own in members
            ],
            reference_prices=REFERENCE_PRICES,
            seed=self.report.seed + self._senders,
            first_id=self._senders * IDS_PER_SENDER,
            take_share=TAKE_SHARE,
        )
        return FlowProcess(self.data / f"sender-{self._senders}", config)

    def _await_registry(self) -> None:
        # One that was starting while its database was away has ended; a service manager's part.
        while True:
            try:
                self._exchange.wait_ready("registry")
                break
            except ExchangeError:
                self._exchange.start_registry(wait=False)
        self._exchange.wait_until(
            lambda: not self._exchange.operate("status")["cancels_only"],
            "the venue to hear of the registry",
            SETTLE_S_MAX,
        )
        made = self._exchange.operate("status")["settlement_seq"]
        self._exchange.wait_until(
            lambda: made - self._settled()[0] <= LAG_RECORDS_MAX,
            "the registry to come nearer",
            SETTLE_S_MAX,
        )

    def _confirmed_date(self) -> int:
        return self._exchange.operate("status")["confirmed_date"]

    def _settled(self) -> tuple[int, int]:
        """Return the registry's last sequence, and its trades."""
        with RegistryStore.open_reader(self.data) as store:
            return store.last_seq, store.one("SELECT coalesce(max(trade_id), 0) FROM trades")

    # -- The end -----------------------------------------------------------------------------------

    def _check(self) -> None:
        faults = self.report.faults
        faults += verify_faults(self.data)
        faults += check_ledger(self.data).differences
        events = venue_events(self.data)
        with RegistryStore.open_reader(self.data) as store:
            faults += settlement_faults(events, np.concatenate([*records_from(store)]))
            faults += self._balance_faults(store, events)
            self.report.trades = store.one("SELECT count(*) FROM trades WHERE state = 'settled'")
        made = int(np.count_nonzero(events["kind"] == EventKind.TRADE))
        if made != self.report.trades:
            faults.append(f"the venue made {made} trades, {self.report.trades} are settled")

    def _balance_faults(self, store: Store, events: np.ndarray) -> Iterator[str]:
        """Compare each trading account, and the fees, with what the venue's events make of them."""
        due = balances_of_events(events)
        rows = store.execute(
            "SELECT account_index, asset_index, amount FROM balances WHERE compartment = ?"
            " OR account_index = ?",
            (int(Compartment.TRADING), int(Institution.FEES)),
        ).fetchall()
        held = {(account, asset): amount for account, asset, amount in rows}
        self.report.balances = len(held)
        for key in sorted({*due, *held}):
            if due.get(key, 0) != held.get(key, 0):
                yield (
                    f"account {store.account_name(key[0])}, {store.asset_name(key[1])}: the journal"
                    f" gives {due.get(key, 0)}, the registry has {held.get(key, 0)}"
                )


def balances_of_events(events: np.ndarray) -> dict[tuple[int, int], int]:
    """Return what deposits, withdrawals and trades leave each account, by account and asset.

    Computed apart from the ledger's own arithmetic: per column, in Python's integers.
    """
    held: Counter[tuple[int, int]] = Counter()
    for kind, sign in ((EventKind.DEPOSITED, 1), (EventKind.WITHDRAWN, -1)):
        rows = events[events["kind"] == kind]
        for account, asset, cash, tonnes in zip(
            *(rows[n].tolist() for n in ("account_index", "product_index", "cash", "tonnes")),
            strict=True,
        ):
            held[account, asset] += sign * (cash if asset == CASH_ASSET else tonnes)
    undone = (events["kind"] == EventKind.TRADE_BUSTED) & (events["reason"] == Reason.NONE)
    for rows, sign in ((events[events["kind"] == EventKind.TRADE], 1), (events[undone], -1)):
        bought = rows["side"] == Side.BUY
        taker, maker = rows["account_index"], rows["counter_account_index"]
        columns = (np.where(bought, taker, maker), np.where(bought, maker, taker))
        names = ("product_index", "price", "tonnes", "buy_fee", "sell_fee")
        for buyer, seller, product, price, tonnes, buy_fee, sell_fee in zip(
            *(column.tolist() for column in (*columns, *(rows[name] for name in names))),
            strict=True,
        ):
            held[buyer, CASH_ASSET] -= sign * (price * tonnes + buy_fee)
            held[seller, CASH_ASSET] += sign * (price * tonnes - sell_fee)
            held[buyer, product] += sign * tonnes
            held[seller, product] -= sign * tonnes
            held[int(Institution.FEES), CASH_ASSET] += sign * (buy_fee + sell_fee)
    return {key: amount for key, amount in held.items() if amount}


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True)
        yield kept
        return
    data = Path(tempfile.mkdtemp(prefix="cea-exchange-settlement-"))
    yield data
    shutil.rmtree(data)


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(prog="python -m torture.settlement", description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--database", choices=tuple(VICTIMS), default="sqlite")
    parser.add_argument("--seed", type=int, help="decides who is killed when; drawn if left out")
    parser.add_argument("--data", type=Path, help="folder to keep; it must not be there yet")
    asked = parser.parse_args()
    prepare_process()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    report = SettlementReport(seed, asked.database)
    with _folder(asked.data) as data, progress("trades", asked.trades) as bar:
        SettlementRun(data, report, asked.trades, asked.kills).run(bar)
    print(json.dumps(report.as_dict(), indent=2))
    if report.faults:
        print(f"failed, seed {seed}: {report.faults[0]}", file=sys.stderr)
        return 1
    kills = sum(report.kills.values())
    print(f"passed: {report.trades} trades, {kills} kills, every balance equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
