"""A past day of a venue, event by event, forward and back, with the books and who had what.

The day's commands are played once more from the venue's newest snapshot before it, or from the
journal's beginning. Every event must be the one the event store has. Checkpoints on the way make a
step back cheap: the last one before the place is taken up, and what follows it is played again.

    journal    | frames before the day | frame | frame | frame | frame | frame |
    kept                               ^ state               ^ state
"""

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, EventKind
from cea_exchange.journal import (
    Frame,
    FrameKind,
    JournalError,
    JournalPoint,
    OsStorage,
    SegmentReader,
    event_rows_read,
)
from cea_exchange.journal.event_store import EventRows
from cea_exchange.journal.segment import SegmentHeader, segment_header_read, segment_paths
from cea_exchange.journal.snapshot_file import snapshot_paths, snapshot_read
from cea_exchange.supervision.stepping.moments import (
    Moment,
    Names,
    SeenEvent,
    books_seen,
    events_seen,
    holdings_seen,
)
from cea_exchange.venue.durability.event_days import EventDay, closed_days
from cea_exchange.venue.durability.profile_shelf import profile_find
from cea_exchange.venue.durability.recovery import frame_apply, frames_under_rules, schema_check
from cea_exchange.venue.durability.snapshots import body_decode
from cea_exchange.venue.market.state_machine import StateDiverged, VenueStateMachine

EVENTS_BETWEEN = 4_096
"""Played again at most for a step back, where a day has few enough."""
CHECKPOINTS_MAX = 64
"""Of a longer day they lie further apart."""
FOUND_MAX = 1_000


class _Checkpoint(NamedTuple):
    """A state, how many of the day's frames it has seen, and the last event by then."""

    frames: int
    event_seq: int
    profile: Profile
    machine: bytes


class VenueRecord:
    """What a venue has on disk of its past. Nothing of it is changed.

    Parameters
    ----------
    directory
        The venue's data folder.
    archive
        Where segments lie that are no more in the journal's folder.

    Raises
    ------
    JournalError
        There is no journal, or it is damaged.
    """

    def __init__(self, directory: Path, *, archive: Path | None = None) -> None:
        self.directory, self.storage = Path(directory), OsStorage()
        self.archive = self.directory / "archive" if archive is None else archive
        paths = segment_paths(
            self.directory / "journal", self.storage, archive=self.archive
        )
        if not paths:
            raise JournalError(str(self.directory / "journal"), 1, "expected a journal, got none")
        self.header: SegmentHeader = segment_header_read(paths[0], self.storage)
        schema_check(self.header)

    def events(self) -> EventRows:
        """Return all events as they are on disk now."""
        return event_rows_read(
            self.directory / "events", log_id=self.header.log_id, storage=self.storage
        )

    def days(self) -> list[EventDay]:
        """Return the days that are over, oldest first."""
        return list(closed_days(self.events()))

    def machine_before(self, event_seq: int) -> tuple[VenueStateMachine, SegmentReader]:
        """Return a state that has not come to an event yet, and the journal from there on."""
        for path in snapshot_paths(self.directory / "snapshots", storage=self.storage):
            try:
                snapshot = snapshot_read(path, storage=self.storage)
                header = snapshot.header
                if header.log_id != self.header.log_id or header.event_count >= event_seq:
                    continue
                rules = profile_find(
                    self.directory, header.identity.profile_hash, self.storage
                )
                machine = VenueStateMachine.restore(rules, body_decode(snapshot.body).machine)
            except (JournalError, ValueError):
                continue  # one that can't be read is as none: the journal has it all
            if machine.core.state_hash() == header.state_hash:
                return machine, self._reader(header.point)
        rules = profile_find(
            self.directory, self.header.identity.profile_hash, self.storage
        )
        return VenueStateMachine(rules), self._reader(None)

    def _reader(self, start: JournalPoint | None) -> SegmentReader:
        return SegmentReader(
            self.directory / "journal",
            storage=self.storage,
            cut_torn_tail=True,
            archive=self.archive,
            start=start,
        )


