"""Lots: ranges of serial numbers, a number a tonne, that are split, moved and never merged.

A serial number is of a batch: project, generation year and batch say which CCERs, first and last
how many, both inclusive. A holder's pieces of one instrument (a project's generation year) are
taken from the lowest serial of the oldest batch on, unless a range is named::

    1..10000 of A  --4000 to B-->  1..4000 of B, 4001..10000 of A
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal


class Lot(NamedTuple):
    """Serials `first` to `last` of a batch.

    Attributes
    ----------
    batch
        The batch's number in the order of issue: of two the lower one is the older.
    """

    batch: int
    first: int
    last: int

    @property
    def tonnes(self) -> int:
        """One for each serial."""
        return self.last - self.first + 1


def serials_of(batch: int, tonnes: Mapping[int, int]) -> dict[int, Lot]:
    """Return generation year -> its lot of a new batch, numbered from 1 on in order of years.

    Examples
    --------
    >>> serials_of(7, {2024: 30, 2023: 70})
    {2023: Lot(batch=7, first=1, last=70), 2024: Lot(batch=7, first=71, last=100)}

    Notes
    -----
    Rules: CCER-LOT-01.
    """
    lots, first = {}, 1
    for year, amount in sorted(tonnes.items()):
        lots[year] = Lot(batch, first, first + amount - 1)
        first += amount
    return lots


def oldest(held: Iterable[Lot], tonnes: int) -> list[Lot]:
    """Return which serials leave a holder who names none: the lowest of the oldest batch first.

    Parameters
    ----------
    held
        The holder's lots of one instrument that may be taken, in any order.

    Raises
    ------
    ProgrammeError
        There are fewer; none is taken.

    Examples
    --------
    >>> oldest([Lot(2, 501, 1200), Lot(1, 1, 300)], 450)
    [Lot(batch=1, first=1, last=300), Lot(batch=2, first=501, last=650)]

    Notes
    -----
    Rules: CCER-LOT-02, CCER-LOT-03.
    """
    if tonnes <= 0:
        raise ProgrammeError(
            CcerRefusal.CCERS_NOT_HELD, f"tonnes: expected 1 t or more, got {tonnes}"
        )
    taken, left = [], tonnes
    for lot in sorted(held):
        if not left:
            break
        part = Lot(lot.batch, lot.first, min(lot.last, lot.first + left - 1))
        taken.append(part)
        left -= part.tonnes
    if left:
        raise ProgrammeError(
            CcerRefusal.CCERS_NOT_HELD,
            f"tonnes: expected at most the {tonnes - left} t there are, got {tonnes}",
        )
    return taken


def named(held: Iterable[Lot], wanted: Lot) -> list[Lot]:
    """Return the parts of a holder's lots that a named range consists of.

    Raises
    ------
    ProgrammeError
        It is no range, or not all of it is there; none is taken.

    Notes
    -----
    Rules: CCER-LOT-01, CCER-LOT-03.
    """
    if not 0 < wanted.first <= wanted.last:
        raise ProgrammeError(
            CcerRefusal.SERIALS_UNSOUND,
            f"serials: expected first to last from 1 on, got {wanted.first} to {wanted.last}",
        )
    taken, following = [], wanted.first
    for lot in sorted(held):
        if lot.batch == wanted.batch and lot.first <= following <= lot.last:
            part = Lot(lot.batch, following, min(lot.last, wanted.last))
            taken.append(part)
            following = part.last + 1
            if following > wanted.last:
                return taken
    raise ProgrammeError(
        CcerRefusal.SERIALS_NOT_HELD,
        f"serials: expected {wanted.first} to {wanted.last} to be there whole, got none from"
        f" {following} on",
    )


def without(lot: Lot, part: Lot) -> list[Lot]:
    """Return what is left of a lot when a part of it has left: nothing, one lot, or two.

    Examples
    --------
    >>> without(Lot(1, 1, 10), Lot(1, 4, 6))
    [Lot(batch=1, first=1, last=3), Lot(batch=1, first=7, last=10)]

    Notes
    -----
    Rules: CCER-LOT-02.
    """
    below = Lot(lot.batch, lot.first, part.first - 1)
    above = Lot(lot.batch, part.last + 1, lot.last)
    return [each for each in (below, above) if each.tonnes > 0]


def joined(lots: Iterable[Lot]) -> list[Lot]:
    """Return lots, with adjacent ones joined into one range.

    Examples
    --------
    >>> joined([Lot(1, 5, 8), Lot(1, 1, 4), Lot(2, 9, 9)])
    [Lot(batch=1, first=1, last=8), Lot(batch=2, first=9, last=9)]
    """
    ranges: list[Lot] = []
    for lot in sorted(lots):
        if ranges and ranges[-1].batch == lot.batch and ranges[-1].last + 1 == lot.first:
            ranges[-1] = ranges[-1]._replace(last=lot.last)
        else:
            ranges.append(lot)
    return ranges


def overlaps(lots: Sequence[Lot]) -> list[tuple[Lot, Lot]]:
    """Return pairs of neighbours that share a serial; where there is none, no two lots do.

    Notes
    -----
    Rules: CCER-LOT-04.
    """
    in_order = sorted(lots)
    return [
        (before, lot)
        for before, lot in pairwise(in_order)
        if before.batch == lot.batch and lot.first <= before.last
    ]
