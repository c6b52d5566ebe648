"""A venue serves on a disk that fills up, or whose sync fails: nothing acknowledged is lost."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.domain.refusals import VenueRefusal
from support.patience import patience
from support.places import TESTS
from support.venue.venue_process import VenueProcess
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.crash

FAULTY = (sys.executable, str(TESTS / "support/venue/faulty_venue.py"))
BATCH = 400
LISTED = "2024-12-31T09:30:00+08:00"


@pytest.fixture
def world(tmp_path):
    with world_running(tmp_path) as world:
        yield world


@contextlib.contextmanager
def world_running(data):
    with world_open(data) as world:
        world.processes = []
        try:
            yield world
        finally:
            for process in world.processes:
                process.end(signal.SIGKILL)


def start(world, **options):
    world.venue = VenueProcess(world, **options)
    world.processes.append(world.venue)
    world.ready()


def acknowledged(peer, first, count):
    """Enter orders one by one; every one is accepted and rests."""
    for number in range(first, first + count):
        peer.command(enter(number, "buy", 9700, 1))
        assert peer.reports(2)["client_order_id"].tolist() == [number, number]


def batches_until_refused(peer):
    """Enter batches until one is refused; return how many were not, and the answer.

    The ids of batch n are BATCH * n and the following.
    """
    batches = 0
    while True:
        first = BATCH * (batches + 1)
        peer.command(*(enter(first + row, "buy", 9700, 1) for row in range(BATCH)))
        got = 0
        while got < 2 * BATCH:
            frames = peer.receive(30_000)
            if frames[0] == b"M":
                if b"heartbeat" in frames[1]:
                    continue
                return batches, frames[1]
            rows = np.frombuffer(frames[1], EVENT_DTYPE)
            assert set(rows["kind"]) <= {EventKind.ORDER_ACCEPTED, EventKind.ORDER_RESTED}
            got += len(rows)
        batches += 1


def refused(peer, number):
    """Enter an order, and return the answer that refuses it."""
    peer.command(enter(number, "buy", 9700, 1))
    answer = peer.message()
    assert (answer["op"], answer["client_order_ids"]) == ("refused", [number])
    assert answer["code"] == VenueRefusal.NO_SPACE.name
    return answer


def test_a_failing_sync_releases_nothing_and_ends_the_venue(world):
    start(world, program=FAULTY)
    world.admin(op="clock", at=LISTED)
    alice = world.peer("alice")
    reports_before = alice.ask(op="logon")["report_seq"]
    acknowledged(alice, 1, 20)
    (world.data / "fault").write_text("sync")
    alice.command(enter(21, "buy", 9700, 1))
    assert 1 == world.venue.process.wait(60 * patience())
    last = json.loads(world.venue.log().splitlines()[-1])
    shown = (last["event"], last["kind"], last["error"])
    assert shown == ("crash", "JournalPoisoned", "sync: Input/output error")
    assert alice.receive(200) is None
    (world.data / "fault").unlink()
    start(world)
    logon = world.peer("alice").ask(op="logon")
    # The last was written, and may be there; it was never acknowledged.
    assert logon["last_client_order_id"] in (20, 21)
    assert logon["report_seq"] == reports_before + 2 * logon["last_client_order_id"]


def test_a_full_disk_refuses_orders_and_goes_on_when_there_is_room(world):
    start(world, program=FAULTY)
    world.admin(op="clock", at=LISTED)
    alice = world.logged_on("alice")
    acknowledged(alice, 1, 20)
    (world.data / "fault").write_text("full")
    batches, answer = batches_until_refused(alice)
    # What was written ahead, in zeros, still had room for some.
    assert batches > 1
    assert b"room on the venue's disk" in answer
    number = BATCH * (batches + 1)
    assert "journal" in refused(alice, number)["where"]
    assert world.admin(op="status")["orders_live"] == 20 + BATCH * batches
    (world.data / "fault").unlink()
    acknowledged(alice, number, 3)
    world.venue.end(signal.SIGKILL)
    start(world)
    assert world.admin(op="status")["orders_live"] == 23 + BATCH * batches


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of a few megabytes."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system takes root's rights")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_real_file_system_fills_up_and_is_cleared(small_disk):
    with world_running(small_disk) as world:
        start(world)
        world.admin(op="clock", at=LISTED)
        alice = world.logged_on("alice")
        acknowledged(alice, 1, 20)
        free = os.statvfs(small_disk)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - 40_000))
        batches, answer = batches_until_refused(alice)
        assert b"room on the venue's disk" in answer
        assert world.admin(op="status")["orders_live"] == 20 + BATCH * batches
        ballast.unlink()
        acknowledged(alice, BATCH * (batches + 1), 3)
        world.venue.end(signal.SIGKILL)
        start(world)
        assert world.admin(op="status")["orders_live"] == 23 + BATCH * batches
