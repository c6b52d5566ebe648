"""Whatever the sequencer has returned is there after a power cut: on a disk that forgets."""

import random
from pathlib import Path

import numpy as np
import pytest

from cea_exchange.journal import Journal, JournalError, JournalFull, JournalPoisoned
from support.journal.small_market import day_begin, journal_unpadded, pairs, sequencer_open
from support.journal.volatile_storage import VolatileStorage

pytestmark = pytest.mark.crash


DIRECTORY = Path("/data")


def events_all(sequencer):
    """All events the sequencer knows, from its store."""
    last = sequencer.machine.core.event_seq
    return sequencer.event_rows(np.arange(1, last + 1, dtype=np.uint64))


def run_and_cut_power(seed):
    """Trade over three lives, each ended by a power cut; return what was released and is there."""
    generator = random.Random(seed)
    storage = VolatileStorage()
    sequencer = sequencer_open(DIRECTORY, storage=storage)
    released = [day_begin(sequencer)]
    batches = pairs()
    for _ in range(3):
        for _ in range(generator.randrange(1, 12)):
            released.append(sequencer.run_records(next(batches)).copy())
        storage.crash(generator)
        sequencer = sequencer_open(DIRECTORY, storage=storage)
    return np.concatenate(released), events_all(sequencer)


@pytest.mark.parametrize("seed", range(12))
def test_released_events_survive_a_power_cut(seed):
    released, found = run_and_cut_power(seed)
    assert released.tobytes() == found[: len(released)].tobytes()


def released_work_lost(seed):
    """Whether a run loses what was released, or its next life tells that work is gone."""
    try:
        released, found = run_and_cut_power(seed)
    except (JournalError, ValueError):
        # The event store, or the next command's numbers, tell of work that is gone.
        return True
    return released.tobytes() != found[: len(released)].tobytes()


def test_never_syncing_fails_here(monkeypatch):
    """A mutant that releases what is only written, and never syncs it."""
    monkeypatch.setattr(Journal, "sync", lambda journal: journal.next_seq - 1)
    assert all(released_work_lost(seed) for seed in range(6))


def test_acknowledging_before_the_sync_fails_here(monkeypatch):
    """A mutant that syncs each batch, but only after it was released: the last one can go."""
    sync, append = Journal.sync, Journal.append

    def sync_what_was_released_and_append(journal, *arguments):
        sync(journal)
        return append(journal, *arguments)

    monkeypatch.setattr(Journal, "append", sync_what_was_released_and_append)
    monkeypatch.setattr(Journal, "sync", lambda journal: journal.next_seq - 1)
    lost = [seed for seed in range(6) if released_work_lost(seed)]
    # A cut may by chance keep what was not synced, so not every run need lose some.
    assert len(lost) >= 3


def test_a_failed_sync_releases_nothing_and_replay_goes_on():
    storage = VolatileStorage()
    sequencer = sequencer_open(DIRECTORY, storage=storage)
    released = [day_begin(sequencer)]
    batches = pairs()
    released.append(sequencer.run_records(next(batches)).copy())
    storage.sync_fails = True
    with pytest.raises(JournalPoisoned):
        sequencer.run_records(next(batches))
    storage.sync_fails = False
    storage.crash()
    sequencer = sequencer_open(DIRECTORY, storage=storage)
    assert np.concatenate(released).tobytes() == events_all(sequencer).tobytes()


@pytest.mark.parametrize("room", [0, 60, 172, 200, 400])
def test_no_space_refuses_the_batch_and_goes_on_when_there_is_room(room, monkeypatch):
    """Room for nothing, a part of the frame, the frame, and parts of its events as well."""
    journal_unpadded(monkeypatch)
    storage = VolatileStorage()
    sequencer = sequencer_open(DIRECTORY, storage=storage)
    released = [day_begin(sequencer)]
    batches = pairs()
    storage.bytes_free = room
    for _ in range(3):
        before = sequencer.machine.core.state_hash()
        try:
            released.append(sequencer.run_records(next(batches)).copy())
        except JournalFull:
            assert before == sequencer.machine.core.state_hash()
            break
    else:
        pytest.fail("the disk was never full")
    storage.bytes_free = None
    released.append(sequencer.run_records(next(batches)).copy())
    expected = np.concatenate(released).tobytes()
    assert expected == events_all(sequencer).tobytes()
    storage.crash()
    assert expected == events_all(sequencer_open(DIRECTORY, storage=storage)).tobytes()
