"""Chains of trades that fail, over random days: what moves and what waits is what a model says.

The model knows the venue's records and which trades the bank refuses. It has one rule: what is
posted ahead of others leaves them, place by place, what they take before they are brought any. From
that it says after every act who holds what, and what waits; at the end, all of it moves.
"""

import os
import random
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cea_exchange.domain.records import EventKind, Reason, Side
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.registry.registry_venue import RegistryAndVenue

pytestmark = [pytest.mark.property, pytest.mark.random]

ACCOUNTS = ("alice", "bob", "carol", "dora")
PRODUCTS = ("CEA23", "CEA24")
PRICE = 500
STEPS = 60
ROUNDS = int(os.environ.get("CEA_TEST_ROUNDS", "5"))
"""Random days of each mode; a nightly run takes more."""


class Model:
    """Items as [sequence, kind, moves by place, trade id], in the venue's order."""

    def __init__(self, is_late):
        self.is_late = is_late
        self.held = Counter()
        self.waiting, self.received = [], []
        self.known = {}

    def needed(self, place, before):
        total = lowest = 0
        for item in self.waiting:
            if item[0] < before:
                total += item[2].get(place, 0)
                lowest = min(lowest, total)
        return -lowest

    def fits(self, item, *, beside_received=False):
        for place, amount in item[2].items():
            takes = 0
            if beside_received:
                takes = sum(max(0, -each[2].get(place, 0)) for each in self.received)
            if amount < 0 and self.held[place] + amount < self.needed(place, item[0]) + takes:
                return False
        return True

    def post(self, item):
        for place, amount in item[2].items():
            self.held[place] += amount

    def wait(self, item):
        self.waiting = sorted([*self.waiting, item], key=lambda each: each[0])

    def trade(self, item, refused):
        self.known[item[3]] = item
        if self.is_late:
            self.received.append(item)
        elif item[3] not in refused and self.fits(item):
            self.post(item)
        else:
            self.wait(item)

    def withdrawal(self, item):
        if self.fits(item, beside_received=True):
            self.post(item)
        else:
            self.wait(item)

    def bust(self, seq, trade_id):
        item = self.known[trade_id]
        for those in (self.waiting, self.received):
            if item in those:
                those.remove(item)
                return
        back = {place: -amount for place, amount in item[2].items()}
        self.withdrawal([seq, "bust", back, 0])

    def settle_batch(self, refused):
        records = [item for item in self.waiting if not item[3]]
        for item in sorted([*self.received, *records], key=lambda each: each[0]):
            fits = item[3] not in refused and self.fits(item)
            if item in self.received:
                self.received.remove(item)
                if not fits:
                    self.wait(item)
            elif fits:
                self.waiting.remove(item)
            if fits:
                self.post(item)

    def retry(self, refused):
        first = min((item[0] for item in self.received), default=2**63)
        is_moving = True
        while is_moving:
            is_moving = False
            for item in list(self.waiting):
                if item[0] < first and item[3] not in refused and self.fits(item):
                    self.waiting.remove(item)
                    self.post(item)
                    is_moving = True


