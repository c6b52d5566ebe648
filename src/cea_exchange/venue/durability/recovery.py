"""Restores a venue from disk: the newest good snapshot, then the journal's tail.

    snapshot --> machine, index --> frames of the tail applied --> event store compared, or rebuilt

Each part of the journal is applied by the rules it was written under; `venue.profile_change` then
goes on under others where the venue is given others.
Everything is compared before the journal is opened for writing: that cuts a torn tail for good.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import structlog

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, SCHEMA_VERSION
from cea_exchange.journal import (
    EVENT_FILE_NAME,
    EventRows,
    EventStore,
    Frame,
    FrameKind,
    Identity,
    JournalError,
    JournalPoint,
    SegmentReader,
    Snapshot,
    Storage,
    TailCut,
    event_rows_read,
    snapshot_paths,
    snapshot_read,
)
from cea_exchange.journal.segment import (
    SegmentHeader,
    Tail,
    segment_header_read,
    segment_name,
    segment_paths,
)
from cea_exchange.protocol.control import Adopt, ControlError, ProfileChanged, control_decode
from cea_exchange.venue._event_lists import rows_equal
from cea_exchange.venue.durability.event_index import EventIndex
from cea_exchange.venue.durability.profile_shelf import profile_find
from cea_exchange.venue.durability.snapshots import body_decode
from cea_exchange.venue.market.state_machine import VenueStateMachine

SCHEMA_OLDEST = 2
"""Under the first one groups were counted from 0, which is no group now."""
COMMANDS_PER_BATCH = 4_096
"""Frames are joined up to this many commands: applying one after the other would cost more."""
EVENTS_FEW = 64
FRAMES_OF_FEW = 1_024
"""So many frames of fewer events than EVENTS_FEW are kept together: handing over costs as much as
applying some of them."""

log = structlog.get_logger("venue")


class Recovered(NamedTuple):
    """The state that a data folder holds."""

    machine: VenueStateMachine
    """By the rules of the journal's last frame; its `profile` says which."""
    tail: Tail
    """How the journal ends; without a `path` there is none."""
    index: EventIndex | None
    """None without a journal, like the store."""
    store: EventStore | None
    snapshot_command_seq: int
    """Commands that the newest snapshot has; 0 without one."""
    before: "RowsBefore | None"
    """Not yet checked; None if nothing is left to check."""


class RowsBefore(NamedTuple):
    """The events before a start's snapshot, which replay does not come to."""

    rows: EventRows
    event_count: int

    def check(self, go_on: Callable[[], bool] = lambda: True) -> None:
        """Hold them against their checksums, as `EventRows.check` does."""
        self.rows.check(self.event_count, go_on)


class _Start(NamedTuple):
    """Where replay begins."""

    machine: VenueStateMachine
    index: EventIndex
    point: JournalPoint | None
    event_count: int


class _Folder(NamedTuple):
    """What is to be recovered."""

    directory: Path
    profile: Profile
    core_class: type | None
    storage: Storage
    archive: Path | None
    cut: TailCut | None

    def profile_of(self, identity: Identity) -> Profile:
        return profile_find(
            self.directory, identity.profile_hash, self.storage, given=self.profile
        )


