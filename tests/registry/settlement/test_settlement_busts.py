"""Busts at the registry: legs back, claims booked, failed trades ended; all of it once."""

import pytest

from cea_exchange.domain.records import Phase, Reason
from cea_exchange.institution.venue_link.stream_settlement import Diverged, PoisonRecord
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.registry.store import RegistryStore
from support.registry.ledger_by_hand import changed
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB,
    BOB_TONNES,
    DATE,
    LOG_ID,
    PRODUCT,
    registry_prepare,
    venue_with_deposits,
)

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def data(tmp_path, database_address):
    registry_prepare(tmp_path, database_address)
    return tmp_path


# Where the database has no part in what is tested.
once = pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)


@pytest.fixture
def store(data):
    with RegistryStore.open(data) as store:
        yield store


def frozen(trade):
    """A court has frozen what every second trade would move."""
    return "frozen by the court" if trade.trade_id % 2 == 0 else None


def frozen_second(trade):
    """A court has frozen what the second trade would move."""
    return "frozen by the court" if trade.trade_id == 2 else None


def held(store):
    """What alice, bob and the fee account have: cash and tonnes."""
    return [
        store.balance(Holding(who, asset, Compartment.TRADING))
        for who in (ALICE, BOB)
        for asset in (CASH_ASSET, 0)
    ] + [store.balance(Holding(Institution.FEES, CASH_ASSET, Compartment.REGISTRATION))]


def states(store):
    return [row[0] for row in store.execute("SELECT state FROM trades ORDER BY settlement_seq")]


def test_a_bust_posts_the_legs_the_other_way(data, store):
    """CEA-STL-04: with both fees; the day's totals are those of what stands."""
    venue = venue_with_deposits()
    venue.trade(5, buy_fee=3, sell_fee=2)
    venue.trade(7, buy_fee=1)
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    venue.busted(1, trading_date=0)
    venue.checkpoint()
    venue.day_closed(volume=7, amount=700)
    venue.checkpoint(Phase.CLOSED)
    settlement.apply(LOG_ID, venue.records)
    assert held(store) == [ALICE_CASH - 701, 7, 700, BOB_TONNES - 7, 1]
    assert states(store) == ["busted", "settled"]
    assert store.confirmed_date == DATE
    found = check_ledger(data)
    assert [] == found.differences
    assert (2, 1, 0, 0) == (found.trades, found.busted, found.failed, found.claims)


def test_trade_and_bust_in_one_run_are_one_commit(tmp_path):
    """CEA-STL-04: whatever pieces the stream comes in, and repeated."""
    for size in (1, 2, 9):
        folder = tmp_path / str(size)
        registry_prepare(folder)
        venue = venue_with_deposits()
        for trade_id in (1, 2, 3):
            venue.trade(trade_id)
            venue.busted(trade_id)
            venue.checkpoint()
        with RegistryStore.open(folder) as store:
            for start in range(0, len(venue.records), size):
                Settlement(store).apply(LOG_ID, venue.records[max(0, start - 2) : start + size])
            assert states(store) == ["busted"] * 3
            assert held(store) == [ALICE_CASH, 0, 0, BOB_TONNES, 0]
        assert [] == check_ledger(folder).differences


def test_what_could_not_be_undone_is_owed(data, store):
    """CEA-STL-04: nothing moves, the trade stands, and the claims say who owes whom what."""
    venue = venue_with_deposits()
    venue.trade(5, buy_fee=3, sell_fee=2)
    venue.busted(1, Reason.ALLOWANCES_INSUFFICIENT)
    venue.checkpoint()
    Settlement(store).apply(LOG_ID, venue.records)
    assert held(store) == [ALICE_CASH - 503, 5, 498, BOB_TONNES - 5, 5]
    assert states(store) == ["settled"]
    claims = store.execute(
        "SELECT trade_id, debtor_index, creditor_index, asset_index, amount FROM claims"
    ).fetchall()
    assert claims == [
        (1, ALICE, BOB, 0, 5),
        (1, BOB, ALICE, CASH_ASSET, 498),
        (1, Institution.FEES, ALICE, CASH_ASSET, 5),
    ]
    found = check_ledger(data)
    assert [] == found.differences and found.claims == 3
    assert Registry(store).status()["claims"] == 3


def test_a_failed_trade_counts_until_it_is_undone(data, store):
    """To the venue it has happened; its bust ends it and posts nothing (CEA-STL-04)."""
    venue = venue_with_deposits()
    for tonnes in (5, 7, 11, 13):
        venue.trade(tonnes, buy_fee=1, sell_fee=1)
    venue.checkpoint()
    settlement = Settlement(store, failure_of=frozen)
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["settled", "failed", "settled", "failed"]
    assert held(store) == [ALICE_CASH - 1_602, 16, 1_598, BOB_TONNES - 16, 4]
    assert Registry(store).status()["trades_failed"] == 2
    venue.busted(2)
    venue.checkpoint()
    venue.busted(4, Reason.CASH_INSUFFICIENT)
    venue.checkpoint()
    venue.day_closed(volume=29, amount=2_900)
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["settled", "busted", "settled", "failed"]
    assert held(store) == [ALICE_CASH - 1_602, 16, 1_598, BOB_TONNES - 16, 4]
    assert store.one("SELECT count(*) FROM entries WHERE settlement_seq > 7") == 0
    found = check_ledger(data)
    assert [] == found.differences
    assert (4, 1, 1, 3, 3) == (
        found.trades, found.busted, found.failed, found.claims, found.checkpoints,
    )  # fmt: skip


