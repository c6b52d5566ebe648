"""Measures at a running venue: by two persons, in force at once, and after a kill in the middle."""

import signal
import threading

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind, Reason, Restriction, Side
from cea_exchange.journal import EventStore
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.operations.act_log import acts_read
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from support.venue.venue_process import CLOCK, VenueProcess
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.e2e

ROLES = {"an": "operator", "bo": "operator", "reg": "regulator"}
BATCH = 200


@pytest.fixture
def world(tmp_path):
    operators = tuple(
        OperatorSetting(name=name, key=f"keys/{name}.public", role=role)
        for name, role in ROLES.items()
    )
    with world_open(tmp_path, operators=operators, admin_keys=()) as world:
        with_operators(world, tmp_path)
        yield world


def with_operators(world, folder):
    for name in ROLES:
        CurveKeys.new().save(folder / "keys", name)
    world.as_operator = lambda key, **request: admin_ask(folder, request, key=key)
    world.admin_key = "an"


def approved(world, **request):
    number = world.as_operator("an", **request)["proposal"]
    return world.as_operator("bo", op="approve", number=number)


def test_two_persons_restrict_an_account_and_it_is_in_force_at_once_and_after_a_restart(world):
    """CEA-MSR-02, CEA-MSR-03."""
    world.listed()
    bob = world.logged_on("bob")
    restrict = {"op": "measure_restrict", "account": "bob", "case": "2025-17", "why": "spoofed"}
    asked = world.as_operator("an", purchases=True, **restrict)
    assert asked["what"] == "keep bob from purchases, case 2025-17"
    with pytest.raises(AdminError, match="SAME_PERSON"):
        world.as_operator("an", op="approve", number=asked["proposal"])
    bob.command(enter(1, "buy", 9700, 1))
    bob.reports(2)
    assert world.as_operator("bo", op="approve", number=asked["proposal"])["measure"] == 1
    (report,) = bob.reports(1)
    assert (report["kind"], report["flags"]) == (
        EventKind.ACCOUNT_RESTRICTED,
        Restriction.PURCHASES,
    )
    bob.command(enter(2, "buy", 9700, 1), enter(2, "sell", 9900, 1))
    refused, *sold = bob.reports(3)
    assert refused["reason"] == Reason.RESTRICTED
    assert [row["kind"] for row in sold] == [EventKind.ORDER_ACCEPTED, EventKind.ORDER_RESTED]
    world.stop()
    world.start()
    world.ready()
    bob = world.logged_on("bob")
    bob.command(enter(3, "buy", 9700, 1))
    (refused,) = bob.reports(1)
    assert refused["reason"] == Reason.RESTRICTED
    assert world.as_operator("reg", op="position", account="bob")["restricted"] == 1
    approved(world, op="measure_lift", measure=1, why="explained")
    bob.reports(1)
    bob.command(enter(4, "buy", 9700, 1))
    bob.reports(2)


