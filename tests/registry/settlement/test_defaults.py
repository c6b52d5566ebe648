"""Trades that can't be posted: frozen by a court, and the way to their end."""

import pytest

from cea_exchange.domain.records import Phase, Reason
from cea_exchange.institution.clock import GivenClock
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.control.admin import SECOND
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.settlement.settlement import Settlement
from registry.settlement.test_settlement_modes import accounts_open, day_closed, held, states
from support.refusing import refuses
from support.registry.settlement_records import (
    ALICE,
    ALICE_CASH,
    BOB_TONNES,
    DATE,
    LOG_ID,
    PRODUCT,
    venue_with_deposits,
)

pytestmark = pytest.mark.postgres_at_night

MODES = ("realtime", "end_of_day")


@pytest.fixture
def store(registry):
    accounts_open(registry)
    return registry.store


@pytest.fixture(params=MODES)
def settlement(request, store):
    return Settlement(store, mode=request.param)


ORDER = {"order": "(2026) 1", "court": "a court"}


def freeze(registry, account, product, amount):
    """A court's order that has not reached the venue; without an amount, of everything."""
    registry.enforcement.freeze(account, product, amount, until=2099_01_01, **ORDER)


def released(registry):
    registry.enforcement.release(1, **ORDER)


def settled_day(settlement, venue, tonnes):
    day_closed(venue, tonnes)
    settlement.apply(LOG_ID, venue.records)
    while settlement.settle_batch():
        pass


def test_what_a_court_freezes_is_not_delivered(tmp_path, registry, store, settlement):
    """CEA-ENF-04: only as much as would touch it; others' trades settle, and the day is over."""
    freeze(registry, "bob", PRODUCT, BOB_TONNES - 20)
    venue = venue_with_deposits()
    venue.trade(20)
    venue.trade(5)
    settled_day(settlement, venue, 25)
    assert states(store) == ["settled", "failed"] and store.confirmed_date == DATE
    assert held(store) == [(ALICE_CASH - 2_000, 20), (2_000, BOB_TONNES - 20)]
    assert check_ledger(tmp_path).differences == []


def test_a_default_that_is_cured(tmp_path, registry, store, settlement):
    """CEA-DEF-01: a notice with a deadline; the trade is posted late when the court lets go."""
    freeze(registry, "bob", PRODUCT, None)
    venue = venue_with_deposits()
    venue.trade(5)
    settled_day(settlement, venue, 5)
    (failure,) = registry.defaults.failures()
    assert failure["why"] == "CEA24 of bob is frozen by a court, order (2026) 1"
    assert failure["default_id"] == 1
    today = registry.business_date()
    with refuses(f"DATE_OUT_OF_RANGE: deadline: expected {today} or later, got 20200101"):
        registry.defaults.notice(1, 2020_01_01)
    registry.defaults.notice(1, today)
    assert registry.defaults.retry() == []
    released(registry)
    assert registry.defaults.retry() == [1]
    shown = registry.defaults.show(1)
    assert shown["state"] == "cured"
    assert [act["act"] for act in shown["acts"]] == ["opened", "noticed", "cured"]
    assert states(store) == ["settled"] and registry.defaults.failures() == []
    assert check_ledger(tmp_path).differences == []


def day_after(registry):
    now_ns = registry.now_ns() + 86_400 * 1_000_000_000
    registry.ledger.clock = GivenClock(lambda: now_ns)


def defaulted(registry, settlement):
    """alice's cash is frozen after she bought 5 t for 503; the notice's day is over."""
    freeze(registry, "alice", None, ALICE_CASH)
    venue = venue_with_deposits()
    venue.trade(5, buy_fee=3)
    settled_day(settlement, venue, 5)
    registry.defaults.notice(1, registry.business_date())
    day_after(registry)
    return venue