def test_what_lives_on_a_failed_trade_fails_with_it(data, store):
    """The venue sells on what never came; beyond that a trade is as impossible as ever."""
    venue = venue_with_deposits()
    venue.trade(400)
    venue.trade(300)
    venue.trade(250, 1, buyer=BOB)
    venue.trade(400, 1, buyer=BOB)
    venue.checkpoint()
    venue.trade(151, 1, buyer=BOB)
    with pytest.raises(PoisonRecord, match="holds 150"):
        Settlement(store, failure_of=frozen_second).apply(LOG_ID, venue.records)
    assert states(store) == ["settled", "failed", "settled", "failed"]
    failures = [row[0] for row in store.execute("SELECT failure FROM trades")]
    assert failures[3] == f"alice lacks 250 of {PRODUCT}, of trades that failed before"
    assert (store.last_seq, store.state) == (7, "ok")
    assert [] == check_ledger(data).differences


def test_a_failed_trade_that_the_venue_forgot_is_a_divergence(store):
    """The compared hash must have it: no venue can drop a trade without saying so."""
    venue = venue_with_deposits()
    venue.trade(5)
    venue.trade(7)
    venue.checkpoint(off_by=0)
    settlement = Settlement(store, failure_of=frozen)
    settlement.apply(LOG_ID, venue.records)
    venue.busted(2)
    settlement.apply(LOG_ID, venue.records)
    venue.trade(7)
    venue.rows.pop()
    venue.checkpoint()
    with pytest.raises(Diverged):
        settlement.apply(LOG_ID, venue.records)


@once
@pytest.mark.parametrize(
    "odd",
    [
        {"trade_id": 2},
        {"tonnes": 6, "cash": 600},
        {"price": 50, "cash": 250},
        {"cash": 501},
        {"buy_fee": 4},
        {"sell_fee": 0},
        {"account_index": BOB, "counter_account_index": ALICE},
        {"side": 2},
        {"method": 2},
        {"product_index": 1},
    ],
)
def test_a_bust_of_another_trade_is_poison(data, store, odd):
    venue = venue_with_deposits()
    venue.trade(5, buy_fee=3, sell_fee=2)
    venue.busted(1, **odd)
    with pytest.raises(PoisonRecord):
        Settlement(store).apply(LOG_ID, venue.records)
    assert store.last_seq == 3
    assert held(store) == [ALICE_CASH - 503, 5, 498, BOB_TONNES - 5, 5]
    assert states(store) == ["settled"]
    assert [] == check_ledger(data).differences


@once
@pytest.mark.parametrize("first", [Reason.NONE, Reason.CASH_INSUFFICIENT])
@pytest.mark.parametrize("second", [Reason.NONE, Reason.CASH_INSUFFICIENT])
def test_a_second_bust_is_poison(data, store, first, second):
    """CEA-STL-04: once, whether the first one moved anything or not."""
    venue = venue_with_deposits()
    venue.trade(5)
    venue.busted(1, first)
    venue.busted(1, second)
    with pytest.raises(PoisonRecord, match="busted already"):
        Settlement(store).apply(LOG_ID, venue.records)
    assert store.last_seq == 4
    assert [] == check_ledger(data).differences


def test_killed_before_the_commit_it_is_as_if_it_had_not_come(data, store):
    venue = venue_with_deposits()
    venue.trade(5)
    Settlement(store).apply(LOG_ID, venue.records)
    venue.busted(1)
    venue.trade(6)
    venue.busted(2, Reason.CASH_INSUFFICIENT)
    venue.checkpoint()

    class Killed(Exception):
        pass

    def at_point(name):
        if name == "last_seq_written":
            raise Killed

    before = held(store), states(store)
    with pytest.raises(Killed):
        Settlement(store, at_point).apply(LOG_ID, venue.records)
    assert (held(store), states(store)) == before
    assert store.last_seq == 3
    assert store.one("SELECT (SELECT count(*) FROM busts) + (SELECT count(*) FROM claims)") == 0
    Settlement(store).apply(LOG_ID, venue.records)
    assert states(store) == ["busted", "settled"]
    assert [] == check_ledger(data).differences


TAMPERINGS = [
    "UPDATE trades SET state = 'settled' WHERE trade_id = 1",
    "UPDATE trades SET state = 'busted' WHERE trade_id = 3",
    "UPDATE trades SET state = 'settled' WHERE trade_id = 2",
    "UPDATE trades SET failure = '' WHERE trade_id = 2",
    "UPDATE trades SET failure = 'by hand', state = 'failed' WHERE trade_id = 3",
    "UPDATE trades SET failure = 'by hand' WHERE trade_id = 1",
    "UPDATE busts SET reason = 0",
    "UPDATE busts SET reason = 19",
    "DELETE FROM busts WHERE reason = 0",
    "INSERT INTO busts VALUES (99, 99, 0)",
    "DELETE FROM claims WHERE claim_id = 1",
    "UPDATE claims SET amount = amount + 1 WHERE claim_id = 1",
    "UPDATE claims SET debtor_index = 1, creditor_index = 0 WHERE claim_id = 1",
    "INSERT INTO claims SELECT 9, settlement_seq, trade_id, 0, 1, 0, 5 FROM claims LIMIT 1",
    "DELETE FROM entries WHERE kind = 8",
    "UPDATE entries SET kind = 7 WHERE kind = 8",
]


@pytest.mark.parametrize("sql", TAMPERINGS)
def test_what_is_changed_by_hand_is_found(data, sql):
    venue = venue_with_deposits()
    for _ in range(3):
        venue.trade(5, buy_fee=1)
    venue.busted(1)
    venue.busted(3, Reason.ALLOWANCES_INSUFFICIENT)
    venue.checkpoint()
    with RegistryStore.open(data) as store:
        Settlement(store, failure_of=frozen).apply(LOG_ID, venue.records)
        assert check_ledger(data).agrees
        changed(store, sql)
    assert not check_ledger(data).agrees
