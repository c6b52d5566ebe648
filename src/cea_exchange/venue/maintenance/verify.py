"""Replays a journal and compares everything that was recorded with what comes out.

`verify` reads a data folder and changes nothing. The daemon uses the same pieces at its start, when
it rebuilds the event store's tail.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import (
    EVENT_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Reason,
)
from cea_exchange.journal import (
    Frame,
    FrameKind,
    JournalError,
    OsStorage,
    SegmentReader,
    Snapshot,
    Storage,
    archive_check,
    event_rows_read,
    snapshot_paths,
    snapshot_read,
)
from cea_exchange.journal.segment import SegmentHeader, segment_header_read
from cea_exchange.venue._event_lists import EventLists
from cea_exchange.venue.durability.profile_shelf import profile_find
from cea_exchange.venue.durability.recovery import frame_apply, frames_under_rules, schema_check
from cea_exchange.venue.durability.snapshots import body_decode
from cea_exchange.venue.maintenance.bulletin_check import BulletinCheck
from cea_exchange.venue.maintenance.index_check import IndexCheck
from cea_exchange.venue.market.state_machine import StateDiverged, VenueStateMachine


class Divergence(JournalError):
    """Replay does not give what was recorded; `seq` is the journal's sequence where it shows."""


class Rows(Protocol):
    """What is needed of an event store here: `EventStore` and `EventRows` both have it."""

    count: int
    vouched_count: int
    base: int

    def read(self, first: int, count: int) -> bytes | memoryview:
        """Return up to `count` rows from row `first`; JournalError if one is damaged."""

    def read_unchecked(self, first: int, count: int) -> bytes | memoryview:
        """Return the same as they are."""


class VerifyResult(NamedTuple):
    """What a journal holds and where its replay ends."""

    log_id: str
    profile: str
    segments: int
    frames: int
    next_seq: int
    commands: int
    controls: int
    checkpoints: int
    events: int
    events_stored: int
    index_blocks: int
    snapshots: int
    bulletins: int
    archived: int
    trading_date: int
    settlement_seq: int
    state_hash: int
    holdings_hash: int
    missing: tuple[str, ...]
    """Derived files that are not there; the venue's next start makes them of the journal."""


class EventStoreCheck:
    """Compares the events of a replay with an event store, row by row.

    Parameters
    ----------
    store : Rows
        What was kept. It may end early, as it follows the journal; it may not differ or know more.
    """

    def __init__(self, store: Rows):
        self._store = store
        self.event_count = store.base

    def take(self, events: np.ndarray, seq: int) -> bytes:
        """Compare the next events of the replay; return the bytes of those the store lacks.

        Parameters
        ----------
        events : ndarray of Event
            In order, from the one after those taken before.
        seq : int
            The first journal sequence of the frame they come from.

        Raises
        ------
        Divergence
            At the first row that differs.
        """
        return events[self.compare(events, seq) :].tobytes()

    def compare(self, events: np.ndarray, seq: int) -> int:
        """The same, but return how many of them the store has."""
        first, store = self.event_count + 1, self._store
        known = max(0, min(len(events), store.count - self.event_count))
        found = store.read_unchecked(first, known)
        # As words: rows compared field by field would take ten times as long.
        words = events[:known].view(np.uint64)
        if not np.array_equal(np.frombuffer(found, np.uint64), words):
            raise self._difference(events, found, seq)
        # A checksum that is damaged would keep a sound row from whoever asks for it.
        store.read(first, max(0, min(known, store.vouched_count - self.event_count)))
        self.event_count += len(events)
        return known

    def finish(self, next_seq: int) -> None:
        """Raise if the store has events that the journal doesn't explain.

        Raises
        ------
        Divergence
            Acknowledged work is missing from the journal; nothing may start on it.
        """
        check_event_store_against(self._store.count, self.event_count, next_seq)

    def _difference(
        self, events: np.ndarray, found: bytes | memoryview, seq: int
    ) -> Divergence:
        stored = np.frombuffer(found, EVENT_DTYPE)
        rows = np.flatnonzero(stored != events[: len(stored)])
        row = int(rows[0]) if len(rows) else 0
        fields = [
            f"{name} {events[row][name]} was stored as {stored[row][name]}"
            for name in EVENT_DTYPE.names
            if events[row][name] != stored[row][name]
        ]
        number = self.event_count + row + 1
        return Divergence(f"event {number}", seq, "the event differs: " + ", ".join(fields))


