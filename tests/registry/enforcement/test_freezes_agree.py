"""Freezes and recalls over random days: what is taken, when and for whom a plain model says too.

The model knows the entries that bring something into registration accounts, the orders of courts,
what was determined, and the queue; what was frozen or recalled, and which trades failed, it says by
itself.
"""

import datetime
import random
import tempfile
from collections import Counter, deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.records import EventKind
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.registry.allocation_files import allocation_file
from support.registry.registry_venue import RegistryAndVenue

pytestmark = pytest.mark.property

ACCOUNTS = ("alice", "bob", "carol")
PRODUCTS = ("CEA23", "CEA24")
PRICE = 500
COURT = {"order": "E 1", "court": "a court"}
STEPS = 100
LEAVE = {EntryKind.TRANSFER_BEGUN, EntryKind.SET_ASIDE}
ARRIVE = {
    *(EntryKind.ISSUE, EntryKind.PAY_IN, EntryKind.TRANSFER_RETURNED, EntryKind.WITHDRAWN),
    *(EntryKind.SET_FREE, EntryKind.RELEASED, EntryKind.DEDUCTED, EntryKind.ENFORCED),
    EntryKind.DISTRIBUTED,
}


class Model:
    """Freezes as lists of [id, place, wanted, held], recalls as [day, place, owed]; holdings."""

    def __init__(self):
        self.free, self.trading = Counter(), Counter()
        self.queue, self.recalls = [], []
        self.since = {}  # freeze -> the day of its order
        self.due = deque()
        self.waiting = []
        self.failed = self.recalled_later = 0

    def asked(self, place):
        return sum(wanted - held for _, where, wanted, held in self.queue if where == place)

    def arrived(self, place):
        """What lies free goes to the first that wants it."""
        freezes = [(self.since[freeze[0]], 0, freeze) for freeze in self.queue]
        recalls = [(recall[0], 1, recall) for recall in self.recalls]
        for _day, is_recall, each in sorted((*freezes, *recalls), key=lambda row: row[:2]):
            left = each[2] if is_recall else each[2] - each[3]
            share = min(left, self.free[place]) if each[1] == place else 0
            if share <= 0:
                continue
            self.free[place] -= share
            if is_recall:
                each[2] -= share
                self.due.append((place, share, "recall"))
            else:
                each[3] += share
                self.due.append((place, share, f"freeze {each[0]}"))

    def entry(self, kind, account, counter, asset, amount, reference):
        place = (account, asset)
        if kind == EntryKind.FROZEN:
            assert (place, amount, reference) == self.due.popleft()
            return
        if kind == EntryKind.RECALLED:
            self.recalled(place, amount, reference.partition(" ")[0])
            return
        assert not self.due, (kind, place, self.due)
        if kind in LEAVE:
            self.free[place] -= amount
        if kind == EntryKind.DEPOSITED:
            self.trading[place] += amount
        if kind == EntryKind.WITHDRAWN:
            self.trading[place] -= amount
        if kind in ARRIVE:
            self.free[counter, asset] += amount
            self.arrived((counter, asset))

    def needed(self, place):
        """What those that wait will take there, one after the other, beyond what they bring."""
        total = lowest = 0
        for moves in self.waiting:
            total += moves.get(place, 0)
            lowest = min(lowest, total)
        return -lowest

    def withdrawal_waits(self, place, amount):
        """What the venue let go stays here as long as those that wait need it."""
        waits = self.trading[place] - amount < self.needed(place)
        if waits:
            self.waiting.append({place: -amount})
        return waits

    def recalled(self, place, amount, act):
        """By a distribution, of what lay there; or later, as it has come; then on to the sink."""
        if place[0] < 0:
            return
        if act == "distribution":
            self.free[place] -= amount
        else:
            assert (place, amount, act) == self.due.popleft()
            self.recalled_later += 1

    def trade(self, buyer, seller, product, tonnes, cash, failure):
        legs = {(seller, product): tonnes, (buyer, CASH_ASSET): cash}
        fails = any(
            self.asked(place) and self.trading[place] - leaving < self.asked(place)
            for place, leaving in legs.items()
        )
        lacks = any(
            self.trading[place] - leaving < self.needed(place) for place, leaving in legs.items()
        )
        assert fails == ("frozen by" in failure)
        assert (fails or lacks) == bool(failure), failure
        self.failed += fails
        if not failure:
            for place, leaving in legs.items():
                self.trading[place] -= leaving
            self.trading[buyer, product] += tonnes
            self.trading[seller, CASH_ASSET] += cash
        else:
            brings = {(buyer, product): tonnes, (seller, CASH_ASSET): cash}
            self.waiting.append({place: -taken for place, taken in legs.items()} | brings)


