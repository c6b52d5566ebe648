"""A backup is a beginning of the journal; a restore counts when replay agrees."""

import errno
import json
import os
from pathlib import Path

import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.records import Side
from cea_exchange.journal import JournalError, OsStorage, SegmentReader
from cea_exchange.journal.frame_bytes import whole_prefix
from cea_exchange.journal.segment import segment_paths
from cea_exchange.protocol import control
from cea_exchange.venue.maintenance.backup import (
    BackupDamaged,
    BackupError,
    backup,
    manifest_read,
    restore,
)
from support.journal.small_market import day_begin, orders, pairs, sequencer_open


@pytest.fixture
def data(tmp_path):
    return tmp_path / "venue"


@pytest.fixture
def copy(tmp_path):
    return tmp_path / "copy"


def trade(sequencer, batches, steps=20):
    for _ in range(steps):
        sequencer.run_records(next(batches))


def running(data, snapshot_commands=20):
    """A sequencer that has traded on, and whose snapshots are written."""
    sequencer = sequencer_open(
        data, snapshot_commands=snapshot_commands, archive=data / "archive"
    )
    day_begin(sequencer)
    batches = pairs()
    trade(sequencer, batches)
    sequencer.turn()
    sequencer._snapshots.close()
    trade(sequencer, batches, 5)
    return sequencer


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_running_venues_data_is_copied_and_comes_back(data, copy, tmp_path):
    sequencer = running(data)
    manifest = backup(data, copy)
    assert manifest.last_seq == sequencer.journal.next_seq - 1
    assert manifest.snapshot is not None and manifest.event_count > 20
    _, result = restore(copy, tmp_path / "again")
    assert result.events_stored == manifest.event_count < result.events
    assert result.snapshots == 1
    sequencer.close()
    again = sequencer_open(tmp_path / "again")
    assert again.machine.core.event_seq == result.events
    assert again.machine.core.state_hash() == result.state_hash
    again.close()


def test_a_venue_that_was_stopped_is_copied_whole(data, copy, tmp_path):
    sequencer = running(data)
    sequencer.close()
    manifest = backup(data, copy)
    assert manifest.last_seq == sequencer.journal.next_seq - 1
    _, result = restore(copy, tmp_path / "again")
    assert result.state_hash == sequencer.machine.core.state_hash()


def test_without_a_snapshot_events_come_of_replay(data, copy, tmp_path):
    sequencer = running(data, snapshot_commands=0)
    manifest = backup(data, copy)
    assert (manifest.snapshot, manifest.event_count) == (None, 0)
    _, result = restore(copy, tmp_path / "again")
    assert result.events > 20
    sequencer.close()


def test_segments_that_only_the_archive_has_are_in_it(data, copy):
    sequencer = running(data)
    sequencer.close()
    sequencer = sequencer_open(data)
    sequencer.run_records(orders((0, 500, Side.SELL, 9750, 5)))
    sequencer.close()
    (data / "kept").mkdir()
    first = min((data / "journal").iterdir())
    first.rename(data / "kept" / first.name)
    with pytest.raises(JournalError):
        backup(data, copy)
    manifest = backup(data, copy, archive=data / "kept")
    assert manifest.last_seq == sequencer.journal.next_seq - 1


def test_keys_are_in_it_only_if_asked_for(data, copy, tmp_path):
    running(data).close()
    (data / "keys").mkdir()
    (data / "keys" / "venue.secret").write_text("s")
    (data / "keys" / "venue.secret").chmod(0o600)
    backup(data, copy)
    assert not any("key" in path for path in tree(copy))
    backup(data, tmp_path / "with", with_keys=True)
    restore(tmp_path / "with", tmp_path / "again")
    key = tmp_path / "again" / "keys" / "venue.secret"
    assert (key.read_text(), key.stat().st_mode & 0o777) == ("s", 0o600)


def test_every_damaged_file_is_noticed_and_nothing_is_made(data, copy, tmp_path):
    running(data).close()
    manifest = backup(data, copy)
    assert {Path(file.path).parts[0] for file in manifest.files} >= {
        "journal", "events", "snapshots",
    }
    for file in manifest.files:
        path = copy / file.path
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(BackupDamaged, match=path.name):
            restore(copy, tmp_path / "again")
        path.write_bytes(whole)
        assert {each.name for each in tmp_path.iterdir()} == {"copy", "venue"}
    restore(copy, tmp_path / "again")
    assert {each.name for each in tmp_path.iterdir()} == {"again", "copy", "venue"}


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_who_may_into_a_restored_folder_the_umask_says(umask, data, copy, tmp_path):
    running(data).close()
    backup(data, copy)
    before = os.umask(umask)
    try:
        restore(copy, tmp_path / "again")
    finally:
        os.umask(before)
    assert (tmp_path / "again").stat().st_mode & 0o777 == 0o777 & ~umask


@pytest.mark.parametrize("outside", ["../taken", "/taken", "journal/../../taken"])
def test_a_manifest_that_names_what_lies_elsewhere_is_refused(outside, data, copy, tmp_path):
    """It would be written to as well."""
    running(data).close()
    backup(data, copy)
    taken = tmp_path / "taken"
    taken.write_text("mine")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][0]["path"] = str(taken) if outside == "/taken" else outside
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BackupError, match="expected paths in the backup, got '.*taken'"):
        restore(copy, tmp_path / "again")
    assert taken.read_text() == "mine" and not (tmp_path / "again").exists()