def check_event_store_against(stored_count: int, event_count: int, next_seq: int) -> None:
    """Raise if the event store knows more events than the journal gives.

    Parameters
    ----------
    stored_count, event_count : int
        Events in the store, and out of a replay of the whole journal.
    next_seq : int
        The sequence after the journal's last.
    """
    if stored_count > event_count:
        raise Divergence(
            f"event {event_count + 1}",
            next_seq,
            f"acknowledged work is missing: the journal ends before it and gives {event_count} "
            f"events, the event store has {stored_count}",
        )


class SettlementCheck:
    """Compares the settlement stream of a replay, piece by piece, with what the registry received.

    Parameters
    ----------
    recorded : callable
        Returns the registry's records behind a sequence: arrays of Event records, in order.

    Notes
    -----
    Neither stream is kept. The registry may be behind; it may not differ or know more. What is
    found is said at the end: a fault of the journal itself comes first.
    """

    def __init__(self, recorded: Callable[[int], Iterator[np.ndarray]]):
        self._recorded = recorded
        self._pieces: Iterator[np.ndarray] | None = None
        self._piece = np.zeros(0, EVENT_DTYPE)
        self._fault: tuple[str, str] | None = None

    def begin(self, base: int) -> None:
        """Say behind which settlement sequence the replay begins."""
        self._pieces = self._recorded(base)

    def take(self, replayed: np.ndarray) -> None:
        """Compare the next records of the replay."""
        while len(replayed) and self._fault is None and self._piece_next():
            count = min(len(replayed), len(self._piece))
            recorded, self._piece = self._piece[:count], self._piece[count:]
            if recorded.tobytes() != replayed[:count].tobytes():
                row = replayed[np.flatnonzero(recorded != replayed[:count])[0]]
                self._fault = (
                    f"event {row['seq']}",
                    f"settlement sequence {row['settlement_seq']} of the registry is not the "
                    "journal's",
                )
            replayed = replayed[count:]

    def finish(self, next_seq: int) -> None:
        """Raise if what the registry received is not a beginning of what the journal gives.

        Parameters
        ----------
        next_seq : int
            The sequence after the journal's last.

        Raises
        ------
        Divergence
            It differs, or acknowledged work is missing from the journal.
        """
        if self._pieces is None:
            self.begin(0)
        if self._fault is None and self._piece_next():
            first, last = self._piece[0]["settlement_seq"], self._piece[-1]["settlement_seq"]
            for piece in self._pieces:
                last = piece[-1]["settlement_seq"]
            self._fault = (
                f"settlement sequence {first}",
                "acknowledged work is missing: the journal ends before it, the registry has "
                f"settled up to {last}",
            )
        if self._fault is not None:
            place, fault = self._fault
            raise Divergence(place, next_seq, fault)

    def _piece_next(self) -> bool:
        """Have records of the registry at hand; False where there are no more."""
        if not len(self._piece):
            self._piece = next(self._pieces, self._piece)
        return len(self._piece) > 0


def verify_data(
    directory: Path | str,
    *,
    profile: Profile | None = None,
    core_class: type | None = None,
    storage: Storage | None = None,
    archive: Path | None = None,
    settlement: SettlementCheck | None = None,
    opening: Path | None = None,
) -> VerifyResult:
    """Replay a data folder's journal and compare all that was recorded beside it.

    That is every checkpoint, stored event, snapshot and bulletin, the event index, and the
    archive's manifest and files.

    Parameters
    ----------
    directory : Path
        The data folder; nothing in it is changed. No venue may be running on it.
    profile : Profile, optional
        The rules it began under, if they are neither kept in the data folder nor the package's.
    core_class : type, optional
        The market core to replay with.
    storage : Storage, optional
        The file system.
    archive : Path, optional
        The archive, if it is not in the data folder. Segments that are no more in the journal's
        folder are read from it.
    settlement : SettlementCheck, optional
        Is given the settlement stream; the caller finishes it.
    opening : Path, optional
        Opening figures of the bulletins, if the folder does not keep them.

    Raises
    ------
    JournalError
        With the first sequence that differs, or whose bytes are not as they were written.
    """
    directory, storage = Path(directory), storage or OsStorage()
    archive = directory / "archive" if archive is None else Path(archive)
    archived = archive_check(directory / "journal", archive, storage=storage)
    reader = SegmentReader(directory / "journal", storage=storage, archive=archive)
    bulletins = BulletinCheck(directory, opening)
    replay = _Replay(reader, directory, profile, core_class, storage, settlement, bulletins)
    for frame in replay.frames():
        replay.take(frame)
    return replay.result()._replace(archived=archived)


