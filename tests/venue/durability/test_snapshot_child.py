"""The process that writes a snapshot: what it has of its parent, and how its end is told."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cea_exchange.journal import snapshot_paths
from cea_exchange.protocol import control
from cea_exchange.protocol.folder_lock import FolderInUse, FolderLock
from cea_exchange.venue.durability import snapshots
from cea_exchange.venue.durability.snapshots import Written, _Child
from support.journal.small_market import day_begin, sequencer_open
from support.patience import patience
from support.places import TESTS


def written_by(work, seconds_max=30.0):
    return _Child(work, time.monotonic()).wait(seconds_max)


def test_it_has_nothing_of_its_parent_open(tmp_path):
    lock = FolderLock(tmp_path)
    with (tmp_path / "journal").open("w"):
        shown = written_by(lambda: Written(archived=tuple(sorted(os.listdir("/proc/self/fd")))))
    # Standard streams, its pipe, and the directory that it lists.
    assert {int(name) for name in shown.archived} <= {0, 1, 2, 3, 4}
    lock.release()


def test_a_child_does_not_hold_the_folder_once_its_parent_is_gone(tmp_path):
    lock = FolderLock(tmp_path)
    child = _Child(lambda: time.sleep(600) or Written(), time.monotonic())
    lock.release()
    # It closes its copy of the lock first of all; until then the folder is in use.
    until_s = time.monotonic() + 30 * patience()
    while True:
        try:
            FolderLock(tmp_path).release()
            break
        except FolderInUse:
            assert time.monotonic() < until_s, "the child holds the folder"
            time.sleep(0.02)
    assert "ended" in child.wait(0.0).error


def test_one_that_is_stuck_is_ended():
    begun = time.monotonic()
    shown = written_by(lambda: time.sleep(600) or Written(), 0.3)
    assert "not done after" in shown.error
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("work", [lambda: 1 / 0, lambda: os._exit(7), os.abort])
def test_one_that_dies_is_a_failure_and_not_the_end(work, capfd):
    assert "the process that wrote it ended with" in written_by(work).error


def test_what_it_could_not_do_is_told():
    assert written_by(lambda: Written(error="no room")).error == "no room"
    assert len(written_by(lambda: Written(error=100_000 * "x")).error) == 1_000


def test_a_dead_child_is_reported_and_the_next_one_writes(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(snapshots, "RETRY_S", 0.0)
    sequencer = sequencer_open(tmp_path, snapshot_commands=1_000)
    day_begin(sequencer)
    sequencer.run_controls([control.DayClose()])
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "written", lambda *given: os._exit(9))
        sequencer.turn()
        while sequencer._snapshots._child is not None:
            sequencer.turn()
    assert "snapshot_failed" in capsys.readouterr().out
    assert not snapshot_paths(tmp_path / "snapshots")
    sequencer.turn()
    sequencer.close()
    assert len(snapshot_paths(tmp_path / "snapshots")) == 1


@pytest.mark.parametrize("call", ["pipe", "fork"])
def test_where_there_can_be_no_child_the_venue_goes_on(tmp_path, monkeypatch, capsys, call):
    def none_left():
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(snapshots, "RETRY_S", 0.0)
    sequencer = sequencer_open(tmp_path, snapshot_commands=1_000)
    day_begin(sequencer)
    sequencer.run_controls([control.DayClose()])
    open_before = os.listdir("/proc/self/fd")
    with monkeypatch.context() as patched:
        patched.setattr(os, call, none_left)
        sequencer.turn()
    assert "no process to write it" in capsys.readouterr().out
    assert os.listdir("/proc/self/fd") == open_before
    sequencer.turn()
    sequencer.close()
    assert len(snapshot_paths(tmp_path / "snapshots")) == 1


def test_a_draft_of_a_process_that_was_killed_is_removed(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    sequencer.close()
    (tmp_path / "snapshots").mkdir()
    draft = tmp_path / "snapshots" / "00000000000000000007.snapshot.new"
    draft.write_bytes(b"CEASNAP\n")
    sequencer_open(tmp_path).close()
    assert not draft.exists()


ORPHAN = """
import os, sys, time
from pathlib import Path
from support.journal.small_market import day_begin, sequencer_open
from cea_exchange.protocol import control
from cea_exchange.venue.durability import snapshots

folder = Path(sys.argv[1])
sequencer = sequencer_open(folder, snapshot_commands=1_000, archive=folder / "archive")
day_begin(sequencer)
sequencer.run_controls([control.DayClose()])
take = sequencer._snapshot

def slow():
    make = take()
    def made():
        (folder / "begun").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
        return make()
    return made

sequencer._snapshot = slow
sequencer.turn()
print(sequencer._snapshots._child._pid, flush=True)
time.sleep(600)
"""


def test_a_child_whose_venue_was_killed_writes_no_more(tmp_path):
    """The folder may be another venue's by then."""
    arguments = [sys.executable, "-c", ORPHAN, str(tmp_path)]
    paths = {"PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, env=os.environ | paths
    ) as venue:
        child = next(int(line) for line in venue.stdout if line.strip().isdigit())
        until = time.monotonic() + 30 * patience()
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        venue.kill()
    with FolderLock(tmp_path):
        (tmp_path / "go").touch()
        while is_running(child):
            assert time.monotonic() < until
            time.sleep(0.01)
    assert snapshot_paths(tmp_path / "snapshots") == []
    assert not (tmp_path / "archive").exists()


def is_running(process_id):
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
