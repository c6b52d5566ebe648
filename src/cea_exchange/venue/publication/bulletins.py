"""Makes a venue's bulletins from its event store after each close, and keeps them as files.

    close -> turn -> thread: event store -> DIR/bulletins/2025-07-16.txt, .csv, .json -> published

The JSON comes last: where it is there, the day's bulletin is whole. What is missing at a start is
made then, so it does not matter when the venue was ended.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
import structlog
from msgspec import Struct
from msgspec.structs import replace

from cea_exchange.domain.calendar import date_number, date_of_number, date_parse
from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder, ByMethod, Quote
from cea_exchange.domain.documents.bulletin_forms import (
    bulletin_json,
    bulletin_parse,
    bulletin_text,
    bulletins_csv,
)
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EventKind
from cea_exchange.journal import (
    FrameKind,
    OsStorage,
    SegmentReader,
    Storage,
    event_rows_read,
)
from cea_exchange.journal.storage import DRAFT_SUFFIX
from cea_exchange.protocol import control
from cea_exchange.user_files.formats import JSON_BYTES_MAX
from cea_exchange.user_files.opening import bytes_read
from cea_exchange.venue.durability.event_days import Rows, closed_days, day_rows
from cea_exchange.venue.durability.profile_shelf import profile_find

BULLETIN_BYTES_MAX = JSON_BYTES_MAX
FOLDER = "bulletins"
SUFFIXES = (".txt", ".csv", ".json")
OPENING_NAME = "opening.json"
"""The opening figures of the first bulletin: without a copy of them nobody could make it again."""
RETRY_S = 60.0
"""How long after a failure (a full disk) the next attempt is made."""

DeclaredProducts = Sequence[tuple[str, int]]
"""Products in order of their index, with the reference prices (fen) they were declared with."""

log = structlog.get_logger("venue")


def bulletins_of(
    rows: Rows,
    products: DeclaredProducts,
    profile: Profile,
    *,
    after: Bulletin | None = None,
    since: int = 0,
) -> Iterator[Bulletin]:
    """Yield the bulletins of the closed days of an event store, oldest first.

    Parameters
    ----------
    rows : Rows
        The store.
    products, profile
        The market's.
    after : Bulletin, optional
        Opening figures: the bulletin before the store's first day.
    since : int
        Days up to this one (yyyymmdd) are summed up and not yielded.

    Raises
    ------
    ValueError
        If the opening figures are of a day that the store has itself.
    """
    builder = BulletinBuilder(profile, after=after)
    for product, reference_price in products:
        builder.declare(product, reference_price)
    for day in closed_days(rows):
        if after is not None and day.trading_date <= after.trading_date:
            raise ValueError(
                f"opening figures: expected those of a day before {day.trading_date}, "
                f"with which the events begin, got {after.trading_date}"
            )
        wanted = day.trading_date > since
        # Of a day that is only summed up its close is enough: nothing but that is carried.
        first = day.first if wanted else max(day.first, day.last - len(products))
        made = [b for part in day_rows(rows, first, day.last) for b in builder.take_records(part)]
        made += builder.finish()
        if wanted:
            yield from made


def bulletins_of_folder(
    data: Path,
    *,
    profile: Profile | None = None,
    opening: Path | None = None,
    archive: Path | None = None,
    since: int = 0,
) -> Iterator[Bulletin]:
    """Yield the bulletins of a venue's folder, whether the venue runs or not. Changes nothing.

    Parameters
    ----------
    data : Path
        The folder.
    profile : Profile, optional
        If it is none of the package's.
    opening, archive : Path, optional
        See `bulletins_of`; the journal's archive, if it is not in the folder.
    since : int
        See `bulletins_of`.

    Raises
    ------
    OSError
        There is no journal, or it can't be read.
    JournalError
        It is damaged, or of another profile.
    ValueError
        The opening figures are none, or of a day that the venue has itself.
    """
    directory = data / "journal"
    if not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no journal", str(directory))
    # The last frame of a running venue may be half written: it is left out, as a restart would.
    storage = OsStorage()
    reader = SegmentReader(
        directory,
        storage=storage,
        cut_torn_tail=True,
        archive=archive or data / "archive",
    )
    products = _declared(reader)
    if not reader.headers:
        return
    header = reader.headers[-1]
    rules = profile_find(data, header.identity.profile_hash, storage, given=profile)
    rows = event_rows_read(data / "events", log_id=header.log_id)
    after = opening_of(data / FOLDER, rows, opening)
    yield from bulletins_of(rows, products, rules, after=after, since=since)


def _declared(reader: SegmentReader) -> list[tuple[str, int]]:
    """Return the products that a journal declares."""
    products: list[tuple[str, int]] = []
    for frame in reader.frames():
        if frame.kind != FrameKind.CONTROL:
            continue
        message = control.control_decode(frame.payload)
        if isinstance(message, control.FeedItem):
            message = message.command
        if isinstance(message, control.ProductDeclared):
            products.append((message.product, message.reference_price))
        elif isinstance(message, control.Adopt):
            products += [(each.product, each.reference_price) for each in message.state.products]
    return products


def opening_of(folder: Path, rows: Rows, opening: Path | None) -> Bulletin | None:
    """Return the bulletin that an event store's first day goes on from; None if there is none.

    That is the newest before that day in a venue's folder (another life's, see
    protocol/adoption.md), else the opening figures that the folder keeps, or that were given.
    Products that were delisted then have the sums of their own last bulletin: they may be listed
    again.
    """
    first_day = next(closed_days(rows), None)
    if rows.base and first_day and (before := opening_before(folder, first_day.trading_date)):
        return before
    kept = folder / OPENING_NAME
    opening = kept if kept.exists() else opening
    return None if opening is None else bulletin_read(opening)


def opening_before(folder: Path, trading_date: int) -> Bulletin | None:
    """Return what a life that begins on a day goes on from, if an earlier life left bulletins."""
    earlier = [date for date in written_dates(folder) if date < trading_date]
    read = [bulletin_read(folder / f"{date_of_number(d)}.json") for d in reversed(earlier)]
    return replace(read[0], products=_quotes_last(read)) if read else None


def _quotes_last(bulletins: Sequence[Bulletin]) -> tuple[Quote, ...]:
    """Return each product's last quote, of bulletins from the newest on; sums of its year."""
    year = bulletins[0].trading_date // 10_000
    quotes: dict[str, Quote] = {}
    for bulletin in bulletins:
        for quote in bulletin.products:
            is_of_year = bulletin.trading_date // 10_000 == year
            kept = quote if is_of_year else replace(quote, year=ByMethod())
            quotes.setdefault(quote.code, kept)
    return tuple(quotes.values())


