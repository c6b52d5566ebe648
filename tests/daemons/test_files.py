"""Files that grow no more, lock files that are removed, and who may read what is written."""

import os
import resource
import signal
import stat
import subprocess
import sys

import msgspec
import pytest

from cea_exchange.domain.records import Tif
from support.bank.bank_process import BankProcess
from support.patience import patience
from support.rounds import ROUNDS
from support.venue.venue_process import CLOCK, SERVE, VenueProcess
from support.venue.venue_world import enter, world_open

pytestmark = pytest.mark.attack

LISTED = "2024-12-31T09:30:00+08:00"
FILE_BYTES_MAX = 3 << 20
BATCH = 400
CLI = (sys.executable, "-m", "cea_exchange.cli.main")


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path / "venue") as world:
        world.processes = []
        yield world
        for process in world.processes:
            process.end(signal.SIGKILL)


def start(world, **options):
    world.venue = VenueProcess(world, **options)
    world.processes.append(world.venue)
    world.ready()
    return world.venue


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_files_that_may_grow_no_more_stop_no_venue(world, round_):
    """EFBIG ended it; of the journal, or of the events behind it."""
    limited = ("sh", "-c", f'ulimit -Sf {FILE_BYTES_MAX // 512}; exec "$@"', "sh", *SERVE)
    venue = start(world, program=limited)
    world.admin(op="clock", at=LISTED)
    alice = world.logged_on("alice")
    refused = first = 0
    while not refused:
        first += BATCH
        rows = [enter(first + row, "buy", 9700, 1, tif=Tif.IOC) for row in range(BATCH)]
        alice.command(*rows)
        got = 0
        while got < 2 * BATCH and not refused:
            frames = alice.receive(30_000)
            if frames[0] == b"M":
                said = msgspec.msgpack.decode(frames[1])
                if said["op"] != "heartbeat":
                    assert "room on the venue's disk" in str(said)
                    refused = first
            else:
                got += len(frames[1]) // 160
        assert first < 1_000_000
    assert venue.process.poll() is None
    largest = max(path.stat().st_size for path in world.data.rglob("*") if path.is_file())
    assert largest <= FILE_BYTES_MAX
    resource.prlimit(venue.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    alice.command(enter(refused + BATCH, "buy", 9700, 1, tif=Tif.IOC))
    assert len(alice.reports(2)) == 2
    assert venue.end(signal.SIGTERM) == 0
    start(world)
    assert subprocess.run([*CLI, "verify", str(world.data)], capture_output=True).returncode == 2
    assert world.venue.end(signal.SIGTERM) == 0
    assert subprocess.run([*CLI, "verify", str(world.data)], capture_output=True).returncode == 0


def test_a_venue_whose_lock_file_is_removed_stays_alone_on_its_journal(world):
    start(world)
    journal = sorted((world.data / "journal").iterdir())
    for _ in range(2):
        (world.data / "venue.lock").unlink(missing_ok=True)
        arguments = ("--config", str(world.data / "venue.toml"), "--data", str(world.data))
        second = subprocess.run(
            [*SERVE, *arguments], capture_output=True, text=True, timeout=60 * patience()
        )
        assert second.returncode == 2 and "is in use by process" in second.stderr
    assert sorted((world.data / "journal").iterdir()) == journal
    assert world.venue.process.poll() is None


def test_a_bank_whose_lock_file_is_removed_stays_alone_on_its_books(tmp_path):
    with BankProcess(tmp_path) as bank:
        (tmp_path / "bank" / "lock").unlink()
        second = subprocess.run(
            [*CLI, "bank", "serve", "--data", str(tmp_path)], capture_output=True, timeout=60
        )
        assert second.returncode == 2 and b"is in use by process" in second.stderr
        assert bank.process.poll() is None


def test_nobody_else_reads_what_the_programs_write(world, tmp_path):
    """Whatever the umask of who starts them: 0640 at most, folders 0750."""
    before = os.umask(0)
    try:
        program = ("sh", "-c", 'umask 0; exec "$@"', "sh", *SERVE)
        start(world, program=program, settings=CLOCK)
        world.admin(op="clock", at=LISTED)
        world.admin(op="close_day")
        bulletins = world.data / "bulletins"
        world.until(lambda: len(list(bulletins.glob("*.json"))) == 1)
        assert world.venue.end(signal.SIGTERM) == 0
        for arguments in (
            ("bulletin", str(world.data), "--out", str(tmp_path / "day.txt")),
            ("venue", "backup", str(tmp_path / "copy"), "--data", str(world.data)),
            ("registry", "account", "list", "--data", str(world.data)),
        ):
            subprocess.run([*CLI, *arguments], capture_output=True, timeout=60 * patience())
    finally:
        os.umask(before)
    written = [world.data / name for name in ("journal", "events", "snapshots", "bulletins")]
    written += [tmp_path / "copy", tmp_path / "day.txt"]
    paths = [path for each in written for path in (each, *each.rglob("*"))]
    assert len(paths) > 10
    for path in paths:
        mode = stat.S_IMODE(path.stat().st_mode)
        most = 0o750 if path.is_dir() else 0o640
        assert mode & ~most == 0, f"{path}: {mode:o}"
