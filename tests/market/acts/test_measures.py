"""The ladder of measures: what each does to an account, from when to when, on both cores."""

import msgspec
import pytest

from cea_exchange.domain.records import EventKind, Phase, Reason, Side
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.venue.market import measures
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.journal.small_market import PROFILE, TRADING_DATE, feed, orders
from support.market.market_scripts import CORES
from support.venue.venue_world import target

ALICE, BOB = 0, 1
NEXT_DAY = 20250102
BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def machine(request):
    machine = VenueStateMachine(PROFILE, request.param)
    for message in (*feed(), control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=2)):
        machine.apply_control(message)
    return machine


def taken(machine, step, /, *barred, **fields):
    """Take a measure against alice."""
    named = {"by": "an", "second": "bo", "why": "case 17", "case": "2025-17", "account": "alice"}
    number = len(machine.measures) + 1
    named |= {"measure": number, "step": step, "barred": barred}
    return machine.apply_control(control.MeasureTaken(**(named | fields)))


def lifted(machine, number, **fields):
    named = {"by": "an", "second": "bo", "why": "explained", "measure": number}
    return machine.apply_control(control.MeasureLifted(**(named | fields)))


def entered(machine, order_id, side, tonnes=10, account=ALICE):
    (event, *_) = machine.apply_records(orders((account, order_id, side, 9_749, tonnes)))
    return Reason(int(event["reason"]))


def asked(machine, command):
    (event, *_) = machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    )
    return Reason(int(event["reason"]))


def next_day(machine, date=NEXT_DAY):
    if machine.core.day_is_open:
        machine.apply_control(control.DayClose())
    machine.apply_control(control.DayOpen(date=date))
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED))


# -- Step 6: restricted ----------------------------------------------------------------------------


def test_new_purchases_are_refused_and_cancels_and_sales_go_on(machine):
    """CEA-MSR-02; the rulebook's example 31."""
    assert entered(machine, 1, BUY) == Reason.NONE
    resting = machine.core.orders_of(ALICE)[0]
    events = taken(machine, 6, "purchases")
    assert events["kind"].tolist() == [EventKind.ACCOUNT_RESTRICTED]
    assert entered(machine, 2, BUY) == Reason.RESTRICTED
    amended = target("amend", 3, resting, price=9_749, tonnes=5, account_index=ALICE)
    assert machine.apply_records(amended.reshape(1))[0]["reason"] == Reason.RESTRICTED
    canceled = target("cancel", 4, resting, account_index=ALICE)
    assert machine.apply_records(canceled.reshape(1))[0]["kind"] == EventKind.ORDER_CANCELED
    assert entered(machine, 5, SELL) == Reason.NONE
    assert entered(machine, 1, BUY, account=BOB) == Reason.NONE


@pytest.mark.parametrize(
    ("barred", "command"),
    [
        ("cash_out", control.TransferOut(account="alice", amount=100)),
        ("tonnes_out", control.TransferOut(account="alice", product="CEA23", amount=10)),
    ],
)
def test_what_may_not_leave_stays_and_the_other_leaves(machine, barred, command):
    """CEA-MSR-02."""
    other = {"cash_out": "tonnes_out", "tonnes_out": "cash_out"}[barred]
    taken(machine, 6, other)
    assert asked(machine, command) == Reason.NONE
    taken(machine, 6, barred)
    assert asked(machine, command) == Reason.RESTRICTED
    assert asked(machine, control.TransferIn(account="alice", amount=100)) == Reason.NONE


def test_a_court_takes_what_a_measure_keeps(machine):
    """CEA-ENF-02, CEA-MSR-02."""
    taken(machine, 6, "tonnes_out", "sales")
    seizure = control.Seizure(account="alice", product="CEA23", amount=100)
    events = machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=seizure)
    )
    assert EventKind.WITHDRAWN in events["kind"]
    assert entered(machine, 1, SELL) == Reason.RESTRICTED


def test_several_measures_add_up_and_end_one_by_one(machine):
    """CEA-MSR-01, CEA-MSR-02."""
    taken(machine, 6, "purchases")
    taken(machine, 6, "sales", "purchases")
    lifted(machine, 2)
    assert entered(machine, 1, BUY) == Reason.RESTRICTED
    assert entered(machine, 1, SELL) == Reason.NONE
    lifted(machine, 1)
    assert entered(machine, 2, BUY) == Reason.SELF_TRADE


def test_a_measure_counts_from_its_first_day_to_its_last(machine):
    """CEA-MSR-01."""
    taken(machine, 6, "purchases", starts=NEXT_DAY, ends=NEXT_DAY)
    assert entered(machine, 1, BUY) == Reason.NONE
    next_day(machine)
    assert entered(machine, 1, BUY) == Reason.RESTRICTED
    next_day(machine, NEXT_DAY + 1)
    assert entered(machine, 1, BUY) == Reason.NONE


# -- Step 7: suspended -----------------------------------------------------------------------------


