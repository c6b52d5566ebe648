"""The sequencer without sockets: durable before released, and back by replay."""

import contextlib
import errno
import os
import threading
import time
from itertools import count

import numpy as np
import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EventKind, Phase, Side
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import (
    EventDamaged,
    EventStore,
    JournalError,
    JournalFull,
    JournalPoisoned,
    event_store,
    read_frames,
    row_file,
)
from cea_exchange.journal.row_file import HEADER_BYTES
from cea_exchange.journal.storage import OsFile
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.protocol.control import TIME_NS_MAX
from cea_exchange.venue.durability import recovery
from cea_exchange.venue.durability import sequencer as module
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.state_machine import StateDiverged
from support.journal.small_market import (
    PROFILE,
    day_begin,
    feed,
    journal_unpadded,
    orders,
    pairs,
    sequencer_open,
)
from support.journal.volatile_storage import VolatileStorage
from support.patience import patience


def traded(sequencer, batches=5):
    day_begin(sequencer)
    batch = pairs()
    return [sequencer.run_records(next(batch)).copy() for _ in range(batches)]


def kinds(events):
    return [EventKind(kind).name for kind in events["kind"]]


def test_replay_comes_to_the_same_state(tmp_path):
    first = sequencer_open(tmp_path)
    traded(first)
    first.close()
    second = sequencer_open(tmp_path)
    assert second.machine.core.state_hash() == first.machine.core.state_hash()
    assert second.machine.feed_seq == len(feed())
    reports = [each.index.report_events(0, 1, 10_000).tolist() for each in (first, second)]
    assert len(reports[0]) > 5 and reports[0] == reports[1]
    settled = [each.index.settlement_events(1, 10_000).tolist() for each in (first, second)]
    assert len(settled[0]) > 5 and settled[0] == settled[1]
    second.close()


@pytest.mark.parametrize("frames_of_few", [1, 3, 1_000])
def test_replay_keeps_all_events_however_it_hands_them_over(tmp_path, monkeypatch, frames_of_few):
    """Few events of many frames go together, many of one frame alone; their order stays."""
    monkeypatch.setattr(recovery, "EVENTS_FEW", 5)
    monkeypatch.setattr(recovery, "FRAMES_OF_FEW", frames_of_few)
    with contextlib.closing(sequencer_open(tmp_path)) as sequencer:
        day_begin(sequencer)
        for first_id in (1, 11, 21):
            batches = pairs(first_id)
            sequencer.run_records(np.concatenate([next(batches) for _ in range(5)]))
            sequencer.run_controls([control.Suspend(account="alice")])
            sequencer.run_controls([control.Restore(account="alice")])
            sequencer.run_records(next(batches))
        expected = sequencer.index.state()
    event_rows = tmp_path / "events" / "events.rows"
    stored = event_rows.read_bytes()
    event_rows.unlink()
    with contextlib.closing(sequencer_open(tmp_path)) as again:
        assert again.index.state() == expected
    assert event_rows.read_bytes() == stored


def test_the_compiled_market_replays_what_the_reference_market_wrote(tmp_path):
    first = sequencer_open(tmp_path)
    traded(first)
    first.close()
    second = Sequencer.open(tmp_path, PROFILE, now_ns=count(10_000).__next__)
    assert second.machine.core.state_hash() == first.machine.core.state_hash()
    second.close()


def test_a_checkpoint_follows_each_phase_change(tmp_path):
    sequencer = sequencer_open(tmp_path)
    traded(sequencer)
    events, _ = sequencer.run_controls([control.PhaseSet(phase=Phase.BREAK)])
    assert kinds(events) == ["PHASE_CHANGED", "CHECKPOINT"]
    sequencer.close()