class _Replay:
    """One run of `verify_data`: the market, what it is compared with, and the counts."""

    def __init__(
        self,
        reader: SegmentReader,
        directory: Path,
        profile: Profile | None,
        core_class: type | None,
        storage: Storage,
        settlement: SettlementCheck | None,
        bulletins: BulletinCheck,
    ):
        self._reader = reader
        self._directory = directory
        self._profile = profile
        self._core_class = core_class
        self._storage = storage
        self._machine: VenueStateMachine | None = None
        self._check: EventStoreCheck | None = None
        self._index: IndexCheck | None = None
        self._stored = 0
        self._frames = self._commands = self._controls = self._checkpoints = 0
        self._settlement = settlement
        self._supply = _Supply()
        self._snapshots = _SnapshotCheck(directory / "snapshots", storage)
        self._bulletins = bulletins

    def frames(self) -> Iterator[Frame]:
        """Yield the journal's frames, each with a machine that has the rules for it."""
        paths = self._reader.paths
        if not paths:
            raise JournalError(str(self._directory / "journal"), 1, "expected a journal, got none")
        header = segment_header_read(paths[0], self._storage)
        schema_check(header)
        self._begin(header)
        return frames_under_rules(
            self._reader, self._reader.frames(), header.identity.profile_hash
        )

    def take(self, frame: Frame) -> None:
        try:
            # Lent: nothing of them is kept.
            events = frame_apply(self._machine, frame, lend=True)
        except (StateDiverged, TypeError) as error:
            place = f"frame at sequence {frame.first_seq}"
            raise Divergence(place, frame.first_seq, str(error)) from error
        self._base_check(frame.first_seq, len(events))
        self._check.compare(events, frame.first_seq)
        self._index.take(events, frame.first_seq)
        self._snapshots.compare(self._machine, self._index, frame.first_seq + frame.count)
        if self._settlement is not None:
            self._settlement.take(events[events["settlement_seq"] > 0])
        self._supply.take(events)
        self._bulletins.take(self._machine, events, frame.first_seq)
        self._frames += 1
        if frame.kind == FrameKind.CONTROL:
            self._controls += 1
        else:
            self._commands += frame.count
        self._checkpoints += int(np.count_nonzero(events["kind"] == EventKind.CHECKPOINT))

    def result(self) -> VerifyResult:
        tail = self._reader.tail
        core = self._machine.core
        self._check.finish(tail.next_seq)
        self._index.finish(tail.next_seq)
        self._snapshots.finish(tail.next_seq)
        self._bulletins.finish(tail.next_seq)
        try:
            core.check()
        except AssertionError as error:
            raise Divergence("state at the end", tail.next_seq, str(error)) from None
        if self._machine.profile.rules.holdings_checked:
            self._supply.check(core, self._machine, tail.next_seq)
        return VerifyResult(
            log_id=tail.header.log_id,
            profile=self._machine.profile.name,
            segments=len(self._reader.headers),
            frames=self._frames,
            next_seq=tail.next_seq,
            commands=self._commands,
            controls=self._controls,
            checkpoints=self._checkpoints,
            events=self._check.event_count,
            events_stored=self._stored,
            index_blocks=self._index.count,
            snapshots=self._snapshots.count,
            bulletins=self._bulletins.count,
            archived=0,
            trading_date=core.trading_date,
            settlement_seq=core.settlement_seq,
            state_hash=core.state_hash(),
            holdings_hash=core.holdings_hash(),
            missing=(*self._index.missing, *self._bulletins.missing),
        )

    def _base_check(self, seq: int, event_count: int) -> None:
        """After an adoption, which can only be the first frame, events have another beginning."""
        if seq != 1:
            return
        base = self._machine.core.event_seq - event_count
        self._bulletins.begin(base)
        if not self._stored:
            self._check.event_count = base
        elif self._check.event_count != base:
            got = self._check.event_count
            raise Divergence("events.rows", seq, f"expected events behind {base}, got behind {got}")
        self._supply.begin(self._machine)
        if self._settlement is not None:
            self._settlement.begin(self._machine.settlement_base)

    def _begin(self, header: SegmentHeader) -> None:
        profile = profile_find(
            self._directory, header.identity.profile_hash, self._storage, given=self._profile
        )
        self._machine = VenueStateMachine(profile, self._core_class)
        rows = event_rows_read(
            self._directory / "events", log_id=header.log_id, storage=self._storage
        )
        self._stored = rows.count - rows.base
        self._check = EventStoreCheck(rows)
        self._index = IndexCheck(self._directory / "events", header.log_id, self._storage)
        self._snapshots.begin(header.log_id)