def recover(
    directory: Path,
    profile: Profile,
    *,
    core_class: type | None,
    storage: Storage,
    archive: Path | None,
    cut: TailCut | None = None,
    checks_later: bool = False,
) -> Recovered:
    """Bring a data folder's state back, and the event store to what the journal gives.

    Parameters
    ----------
    directory
        The data folder.
    profile
        The rules of a journal that begins; of another the one that it names is looked for here,
        on the folder's shelf and in the package.
    core_class, storage, archive, cut, checks_later
        As in `Sequencer.open`.

    Raises
    ------
    JournalError
        The journal is damaged, of a profile that is not to be found, of a newer schema or format,
        or it ends before what a snapshot or the event store has: acknowledged work is missing.
        Names the place.
    StateDiverged
        Replay comes to another state than a checkpoint recorded.
    """
    folder = _Folder(directory, profile, core_class, storage, archive, cut)
    paths = segment_paths(directory / "journal", storage, archive=archive)
    if not paths:
        return _nothing(folder)
    header = segment_header_read(paths[-1], storage)
    schema_check(header)
    named = {"log_id": header.log_id, "storage": storage}
    base = _event_base(folder)
    store = EventStore.open(directory / "events", base=base, **named)
    start = _newest_start(folder, header, store)
    if start is None:
        rules = folder.profile_of(segment_header_read(paths[0], storage).identity)
        machine = VenueStateMachine(rules, core_class)
        start = _Start(machine, EventIndex.open(directory / "events", **named), None, store.base)
    command_seq = start.machine.core.command_seq if start.point else 0
    known = event_rows_read(directory / "events", **named)
    before = RowsBefore(known, start.event_count)
    compared = _StoreCheck(store, known, start.event_count)
    if checks_later:
        tail = _replay(folder, start, compared)
        return Recovered(start.machine, tail, start.index, store, command_seq, before)
    with ThreadPoolExecutor(1, thread_name_prefix="events-before") as helper:
        # What replay gives anew is compared with it, all before with the checksums.
        checked = helper.submit(before.check)
        tail = _replay(folder, start, compared)
        checked.result()
    return Recovered(start.machine, tail, start.index, store, command_seq, None)


def _nothing(folder: _Folder) -> Recovered:
    for name in ("events", "snapshots"):
        if folder.storage.names(folder.directory / name):
            raise JournalError("journal", 1, f"there is {name}, but no journal")
    machine = VenueStateMachine(folder.profile, folder.core_class)
    tail = SegmentReader(folder.directory / "journal", storage=folder.storage).tail
    return Recovered(machine, tail, None, None, 0, None)


def _event_base(folder: _Folder) -> int:
    """Return behind which event a lost event store begins: an adoption goes on with numbers."""
    if EVENT_FILE_NAME in folder.storage.names(folder.directory / "events"):
        return 0
    reader = SegmentReader(
        folder.directory / "journal",
        storage=folder.storage,
        cut_torn_tail=True,
        archive=folder.archive,
    )
    first = next(reader.frames(), None)
    if first is None or first.kind != FrameKind.CONTROL:
        return 0
    message = control_decode(first.payload)
    return message.state.event_seq if isinstance(message, Adopt) else 0


# -- The newest good snapshot ----------------------------------------------------------------------


def _newest_start(folder: _Folder, header: SegmentHeader, store: EventStore) -> _Start | None:
    for path in snapshot_paths(folder.directory / "snapshots", storage=folder.storage):
        try:
            snapshot = snapshot_read(path, storage=folder.storage)
            snapshot_check(snapshot, header, store.vouched_count)
            start = _start_from(folder, snapshot)
        except (JournalError, ValueError) as error:
            log.warning("snapshot_refused", snapshot=path.name, error=str(error))
            continue
        log.info("snapshot_taken_up", snapshot=path.name)
        return start
    return None


def snapshot_check(snapshot: Snapshot, header: SegmentHeader, event_count: int) -> None:
    """Refuse a snapshot of another journal or a newer schema, or of events that are lost."""
    found = snapshot.header
    if header.log_id != found.log_id:
        raise ValueError(f"log_id: expected {header.log_id}, got the snapshot's {found.log_id}")
    fault = schema_fault(found.identity)
    if fault:
        raise ValueError(fault)
    if event_count < found.event_count:
        raise ValueError(
            f"it goes on from event {found.event_count}, the store has {event_count} with checksums"
        )


def _start_from(folder: _Folder, snapshot: Snapshot) -> _Start:
    header = snapshot.header
    body = body_decode(snapshot.body)
    rules = folder.profile_of(header.identity)
    machine = VenueStateMachine.restore(rules, body.machine, folder.core_class)
    found = (machine.core.state_hash(), machine.core.event_seq)
    if found != (header.state_hash, header.event_count):
        raise ValueError(
            f"expected state {header.state_hash:016x} at event {header.event_count}, got "
            f"{found[0]:016x} at {found[1]} in the body"
        )
    index = EventIndex.restore(
        body.index,
        folder.directory / "events",
        log_id=header.log_id,
        storage=folder.storage,
    )
    return _Start(machine, index, header.point, header.event_count)