def test_a_suspension_by_a_measure_ends_with_it_and_by_nobody_elses_word(machine):
    """CEA-MSR-04."""
    entered(machine, 1, BUY)
    assert taken(machine, 7)["kind"].tolist() == [
        EventKind.ACCOUNT_SUSPENDED,
        EventKind.ORDER_CANCELED,
    ]
    with pytest.raises(FrameError, match="expected one that no measure suspends"):
        machine.apply_control(control.Restore(account="alice"))
    for command in (
        control.AccountSuspended(account="alice"),
        control.AccountRestored(account="alice"),
    ):
        machine.apply_control(control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command))
    assert entered(machine, 2, SELL) == Reason.ACCOUNT_SUSPENDED
    assert lifted(machine, 1)["kind"].tolist() == [EventKind.ACCOUNT_RESTORED]
    assert entered(machine, 3, SELL) == Reason.NONE


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_what_an_operator_or_the_registry_has_suspended_stays_so(machine, when):
    """CEA-MSR-04, CEA-DAY-06, CEA-ACC-03."""
    if when == "before":
        machine.apply_control(control.Suspend(account="alice"))
    taken(machine, 7)
    if when == "meanwhile":
        machine.apply_control(control.Suspend(account="alice"))
    assert len(lifted(machine, 1)) == 0
    assert entered(machine, 1, BUY) == Reason.ACCOUNT_SUSPENDED
    machine.apply_control(control.Restore(account="alice"))
    machine.apply_control(
        control.FeedItem(
            transfer_seq=machine.feed_seq + 1, command=control.AccountSuspended(account="alice")
        )
    )
    taken(machine, 7)
    assert len(lifted(machine, 2)) == 0
    assert entered(machine, 2, BUY) == Reason.ACCOUNT_SUSPENDED


# -- Who, and what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize("step", range(6))
def test_the_first_six_steps_are_on_record_and_move_nothing(machine, step):
    """CEA-MSR-01, CEA-MSR-03: one person is enough."""
    before = machine.core.state_hash()
    assert len(taken(machine, step, second="")) == 0
    assert machine.core.state_hash() == before
    (row,) = measures.shown(machine.measures, TRADING_DATE)
    assert (row["step"], row["name"], row["is_in_force"]) == (step, measures.NAMES[step], True)


@pytest.mark.parametrize(
    ("step", "barred", "fields", "words"),
    [
        (6, ("sales",), {"second": ""}, "expected two persons, got 'an' and ''"),
        (7, (), {"second": "an"}, "expected two persons, got 'an' and 'an'"),
        (6, (), {}, r"expected what it restricts, got \[\]"),
        (7, ("sales",), {}, "expected no restrictions"),
        (1, (), {"account": "carol"}, "expected a declared account, got 'carol'"),
        (1, (), {"measure": 7}, "expected number 1, got 7"),
        (1, (), {"why": " "}, "expected a reason, got none"),
        (1, (), {"ends": 20241230}, "ends: expected 20241231 or later, got 20241230"),
        (1, (), {"starts": 20250230}, "starts: expected a date"),
    ],
)
def test_a_measure_that_does_not_fit_is_not_journaled(machine, step, barred, fields, words):
    """CEA-MSR-01, CEA-MSR-02, CEA-MSR-03."""
    before = machine.snapshot()
    with pytest.raises(FrameError, match=words):
        taken(machine, step, *barred, **fields)
    assert machine.snapshot() == before


def test_a_measure_is_lifted_once_and_by_two_where_it_took_two(machine):
    """CEA-MSR-03."""
    taken(machine, 6, "sales")
    with pytest.raises(FrameError, match="expected two persons"):
        lifted(machine, 1, second="an")
    lifted(machine, 1)
    with pytest.raises(FrameError, match="measure 1: expected one in force"):
        lifted(machine, 1)
    with pytest.raises(FrameError, match="expected one up to 1, got 2"):
        lifted(machine, 2)


def test_the_public_is_told_of_measures_from_step_5_on_without_the_words_inside(machine):
    """CEA-MSR-05."""
    for step, barred in ((2, ()), (5, ()), (6, ("sales",))):
        taken(machine, step, *barred)
    rows = measures.public_list(machine.measures, TRADING_DATE)
    assert [row["step"] for row in rows] == [5, 6]
    assert not {"why", "by", "second", "case"} & set(rows[0])


# -- Snapshots, and the cores ----------------------------------------------------------------------


def test_a_snapshot_keeps_what_is_in_force(machine):
    """CEA-MSR-02."""
    taken(machine, 6, "purchases", "cash_out", ends=NEXT_DAY)
    taken(machine, 7, account="bob")
    again = VenueStateMachine.restore(PROFILE, machine.snapshot(), type(machine.core))
    assert again.snapshot() == machine.snapshot()
    assert again.core.state_hash() == machine.core.state_hash()
    assert entered(again, 1, BUY) == Reason.RESTRICTED
    assert entered(again, 1, BUY, account=BOB) == Reason.ACCOUNT_SUSPENDED
    assert len(lifted(again, 2)) == 1


def test_both_cores_keep_the_same_of_it_and_a_market_without_measures_is_as_before():
    machines = [VenueStateMachine(PROFILE, core) for core in CORES]
    for machine in machines:
        for message in (*feed(), control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=2)):
            machine.apply_control(message)
    plain = {machine.core.state_hash() for machine in machines}
    for machine in machines:
        taken(machine, 6, "sales", "tonnes_out")
    restricted = {machine.core.state_hash() for machine in machines}
    for machine in machines:
        lifted(machine, 1)
    assert len(plain) == len(restricted) == 1
    assert plain != restricted
    one, other = (msgspec.msgpack.decode(machine.core.snapshot()) for machine in machines)
    assert one == other
    assert "restricted" not in one["accounts"][0]
