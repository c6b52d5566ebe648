"""The one writer: everything that changes the market goes through here, in one total order.

    append to the journal -> (apply in memory | fdatasync) -> release -> event store

At the start `recovery` brings the state back; `snapshots` keeps it from time to time.
Nothing of a batch is returned before it is on disk. Usable without sockets.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import structlog

from cea_exchange import __version__
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EVENT_DTYPE, SCHEMA_VERSION, EventKind
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import (
    EventDamaged,
    EventStore,
    FrameKind,
    Identity,
    Journal,
    JournalError,
    JournalFull,
    JournalWriter,
    OsStorage,
    SnapshotHeader,
    Storage,
    TailCut,
)
from cea_exchange.protocol.control import (
    TIME_NS_MAX,
    Control,
    ControlError,
    ProfileChanged,
    control_encode_checked,
)
from cea_exchange.venue.durability.event_days import EventDay, day_of
from cea_exchange.venue.durability.event_index import EventIndex
from cea_exchange.venue.durability.profile_change import profile_change
from cea_exchange.venue.durability.profile_shelf import profile_keep
from cea_exchange.venue.durability.recovery import RowsBefore, frame_apply, recover
from cea_exchange.venue.durability.snapshots import SnapshotBody, SnapshotPlan, SnapshotWriter
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.refusals import ActRefusal, refused

CHECKPOINT_COMMANDS = 65_536
ADOPTING_FOLDER = "adopting"
"""In the data folder while `venue adopt` is at work; left behind if it was killed."""

COMMANDS_SYNCED_APART = 1_024
"""From so many on a batch is applied beside its fdatasync; for fewer another thread costs more: to
wake it and to be woken takes as long as to apply some hundreds."""
RECORDS_PER_FRAME_MAX = 16_384
STORE_ROWS_APART_MAX = 32
CHECK_RESTS = 4
"""A check beside the work rests four times as long as it works: a fifth of a processor at most."""
EVENTS_FOLLOWED_MAX = 65_536
"""A standby syncs after so many events, or when nothing more has come."""

log = structlog.get_logger("venue")


def helper_thread(name: str) -> Executor:
    """Return a thread that syncs files beside the caller's."""
    return ThreadPoolExecutor(1, thread_name_prefix=name)


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
    on_batch : callable
        Called with each batch of records that is on disk, as a tuple: how many, and the seconds
        that applying it and its fdatasync took.
    """

    def __init__(
        self,
        machine: VenueStateMachine,
        journal: JournalWriter,
        store: EventStore,
        index: EventIndex,
        *,
        now_ns: Callable[[], int],
        snapshots: SnapshotWriter,
        helper: Callable[[str], Executor] = helper_thread,
        before: RowsBefore | None = None,
    ) -> None:
        self.machine = machine
        self.journal: JournalWriter = journal
        self.index = index
        self.checkpoints_on = True
        self.on_batch: Callable[[tuple[int, float, float]], None] = lambda _: None
        self._store = store
        self._now_ns = now_ns
        self._snapshots = snapshots
        self._helper_make = helper
        self._helper = helper("fdatasync")
        self._store_helper = helper("fdatasync-events")
        self._store_synced: Future = self._store_helper.submit(store.sync_written)
        self._before = before
        self._later: _LaterCheck | None = None
        self._checkpoint_block = machine.core.command_seq // CHECKPOINT_COMMANDS
        self._followed: list[np.ndarray] = []
        self._followed_count = 0

    @classmethod
    def open(
        cls,
        directory: Path | str,
        profile: Profile,
        *,
        now_ns: Callable[[], int],
        core_class: type | None = None,
        storage: Storage | None = None,
        snapshot_commands: int = 0,
        archive: Path | None = None,
        log_id: str | None = None,
        cut: TailCut | None = None,
        checks_later: bool = False,
        now_s: Callable[[], float] = time.monotonic,
        helper: Callable[[str], Executor] = helper_thread,
    ) -> "Sequencer":
        """Recover ``directory``, snapshot and journal, and stand ready at the journal's end.

        Parameters
        ----------
        directory
            The data folder; the caller holds its lock.
        profile
            The rules. A journal written under others goes on under these if no day is open.
        now_ns
            The venue's clock. Journaled time never goes back, whatever it says.
        snapshot_commands
            `turn` takes a snapshot after so many commands, and at each day's close; 0 is never.
        archive
            Where segments go that a snapshot covers, and where they are looked for that are no
            more in the journal's folder.
        log_id
            Which journal it has to be; one that begins takes it, or makes its own.
        cut
            Where the journal is to end though more was written: it never counted.
        checks_later
            Whether the events before the newest snapshot are held against their checksums beside
            the work, from the first `turn` on, which raises what is found.
        now_s
            A clock that never goes back, for snapshots.
        helper
            Makes who syncs files while the market is at work.

        Raises
        ------
        JournalError
            The journal is damaged, or of another profile, schema or format; or the event store or
            a snapshot has what the journal has not, or differs from it: acknowledged work is
            missing. The message names the place.
        StateDiverged
            Replay comes to another state than a checkpoint recorded.
        """
        directory, storage = Path(directory), storage or OsStorage()
        if storage.names(directory / ADOPTING_FOLDER):
            reason = "an adoption was begun and not finished: adopt again"
            raise JournalError(ADOPTING_FOLDER, 1, reason)
        identity = Identity(__version__, SCHEMA_VERSION, profile.profile_hash())
        found = recover(
            *(directory, profile),
            core_class=core_class,
            storage=storage,
            archive=archive,
            cut=cut,
            checks_later=checks_later,
        )
        change = profile_change(directory, found.machine, found.tail, profile)
        profile_keep(directory, profile, storage)
        journal = Journal.open(
            directory / "journal",
            log_id=log_id,
            identity=identity,
            storage=storage,
            tail=found.tail,
        )
        store, index = found.store, found.index
        if store is None or index is None:
            named = {"log_id": journal.log_id, "storage": storage}
            store = EventStore.open(directory / "events", **named)
            index = EventIndex.open(directory / "events", **named)
        snapshots = SnapshotWriter(
            directory,
            SnapshotPlan(snapshot_commands, archive),
            identity,
            storage=storage,
            command_seq=found.snapshot_command_seq,
            now_s=now_s,
        )
        sequencer = cls(
            *(found.machine, journal, store, index),
            now_ns=now_ns,
            snapshots=snapshots,
            helper=helper,
            before=found.before,
        )
        if change is not None:
            sequencer._profile_changed(change)
        return sequencer

    def run_records(
        self, records: np.ndarray, release: Callable[[np.ndarray], None] = lambda events: None
    ) -> np.ndarray:
        """Journal a batch of trading commands, apply it, and return its events once on disk.

        Parameters
        ----------
        records
            At most `RECORDS_PER_FRAME_MAX`.
        release
            Called with them once they may leave the venue: what is done for those who ask for them
            later comes after.

        Raises
        ------
        JournalFull
            The disk has no room. Nothing was applied; the batch may be tried again.
        JournalPoisoned
            The disk failed. Nothing may be released; exit and recover by replay.
        """
        assert 0 < len(records) <= RECORDS_PER_FRAME_MAX
        self._space_check()
        now_ns = self._stamp()
        self.journal.append(FrameKind.RECORDS, len(records), now_ns, records)
        self.journal.sync_begin()
        began_s = time.perf_counter()
        if len(records) < COMMANDS_SYNCED_APART:
            events = self.machine.apply_records(records, now_ns, lend=True)
            apply_s = time.perf_counter() - began_s
            sync_s = self._sync_timed()
        else:
            synced = self._helper.submit(self._sync_timed)
            try:
                events = self.machine.apply_records(records, now_ns, lend=True)
                apply_s = time.perf_counter() - began_s
            finally:
                sync_s = synced.result()
        rows = events.tobytes()
        # Not the machine's, which it writes over.
        events = np.frombuffer(rows, EVENT_DTYPE)
        release(events)
        self._keep(rows, events)
        self.on_batch((len(records), apply_s, sync_s))
        with_checkpoint = self._with_checkpoint(events)
        release(with_checkpoint[len(events) :])
        return with_checkpoint

    def run_controls(self, messages: Iterable[Control]) -> tuple[np.ndarray, list[ActRefusal]]:
        """Journal and apply control messages, and return their events once on disk.

        Returns
        -------
        events : ndarray
            Of all that were applied.
        refusals : list of ActRefusal
            Per message, why it was not applied; None if it was. A refused one is not journaled.
        """
        parts: list[np.ndarray] = [_NO_EVENTS]
        refusals: list[ActRefusal] = []
        for message in messages:
            refusal = self.machine.refusal(message)
            if refusal is None:
                try:
                    parts.append(self._control(message))
                # What was applied before must still be kept and released.
                except JournalFull as error:
                    refusal = refused(VenueRefusal.NO_SPACE, "journal", "room on the disk", error)
                except ControlError as error:
                    refusal = refused(VenueRefusal.BAD_REQUEST, "act", "one to journal", error)
            refusals.append(refusal)
        events = np.concatenate(parts)
        if len(parts) > 1:
            self.journal.sync()
            self._keep(events.tobytes(), events)
        # Trading commands change no phase, so only here is it looked for.
        kinds = set(events["kind"].tolist())
        if EventKind.DAY_CLOSED in kinds:
            self._snapshots.day_closed()
        return self._with_checkpoint(events, is_due=not kinds.isdisjoint(_PHASE_KINDS)), refusals

    def follow(self, journal: Journal, frames: bytes) -> None:
        """Journal frames that another venue has made, and apply them; `followed` is to come.

        Parameters
        ----------
        journal
            The one that this sequencer was opened with: it follows until `lead`.
        frames
            Whole frames of the same journal, from the next on; what is there already is left out.

        Raises
        ------
        JournalError
            They do not follow, or don't fit the state.
        StateDiverged
            The other came to another state at a checkpoint.
        JournalFull
            The disk has no room; what was applied counts, and the rest may be tried again.
        """
        self._space_check()
        for frame in journal.append_frames(frames):
            events = frame_apply(self.machine, frame)
            self._followed.append(events)
            self._followed_count += len(events)
        if self._followed_count > EVENTS_FOLLOWED_MAX:
            self.followed(journal)

    def followed(self, journal: Journal) -> None:
        """Bring what was followed to disk, and keep its events."""
        if not self._followed:
            return
        journal.sync()
        events = np.concatenate(self._followed)
        self._followed, self._followed_count = [], 0
        self._keep(events.tobytes(), events)
        if EventKind.DAY_CLOSED in events["kind"]:
            self._snapshots.day_closed()

    def lead(self, journal: JournalWriter) -> None:
        """Write from now on, to this journal; all before was followed."""
        self.journal = journal
        self._checkpoint_block = self.machine.core.command_seq // CHECKPOINT_COMMANDS

    def event_rows(self, seqs: Iterable[int]) -> np.ndarray:
        """Return the events of ascending sequence numbers from the store.

        Raises
        ------
        EventDamaged
            One of them is not as it was written.
        """
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

    def day_of(self, trading_date: int) -> EventDay | None:
        """Return where a day's events are; None if there was no such day."""
        return day_of(self._store, trading_date)

    def turn(self) -> None:
        """Between two batches: take a snapshot if one is due, hear of the last one.

        Raises
        ------
        EventDamaged
            An event before the newest snapshot of the start is not as it was written.
        """
        # Not before the first turn: what fails at a start must not wait for it.
        if self._before is not None:
            self._later = _LaterCheck(self._before, self._helper_make("events-before"))
            self._before = None
        if self._later is not None and self._later.is_done():
            self._later = None
        try:
            self._snapshots.turn(self.machine.core.command_seq, self._snapshot)
        except JournalFull:
            # The next turn tries again.
            return

    def close(self) -> None:
        """Seal the journal and sync the event store."""
        if self._later is not None:
            self._later.close()
        self._snapshots.close()
        self._helper.shutdown(wait=True)
        self._store_helper.shutdown(wait=True)
        # Where the journal has failed, that is what is to be told, and not what follows from it.
        failed = (OSError,) if self.journal.is_poisoned else ()
        self.journal.close()
        with contextlib.suppress(*failed):
            self._store.close()
        with contextlib.suppress(*failed):
            self.index.close()

    def _profile_changed(self, change: ProfileChanged) -> None:
        """Begin the segment with the change, and keep the state that it leads to."""
        _, (refusal,) = self.run_controls([change])
        if refusal is not None:
            raise JournalFull(str(refusal))
        log.info("profile_changed", profile=change.profile_hash, before=change.previous_hash)
        self._snapshots.take(self._snapshot())

    def _snapshot(self) -> Callable[[], tuple[SnapshotHeader, SnapshotBody]]:
        if self._store.written_count < self._store.count or not self.index.is_written:
            raise JournalFull("no room for the events that a snapshot would go on from")
        point = self.journal.point()

        def make() -> tuple[SnapshotHeader, SnapshotBody]:
            core = self.machine.core
            header = SnapshotHeader(
                log_id=self.journal.log_id,
                identity=self.journal.identity,
                point=point,
                event_count=core.event_seq,
                state_hash=core.state_hash(),
            )
            return header, SnapshotBody(self.machine.snapshot(), self.index.state())

        return make

    def _stamp(self) -> int:
        """Return the time of what is journaled next: never before what was, nor after 2116."""
        now_ns = min(self._now_ns(), TIME_NS_MAX)
        return max(now_ns, self.journal.last_time_ns, self.machine.time_ns)

    def _space_check(self) -> None:
        """Refuse work while its events would wait for the disk without end."""
        self._store.space_check()
        self.index.space_check()

    def _control(self, message: Control) -> np.ndarray:
        self._space_check()
        now_ns = self._stamp()
        # Versions before let a clock of 2150 into the journal: no day of it could be closed.
        message = msgspec.structs.replace(message, at_ns=min(now_ns, TIME_NS_MAX))
        self.journal.append(FrameKind.CONTROL, 1, now_ns, control_encode_checked(message))
        return self.machine.apply_control(message)

    def _sync_timed(self) -> float:
        began_s = time.perf_counter()
        self.journal.sync()
        return time.perf_counter() - began_s

    def _keep(self, rows: bytes, events: np.ndarray) -> None:
        """Let events, of which these are the bytes, be found again."""
        self._store.append(rows)
        self.index.add(events)

    def _with_checkpoint(self, events: np.ndarray, *, is_due: bool = False) -> np.ndarray:
        block = self.machine.core.command_seq // CHECKPOINT_COMMANDS
        if not self.checkpoints_on or not (is_due or block > self._checkpoint_block):
            return events
        try:
            checkpoint = self._control(self.machine.checkpoint_now())
        except JournalFull:
            # The work before it is done and durable; a later batch makes the checkpoint.
            return events
        self._checkpoint_block = block
        self.journal.sync()
        self._keep(checkpoint.tobytes(), checkpoint)
        # Nothing waits for it: replay would make the rows again.
        if self._store_synced.done():
            self._store_synced.result()
            self._store_synced = self._store_helper.submit(self._store.sync_written)
        return np.concatenate((events, checkpoint))