class _SnapshotCheck:
    """Holds every snapshot against the state that replay has at its place.

    Attributes
    ----------
    count : int
        Snapshots that are as replay says.
    """

    def __init__(self, directory: Path, storage: Storage):
        self._storage = storage
        self._waiting = snapshot_paths(directory, storage=storage)
        self._log_id = ""
        self.count = 0

    def begin(self, log_id: str) -> None:
        self._log_id = log_id

    def compare(self, machine: VenueStateMachine, index: IndexCheck, next_seq: int) -> None:
        """Compare the snapshot taken before the sequence `next_seq`, if there is one."""
        while self._waiting and _snapshot_seq(self._waiting[-1]) < next_seq:
            path = self._waiting.pop()
            snapshot = self._read(path)
            if snapshot.header.log_id != self._log_id:
                # Of the journal before this one; a start passes it over too.
                continue
            fault = self._fault(snapshot, machine, index, next_seq)
            if fault:
                raise Divergence(path.name, _snapshot_seq(path), fault)
            self.count += 1

    def finish(self, next_seq: int) -> None:
        for path in self._waiting:
            if self._read(path).header.log_id != self._log_id:
                continue
            raise Divergence(
                path.name,
                next_seq,
                "acknowledged work is missing: the journal ends before this snapshot",
            )

    def _read(self, path: Path) -> Snapshot:
        try:
            return snapshot_read(path, storage=self._storage)
        except JournalError as error:
            # A start does without it, and so may the folder.
            what = f"{error.what}; no start needs it: move it out of {path.parent}, verify again"
            raise JournalError(error.place, error.seq, what) from error

    def _fault(
        self, snapshot: Snapshot, machine: VenueStateMachine, index: IndexCheck, next_seq: int
    ) -> str:
        header, core = snapshot.header, machine.core
        rules = machine.profile.profile_hash()
        for what, expected, found in (
            ("the sequence after it", next_seq, header.point.next_seq),
            ("the profile", rules, header.identity.profile_hash),
            ("the event count", core.event_seq, header.event_count),
            ("the state hash", core.state_hash(), header.state_hash),
        ):
            if expected != found:
                return f"{what}: expected {expected}, got the snapshot's {found}"
        try:
            body = body_decode(snapshot.body)
            restored = VenueStateMachine.restore(machine.profile, body.machine, type(core))
            lists = EventLists()
            lists.restore(body.index)
        except ValueError as error:
            return str(error)
        if restored.snapshot() != machine.snapshot():
            return "the state is not the one that replay comes to"
        if lists.state() != index.state():
            return "the event index is not the one that replay comes to"
        return ""


def _snapshot_seq(path: Path) -> int:
    return int(path.name.partition(".")[0])


class _Supply:
    """What was paid in less what left, per asset: what all accounts together must hold.

    Notes
    -----
    Buyers' fees leave with the purchase and sellers' come out of the proceeds, so cash falls by
    both, and rises again where a bust gives them back; a trade changes no total of a product.
    """

    def __init__(self):
        self._cash = 0
        self._tonnes: dict[int, int] = {}

    def begin(self, machine: VenueStateMachine) -> None:
        """Count what an adopted venue began with."""
        for account in map(machine.core.account, range(len(machine.account_names))):
            self._cash += account["cash"]
            for product, holding in account["holdings"].items():
                self._tonnes[product] = self._tonnes.get(product, 0) + holding[0]

    def take(self, events: np.ndarray) -> None:
        is_trade = events["kind"] == EventKind.TRADE
        is_undone = (events["kind"] == EventKind.TRADE_BUSTED) & (events["reason"] == Reason.NONE)
        for fee in ("buy_fee", "sell_fee"):
            self._cash += int(events[fee][is_undone].sum()) - int(events[fee][is_trade].sum())
        for kind, sign in ((EventKind.DEPOSITED, 1), (EventKind.WITHDRAWN, -1)):
            for event in events[events["kind"] == kind]:
                product = int(event["product_index"])
                if product == PRODUCT_NONE:
                    self._cash += sign * int(event["cash"])
                else:
                    moved = sign * int(event["tonnes"])
                    self._tonnes[product] = self._tonnes.get(product, 0) + moved

    def check(self, core: object, machine: VenueStateMachine, seq: int) -> None:
        cash, tonnes = 0, {}
        for index in range(len(machine.account_names)):
            account = core.account(index)
            cash += account["cash"]
            for product, holding in account["holdings"].items():
                tonnes[product] = tonnes.get(product, 0) + holding[0]
        for name, expected, found in (
            ("cash in fen", self._cash, cash),
            *(
                (f"tonnes of {machine.product_names[product]}", paid_in, tonnes.get(product, 0))
                for product, paid_in in self._tonnes.items()
            ),
        ):
            if expected != found:
                raise Divergence(
                    "conservation", seq, f"{name}: {expected} came in and stayed, {found} are held"
                )
