"""Whatever the market does, the registry settles it to the same holdings, at every sequence.

However often it is restarted or taken down in a commit meanwhile; and what an auditor runs by hand
finds nothing then.
"""

import random
import tempfile
from pathlib import Path
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.domain.naming import name_key
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Phase,
    Side,
)
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.venue_link.stream_settlement import SettlementGap
from cea_exchange.ledger import store as store_module
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.registry.reconciliation.reconcile import Reconciliation, check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.holdings_hash import holdings_hash
from cea_exchange.registry.settlement.settlement import Settlement
from support.registry.audit_queries import audit_findings

pytestmark = pytest.mark.property

ACCOUNTS = ["alice", "bob", "carol", "dora"]
PRODUCTS = {"CEA23": 9749, "CEA24": 500}
STEPS = 250


class TakenDown(Exception):
    """Raised at a point of a commit; what was not committed is gone."""


def index_of(product: str | None) -> int:
    return PRODUCT_NONE if product is None else list(PRODUCTS).index(product)


class Both:
    """A market and a registry, joined by the feed and the settlement stream."""

    def __init__(self, data: Path, seed: int, database: str | None = None) -> None:
        self.random = random.Random(seed)
        self.data, self.database = data, database
        self.restarts = -1
        self.open()
        rules = msgspec.structs.replace(load_profile("cea").rules, fee_bp=30, fee_min_fen=500)
        self.market = ReferenceMarket(rules)
        self.client_order_id = 0
        self.settled: list[np.ndarray] = []
        self.trades: list[np.void] = []
        self.busted: set[int] = set()
        self.date = 2025_07_14
        for product, price in PRODUCTS.items():
            self.registry.product_declare(product, price)
            self.market.product_declare(name_key(product), price)
        for account in ACCOUNTS:
            self.registry.account_open(account)
            self.market.account_declare(name_key(account))
        for account in range(len(ACCOUNTS)):
            for product in (None, *PRODUCTS):
                self.endow(account, product, 5_000_000 if product is None else 300)

    def open(self) -> None:
        self.restarts += 1
        self.registry = Registry.open(self.data, self.database, admission="open")
        self.settlement = Settlement(self.registry.store, self.at_point)

    def restart(self) -> None:
        self.registry.close()
        self.open()

    def at_point(self, name: str) -> None:
        if self.random.random() < 0.01:
            raise TakenDown(name)

    def settle(self, records: np.ndarray) -> None:
        while True:
            try:
                self.settlement.apply("log", records)
                return
            except TakenDown:
                self.restart()

    def take(self, events: np.ndarray) -> None:
        """Settle what the market says, in pieces and repeated as it may come."""
        rows = events[events["settlement_seq"] != 0]
        if not len(rows):
            return
        self.settled.append(rows.copy())
        self.trades += list(rows[rows["kind"] == EventKind.TRADE])
        if self.random.random() < 0.5:
            everything = np.concatenate(self.settled)
            try:
                self.settle(everything[-self.random.randint(1, 40) :])
            except SettlementGap as gap:
                self.settle(everything[gap.expected - 1 :])

    def transfer(self) -> None:
        """Issue or pay in and send to the venue, or ask something back."""
        account = self.random.randrange(len(ACCOUNTS))
        product = self.random.choice([None, *PRODUCTS])
        amount = self.random.choice([1, 500, 20_000, 5_000_000])
        if self.random.random() < 0.7:
            self.endow(account, product, amount)
        else:
            seq = self.registry.transfer_out(ACCOUNTS[account], product, amount)
            self.take(self.market.withdraw(account, index_of(product), amount, transfer_seq=seq))

    def endow(self, account: int, product: str | None, amount: int) -> None:
        if product is None:
            self.registry.pay_in(ACCOUNTS[account], amount)
        else:
            self.registry.issue(ACCOUNTS[account], product, amount)
        seq = self.registry.transfer_in(ACCOUNTS[account], product, amount)
        self.take(self.market.deposit(account, index_of(product), amount, transfer_seq=seq))

    def order(self) -> None:
        product = self.random.randrange(len(PRODUCTS))
        side, account = self.random.choice(list(Side)), self.random.randrange(len(ACCOUNTS))
        price = list(PRODUCTS.values())[product] + self.random.randint(-3, 3)
        self.enter(account, side, product, price, self.random.choice([1, 7, 100]))

    def spend_all(self, trade: np.void) -> None:
        """Let a trade's seller bid low with all the cash there is."""
        seller = "counter_account_index" if trade["side"] == Side.BUY else "account_index"
        account = self.market.account(int(trade[seller]))
        product = int(trade["product_index"])
        price = self.market.product(product)["band_low"]
        tonnes = (account["cash"] - account["cash_locked"]) * 99 // 100 // price
        self.enter(int(trade[seller]), Side.BUY, product, price, tonnes)

    def enter(self, account: int, side: Side, product: int, price: int, tonnes: int) -> None:
        command = np.zeros(1, COMMAND_DTYPE)
        self.client_order_id += 1
        command["kind"], command["side"] = CommandKind.ENTER, side
        command["account_index"] = account
        command["product_index"] = product
        command["client_order_id"] = self.client_order_id
        command["price"] = price
        command["tonnes"] = tonnes
        events = np.zeros(200, EVENT_DTYPE)
        consumed, produced = self.market.process(command, events)
        assert 1 == consumed
        self.take(events[:produced])

    def next_day(self) -> None:
        if self.market.day_is_open:
            self.take(self.market.day_close())
            self.take(self.market.checkpoint())
        self.date += 1
        self.take(self.market.day_open(self.date))
        self.take(self.market.phase_set(Phase.LISTED))

    def suspend_or_restore(self) -> None:
        account = self.random.randrange(len(ACCOUNTS))
        act = self.market.suspend if self.random.random() < 0.4 else self.market.restore
        self.take(act(account))

    def bust(self) -> None:
        """Undo a trade of today or of long ago, once; or find that it can't be."""
        trades = [row for row in self.trades if int(row["trade_id"]) not in self.busted]
        if trades:
            trade = self.random.choice([trades[-1], self.random.choice(trades)])
            if self.random.random() < 0.3:
                self.spend_all(trade)
            self.busted.add(int(trade["trade_id"]))
            self.take(self.market.trade_bust(trade.tobytes()))

    def step(self) -> None:
        draw = self.random.random()
        if draw < 0.2:
            self.transfer()
        elif draw < 0.94:
            self.order()
        elif draw < 0.96:
            self.next_day()
        elif draw < 0.975:
            self.bust()
        elif draw < 0.985:
            self.suspend_or_restore()
        elif draw < 0.99:
            self.restart()
        else:
            self.take(self.market.checkpoint())

    def finish(self) -> None:
        """Settle what is left, up to a last checkpoint."""
        self.take(self.market.day_close())
        self.take(self.market.checkpoint())
        everything = np.concatenate(self.settled)
        self.settle(everything)
        assert self.market.settlement_seq == self.registry.store.last_seq == len(everything)
        assert self.market.holdings_hash() == holdings_hash(self.registry.store)
        assert self.date == self.registry.store.confirmed_date
        self.snapshots = self.registry.store.one("SELECT count(*) FROM snapshots")
        assert {} == audit_findings(self.registry.store)


