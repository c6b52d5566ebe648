"""An account that the registry suspends: what the venue does of it, on both cores."""

import pytest

from cea_exchange.domain.records import EventKind, Phase, Reason, Side
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.journal.small_market import PROFILE, TRADING_DATE, feed, orders
from support.market.market_scripts import CORES

ALICE = 0


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def machine(request):
    machine = VenueStateMachine(PROFILE, request.param)
    for message in (*feed(), control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=2)):
        machine.apply_control(message)
    assert machine.core.phase == Phase.LISTED
    return machine


def fed(machine, command):
    return machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    )


def suspended(machine):
    return fed(machine, control.AccountSuspended(account="alice"))


def restored(machine):
    return fed(machine, control.AccountRestored(account="alice"))


def is_suspended(machine):
    return bool(machine.core.account(ALICE)["suspended"])


def enter(machine, order_id):
    (event, *_) = machine.apply_records(orders((ALICE, order_id, Side.SELL, 9_749, 10)))
    return event


def test_its_orders_end_and_it_trades_no_more_until_it_is_restored(machine):
    """CEA-ACC-03."""
    enter(machine, 1)
    kinds = suspended(machine)["kind"].tolist()
    assert kinds == [EventKind.ACCOUNT_SUSPENDED, EventKind.ORDER_CANCELED]
    assert machine.core.live_order_count == 0
    assert enter(machine, 2)["reason"] == Reason.ACCOUNT_SUSPENDED
    assert restored(machine)["kind"].tolist() == [EventKind.ACCOUNT_RESTORED]
    assert enter(machine, 3)["kind"] == EventKind.ORDER_ACCEPTED


def test_an_operator_can_not_lift_it(machine):
    suspended(machine)
    with pytest.raises(FrameError, match="'alice': expected one that an operator suspended"):
        machine.apply_control(control.Restore(account="alice"))
    assert is_suspended(machine)


@pytest.mark.parametrize("act", [control.Suspend, control.Kill])
@pytest.mark.parametrize("operator_first", [False, True])
def test_an_operators_suspension_stands_for_itself(machine, act, operator_first):
    """CEA-ACC-03: whichever is lifted first, the other stays."""
    steps = [lambda: suspended(machine), lambda: machine.apply_control(act(account="alice"))]
    for step in reversed(steps) if operator_first else steps:
        step()
    snapshot = machine.snapshot()
    assert not len(restored(machine))
    assert is_suspended(machine)
    machine.apply_control(control.Restore(account="alice"))
    assert not is_suspended(machine)

    again = VenueStateMachine.restore(PROFILE, snapshot, type(machine.core))
    assert not len(again.apply_control(control.Restore(account="alice")))
    assert is_suspended(again)
    restored(again)
    assert not is_suspended(again)


def test_an_account_that_is_not_there_can_not_be_suspended(machine):
    for command in (control.AccountSuspended, control.AccountRestored):
        with pytest.raises(FrameError, match="account: expected a declared account, got 'carol'"):
            fed(machine, command(account="carol"))
