"""Listings, large holders and the voluntary market at a running venue, on real sockets."""

import pytest

from cea_exchange.domain.records import EventKind, Reason
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.operations.act_log import acts_read
from cea_exchange.venue.operations.admin_client import ActRefused, AdminError, admin_ask
from support.market.noticed_markets import CEA_TEXT, notice
from support.venue.market_followers import follower
from support.venue.venue_process import command
from support.venue.venue_world import DATE, PRODUCT, enter, world_open

pytestmark = pytest.mark.e2e

WAIT_S = 20.0


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path / "venue") as world:
        yield world


def operate(world, *arguments):
    shown = command("venue", *arguments, "--data", str(world.data))
    assert shown.returncode == 0, shown.stderr


def day_over(world):
    """Close the day, and let the registry confirm it."""
    world.admin(op="clock", at="2024-12-31T15:30:00+08:00")
    world.registry.confirmed_date = DATE
    world.until(lambda: world.admin(op="status")["confirmed_date"] == DATE)


def test_an_operator_delists_and_lists_a_product(world):
    """CEA-PRD-03, CEA-OPR-01: owners are told, everybody sees it, the journal says who and why."""
    world.listed()
    alice = world.logged_on("alice")
    alice.command(enter(1, "buy", 9700, 3))
    alice.reports(2)
    with follower(world) as client:
        client.await_books(WAIT_S)
        assert client.books.products[PRODUCT].listed
        operate(world, "product", "delist", PRODUCT, "--why", "carried over")
        (gone,) = alice.reports(1)
        assert (gone["kind"], gone["reason"]) == (
            EventKind.ORDER_CANCELED, Reason.PRODUCT_DELISTED,
        )
        alice.command(enter(2, "buy", 9700, 3))
        assert alice.reports(1)["reason"] == [Reason.PRODUCT_UNKNOWN]
        world.until(lambda: client.poll() or not client.books.products[PRODUCT].listed)
    with pytest.raises(AdminError, match="before the day's first listed phase"):
        world.admin(op="list", product=PRODUCT, price=9000, why="x")
    with pytest.raises(AdminError, match="expected a product"):
        world.admin(op="delist", product="CEA99", why="x")
    day_over(world)
    operate(world, "product", "admit", PRODUCT, "90.00", "--why", "by mistake")
    statistics = world.admin(op="statistics")["products"][PRODUCT]
    assert (statistics["listed"], statistics["reference_price"]) == (True, 9000)
    before = world.admin(op="status")["state_hash"]
    acts = [act for act in acts_read(world.data) if act.what.startswith("product")]
    assert [(act.by, act.what, act.why) for act in acts] == [
        ("admin", "product_delist", "carried over"), ("admin", "product_list", "by mistake"),
    ]
    world.stop()
    world.start()
    assert world.admin(op="status")["state_hash"] == before


def test_who_becomes_a_large_holder_is_told_in_his_reports(tmp_path, capfd):
    """CEA-FND-08"""
    profile = tmp_path / "noticed.toml"
    # Each account has 1,000,000 t; the day's first trade brings one above.
    text = CEA_TEXT.replace(
        "large_holder_tonnes = {value = 0", "large_holder_tonnes = {value = 1_000_003"
    )
    profile.write_text(text + notice(fee_bp=1), encoding="utf-8")
    with world_open(tmp_path / "venue", profile=str(profile)) as world:
        world.listed()
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        bob.command(enter(1, "sell", 9749, 5))
        bob.reports(2)
        alice.command(enter(1, "buy", 9749, 5))
        rows = alice.reports(3)
        assert rows["kind"].tolist() == [
            EventKind.ORDER_ACCEPTED, EventKind.TRADE, EventKind.LARGE_HOLDER,
        ]
        assert (rows[2]["tonnes"], rows[2]["report_seq"]) == (1_000_005, rows[1]["report_seq"] + 1)
        assert bob.reports(1)["kind"] == [EventKind.TRADE]
        world.until(lambda: "large_holder" in "".join(capfd.readouterr()))


