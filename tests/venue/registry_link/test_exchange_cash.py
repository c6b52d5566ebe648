"""Where the exchange settles the cash: what the registry may send and sees, what operators book."""

import numpy as np
import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile, profile_parse
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, EventKind, Phase, Reason
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine

CCER, CEA = load_profile("ccer"), load_profile("cea")
PRODUCT, DAY = "CCER-01-002-0001-2024", 20260302


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def machine(request):
    return machine_of(CCER, request.param)


def machine_of(profile, core=CompiledMarket):
    machine = VenueStateMachine(profile, core)
    feed(machine, control.ProductDeclared(product=PRODUCT, reference_price=7076))
    if profile is CCER:
        machine.apply_control(control.ListingConfirmed(product=PRODUCT))
    for account in ("alice", "bob"):
        feed(machine, control.AccountDeclared(account=account))
    feed(machine, control.TransferIn(account="bob", product=PRODUCT, amount=5_000))
    return machine


def feed(machine, command):
    return machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    )


def session_open(machine):
    machine.apply_control(control.DayOpen(date=DAY))
    machine.apply_control(control.PhaseSet(phase=int(Phase.LISTED_AND_BLOCK)))


def pay(machine, kind=control.CashPaidIn, amount=10_000_000, reference="BK1", **fields):
    parts = {"by": "an", "second": "bo", "account": "alice"} | fields
    return machine.apply_control(kind(amount=amount, reference=reference, **parts))


def test_two_persons_book_what_the_bank_took_in(machine):
    """CCER-CSH-01"""
    session_open(machine)
    (event,) = pay(machine)
    assert (event["kind"], event["cash"]) == (EventKind.DEPOSITED, 10_000_000)
    assert machine.core.account(0)["cash"] == 10_000_000
    (event,) = pay(machine, control.CashPaidOut, 4_000_000, "BK2")
    assert event["kind"] == EventKind.WITHDRAWN
    assert machine.core.account(0)["cash"] == 6_000_000
    (event,) = pay(machine, control.CashPaidOut, 6_000_001, "BK3")
    assert (event["kind"], event["reason"]) == (
        EventKind.TRANSFER_REJECTED, Reason.CASH_INSUFFICIENT,
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"second": "an"}, "two persons"),
        ({"second": ""}, "two persons"),
        ({"by": ""}, "two persons"),
        ({"account": "mallory"}, "expected a declared account"),
        ({"reference": "BK1"}, "expected a new reference, got 'BK1'"),
    ],
)
def test_cash_is_not_booked_by_one_nor_twice(machine, fields, words):
    """CCER-CSH-01: nothing moves then, and a reference stays used over a snapshot."""
    session_open(machine)
    pay(machine)
    machine = VenueStateMachine.restore(CCER, machine.snapshot(), type(machine.core))
    before = machine.core.state_hash()
    with pytest.raises(FrameError, match=words):
        pay(machine, **({"reference": "BK9"} | fields))
    assert machine.core.state_hash() == before


@pytest.mark.parametrize("phase", [None, Phase.PRE_OPEN, Phase.CLOSED])
def test_cash_flows_in_the_hours_of_trading(machine, phase):
    """CCER-CSH-01: from the first session to the end of the last; the break is between them."""
    if phase is not None:
        machine.apply_control(control.DayOpen(date=DAY))
        machine.apply_control(control.PhaseSet(phase=int(phase)))
    with pytest.raises(FrameError, match="expected the hours of trading, got phase"):
        pay(machine)
    if phase is not None:
        machine.apply_control(control.PhaseSet(phase=int(Phase.BREAK)))
        assert pay(machine)["kind"].tolist() == [EventKind.DEPOSITED]


@pytest.mark.parametrize(
    "command",
    [
        control.TransferIn(account="alice", amount=1),
        control.TransferOut(account="alice", amount=1),
        control.Seizure(account="alice", amount=1, why="court"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_the_registry_sends_no_cash(machine, command):
    """CCER-STL-01: the exchange's own is no matter of the registry's; its tonnes go on coming."""
    with pytest.raises(FrameError, match="got cash, which the exchange settles"):
        feed(machine, command)
    tonnes = control.TransferIn(account="alice", product=PRODUCT, amount=1)
    assert feed(machine, tonnes)["kind"].tolist() == [EventKind.DEPOSITED]


def test_both_sides_compare_the_credits_alone(machine):
    """CCER-STL-01: cash does not change the hash that the registry computes, only the state's."""
    session_open(machine)
    holdings, state = machine.core.holdings_hash(), machine.core.state_hash()
    pay(machine)
    assert machine.core.holdings_hash() == holdings
    assert machine.core.state_hash() != state
    (row,) = machine.apply_control(machine.checkpoint_now())
    assert row["kind"] == EventKind.CHECKPOINT
    feed(machine, control.TransferIn(account="alice", product=PRODUCT, amount=1))
    assert machine.core.holdings_hash() != holdings


def test_where_the_registry_settles_no_operator_books_cash():
    """CEA-STL-01"""
    machine = machine_of(CEA)
    session_open(machine)
    before = machine.core.holdings_hash()
    with pytest.raises(FrameError, match="cash: expected a market whose cash the exchange settles"):
        pay(machine)
    feed(machine, control.TransferIn(account="alice", amount=1))
    assert machine.core.holdings_hash() != before


def test_who_settles_the_cash_does_not_change(machine):
    """CCER-STL-01, CEA-OPR-03"""
    text = CCER.text.replace('agent = {value = "exchange"', 'agent = {value = "registry"')
    changed = control.ProfileChanged(
        profile_hash=profile_parse(text, "x").profile_hash(),
        previous_hash=CCER.profile_hash(),
        text=text,
    )
    with pytest.raises(FrameError, match="settlement_agent: expected "):
        machine.apply_control(changed)


def test_the_stream_tells_the_registry_of_trades_with_both_fees(machine):
    """CCER-STL-01, CCER-FEE-01: it delivers the tonnes, and leaves cash and fees alone."""
    session_open(machine)
    pay(machine)
    commands = np.concatenate([command(1, 2, 7076), command(0, 1, 7076)])
    events = machine.apply_records(commands)
    (trade,) = events[events["kind"] == EventKind.TRADE]
    assert trade["settlement_seq"] == machine.core.settlement_seq
    assert (trade["tonnes"], trade["buy_fee"], trade["sell_fee"]) == (7, 298, 298)


def command(account_index, side, price):
    row = np.zeros(1, COMMAND_DTYPE)
    row["kind"], row["side"], row["account_index"] = CommandKind.ENTER, side, account_index
    row["client_order_id"], row["price"], row["tonnes"] = 1, price, 7
    return row
