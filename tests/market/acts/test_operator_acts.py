"""What operators and lost sessions do to a market, on both cores: whose orders, in which order."""

import msgspec
import numpy as np
import pytest

from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    OPERATOR_ANY,
    ORDER_DTYPE,
    PRODUCT_NONE,
    BlockFlag,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
)
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.journal.small_market import PROFILE, TRADING_DATE, feed, orders
from support.market.market_scripts import CORES, cea_with

ALICE, BOB = 0, 1


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def machine(request):
    """Alice and Bob with cash and allowances, in the listed phase."""
    machine = VenueStateMachine(PROFILE, request.param)
    for message in (
        *feed(),
        control.DayOpen(date=TRADING_DATE),
        control.PhaseSet(phase=Phase.LISTED),
    ):
        machine.apply_control(message)
    return machine


def entered(machine, account, operator_index, client_order_id, side, price, tonnes=10):
    """Enter an order and return its id."""
    records = orders((account, client_order_id, side, price, tonnes))
    records["operator_index"] = operator_index
    machine.apply_records(records)
    return machine.core.order_id_last


def amended(machine, order_id, operator_index, client_order_id, price, tonnes=10):
    records = orders((machine.core.order(order_id)["account_index"], client_order_id, 0, price, 0))
    records["kind"], records["order_id"], records["tonnes"] = CommandKind.AMEND, order_id, tonnes
    records["operator_index"] = operator_index
    return machine.apply_records(records)


def five_orders(machine):
    """Two of Alice's first operator, two of her last, one of Bob's."""
    return [
        entered(machine, ALICE, 0, 1, Side.BUY, 9_700),
        entered(machine, ALICE, 15, 1, Side.SELL, 9_800),
        entered(machine, BOB, 0, 1, Side.SELL, 9_810),
        entered(machine, ALICE, 15, 2, Side.BUY, 9_690),
        entered(machine, ALICE, 0, 2, Side.SELL, 9_790),
    ]


def canceled(events):
    """The ids that were cancelled, after a look at what else the events say."""
    rows = events[events["kind"] == EventKind.ORDER_CANCELED]
    assert set(rows["tonnes"].tolist()) <= {10}
    assert not rows["tonnes_open"].any() and not rows["settlement_seq"].any()
    return rows["order_id"].tolist()


def test_a_lost_session_takes_its_operators_orders_and_no_others(machine):
    """CEA-ORD-11: in order of acceptance, with their locks; also after trading has ended."""
    first, second, other, fourth, fifth = five_orders(machine)
    machine.apply_control(control.PhaseSet(phase=Phase.CLOSED))
    events = machine.apply_control(control.SessionLost(account="alice", operator_index=15))
    assert canceled(events) == [second, fourth]
    assert set(events["reason"].tolist()) == {Reason.DISCONNECTED}
    assert machine.core.orders_of(ALICE) == [first, fifth]
    assert machine.core.orders_of(BOB) == [other]
    account = machine.core.account(ALICE)
    assert (account["cash_locked"], account["holdings"][0][1]) == (97_000, 10)
    machine.core.check()
    again = control.SessionLost(account="alice", operator_index=15)
    assert not len(machine.apply_control(again))


def test_sessions_lost_together_are_one_act(machine):
    """CEA-ORD-11: whoever's, in order of acceptance; who is named twice or has none is fine."""
    first, second, other, fourth, fifth = five_orders(machine)
    others = [("alice", 15), ("bob", 0), ("bob", 7), ("alice", 15)]
    act = control.SessionLost("bob", 0, tuple(control.LostOperator(*one) for one in others))
    assert canceled(machine.apply_control(act)) == [second, other, fourth]
    assert machine.core.orders_of(ALICE) == [first, fifth]
    machine.core.check()
    unknown = control.SessionLost("alice", 0, (control.LostOperator("carol", 0),))
    with pytest.raises(FrameError, match="'carol'"):
        machine.apply_control(unknown)
    assert machine.core.orders_of(ALICE) == [first, fifth]


@pytest.mark.parametrize(
    "operators", [[(2, 0)], [(ALICE, 0), (ALICE, 16)], [(-1, 0)], [(ALICE, -1)]]
)
def test_operators_are_of_accounts_there_are(machine, operators):
    five_orders(machine)
    before = machine.core.state_hash()
    with pytest.raises(ValueError):
        machine.core.operators_cancel(operators)
    assert machine.core.state_hash() == before
    assert not len(machine.core.operators_cancel([]))


