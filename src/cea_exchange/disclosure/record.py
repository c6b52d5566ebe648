"""What a venue's journal says of its days: bulletins, events up to each close, public acts."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EventKind
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol import control
from cea_exchange.supervision.sources import VenueTape
from cea_exchange.supervision.tape import Tape
from cea_exchange.venue.control_log import controls_read
from cea_exchange.venue.market.measures import Measure
from cea_exchange.venue.publication.bulletins import bulletins_of_folder

PublicAct = (
    control.AnnouncementMade
    | control.Halt
    | control.Resume
    | control.ProductList
    | control.ProductDelist
    | control.ListingConfirmed
    | control.ProfileChanged
    | control.BiddingReviewed
)


class Announced(NamedTuple):
    """A public act and the trading day that it is announced with: the next to close after it.

    Attributes
    ----------
    day
        yyyymmdd; 0: no day has closed since.
    at
        ISO 8601.
    """

    day: int
    at: str
    act: PublicAct


class Held(NamedTuple):
    """A measure, with the days that its taking and its end are announced with; 0: none yet."""

    measure: Measure
    taken_with: int
    lifted_with: int


class VenueRecord(NamedTuple):
    """All that a venue's disclosures are made of.

    Attributes
    ----------
    bulletins
        Of each closed day.
    close_rows
        Of each closed day, the row of the tape behind its close.
    classes
        Of each account, by index, who holds it.
    opening
        Account and product index, and the tonnes that were there before the first event.
    """

    tape: Tape
    bulletins: dict[int, Bulletin]
    close_rows: dict[int, int]
    classes: tuple[str, ...]
    opening: tuple[tuple[int, int, int], ...]
    announced: tuple[Announced, ...]
    measures: tuple[Held, ...]


def record_read(
    data: Path, *, profile: Profile | None = None, archive: Path | None = None
) -> VenueRecord:
    """Read a venue's folder, running or not. Changes nothing.

    Raises
    ------
    JournalError
        The journal is damaged.
    OSError
        There is none.
    """
    made = bulletins_of_folder(data, profile=profile, archive=archive)
    bulletins = {bulletin.trading_date: bulletin for bulletin in made}
    follower = VenueTape(data, profile=profile, archive=archive)
    follower.take()
    tape = follower.tape()
    close_rows = _close_rows(tape)
    announced, measures, opening = _acts(data, archive)
    return VenueRecord(
        tape=tape,
        bulletins={day: made for day, made in bulletins.items() if day in close_rows},
        close_rows=close_rows,
        classes=tuple(follower.holders.get(name, "organisation") for name in tape.accounts),
        opening=opening,
        announced=announced,
        measures=measures,
    )


def _close_rows(tape: Tape) -> dict[int, int]:
    kinds = tape.events["kind"]
    rows = np.flatnonzero((kinds == EventKind.DAY_CLOSED) | (kinds == EventKind.COMPOSITE_CLOSED))
    return {int(tape.events["trading_date"][row]): int(row) + 1 for row in rows}


def _acts(
    data: Path, archive: Path | None
) -> tuple[tuple[Announced, ...], tuple[Held, ...], tuple[tuple[int, int, int], ...]]:
    """Read the acts that the public is announced of, each with the day whose close comes next."""
    announced: list[Announced] = []
    held: list[Held] = []
    opening: tuple[tuple[int, int, int], ...] = ()
    date = 0
    for frame, message in controls_read(data, archive):
        match message:
            case control.DayOpen(date=opened):
                date = opened
            case control.DayClose():
                announced = [each if each.day else each._replace(day=date) for each in announced]
                held = [_published_with(each, date) for each in held]
            case control.MeasureTaken() as taken:
                held.append(Held(Measure(taken), 0, 0))
            case control.MeasureLifted() as lifted:
                before = held[lifted.measure - 1]
                held[lifted.measure - 1] = before._replace(
                    measure=Measure(before.measure.taken, lifted)
                )
            case control.MeasuresKept(measures=kept):
                held = [Held(Measure(each.taken, each.lifted), 0, 0) for each in kept]
            case control.Adopt(state=state):
                date = state.trading_date
                opening = tuple(
                    (index, product, tonnes)
                    for index, account in enumerate(state.accounts)
                    for product, tonnes in account.holdings
                )
            case act if isinstance(act, PublicAct):
                at = time_from_ns(frame.time_ns).isoformat(timespec="seconds")
                announced.append(Announced(0, at, act))
    return tuple(announced), tuple(held), opening


def _published_with(each: Held, day: int) -> Held:
    taken = each.taken_with or day
    lifted = each.lifted_with or (day if each.measure.lifted else 0)
    return each._replace(taken_with=taken, lifted_with=lifted)
