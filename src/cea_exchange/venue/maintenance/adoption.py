"""Begins a new log for a venue whose journal has lost acknowledged work.

The registry's statement says what every account holds and how far settlement is; there are no
orders. Numbers go on beyond all that may have been given. Nothing is deleted: the old journal and
its event store are put into a folder of their own.

    registry adopt -> statement -> venue adopt -> DIR/journal: Adopt, Checkpoint
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import msgspec
import numpy as np

from cea_exchange import __version__
from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.naming import is_one_line
from cea_exchange.domain.profile import Profile, load_profile
from cea_exchange.domain.records import EVENT_DTYPE, SCHEMA_VERSION, EventKind
from cea_exchange.journal import (
    EventDamaged,
    FrameKind,
    Identity,
    Journal,
    JournalError,
    OsStorage,
    SegmentReader,
    event_rows_each,
    snapshot_paths,
    snapshot_read,
)
from cea_exchange.journal.segment import FRAME_PAYLOAD_BYTES_MAX
from cea_exchange.protocol import control
from cea_exchange.protocol.adoption import (
    NUMBER_NAMES,
    AdoptionError,
    AdoptionStatement,
    NumbersGiven,
)
from cea_exchange.protocol.clock import Clock
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import ADOPTING_FOLDER
from cea_exchange.venue.durability.snapshots import body_decode
from cea_exchange.venue.market.measures import Measure
from cea_exchange.venue.market.state_machine import VenueStateMachine

NUMBERS_SKIPPED = 1_000_000
"""How far numbers jump: those given last may be in nobody's papers any more."""

LIFE_FOLDERS = ("journal", "events", "snapshots", "archive")
KEPT_FOLDER = "kept"


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """What an adoption came to.

    Attributes
    ----------
    log_id, old_log_id
        Of the life that begins, and of the one that ended.
    kept
        Where the old journal and event store lie now, in the data folder.
    settlement_seq, trading_date, accounts, products
        What the venue goes on from.
    trades_void
        Ids of trades that were reported to participants and that the registry never settled.
    suspended
        Accounts that stay suspended.
    measures, cases
        How many measures, and case files, of the old life go on.
    holdings_hash
        What both sides hold, 16 hexadecimal digits.
    """

    log_id: str
    old_log_id: str
    kept: str
    settlement_seq: int
    trading_date: int
    products: int
    accounts: int
    trades_void: list[int]
    suspended: list[str]
    measures: int
    cases: int
    holdings_hash: str


def adopt(
    data: Path,
    config: VenueConfig,
    statement: AdoptionStatement,
    *,
    first: Operator,
    second: Operator,
    why: str,
    at_point: Callable[[str], None] = lambda name: None,
) -> Adopted:
    """Put a journal that begins from a registry's statement into the place of the old one.

    Parameters
    ----------
    data
        The data folder; the caller holds its lock.
    config
        The venue's settings: the profile, and the clock.
    statement
        What the registry holds.
    first, second, why
        The two persons at the venue, and their reason.
    at_point
        Called where a crash is of interest: ``drafted``, ``kept``. Tests end there.

    Raises
    ------
    AdoptionError
        The folder is another venue's, or the statement can't be one of this profile's market.

    Notes
    -----
    Rules: CEA-OPR-02. Done again after a crash it ends as if there had been none.
    """
    if not is_one_line(why):
        raise AdoptionError(f"why: expected one line of text, got {why!a}")
    kept = _kept_name(data, statement.old_log_id)
    archive = config.archive_folder(data)
    old = _OldLife(data, kept, archive, statement)
    profile = load_profile(config.profile)
    act = control.Adopt(
        by=first.name,
        second=second.name,
        why=why,
        old_log_id=statement.old_log_id,
        kept=kept,
        registry_by=statement.by,
        registry_second=statement.second,
        state=old.state(profile),
        at_ns=max(Clock(config.clock).now_ns(), old.time_ns),
    )
    payloads = _first_payloads(act, profile, statement, old.supervision)
    identity = Identity(__version__, SCHEMA_VERSION, profile.profile_hash())
    _put_aside(data, [ADOPTING_FOLDER], kept)
    with Journal.open(
        data / ADOPTING_FOLDER / "journal", log_id=statement.log_id, identity=identity
    ) as journal:
        for payload in payloads:
            journal.append(FrameKind.CONTROL, 1, act.at_ns, payload)
        journal.sync()
    at_point("drafted")
    _put_aside(data, LIFE_FOLDERS, kept)
    if archive.exists():
        # It lies elsewhere, perhaps on another disk, and stays there under another name.
        archive.rename(_free(archive.with_name(f"{archive.name}-{statement.old_log_id}")))
    at_point("kept")
    (data / ADOPTING_FOLDER / "journal").rename(data / "journal")
    (data / ADOPTING_FOLDER).rmdir()
    OsStorage().sync_directory(data)
    return Adopted(
        log_id=statement.log_id,
        old_log_id=statement.old_log_id,
        kept=kept,
        settlement_seq=act.state.settlement_seq,
        trading_date=act.state.trading_date,
        products=len(act.state.products),
        accounts=len(act.state.accounts),
        trades_void=old.trades_void,
        suspended=[
            account.account
            for account in act.state.accounts
            if account.suspended or account.suspended_by_registry
        ],
        measures=len(old.supervision.measures),
        cases=len(old.supervision.cases),
        holdings_hash=f"{statement.holdings_hash:016x}",
    )


