"""Balances as of any sequence are what brute force gives, wherever snapshots lie."""

import random

import pytest
from settlement_records import ALICE, BOB, LOG_ID, registry_prepare, venue_with_deposits

from cea_exchange.registry import store as store_module
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.clock import GivenClock
from cea_exchange.registry.history import (
    balance_as_of,
    balances_as_of,
    entry_at_date,
    entry_at_settlement,
)
from cea_exchange.registry.institutions import Institution
from cea_exchange.registry.ledger import EntryKind, Holding, legs_of
from cea_exchange.registry.reconcile import check_ledger
from cea_exchange.registry.settlement import Settlement
from cea_exchange.registry.store import Store

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
            registry.clock = GivenClock(lambda date=date: noon_ns(date))
            registry.pay_in("bob", rng.randrange(1, 99))
        if rng.random() < 0.6:
            with store.transaction():
                store.snapshot()


def noon_ns(date):
    """Noon in Shanghai, in July 2025."""
    return (1_752_465_600 + (date - DAYS[0]) * 86_400) * 1_000_000_000


@pytest.mark.parametrize("seed", [1, 2])
def test_any_balance_as_of_any_entry_is_the_sum_of_the_postings_up_to_it(data, seed):
    with Store.open(data) as store:
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
    with Store.open(data) as store:
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
    with Store.open(data) as store:
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
    with Store.open(data) as store:
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