class Days:
    """Random acts at a venue and its registry, with the model beside them."""

    def __init__(self, data, address, mode, seed):
        self.random = random.Random(seed)
        self.refused, self.busted = set(), set()
        self.both = RegistryAndVenue(data, address, mode=mode, failure_of=self.failure_of)
        self.model = Model(is_late=mode == "end_of_day")
        self.seen, self.did = 0, Counter()
        for product in PRODUCTS:
            self.both.registry.product_declare(product, PRICE)
        for account in ACCOUNTS:
            self.both.registry.account_open(account)
            for product, amount in ((None, 200_000), ("CEA23", 300), ("CEA24", 300)):
                self.both.endow(account, product, amount)
        self.both.meet()
        self.both.day_open()
        self.both.listed()
        self.look()

    def failure_of(self, trade):
        return "the bank refused: AM04" if trade.trade_id in self.refused else None

    # -- the model beside it --------------------------------------------------------------------

    def look(self):
        """Show the model the records since, and compare."""
        self.both.settle()
        for record in np.concatenate(self.both.records)[self.seen :]:
            self.shown(record)
            self.seen += 1
        self.compare()

    def shown(self, record):
        kind, seq = int(record["kind"]), int(record["settlement_seq"])
        place = int(record["account_index"]), int(record["product_index"])
        amount = int(record["cash"] if place[1] == CASH_ASSET else record["tonnes"])
        if kind == EventKind.TRADE:
            self.model.trade(self.trade_item(record), self.refused)
        elif kind == EventKind.DEPOSITED:
            self.model.held[place] += amount
        elif kind == EventKind.WITHDRAWN:
            self.model.withdrawal([seq, "withdrawal", {place: -amount}, 0])
        elif kind == EventKind.TRADE_BUSTED and record["reason"] == Reason.NONE:
            self.model.bust(seq, int(record["trade_id"]))
            self.did["undone"] += 1

    def trade_item(self, record):
        taker, maker = int(record["account_index"]), int(record["counter_account_index"])
        buyer, seller = (taker, maker) if record["side"] == Side.BUY else (maker, taker)
        product, tonnes, cash = (int(record[name]) for name in ("product_index", "tonnes", "cash"))
        moves = {
            (buyer, CASH_ASSET): -cash - int(record["buy_fee"]),
            (seller, CASH_ASSET): cash - int(record["sell_fee"]),
            (seller, product): -tonnes,
            (buyer, product): tonnes,
        }
        return [int(record["settlement_seq"]), "trade", moves, int(record["trade_id"])]

    def compare(self):
        store = self.both.registry.store
        for account in range(len(ACCOUNTS)):
            for asset in (CASH_ASSET, 0, 1):
                held = store.balance(Holding(account, asset, Compartment.TRADING))
                assert self.model.held[account, asset] == held, (account, asset)
        waiting = store.execute(
            "SELECT settlement_seq FROM trades WHERE state = 'failed' AND posted_seq = 0"
            " UNION SELECT settlement_seq FROM postponed WHERE posted_seq = 0 ORDER BY 1"
        ).fetchall()
        assert [(item[0],) for item in self.model.waiting] == waiting
        self.did["waited"] += any(not item[3] for item in self.model.waiting)
        self.did["failed"] += len(waiting) > 1

    # -- acts -----------------------------------------------------------------------------------

    def draw(self):
        account = self.random.choice(ACCOUNTS)
        product = self.random.choice((None, *PRODUCTS))
        return account, product, self.random.randint(1, 150_000 if product is None else 250)

    def trade(self):
        last = max(self.model.known, default=0)
        if self.random.random() < 0.35:
            self.refused.add(last + 1)
        seller, buyer = self.random.sample(ACCOUNTS, 2)
        product, tonnes = self.random.choice(PRODUCTS), self.random.randint(1, 250)
        self.both.trade(seller, buyer, product, tonnes, PRICE)

    def withdraw(self):
        """As much as the venue has of it, or a part."""
        account, product, amount = self.draw()
        core = self.both.venue.core.account(self.both.registry.account(account))
        if product is None and self.random.random() < 0.7:
            amount = max(1, int(core["cash"] - core["cash_locked"]))
        self.both.registry.transfer_out(account, product, amount)
        self.both.meet()

    def deposit(self):
        self.both.endow(*self.draw())
        self.both.meet()

    def cure(self):
        if self.refused:
            self.refused.discard(self.random.choice(sorted(self.refused)))
            self.retry()

    def retry(self):
        self.both.settlement.batches.retry()
        self.model.retry(self.refused)

    def bust(self):
        trades = sorted({*self.model.known} - self.busted)
        if trades:
            self.busted.add(trade := self.random.choice(trades[-12:]))
            self.both.bust(self.both.records_of_trade(trade))

    def next_day(self):
        self.both.day_close()
        self.both.settle()
        self.look_before_settling()
        self.both.next_day_open()

    def look_before_settling(self):
        for record in np.concatenate(self.both.records)[self.seen :]:
            self.shown(record)
            self.seen += 1
        if self.model.received:
            self.model.settle_batch(self.refused)
        self.compare()

    def step(self):
        acts = {
            self.trade: 30,
            self.withdraw: 14,
            self.deposit: 4,
            self.cure: 5,
            self.retry: 3,
            self.bust: 4,
            self.next_day: 10,
            self.both.checkpoint: 3,
        }
        act = self.random.choices(list(acts), list(acts.values()))[0]
        self.did[act.__name__] += 1
        act()
        self.look()

    def finish(self):
        """The bank agrees to all; who lacks what a bust took back brings it; all of it moves."""
        self.next_day()
        self.refused.clear()
        self.retry()
        self.look()
        store = self.both.registry.store
        for _ in range(20):
            lacking = self.both.registry.defaults.all()
            if not self.model.waiting:
                break
            assert lacking and self.did["undone"], self.model.waiting
            self.did["topped_up"] += 1
            for default in lacking:
                product = None if default["asset"] == "CNY" else default["asset"]
                self.both.endow(default["account"], product, default["amount"])
            self.both.meet()
            self.look()
            self.retry()
        self.look()
        assert not self.model.waiting
        assert store.one("SELECT count(*) FROM trades WHERE state = 'failed'") == 0
        assert self.both.agree(), store.state
        self.both.close()
        assert check_ledger(self.both.data).differences == []


def days_of(mode, seed, address=None, steps=STEPS):
    with tempfile.TemporaryDirectory() as folder:
        days = Days(Path(folder), address, mode, seed)
        for _ in range(steps):
            days.step()
        days.finish()
        return days.did


@pytest.mark.parametrize("mode", ["realtime", "end_of_day"])
def test_what_moves_and_what_waits_is_what_a_plain_model_says(mode):
    """CEA-STL-06, CEA-STL-07, CEA-STL-09."""
    did = Counter()
    for seed in range(ROUNDS):
        did += days_of(mode, seed)
    for what in ("trade", "withdraw", "bust", "cure", "waited", "failed", "undone"):
        assert did[what] > 0, did


@pytest.mark.parametrize("mode", ["realtime", "end_of_day"])
def test_on_postgresql_too(postgres_address, mode):
    """CEA-STL-09."""
    days_of(mode, 11, postgres_address, steps=30)