class DayReplay:
    """A day that is over, at one of its events.

    Parameters
    ----------
    record
        Where it is read from.
    trading_date
        Its date, yyyymmdd.
    events_between
        So many events, at least, lie between two checkpoints.

    Attributes
    ----------
    played : int
        Commands that steps have played again so far.

    Raises
    ------
    LookupError
        There is no such day, or it is not over.
    JournalError
        The journal is damaged, or gives other events than the event store has.

    Notes
    -----
    Rules: CEA-SVL-43.
    """

    def __init__(
        self, record: VenueRecord, trading_date: int, *, events_between: int = EVENTS_BETWEEN
    ) -> None:
        rows = record.events()
        days = [day for day in closed_days(rows) if day.trading_date == trading_date]
        if not days:
            raise LookupError(f"expected a day that is over, got {trading_date}")
        self.trading_date = trading_date
        self._first, self._last = days[0].first, days[0].last
        self._rows = rows
        between = max(events_between, -(-self.count // CHECKPOINTS_MAX))
        self._frames: list[Frame] = []
        self._ends: list[int] = []
        self._kept: list[_Checkpoint] = []
        self._play(record, between)
        self._kept_ends = [kept.event_seq for kept in self._kept]
        self._machine = VenueStateMachine.restore(self._kept[0].profile, self._kept[0].machine)
        self._frame, self._done = self._kept[0].frames, 0
        self._command = self._first, self._first - 1
        self.played = 0

    @property
    def count(self) -> int:
        """How many events the day has."""
        return self._last - self._first + 1

    @property
    def checkpoint_count(self) -> int:
        """How many states are kept."""
        return len(self._kept)

    @property
    def products(self) -> tuple[str, ...]:
        """All products by index, at the day's end."""
        return tuple(self._names.products)

    @property
    def accounts(self) -> tuple[str, ...]:
        """All accounts by index, at the day's end."""
        return tuple(self._names.accounts)

    def at(self, place: int, accounts: Sequence[str] = ()) -> Moment:
        """Return how the market stood behind the command that an event of the day came of.

        Parameters
        ----------
        place
            The event's number within the day, from 1 on; 0 is before the first. One that is
            beyond an end is that end.
        accounts
            Whose holdings are shown beside those of the event's own.
        """
        place = min(max(place, 0), self.count)
        first, last = self._go(self._first + place - 1)
        rows = np.frombuffer(self._rows.read(first, last - first + 1), EVENT_DTYPE)
        machine, core = self._machine, self._machine.core
        names = Names(machine.product_names, machine.account_names)
        seen = events_seen(rows, [self._time_ns(first)] * len(rows), names) if place else []
        current = self._first + place - 1 - first if place else -1
        concerned = [
            name for event in seen for name in (event.account, event.counterparty) if name
        ]
        known = [name for name in accounts if name in names.accounts]
        shown = list(dict.fromkeys([*known, *concerned]))
        return Moment(
            at=place,
            steps=self.count,
            time_ns=self._time_ns(first) if place else machine.time_ns,
            trading_date=self.trading_date,
            phase=core.phase.name.lower(),
            is_halted=core.market_halted,
            settlement_seq=core.settlement_seq,
            state_hash=core.state_hash(),
            events=tuple(seen),
            current=current,
            books=books_seen(core, names),
            holdings=holdings_seen(core, names, shown),
        )

    def events_around(self, place: int, before: int, behind: int) -> list[SeenEvent]:
        """Return the events around one of the day, oldest first."""
        first = max(self._first, self._first + place - 1 - before)
        last = min(self._last, self._first + place - 1 + behind)
        if last < first:
            return []
        rows = np.frombuffer(self._rows.read(first, last - first + 1), EVENT_DTYPE)
        times = [self._time_ns(seq) for seq in range(first, last + 1)]
        return events_seen(rows, times, self._names)

    def place_of(self, seq: int) -> int:
        """Return an event's number within the day; the nearest one where it is of another day."""
        return min(max(seq - self._first + 1, 1), self.count)

    def next_of(
        self, place: int, step: int, *, kinds: Sequence[EventKind] = (), account: str = ""
    ) -> int:
        """Return the next event behind a place, or before it, of some kinds and of an account.

        Parameters
        ----------
        place
            Where to begin; the event there is not looked at.
        step
            1 looks behind it, -1 before it.

        Returns
        -------
        int
            Its number; the place itself where there is none.
        """
        index = self.accounts.index(account) if account in self.accounts else None
        if account and index is None:
            return place
        seq = self._first + place - 1
        while True:
            if step > 0:
                first, last = seq + 1, min(seq + FOUND_MAX, self._last)
            else:
                first, last = max(seq - FOUND_MAX, self._first), min(seq - 1, self._last)
            if last < first:
                return place
            rows = np.frombuffer(self._rows.read(first, last - first + 1), EVENT_DTYPE)
            fits: np.ndarray = np.ones(len(rows), bool)
            if kinds:
                fits &= np.isin(rows["kind"], list(kinds))
            if index is not None:
                mine = (rows["account_index"] == index) | (rows["counter_account_index"] == index)
                fits &= mine & (rows["kind"] != EventKind.DAY_CLOSED)
                fits &= rows["kind"] != EventKind.CHECKPOINT
            found = np.flatnonzero(fits)
            if len(found):
                return first + int(found[0 if step > 0 else -1]) - self._first + 1
            seq = last if step > 0 else first

    # -- Playing ----------------------------------------------------------------------------------

    def _play(self, record: VenueRecord, between: int) -> None:
        """Play the day once: keep its frames, states on the way, and see that all is as it was."""
        machine, reader = record.machine_before(self._first)
        frames = frames_under_rules(reader, reader.frames(), machine.profile.profile_hash())
        try:
            for frame in frames:
                seq = machine.core.event_seq
                if seq >= self._last:
                    break
                if seq < self._first - 1:
                    frame_apply(machine, frame, lend=True)
                    continue
                if not self._kept or seq - self._kept[-1].event_seq >= between:
                    self._kept.append(
                        _Checkpoint(
                            len(self._frames), seq, machine.profile, machine.snapshot()
                        )
                    )
                events = frame_apply(machine, frame, lend=True)
                self._compare(seq + 1, events, frame)
                self._frames.append(frame)
                self._ends.append(machine.core.event_seq)
        except StateDiverged as error:
            raise JournalError("journal", len(self._frames), str(error)) from error
        if machine.core.event_seq < self._last:
            raise JournalError("journal", 0, f"it ends before event {self._last}")
        self._names = Names(list(machine.product_names), list(machine.account_names))

    def _compare(self, first: int, events: np.ndarray, frame: Frame) -> None:
        stored = self._rows.read(first, len(events))
        if bytes(stored) != events.tobytes():
            raise JournalError(
                "journal", frame.first_seq, f"it gives other events than the store has from {first}"
            )

    def _go(self, seq: int) -> tuple[int, int]:
        """Bring the machine behind the command of an event; return that command's events.

        What lies ahead is played; for what lies behind, or far ahead, the checkpoint before it is
        taken up.
        """
        first, last = self._command
        if first <= seq <= last:
            return first, last
        kept = self._kept[max(0, bisect_left(self._kept_ends, seq) - 1)]
        if seq <= self._machine.core.event_seq or kept.frames > self._frame:
            self._machine = VenueStateMachine.restore(kept.profile, kept.machine)
            self._frame, self._done = kept.frames, 0
        if seq < self._first:
            self._command = self._first, self._first - 1
            return self._command
        number = bisect_left(self._ends, seq)
        while self._frame < number:
            self._next(self._left())
        before = self._machine.core.event_seq
        while self._machine.core.event_seq < seq:
            before = self._machine.core.event_seq
            self._next(1)
        self._command = before + 1, self._machine.core.event_seq
        return self._command

    def _left(self) -> int:
        """Return how many commands of the frame are still to be played."""
        return self._frames[self._frame].count - self._done

    def _next(self, count: int) -> None:
        """Play the next commands of the frame."""
        frame = self._frames[self._frame]
        if frame.kind == FrameKind.RECORDS:
            records = np.frombuffer(frame.payload, COMMAND_DTYPE)
            self._machine.apply_records(
                records[self._done : self._done + count], frame.time_ns, lend=True
            )
        else:
            frame_apply(self._machine, frame, lend=True)
        self.played += count
        self._done += count
        if self._done == frame.count:
            self._frame, self._done = self._frame + 1, 0

    def _time_ns(self, seq: int) -> int:
        """Return the time of the command that an event came of."""
        return self._frames[bisect_left(self._ends, seq)].time_ns
