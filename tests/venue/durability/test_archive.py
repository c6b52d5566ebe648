"""Sealed segments that a snapshot covers are archived; verify holds archive and snapshots true."""

import errno
import json
import os
from pathlib import Path

import msgspec
import pytest

from cea_exchange.domain.records import SCHEMA_VERSION, Side
from cea_exchange.journal import (
    Identity,
    JournalError,
    OsStorage,
    SnapshotHeader,
    archive_check,
    archive_sealed,
    manifest_read,
    snapshot_paths,
    snapshot_read,
    snapshot_write,
)
from cea_exchange.journal.segment import crc32c
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.durability.recovery import SCHEMA_OLDEST
from cea_exchange.venue.durability.snapshots import SnapshotBody, body_decode
from cea_exchange.venue.maintenance.verify import Divergence, verify_data
from support.journal.small_market import PROFILE, day_begin, orders, pairs, sequencer_open
from support.journal.volatile_storage import VolatileStorage

STORAGE = OsStorage()
SCHEMA_OFFSET, PROFILE_HASH_OFFSET = 12, 104


def lived(data, lives=3, storage=None):
    """A data folder with a segment and a snapshot of each life."""
    batches = None
    for _ in range(lives):
        sequencer = sequencer_open(
            data, snapshot_commands=10, archive=data / "archive", storage=storage
        )
        if not sequencer.machine.account_names:
            day_begin(sequencer)
        # Ids go on from the last life's, and one command more.
        batches = batches or pairs(1 + sequencer.machine.core.command_seq)
        for _ in range(8):
            sequencer.run_records(next(batches))
        sequencer.turn()
        sequencer._snapshots.close()
        sequencer.run_records(next(batches))
        sequencer.close()
    return data


def verify(data, **options):
    return verify_data(data, core_class=ReferenceMarket, **options)


def test_what_a_snapshot_covers_is_archived(tmp_path):
    lived(tmp_path)
    segments = sorted((tmp_path / "journal").iterdir())
    lines = manifest_read(tmp_path / "archive", storage=STORAGE)
    # The last life's own segment was open when its snapshot was taken, its end is not covered.
    assert [line.segment for line in lines] == [path.name for path in segments[:2]]
    assert [line.first_seq for line in lines] == [1, lines[0].last_seq + 1]
    assert [line.bytes for line in lines] == [path.stat().st_size for path in segments[:2]]
    for path in segments[:2]:
        assert os.path.samefile(path, tmp_path / "archive" / path.name)
    result = verify(tmp_path)
    assert (result.snapshots, result.archived) == (3, 2)


def test_nothing_is_ever_removed(tmp_path):
    """CEA-REC-01: not by a start, a snapshot, a close or an archive."""
    there = set()
    for _ in range(3):
        lived(tmp_path, lives=2)
        now = {path for path in tmp_path.rglob("*") if path.is_file()}
        assert there <= now
        # A segment without a frame in it is written anew by the next writer, under its name.
        there = now
    assert len(there) > 15


def test_segments_that_were_moved_out_are_read_from_the_archive(tmp_path):
    lived(tmp_path)
    whole = verify(tmp_path)
    for line in manifest_read(tmp_path / "archive", storage=STORAGE):
        (tmp_path / "journal" / line.segment).unlink()
    moved = verify(tmp_path)
    assert moved.state_hash == whole.state_hash and moved.events == whole.events
    sequencer = sequencer_open(tmp_path, archive=tmp_path / "archive")
    assert sequencer.machine.core.state_hash() == whole.state_hash
    sequencer.close()
    for path in snapshot_paths(tmp_path / "snapshots"):
        path.unlink()
    sequencer = sequencer_open(tmp_path, archive=tmp_path / "archive")
    assert sequencer.machine.core.state_hash() == whole.state_hash
    sequencer.close()


def test_another_file_system_gets_a_copy(tmp_path, monkeypatch):
    def refused(old, new):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    lived(tmp_path)
    lines = manifest_read(tmp_path / "archive", storage=STORAGE)
    assert len(lines) == 2
    for line in lines:
        copy, origin = (tmp_path / room / line.segment for room in ("archive", "journal"))
        assert copy.read_bytes() == origin.read_bytes() and not os.path.samefile(copy, origin)


def test_an_archive_without_room_stops_nothing_and_is_filled_later(tmp_path, monkeypatch, capsys):
    def full(old, new):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        lived(tmp_path)
    shown = capsys.readouterr().out
    assert "snapshot_failed" in shown and "No space left" in shown
    assert len(snapshot_paths(tmp_path / "snapshots")) == 3
    assert not manifest_read(tmp_path / "archive", storage=STORAGE)
    covered = int(snapshot_paths(tmp_path / "snapshots")[0].name[:20])
    done = archive_sealed(
        tmp_path / "journal", tmp_path / "archive", covered_seq=covered, storage=STORAGE
    )
    assert len(done) == 2


