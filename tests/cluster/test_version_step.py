"""One node after another is brought to a version whose journal has another schema."""

import os
import subprocess
import sys

import pytest

from cea_exchange.domain.records import SCHEMA_VERSION, EventKind
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.journal import OsStorage
from cea_exchange.journal.segment import segment_header_read
from cea_exchange.venue.operations.admin_client import ActRefused
from cluster.test_takeover import admin, report
from support.cluster.cluster_world import WAIT_S, cluster_open, peer
from support.cluster.newer_program import VERSION
from support.venue.venue_world import enter

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]
NEWER_PROGRAM = (sys.executable, "-m", "support.cluster.newer_program")
NEWER = (*NEWER_PROGRAM, "venue", "serve")
DATE, NEXT_DATE = 20241231, 20250102
LISTED, CLOSED = "2024-12-31T09:30:00+08:00", "2024-12-31T15:00:00+08:00"
NEXT_LISTED = "2025-01-02T09:30:00+08:00"
BY_NEWER = f"the log is written by cea-exchange {VERSION}, schema {SCHEMA_VERSION + 1}; this node"
STEP = f"day {DATE} is open under schema {SCHEMA_VERSION}, this"


@pytest.fixture(autouse=True)
def _newer_program_is_found(monkeypatch):
    tests = os.path.dirname(os.path.dirname(__file__))
    monkeypatch.setenv("PYTHONPATH", tests)


def is_open(node):
    return not admin(node, op="status")["cancels_only"]


def order(world, name, client_order_id, side, date=DATE):
    """Enter an order, and return what the venue has acknowledged."""
    participant = peer(world, name)
    participant.command(enter(client_order_id, side, 9749, 5, trading_date=date))
    return report(participant, EventKind.ORDER_ACCEPTED, client_order_id)


def schemas(node):
    """Return the schema that each segment of a node's journal names."""
    paths = sorted((node.data / "journal").iterdir())
    return [segment_header_read(path, OsStorage()).identity.schema_version for path in paths]


def test_the_standby_first_then_a_handover_then_who_led(tmp_path):
    with cluster_open(tmp_path, ("one", "two", "three")) as world:
        one, two, three = world.nodes.values()
        one.start()
        world.leader()
        world.until(lambda: is_open(one))
        admin(one, op="clock", at=LISTED)
        first = order(world, "alice", 1, "sell")
        # The standby is of the version to come while the day is open: it follows, and no more.
        two.start(program=NEWER)
        world.until(lambda: two.events("can_not_lead"))
        assert STEP in two.events("can_not_lead")[0]["why"]
        world.until(lambda: STEP in handover_refusal(one, "two"))
        one.kill()
        one.start()
        assert world.leader() is one
        world.until(lambda: is_open(one))
        # Between two days it may lead, and takes over what was acknowledged under the older one.
        admin(one, op="clock", at=CLOSED)
        world.keys_of.registry.confirmed_date = DATE
        world.until(lambda: admin(one, op="status")["confirmed_date"] == DATE)
        three.start()
        world.until(lambda: three.events("follows"))
        world.until(lambda: not handover_refusal(one, "two"))
        assert world.leader(beside={"one"}) is two
        # Who is of the older version ends, whether it followed or comes back.
        assert one.process.wait(WAIT_S) == 3
        one.start()
        for older, status in ((one, 1), (three, 4)):
            assert BY_NEWER in older.fails()
            assert older.process.returncode == status
        one.start(program=NEWER)
        world.until(lambda: is_open(two))
        admin(two, op="clock", at=NEXT_LISTED)
        second = order(world, "alice", 2, "sell", NEXT_DATE)
        assert second["order_id"] == first["order_id"] + 1
        world.until(lambda: not handover_refusal(two, "one"))
        assert world.leader(beside={"two"}) is one
        world.until(lambda: is_open(one))
        assert order(world, "bob", 1, "buy", NEXT_DATE)["order_id"] == second["order_id"] + 1
        assert one.end() == 0
        assert schemas(one)[0] == SCHEMA_VERSION < schemas(one)[-1]
        for node in (one, two):
            verified = subprocess.run(
                [*NEWER_PROGRAM, "verify", str(node.data)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert verified.returncode == 0, verified.stdout + verified.stderr


def handover_refusal(leader, node):
    """Ask for a handover; return why it is refused, empty if it is not."""
    try:
        admin(leader, op="cluster_handover", node=node)
    except ActRefused as error:
        assert error.code is VenueRefusal.HANDOVER_UNFIT
        return str(error)
    return ""