class _LaterCheck:
    """Holds what was there before a start against its checksums, in a thread that mostly rests."""

    def __init__(self, before: RowsBefore, helper: Executor) -> None:
        self._stopped = threading.Event()
        self._began_s = time.monotonic()
        self._helper = helper
        self._checked = helper.submit(before.check, self._go_on)

    def is_done(self) -> bool:
        """Whether all are as they were written; EventDamaged if one is not."""
        if not self._checked.done():
            return False
        self._helper.shutdown()
        self._checked.result()
        return True

    def close(self) -> None:
        """End it where it stands."""
        self._stopped.set()
        self._helper.shutdown()

    def _go_on(self) -> bool:
        took_s = time.monotonic() - self._began_s
        is_stopped = self._stopped.wait(CHECK_RESTS * took_s)
        self._began_s = time.monotonic()
        return not is_stopped


def damage_refusal(error: EventDamaged, where: str = "events") -> FrameError:
    """Log that an event is not as it was written, and return what its asker is refused with."""
    log.error("event_damaged", error=str(error))
    return FrameError(
        VenueRefusal.EVENTS_DAMAGED,
        expected="events as they were written",
        got=error.what,
        where=where,
    )


_PHASE_KINDS = frozenset({EventKind.PHASE_CHANGED, EventKind.DAY_CLOSED})
_NO_EVENTS = np.zeros(0, EVENT_DTYPE)
