"""A recall that does not find all goes on by itself: at the venue, and as something comes back."""

import datetime

import pytest

from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.registry.files import SourceFile
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.registry import Registry
from support.refusing import refuses
from support.registry.allocation_files import allocation_file
from support.registry.ledger_by_hand import changed
from support.registry.registry_venue import RegistryAndVenue

pytestmark = pytest.mark.postgres_at_night

PRODUCT = "CEA24"
COURT = {"order": "(2026) E 1", "court": "Wuhan Court"}
LATER = 2099_12_31


@pytest.fixture
def both(tmp_path, database_address):
    """P1 was given 1,200,000 t and has them at the venue, P2 has cash there."""
    both = RegistryAndVenue(tmp_path, database_address)
    registry = both.registry
    registry.product_declare(PRODUCT, 9_749)
    registry.distribution.issue(PRODUCT, 10_000_000)
    for account in ("P1", "P2"):
        registry.accounts.open(account, province=11)
    determine(both, "final", 1_200_000)
    registry.transfer_in("P1", PRODUCT, 1_200_000)
    both.endow("P2", None, 200_000_000_00)
    both.meet()
    both.day_open()
    both.listed()
    yield both
    both.meet()
    assert both.agree()
    both.close()
    assert [] == check_ledger(tmp_path).differences


def determine(both, stage, tonnes, **terms):
    """Distribute what is determined for P1 in all; return its line."""
    service = both.registry.distribution
    entities = {"P1": 11}
    source = allocation_file(stage, {"P1": tonnes}, entities=entities, **terms)
    (line,) = service.distribute(service.preview(source).preview_id).plan.lines
    return line


def at_venue(both, account="P1"):
    return both.held(account, PRODUCT, Compartment.TRADING)


def registered(both, account="P1"):
    return both.held(account, PRODUCT, Compartment.REGISTRATION)


def owed(both, account="P1"):
    return sum(each.remaining for each in both.registry.distribution.still_to_adjust(account))


def out_of_circulation(both):
    store = both.registry.store
    return store.one(
        "SELECT coalesce(sum(amount), 0) FROM balances JOIN accounts USING (account_index)"
        " WHERE account = 'recall account'"
    )


def test_a_recall_calls_what_stands_in_the_trading_account(both):
    """CEA-DIS-11: 1,200,000 t at the venue, 50,000 t recalled."""
    service = both.registry.distribution
    shown = service.preview(allocation_file("adjustment", {"P1": 1_150_000}, entities={"P1": 11}))
    assert (
        "P1 has 0 here to recall: 50000 more are called from the venue, or taken as they come",
    ) == shown.plan.warnings
    line = determine(both, "adjustment", 1_150_000)
    assert (0, 50_000) == (line.recalled, line.unrecalled)
    assert {PRODUCT: 50_000} == both.registry.distribution.called("P1")
    both.meet()
    assert (1_150_000, 0, 0, 50_000) == (
        *(at_venue(both), registered(both), owed(both)),
        out_of_circulation(both),
    )
    assert {} == both.registry.distribution.called("P1")


def test_the_act_says_what_was_called(both):
    """CEA-DIS-11: nothing is asked for twice."""
    determine(both, "adjustment", 1_150_000)
    found = both.registry.distribution.recall_remaining("P1", 2024)
    assert (0, 50_000, 50_000) == found
    both.meet()
    assert 1_150_000 == at_venue(both)
    with refuses("NOTHING_TO_RECALL: P1: expected something of 2024 to recall, got nothing"):
        both.registry.distribution.recall_remaining("P1", 2024)


def test_orders_and_a_suspension_do_not_stand_in_its_way(both):
    """CEA-DIS-11, CEA-ENF-02."""
    both.enter("P1", "sell", PRODUCT, 10_500, 99_999)
    both.registry.accounts.suspend("P1", "late")
    determine(both, "adjustment", 0)
    both.meet()
    assert (0, 0, 1_200_000) == (at_venue(both), owed(both), out_of_circulation(both))


def test_what_is_sold_meanwhile_stays_sold_and_the_rest_is_owed(both):
    """CEA-DIS-11: a trade stands as it was made; what is bought later is called at the opening."""
    both.trade("P1", "P2", PRODUCT, 60_000)
    both.trade("P1", "P2", PRODUCT, 40_000)
    determine(both, "adjustment", 50_000)
    both.meet()
    assert (0, 50_000) == (at_venue(both), owed(both))
    assert 0 == both.registry.store.one("SELECT count(*) FROM trades WHERE state = 'failed'")
    both.next_day()
    both.trade("P2", "P1", PRODUCT, 30_000)
    both.meet()
    assert (30_000, 50_000) == (at_venue(both), owed(both))  # bought today: stays today
    both.next_day()
    both.meet()
    assert (0, 20_000) == (at_venue(both), owed(both))