class _Supervision(msgspec.Struct):
    """What the exchange had on record, as far as one of the old life's papers goes.

    Attributes
    ----------
    next_seq
        Up to where that paper goes: the one that goes furthest counts.
    """

    measures: list[Measure] = []
    cases: dict[str, list[control.CaseEntered]] = {}
    next_seq: int = 0

    def take(self, message: control.Control | None) -> None:
        """Go on by what was journaled."""
        match message:
            case control.MeasureTaken():
                self.measures.append(Measure(message))
            case control.MeasureLifted(measure=number):
                self.measures[number - 1] = Measure(self.measures[number - 1].taken, message)
            case control.MeasuresKept(measures=kept):
                self.measures = [Measure(each.taken, each.lifted) for each in kept]
            case control.CaseEntered(case=name):
                self.cases.setdefault(name, []).append(message)

    def messages(self, act: control.Adopt) -> Iterator[control.Control]:
        """Yield what the new journal goes on with: measures as one, each entry as it was."""
        if self.measures:
            yield control.MeasuresKept(
                at_ns=act.at_ns,
                by=act.by,
                second=act.second,
                why=act.why,
                measures=tuple(control.Measured(each.taken, each.lifted) for each in self.measures),
            )
        for file in self.cases.values():
            yield from file


def _first_payloads(
    act: control.Adopt,
    profile: Profile,
    statement: AdoptionStatement,
    supervision: _Supervision,
) -> list[bytes]:
    """Return what is journaled first, if a venue can begin so.

    Adoption, keys, measures and cases of the life before, checkpoint.

    The checkpoint is the first record the registry gets: both sides compare before any trade.
    """
    machine = VenueStateMachine(profile)
    grants = (msgspec.structs.replace(key, at_ns=act.at_ns) for key in statement.keys)
    kept = supervision.messages(act)
    payloads = [control.control_encode(message) for message in (act, *grants, *kept)]
    if (largest := max(map(len, payloads))) > FRAME_PAYLOAD_BYTES_MAX:
        expected = f"a state of at most {FRAME_PAYLOAD_BYTES_MAX} bytes"
        raise AdoptionError(f"statement: expected {expected}, got {largest}")
    try:
        # Encoding checks no limits, so what will be read is tried, not what was meant.
        for payload in payloads:
            machine.apply_control(control.control_decode(payload))
    except ValueError as error:
        raise AdoptionError(f"statement: {error}") from None
    found = machine.core.holdings_hash()
    if found != statement.holdings_hash:
        expected = f"holdings of hash {statement.holdings_hash:016x}"
        raise AdoptionError(f"statement: expected {expected}, got {found:016x}")
    return [*payloads, control.control_encode(machine.checkpoint_now(act.at_ns))]