def test_the_reserve_pays_after_the_deadline_and_is_paid_back(tmp_path, registry, settlement):
    """CEA-DEF-02, CEA-DEF-03: the trade settles, and what was lent can't leave before."""
    store, defaults = registry.store, registry.defaults
    defaulted(registry, settlement)
    with refuses("INSUFFICIENT_CASH: .*risk reserve to hold 503 of CNY in registration, got 0"):
        defaults.reserve_use(1)
    assert states(store) == ["failed"] and defaults.show(1)["state"] == "noticed"
    defaults.reserve_fund(1_000)
    defaults.reserve_use(1)
    assert states(store) == ["settled"]
    assert held(store) == [(ALICE_CASH - 503, 5), (500, BOB_TONNES - 5)]
    # What was lent to her is not the court's to take.
    assert held(store, Compartment.JUDICIAL)[ALICE] == (0, 0)
    assert held(store, Compartment.REGISTRATION)[ALICE] == (503, 0)
    pending = [what for check in registry.accounts.pending_checks for what in check(ALICE)]
    assert "default 1 is covered" in pending
    with refuses("RESERVE_OWED: cash: expected at most 0, alice owes the risk reserve 503, got 1"):
        registry.transfer_in("alice", None, 1)
    with refuses("NOT_DUE: .*at most the 503 that are owed"):
        defaults.recover(1, 504)
    defaults.recover(1, 3)
    defaults.recover(1, 500)
    reserve = Holding(int(Institution.RISK_RESERVE), CASH_ASSET, Compartment.REGISTRATION)
    assert store.balance(reserve) == 1_000
    shown = defaults.show(1)
    assert (shown["state"], shown["recovered_cash"]) == ("recovered", 503)
    assert [act["act"] for act in shown["acts"]] == [
        *("opened", "noticed", "covered", "recovered", "recovered")
    ]
    references = store.execute("SELECT DISTINCT reference FROM entries WHERE kind IN (25, 26)")
    assert references.fetchall() == [("default 1",)]
    assert defaults.all() == [] and len(defaults.all(ended=True)) == 1
    assert check_ledger(tmp_path).differences == []


def test_what_the_reserve_has_lent_is_no_courts_to_take(tmp_path, registry, settlement):
    """CEA-ENF-01, CEA-DEF-03: nor by an order that comes later, nor as other cash arrives."""
    store, defaults = registry.store, registry.defaults
    defaulted(registry, settlement)
    defaults.reserve_fund(1_000)
    defaults.reserve_use(1)
    freeze(registry, "alice", None, None)
    assert held(store, Compartment.JUDICIAL)[ALICE] == (0, 0)
    registry.pay_in("alice", 40)
    assert held(store, Compartment.JUDICIAL)[ALICE] == (40, 0)
    defaults.recover(1, 500)
    registry.pay_in("alice", 2)
    freeze(registry, "alice", None, 9)
    assert held(store, Compartment.JUDICIAL)[ALICE] == (42, 0)
    defaults.recover(1, 3)
    assert held(store, Compartment.REGISTRATION)[ALICE] == (0, 0)
    registry.pay_in("alice", 5)
    assert held(store, Compartment.JUDICIAL)[ALICE] == (47, 0)
    assert check_ledger(tmp_path).differences == []


def test_the_reserve_waits_for_the_deadline_and_has_no_tonnes(registry, store, settlement):
    """CEA-DEF-02: two persons use it."""
    assert "reserve_use" in SECOND
    freeze(registry, "bob", PRODUCT, None)
    venue = venue_with_deposits()
    venue.trade(5)
    settled_day(settlement, venue, 5)
    defaults = registry.defaults
    with refuses("DEFAULT_STATE: default 1: expected noticed, got open"):
        defaults.reserve_use(1)
    with refuses("DEFAULT_UNKNOWN: default_id: expected that of a default, got 2"):
        defaults.show(2)
    today = registry.business_date()
    defaults.notice(1, today)
    with refuses(f"TOO_EARLY: .*after the deadline {today}, got on {today}"):
        defaults.reserve_use(1)
    day_after(registry)
    with refuses("DEFAULT_OF_ALLOWANCES: default 1: expected one of cash"):
        defaults.reserve_use(1)


def test_a_bust_ends_a_default(tmp_path, registry, store, settlement):
    """CEA-DEF-01: the venue undoes the trade; nothing is owed, and nothing was posted."""
    freeze(registry, "bob", PRODUCT, None)
    venue = venue_with_deposits()
    venue.trade(5)
    settled_day(settlement, venue, 5)
    venue.busted(1, Reason.NONE)
    venue.checkpoint(Phase.LISTED)
    settlement.apply(LOG_ID, venue.records)
    assert states(store) == ["busted"] and registry.defaults.show(1)["state"] == "busted"
    assert check_ledger(tmp_path).differences == []