class Days:
    """Random acts at both sides, with whatever lag between them."""

    def __init__(self, data, address, seed):
        self.random = random.Random(seed)
        self.both = RegistryAndVenue(data, address)
        self.model = Model()
        self.entries_seen = self.trades_seen = 0
        self.did = Counter()
        for product in PRODUCTS:
            self.both.registry.product_declare(product, PRICE)
        for account in ACCOUNTS:
            self.both.registry.account_open(account, province=11)
            for product, amount in ((None, 2_000_000), ("CEA23", 2_000), ("CEA24", 2_000)):
                self.both.endow(account, product, amount)
        self.determined = dict.fromkeys(ACCOUNTS, 4_000)
        self.both.registry.distribution.issue("CEA24", 20_000)
        self.determine("final", self.determined)
        for account in ACCOUNTS:
            self.both.registry.transfer_in(account, "CEA24", 3_000)
        self.both.meet()
        self.both.day_open()
        self.both.listed()
        self.look()

    # -- the model beside it --------------------------------------------------------------------

    def look(self):
        """Show the model what was posted and received since, in the order it happened."""
        store = self.both.registry.store
        entries = deque(
            store.execute(
                "SELECT settlement_seq, kind, account_index, counter_index, asset_index, amount,"
                " reference FROM entries WHERE entry_id > ? ORDER BY entry_id",
                (self.entries_seen,),
            ).fetchall()
        )
        self.entries_seen += len(entries)
        trades = store.execute(
            "SELECT settlement_seq, buyer_index, seller_index, product_index, tonnes,"
            " cash + buy_fee, failure FROM trades WHERE settlement_seq > ?"
            " ORDER BY settlement_seq",
            (self.trades_seen,),
        ).fetchall()
        for seq, *trade in sorted([*trades, *self.withdrawn()]):
            while entries and entries[0][0] < seq:
                self.model.entry(*entries.popleft()[1:])
            self.trades_seen = seq
            if len(trade) == 2:
                is_posted = bool(entries) and entries[0][:2] == (seq, EntryKind.WITHDRAWN)
                waits = self.model.withdrawal_waits(*trade)
                assert is_posted != waits
                self.did["waiting"] += waits
                continue
            self.model.trade(*trade)
            if not trade[-1]:
                assert EntryKind.TRADE == entries.popleft()[1]
        for _seq, *entry in entries:
            self.model.entry(*entry)
        assert not self.model.due, self.model.due

    def withdrawn(self):
        """What the venue let go, in records that the registry has taken since."""
        last = self.both.registry.store.last_seq
        for records in self.both.records:
            for record in records[records["kind"] == EventKind.WITHDRAWN]:
                seq, account = int(record["settlement_seq"]), int(record["account_index"])
                if self.trades_seen < seq <= last:
                    asset = int(record["product_index"])
                    amount = record["cash"] if asset == CASH_ASSET else record["tonnes"]
                    yield seq, (account, asset), int(amount)

    def check(self):
        """What the registry holds is what the model says."""
        held = Counter()
        for _, place, _, amount in self.model.queue:
            held[place] += amount
        registry = self.both.registry
        for account in ACCOUNTS:
            for product in (None, *PRODUCTS):
                place = registry.account(account), registry.asset(product)
                wherever = [
                    self.both.held(account, product, each)
                    for each in (
                        Compartment.REGISTRATION,
                        Compartment.TRADING,
                        Compartment.JUDICIAL,
                    )
                ]
                model = self.model
                assert [model.free[place], model.trading[place], held[place]] == wherever

    # -- acts -----------------------------------------------------------------------------------

    def draw(self):
        account = self.random.choice(ACCOUNTS)
        product = self.random.choice((None, *PRODUCTS))
        most = 1_000_000 if product is None else 1_500
        return account, product, self.random.randint(1, most)

    def freeze(self, *place):
        account, product, amount = self.draw()
        account, product = place or (account, product)
        amount = None if self.random.random() < 0.15 else amount
        last_day = self.both.day + datetime.timedelta(days=self.random.randint(0, 2))
        until = date_number(last_day.date())
        registry = self.both.registry
        place = registry.account(account), registry.asset(product)
        number = registry.enforcement.freeze(account, product, amount, **COURT, until=until)
        wanted = 2**62 - 1 if amount is None else amount
        self.model.since[number] = self.both.date
        self.model.queue.append([number, place, wanted, 0])
        self.model.arrived(place)

    def determine(self, stage, tonnes):
        service = self.both.registry.distribution
        source = allocation_file(stage, tonnes, entities=dict.fromkeys(ACCOUNTS, 11))
        service.distribute(service.preview(source).preview_id)

    def recall(self):
        """Less is determined for somebody: what lies there goes, the rest is owed from now on."""
        account = self.random.choice(ACCOUNTS)
        excess = self.random.randint(0, min(900, self.determined[account]))
        if not excess:
            return
        registry = self.both.registry
        place = registry.account(account), registry.asset("CEA24")
        left = excess - min(excess, self.model.free[place])
        self.determined[account] -= excess
        self.determine("adjustment", {account: self.determined[account]})
        if left:
            self.model.recalls.append([self.both.date, place, left])

    def release(self):
        if not self.model.queue:
            return
        freeze = self.random.choice(self.model.queue)
        number, _place, wanted, held = freeze
        whole = wanted > 2**61 or wanted == 1 or self.random.random() < 0.5
        amount = None if whole else self.random.randint(1, wanted - 1)
        back = held if whole else max(0, amount - (wanted - held))
        if whole:
            self.model.queue.remove(freeze)
        else:
            freeze[2:] = wanted - amount, held - back
        assert back == self.both.registry.enforcement.release(number, amount, **COURT)

    def deduct(self):
        holding = [freeze for freeze in self.model.queue if freeze[3]]
        if not holding:
            return
        freeze = self.random.choice(holding)
        number, place, _wanted, held = freeze
        to = self.random.choice([each for each in range(len(ACCOUNTS)) if each != place[0]])
        amount = self.random.randint(1, held)
        freeze[2] -= amount
        freeze[3] -= amount
        if not freeze[2]:
            self.model.queue.remove(freeze)
        self.both.registry.enforcement.deduct(number, amount, ACCOUNTS[to], **COURT)

    def dispose(self):
        account, product, amount = self.draw()
        dispositions = self.both.registry.dispositions
        product = product or "CEA23"
        number = dispositions.cancellation_apply(account, product, amount, purpose="a fair")
        if self.random.random() < 0.5:
            dispositions.refuse(number, why="no")
        elif self.random.random() < 0.5:
            dispositions.approve(number)

    def bring(self):
        account, product, amount = self.draw()
        registry = self.both.registry
        if product is None:
            registry.pay_in(account, amount)
        else:
            registry.issue(account, product, amount)

    def transfer_in(self):
        self.both.registry.transfer_in(*self.draw())

    def transfer_out(self):
        """An owner's; also of what a failed trade brought him, which isn't his here yet."""
        self.both.registry.transfer_out(*self.draw())

    def order(self):
        for _ in range(3):
            account, product, amount = self.draw()
            side = self.random.choice(("buy", "sell"))
            price = PRICE + self.random.randint(-2, 2)
            self.both.enter(account, side, product or "CEA23", price, amount // 3 % 500 + 1)

    def clash(self):
        """A trade is made, and a court takes hold of one side of it before it settles."""
        seller, buyer = self.random.sample(ACCOUNTS, 2)
        product, tonnes = self.random.choice(PRODUCTS), self.random.randint(1, 300)
        self.both.trade(seller, buyer, product, tonnes, PRICE)
        side = (seller, product) if self.random.random() < 0.5 else (buyer, None)
        self.freeze(*side)

    def next_day(self):
        """The day ends; what expires with it, the model ends too, and looks before and after."""
        both = self.both
        both.day_close()
        both.meet()
        self.look()
        self.date_moves()
        both.day_open()
        self.some_pass()
        both.listed()

    def date_moves(self):
        self.both.day += datetime.timedelta(days=1)
        for number in self.both.registry.enforcement.expire():
            (freeze,) = (each for each in self.model.queue if each[0] == number)
            self.model.queue.remove(freeze)
            self.did["expired"] += 1

    def some_pass(self):
        if self.random.random() < 0.6:
            self.both.feed(self.random.randint(1, 5))
        if self.random.random() < 0.6:
            self.both.settle(self.random.randint(1, 12))

    def step(self):
        acts = {
            self.freeze: 8,
            self.release: 6,
            self.deduct: 6,
            self.dispose: 3,
            self.bring: 8,
            self.transfer_in: 10,
            self.transfer_out: 4,
            self.order: 30,
            self.clash: 8,
            self.recall: 5,
            self.next_day: 6,
            self.both.restart: 3,
            self.both.checkpoint: 2,
        }
        act = self.random.choices(list(acts), list(acts.values()))[0]
        self.look()
        try:
            act()
            self.did[act.__name__] += 1
        except ActError as error:
            assert "to hold" in str(error) or "to owe no recall" in str(error)
        self.look()
        self.some_pass()
        self.look()

    def finish(self):
        """Everything passes; both hold the same, and the ledger is what its causes say."""
        self.both.meet()
        self.look()
        self.check()
        owed = Counter()
        for _day, place, tonnes in self.model.recalls:
            owed[place] += tonnes
        assert +owed == self.both.registry.arrivals.recalls.owed()
        self.did["recalled later"] += self.model.recalled_later
        assert self.both.agree(), self.both.registry.store.state
        self.both.close()
        found = check_ledger(self.both.data)
        assert [] == found.differences
        self.did["failed"] += self.model.failed


def days_of(seed, address=None, steps=STEPS):
    with tempfile.TemporaryDirectory() as folder:
        days = Days(Path(folder), address, seed)
        for _ in range(steps):
            days.step()
        days.finish()
        return days.did


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32))
def test_freezes_take_what_a_plain_model_says(seed):
    days_of(seed)


def test_on_postgresql_too(postgres_address):
    days_of(7, postgres_address, steps=60)


def test_the_random_days_do_all_there_is():
    did = Counter()
    for seed in (0, 7, 17):
        did += days_of(seed)
    acts = ("freeze", "release", "deduct", "dispose", "bring", "transfer_in", "transfer_out")
    ends = ("expired", "failed", "recalled later", "waiting")
    for what in (*acts, "order", "recall", "next_day", "restart", *ends):
        assert did[what] > 0, did
