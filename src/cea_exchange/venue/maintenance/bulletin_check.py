"""Compares a venue's bulletins with those that replay of its journal gives.

A bulletin is made of events alone, so each is made again and compared byte by byte.
"""

from pathlib import Path

import numpy as np

from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.documents.bulletin import Bulletin, BulletinBuilder
from cea_exchange.domain.records import EventKind
from cea_exchange.journal import JournalError
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.publication.bulletins import (
    FOLDER,
    OPENING_NAME,
    SUFFIXES,
    bulletin_files,
    bulletin_read,
    opening_before,
)

_KINDS = (
    *(EventKind.DAY_OPENED, EventKind.DAY_CLOSED, EventKind.COMPOSITE_CLOSED, EventKind.TRADE),
    *(EventKind.REFERENCE_PRICE_CHANGED, EventKind.PRODUCT_LISTED, EventKind.PRODUCT_DELISTED),
)
_IS_OF_BULLETIN = np.isin(np.arange(256), _KINDS)
"""By an event's kind: a table, as most frames of a journal have nothing for a bulletin."""


class BulletinCheck:
    """Makes every closed day's bulletin anew and compares its files.

    Parameters
    ----------
    data : Path
        The data folder.
    opening : Path, optional
        Opening figures, where the folder keeps none: see `bulletins_of`.

    Attributes
    ----------
    count : int
        Days whose three files are as replay gives them.
    missing : list of str
        Files of closed days that are not there, as paths in the data folder. The venue's next
        start writes them.

    Notes
    -----
    Rules: CEA-INF-01.
    """

    def __init__(self, data: Path, opening: Path | None = None) -> None:
        self._folder = data / FOLDER
        kept = self._folder / OPENING_NAME
        self._opening = kept if kept.exists() else opening
        self._builder: BulletinBuilder | None = None
        self._dates: set[int] = set()
        self._is_later_life = False
        self.count = 0
        self.missing: list[str] = []

    def begin(self, event_base: int) -> None:
        """Say behind which event the replay begins; above 0 an earlier life left bulletins."""
        self._is_later_life = event_base > 0

    def take(self, machine: VenueStateMachine, events: np.ndarray, seq: int) -> None:
        """Take in the next events of the replay; `seq` is that of their frame.

        Raises
        ------
        JournalError
            A bulletin is not the one that they give.
        """
        events = events[_IS_OF_BULLETIN[events["kind"]]]
        if not len(events):
            return
        if self._builder is None:
            is_opening = events["kind"] == EventKind.DAY_OPENED
            if not is_opening.any():
                return
            trading_date = int(events[is_opening]["trading_date"][0])
            try:
                self._builder = self._begin(machine, trading_date)
            except ValueError as error:
                raise JournalError(FOLDER, seq, str(error)) from error
        self._builder.profile = machine.profile
        for product, price in machine.products_declared()[len(self._builder.product_names) :]:
            self._builder.declare(product, price)
        made = self._builder.take_records(events)
        if EventKind.DAY_CLOSED in events["kind"]:
            # Without a listed product no composite ends the day.
            made += self._builder.finish()
        for bulletin in made:
            self._compare(bulletin, seq)

    def finish(self, next_seq: int) -> None:
        """Raise if there is a bulletin of a day that the journal has not closed."""
        first = min(self._dates, default=0)
        for path in sorted(self._folder.glob("????-??-??.*")):
            date = _date_of(path)
            if path.suffix not in SUFFIXES or date in self._dates:
                continue
            if self._is_later_life and date < first:
                continue  # Of the life before, whose events are not here.
            what = "the journal closes no such day, so no bulletin of it was published"
            raise JournalError(f"{FOLDER}/{path.name}", next_seq, what)

    def _begin(self, machine: VenueStateMachine, trading_date: int) -> BulletinBuilder:
        after = opening_before(self._folder, trading_date) if self._is_later_life else None
        if after is None and self._opening is not None:
            after = bulletin_read(self._opening)
        return BulletinBuilder(machine.profile, after=after)

    def _compare(self, bulletin: Bulletin, seq: int) -> None:
        self._dates.add(bulletin.trading_date)
        missing = []
        for name, expected in bulletin_files(bulletin).items():
            path = self._folder / name
            if not path.exists():
                missing.append(f"{FOLDER}/{name}")
            elif path.read_bytes() != expected:
                what = "the bulletin is not the one that the events give"
                raise JournalError(f"{FOLDER}/{name}", seq, what)
        self.missing += missing
        self.count += not missing


def _date_of(path: Path) -> int:
    try:
        return date_number(date_parse(path.stem))
    except ValueError:
        return 0