# -- Replay ----------------------------------------------------------------------------------------


def _replay(folder: _Folder, start: _Start, check: "_StoreCheck") -> Tail:
    """Apply what follows a start. The market runs while the events of the last batch are kept."""
    reader = SegmentReader(
        folder.directory / "journal",
        storage=folder.storage,
        cut_torn_tail=True,
        archive=folder.archive,
        start=start.point,
        cut=folder.cut,
    )
    joined = reader.frames_joined(COMMAND_DTYPE.itemsize, COMMANDS_PER_BATCH)
    frames = frames_under_rules(reader, joined, start.machine.profile.profile_hash())
    try:
        with _Keeper(start.index, check) as keeper:
            for frame in frames:
                events = frame_apply(start.machine, frame, lend=True)
                keeper.take(events, frame.first_seq)
        check.finish(reader.tail.next_seq)
    except BaseException:
        check.undo()
        raise
    return reader.tail


class _Keeper:
    """Indexes and compares events in a thread of its own, a batch behind the market."""

    def __init__(self, index: EventIndex, check: "_StoreCheck") -> None:
        self._index = index
        self._check = check
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="events")
        self._kept: Future | None = None
        self._few: list[bytes] = []
        self._few_seq = 0

    def take(self, events: np.ndarray, seq: int) -> None:
        """Take the events of the frame at `seq`; they may be lent until the frame after the next.

        Those of control messages are few: handing them over one by one would cost the most. They
        are joined as bytes: numpy would compare the fields of every one.
        """
        if len(events) < EVENTS_FEW:
            self._wait()
            self._few_seq = self._few_seq if self._few else seq
            self._few.append(events.tobytes())
            if len(self._few) < FRAMES_OF_FEW:
                return
        self._hand_over_few()
        if len(events) >= EVENTS_FEW:
            self._hand_over(events, seq)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            if kind is None:
                self._hand_over_few()
                self._wait()
        finally:
            self._helper.shutdown(wait=True)

    def _hand_over_few(self) -> None:
        if self._few:
            few, self._few = self._few, []
            self._hand_over(np.frombuffer(b"".join(few), EVENT_DTYPE), self._few_seq)

    def _hand_over(self, events: np.ndarray, seq: int) -> None:
        # The helper finds the next batch there when it is done with the one before.
        before, self._kept = self._kept, self._helper.submit(self._keep, events, seq, self._kept)
        if before is not None:
            before.result()

    def _wait(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.result()

    def _keep(self, events: np.ndarray, seq: int, before: Future | None) -> None:
        if before is not None:
            before.result()  # Behind a fault nothing is compared, and nothing written.
        self._index.add(events)
        self._check.follow(events, seq)


def schema_fault(identity: Identity) -> str:
    """Say what is wrong with the schema that a segment or snapshot was written under, if anything.

    Since SCHEMA_OLDEST records are only added to, and enums likewise: those are read as they are.
    """
    found = identity.schema_version
    if SCHEMA_OLDEST <= found <= SCHEMA_VERSION:
        return ""
    return (
        f"schema {SCHEMA_OLDEST} to {SCHEMA_VERSION} is supported, it was written under schema "
        f"{found} by cea-exchange {identity.code_version}"
    )


def schema_check(header: SegmentHeader) -> None:
    """Refuse a segment that was written under a newer schema than this program's."""
    fault = schema_fault(header.identity)
    if fault:
        raise JournalError(segment_name(header.first_seq), header.first_seq, fault)


def frames_under_rules(
    reader: SegmentReader, frames: Iterable[Frame], profile_hash: str
) -> Iterator[Frame]:
    """Yield a journal's frames, and hold each segment's header against the rules in force there.

    Parameters
    ----------
    reader, frames
        At its beginning, and its frames.
    profile_hash
        Of the rules at the first frame.

    Raises
    ------
    JournalError
        A segment names other rules than the frames before it, and does not begin with the message
        that changed them; or a newer schema.
    """
    known: SegmentHeader | None = None
    for frame in frames:
        header = reader.headers[-1]
        if header is not known:
            known = header
            schema_check(header)
            found = header.identity.profile_hash
            if found not in (profile_hash, _changed_to(frame)):
                raise JournalError(
                    segment_name(header.first_seq),
                    header.first_seq,
                    f"expected profile hash {profile_hash}, got {found}",
                )
            profile_hash = found
        yield frame


def _changed_to(frame: Frame) -> str | None:
    if frame.kind != FrameKind.CONTROL:
        return None
    try:
        message = control_decode(frame.payload)
    except ControlError:
        return None  # whoever applies it says what is wrong with it
    return message.profile_hash if isinstance(message, ProfileChanged) else None


def frame_apply(machine: VenueStateMachine, frame: Frame, *, lend: bool = False) -> np.ndarray:
    """Apply one journal frame to a state machine and return its events.

    With `lend` they may be the machine's own rows, good until the frame after the next.

    Raises
    ------
    JournalError
        The frame's payload is not what its kind says, or doesn't fit the state.
    """
    try:
        if frame.kind == FrameKind.RECORDS:
            records = np.frombuffer(frame.payload, COMMAND_DTYPE)
            if len(records) != frame.count:
                raise ValueError(f"expected {frame.count} records, got {len(records)}")
            return machine.apply_records(records, frame.time_ns, lend=lend)
        return machine.apply_control(control_decode(frame.payload))
    except ValueError as error:
        raise JournalError("journal", frame.first_seq, str(error)) from error


class _StoreCheck:
    """Compares the event store with replay, then repairs what a lost machine left of its tail.

    Rows are written after the journal's sync and synced themselves only now and then, so a power
    loss may leave holes: bytes that are zero. Any other difference is damage.
    """

    def __init__(self, store: EventStore, known: EventRows, event_count: int) -> None:
        self._store = store
        # Looked at where they lie; they are no more looked at once the store is written to.
        self._known = known
        self._known_count = store.count
        store.vouched_truncate(event_count)
        self._last_event = event_count
        self._hole_first = 0
        self._made_since_hole: list[bytes] = []

    def follow(self, events: np.ndarray, seq: int) -> None:
        """Compare the events of the frame that starts at `seq`."""
        first = self._last_event + 1
        self._last_event += len(events)
        if not self._hole_first and first <= self._known_count:
            known = self._known.read_unchecked(first, len(events))
            if rows_equal(events, known):
                self._store.vouch(known)
                return
        made = events.tobytes()
        if first <= self._known_count:
            self._compare(first, made, seq)
            self._made_since_hole.append(made)
            self._hole_first = self._hole_first or first
        if self._last_event > self._known_count:
            # All that the store had is compared.
            self._rebuild()
            missing = self._last_event - self._store.count
            self._store.append(made[len(made) - missing * self._store.row_bytes :])

    def _compare(self, first: int, made: bytes, seq: int) -> None:
        count = len(made) // self._store.row_bytes
        known = np.frombuffer(self._store.read_unchecked(first, count), np.uint8)
        differs = known != np.frombuffer(made, np.uint8)[: len(known)]
        if known[differs].any():
            raise JournalError(
                "events.rows",
                seq,
                f"events {first} to {self._last_event} differ from what replay gives",
            )

    def _rebuild(self) -> None:
        if self._hole_first:
            self._store.truncate(min(self._hole_first - 1, self._store.count))
            for made in self._made_since_hole:
                self._store.append(made)
        self._hole_first, self._made_since_hole = 0, []

    def finish(self, next_seq: int) -> None:
        """Refuse a store that knows more than the journal; fill the holes of one that doesn't."""
        if self._known_count > self._last_event:
            raise JournalError(
                "events.rows",
                next_seq,
                f"the event store knows event {self._known_count}, the journal ends at event "
                f"{self._last_event}: acknowledged work is missing from the journal",
            )
        self._rebuild()

    def undo(self) -> None:
        """Take back what was added to the store: nothing starts on this journal."""
        self._store.truncate(min(self._known_count, self._store.count))
