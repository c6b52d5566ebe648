"""`replay` of a venue's data folder: every recorded hash is what the market comes to."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.records import SCHEMA_VERSION, Side
from cea_exchange.journal import FrameKind, Identity, Journal, read_frames
from cea_exchange.protocol import control
from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.venue.maintenance.verify import verify_data
from support.journal.small_market import PROFILE, day_begin, orders, sequencer_open


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a day's trading in it, closed cleanly."""
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    for step in range(1, 9):
        sequencer.run_records(
            orders((0, step, Side.SELL, 9740 + step, 100), (1, step, Side.BUY, 9745, 70))
        )
    sequencer.run_controls([control.DayClose()])
    sequencer.close()
    return tmp_path


def replay(data: Path, capfd: pytest.CaptureFixture) -> tuple[int, dict, str]:
    """Exit status, report, error."""
    status = run(["replay", str(data), "--json"])
    output, errors = capfd.readouterr()
    return status, json.loads(output) if output else {}, errors


def checkpoint_spoil(data: Path, number: int) -> int:
    """Write the journal anew with another hash in a checkpoint; return its sequence."""
    frames = list(read_frames(data / "journal"))
    log_id = verify_data(data).log_id
    shutil.rmtree(data / "journal")
    places = [
        frame
        for frame in frames
        if frame.kind == FrameKind.CONTROL
        and isinstance(control.control_decode(frame.payload), control.Checkpoint)
    ]
    identity = Identity("0.1.0", SCHEMA_VERSION, PROFILE.profile_hash())
    with Journal.open(data / "journal", log_id=log_id, identity=identity) as journal:
        for frame in frames:
            payload = frame.payload
            if frame is places[number]:
                said = control.control_decode(payload)
                other = msgspec.structs.replace(said, state_hash=said.state_hash ^ 1)
                payload = control.control_encode(other)
            journal.append(frame.kind, frame.count, frame.time_ns, payload)
    return places[number].first_seq


def test_a_journal_replays(data: Path, capfd: pytest.CaptureFixture) -> None:
    expected = verify_data(data)
    status, report, errors = replay(data, capfd)
    assert (status, errors) == (0, "")
    assert report["commands"] == 16
    assert report["messages"] == 16 + expected.controls
    assert report["hashes_agreeing"] == expected.checkpoints >= 3
    assert report["events_compared"] == expected.events_stored
    assert report["state_hash"] == f"{expected.state_hash:016x}"
    assert report["messages_per_second"] >= report["messages_per_second_read"] > 0
    assert run(["replay", str(data)]) == 0
    assert "hashes agreeing" in capfd.readouterr().out


@pytest.mark.parametrize("number", [0, 1, -1])
def test_the_first_other_hash_is_named_by_its_sequence(
    number: int, data: Path, capfd: pytest.CaptureFixture
) -> None:
    seq = checkpoint_spoil(data, number)
    status, report, errors = replay(data, capfd)
    assert (status, report, errors.count("\n")) == (1, {}, 1)
    assert f"sequence {seq}: " in errors
    assert "state_hash" in errors


def test_another_event_is_named_by_its_sequence(data: Path, capfd: pytest.CaptureFixture) -> None:
    path = data / "events" / "events.rows"
    changed = bytearray(path.read_bytes())
    changed[64 + 160 * 12 + 32] ^= 1
    path.write_bytes(changed)
    status, _, errors = replay(data, capfd)
    assert status == 1
    assert "the event differs: price" in errors


def test_a_running_venues_folder_is_refused(data: Path, capfd: pytest.CaptureFixture) -> None:
    with FolderLock(data, "venue.lock"):
        status, _, errors = replay(data, capfd)
    assert status == 2
    assert errors.count("\n") == 1


def test_an_unknown_profile_is_refused(data: Path, capfd: pytest.CaptureFixture) -> None:
    assert run(["replay", str(data), "--profile", "none such"]) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_a_folder_without_flow_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        status, _, errors = replay(path, capfd)
        assert (status, errors.count("\n")) == (2, 1)
