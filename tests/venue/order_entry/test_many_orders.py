"""An account rests as many orders as it can, and logs off: others trade on, and find room."""

import time

import numpy as np
import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, CommandKind, EventKind, Reason, Side
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.order_entry.lost_sessions import ORDERS_PER_SLICE
from support.patience import patience
from support.rounds import ROUNDS
from support.venue.venue_world import DATE, enter, world_open

pytestmark = pytest.mark.attack

ORDERS = min(20_000 * ROUNDS, 1_800_000)
BATCH = 4_000
GAP_S_MAX = 1.0


@pytest.fixture
def unlimited(tmp_path):
    """A profile without limits of an account's orders: what any profile may say."""
    text = load_profile("cea").text
    for name, value in (("orders_open_max", "20_000"), ("orders_kept_bp", "1250")):
        assert f"{name} = {{value = {value}," in text
        text = text.replace(f"{name} = {{value = {value},", f"{name} = {{value = 0,")
    path = tmp_path / "unlimited.toml"
    path.write_text(text)
    return str(path)


def bids(first, count):
    records = np.zeros(count, COMMAND_DTYPE)
    records["kind"], records["side"] = CommandKind.ENTER, Side.BUY
    records["client_order_id"] = np.arange(first, first + count)
    records["price"], records["tonnes"], records["trading_date"] = 9_000, 1, DATE
    return records


def rested(world, peer, count):
    """Rest orders; return the reasons with which some were refused."""
    reasons = set()
    for first in range(1, count + 1, BATCH):
        wanted = min(BATCH, count + 1 - first)
        peer.command(bids(first, wanted))
        rows = peer.reports_until(
            lambda rows, wanted=wanted: np.count_nonzero(
                np.isin(rows["kind"], (EventKind.ORDER_RESTED, EventKind.ORDER_REJECTED))
            )
            >= wanted
        )
        reasons |= set(rows["reason"][rows["kind"] == EventKind.ORDER_REJECTED].tolist())
    return reasons


def orders_of(core, account):
    """Return an account's orders, as soon as the venue's own thread is not in its market."""
    while True:
        try:
            return core.orders_of(account)
        except RuntimeError as error:
            assert str(error) == "another thread is inside this market"


def test_a_logoff_with_very_many_orders_lets_others_trade(tmp_path, unlimited):
    """CEA-ORD-11"""
    with world_open(tmp_path / "venue", profile=unlimited) as world:
        world.listed()
        alice = world.logged_on("alice")
        assert rested(world, alice, ORDERS) == set()
        bob = world.logged_on("bob")
        core = world.venue.machine.core
        assert core.live_order_count == ORDERS
        alice.ask(op="logoff")
        gaps, number = [], 0
        while core.live_order_count > number or number == 0:
            number += 1
            began_s = time.monotonic()
            bob.command(enter(number, "buy", 9_000, 1))
            assert bob.reports(2)["kind"].tolist() == [
                EventKind.ORDER_ACCEPTED, EventKind.ORDER_RESTED,
            ]  # fmt: skip
            gaps.append(time.monotonic() - began_s)
        assert orders_of(core, 0) == [] and len(orders_of(core, 1)) == number
        shown = f"{len(gaps)} orders, the slowest {max(gaps):.2f} s"
        assert max(gaps) < GAP_S_MAX * patience(), shown
        # It went in slices, each of which replay comes to again.
        assert number > ORDERS // ORDERS_PER_SLICE // 10
        world.stop()
        found = verify_data(world.data, profile=load_profile(unlimited))
        assert found.state_hash == core.state_hash()


def test_no_account_takes_the_room_of_the_others(tmp_path):
    """CEA-ORD-12"""
    with world_open(tmp_path) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        assert rested(world, alice, 24_000) == {Reason.CAPACITY}
        assert len(world.venue.machine.core.orders_of(0)) == 20_000
        bob.command(enter(1, "buy", 9_000, 1))
        assert bob.reports(2)["kind"].tolist()[-1] == EventKind.ORDER_RESTED
