"""Sessions and what is lost with them, without sockets."""

from itertools import count, repeat

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Phase, Reason, Side
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import SessionEnd
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.order_entry import lost_sessions
from cea_exchange.venue.order_entry.lost_sessions import (
    OPERATORS_PER_TURN_MAX,
    OPERATORS_PER_TURN_MIN,
    LostSessions,
)
from cea_exchange.venue.order_entry.sessions import Session, Sessions
from support.journal.small_market import PROFILE, TRADING_DATE, orders

ACCOUNTS = 4_000


class Venue:
    """Many accounts with a key each, and every second one with an order, on the compiled core."""

    def __init__(self, accounts):
        self.machine = VenueStateMachine(PROFILE)
        apply = self.machine.apply_control
        apply(control.ProductDeclared(product="CEA24", reference_price=9749))
        for number in range(accounts):
            name = f"P{number}"
            apply(control.AccountDeclared(account=name))
            apply(control.KeyGranted(key=f"{number:040}", account=name))
            apply(control.TransferIn(account=name, amount=10**8))
        apply(control.DayOpen(date=TRADING_DATE))
        apply(control.PhaseSet(phase=Phase.LISTED))
        rows = [(number, 1, Side.BUY, 9700, 10) for number in range(0, accounts, 2)]
        self.machine.apply_records(orders(*rows))
        self.sessions = Sessions()
        self.turns, self.canceled, self.refusal = [], [], None
        self.acts = []
        self.seconds = repeat(0.0)
        self.lost = LostSessions(
            self.machine, self.sessions, run_acts=self.run, now_s=self.now_s
        )

    def now_s(self):
        return next(self.seconds)

    def run(self, acts):
        (act,) = acts
        self.turns.append(1 + len(act.others))
        events = np.zeros(0, EVENT_DTYPE)
        if self.refusal is None:
            self.acts.append(act)
            events = self.machine.apply_control(act)
            self.canceled.append(events)
        return events, [self.refusal]

    def log_on(self, number, letter=b"r"):
        key = f"{number:040}"
        session = Session(letter + key.encode(), key, self.machine.keys[key], 0.0)
        self.sessions.add(session)
        return session


def test_thousands_of_lost_sessions_are_dealt_with_some_at_a_time():
    """CEA-ORD-11: few looks through the orders, and none for who has no order."""
    venue = Venue(ACCOUNTS)
    for session in [venue.log_on(number) for number in range(ACCOUNTS)]:
        venue.sessions.end(session, SessionEnd.SILENT)
        venue.lost.note(session.holder)
    turns = 0
    while venue.lost.has_work:
        venue.lost.turn()
        turns += 1
        assert turns < 10_000
    assert venue.machine.core.live_order_count == 0
    assert sum(venue.turns) == ACCOUNTS // 2
    assert venue.turns[0] == OPERATORS_PER_TURN_MIN
    assert max(venue.turns) <= OPERATORS_PER_TURN_MAX
    assert len(venue.turns) < ACCOUNTS // 2 / 16
    events = np.concatenate(venue.canceled)
    assert set(events["reason"].tolist()) == {Reason.DISCONNECTED}
    assert events["account_index"].tolist() == list(range(0, ACCOUNTS, 2))


def test_the_next_turn_takes_fewer_when_one_took_long():
    venue = Venue(1_000)
    for number in range(1_000):
        venue.lost.note(venue.machine.keys[f"{number:040}"])
    venue.lost._count = OPERATORS_PER_TURN_MAX // 4
    venue.seconds = map(float, count())
    while venue.lost.has_work:
        venue.lost.turn()
    assert venue.turns == [256, 128, 64, 52]


def test_only_what_asks_for_it_is_lost():
    venue = Venue(2)
    first = venue.machine.keys[f"{0:040}"]
    for fields in ({"role": "reader"}, {"role": "canceller"}, {"cancel_on_disconnect": False}):
        venue.machine.apply_control(control.KeyGranted(key="x" * 40, account="P0", **fields))
        venue.lost.note(venue.machine.keys["x" * 40])
        assert not venue.lost.has_work
    # A key that keeps its orders may have had the session of before the restart.
    venue.lost.note_absent()
    venue.lost.turn()
    assert venue.machine.core.live_order_count == 1
    venue.machine.apply_control(control.KeyRevoked(key="x" * 40))
    venue.log_on(0)
    venue.lost.note_absent()
    venue.lost.note(first)
    venue.lost.turn()
    assert venue.machine.core.live_order_count == 1