def test_a_venue_runs_under_the_voluntary_markets_profile(tmp_path):
    """CCER-MKT-01, CCER-LST-02, CCER-DAY-01, CCER-CSH-01, CCER-PRD-02, CCER-PAR-01, CCER-STL-02"""
    names = ("an", "bo")
    operators = tuple(OperatorSetting(name=name, key=f"keys/{name}.public") for name in names)
    eve = ClockSetting(kind="manual", start="2024-12-30T20:00:00+08:00")
    people = {"operators": operators, "admin_keys": ()}
    product = "P0001-2024"
    with world_open(
        tmp_path / "venue", product=product, profile="ccer", clock=eve, **people
    ) as world:
        for name in names:
            CurveKeys.new().save(world.data / "keys", name)
        world.admin_key = "an"
        world.start()
        world.ready()
        (waiting,) = world.admin(op="status")["listings_waiting"]
        assert waiting == {
            "product": product, "price": 9749, "listing_date": 0, "confirmed_on": 0,
        }
        with pytest.raises(AdminError, match="LISTING_WAITS: .*its first listing confirmed"):
            world.admin(op="list", product=product, price=9749, why="in a hurry")
        world.admin(op="confirm_listing", product=product, why="papers in order")
        with pytest.raises(AdminError, match="LISTING_CONFIRMED: .*confirmed on 20241230"):
            world.admin(op="confirm_listing", product=product, why="again")
        world.admin(op="clock", at="2024-12-31T09:30:00+08:00")
        assert world.admin(op="status")["listings_waiting"] == []
        zoe = control.AccountDeclared(account="zoe", holder="natural_person")
        world.registry.commands.append(zoe)
        world.until(lambda: world.admin(op="status")["accounts"] == 3)
        found = world.admin(op="position", account="zoe")
        assert (found["holder"], found["may_trade"], found["suspended"]) == (
            "natural_person", False, True,
        )
        with pytest.raises(ActRefused, match="natural_person") as refused:
            world.admin(op="restore", account="zoe")
        assert refused.value.code is VenueRefusal.HOLDER_BARRED
        payment = {"account": "alice", "cash": 10**9, "reference": "BK1"}
        proposed = world.admin(op="cash_pay_in", **payment)
        found = admin_ask(world.data, {"op": "approve", "number": proposed["proposal"]}, key="bo")
        assert found["outcome"] == "booked"
        with pytest.raises(AdminError, match="CASH_BOOKED: .*'BK1', booked before"):
            world.admin(op="cash_pay_in", **payment)
        proposed = world.admin(op="cash_pay_out", account="alice", cash=10**9 + 1, reference="BK2")
        found = admin_ask(world.data, {"op": "approve", "number": proposed["proposal"]}, key="bo")
        assert found["outcome"] == "nothing moved: CASH_INSUFFICIENT"
        alice, bob = world.logged_on("alice"), world.logged_on("bob")
        bob.command(enter(1, "sell", 9749, 5))
        bob.reports(2)
        alice.command(enter(1, "buy", 9749, 5, pick_order_id=1))
        assert alice.reports(1)["reason"] == [Reason.PICK_NOT_AVAILABLE]
        alice.command(enter(2, "buy", 9749, 5))
        assert alice.reports(2)["kind"].tolist() == [EventKind.ORDER_ACCEPTED, EventKind.TRADE]
        bob.reports(1)
        found = world.admin(op="cash_reconcile")
        assert (found["fees"], found["differences"]) == ("586", [])
        world.admin(op="clock", at="2024-12-31T13:30:00+08:00")
        assert world.admin(op="status")["phase"] == "listed_and_block"
        world.admin(op="phase", phase="listed_and_block")
        offer = enter(2, "sell", 9749, 100_000, kind=5)
        bob.command(offer)
        assert bob.reports(1)["reason"] == [Reason.PHASE_CLOSED]
        world.stop()
    verified = command("verify", str(tmp_path / "venue"))
    assert verified.returncode == 0, verified.stderr
    assert "ccer" in verified.stdout