def test_measures_are_listed_for_the_regulator_and_for_the_public(world):
    """CEA-MSR-01, CEA-MSR-05."""
    world.listed()
    said = {"account": "bob", "case": "2025-17", "why": "order 4711"}
    for step in (2, 5):
        world.as_operator("an", op="measure_take", step=step, ends="2025-01-31", **said)
    approved(world, op="measure_suspend", **said)
    rows = world.as_operator("reg", op="measures")["measures"]
    assert [(row["step"], row["by"], row["second"]) for row in rows] == [
        (2, "an", ""),
        (5, "an", ""),
        (7, "an", "bo"),
    ]
    assert [row["is_in_force"] for row in rows] == [True] * 3
    public = world.as_operator("reg", op="measures", public=True)["measures"]
    assert [row["step"] for row in public] == [5, 7]
    assert "why" not in public[0]
    acts = [act.what for act in acts_read(world.data)]
    assert acts == ["measure_taken"] * 3


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        ({"op": "measure_restrict"}, r"MEASURE_TERMS: .*expected what it restricts, got \[\]"),
        ({"op": "measure_restrict", "sales": True, "account": "carol"}, "ACCOUNT_UNKNOWN"),
        ({"op": "measure_suspend", "ends": "2024-12-30"}, "DATE_OUT_OF_RANGE: .*20241231 or later"),
        ({"op": "measure_suspend", "ends": "tomorrow"}, "VALUE_UNSOUND: .*as 2025-07-16"),
        ({"op": "measure_take", "step": 6}, "BAD_REQUEST"),
    ],
)
def test_what_does_not_fit_is_refused_when_it_is_proposed(world, request_fields, words):
    """CEA-MSR-01, CEA-MSR-02."""
    world.listed()
    said = {"account": "bob", "case": "2025-17", "why": "x"}
    with pytest.raises(AdminError, match=words):
        world.as_operator("an", **(said | request_fields))
    with pytest.raises(AdminError, match="MEASURE_UNKNOWN: .*expected one up to 0, got 1"):
        world.as_operator("an", op="measure_lift", measure=1, why="x")


@pytest.mark.nightly
@pytest.mark.crash
def test_a_measure_counts_from_its_own_place_while_its_account_trades_at_full_rate(tmp_path):
    """CEA-MSR-01, CEA-MSR-02: and the venue is killed in the middle."""
    operators = "".join(
        f'[[operators]]\nname = "{name}"\nkey = "keys/{name}.public"\nrole = "{role}"\n'
        for name, role in ROLES.items()
    )
    with world_open(tmp_path) as world:
        with_operators(world, tmp_path)
        world.venue = VenueProcess(world, settings=CLOCK + operators)
        world.ready()
        world.as_operator("an", op="clock", at="2024-12-31T09:30:00+08:00")
        bob = world.logged_on("bob")
        stop = threading.Event()

        def trade():
            number = 1
            while not stop.is_set():
                bob.command(*[enter(number + n, "buy", 9_700, 1) for n in range(BATCH)])
                number += BATCH
                stop.wait(0.01)

        trader = threading.Thread(target=trade)
        trader.start()
        try:
            world.until(lambda: world.as_operator("an", op="status")["event_seq"] > 2_000)
            said = {"account": "bob", "case": "2025-17", "why": "in the middle"}
            approved(world, op="measure_restrict", purchases=True, **said)
            before = world.as_operator("an", op="status")["event_seq"]
            world.until(lambda: world.as_operator("an", op="status")["event_seq"] > before + 1_000)
        finally:
            world.venue.end(signal.SIGKILL)
            stop.set()
            trader.join()
        rows = judged(tmp_path)
        assert len(rows) > 2_000
        world.venue = VenueProcess(world, settings=CLOCK + operators)
        world.ready()
        bob = world.logged_on("bob")
        bob.command(enter(2**40, "buy", 9_700, 1))
        (refused,) = bob.reports_until(len)[-1:]
        assert refused["reason"] == Reason.RESTRICTED
        assert world.venue.end(signal.SIGTERM) == 0
        world.venue = None
    assert len(judged(tmp_path)) > len(rows)
    assert verify_data(tmp_path).events == len(judged(tmp_path))


def judged(folder):
    """The events, of which every purchase before the measure is accepted and none behind it."""
    log_id = (folder / "events" / "events.rows").read_bytes()[16:32].hex()
    with EventStore.open(folder / "events", log_id=log_id) as store:
        rows = np.frombuffer(store.read(1, store.count), EVENT_DTYPE)
    (place,) = np.flatnonzero(rows["kind"] == EventKind.ACCOUNT_RESTRICTED)
    bought = (rows["kind"] == EventKind.ORDER_ACCEPTED) & (rows["side"] == Side.BUY)
    refused = rows["reason"] == Reason.RESTRICTED
    assert bought[:place].any() and not bought[place:].any()
    assert refused[place:].any() and not refused[:place].any()
    return rows
