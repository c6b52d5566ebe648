"""Biddings as the venue's journal, gateway and views see them."""

from datetime import datetime

import msgspec
import numpy as np
import pytest

from cea_exchange.client.reports import Report
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    BIDDING_OPENED_DTYPE,
    COMMAND_DTYPE,
    CommandKind,
    EventKind,
    Phase,
    Reason,
)
from cea_exchange.domain.timetable import bidding_window, day_start, time_parse, time_to_ns
from cea_exchange.matching.bidding_windows import windows_due
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import market_data_records
from cea_exchange.venue._event_lists import EventLists
from cea_exchange.venue._intake import are_same_commands
from cea_exchange.venue._reports import reports_by_account, reports_masked
from cea_exchange.venue.market.state_machine import BIDDING_UNANNOUNCED, VenueStateMachine
from cea_exchange.venue.market.views import biddings
from support.market.market_scripts import CORES

SELLER, ALICE, BOB = range(3)


def moment(time: str) -> datetime:
    """A time of the day."""
    return time_parse(f"2025-07-16T{time}:00+08:00")


def ns(time: str) -> int:
    """The same as nanoseconds."""
    return time_to_ns(moment(time))


def notice(name: str, **changes: object) -> control.BiddingOpen:
    """A bidding of the seller's."""
    terms = {
        "account": "seller",
        "product": "CEA23",
        "tonnes": 100_000,
        "limit": 8_774,
        "pricing": "uniform",
        "at_ns": ns("09:00"),
    }
    return control.BiddingOpen(bidding=name, **(terms | changes))


def bid(account_index: int, bidding_id: int, tonnes: int, number: int, **more: int) -> np.ndarray:
    """One BID, or with another `kind` one BID_CANCEL."""
    record = np.zeros(1, COMMAND_DTYPE)
    fields = {"kind": CommandKind.BID, "account_index": account_index, "order_id": bidding_id}
    fields |= {"price": 9_500, "tonnes": tonnes, "client_order_id": number}
    for name, value in (fields | more).items():
        record[name] = value
    return record


OPENING: list[control.Control] = [
    control.ProductDeclared(product="CEA23", reference_price=9_749),
    *(control.AccountDeclared(account=name) for name in ("seller", "alice", "bob")),
    *(control.TransferIn(account=name, amount=10**9) for name in ("alice", "bob")),
    control.TransferIn(account="seller", product="CEA23", amount=300_000),
    control.DayOpen(date=20250716, at_ns=ns("09:00")),
]


def machine_make(core_class: type | None = None) -> VenueStateMachine:
    """An open day at 09:00; the seller has allowances, the others cash."""
    machine = VenueStateMachine(load_profile("cea"), core_class)
    for message in OPENING:
        machine.apply_control(message)
    return machine


def test_how_a_window_stands_follows_from_the_times() -> None:
    """CEA-BID-03: inside the day to its close, not over; open at once, or announced."""
    profile, day = load_profile("cea"), moment("09:00").date()
    cases = {
        (None, None): "OPEN",
        ("08:00", None): "OPEN",
        ("10:00", "10:30"): "ANNOUNCED",
        ("10:00", "15:00"): "ANNOUNCED",
        (None, "15:00"): "OPEN",
        (None, "15:01"): "ENDED",
        (None, "09:00"): "ENDED",
        ("15:00", None): "ENDED",
        ("10:30", "10:30"): "ENDED",
    }
    for times, expected in cases.items():
        window = [None if time is None else moment(time) for time in times]
        assert bidding_window(profile, day, moment("09:00"), *window).name == expected, times
    yesterday = day_start(day).replace(day=15)
    assert bidding_window(profile, day, moment("09:00"), yesterday, None).name == "ENDED"


@pytest.mark.parametrize("core_class", CORES)
def test_the_journal_decides_how_a_bidding_stands(core_class: type) -> None:
    """The same messages with the same times, by either core, from a snapshot too."""
    machine = machine_make(core_class)
    machine.apply_control(notice("B1", opens_at=ns("10:00"), closes_at=ns("10:30")))
    refused = machine.apply_control(notice("B1"))
    assert refused["reason"].tolist() == [Reason.ORDER_ID_DUPLICATE]
    late = machine.apply_control(notice("B2", opens_at=ns("09:30"), at_ns=ns("09:40")))
    assert late.view(BIDDING_OPENED_DTYPE)["opens_at"].tolist() == [ns("09:30")]
    shown = biddings(machine)
    assert [bidding["state"] for bidding in shown] == ["announced", "open"]
    again = VenueStateMachine.restore(machine.profile, machine.snapshot(), core_class)
    for one in (machine, again):
        assert biddings(one) == shown
        names = {bidding_id: name for name, bidding_id in one.biddings.items()}
        due = [(names[c.bidding_id], c.opens) for c in windows_due(one.core, ns("10:30"))]
        assert due == [("B1", True), ("B1", False)]
        one.apply_control(control.BiddingWindowOpen(bidding="B1", at_ns=ns("10:00")))
        first = one.biddings["B1"]
        one.apply_records(np.concatenate([bid(ALICE, first, 9, 1), bid(BOB, first, 8, 1)]))
        events = one.apply_control(control.BiddingClose(bidding="B1", at_ns=ns("10:30")))
        assert [EventKind(kind).name for kind in events["kind"]] == [
            "TRADE",
            "TRADE",
            "BIDDING_CLOSED",
        ]
    assert machine.core.state_hash() == again.core.state_hash()
    unknown = machine.apply_control(control.BiddingClose(bidding="B9"))
    assert unknown["reason"].tolist() == [Reason.BIDDING_UNKNOWN]
    assert machine.bidding_id("B9") == BIDDING_UNANNOUNCED
    machine.apply_control(control.DayClose())
    machine.apply_control(control.DayOpen(date=20250717))
    assert machine.biddings == {} and biddings(machine) == []


