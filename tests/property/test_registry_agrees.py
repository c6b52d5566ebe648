"""Whatever the market does, the registry settles it to the same holdings, at every sequence."""

import random
import tempfile
from pathlib import Path

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
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.registry.acts import ActError, Registry
from cea_exchange.registry.reconcile import check_ledger
from cea_exchange.registry.settlement import Settlement, SettlementGap

ACCOUNTS = ["alice", "bob", "carol", "dora"]
PRODUCTS = {"CEA23": 9749, "CEA24": 500}
STEPS = 250


def index_of(product: str | None) -> int:
    return PRODUCT_NONE if product is None else list(PRODUCTS).index(product)


class Both:
    """A market and a registry, joined by the feed and the settlement stream."""

    def __init__(self, data: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.registry = Registry.open(data)
        self.settlement = Settlement(self.registry.store)
        rules = msgspec.structs.replace(load_profile("cea").rules, fee_bp=30, fee_min_fen=500)
        self.market = ReferenceMarket(rules)
        self.client_order_id = 0
        self.settled: list[np.ndarray] = []
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

    def take(self, events: np.ndarray) -> None:
        """Settle what the market says, in pieces and repeated as it may come."""
        rows = events[events["settlement_seq"] != 0]
        if not len(rows):
            return
        self.settled.append(rows.copy())
        if self.random.random() < 0.5:
            everything = np.concatenate(self.settled)
            try:
                self.settlement.apply("log", everything[-self.random.randint(1, 40) :])
            except SettlementGap as gap:
                self.settlement.apply("log", everything[gap.expected - 1 :])

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
        reference = list(PRODUCTS.values())[product]
        command = np.zeros(1, COMMAND_DTYPE)
        self.client_order_id += 1
        command["kind"], command["side"] = CommandKind.ENTER, self.random.choice(list(Side))
        command["account_index"] = self.random.randrange(len(ACCOUNTS))
        command["product_index"] = product
        command["client_order_id"] = self.client_order_id
        command["price"] = reference + self.random.randint(-3, 3)
        command["tonnes"] = self.random.choice([1, 7, 100])
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

    def step(self) -> None:
        draw = self.random.random()
        if draw < 0.2:
            self.transfer()
        elif draw < 0.94:
            self.order()
        elif draw < 0.96:
            self.next_day()
        elif draw < 0.97:
            self.suspend_or_restore()
        else:
            self.take(self.market.checkpoint())

    def finish(self) -> None:
        """Settle what is left, up to a last checkpoint."""
        self.take(self.market.day_close())
        self.take(self.market.checkpoint())
        everything = np.concatenate(self.settled)
        self.settlement.apply("log", everything)
        assert self.market.settlement_seq == self.registry.store.last_seq == len(everything)
        assert self.market.holdings_hash() == self.registry.store.holdings_hash(len(everything))
        assert self.date == self.registry.store.confirmed_date


def day_of(seed: int) -> tuple[set[int], int]:
    """Run a random day; return the kinds of records that were settled, and how many trades."""
    with tempfile.TemporaryDirectory() as folder:
        both = Both(Path(folder), seed)
        with both.registry:
            both.next_day()
            for _ in range(STEPS):
                both.step()
            both.finish()
        found = check_ledger(folder)
        assert [] == found.differences
        return {int(kind) for kind in np.concatenate(both.settled)["kind"]}, found.trades


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_registry_and_market_hold_the_same_at_every_checkpoint(seed):
    day_of(seed)


def test_the_random_days_do_everything_that_settles():
    kinds, trades = set(), 0
    for seed in range(3):
        more, count = day_of(seed)
        kinds |= more
        trades += count
    assert {
        EventKind.TRADE,
        EventKind.DEPOSITED,
        EventKind.WITHDRAWN,
        EventKind.TRANSFER_REJECTED,
        EventKind.DAY_OPENED,
        EventKind.DAY_CLOSED,
        EventKind.CHECKPOINT,
    } == kinds
    assert trades > 50


def test_holdings_are_refused_where_the_registry_has_none(tmp_path):
    with Both(tmp_path, 0).registry as registry, pytest.raises(ActError):
        registry.transfer_in("alice", "CEA23", 1)