def bulletin_read(path: Path) -> Bulletin:
    """Read a bulletin's JSON file; ValueError says what it is instead."""
    return bulletin_parse(bytes_read(path, "a bulletin", BULLETIN_BYTES_MAX), str(path))


def written_dates(folder: Path) -> list[int]:
    """Return the days (yyyymmdd) of which a folder has bulletins, ascending."""
    dates = []
    for path in folder.glob("????-??-??.json"):
        try:
            dates.append(date_number(date_parse(path.stem)))
        except ValueError:
            continue
    return sorted(dates)


def bulletin_write(folder: Path, bulletin: Bulletin) -> Path:
    """Write a bulletin's three files, whole or not at all; return the JSON's path."""
    folder.mkdir(exist_ok=True)
    for name, data in bulletin_files(bulletin).items():
        _file_write(folder / name, data)
    OsStorage().sync_directory(folder)
    return folder / f"{date_of_number(bulletin.trading_date)}.json"


def bulletin_files(bulletin: Bulletin) -> dict[str, bytes]:
    """Return the bytes of a bulletin's three files by their names, the JSON last."""
    day = date_of_number(bulletin.trading_date)
    forms = (
        bulletin_text(bulletin).encode(),
        bulletins_csv([bulletin]).encode(),
        bulletin_json(bulletin),
    )
    return {f"{day}{suffix}": data for suffix, data in zip(SUFFIXES, forms, strict=True)}


def _file_write(path: Path, data: bytes) -> None:
    draft = path.with_name(path.name + DRAFT_SUFFIX)
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _is_whole(folder: Path, trading_date: int) -> bool:
    """Return whether all three files of a day's bulletin are there."""
    day = date_of_number(trading_date)
    return all((folder / f"{day}{suffix}").exists() for suffix in SUFFIXES)