@pytest.mark.parametrize("room", ["archive", "journal"])
def test_a_changed_or_missing_file_is_named(room, tmp_path, monkeypatch):
    monkeypatch.setattr(OsStorage, "link", lambda self, old, new: False)
    lived(tmp_path)
    line = manifest_read(tmp_path / "archive", storage=STORAGE)[0]
    path = tmp_path / room / line.segment
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"x" + whole[101:])
    with pytest.raises(JournalError, match=rf"bytes of SHA-256 .*, got .*{room}/{line.segment}"):
        verify(tmp_path)
    path.unlink()
    if room == "archive":
        with pytest.raises(JournalError, match="the archive has no such file"):
            verify(tmp_path)


def test_a_segment_damaged_before_it_is_archived_is_not_taken(tmp_path, monkeypatch, capsys):
    """The archive would hold it for the true one, and `verify` of the archive would agree."""
    with monkeypatch.context() as patched:
        patched.setattr(OsStorage, "link", lambda self, old, new: os.link("nowhere", new))
        lived(tmp_path)
    assert not manifest_read(tmp_path / "archive", storage=STORAGE)
    damaged = sorted((tmp_path / "journal").iterdir())[1]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    capsys.readouterr()
    lived(tmp_path, lives=1)
    shown = capsys.readouterr().out
    assert "snapshot_failed" in shown and f"{damaged}" in shown and ", got " in shown
    names = [line.segment for line in manifest_read(tmp_path / "archive", storage=STORAGE)]
    assert names == [min((tmp_path / "journal").iterdir()).name]
    assert not (tmp_path / "archive" / damaged.name).exists()
    damaged.write_bytes(whole)
    lived(tmp_path, lives=1)
    assert len(manifest_read(tmp_path / "archive", storage=STORAGE)) == 4
    assert archive_check(tmp_path / "journal", tmp_path / "archive", storage=STORAGE) == 4


def test_a_torn_line_of_the_manifest_is_written_over(tmp_path):
    lived(tmp_path)
    path = tmp_path / "archive" / "manifest.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:30])
    covered = int(snapshot_paths(tmp_path / "snapshots")[0].name[:20])
    archive_sealed(tmp_path / "journal", tmp_path / "archive", covered_seq=covered, storage=STORAGE)
    again = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert [line["segment"] for line in again] == [json.loads(line)["segment"] for line in lines]
    path.write_bytes(b"{}\n" + lines[0])
    with pytest.raises(JournalError, match=r"manifest.jsonl, line 1"):
        archive_check(tmp_path / "journal", tmp_path / "archive", storage=STORAGE)


def test_the_archive_survives_a_power_cut():
    storage = VolatileStorage()
    data = lived(Path("/venue"), storage=storage)
    names = [line.segment for line in manifest_read(data / "archive", storage=storage)]
    storage.crash()
    assert names == [line.segment for line in manifest_read(data / "archive", storage=storage)]
    assert archive_check(data / "journal", data / "archive", storage=storage) == 2


# -- Snapshots under verify, and of another origin -------------------------------------------------


def rewrite(path, *, body=None, **changes):
    """Write a snapshot anew, its checksums right."""
    header, old_body = snapshot_read(path)
    body = old_body if body is None else body
    path.unlink()
    snapshot_write(path.parent, header._replace(**changes), body, storage=STORAGE)


def test_verify_names_a_snapshot_that_is_not_what_replay_gives(tmp_path):
    lived(tmp_path)
    path = snapshot_paths(tmp_path / "snapshots")[1]
    header, body = snapshot_read(path)
    rewrite(path, state_hash=header.state_hash ^ 1)
    with pytest.raises(Divergence, match=rf"the state hash: expected \d+, .*{path.name}"):
        verify(tmp_path)
    rewrite(path, state_hash=header.state_hash, event_count=header.event_count + 1)
    with pytest.raises(Divergence, match="the event count: expected"):
        verify(tmp_path)
    rewrite(path, event_count=header.event_count, body=b"\x80")
    with pytest.raises(Divergence, match="expected a snapshot's body"):
        verify(tmp_path)
    rewrite(path, body=body)
    assert verify(tmp_path).snapshots == 3


