"""Trades of a day received, and delivered after its close: at once they count, later they move."""

import multiprocessing
import os
import signal

import pytest

from cea_exchange.domain.records import Phase, Reason
from cea_exchange.institution.venue_link.stream_settlement import (
    PoisonRecord,
    SettlementStopped,
)
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from support.registry.audit_queries import audit_findings
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB,
    BOB_TONNES,
    DATE,
    LOG_ID,
    PRODUCT,
    Venue,
    venue_with_deposits,
)

pytestmark = pytest.mark.postgres_at_night

_spawn = multiprocessing.get_context("spawn")


def accounts_open(registry):
    """What `registry_prepare` does, in an open registry."""
    with registry.transaction():
        registry.product_declare(PRODUCT, 9749)
        registry.account_open("alice")
        registry.account_open("bob")
        registry.pay_in("alice", ALICE_CASH)
        registry.issue("bob", PRODUCT, BOB_TONNES)
        registry.transfer_in("alice", None, ALICE_CASH)
        registry.transfer_in("bob", PRODUCT, BOB_TONNES)


@pytest.fixture
def store(registry):
    accounts_open(registry)
    return registry.store


def held(store, compartment=Compartment.TRADING):
    """What alice and bob have: (cash, tonnes) each."""
    return [
        tuple(store.balance(Holding(who, asset, compartment)) for asset in (CASH_ASSET, 0))
        for who in (ALICE, BOB)
    ]


def states(store):
    rows = store.execute("SELECT state FROM trades ORDER BY settlement_seq")
    return [state for (state,) in rows.fetchall()]


def audits_are_clean(store):
    return not audit_findings(store)


def day_closed(venue, tonnes, price=100):
    venue.day_closed(volume=tonnes, amount=price * tonnes)
    venue.checkpoint(Phase.CLOSED)


BEFORE = [(ALICE_CASH, 0), (0, BOB_TONNES)]


def test_a_day_is_delivered_after_its_close_and_then_confirmed(tmp_path, store):
    """CEA-STL-05: until then nothing moves, and all of it counts in the compared hash."""
    venue = venue_with_deposits()
    for tonnes in range(1, 11):
        venue.trade(tonnes, buy_fee=2, sell_fee=1)
        venue.checkpoint()
    day_closed(venue, 55)
    settlement = Settlement(store, mode="end_of_day")
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["received"] * 10 and held(store) == BEFORE
    assert (store.state, store.confirmed_date) == ("ok", 0)
    assert check_ledger(tmp_path).differences == []
    while settlement.settle_batch(count_max=3):
        assert store.confirmed_date == 0
    assert states(store) == ["settled"] * 10 and store.confirmed_date == DATE
    assert held(store) == [(ALICE_CASH - 5_520, 55), (5_490, BOB_TONNES - 55)]
    rows = store.execute("SELECT DISTINCT posted_seq FROM trades").fetchall()
    assert rows == [(store.last_seq,)]
    reference = store.one("SELECT reference FROM entries WHERE kind = 7 ORDER BY entry_id LIMIT 1")
    assert reference == "trade 3"
    found = check_ledger(tmp_path)
    assert (found.differences, found.checkpoints) == ([], 11)
    assert not settlement.settle_batch()


def test_a_day_whose_totals_differ_is_not_delivered(store):
    """CEA-STL-03."""
    venue = venue_with_deposits()
    venue.trade(5)
    day_closed(venue, 6)
    settlement = Settlement(store, mode="end_of_day")
    with pytest.raises(SettlementStopped, match="venue traded 6 t"):
        settlement.apply(LOG_ID, venue.records)
    assert not settlement.settle_batch() and states(store) == ["received"]


def test_proceeds_of_a_day_may_leave_the_venue_before_they_are_delivered(tmp_path, registry, store):
    """CEA-STL-06: the venue lets them go at once, here they wait for the trade."""
    venue = venue_with_deposits()
    venue.trade(50)
    venue.withdrawn(BOB, registry.transfer_out("bob", None, 4_000), cash=4_000)
    venue.checkpoint()
    venue.trade(7)
    settlement = Settlement(store, mode="end_of_day")
    settlement.apply(LOG_ID, venue.records)
    assert held(store, Compartment.REGISTRATION)[BOB] == (0, 0)
    assert check_ledger(tmp_path).differences == []
    day_closed(venue, 57)
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch(count_max=1):
        pass
    assert held(store, Compartment.REGISTRATION)[BOB] == (4_000, 0)
    assert held(store)[BOB] == (1_700, BOB_TONNES - 57)
    assert audits_are_clean(store)
    assert check_ledger(tmp_path).differences == []