def test_a_checkpoint_follows_many_commands(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_COMMANDS", 8)
    sequencer = sequencer_open(tmp_path)
    with_checkpoint = ["CHECKPOINT" in kinds(events) for events in traded(sequencer, 12)]
    assert sum(with_checkpoint) == 3
    sequencer.close()


def test_a_day_that_is_no_date_is_refused_and_not_journaled(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    sequencer.run_controls([control.DayClose()])
    next_seq = sequencer.journal.next_seq
    _, refusals = sequencer.run_controls([control.DayOpen(date=20250132)])
    assert [*map(str, refusals)] == ["day: expected a date, yyyymmdd, got 20250132"]
    assert sequencer.journal.next_seq == next_seq
    sequencer.close()
    sequencer_open(tmp_path).close()


@pytest.mark.parametrize(
    "message, complaint",
    [
        (control.Halt(why="x" * 201), r"length <= 200 - at `$.why`"),
        (control.Suspend(account="alice", by="b" * 65), r"length <= 64 - at `$.by`"),
        (control.Halt(why="\ud800"), "surrogates not allowed"),
        (control.LagLevelSet(level="warn", lag_records=2**63, lag_s=1), "at `$.lag_records`"),
        (control.LagLevelSet(level="warn", lag_records=2**64, lag_s=1), "control message: "),
        (control.SessionLost(account="alice", operator_index=16), "at `$.operator_index`"),
        (
            control.SessionLost(
                account="alice", operator_index=0, others=[control.LostOperator("bob", 0)]
            ),
            "would be read again as SessionLost(",
        ),
    ],
)
def test_what_replay_could_not_read_is_refused_and_not_journaled(tmp_path, message, complaint):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    next_seq = sequencer.journal.next_seq
    fits = control.Halt(why="x" * 200)
    events, refusals = sequencer.run_controls([message, fits])
    assert complaint in str(refusals[0]) and refusals[1] is None
    assert kinds(events) == ["HALTED"]
    assert sequencer.journal.next_seq == next_seq + 1
    assert sequencer.machine.lag_level == "normal"
    state_hash = sequencer.machine.core.state_hash()
    sequencer.close()
    again = sequencer_open(tmp_path)
    assert again.machine.core.state_hash() == state_hash
    again.close()


def test_a_wrong_checkpoint_stops_the_replay(tmp_path):
    sequencer = sequencer_open(tmp_path)
    traded(sequencer)
    wrong = control.Checkpoint(
        state_hash=1, holdings_hash=2, settlement_seq=sequencer.machine.core.settlement_seq
    )
    with pytest.raises(StateDiverged, match="state_hash"):
        sequencer.run_controls([wrong])
    sequencer.close()
    with pytest.raises(StateDiverged, match="state_hash"):
        sequencer_open(tmp_path)


def test_journaled_time_never_goes_back(tmp_path):
    times = iter([5_000, 4_000, 6_000, *range(6_001, 7_000)])
    sequencer = Sequencer.open(
        tmp_path, PROFILE, now_ns=times.__next__, core_class=ReferenceMarket
    )
    traded(sequencer)
    sequencer.close()
    stamps = [frame.time_ns for frame in read_frames(tmp_path / "journal")]
    assert stamps == sorted(stamps)
    assert stamps[:3] == [5_000, 5_000, 6_000]


def test_a_full_disk_refuses_the_batch_and_goes_on_later(tmp_path, monkeypatch):
    journal_unpadded(monkeypatch)
    storage = VolatileStorage()
    sequencer = sequencer_open(tmp_path, storage=storage)
    traded(sequencer)
    before = sequencer.machine.core.state_hash()
    storage.bytes_free = 10
    batch = orders((0, 100, Side.SELL, 9750, 5))
    with pytest.raises(JournalFull):
        sequencer.run_records(batch)
    _, refusals = sequencer.run_controls([control.Halt()])
    assert refusals[0].code is VenueRefusal.NO_SPACE and "no room" in str(refusals[0])
    assert sequencer.machine.core.state_hash() == before
    storage.bytes_free = None
    assert kinds(sequencer.run_records(batch)) == ["ORDER_ACCEPTED", "ORDER_RESTED"]
    sequencer.close()


def test_a_failing_sync_releases_nothing(tmp_path):
    storage = VolatileStorage()
    sequencer = sequencer_open(tmp_path, storage=storage)
    traded(sequencer)
    storage.sync_fails = True
    for _ in range(2):
        with pytest.raises(JournalPoisoned):
            sequencer.run_records(orders((0, 100, Side.SELL, 9750, 5)))


def test_power_loss_keeps_all_that_was_returned(tmp_path):
    storage = VolatileStorage()
    sequencer = sequencer_open(tmp_path, storage=storage)
    released = traded(sequencer)
    storage.crash()
    again = sequencer_open(tmp_path, storage=storage)
    last = int(released[-1]["seq"][-1])
    assert again.machine.core.event_seq == last
    rows = again.event_rows(released[-1]["seq"])
    assert rows.tobytes() == released[-1].tobytes()
    again.close()


def test_an_event_store_behind_the_journal_is_rebuilt(tmp_path):
    sequencer = sequencer_open(tmp_path)
    released = np.concatenate(traded(sequencer))
    sequencer.close()
    with EventStore.open(tmp_path / "events", log_id=sequencer.journal.log_id) as store:
        store.truncate(store.count - 7)
    again = sequencer_open(tmp_path)
    assert again.event_rows(released["seq"]).tobytes() == released.tobytes()
    again.close()


def test_holes_in_the_event_store_are_filled(tmp_path):
    sequencer = sequencer_open(tmp_path)
    released = np.concatenate(traded(sequencer))
    sequencer.close()
    path = tmp_path / "events" / "events.rows"
    data = bytearray(path.read_bytes())
    data[-700:-500] = bytes(200)
    path.write_bytes(data)
    again = sequencer_open(tmp_path)
    assert again.event_rows(released["seq"]).tobytes() == released.tobytes()
    again.close()


def test_an_event_that_replay_does_not_give_stops_the_start(tmp_path):
    sequencer = sequencer_open(tmp_path)
    traded(sequencer)
    sequencer.close()
    path = tmp_path / "events" / "events.rows"
    data = bytearray(path.read_bytes())
    data[-100] ^= 0x40
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"events \d+ to \d+ differ"):
        sequencer_open(tmp_path)


def bit_flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0x40
    path.write_bytes(data)


def with_snapshot(directory):
    """Trade, take a snapshot, trade on; return all events."""
    with contextlib.closing(sequencer_open(directory, snapshot_commands=1)) as sequencer:
        released = traded(sequencer)
        sequencer._snapshots.take(sequencer._snapshot())
        released.append(sequencer.run_records(next(pairs(1_000))))
    return np.concatenate(released)


@pytest.mark.parametrize("name, row_bytes", [("events.rows", 160), ("events.sums", 4)])
def test_a_bit_that_flips_before_the_newest_snapshot_stops_the_start(tmp_path, name, row_bytes):
    """Replay does not come to it; it would settle a trade with another account."""
    released = with_snapshot(tmp_path)
    first = int(released["seq"][0])
    path = tmp_path / "events" / name
    bit_flip(path, HEADER_BYTES + (first - 1) * row_bytes + 3)
    with pytest.raises(EventDamaged, match=f"event {first} is not as it was written"):
        sequencer_open(tmp_path)
    # What the message says to do: the store comes anew of the journal.
    for each in ("events.rows", "events.sums"):
        (tmp_path / "events" / each).rename(tmp_path / each)
    with contextlib.closing(sequencer_open(tmp_path)) as again:
        assert again.event_rows(released["seq"]).tobytes() == released.tobytes()


def turned(sequencer, is_enough):
    """Take turns until that is so, as a venue does between two batches."""
    end_s = time.monotonic() + 20 * patience()
    while not is_enough():
        assert time.monotonic() < end_s
        sequencer.turn()


@pytest.mark.parametrize("name, row_bytes", [("events.rows", 160), ("events.sums", 4)])
def test_who_checks_later_starts_on_a_flipped_bit_and_never_serves_it(tmp_path, name, row_bytes):
    released = with_snapshot(tmp_path)
    first = int(released["seq"][0])
    bit_flip(tmp_path / "events" / name, HEADER_BYTES + (first - 1) * row_bytes + 3)
    with contextlib.closing(sequencer_open(tmp_path, checks_later=True)) as sequencer:
        with pytest.raises(EventDamaged, match=f"event {first} is not as it was written"):
            turned(sequencer, lambda: False)
        with pytest.raises(EventDamaged, match=f"event {first} is not as it was written"):
            sequencer.event_rows(released["seq"])


def test_who_checks_later_works_meanwhile_and_the_check_ends(tmp_path, monkeypatch):
    released = with_snapshot(tmp_path)
    rested = threading.Event()
    monkeypatch.setattr(event_store, "_ROWS_CHECKED", 2)
    monkeypatch.setattr(module._LaterCheck, "_go_on", lambda self: rested.wait(60))
    with contextlib.closing(sequencer_open(tmp_path, checks_later=True)) as sequencer:
        sequencer.turn()
        more = sequencer.run_records(next(pairs(2_000)))
        both = np.concatenate([released, more])
        assert sequencer.event_rows(both["seq"]).tobytes() == both.tobytes()
        assert sequencer._later is not None
        rested.set()
        turned(sequencer, lambda: sequencer._later is None)


def test_who_checks_later_closes_in_the_middle(tmp_path, monkeypatch):
    with_snapshot(tmp_path)
    monkeypatch.setattr(event_store, "_ROWS_CHECKED", 1)
    monkeypatch.setattr(module, "CHECK_RESTS", 10**9)
    sequencer = sequencer_open(tmp_path, checks_later=True)
    sequencer.turn()
    began_s = time.monotonic()
    sequencer.close()
    assert time.monotonic() - began_s < 5 * patience()


def test_a_bit_that_flips_while_the_venue_runs_is_not_served(tmp_path):
    with contextlib.closing(sequencer_open(tmp_path)) as sequencer:
        released = np.concatenate(traded(sequencer))
        first = int(released["seq"][0])
        bit_flip(tmp_path / "events" / "events.rows", HEADER_BYTES + (first + 1) * 160 + 9)
        with pytest.raises(EventDamaged, match=f"event {first + 2} is not"):
            sequencer.event_rows(released["seq"])
        behind = released[released["seq"] > first + 2]
        assert sequencer.event_rows(behind["seq"]).tobytes() == behind.tobytes()


def test_a_journal_with_a_stamp_beyond_what_control_messages_can_say_is_gone_on_with(tmp_path):
    """Versions before let a clock of 2150 into it: no day could be closed, for all time."""
    far_ns = TIME_NS_MAX + 34 * 365 * 86_400 * 10**9
    with contextlib.closing(sequencer_open(tmp_path)) as sequencer:
        day_begin(sequencer)
        sequencer._stamp = lambda: far_ns
        sequencer.run_records(next(pairs()))
    with contextlib.closing(sequencer_open(tmp_path)) as again:
        assert again.journal.last_time_ns == far_ns
        _, (refusal,) = again.run_controls([control.DayClose()])
        assert refusal is None and not again.machine.core.day_is_open
        assert len(again.run_controls([control.DayOpen(date=20250102)])[0])
    with contextlib.closing(sequencer_open(tmp_path)) as third:
        assert third.machine.core.trading_date == 20250102


def test_no_clock_brings_a_stamp_into_the_journal_that_it_can_not_say(tmp_path):
    ticks = count(TIME_NS_MAX + 10**18)
    with contextlib.closing(
        Sequencer.open(tmp_path, PROFILE, now_ns=ticks.__next__, core_class=ReferenceMarket)
    ) as sequencer:
        day_begin(sequencer)
        sequencer.run_records(next(pairs()))
        assert sequencer.journal.last_time_ns == TIME_NS_MAX


def test_a_store_of_before_there_were_checksums_gets_them_of_replay(tmp_path):
    released = with_snapshot(tmp_path)
    (tmp_path / "events" / "events.sums").unlink()
    with contextlib.closing(sequencer_open(tmp_path)) as again:
        assert again.event_rows(released["seq"]).tobytes() == released.tobytes()
    with contextlib.closing(sequencer_open(tmp_path)) as third:
        assert third.machine.core.state_hash() == again.machine.core.state_hash()


def test_events_that_the_disk_does_not_take_end_work_before_memory_does(tmp_path, monkeypatch):
    """A file that may grow no more; the journal's next segment has room."""
    with contextlib.closing(sequencer_open(tmp_path)) as sequencer:
        batches = pairs()
        day_begin(sequencer)
        write = OsFile.write

        def too_large(file, offset, data):
            if os.readlink(f"/proc/self/fd/{file._descriptor}").endswith("events.rows"):
                raise OSError(errno.EFBIG, "File too large")
            write(file, offset, data)

        monkeypatch.setattr(OsFile, "write", too_large)
        monkeypatch.setattr(row_file, "WAITING_BYTES_MAX", 2_000)
        taken = []
        with pytest.raises(JournalFull, match="no room for the rows"):
            for _ in range(100):
                taken.append(sequencer.run_records(next(batches)))
        next_seq = sequencer.journal.next_seq
        (refusal,) = sequencer.run_controls([control.Suspend(account="bob")])[1]
        assert refusal.code is VenueRefusal.NO_SPACE
        assert refusal.got == f"no room for the rows up to {taken[-1]['seq'][-1]}"
        assert sequencer.journal.next_seq == next_seq
        kept = np.concatenate(taken)
        assert sequencer.event_rows(kept["seq"]).tobytes() == kept.tobytes()
        monkeypatch.setattr(OsFile, "write", write)
        assert len(sequencer.run_records(next(batches)))


def test_what_is_behind_a_fault_is_not_written(tmp_path, monkeypatch):
    """The next batch is there already when one differs; holes before it stay as they were."""
    monkeypatch.setattr(recovery, "COMMANDS_PER_BATCH", 1)
    monkeypatch.setattr(recovery, "EVENTS_FEW", 0)
    sequencer = sequencer_open(tmp_path)
    *_, holed, spoiled, last = traded(sequencer)
    sequencer.close()
    path = tmp_path / "events" / "events.rows"
    row_bytes, data = last.itemsize, bytearray(path.read_bytes())
    del data[-2 * row_bytes :]
    for events, byte in ((holed, 0), (spoiled, 255)):
        place = HEADER_BYTES + (int(events["seq"][0]) - 1) * row_bytes
        data[place : place + row_bytes] = bytes([byte]) * row_bytes
    path.write_bytes(data)
    assert len(last) > 2
    with pytest.raises(JournalError, match=r"events \d+ to \d+ differ"):
        sequencer_open(tmp_path)
    assert path.read_bytes() == data


def test_a_journal_that_lost_acknowledged_work_stops_the_start(tmp_path):
    sequencer = sequencer_open(tmp_path)
    traded(sequencer)
    (segment,) = (tmp_path / "journal").iterdir()
    whole = segment.read_bytes()
    # The last frame loses its last byte, and the padding behind it.
    segment.write_bytes(whole.rstrip(b"\0")[:-1])
    for _ in range(2):
        with pytest.raises(JournalError, match="acknowledged work is missing"):
            sequencer_open(tmp_path)
    segment.write_bytes(whole)
    sequencer_open(tmp_path).close()
    sequencer.close()


def test_a_journal_that_is_gone_stops_the_start(tmp_path):
    sequencer = sequencer_open(tmp_path)
    traded(sequencer)
    sequencer.close()
    for segment in (tmp_path / "journal").iterdir():
        segment.unlink()
    for _ in range(2):
        with pytest.raises(JournalError, match="no journal"):
            sequencer_open(tmp_path)


def test_another_profile_in_the_middle_of_a_day_stops_the_start(tmp_path):
    sequencer = sequencer_open(tmp_path)
    traded(sequencer)
    sequencer.close()
    with pytest.raises(JournalError, match="is open under profile cea"):
        Sequencer.open(tmp_path, load_profile("open"), now_ns=lambda: 0)


@pytest.mark.parametrize(
    "message, complaint",
    [
        (control.DayClose(), "expected an open trading day"),
        (control.PhaseSet(phase=Phase.LISTED), "expected an open trading day"),
        (control.ProductDeclared(product="CEA23", reference_price=1), "declared already"),
        (control.AccountDeclared(account="alice"), "declared already"),
        (control.AccountDeclared(account="a b"), "without spaces"),
        (control.KeyGranted(key="k" * 40, account="nobody"), "expected a declared account"),
        (control.FeedItem(transfer_seq=7, command=control.KeyRevoked(key="k" * 40)), "got 7"),
    ],
)
def test_what_does_not_fit_is_refused_and_not_journaled(tmp_path, message, complaint):
    sequencer = sequencer_open(tmp_path)
    sequencer.run_controls(feed())
    next_seq = sequencer.journal.next_seq
    _, refusals = sequencer.run_controls([message])
    assert complaint in str(refusals[0])
    assert sequencer.journal.next_seq == next_seq
    with pytest.raises(FrameError):
        sequencer.machine.apply_control(message)
    sequencer.close()


def test_an_unknown_product_is_not_the_whole_market(tmp_path):
    sequencer = sequencer_open(tmp_path)
    day_begin(sequencer)
    events, _ = sequencer.run_controls([control.Halt(product="CEA99")])
    assert kinds(events) == ["ORDER_REJECTED"]
    item = control.TransferIn(account="alice", product="CEA99", amount=5)
    seq = sequencer.machine.feed_seq + 1
    events, _ = sequencer.run_controls([control.FeedItem(transfer_seq=seq, command=item)])
    assert kinds(events) == ["TRANSFER_REJECTED"]
    assert not sequencer.machine.core.market_halted
    sequencer.close()