def test_many_orders_of_a_lost_session_are_cancelled_in_slices(machine):
    """CEA-ORD-11: what was there when it was lost, oldest first; what came since stays."""
    five_orders(machine)
    mine = machine.core.orders_of(ALICE)
    before = machine.core.order_id_last
    lost = [(ALICE, 0), (ALICE, 15)]
    first = machine.core.operators_cancel(lost, 0, before, 1)
    assert first["order_id"].tolist() == mine[:1]
    assert set(first["reason"].tolist()) == {Reason.DISCONNECTED}
    assert not len(machine.core.operators_cancel(lost, before, 0, 0))
    assert not len(machine.core.operators_cancel(lost, (1 << 64) - 1, (1 << 64) - 1, 9))
    rest = machine.core.operators_cancel(lost, mine[0], before - 1, 0)
    assert rest["order_id"].tolist() == [each for each in mine[1:] if each < before]


@pytest.mark.parametrize("bounds", [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, 1 << 64)])
def test_the_bounds_of_a_slice_are_whole_numbers(machine, bounds):
    five_orders(machine)
    before = machine.core.state_hash()
    with pytest.raises((ValueError, OverflowError)):
        machine.core.operators_cancel([(ALICE, 0)], *bounds)
    assert machine.core.state_hash() == before