def test_what_arrives_is_taken_before_it_can_be_used(both):
    """CEA-DIS-11: issued, come back from the venue, or refused there."""
    registry = both.registry
    both.trade("P1", "P2", PRODUCT, 99_999)
    determine(both, "adjustment", 20_000)
    both.meet()
    assert (0, 79_999) == (at_venue(both), owed(both))
    registry.issue("P1", PRODUCT, 70_000)
    assert (0, 9_999) == (registered(both), owed(both))
    for act in (
        lambda: registry.transfer_in("P1", PRODUCT, 1),
        lambda: registry.dispositions.cancellation_apply("P1", PRODUCT, 1, purpose="a fair"),
    ):
        with refuses("INSUFFICIENT_ALLOWANCES: .*P1 to hold 1 of CEA24 in registration"):
            act()
    registry.issue("P1", PRODUCT, 10_000)
    assert (1, 0) == (registered(both), owed(both))
    registry.transfer_in("P1", PRODUCT, 1)


def test_what_was_applied_for_can_not_be_surrendered_or_cancelled_away(both):
    """CEA-DIS-11: the application waits until the recall is filled, or ends."""
    registry = both.registry
    both.trade("P1", "P2", PRODUCT, 99_999)
    both.meet()
    registry.transfer_out("P1", PRODUCT, 1_100_001)
    both.meet()
    number = registry.dispositions.cancellation_apply("P1", PRODUCT, 1_100_001, purpose="a fair")
    determine(both, "adjustment", 1_150_000)
    both.meet()
    assert 50_000 == owed(both)
    said = "RECALL_OWED: .*P1 to owe no recall of CEA24, got 50000 owed [(]CEA-DIS-11[)]"
    with refuses(said):
        registry.dispositions.approve(number)
    registry.issue("P1", PRODUCT, 40_000)
    with refuses("RECALL_OWED: .*P1 to owe no recall of CEA24, got 10000 owed [(]CEA-DIS-11[)]"):
        registry.dispositions.approve(number)
    registry.dispositions.refuse(number, why="recalled")
    assert (1_090_001, 0) == (registered(both), owed(both))


def test_a_surrender_waits_until_the_recall_is_filled(both):
    """CEA-DIS-11, CEA-SUR-09: and counts of the day it was applied for all the same."""
    registry = both.registry
    registry.transfer_out("P1", PRODUCT, 1_200_000)
    both.meet()
    entries = "2024,11,P1,1200000,1200000\n2024,11,TOTAL,1200000,1200000\n"
    head = "compliance_year,province,account,verified_tonnes,due_tonnes\n"
    content = f"{head}{entries}2024,,TOTAL,1200000,1200000\n"
    registry.obligations.take(SourceFile("owed.csv", content.encode()))
    number = registry.surrender.apply("P1", 2024, {PRODUCT: 1_200_000})
    day = both.date
    determine(both, "adjustment", 1_150_000)
    with refuses("RECALL_OWED: .*P1 to owe no recall of CEA24, got 50000 owed [(]CEA-DIS-11[)]"):
        registry.surrender.accept(number, 11)
    both.next_day()
    registry.issue("P1", PRODUCT, 50_000)
    registry.surrender.accept(number, 11)
    assert "2024-000001" == registry.surrender.retire(number)
    assert day == registry.obligations.standing("P1", 2024).completed_on
    assert (0, 50_000) == (owed(both), out_of_circulation(both))


def test_a_deposit_under_way_is_called_back(both):
    """CEA-DIS-11: once the venue has it, or has refused it."""
    registry = both.registry
    registry.transfer_out("P1", PRODUCT, 1_200_000)
    both.meet()
    registry.transfer_in("P1", PRODUCT, 1_200_000)
    determine(both, "adjustment", 1_000_000)
    assert {} == registry.distribution.called("P1")
    both.meet()
    assert (1_000_000, 0) == (at_venue(both), owed(both))


@pytest.mark.parametrize("is_recall_first", [True, False])
def test_of_a_court_and_a_recall_the_earlier_comes_first(both, is_recall_first):
    """CEA-DIS-11, CEA-ENF-03: 100,000 t are left, each wants 80,000 of them."""
    registry = both.registry
    for _ in range(11):
        both.trade("P1", "P2", PRODUCT, 99_999)
    both.trade("P1", "P2", PRODUCT, 11)
    both.meet()
    assert 100_000 == at_venue(both)

    def freeze():
        registry.enforcement.freeze("P1", PRODUCT, 80_000, **COURT, until=LATER)

    def recall():
        determine(both, "adjustment", 1_120_000)

    first, second = (recall, freeze) if is_recall_first else (freeze, recall)
    first()
    both.day += datetime.timedelta(days=1)
    second()
    both.meet()
    frozen = both.held("P1", PRODUCT, Compartment.JUDICIAL)
    assert ((20_000, 0) if is_recall_first else (80_000, 60_000)) == (frozen, owed(both))
    if not is_recall_first:
        # What the court releases is for the recall.
        registry.enforcement.release(1, **COURT)
        assert (20_000, 0) == (registered(both), owed(both))