def test_more_than_unposted_trades_bring_can_not_be_withdrawn(registry, store):
    """CEA-STL-06: that is an impossible record."""
    venue = venue_with_deposits()
    venue.trade(50)
    venue.withdrawn(BOB, registry.transfer_out("bob", None, 5_001), cash=5_001)
    with pytest.raises(SettlementStopped, match="5001 are to leave"):
        Settlement(store, mode="end_of_day").apply(LOG_ID, venue.records)
    assert store.last_seq == 3


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"buy_fee": 2**63 - 1}, r"cash and buy_fee: expected below 2\^62 together"),
        ({"tonnes": 2**62 - 1, "price": 1, "buy_fee": 1}, "cash and buy_fee: expected below"),
        ({"trade_id": 2**62}, r"trade_id: expected positive and below 2\^62"),
    ],
)
@pytest.mark.parametrize("beside", [0, 1], ids=["alone", "in a run"])
def test_a_trade_of_figures_that_no_ledger_holds_is_not_received(store, odd, why, beside):
    """CEA-STL-02: holdings are checked after the close, a trade's own figures on receipt."""
    venue = venue_with_deposits()
    for _ in range(beside):
        venue.trade(1)
    venue.trade(**({"tonnes": 1} | odd))
    with pytest.raises(PoisonRecord, match=why):
        Settlement(store, mode="end_of_day").apply(LOG_ID, venue.records)
    assert store.last_seq == 2 + beside
    assert len(states(store)) == beside


def test_busts_before_and_after_delivery(tmp_path, store):
    """CEA-STL-04, CEA-STL-06: of a received trade, and of one whose tonnes only others bring."""
    venue = venue_with_deposits()
    venue.trade(100)
    venue.busted(1)
    venue.trade(30)
    day_closed(venue, 30)
    settlement = Settlement(store, mode="end_of_day")
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass
    assert states(store) == ["busted", "settled"]
    # alice sells the 30 back, buys them again, and the first purchase is undone before delivery
    venue.trade(30, buyer=BOB)
    venue.trade(30)
    venue.busted(2)
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["busted", "busted", "received", "received"]
    assert check_ledger(tmp_path).differences == []


def test_a_failed_trade_and_what_hangs_on_it_are_posted_when_the_cause_is_gone(
    tmp_path, registry, store
):
    """CEA-STL-07: in the venue's order; both legs of each, or neither."""
    causes = {1: "frozen by the court"}
    settlement = Settlement(
        store, mode="end_of_day", failure_of=lambda trade: causes.get(trade.trade_id)
    )
    venue = venue_with_deposits()
    venue.trade(50)
    venue.trade(50, buyer=BOB)
    venue.trade(20)
    venue.withdrawn(BOB, registry.transfer_out("bob", None, 100), cash=100)
    day_closed(venue, 120)
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass
    assert states(store) == ["failed", "failed", "settled"] and store.confirmed_date == DATE
    assert held(store) == [(ALICE_CASH - 2_000, 20), (1_900, BOB_TONNES - 20)]
    assert settlement.batches.retry() == []
    assert check_ledger(tmp_path).differences == []
    causes.clear()
    assert settlement.batches.retry() == [1, 2]
    assert held(store) == [(ALICE_CASH - 2_000, 20), (1_900, BOB_TONNES - 20)]
    found = check_ledger(tmp_path)
    assert (found.differences, found.failed) == ([], 0)
    assert audits_are_clean(store)


def test_a_failed_trade_posted_before_the_next_record_counts_once(tmp_path, store):
    """CEA-STL-07: its own sequence is the one settlement has reached."""
    causes = {1: "frozen by the court"}
    settlement = Settlement(store, failure_of=lambda trade: causes.get(trade.trade_id))
    venue = venue_with_deposits()
    venue.trade(50)
    settlement.apply(LOG_ID, venue.records)
    causes.clear()
    assert settlement.batches.retry() == [1]
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    assert check_ledger(tmp_path).differences == []