@pytest.mark.parametrize(
    ("act", "kind", "operators"),
    [
        (control.Suspend(account="alice"), EventKind.ORDER_CANCELED, [0, 15, 15, 0]),
        (control.Kill(account="alice"), EventKind.ORDER_CANCELED, [0, 15, 15, 0]),
        (control.Kill(account=None), EventKind.ORDER_CANCELED, [0, 15, 0, 15, 0]),
        (
            control.SessionLost(account="alice", operator_index=15),
            EventKind.ORDER_CANCELED,
            [15, 15],
        ),
        (control.DayClose(), EventKind.ORDER_EXPIRED, [0, 15, 0, 15, 0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ends_without_a_command_is_told_with_who_entered_it(machine, act, kind, operators):
    """And what answers a command, with whose command it was."""
    five_orders(machine)
    (refused,) = amended(machine, 1, 3, 1, 99_999)
    assert refused["operator_index"] == 3
    events = machine.apply_control(act)
    ended = events[events["kind"] == kind]
    assert ended["operator_index"].tolist() == operators
    assert not events[events["kind"] != kind]["operator_index"].any()


def test_an_amended_order_stays_with_the_operator_that_entered_it(machine):
    """CEA-ORD-11: whichever way it is amended."""
    first, second, *_ = five_orders(machine)
    assert len(amended(machine, first, 15, 9, 9_701))
    assert len(amended(machine, second, 0, 9, 9_800, tonnes=4))
    assert machine.core.order(first)["operator_index"] == 0
    events = machine.apply_control(control.SessionLost(account="alice", operator_index=0))
    assert first in events["order_id"] and second not in events["order_id"]
    assert machine.core.order(second)["operator_index"] == 15


def grant(machine, letter, **fields):
    key = letter * 40
    machine.apply_control(control.KeyGranted(key=key, account="alice", **fields))
    return control.KeyRevoked(key=key)


def test_the_last_key_of_an_operator_takes_its_orders_along(machine):
    """CEA-ORD-11: a key that follows it within the same operator keeps them."""
    old, new = grant(machine, "o"), grant(machine, "n")
    grant(machine, "r", role="reader")
    other = grant(machine, "p", operator_index=15, cancel_on_disconnect=False)
    first, second, *_, fifth = five_orders(machine)
    assert not len(machine.apply_control(old))
    assert not len(machine.apply_control(other))
    events = machine.apply_control(new)
    assert canceled(events) == [first, fifth]
    assert set(events["reason"].tolist()) == {Reason.DISCONNECTED}
    assert not len(machine.apply_control(new))
    assert second in machine.core.orders_of(ALICE)


def test_a_snapshot_and_the_hash_know_who_entered_an_order(machine):
    """Either core goes on from the other's snapshot; who entered what decides what comes next."""
    five_orders(machine)
    core = machine.core
    for other_class in CORES:
        other = other_class.from_snapshot(core.rules, core.snapshot())
        assert other.state_hash() == core.state_hash()
        assert other.order(2) == core.order(2)
        rows = other.orders_cancel(ALICE, 15, Reason.DISCONNECTED)
        assert rows["order_id"].tolist() == [2, 4]
    orders_as_bytes = bytearray(msgspec.msgpack.decode(core.snapshot())["orders"])
    by_another = np.frombuffer(orders_as_bytes, ORDER_DTYPE)
    by_another["flags"][0] += 16
    state = msgspec.msgpack.decode(core.snapshot()) | {"orders": bytes(orders_as_bytes)}
    hashes = {
        other_class.from_snapshot(core.rules, msgspec.msgpack.encode(state)).state_hash()
        for other_class in CORES
    }
    assert len(hashes) == 1 and core.state_hash() not in hashes


def blocks_offered(machine):
    """Alice offers to all, Bob to Alice who counters, Bob enquires; return the three ids."""
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED_AND_BLOCK))
    for account in (ALICE, BOB):
        machine.core.deposit(account, 0, 100_000)
        machine.core.deposit(account, PRODUCT_NONE, 10**10)
    rows = np.zeros(4, COMMAND_DTYPE)
    rows["kind"] = [CommandKind.BLOCK_OFFER] * 2 + [
        CommandKind.BLOCK_COUNTER,
        CommandKind.BLOCK_ENQUIRY,
    ]
    rows["account_index"] = [ALICE, BOB, ALICE, BOB]
    rows["client_order_id"] = [51, 51, 52, 52]
    rows["side"] = [Side.SELL, Side.SELL, 0, Side.BUY]
    rows["price"], rows["tonnes"] = [9_800, 9_800, 9_700, 0], [100_000] * 3 + [0]
    first = machine.core.order_id_last + 1
    rows["flags"] = [0, BlockFlag.TO_ACCOUNT, 0, BlockFlag.PRICE_OPEN | BlockFlag.TONNES_OPEN]
    rows["pick_order_id"][1], rows["order_id"][2] = ALICE, first + 1
    events = machine.apply_records(rows)
    assert EventKind.ORDER_REJECTED not in events["kind"]
    return list(range(first, first + 3))


def test_the_kill_switch_ends_what_an_account_negotiates(machine):
    """CEA-DAY-07: its offers, and those it has countered; others' stay."""
    offer, countered, enquiry = blocks_offered(machine)
    assert not len(machine.core.orders_cancel(ALICE, 0, Reason.DISCONNECTED))
    events = machine.apply_control(control.Kill(account="alice", by="ops1", why="runaway"))
    ended = events[events["kind"] == EventKind.BLOCK_WITHDRAWN]
    assert ended["order_id"].tolist() == [offer, countered]
    assert set(ended["reason"].tolist()) == {Reason.KILLED}
    assert machine.core.block_ids() == [enquiry]
    assert machine.core.account(ALICE)["cash_locked"] == 0
    assert machine.core.account(BOB)["holdings"][0][1] == 0


def test_the_kill_switch_of_the_market_leaves_no_block_open(machine):
    """CEA-DAY-07, CEA-BLK-10: in the name of who offered, or asked."""
    ids = blocks_offered(machine)
    events = machine.apply_control(control.Kill(by="ops1", why="runaway"))
    ended = events[events["kind"] == EventKind.BLOCK_WITHDRAWN]
    assert ended["order_id"].tolist() == ids
    assert ended["account_index"].tolist() == [ALICE, BOB, BOB]
    assert not machine.core.block_ids()
    machine.core.check()


def test_the_kill_switch_takes_an_account_off_the_market(machine):
    """CEA-DAY-07: the orders say they were killed, and only a restore lets the account back."""
    first, second, other, fourth, fifth = five_orders(machine)
    events = machine.apply_control(control.Kill(account="alice", by="ops1", why="runaway"))
    assert canceled(events) == [first, second, fourth, fifth]
    assert set(events["reason"][:4].tolist()) == {Reason.KILLED}
    assert events["kind"].tolist()[4:] == [EventKind.ACCOUNT_SUSPENDED]
    assert events["report_seq"].tolist() == list(
        range(int(events["report_seq"][0]), machine.core.report_seq(ALICE) + 1)
    )
    account = machine.core.account(ALICE)
    assert account["suspended"] and not account["cash_locked"]
    assert machine.core.orders_of(BOB) == [other]
    assert not len(machine.apply_control(control.Kill(account="alice")))
    refused = machine.apply_records(orders((ALICE, 50, Side.BUY, 9_700, 1)))
    assert refused["reason"].tolist() == [Reason.ACCOUNT_SUSPENDED]
    machine.apply_control(control.Restore(account="alice"))
    assert len(machine.apply_records(orders((ALICE, 50, Side.BUY, 9_700, 1)))) == 2


def test_the_kill_switch_without_an_account_stops_the_market(machine):
    """CEA-DAY-07: everybody's orders, and a halt that only a resume lifts."""
    everybodys = five_orders(machine)
    events = machine.apply_control(control.Kill(by="ops1", why="flood in the data centre"))
    assert canceled(events) == everybodys
    assert events["kind"].tolist()[5:] == [EventKind.HALTED]
    assert machine.core.market_halted and not machine.core.live_order_count
    machine.core.check()
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED_AND_BLOCK))
    refused = machine.apply_records(orders((BOB, 50, Side.BUY, 9_700, 1)))
    assert refused["reason"].tolist() == [Reason.PHASE_CLOSED]
    machine.apply_control(control.Resume())
    assert len(machine.apply_records(orders((BOB, 50, Side.BUY, 9_700, 1)))) == 2