def test_of_one_day_the_court_comes_first(both):
    """CEA-DIS-11."""
    determine(both, "adjustment", 0)
    both.registry.enforcement.freeze("P1", PRODUCT, 1_000_000, **COURT, until=LATER)
    both.meet()
    frozen = both.held("P1", PRODUCT, Compartment.JUDICIAL)
    assert (1_000_000, 1_000_000) == (frozen, owed(both))


def test_what_is_given_later_settles_it_once(both):
    """CEA-DIS-04, CEA-DIS-11: called at the venue, and taken off the next file meanwhile."""
    determine(both, "adjustment", 1_150_000)
    line = determine(both, "adjustment", 1_180_000)
    assert (30_000, 0, 20_000) == (line.deducted, line.given, line.remaining)
    both.meet()
    # All of the 50,000 t that were called have come; 20,000 were still owed.
    assert (1_150_000, 30_000, 0) == (at_venue(both), registered(both), owed(both))
    assert 20_000 == out_of_circulation(both)


def test_a_restart_forgets_nothing(both):
    determine(both, "adjustment", 1_150_000)
    both.restart()
    both.meet()
    assert (1_150_000, 0) == (at_venue(both), owed(both))


ODD_ROWS = {
    "a recall that nothing is taken off for": (
        "INSERT INTO recalls VALUES (2, 0, 11, 2024, 0, 5, 0, 20260715)",
        "recall 2: 5 were recalled, 0 are taken off what is owed",
    ),
    "what no recall has taken": (
        "INSERT INTO deductions_taken VALUES (1, 'recall 9', 0, -5)",
        "recall 9: 0 were recalled, -5 are taken off what is owed",
    ),
    "what lies there and is recalled": (
        "INSERT INTO deductions"
        " VALUES (2, 0, 'distribution 9', 'recall', 2024, 7, 20260715, 20260715)",
        "account P1 owes a recall of 7 of CEA24, holds 3 in registration",
    ),
    "a recall that is filled and kept as open": (
        "INSERT INTO recalls_open VALUES (1)",
        "deduction 1: 0 are left to recall, recalls_open has 1 row of it",
    ),
    "what was called and nobody recalls": (
        "INSERT INTO transfers VALUES (99, 'recall', 0, 1, 5, 'completed', 0, 0)",
        "transfer 99 of account P1 is for a recall of CEA23, there is none",
    ),
}


def test_an_entry_costs_no_more_with_the_recalls_that_are_filled(tmp_path):
    """CEA-DIS-11: what is owed is found without looking at what was owed before."""
    with Registry.open(tmp_path, admission="open") as registry:
        registry.product_declare(PRODUCT, 9_749)
        registry.account_open("P1")
        store, count = registry.store, 2_000
        before = steps_of(store, lambda: registry.pay_in("P1", 100))
        filled = range(1, count + 1)
        with store.transaction():
            terms = ("recall", 2024, 5, 20260302, 20260302)
            store.insert("deductions", [(n, 0, f"distribution {n}", *terms) for n in filled])
            store.insert("deductions_taken", [(n, f"recall {n}", 0, 5) for n in filled])
            registry.arrivals.recalls.note(filled)
        assert [] == registry.arrivals.recalls.all() == list(findings(store, "recalls_open"))
        assert steps_of(store, lambda: registry.pay_in("P1", 100)) < before + count, before


def steps_of(store, act):
    """Return how many steps SQLite makes for an act, about."""
    steps = 0

    def count():
        nonlocal steps
        steps += 100
        return False

    store.database.connection.set_progress_handler(count, 100)
    act()
    store.database.connection.set_progress_handler(None)
    return steps


@pytest.mark.parametrize("odd", ODD_ROWS)
def test_reconcile_finds_what_is_not_so(tmp_path, database_address, odd):
    """CEA-DIS-11."""
    both = RegistryAndVenue(tmp_path, database_address)
    both.registry.product_declare(PRODUCT, 9_749)
    both.registry.product_declare("CEA23", 9_749)
    both.registry.distribution.issue(PRODUCT, 1_000_000)
    both.registry.accounts.open("P1", province=11)
    determine(both, "final", 100_000)
    both.registry.transfer_in("P1", PRODUCT, 100_000)
    both.meet()
    both.day_open()
    determine(both, "adjustment", 50_000)
    both.meet()
    both.registry.issue("P1", PRODUCT, 3)
    assert [] == check_ledger(tmp_path).differences
    change, message = ODD_ROWS[odd]
    changed(both.registry.store, change)
    both.close()
    assert message in check_ledger(tmp_path).differences


def test_the_venue_is_told_why(both, tmp_path):
    """CEA-DIS-11: a recall passed off as a court's order is found."""
    determine(both, "adjustment", 1_150_000)
    store = both.registry.store
    changed(store, "UPDATE transfers SET direction = 'court' WHERE direction = 'recall'")
    (found,) = (each for each in check_ledger(tmp_path).differences if "venue was sent" in each)
    assert "'recall'" in found and "'court'" in found
    changed(store, "UPDATE transfers SET direction = 'recall' WHERE direction = 'court'")
