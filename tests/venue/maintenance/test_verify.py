"""`verify`: what was recorded is what replay gives, and where it is not, the sequence is named."""

import tracemalloc

import msgspec
import numpy as np
import pytest

from cea_exchange.cli.main import run
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, SCHEMA_VERSION, Side
from cea_exchange.journal import (
    EventStore,
    FrameKind,
    Identity,
    Journal,
    JournalError,
    read_frames,
)
from cea_exchange.journal.segment import FRAME_HEADER_BYTES, crc32c
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.protocol.folder_lock import FolderLock
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import Settlement
from cea_exchange.venue.durability.profile_shelf import profile_path
from cea_exchange.venue.maintenance.verify import (
    Divergence,
    SettlementCheck,
    check_event_store_against,
    verify_data,
)
from cea_exchange.venue.market import state_machine
from support.journal.small_market import PROFILE, day_begin, orders, sequencer_open
from support.registry.copies import backup, restore
from support.registry.ledger_by_hand import changed_at_rest, record_changed


@pytest.fixture
def data(tmp_path):
    """A data folder with a day's trading in it, closed cleanly."""
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    for step in range(1, 6):
        sequencer.run_records(
            orders((0, step, Side.SELL, 9740 + step, 100), (1, step, Side.BUY, 9745, 70))
        )
    sequencer.run_controls([control.DayClose()])
    sequencer.close()
    return tmp_path


def verify(directory, **options):
    return verify_data(directory, core_class=ReferenceMarket, **options)


class Kept(SettlementCheck):
    """Keeps the settlement stream it is given."""

    def __init__(self):
        self.base, self._taken = None, []

    def begin(self, base):
        self.base = base

    def take(self, replayed):
        self._taken.append(replayed.copy())

    def records(self):
        return np.concatenate(self._taken)


def settlement_of(directory):
    kept = Kept()
    verify(directory, settlement=kept)
    assert kept.base == 0
    return kept.records()


def segment(directory):
    (path,) = (directory / "journal").iterdir()
    return path


def journal_rewrite(directory, change):
    """Write the journal anew, every frame passed through `change`, all checksums right."""
    frames = list(read_frames(directory / "journal"))
    log_id = (directory / "events" / "events.rows").read_bytes()[16:32].hex()
    segment(directory).unlink()
    identity = Identity("0.1.0", SCHEMA_VERSION, PROFILE.profile_hash())
    with Journal.open(directory / "journal", log_id=log_id, identity=identity) as journal:
        for frame in frames:
            changed = change(frame)
            if changed is not None:
                journal.append(changed.kind, changed.count, changed.time_ns, changed.payload)


def test_a_day_verifies(data):
    result = verify(data)
    assert (10, PROFILE.name) == (result.commands, result.profile)
    assert result.events == result.events_stored > 20
    assert result.checkpoints >= 3
    seqs = settlement_of(data)["settlement_seq"]
    assert result.settlement_seq == len(seqs)
    assert list(range(1, len(seqs) + 1)) == seqs.tolist()


