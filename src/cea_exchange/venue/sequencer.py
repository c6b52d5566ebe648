"""The one writer: everything that changes the market goes through here, in one total order.

    append to the journal -> (apply in memory | fdatasync) -> event store -> release

Nothing of a batch is returned before it is on disk. Usable without sockets.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from cea_exchange import __version__
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    SCHEMA_VERSION,
    EventKind,
)
from cea_exchange.journal import (
    EventStore,
    Frame,
    FrameKind,
    Identity,
    Journal,
    JournalError,
    JournalFull,
    OsStorage,
    SegmentReader,
    Storage,
)
from cea_exchange.protocol.control import Control, control_decode, control_encode
from cea_exchange.venue.event_index import EventIndex
from cea_exchange.venue.state_machine import VenueStateMachine

CHECKPOINT_COMMANDS = 65_536
RECORDS_PER_FRAME_MAX = 16_384
STORE_ROWS_APART_MAX = 32


class Sequencer:
    """Journals and applies commands and control messages; see the module's drawing.

    Made by `Sequencer.open`. One thread calls it; the fdatasync runs in a helper thread.

    Attributes
    ----------
    machine : VenueStateMachine
        The state. Read it freely between calls.
    index : EventIndex
        Finds events in the store.
    checkpoints_on : bool
        Off while the registry has not yet confirmed that the journal is whole.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        journal: Journal,
        store: EventStore,
        index: EventIndex,
        *,
        now_ns: Callable[[], int],
    ) -> None:
        self.machine = machine
        self.journal = journal
        self.index = index
        self.checkpoints_on = True
        self._store = store
        self._now_ns = now_ns
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="fdatasync")
        self._checkpoint_block = machine.core.command_seq // CHECKPOINT_COMMANDS

    @classmethod
    def open(
        cls,
        directory: Path | str,
        profile: Profile,
        *,
        now_ns: Callable[[], int],
        core_class: type | None = None,
        storage: Storage | None = None,
    ) -> "Sequencer":
        """Replay ``directory/journal`` and stand ready at its end.

        Parameters
        ----------
        directory
            The data folder; the caller holds its lock.
        profile
            The rules; a journal written under others is refused.
        now_ns
            The venue's clock. Journaled time never goes back, whatever it says.

        Raises
        ------
        JournalError
            The journal is damaged, or the event store has what the journal has not, or differs
            from it: acknowledged work is missing. The message names the place.
        StateDiverged
            Replay comes to another state than a checkpoint recorded.
        """
        directory, storage = Path(directory), storage or OsStorage()
        machine, index = VenueStateMachine(profile, core_class), EventIndex()
        identity = Identity(__version__, SCHEMA_VERSION, profile.profile_hash())

        def store_open(log_id: str) -> EventStore:
            return EventStore.open(directory / "events", log_id=log_id, storage=storage)

        reader = SegmentReader(directory / "journal", storage=storage, cut_torn_tail=True)
        # All is compared before the journal is opened for writing: that cuts a torn tail for good.
        store = _recover(reader, machine, index, identity, store_open)
        if store is None and storage.names(directory / "events"):
            raise JournalError("journal", 1, "there is an event store, but no journal")
        journal = Journal.open(directory / "journal", identity=identity, storage=storage)
        store = store or store_open(journal.log_id)
        return cls(machine, journal, store, index, now_ns=now_ns)

    def run_records(self, records: np.ndarray) -> np.ndarray:
        """Journal a batch of trading commands, apply it, and return its events once on disk.

        They may be the machine's own rows, good until the next call.

        Raises
        ------
        JournalFull
            The disk has no room. Nothing was applied; the batch may be tried again.
        JournalPoisoned
            The disk failed. Nothing may be released; exit and recover by replay.
        """
        assert 0 < len(records) <= RECORDS_PER_FRAME_MAX
        now_ns = self._stamp()
        self.journal.append(FrameKind.RECORDS, len(records), now_ns, records.tobytes())
        synced = self._helper.submit(self.journal.sync)
        try:
            events = self.machine.apply_records(records, now_ns, lend=True)
        finally:
            synced.result()
        self._keep(events)
        return self._with_checkpoint(events)

    def run_controls(self, messages: Iterable[Control]) -> tuple[np.ndarray, list[str | None]]:
        """Journal and apply control messages, and return their events once on disk.

        Returns
        -------
        events : ndarray
            Of all that were applied.
        refusals : list of str or None
            Per message, why it was not applied; None if it was. A refused one is not journaled.
        """
        parts, refusals = [_NO_EVENTS], []
        for message in messages:
            refusal = self.machine.refusal(message)
            if refusal is None:
                try:
                    parts.append(self._control(message))
                except JournalFull as error:
                    # What was applied before must still be kept and released.
                    refusal = str(error)
            refusals.append(refusal)
        events = np.concatenate(parts)
        if len(parts) > 1:
            self.journal.sync()
            self._keep(events)
        return self._with_checkpoint(events), refusals

    def event_rows(self, seqs: Iterable[int]) -> np.ndarray:
        """Return the events of ascending sequence numbers from the store."""
        seqs = np.frombuffer(seqs, np.uint64) if not isinstance(seqs, np.ndarray) else seqs
        rows = np.zeros(len(seqs), EVENT_DTYPE)
        if not len(seqs):
            return rows
        # Rows that lie close together are read in one go.
        breaks = np.flatnonzero(np.diff(seqs) > STORE_ROWS_APART_MAX) + 1
        for group in np.split(np.arange(len(seqs)), breaks):
            first, last = int(seqs[group[0]]), int(seqs[group[-1]])
            read = np.frombuffer(self._store.read(first, last - first + 1), EVENT_DTYPE)
            rows[group] = read[(seqs[group] - np.uint64(first)).astype(np.intp)]
        return rows

    def close(self) -> None:
        """Seal the journal and sync the event store."""
        self._helper.shutdown(wait=True)
        self.journal.close()
        self._store.close()

    def _stamp(self) -> int:
        return max(self._now_ns(), self.journal.last_time_ns, self.machine.time_ns)

    def _control(self, message: Control) -> np.ndarray:
        now_ns = self._stamp()
        message = msgspec.structs.replace(message, at_ns=now_ns)
        self.journal.append(FrameKind.CONTROL, 1, now_ns, control_encode(message))
        return self.machine.apply_control(message)

    def _keep(self, events: np.ndarray) -> None:
        self._store.append(events.tobytes())
        self.index.add(events)

    def _with_checkpoint(self, events: np.ndarray) -> np.ndarray:
        block = self.machine.core.command_seq // CHECKPOINT_COMMANDS
        phases = np.isin(events["kind"], (EventKind.PHASE_CHANGED, EventKind.DAY_CLOSED)).any()
        if not self.checkpoints_on or not (phases or block > self._checkpoint_block):
            return events
        try:
            checkpoint = self._control(self.machine.checkpoint_now())
        except JournalFull:
            # The work before it is done and durable; a later batch makes the checkpoint.
            return events
        self._checkpoint_block = block
        self.journal.sync()
        self._keep(checkpoint)
        self._store.sync()
        return np.concatenate((events, checkpoint))