def test_with_another_mode_what_was_received_is_still_delivered_first(tmp_path, store):
    """CEA-STL-05: a trade is never posted before one that it followed."""
    venue = venue_with_deposits()
    venue.trade(5)
    Settlement(store, mode="end_of_day").apply(LOG_ID, venue.records)
    venue.trade(6)
    day_closed(venue, 11)
    settlement = Settlement(store)
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["received", "received"]
    while settlement.settle_batch():
        pass
    venue.trade(7)
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["settled"] * 3
    assert check_ledger(tmp_path).differences == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE postponed SET amount = amount + 1 WHERE amount > 0",
        "UPDATE postponed SET settlement_seq = 3",
        "UPDATE postponed SET posted_seq = 9",
        "UPDATE deliveries SET completed_seq = 9",
        "UPDATE meta SET confirmed_date = 20250716",
        "DELETE FROM postponed",
    ],
)
def test_what_is_changed_by_hand_is_found(tmp_path, registry, store, change):
    venue = venue_with_deposits()
    venue.trade(50)
    venue.withdrawn(BOB, registry.transfer_out("bob", None, 4_000), cash=4_000)
    day_closed(venue, 50)
    Settlement(store, mode="end_of_day").apply(LOG_ID, venue.records)
    assert check_ledger(tmp_path).differences == []
    store.execute(change)
    assert check_ledger(tmp_path).differences != []


def test_claims_leave_a_received_trade_to_its_delivery(tmp_path, store):
    """CEA-STL-04: what could not be undone stands, and is delivered."""
    venue = venue_with_deposits()
    venue.trade(5)
    venue.busted(1, Reason.ALLOWANCES_INSUFFICIENT)
    day_closed(venue, 5)
    settlement = Settlement(store, mode="end_of_day")
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass
    assert states(store) == ["settled"]
    assert check_ledger(tmp_path).differences == []


# -- killed within a delivery ----------------------------------------------------------------


def long_day() -> Venue:
    venue = venue_with_deposits()
    for number in range(40):
        venue.trade(1 + number % 4, buy_fee=1, sell_fee=2)
    day_closed(venue, 100)
    return venue


def deliver_until_killed(data: str, database: str | None, nth: int) -> None:
    passed = 0

    def at_point(name: str) -> None:
        nonlocal passed
        is_within = name == "batch_written"
        passed += is_within
        if is_within and passed == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    with Registry.open(data, database, admission="open") as registry:
        settlement = Settlement(registry.store, at_point, mode="end_of_day")
        settlement.apply(LOG_ID, long_day().records[registry.store.last_seq :])
        while settlement.settle_batch(count_max=7):
            pass


def test_a_delivery_that_was_killed_goes_on(tmp_path, database_address):
    """CEA-STL-05: each trade once, whatever is killed."""
    with Registry.open(tmp_path, database_address, admission="open") as registry:
        accounts_open(registry)
    for nth, status in ((3, -signal.SIGKILL), (99, 0)):
        arguments = (str(tmp_path), database_address, nth)
        process = _spawn.Process(target=deliver_until_killed, args=arguments)
        process.start()
        process.join(60)
        assert process.exitcode == status
    found = check_ledger(tmp_path)
    assert (found.differences, found.trades, found.last_seq) == ([], 40, 44)
    with Registry.open(tmp_path, database_address, admission="open") as registry:
        assert states(registry.store) == ["settled"] * 40
        assert registry.store.confirmed_date == DATE


def test_what_was_counted_is_counted_again_when_it_changes(store):
    """CEA-STL-05: the hash that goes on from before is the one counted anew."""
    causes = {1: "frozen by the court"}
    settlement = Settlement(store, failure_of=lambda trade: causes.get(trade.trade_id))
    venue = venue_with_deposits()
    venue.trade(50)
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    causes.clear()
    assert settlement.batches.retry() == [1]
    venue.checkpoint()
    causes |= {2: "frozen by the court", 3: "frozen by the court"}
    venue.trade(7)
    venue.trade(8)
    venue.checkpoint()
    venue.busted(3)
    venue.checkpoint()
    settlement.apply(LOG_ID, venue.records)
    assert store.state == "ok" and states(store) == ["settled", "failed", "busted"]