@pytest.mark.parametrize(
    "message",
    [control.SessionLost(account="carol", operator_index=0), control.Kill(account="carol")],
    ids=["session", "kill"],
)
def test_an_unknown_account_is_nobody_and_not_everybody(machine, message):
    five_orders(machine)
    before = machine.core.state_hash()
    with pytest.raises(FrameError, match="expected a declared account, got 'carol'"):
        machine.apply_control(message)
    assert machine.core.state_hash() == before


MISUSES = [
    (2, OPERATOR_ANY, Reason.KILLED),
    (ALICE, 16, Reason.KILLED),
    (ACCOUNT_NONE, 0, Reason.KILLED),
    (ALICE, 0, Reason.SUSPENDED),
    (ALICE, 0, Reason.PRODUCT_DELISTED),
    (-1, 0, Reason.KILLED),
]


@pytest.mark.parametrize("arguments", MISUSES)
def test_orders_are_cancelled_for_somebody_and_for_a_reason(machine, arguments):
    five_orders(machine)
    before = machine.core.state_hash()
    with pytest.raises(ValueError):
        machine.core.orders_cancel(*arguments)
    assert machine.core.state_hash() == before


def test_where_nothing_is_locked_the_orders_are_found_all_the_same():
    """Profile `open` keeps no balances, so a look at the locks says nothing."""
    profile = cea_with(holdings_checked=False)
    for core in CORES:
        machine = VenueStateMachine(profile, core)
        for message in (*feed(), control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=2)):
            machine.apply_control(message)
        order_id = entered(machine, BOB, 3, 1, Side.SELL, 9_800)
        events = machine.apply_control(control.SessionLost(account="bob", operator_index=3))
        assert canceled(events) == [order_id]


def test_an_act_says_who_did_it_and_why():
    """Up to 200 characters of why; the timer's acts say nothing."""
    assert (control.Halt().by, control.Halt().why) == ("", "")
    act = control.DayOpen(date=TRADING_DATE, by="ops1", second="ops2", why="因" * 200)
    assert control.control_decode(control.control_encode(act)) == act
    long = control.Kill(by="ops1", why="x" * 201)
    with pytest.raises(control.ControlError, match="length <= 200"):
        control.control_decode(control.control_encode(long))


def test_events_of_acts_are_whole_rows(machine):
    """What a core gives is an array of its own, which later acts leave alone."""
    five_orders(machine)
    events = machine.core.orders_cancel(BOB, OPERATOR_ANY, Reason.KILLED)
    kept = events.copy()
    machine.core.orders_cancel(ALICE, OPERATOR_ANY, Reason.KILLED)
    assert events.dtype == EVENT_DTYPE and np.array_equal(events, kept)