_NO_EVENTS = np.zeros(0, EVENT_DTYPE)


def frame_apply(machine: VenueStateMachine, frame: Frame, *, lend: bool = False) -> np.ndarray:
    """Apply one journal frame to a state machine and return its events.

    With `lend` they may be the machine's own rows, good until the next frame.

    Raises
    ------
    JournalError
        The frame's payload is not what its kind says, or doesn't fit the state.
    """
    try:
        if frame.kind == FrameKind.RECORDS:
            records = np.frombuffer(frame.payload, COMMAND_DTYPE)
            if len(records) != frame.count:
                raise ValueError(f"expected {frame.count} records, came {len(records)}")
            return machine.apply_records(records, frame.time_ns, lend=lend)
        return machine.apply_control(control_decode(frame.payload))
    except ValueError as error:
        raise JournalError("journal", frame.first_seq, str(error)) from error


class _StoreCheck:
    """Compares the event store with replay, then repairs what a lost machine left of its tail.

    Rows are written after the journal's sync and synced themselves only now and then, so a power
    loss may leave holes: bytes that are zero. Any other difference is damage.
    """

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._last_event = 0
        self._hole_first = 0
        self._made_since_hole: list[bytes] = []

    def follow(self, events: np.ndarray, seq: int) -> None:
        """Compare the events of the frame that starts at `seq`."""
        first, made = self._last_event + 1, events.tobytes()
        self._last_event += len(events)
        known = np.frombuffer(self.store.read(first, len(events)), np.uint8)
        expected = np.frombuffer(made, np.uint8)[: len(known)]
        differs = known != expected
        if known[differs].any():
            raise JournalError(
                "events.rows",
                seq,
                f"events {first} to {self._last_event} differ from what replay gives",
            )
        if not self._hole_first and (differs.any() or len(known) < len(made)):
            self._hole_first = first
        if self._hole_first:
            self._made_since_hole.append(made)

    def finish(self, next_seq: int) -> EventStore:
        """Refuse a store that knows more than the journal; rebuild the tail of one that is short.

        Nothing is written before everything was compared.
        """
        if self.store.count > self._last_event:
            raise JournalError(
                "events.rows",
                next_seq,
                f"the event store knows event {self.store.count}, the journal ends at event "
                f"{self._last_event}: acknowledged work is missing from the journal",
            )
        if self._hole_first:
            self.store.truncate(min(self._hole_first - 1, self.store.count))
            for made in self._made_since_hole:
                self.store.append(made)
        return self.store


def _recover(
    reader: SegmentReader,
    machine: VenueStateMachine,
    index: EventIndex,
    identity: Identity,
    store_open: Callable[[str], EventStore],
) -> EventStore | None:
    """Apply all frames, and bring the event store to what they give; None without a journal."""
    check, headers_checked, next_seq = None, 0, 1
    for frame in reader.frames():
        check = check or _StoreCheck(store_open(reader.headers[0].log_id))
        for header in reader.headers[headers_checked:]:
            _profile_check(header.first_seq, identity, header.identity)
        headers_checked = len(reader.headers)
        events = frame_apply(machine, frame)
        index.add(events)
        check.follow(events, frame.first_seq)
        next_seq = frame.first_seq + frame.count
    if check is None and reader.headers:
        check = _StoreCheck(store_open(reader.headers[0].log_id))
    return None if check is None else check.finish(next_seq)


def _profile_check(seq: int, expected: Identity, found: Identity) -> None:
    if expected.profile_hash != found.profile_hash:
        raise JournalError(
            "journal",
            seq,
            f"profile hash {expected.profile_hash} was expected, the segment was written under "
            f"{found.profile_hash}",
        )
