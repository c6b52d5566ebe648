"""Balances as of any sequence are what brute force gives, wherever snapshots lie."""

import random
import time

import pytest

from cea_exchange.institution.clock import GivenClock
from cea_exchange.ledger import history as history_module
from cea_exchange.ledger import store as store_module
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Holding, legs_of
from cea_exchange.ledger.history import (
    balance_as_of,
    balances_as_of,
    balances_at_date,
    entry_at_date,
    entry_at_settlement,
)
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import (
    ALICE,
    BOB,
    LOG_ID,
    registry_prepare,
    venue_with_deposits,
)

DAYS = (2025_07_14, 2025_07_15, 2025_07_16, 2025_07_17)


@pytest.fixture
def data(tmp_path, database_address):
    registry_prepare(tmp_path, database_address)
    return tmp_path


def days_settled(store, rng):
    """Trades and acts of some days, with snapshots at random places."""
    venue = venue_with_deposits()
    registry = Registry(store, admission="open")
    settlement = Settlement(store)
    for date in DAYS:
        for _ in range(rng.randrange(1, 12)):
            venue.trade(1, buyer=ALICE, buy_fee=rng.randrange(3), trading_date=date)
        settlement.apply(LOG_ID, venue.records[store.last_seq :])
        if rng.random() < 0.7:
            registry.ledger.clock = GivenClock(lambda date=date: noon_ns(date))
            registry.pay_in("bob", rng.randrange(1, 99))
        if rng.random() < 0.6:
            with store.transaction():
                store.snapshot()


def noon_ns(date):
    """Noon in Shanghai, in July 2025."""
    return (1_752_465_600 + (date - DAYS[0]) * 86_400) * 1_000_000_000


@pytest.mark.parametrize("seed", [1, 2])
def test_any_balance_as_of_any_entry_is_the_sum_of_the_postings_up_to_it(data, seed):
    with RegistryStore.open(data) as store:
        days_settled(store, random.Random(seed))
        postings = store.execute("SELECT * FROM postings ORDER BY posting_id").fetchall()
        assert store.one("SELECT count(*) FROM snapshots") > 0
        held = {}
        for entry_id in range(store.entry_last + 3):
            for posting_id, account, asset, compartment, amount in postings:
                if posting_id // 8 == entry_id:
                    holding = Holding(account, asset, compartment)
                    held[holding] = held.get(holding, 0) + amount
            expected = sorted((*holding, amount) for holding, amount in held.items() if amount)
            found = [(*holding, amount) for holding, amount in
                     balances_as_of(store.database, entry_id)]  # fmt: skip
            assert expected == found
            if entry_id % 7 == 0:
                for holding in (*held, Holding(BOB, 3, 1)):
                    as_of = balance_as_of(store.database, holding, entry_id)
                    assert held.get(holding, 0) == as_of


def test_the_last_entry_of_a_sequence_or_a_day(data):
    with RegistryStore.open(data) as store:
        days_settled(store, random.Random(5))
        rows = store.execute(
            "SELECT entry_id, settlement_seq, business_date FROM entries ORDER BY entry_id"
        ).fetchall()
        assert len({date for *_, date in rows[6:]}) == len(DAYS)
        for seq in range(-1, store.last_seq + 2):
            expected = max((entry for entry, at, _ in rows if at <= seq), default=0)
            assert expected == entry_at_settlement(store.database, seq)
        for date in (0, DAYS[0] - 1, *DAYS, DAYS[-1] + 1, 2099_12_31):
            expected = max((entry for entry, _, on in rows if on <= date), default=0)
            assert expected == entry_at_date(store.database, date)


def test_an_empty_ledger_has_nothing_at_any_time(registry):
    database = registry.store.database
    assert 0 == entry_at_settlement(database, 9) == entry_at_date(database, 2099_12_31)
    assert [] == list(balances_as_of(database, 9))
    assert 0 == balance_as_of(database, Holding(0, 0, 1), 9)


def test_a_snapshot_is_kept_every_so_many_entries(data, monkeypatch):
    """And only in a transaction that is committed."""
    monkeypatch.setattr(store_module, "SNAPSHOT_ENTRY_COUNT", 5)
    with RegistryStore.open(data) as store:
        registry = Registry(store, admission="open")

        def kept():
            return [row[0] for row in store.execute("SELECT entry_id FROM snapshots ORDER BY 1")]

        assert [] == kept()
        registry.pay_in("bob", 1)
        assert [5] == kept()
        for number in range(4):
            registry.pay_in("bob", 1 + number)
        assert [5] == kept()
        with pytest.raises(ZeroDivisionError), registry.transaction():
            registry.pay_in("bob", 1)
            raise ZeroDivisionError
        assert [5] == kept() and store.entry_last == 9
        with registry.transaction():
            for number in range(7):
                registry.pay_in("bob", 1 + number)
        assert [5, 16] == kept()
    assert [] == check_ledger(data).differences
    with RegistryStore.open(data) as store:
        assert store._snapshot_last == 16
        rows = store.execute("SELECT * FROM balances ORDER BY 1, 2, 3").fetchall()
        assert rows == store.balances.rows()