def test_a_repeat_is_told_from_another_command_with_its_id() -> None:
    """The events of accepted commands say all that was asked."""
    machine = machine_make()
    machine.apply_control(notice("B1"))
    entered = bid(ALICE, machine.biddings["B1"], 9, 1)
    accepted = machine.apply_records(entered)
    taken = bid(ALICE, int(accepted["order_id"][0]), 0, 2, kind=CommandKind.BID_CANCEL, price=0)
    canceled = machine.apply_records(taken)
    first = np.zeros(1, np.int64)
    assert are_same_commands(entered, accepted, first)
    assert are_same_commands(taken, canceled, first)
    assert not are_same_commands(taken, accepted, first)
    for field in ("order_id", "price", "tonnes"):
        other = entered.copy()
        other[field] += 1
        assert not are_same_commands(other, accepted, first), field
    taken["order_id"] += 1
    assert not are_same_commands(taken, canceled, first)


def test_only_commands_are_answered() -> None:
    """A bid that the operator ended answers none, so its first acceptance stays the answer."""
    machine = VenueStateMachine(load_profile("cea"))
    before = [machine.apply_control(message) for message in [*OPENING, notice("B1")]]
    first = machine.biddings["B1"]
    accepted = machine.apply_records(
        np.concatenate([bid(ALICE, first, 9, 1), bid(ALICE, first, 9, 2)])
    )
    taken = bid(ALICE, int(accepted["order_id"][0]), 0, 3, kind=CommandKind.BID_CANCEL)
    canceled = machine.apply_records(taken)
    ended = machine.apply_control(control.BiddingCancel(bidding="B1", by="ops1", why="default"))
    assert ended["reason"].tolist() == [Reason.REQUESTED, Reason.REQUESTED]
    events = np.concatenate([accepted, canceled, ended])
    assert [Report._make(row).answers() for row in events.tolist()] == [1, 2, 3, 0, 0]
    lists = EventLists()
    lists.take(np.concatenate([*before, events]))
    blocks, pairs = lists.accepted(ALICE, 0, np.array([1, 2, 3], np.uint64))
    reported = np.frombuffer(pairs, np.uint64).reshape(-1, 2)
    assert not blocks and reported[:, 0].tolist() == [1, 2, 3]
    assert reported[:, 1].tolist() == events["seq"][:3].tolist()


def test_nobody_else_learns_of_a_bid() -> None:
    """CEA-BID-05: no public record, no report but the bidder's, no number in a view."""
    machine = machine_make()
    opened = machine.apply_control(notice("B1", closes_at=ns("10:00")))
    before = biddings(machine)
    first = machine.biddings["B1"]
    both = np.concatenate([bid(ALICE, first, 9, 1), bid(BOB, first, 8, 1)])
    accepted = machine.apply_records(both)
    assert biddings(machine) == before
    assert not len(market_data_records(accepted))
    assert [account for account, _ in reports_by_account(accepted)] == [ALICE, BOB]
    (public,) = market_data_records(opened)
    assert (public["order_id"], public["price"], public["tonnes"]) == (first, 8_774, 100_000)
    # The applicant's report has the times, which stand where trades have the other side's ids.
    ((account, payload),) = reports_by_account(opened)
    assert account == SELLER
    (reported,) = np.frombuffer(payload, BIDDING_OPENED_DTYPE)
    assert reported["closes_at"] == ns("10:00")
    closed = machine.apply_control(control.BiddingClose(bidding="B1"))
    trade, end = closed[0], closed[-1]
    assert (end["price"], end["counter_order_id"]) == (9_500, 2)
    sides = reports_masked(closed[:1], np.zeros(2, np.int64), np.array([0, 1], np.uint8))
    assert sides["counter_account_index"].tolist() == [ACCOUNT_NONE, SELLER]
    assert sides["account_index"].tolist() == [ALICE, ACCOUNT_NONE]
    assert trade["phase"] == Phase.PRE_OPEN


def test_a_journal_of_before_it_took_two_is_read() -> None:
    """CEA-OPR-02: one person's is what it was."""
    fields = msgspec.msgpack.decode(control.control_encode(notice("B1", by="ops1", second="ops2")))
    del fields["second"]
    old = control.control_decode(msgspec.msgpack.encode(fields))
    assert old == notice("B1", by="ops1")
    machine = machine_make()
    assert machine.refusal(old) is None
    machine.apply_control(old)
    assert [row["bidding"] for row in biddings(machine)] == ["B1"]
