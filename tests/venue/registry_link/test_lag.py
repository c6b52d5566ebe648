"""A registry that falls behind a venue on real sockets: CEA-LAG-01, through all levels and back."""

import pytest

from cea_exchange.client import Client
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EventKind, Reason, Side
from cea_exchange.journal import FrameKind, OsStorage, SegmentReader
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import population
from cea_exchange.protocol.control import LagLevelSet, control_decode
from cea_exchange.venue.config import LagSetting
from cea_exchange.venue.durability.recovery import frame_apply
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.venue.venue_world import enter, target, world_open

pytestmark = pytest.mark.e2e

LAG = LagSetting(
    warn=(10, 0), throttle=(20, 0), cancel_only=(30, 0), halt=(40, 0), throttle_per_second=5
)


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path, lag=LAG) as world:
        yield world


def behind(world, records, level):
    """Let the registry be that many records behind, and wait for the level."""
    status = world.admin(op="status")
    world.registry.settled_seq = status["settlement_seq"] - records

    def is_so():
        shown = world.admin(op="status")
        # Its last answer may still be on the way.
        return (shown["lag_records"], shown["lag_level"]) == (records, level)

    world.until(is_so, timeout_s=30.0)


def replayed_summary(data):
    machine = VenueStateMachine(load_profile("cea"))
    for frame in SegmentReader(data / "journal", storage=OsStorage()).frames():
        frame_apply(machine, frame)
    return machine.summary()


def trade(alice, bob, first, count):
    """Let bob and alice trade; all of bob's orders come at once, before the level can change."""
    alice.command(*[enter(first + number, "sell", 9750, 1) for number in range(count)])
    alice.reports(2 * count)
    bob.command(*[enter(first + number, "buy", 9750, 1) for number in range(count)])


def kinds_of(peer, count):
    return [EventKind(kind).name for kind in peer.reports(count)["kind"]]


def test_all_levels_and_back_with_a_restart_on_the_way(world):
    world.listed()
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    trade(alice, bob, 1, 45)
    world.until(lambda: world.admin(op="status")["lag_records"] >= 45)
    behind(world, 0, "normal")
    behind(world, 10, "warn")
    behind(world, 20, "throttle")
    carol = world.logged_on("alice")
    carol.command(*[enter(100 + number, "buy", 9600, 1) for number in range(20)])
    world.until(lambda: world.admin(op="status")["throttled"] >= 15)
    behind(world, 30, "cancel_only")
    refused = ask_order(carol, 200)
    assert "behind" in refused["expected"] and refused["client_order_ids"] == [200]
    order_id = open_order(world)
    carol.command(target("cancel", 201, order_id))
    behind(world, 40, "halt")
    status = world.admin(op="status")
    assert status["halted"] and status["halted_for_lag"]
    assert "market halted" in ask_order(carol, 202)["expected"]
    world.stop()
    assert replayed_summary(world.data)["lag_level"] == "halt"
    world.start()
    assert world.admin(op="status")["lag_level"] == "halt"
    behind(world, 0, "normal")
    assert not world.admin(op="status")["halted"]
    carol = world.logged_on("alice")
    carol.command(enter(300, "buy", 9600, 1))
    assert "ORDER_ACCEPTED" in kinds_of(carol, 2)
    summary = {name: world.admin(op="status")[name] for name in world.venue.machine.summary()}
    world.stop()
    assert replayed_summary(world.data) == summary


def open_order(world):
    orders = world.venue.machine.core.orders_at(0, Side.BUY, 9600)
    return int(orders[0])


def ask_order(peer, client_order_id):
    peer.command(enter(client_order_id, "buy", 9600, 1))
    return peer.message()


def test_an_operators_halt_is_not_lifted_by_the_registry(world):
    world.listed()
    alice, bob = world.logged_on("alice"), world.logged_on("bob")
    trade(alice, bob, 1, 45)
    world.until(lambda: world.admin(op="status")["lag_records"] >= 45)
    behind(world, 40, "halt")
    world.admin(op="halt")
    behind(world, 0, "normal")
    assert world.admin(op="status")["halted"]
    bob.reports(2 * 45)
    bob.command(enter(99, "buy", 9600, 1))
    (rejected,) = bob.reports(1)
    assert rejected["reason"] == Reason.PHASE_CLOSED
    assert not world.admin(op="resume")["halted"]


def test_a_registry_that_is_frozen_and_goes_on(tmp_path):
    """The real registry under SIGSTOP: seconds, then records; and it recovers by itself."""
    members = population(2, {"CEA24": 9749}, seed=1, orders_each=1_000)
    with LocalExchange(tmp_path) as exchange:
        exchange.prepare(members, {"CEA24": 9749}, start="2025-01-02T08:30:00+08:00", fronts=0)
        with (tmp_path / "venue.toml").open("a") as config:
            config.write("[lag]\nwarn = [0, 1]\nthrottle = [0, 2]\ncancel_only = [0, 3]\n")
            config.write("halt = [0, 4]\n")
        exchange.start()

        def level_is(level):
            return lambda: exchange.operate("status")["lag_level"] == level

        def settled():
            status = exchange.operate("status")
            return not status["cancels_only"] and status["lag_records"] == 0

        exchange.wait_until(settled, "the transfers", 30)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        exchange.pause("registry")
        try:
            exchange.wait_until(level_is("halt"), "the halt", 60)
            with Client.connect(
                exchange.endpoint("venue", "gateway"),
                exchange.keys(members[0].name),
                exchange.keys("venue").public,
            ) as client:
                client.logon()
            assert exchange.operate("status")["halted"]
        finally:
            exchange.resume("registry")
        exchange.wait_until(level_is("normal"), "the registry to catch up", 60)
        status = exchange.operate("status")
        assert not status["halted"] and not status["cancels_only"]
        assert exchange.stop("venue") == 0
        assert exchange.stop("registry") == 0
    levels = lag_levels(tmp_path)
    assert levels[-1] == "normal" and "halt" in levels
    assert {name: status[name] for name in ("state_hash", "holdings_hash")}.items() <= (
        replayed_summary(tmp_path).items()
    )


def lag_levels(data):
    frames = SegmentReader(data / "journal", storage=OsStorage()).frames()
    acts = [control_decode(frame.payload) for frame in frames if frame.kind == FrameKind.CONTROL]
    return [act.level for act in acts if isinstance(act, LagLevelSet)]
