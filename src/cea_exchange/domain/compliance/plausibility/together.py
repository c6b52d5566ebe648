"""Fuel that several witnesses call short together, though each of them alone is within its limit.

What a unit made by its fuel, its invoices, its stocks: each differs a little from month to month,
as it does in honest months. A figure that was cut by less than that shows in none of them. But it
shows in all of them at once, and honest differences have no reason to agree.

    short of a witness   how far the month is below the unit's middle month, in parts of how much
                         such units differ from month to month: of the class, or of the unit itself
                         where that is more
    short together       their sum over the root of how many they are

Differences are measured as the median of what is off, which a few false months do not move.
"""

from collections.abc import Iterator

import numpy as np

from cea_exchange.domain.compliance.plausibility.comparing import medians, rate_column
from cea_exchange.domain.compliance.plausibility.filings import (
    MISSING,
    Column,
    Filings,
    present,
    rows_where,
)
from cea_exchange.domain.compliance.plausibility.findings import Finding
from cea_exchange.domain.compliance.plausibility.limits import Rate, limits

_MILLION, _THOUSAND = 1_000_000, 1_000
_USUAL = 14_826
"""Ten thousandths of the usual difference for each of the median one, where they are as chance has
them: how a median of differences is read as a standard deviation."""
_MIDDLE_LIMIT = np.iinfo(np.int64).max // _MILLION
"""From here on a millionth of a difference is beyond 64 bits; no sound month is near it."""
_SOURCES = ("invoice", "stock", "production_report", "energy_form")


def short_together(filings: Filings) -> Iterator[Finding]:
    """Find months whose fuel is called short by what was made of it and by second sources together.

    Notes
    -----
    Rules: CEA-VER-03, CEA-VER-04.
    """
    thresholds = limits().thresholds
    least = thresholds.short_each_thousandths
    most = thresholds.short_together_thousandths
    for rate in limits().rate:
        total = np.zeros(len(filings.unit), np.int64)
        witnesses = np.zeros_like(total)
        agree = np.ones(len(filings.unit), bool)
        for column in _witnesses(filings, rate):
            short = _short(filings, column)
            there = present(short)
            total += np.where(there, short, 0)
            witnesses += there
            agree &= ~there | (short >= least)
        named = agree & (witnesses >= 2) & (total > 0) & (total * total >= most * most * witnesses)
        for row in rows_where(named):
            figure = next(
                name
                for code in rate.over
                for name in filings.names(code)
                if filings.column(name)[row] != MISSING
            )
            yield filings.finding(
                row,
                "short_together",
                rate.rule,
                figure,
                f"{filings.text(figure, row)}, short by {int(witnesses[row])} witnesses at once:"
                f" {rate.name} and second sources",
                "as much as in the unit's other months, but for what such units usually differ",
            )


def _witnesses(filings: Filings, rate: Rate) -> Iterator[Column]:
    """Yield, of each witness, what was filed for what it says: like the unit's other months."""
    yield rate_column(filings, rate)
    of_sector = filings.of_sector(rate.sector)
    for source in _SOURCES:
        filed = np.zeros(len(filings.unit), np.int64)
        witnessed = np.zeros_like(filed)
        for code in rate.over:
            for name in filings.names(code):
                own, other = filings.column(name), filings.column(f"{source}:{name}")
                both = present(own, other)
                filed += np.where(both, own, 0)
                witnessed += np.where(both, other, 0)
        there = of_sector & (filed > 0) & (witnessed > 0)
        yield np.where(there, filed * _MILLION // np.where(there, witnessed, 1), MISSING)


def _short(filings: Filings, column: Column) -> Column:
    """Return how far a month is below the unit's middle one, in thousandths of the usual."""
    middle = medians(filings, column)
    months = np.bincount(filings.unit[present(column)], minlength=len(filings.units))
    enough = months[filings.unit] >= limits().thresholds.short_months_least
    there = present(column) & (middle > 0) & (middle < _MIDDLE_LIMIT) & enough
    safe = np.where(there, middle, 1)
    # What is off by more than all of it is off by all of it, whatever its digits.
    difference = np.clip(np.where(there, middle - column, 0), -safe, safe)
    below = difference * _MILLION // safe
    off = np.where(there, np.abs(below), MISSING)
    usual = np.maximum(_middle_of(_classes(filings), off), medians(filings, off))
    usual = np.maximum(usual * _USUAL // 10_000, limits().thresholds.short_usual_least_millionths)
    return np.where(there, below * _THOUSAND // usual, MISSING)


def _classes(filings: Filings) -> Column:
    """Return of each row the number of its unit's class."""
    kinds = {kind: index for index, kind in enumerate(sorted({f.peers for f in filings.units}))}
    return np.array([kinds[facts.peers] for facts in filings.units], np.int64)[filings.unit]


def _middle_of(group: Column, column: Column) -> Column:
    """Return of each row the median of its group."""
    middle = np.zeros(len(column), np.int64)
    for each in np.unique(group):
        rows = group == each
        values = np.sort(column[rows & present(column)])
        if len(values):
            middle[rows] = values[len(values) // 2]
    return middle