def day_of(seed: int, database: str | None = None) -> tuple[Both, Reconciliation]:
    """Run random days; return them, and what the ledger has."""
    with (
        tempfile.TemporaryDirectory() as folder,
        # Several in a day of so few entries.
        patch.object(store_module, "SNAPSHOT_ENTRY_COUNT", 40),
    ):
        both = Both(Path(folder), seed, database)
        try:
            both.next_day()
            for _ in range(STEPS):
                both.step()
            both.finish()
        finally:
            both.registry.close()
        found = check_ledger(folder)
        assert [] == found.differences
        return both, found


@settings(max_examples=6)
@given(seed=st.integers(0, 2**32))
def test_registry_and_market_hold_the_same_at_every_checkpoint(seed):
    day_of(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [1, 2])
def test_in_postgresql_they_do_too(postgres_address, seed):
    day_of(seed, postgres_address)


def test_the_random_days_do_everything_that_settles():
    kinds, trades, undone, claims, restarts, snapshots = set(), 0, 0, 0, 0, 0
    for seed in range(6):
        both, found = day_of(seed)
        kinds |= {int(kind) for kind in np.concatenate(both.settled)["kind"]}
        restarts += both.restarts
        snapshots += both.snapshots
        trades += found.trades
        undone += found.busted
        claims += found.claims
    assert {
        EventKind.TRADE,
        EventKind.TRADE_BUSTED,
        EventKind.DEPOSITED,
        EventKind.WITHDRAWN,
        EventKind.TRANSFER_REJECTED,
        EventKind.DAY_OPENED,
        EventKind.DAY_CLOSED,
        EventKind.CHECKPOINT,
    } == kinds
    assert trades > 50 and undone > 5 and claims > 0
    assert restarts > 6 and snapshots > 6


def test_holdings_are_refused_where_the_registry_has_none(tmp_path):
    with Both(tmp_path, 0).registry as registry, pytest.raises(ActError):
        registry.transfer_in("alice", "CEA23", 1)