class _OldLife:
    """What is left of the venue's own papers: they only add to what the registry knows."""

    def __init__(
        self, data: Path, kept: str, archive: Path, statement: AdoptionStatement
    ) -> None:
        self._statement = statement
        self.time_ns = 0
        self.trades_void: list[int] = []
        self._suspended: set[str] = set()
        self._date = 0
        self._listed: dict[str, tuple[bool, int]] = {}
        self._numbers = NumbersGiven()
        self.supervision = _Supervision()
        if not archive.exists():
            archive = _found(data, kept, "archive")
        self._journal_read(_found(data, kept, "journal"), archive)
        self._snapshots_read(_found(data, kept, "snapshots"))
        self._events_read(_found(data, kept, "events"))

    def state(self, profile: Profile) -> control.AdoptedState:
        """Return the registry's state with numbers beyond all that may have been given.

        What is delisted the operators' last acts say and the notices of later days, of other
        products the profile's notices alone.
        """
        state, numbers = self._statement.state, self._numbers
        beyond = {
            name: max(getattr(state, name), getattr(numbers, name)) + NUMBERS_SKIPPED
            for name in NUMBER_NAMES
        }
        accounts = tuple(
            msgspec.structs.replace(
                account,
                report_seq=max(account.report_seq, numbers.report_seqs.get(index, 0))
                + NUMBERS_SKIPPED,
                suspended=account.account in self._suspended,
            )
            for index, account in enumerate(state.accounts)
        )
        number = beyond["trading_date"] = max(state.trading_date, numbers.trading_date)
        day = date_of_number(number) if number else None
        products = tuple(
            msgspec.structs.replace(
                product,
                delisted=not self._is_listed(product.product, profile, day),
            )
            for product in state.products
        )
        return msgspec.structs.replace(state, accounts=accounts, products=products, **beyond)

    def _is_listed(self, product: str, profile: Profile, day: date | None) -> bool:
        """Tell whether a product was traded on the last day.

        Rules: CEA-PRD-03.
        """
        if product not in self._listed:
            return profile.is_listed(product, day)
        is_listed, acted_on = self._listed[product]
        since = date_of_number(acted_on) if acted_on else None
        for notice in profile.notices_between(since, day) if day else ():
            is_listed = product in notice.listings or (
                is_listed and product not in notice.delistings
            )
        return is_listed

    def _journal_read(self, directory: Path, archive: Path) -> None:
        """Look for the suspended, as far as the journal can be read."""
        try:
            reader = SegmentReader(
                directory, storage=OsStorage(), cut_torn_tail=True, archive=archive
            )
            for frame in reader.frames():
                message = None
                if frame.kind == FrameKind.CONTROL:
                    message = control.control_decode(frame.payload)
                if frame.first_seq == 1:
                    self._log_id_check(reader.headers[0].log_id, message)
                self.time_ns = frame.time_ns
                self._note(message)
                self.supervision.take(message)
                self.supervision.next_seq = frame.first_seq + frame.count
        except (JournalError, control.ControlError):
            return  # a damaged journal may be why there is an adoption

    def _log_id_check(self, found: str, first: control.Control | None) -> None:
        expected = self._statement.old_log_id
        if found == self._statement.log_id:
            raise AdoptionError("journal: this statement was adopted already")
        # A statement may take the place of another that the registry never saw begun.
        replaced = isinstance(first, control.Adopt) and first.old_log_id == expected
        if found != expected and not replaced:
            raise AdoptionError(f"journal: log_id: expected {expected}, got {found}")

    def _note(self, message: control.Control | None) -> None:
        """Remember what operators suspended and delisted, and with which numbers a life began."""
        match message:
            case control.Suspend(account=name) | control.Kill(account=str() as name):
                self._suspended.add(name)
            case control.Restore(account=name):
                self._suspended.discard(name)
            case control.ProductDelist(product=name) | control.ProductList(product=name):
                self._listed[name] = isinstance(message, control.ProductList), self._date
            case control.DayOpen(date=number):
                self._date = number
            case control.Adopt(state=state):
                self._date = state.trading_date
                for each in state.products:
                    self._listed[each.product] = not each.delisted, self._date
                self._suspended |= {each.account for each in state.accounts if each.suspended}
                self._numbers.take_state(state)

    def _snapshots_read(self, directory: Path) -> None:
        """Take measures and cases from the newest sound snapshot that goes beyond the journal.

        Notes
        -----
        Rules: CEA-MSR-06.
        """
        for path in snapshot_paths(directory, storage=OsStorage()):
            try:
                snapshot = snapshot_read(path, storage=OsStorage())
                if snapshot.header.log_id != self._statement.old_log_id:
                    continue
                if snapshot.header.point.next_seq <= self.supervision.next_seq:
                    return
                machine = body_decode(snapshot.body).machine
                found = msgspec.msgpack.decode(machine, type=_Supervision)
            except (JournalError, ValueError, *control.DECODE_ERRORS):
                continue
            found.next_seq = snapshot.header.point.next_seq
            self.supervision = found
            return

    def _events_read(self, directory: Path) -> None:
        last = self._statement.state.settlement_seq
        try:
            for rows in event_rows_each(directory, log_id=self._statement.old_log_id):
                events = np.frombuffer(rows, EVENT_DTYPE)
                self._numbers.take(events)
                lost = events[(events["kind"] == EventKind.TRADE)]
                lost = lost[lost["settlement_seq"] > last]
                self.trades_void += lost["trade_id"].tolist()
        except EventDamaged as error:
            raise AdoptionError(f"events: {error}") from error
        except JournalError:
            return  # lost, or another life's: what the registry knows must do


def _found(data: Path, kept: str, name: str) -> Path:
    """Return where a folder of the old life is; an adoption before a crash may have moved it."""
    return data / name if (data / name).exists() else data / kept / name


def _kept_name(data: Path, old_log_id: str) -> str:
    """Return a folder that is not there yet, or the one that an adoption before a crash began."""
    number, name = 1, f"{KEPT_FOLDER}/{old_log_id}"
    while (data / name / "journal").exists() and (data / "journal").exists():
        number += 1
        name = f"{KEPT_FOLDER}/{old_log_id}-{number}"
    return name


def _put_aside(data: Path, names: Iterable[str], kept: str) -> None:
    storage, folder = OsStorage(), data / kept
    for name in names:
        if (data / name).exists():
            storage.make_directory(folder)
            (data / name).rename(_free(folder / name))
            storage.sync_directory(folder)
            storage.sync_directory(data)


def _free(path: Path) -> Path:
    """Return a path, or one like it that is not taken."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