def test_a_backup_without_one_of_its_files_is_damaged(data, copy, tmp_path):
    running(data).close()
    manifest = backup(data, copy)
    (copy / manifest.files[-1].path).unlink()
    with pytest.raises(BackupDamaged, match="expected a file, there is none"):
        restore(copy, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_restore_without_room_leaves_nothing(data, copy, tmp_path, monkeypatch):
    """A half copy of everything would keep the next one from having room."""
    running(data).close()
    backup(data, copy)

    def no_space(descriptor):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", no_space)
        with pytest.raises(OSError, match="no space"):
            restore(copy, tmp_path / "there" / "again")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_backup_whose_recorded_state_is_not_replays_is_refused(data, copy, tmp_path):
    """Files as the manifest says, but a snapshot that the journal does not lead to."""
    running(data).close()
    manifest = json.loads((copy_made(data, copy) / "manifest.json").read_text())
    (name,) = [file for file in manifest["files"] if file["path"].startswith("journal/")]
    manifest["files"].remove(name)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(JournalError, match="expected a journal, got none"):
        restore(copy, tmp_path / "again")
    assert {each.name for each in tmp_path.iterdir()} == {"copy", "venue"}


def copy_made(data, copy):
    backup(data, copy)
    return copy


def test_a_folder_in_use_is_refused(data, copy, tmp_path):
    running(data).close()
    copy.mkdir()
    (copy / "note").write_text("mine")
    with pytest.raises(BackupError, match="expected an empty folder"):
        backup(data, copy)
    backup(data, tmp_path / "good")
    with pytest.raises(BackupError, match="expected an empty folder"):
        restore(tmp_path / "good", data)
    assert tree(copy) == {"note"}


@pytest.mark.parametrize("place", ["journal/copy", "snapshots/../events/copy", "."])
def test_no_backup_is_made_inside_the_venues_folder(place, data):
    """A folder beside the segments would stop the next start."""
    running(data).close()
    before = set(data.rglob("*"))
    with pytest.raises(BackupError, match="expected a folder outside|expected an empty folder"):
        backup(data, data / place)
    assert set(data.rglob("*")) == before
    sequencer_open(data).close()


def test_where_there_is_nothing_to_copy_nothing_is_made(copy, tmp_path):
    """So that the next try finds the folder as empty as this one did."""
    with pytest.raises(BackupError, match="expected a data folder with a journal"):
        backup(tmp_path / "elsewhere", copy)
    assert not copy.exists()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is none"),
        ("{", "expected a backup's manifest"),
        ("[]", "expected a backup's manifest"),
        ('{"format_version": 2}', "expected backup format 1, got 2"),
    ],
)
def test_what_is_no_backup_is_refused(text, complaint, tmp_path):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BackupError, match=complaint):
        manifest_read(tmp_path)


@pytest.mark.parametrize("is_there", [False, True])
def test_one_that_fails_takes_its_copies_away_and_can_be_begun_again(
    is_there, data, copy, monkeypatch
):
    sequencer = running(data)
    if is_there:
        copy.mkdir()
    synced = os.fdatasync
    left = iter([None, None])

    def fails_at_the_third(descriptor):
        try:
            next(left)
        except StopIteration:
            raise OSError(errno.ENOSPC, "no space left") from None
        synced(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails_at_the_third)
        with pytest.raises(OSError, match="no space"):
            backup(data, copy)
    assert copy.exists() == is_there
    assert not is_there or list(copy.iterdir()) == []
    assert backup(data, copy) == manifest_read(copy)
    (copy / "manifest.json").unlink()
    with pytest.raises(BackupError, match="one that was not finished"):
        restore(copy, copy.parent / "again")
    sequencer.close()


def test_the_open_segment_is_copied_up_to_its_last_whole_frame(data):
    sequencer = running(data, snapshot_commands=0)
    (path,) = segment_paths(data / "journal", OsStorage())
    whole = path.read_bytes()
    frames = list(SegmentReader(data / "journal", storage=OsStorage()).frames())
    last = frames[-1]
    prefix, next_seq = whole_prefix(path, whole)
    assert next_seq == last.first_seq + last.count and whole.startswith(prefix)
    # A frame of which a part is not there yet is none.
    for missing in (1, len(last.payload)):
        for behind in (b"", b"\xff" * 999):
            before, torn_seq = whole_prefix(path, prefix[:-missing] + behind)
            assert torn_seq == last.first_seq and prefix.startswith(before)
    sequencer.run_controls([control.Halt()])
    sequencer.close()
    sealed = path.read_bytes()
    assert whole_prefix(path, sealed)[0] == sealed


def test_what_was_acknowledged_last_is_in_the_copy_of_a_venue_that_is_quiet(data, copy):
    """No later frame says of it that it was synced."""
    sequencer = running(data, snapshot_commands=0)
    sequencer.run_controls([control.Halt()])
    assert backup(data, copy).last_seq == sequencer.journal.next_seq - 1
    sequencer.close()


def test_the_command_line(data, copy, tmp_path, capsys):
    running(data).close()
    capsys.readouterr()
    assert run(["venue", "backup", str(copy), "--data", str(data), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["snapshot"] and shown["bytes"] > 1_000
    again = tmp_path / "again"
    assert run(["venue", "restore", str(copy), "--data", str(again), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["last_seq"] == shown["last_seq"]
    assert run(["verify", str(again)]) == 0
    capsys.readouterr()
    assert run(["venue", "restore", str(copy), "--data", str(again)]) == 2
    assert run(["venue", "backup", str(tmp_path / "b"), "--data", str(tmp_path / "none")]) == 2
    manifest = copy / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"sha256": "', '"sha256": "0', 1))
    assert run(["venue", "restore", str(copy), "--data", str(tmp_path / "c")]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 3 and "nothing is restored" in errors[-1]