def test_what_came_while_no_day_was_open_is_of_none(registry):
    store = registry.store
    issue = (EntryKind.ISSUE, Institution.ISSUANCE, 0, 0, 5)
    for date in (2026_01_05, 0):
        with registry.transaction():
            store.entry_add(issue[0], legs_of(*issue), settlement_seq=0, business_date=date)
    assert [0, 1] == [entry_at_date(store.database, date) for date in (2026_01_04, 2026_01_05)]


def pay_in(store, account, amount, business_date):
    """An entry of a day, whatever day it is for the registry."""
    legs = legs_of(EntryKind.PAY_IN, int(Institution.BANK), account, CASH_ASSET, amount)
    return store.entry_add(EntryKind.PAY_IN, legs, settlement_seq=0, business_date=business_date)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_balances_at_a_date_are_what_its_entries_and_those_before_the_next_day_sum_to(
    registry, seed, monkeypatch
):
    """Days mix: what is of an earlier day and comes later counts, wherever snapshots lie."""
    monkeypatch.setattr(history_module, "SNAPSHOT_ENTRY_COUNT", 4)
    rng, store = random.Random(seed), registry.store
    for name in ("alice", "bob"):
        registry.account_open(name)
    made = []
    with registry.transaction():
        for day in range(60):
            date = DAYS[min(day // 15, 3)] if rng.random() < 0.6 else rng.choice((0, *DAYS))
            account, amount = rng.randrange(2), rng.randrange(1, 99)
            made.append((pay_in(store, account, amount, date), account, amount, date))
            if rng.random() < 0.1:
                store.snapshot()
    for date in (DAYS[0] - 1, *DAYS, DAYS[-1] + 1):
        first_later = min((entry for entry, *_, on in made if on > date), default=None)
        last = max((entry for entry, *_, on in made if 1 <= on <= date), default=0)
        known = last if first_later is None else first_later - 1
        expected = {0: 0, 1: 0}
        for entry, account, amount, on in made:
            if entry <= known or 1 <= on <= date:
                expected[account] += amount
        for account, amount in expected.items():
            place = Holding(account, CASH_ASSET, int(Compartment.REGISTRATION))
            assert amount == balances_at_date(store.database, date, account).get(place, 0)
            assert amount == balances_at_date(store.database, date).get(place, 0)
    assert [] == list(findings(store, "entry_days"))


def test_a_day_taken_back_with_its_entry_is_kept_with_the_next(registry):
    registry.account_open("alice")
    store = registry.store
    with registry.transaction():
        pay_in(store, 0, 5, DAYS[0])
    with pytest.raises(ZeroDivisionError), registry.transaction():
        pay_in(store, 0, 5, DAYS[1])
        raise ZeroDivisionError
    with registry.transaction():
        pay_in(store, 0, 5, DAYS[1])
    rows = store.execute("SELECT * FROM entry_days ORDER BY 1").fetchall()
    assert [(1, DAYS[0]), (2, DAYS[1])] == rows and [] == list(findings(store, "entry_days"))


def test_days_kept_otherwise_than_the_entries_say_are_found(registry):
    registry.account_open("alice")
    store = registry.store
    with registry.transaction():
        for date in DAYS:
            pay_in(store, 0, 5, date)
    changed(store, f"INSERT INTO entry_days VALUES (9, {DAYS[0]})")
    assert ["entry 9: entry_days must say its day"] == list(findings(store, "entry_days"))


def test_a_balance_at_a_date_is_found_without_reading_the_ledger(registry):
    """A long ledger of many days: what is read is what balances as of an entry read."""
    registry.account_open("alice")
    store, count, per_day = registry.store, 400_000, 1_000
    days = [2001_01_01 + 100 * (n // 25) + n % 25 for n in range(count // per_day)]
    with registry.transaction():
        rows = ((n, 2, 0, days[(n - 1) // per_day], 0, 0, 0, 0, "", 1) for n in range(1, count + 1))
        store.insert("entries", rows)
        store.insert("entry_days", [(1 + n * per_day, date) for n, date in enumerate(days)])
        cash = int(CASH_ASSET)
        legs = ((8 * n + leg, account, cash, 0, sign) for n in range(1, count + 1)
                for leg, account, sign in ((0, -2, -1), (1, 0, 1)))  # fmt: skip
        store.insert("postings", legs)
        for entry in range(32_768, count, 32_768):
            store.insert("snapshots", [(entry, 0, 20010101)])
            store.insert("snapshot_balances", [(entry, -2, cash, 0, -entry),
                                               (entry, 0, cash, 0, entry)])  # fmt: skip
    assert [] == list(findings(store, "entry_days"))
    began = time.process_time()
    for number in range(0, len(days), 40):
        held = balances_at_date(store.database, days[number], 0)
        assert {Holding(0, CASH_ASSET, 0): (number + 1) * per_day} == held
    assert 0.1 > (time.process_time() - began) / 10