def test_what_is_lost_is_cancelled_before_its_operator_logs_on_again():
    venue = Venue(2)
    holder = venue.machine.keys[f"{0:040}"]
    venue.lost.note(holder)
    venue.refusal = "the disk is full"
    assert not venue.lost.cancel_before_logon(holder.operator)
    assert not venue.lost.has_work
    assert venue.machine.core.live_order_count == 1
    venue.refusal = None
    assert venue.lost.cancel_before_logon(holder.operator)
    assert EventKind(venue.canceled[0][0]["kind"]) is EventKind.ORDER_CANCELED
    assert venue.machine.core.live_order_count == 0


def test_who_comes_back_first_takes_the_others_along():
    venue = Venue(200)
    for number in range(200):
        venue.lost.note(venue.machine.keys[f"{number:040}"])
    assert venue.lost.cancel_before_logon((198, 0))
    assert venue.turns == [1 + OPERATORS_PER_TURN_MIN]
    events = np.concatenate(venue.canceled)
    assert events["account_index"].tolist() == [*range(0, OPERATORS_PER_TURN_MIN, 2), 198]
    for number in range(199):
        assert venue.lost.cancel_before_logon((number, 0))
    assert len(venue.turns) == 4 and venue.machine.core.live_order_count == 0


def rested(venue, number, first_id, count):
    ids = range(first_id, first_id + count)
    venue.machine.apply_records(orders(*[(number, each, Side.BUY, 9700, 1) for each in ids]))


def test_very_many_orders_go_in_slices_with_trading_between(monkeypatch):
    """CEA-ORD-11: a logoff of 1.8 million orders stopped everybody for nine seconds."""
    monkeypatch.setattr(lost_sessions, "ORDERS_PER_SLICE", 10)
    venue, replayed = Venue(2), Venue(2)
    for each in (venue, replayed):
        rested(each, 1, 2, 35)
    held = venue.machine.core.live_order_count
    assert held == 36
    venue.lost.note(venue.machine.keys[f"{0:040}"])
    venue.lost.note(venue.machine.keys[f"{1:040}"])
    entered = 100
    while venue.lost.has_work:
        venue.lost.turn()
        assert len(venue.canceled[-1]) <= 10
        # Others trade, and what an operator enters since it was lost stays.
        for each in (venue, replayed):
            if each is replayed:
                each.machine.apply_control(venue.acts[-1])
            rested(each, 1, entered, 2)
        entered += 2
    assert [len(events) for events in venue.canceled] == [10, 10, 10, 6]
    canceled = np.concatenate(venue.canceled)
    assert canceled["order_id"].tolist() == list(range(1, 37))
    assert venue.machine.core.live_order_count == 8
    # What is in the journal says it all.
    assert replayed.machine.core.state_hash() == venue.machine.core.state_hash()


def test_who_logs_on_again_meanwhile_keeps_what_it_enters(monkeypatch):
    monkeypatch.setattr(lost_sessions, "ORDERS_PER_SLICE", 10)
    venue = Venue(2)
    rested(venue, 1, 2, 35)
    venue.lost.note(venue.machine.keys[f"{1:040}"])
    venue.lost.turn()
    venue.refusal = "the disk is full"
    assert not venue.lost.cancel_before_logon((1, 0))
    assert not venue.lost.has_work
    venue.seconds = repeat(1e12)
    venue.refusal = None
    assert venue.lost.cancel_before_logon((1, 0))
    assert [len(events) for events in venue.canceled] == [10, 10]
    session = venue.log_on(1)
    rested(venue, 1, 100, 3)
    venue.lost.turn()
    # Lost once more before the first loss is done with.
    venue.sessions.end(session, SessionEnd.SILENT)
    venue.lost.note(session.holder)
    venue.lost.turn()
    assert venue.machine.core.orders_of(1) == [37, 38, 39]
    while venue.lost.has_work:
        venue.lost.turn()
    assert venue.machine.core.orders_of(1) == []
    assert venue.machine.core.orders_of(0) == [1]


def test_a_session_whose_connection_is_gone_is_there_until_it_ends():
    venue = Venue(1)
    session = venue.log_on(0)
    venue.sessions.disconnect(session)
    assert venue.sessions.get(session.routing_id) is None
    assert venue.sessions.of_account(0) == []
    assert venue.sessions.of_key(session.key) is session
    assert venue.sessions.has_trader((0, 0)) and len(venue.sessions) == 1
    with pytest.raises(AssertionError):
        venue.log_on(0, b"s")
    venue.sessions.end(session, SessionEnd.SILENT)
    assert not venue.sessions.has_trader((0, 0)) and not len(venue.sessions)
    again = venue.log_on(0, b"s")
    venue.sessions.end(session, SessionEnd.SLOW)
    assert venue.sessions.of_key(session.key) is again
    venue.sessions.end(again, SessionEnd.SLOW)
    assert venue.sessions.end_of(again.routing_id) == "slow"
