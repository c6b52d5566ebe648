"""A seizure takes what is in a trading account for a court, on both cores alike (CEA-ENF-02)."""

import numpy as np
import pytest

from cea_exchange.domain.records import EventKind, Phase, Reason, Side
from cea_exchange.protocol import control
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.journal.small_market import PROFILE, TRADING_DATE, feed, orders
from support.market.market_scripts import CORES

ALICE, BOB = 0, 1
TONNES, CASH = 5_000, 10_000_000_00


@pytest.fixture(params=CORES)
def machine(request):
    machine = VenueStateMachine(PROFILE, request.param)
    opening = (control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=Phase.LISTED))
    for message in (*feed(), *opening):
        machine.apply_control(message)
    return machine


def seize(machine, account, product, amount):
    """Apply a seizure as the next item of the feed; return kinds and the answer."""
    command = control.Seizure(account=account, product=product, amount=amount)
    item = control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    events = machine.apply_control(item)
    (answer,) = events[np.isin(events["client_order_id"], [item.transfer_seq])]
    return [EventKind(kind).name for kind in events["kind"]], answer


def test_what_is_free_goes_and_orders_beside_it_stay(machine):
    machine.apply_records(orders((BOB, 1, Side.SELL, 9749, 1_000)))
    kinds, answer = seize(machine, "bob", "CEA23", TONNES - 1_000)
    assert ["WITHDRAWN"] == kinds
    assert TONNES - 1_000 == answer["tonnes"]
    assert {0: (1_000, 1_000, 0)} == machine.core.account(BOB)["holdings"]


def test_orders_end_where_they_lock_what_is_asked_for(machine):
    machine.apply_records(orders((BOB, 1, Side.SELL, 9749, 1_000), (BOB, 2, Side.BUY, 9000, 1)))
    kinds, answer = seize(machine, "bob", "CEA23", TONNES)
    canceled = ["ORDER_CANCELED"] * 2
    assert ["ACCOUNT_SUSPENDED", *canceled, "ACCOUNT_RESTORED", "WITHDRAWN"] == kinds
    assert TONNES == answer["tonnes"]
    account = machine.core.account(BOB)
    assert (0, {}, False) == (account["cash_locked"], account["holdings"], account["suspended"])


def test_where_there_is_less_what_there_is_goes(machine):
    kinds, answer = seize(machine, "alice", None, 2**62 - 1)
    assert ["WITHDRAWN"] == kinds
    assert CASH == answer["cash"]


def test_a_suspended_account_stays_so(machine):
    machine.apply_control(control.Suspend(account="bob"))
    kinds, _answer = seize(machine, "bob", "CEA23", 10)
    assert ["ACCOUNT_RESTORED", "WITHDRAWN", "ACCOUNT_SUSPENDED"] == kinds
    assert machine.core.account(BOB)["suspended"]


def test_what_was_bought_or_earned_today_stays(machine):
    records = ((BOB, 1, Side.SELL, 9749, 100), (ALICE, 1, Side.BUY, 9749, 100))
    machine.apply_records(orders(*records))
    _kinds, answer = seize(machine, "alice", "CEA23", TONNES + 100)
    assert TONNES == answer["tonnes"]
    kinds, answer = seize(machine, "alice", "CEA23", 100)
    assert ["TRANSFER_REJECTED"] == kinds
    assert Reason.ALLOWANCES_BOUGHT_TODAY == answer["reason"]
    _kinds, answer = seize(machine, "bob", None, CASH + 974_900)
    assert CASH == answer["cash"]


@pytest.mark.parametrize(
    ("account", "product", "reason"),
    [("dora", None, Reason.ACCOUNT_UNKNOWN), ("bob", "CEA99", Reason.PRODUCT_UNKNOWN)],
)
def test_what_the_venue_does_not_know_is_refused(machine, account, product, reason):
    kinds, answer = seize(machine, account, product, 1)
    assert (["TRANSFER_REJECTED"], reason) == (kinds, answer["reason"])