class BulletinService:
    """Writes a venue's bulletins beside its trading, in a thread of its own.

    Parameters
    ----------
    data : Path
        The data folder.
    log_id : str
        The journal's: that of the event store.
    profile : Profile
        The market's.
    products : callable
        Returns the products declared so far; called by the venue's own thread.
    opening : Path or None
        Opening figures, see `bulletins_of`.
    publish : callable
        Called in `turn` with the newest bulletin once it is on disk.
    storage : Storage
        Where the event store is; bulletins are files for people.
    helper : callable
        Makes the thread.
    """

    def __init__(
        self,
        data: Path,
        *,
        log_id: str,
        profile: Profile,
        products: Callable[[], DeclaredProducts],
        opening: Path | None,
        publish: Callable[[Bulletin], None],
        storage: Storage,
        helper: Callable[[str], Executor],
    ) -> None:
        self._data = data
        self._log_id = log_id
        self._profile = profile
        self._products = products
        self._opening = opening
        self._publish = publish
        self._storage = storage
        # One thread for all days: what the allocator keeps for it, it keeps once.
        self._helper = helper("bulletins")
        self._run: _Run | None = None
        self._done: Future | None = None
        self._due_date: int | None = 0
        self._not_before_s = 0.0

    def acts(self, events: np.ndarray) -> None:
        """Let the next turn write the bulletin of a day that these events close."""
        closed = events[events["kind"] == EventKind.DAY_CLOSED]
        if len(closed):
            self._due_date, self._not_before_s = int(closed["trading_date"][-1]), 0.0

    def turn(self, now_s: float) -> None:
        """Begin what is due, and publish what is done."""
        if self._run is None or self._done is None:
            if self._due_date is not None and now_s >= self._not_before_s:
                self._run = _Run(tuple(self._products()), self._due_date)
                self._done = self._helper.submit(self._write, self._run)
                self._due_date = None
            return
        if not self._done.done():
            return
        run, failure = self._run, self._done.exception()
        self._run = self._done = None
        if run.newest is not None:
            self._publish(run.newest)
        if failure is not None:
            # Whatever it is: trading does not depend on it, and it is logged.
            failed = f"{type(failure).__name__}: {failure}"
            log.error("bulletin", error=failed, again_in_s=RETRY_S)
            self._not_before_s = now_s + RETRY_S
            self._due_date = self._due_date or run.due_date

    def close(self) -> None:
        """End the thread after the file it is at."""
        if self._run is not None:
            self._run.is_stopped = True
        self._helper.shutdown(wait=True)

    def _write(self, run: "_Run") -> None:
        folder = self._data / FOLDER
        rows = event_rows_read(
            self._data / "events", log_id=self._log_id, storage=self._storage
        )
        closed = [day.trading_date for day in closed_days(rows)]
        newest = max(written_dates(folder), default=0)
        lacking = {date for date in closed if not _is_whole(folder, date)}
        if lacking:
            after = opening_of(folder, rows, self._opening)
            self._opening_keep(folder)
            since = min(lacking) - 1
            made = bulletins_of(rows, run.products, self._profile, after=after, since=since)
            for bulletin in made:
                if bulletin.trading_date not in lacking:
                    continue
                path = bulletin_write(folder, bulletin)
                if bulletin.trading_date >= newest:
                    run.newest, newest = bulletin, bulletin.trading_date
                log.info("bulletin", trading_date=bulletin.trading_date, file=str(path))
                if run.is_stopped:
                    return
        if newest < run.due_date:
            # The rows wait for room on the disk.
            raise ValueError(f"the event store has no close of {run.due_date} yet")

    def _opening_keep(self, folder: Path) -> None:
        """Copy the opening figures beside the bulletins that begin with them."""
        if self._opening is None or (folder / OPENING_NAME).exists():
            return
        data = bytes_read(self._opening, "a bulletin", BULLETIN_BYTES_MAX)
        folder.mkdir(exist_ok=True)
        _file_write(folder / OPENING_NAME, data)


class _Run(Struct):
    """One run of the service's thread."""

    products: DeclaredProducts
    due_date: int
    newest: Bulletin | None = None
    is_stopped: bool = False