def test_verify_changes_nothing(data):
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    verify(data)
    assert before == {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_a_flipped_byte_is_named_by_sequence(data):
    """A sample over the whole file, ends included; tests/crash flips every byte of a journal."""
    path = segment(data)
    whole = path.read_bytes()
    for offset in [*range(0, len(whole), 97), len(whole) - 1]:
        changed = bytearray(whole)
        changed[offset] ^= 0x04
        path.write_bytes(changed)
        with pytest.raises(JournalError, match=r"^sequence \d+: "):
            verify(data)


def test_a_changed_event_is_named_with_what_differs(data):
    path = data / "events" / "events.rows"
    changed = bytearray(path.read_bytes())
    changed[64 + 160 * 12 + 32] ^= 1
    path.write_bytes(changed)
    with pytest.raises(Divergence, match=r"^sequence \d+: the event differs: price .*event 13"):
        verify(data)


def test_events_the_journal_does_not_explain_are_noticed(data):
    result = verify(data)
    with EventStore.open(data / "events", log_id=result.log_id) as store:
        store.append(bytes(160))
    with pytest.raises(Divergence, match="acknowledged work is missing"):
        verify(data)


def test_a_shorter_event_store_is_counted_and_no_error(data):
    result = verify(data)
    with EventStore.open(data / "events", log_id=result.log_id) as store:
        store.truncate(5)
    assert 5 == verify(data).events_stored


@pytest.mark.parametrize("kept", [0, 1, FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + 64])
def test_a_cut_that_takes_acknowledged_work_is_noticed_and_nothing_starts(data, kept):
    """The last frame and the seal are cut off: a torn tail, were it not for the event store."""
    path = segment(data)
    whole = path.read_bytes()
    last = max(frame.first_seq for frame in read_frames(data / "journal"))
    starts = [i for i in range(len(whole)) if whole.startswith(b"\xceFRM", i)]
    path.write_bytes(whole[: starts[-2] + kept])
    with pytest.raises(JournalError, match=f"sequence {last}: "):
        verify(data)
    with pytest.raises(JournalError, match=f"sequence {last}: .*acknowledged work is missing"):
        sequencer_open(data)
    # What was there before the refused start is there after it.
    assert whole[: starts[-2] + kept] == path.read_bytes()


def test_a_cut_of_a_frame_that_was_never_released_starts(data):
    result = verify(data)
    identity = Identity("0", SCHEMA_VERSION, PROFILE.profile_hash())
    with Journal.open(data / "journal", identity=identity) as more:
        more.append(FrameKind.RECORDS, 1, more.last_time_ns, orders((0, 9, 1, 1, 1)).tobytes())
    path = max((data / "journal").iterdir())
    path.write_bytes(path.read_bytes()[: 192 + 50])
    sequencer = sequencer_open(data)
    assert result.state_hash == sequencer.machine.core.state_hash()
    sequencer.close()
    assert result.state_hash == verify(data).state_hash


def test_a_command_changed_with_its_checksums_diverges(data):
    """No checksum shows it, the stored events and the checkpoints do."""

    def cheaper(frame):
        if frame.kind != FrameKind.RECORDS:
            return frame
        records = np.frombuffer(frame.payload, COMMAND_DTYPE).copy()
        records["price"] -= 1
        return frame._replace(payload=records.tobytes())

    journal_rewrite(data, cheaper)
    with pytest.raises(Divergence, match="the event differs: price"):
        verify(data)
    (data / "events" / "events.rows").unlink()
    with pytest.raises(Divergence, match="checkpoint after event"):
        verify(data)


def test_a_journal_without_its_checkpoints_differs_from_the_event_store(data):
    def without_checkpoints(frame):
        if frame.kind == FrameKind.CONTROL:
            message = control.control_decode(frame.payload)
            if isinstance(message, control.Checkpoint):
                return None
        return frame

    journal_rewrite(data, without_checkpoints)
    with pytest.raises(Divergence):
        verify(data)


@pytest.mark.parametrize(
    ("payload", "kind", "message"),
    [
        (b"\xc1", FrameKind.CONTROL, "control message"),
        (bytes(63), FrameKind.RECORDS, ""),
        (bytes(128), FrameKind.RECORDS, "expected 1 records, got 2"),
        (bytes(64), FrameKind.RECORDS, "row 0|kind"),
    ],
)
def test_a_frame_the_venue_can_not_have_written_is_named(data, payload, kind, message):
    identity = Identity("0.1.0", SCHEMA_VERSION, PROFILE.profile_hash())
    with Journal.open(data / "journal", identity=identity) as journal:
        seq = journal.append(kind, 1, journal.last_time_ns, payload)
    with pytest.raises(JournalError, match=f"sequence {seq}: .*({message})"):
        verify(data)


def test_rules_of_another_profile_are_refused(data):
    path = profile_path(data, PROFILE.profile_hash())
    header = min((data / "journal").iterdir())
    content = bytearray(header.read_bytes())
    content[104:136] = b"0" * 32
    content[188:192] = crc32c(bytes(content[:188])).to_bytes(4, "little")
    header.write_bytes(content)
    with pytest.raises(JournalError, match=f"a profile kept or of open.*, got {32 * '0'}"):
        verify(data, profile=load_profile("open"))
    path.rename(path.with_stem(32 * "0"))
    with pytest.raises(JournalError, match=f"expected profile .*, got {PROFILE.profile_hash()}"):
        verify(data)


def test_no_journal_is_an_error(tmp_path):
    with pytest.raises(JournalError, match="expected a journal, got none"):
        verify(tmp_path)


def test_a_venue_that_never_did_anything_verifies(tmp_path):
    sequencer_open(tmp_path).close()
    result = verify(tmp_path)
    assert (1, 1, 0, 0) == (result.segments, result.next_seq, result.frames, result.events)


def test_a_venue_that_was_killed_verifies_as_it_lies(tmp_path):
    """The segment is not sealed and has its padding; a flip in its last frame is still named."""
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    result = verify(tmp_path)
    assert result.next_seq == sequencer.journal.next_seq
    path = segment(tmp_path)
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0"))
    assert end < len(whole)
    path.write_bytes(whole[: end - 1] + bytes([whole[end - 1] ^ 1]) + whole[end:])
    with pytest.raises(JournalError, match=f"sequence {result.next_seq - 1}: "):
        verify(tmp_path)


def test_the_event_store_may_lag_and_not_lead():
    check_event_store_against(3, 3, 9)
    check_event_store_against(2, 3, 9)
    with pytest.raises(Divergence, match="sequence 9: acknowledged work is missing"):
        check_event_store_against(4, 3, 9)


def settlement_compare(recorded, replayed, *, piece_count, taken_count):
    check = SettlementCheck(lambda base: pieces_of(recorded[base:], piece_count))
    check.begin(0)
    for piece in pieces_of(replayed, taken_count):
        check.take(piece)
    check.finish(99)


def pieces_of(records, count):
    return iter([records[first : first + count] for first in range(0, len(records), count)])


@pytest.mark.parametrize("piece_count", [1, 3, 1000])
@pytest.mark.parametrize("taken_count", [1, 4, 1000])
def test_the_registry_may_lag_and_not_lead_or_differ(data, piece_count, taken_count):
    """However the two streams are cut."""
    events = settlement_of(data)
    cut = {"piece_count": piece_count, "taken_count": taken_count}
    for behind in (0, 2, len(events)):
        settlement_compare(events[: len(events) - behind], events, **cut)
    last = len(events)
    with pytest.raises(Divergence) as found:
        settlement_compare(events, events[:-2], **cut)
    assert str(found.value) == (
        "sequence 99: acknowledged work is missing: the journal ends before it, the registry has "
        f"settled up to {last} (settlement sequence {last - 1})"
    )
    changed = events.copy()
    changed[4]["cash"] += 1
    changed[6]["cash"] += 1
    with pytest.raises(Divergence) as found:
        settlement_compare(changed, events, **cut)
    assert str(found.value) == (
        "sequence 99: settlement sequence 5 of the registry is not the journal's "
        f"(event {events[4]['seq']})"
    )


def test_an_empty_replay_knows_nothing_of_what_the_registry_settled(data):
    events = settlement_of(data)
    SettlementCheck(lambda base: iter([])).finish(1)
    with pytest.raises(Divergence, match="settlement sequence 1\\)"):
        SettlementCheck(lambda base: iter([events[base:]])).finish(1)


def test_neither_settlement_stream_is_kept():
    piece_bytes, count = 800_000, 100
    records = np.zeros(piece_bytes // EVENT_DTYPE.itemsize, EVENT_DTYPE)
    check = SettlementCheck(lambda base: (records.copy() for _ in range(count)))
    check.begin(0)
    tracemalloc.start()
    try:
        for _ in range(count):
            check.take(records.copy())
        check.finish(99)
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert piece_bytes < peak_bytes < 8 * piece_bytes


@pytest.fixture
def plain_core(monkeypatch):
    """Let the command replay with the reference market, whatever is compiled."""
    monkeypatch.setattr(state_machine, "compiled_market", lambda: ReferenceMarket)


def test_the_command_prints_what_it_verified(data, plain_core, capsys):
    assert 0 == run(["verify", str(data)])
    assert "verified up to sequence " in capsys.readouterr().out
    assert 0 == run(["verify", str(data), "--json"])
    assert 10 == msgspec.json.decode(capsys.readouterr().out)["commands"]


def test_the_command_exits_1_and_names_the_sequence_in_one_line(data, plain_core, capsys):
    path = segment(data)
    changed = bytearray(path.read_bytes())
    changed[-300] ^= 1
    path.write_bytes(changed)
    assert 1 == run(["verify", str(data)])
    error = capsys.readouterr().err
    assert 1 == error.count("\n")
    assert "sequence " in error


def test_the_command_exits_2_where_there_is_nothing_to_verify(data, tmp_path, plain_core, capsys):
    assert 2 == run(["verify", str(tmp_path / "nowhere")])
    assert 2 == run(["verify", str(data), "--profile", "no-such-profile"])
    with FolderLock(data, "venue.lock"):
        assert 2 == run(["verify", str(data)])
    assert "is in use by process" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def settled(data):
    """The same folder with a registry that has settled all of it."""
    with Registry.open(data, admission="open") as registry:
        registry.product_declare("CEA23", 9749)
        for account in ("alice", "bob"):
            registry.account_open(account)
            registry.pay_in(account, 10_000_000_00)
            registry.transfer_in(account, None, 10_000_000_00)
            registry.issue(account, "CEA23", 5_000)
            registry.transfer_in(account, "CEA23", 5_000)
        result = verify(data)
        Settlement(registry.store).apply(result.log_id, settlement_of(data))
    return data


def test_the_command_checks_the_ledger_against_the_journal(settled, plain_core, capsys):
    assert 0 == run(["verify", str(settled)])
    assert "venue hash = registry hash" in capsys.readouterr().out


def test_a_registry_in_postgresql_is_compared_too(
    settled, plain_core, tmp_path, postgres_address, capsys
):
    backup(settled, tmp_path / "copy")
    elsewhere = tmp_path / "elsewhere"
    restore(tmp_path / "copy", elsewhere, postgres_address)
    command = ["verify", str(settled), "--registry", str(elsewhere)]
    assert 0 == run(command)
    assert "venue hash = registry hash" in capsys.readouterr().out
    record_changed(elsewhere, 7)
    assert 1 == run(command)
    assert "settlement sequence 7 of the registry is not the journal's" in capsys.readouterr().err


def test_a_balance_changed_by_hand_is_found(settled, plain_core, capsys):
    changed_at_rest(settled, "UPDATE postings SET amount = amount + 1 WHERE posting_id / 8 = 4")
    assert 1 == run(["verify", str(settled)])
    assert "alice" in capsys.readouterr().err


def test_a_registry_ahead_of_the_journal_is_noticed(settled, plain_core, capsys):
    """Journal and event store both lost their end; the registry still knows it."""
    path = segment(settled)
    whole = path.read_bytes()
    starts = [i for i in range(len(whole)) if whole.startswith(b"\xceFRM", i)]
    path.write_bytes(whole[: starts[-2]])
    (settled / "events" / "events.rows").unlink()
    assert 1 == run(["verify", str(settled)])
    error = capsys.readouterr().err
    assert "acknowledged work is missing" in error
    assert "the registry has settled up to" in error


def test_settlement_records_changed_by_hand_are_found(settled, plain_core, capsys):
    record_changed(settled, 7)
    assert 1 == run(["verify", str(settled)])
    assert "settlement sequence 7 of the registry is not the journal's" in capsys.readouterr().err


def test_a_fault_of_the_journal_is_said_before_one_of_the_registry(settled, plain_core, capsys):
    changed_at_rest(settled, "DELETE FROM settlement_runs WHERE first_seq = 1")
    path = segment(settled)
    changed = bytearray(path.read_bytes())
    changed[-300] ^= 1
    path.write_bytes(changed)
    assert 1 == run(["verify", str(settled)])
    assert "of the registry" not in capsys.readouterr().err


def test_another_venues_registry_is_named(settled, plain_core, capsys):
    changed_at_rest(
        settled,
        "UPDATE meta SET log_id = 'x'",
        "DELETE FROM settlement_runs WHERE first_seq = 1",
    )
    assert 1 == run(["verify", str(settled)])
    assert "got x of the registry" in capsys.readouterr().err