def test_verify_compares_what_the_state_hash_does_not_cover(tmp_path):
    lived(tmp_path)
    path = snapshot_paths(tmp_path / "snapshots")[0]
    sequencer = sequencer_open(tmp_path)
    machine = sequencer.machine
    sequencer.close()
    body = body_decode(snapshot_read(path).body)
    restored = type(machine).restore(PROFILE, body.machine, ReferenceMarket)
    restored.feed_seq += 1
    changed = SnapshotBody(restored.snapshot(), body.index)
    rewrite(path, body=msgspec.msgpack.encode(changed))
    with pytest.raises(Divergence, match="the state is not the one that replay comes to"):
        verify(tmp_path)


def test_verify_says_what_to_do_with_a_damaged_snapshot(tmp_path):
    lived(tmp_path)
    path = snapshot_paths(tmp_path / "snapshots")[1]
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalError, match="no start needs it: move it out of .*shots") as shown:
        verify(tmp_path)
    assert path.name in str(shown.value)
    path.rename(tmp_path / path.name)
    assert verify(tmp_path).snapshots == 2


def test_verify_names_a_snapshot_that_the_journal_does_not_reach(tmp_path):
    lived(tmp_path)
    path = snapshot_paths(tmp_path / "snapshots")[0]
    snapshot = snapshot_read(path)
    header: SnapshotHeader = snapshot.header
    point = header.point._replace(next_seq=10_000)
    snapshot_write(path.parent, header._replace(point=point), snapshot.body, storage=STORAGE)
    with pytest.raises(Divergence, match="the journal ends before this snapshot"):
        verify(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"log_id": 32 * "0"}, "log_id"),
        ({"identity": Identity("0.1.0", SCHEMA_VERSION, "other")}, "expected a profile kept or"),
        ({"identity": Identity("0.1.0", 99, PROFILE.profile_hash())}, "schema"),
        ({"event_count": 10**6}, "it goes on from event"),
        ({"state_hash": 1}, "state 0000000000000001 at event"),
        ({"body": b"\x80"}, "expected a snapshot's body"),
    ],
)
def test_a_foreign_snapshot_is_refused_by_name(changes, complaint, tmp_path, capsys):
    lived(tmp_path)
    newest, older = snapshot_paths(tmp_path / "snapshots")[:2]
    expected = verify(tmp_path).state_hash
    rewrite(newest, **changes)
    capsys.readouterr()
    sequencer = sequencer_open(tmp_path)
    shown = capsys.readouterr().out
    assert complaint in shown and newest.name in shown
    assert f"snapshot_taken_up              snapshot={older.name}" in shown
    assert sequencer.machine.core.state_hash() == expected
    sequencer.close()


@pytest.mark.parametrize(
    ("offset", "what"), [(8, "journal: expected format 1, got 2"), (SCHEMA_OFFSET, "schema")]
)
def test_a_journal_of_a_newer_format_is_refused_by_name(offset, what, tmp_path):
    lived(tmp_path, lives=1)
    path = max((tmp_path / "journal").iterdir())
    data = bytearray(path.read_bytes())
    data[offset] += 1
    data[188:192] = crc32c(bytes(data[:188])).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(JournalError, match=what) as raised:
        sequencer_open(tmp_path)
    assert path.name in str(raised.value)
    assert path.read_bytes() == data


def test_a_journal_of_an_older_schema_is_refused_by_name_before_its_profile_is(tmp_path):
    lived(tmp_path, lives=1)
    path = max((tmp_path / "journal").iterdir())
    data = bytearray(path.read_bytes())
    ours = data[SCHEMA_OFFSET]
    data[SCHEMA_OFFSET] = SCHEMA_OLDEST - 1
    data[PROFILE_HASH_OFFSET] ^= 1
    data[188:192] = crc32c(bytes(data[:188])).to_bytes(4, "little")
    path.write_bytes(data)
    shown = f"schema {SCHEMA_OLDEST} to {ours} is supported, it was "
    shown += f"written under schema {SCHEMA_OLDEST - 1}"
    with pytest.raises(JournalError, match=shown) as raised:
        sequencer_open(tmp_path)
    assert path.name in str(raised.value)


def test_orders_go_on_while_a_child_writes(tmp_path):
    sequencer = sequencer_open(tmp_path, snapshot_commands=1, archive=None)
    day_begin(sequencer)
    sequencer.run_records(orders((0, 1, Side.SELL, 9750, 5)))
    sequencer.turn()
    sequencer.run_records(orders((0, 2, Side.SELL, 9750, 5)))
    sequencer.run_controls([control.Halt()])
    sequencer._snapshots.close()
    (path,) = snapshot_paths(tmp_path / "snapshots")
    assert snapshot_read(path).header.point.next_seq < sequencer.journal.next_seq
    sequencer.close()
    assert verify(tmp_path).snapshots == 1
