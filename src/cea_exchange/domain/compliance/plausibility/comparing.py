"""Month against month, and unit against units of its class."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from cea_exchange.domain.compliance.plausibility.energy import products
from cea_exchange.domain.compliance.plausibility.filings import (
    MISSING,
    Column,
    Filings,
    present,
    rows_where,
)
from cea_exchange.domain.compliance.plausibility.findings import Finding
from cea_exchange.domain.compliance.plausibility.limits import Rate, limits

_HUNDRED_PERCENT = 10_000
_HEAT_RATE_SCALE, _RATE_SCALE = 100, 1_000_000
"""Large enough that a hundredth of a percent shows, small enough for 64 bits."""


def change_to_last_month(filings: Filings) -> Iterator[Finding]:
    """Find heat or carbon of a fuel that is much unlike the month before.

    Notes
    -----
    Rules: CEA-VER-03.
    """
    within = limits().thresholds.change_bp
    follows = filings.following()
    for code in limits().steady:
        for name in filings.names(code):
            column = filings.column(name)
            for row, before in _changed(column, follows, within):
                yield filings.finding(
                    row,
                    "change_to_last_month",
                    "CEA-VER-03",
                    name,
                    filings.text(name, row),
                    f"within {_percent(within)} of {filings.text(name, before)} a month before",
                )


def change_to_last_year(filings: Filings) -> Iterator[Finding]:
    """Find heat or carbon of a fuel that is much unlike the same months of the year before.

    Notes
    -----
    Compared are the plain means of the months that both years have, in the last of them.

    Rules: CEA-VER-03.
    """
    within = limits().thresholds.change_bp
    keys = filings.unit * 1_000_000 + filings.month
    place = np.minimum(np.searchsorted(keys, keys - 100), max(0, len(keys) - 1))
    has_before = keys[place] == keys - 100 if len(keys) else np.zeros(0, bool)
    years = filings.unit * 10_000 + filings.month // 100
    for code in limits().steady:
        for name in filings.names(code):
            column = filings.column(name)
            both = has_before & present(column) & present(column[place])
            rows = np.flatnonzero(both)
            for year in np.unique(years[rows]):
                of_year = rows[years[rows] == year]
                now, then = int(column[of_year].sum()), int(column[place[of_year]].sum())
                if abs(now - then) * _HUNDRED_PERCENT > then * within:
                    yield filings.finding(
                        int(of_year[-1]),
                        "change_to_last_year",
                        "CEA-VER-03",
                        name,
                        f"mean {_ratio(now, then)} of last year's, of {len(of_year)} months",
                        f"within {_percent(within)} of it",
                    )


def rate_to_last_month(filings: Filings) -> Iterator[Finding]:
    """Find units that need much more, or less, for what they make than a month before.

    Notes
    -----
    Rules: CEA-VER-03.
    """
    follows = filings.following()
    for rate in limits().rate:
        column = rate_column(filings, rate)
        for row, before in _changed(column, follows, rate.month_bp):
            yield filings.finding(
                row,
                "rate_to_last_month",
                rate.rule,
                rate.under[0],
                f"{rate.name} {_ratio(column[row], column[before])} of the month before",
                f"within {_percent(rate.month_bp)}",
            )


def rate_among_peers(filings: Filings) -> Iterator[Finding]:
    """Find units that need much less for what they make than the middle one of their class.

    Notes
    -----
    The middle one is the median of the class and month; a class of few has none.

    Rules: CEA-VER-03.
    """
    kinds = {kind: index for index, kind in enumerate(sorted({f.peers for f in filings.units}))}
    kind = np.array([kinds[facts.peers] for facts in filings.units], np.int64)[filings.unit]
    for rate in limits().rate:
        column = rate_column(filings, rate)
        group = np.where(present(column), kind * 1_000_000 + filings.month, -1)
        for each in np.unique(group[group >= 0]):
            rows = np.flatnonzero(group == each)
            if len(rows) < limits().thresholds.peers_least:
                continue
            middle = int(np.sort(column[rows])[len(rows) // 2])
            off = np.abs(column[rows] - middle) * _HUNDRED_PERCENT > middle * rate.peers_bp
            for row in rows[off]:
                yield filings.finding(
                    int(row),
                    "rate_among_peers",
                    rate.rule,
                    rate.under[0],
                    f"{rate.name} {_ratio(column[row], middle)} of the middle of its class",
                    f"within {_percent(rate.peers_bp)}",
                )


def slipped_digits(filings: Filings) -> Iterator[Finding]:
    """Find figures ten times, or a tenth of, what the unit usually files.

    Notes
    -----
    Rules: CEA-VER-03.
    """
    times = limits().thresholds.slip_times
    for code in ("A", "FC", "M", "N", "clinker", "anode", "aluminium", "iron"):
        for name in filings.names(code):
            column = filings.column(name)
            middle = medians(filings, column)
            there = present(column) & (column > 0) & (middle > 0)
            slipped = there & ((column >= middle * times) | (column * times <= middle))
            for row in rows_where(slipped):
                yield filings.finding(
                    row,
                    "slipped_digits",
                    "CEA-VER-03",
                    name,
                    filings.text(name, row),
                    f"less than {times} times from the unit's middle month",
                )


def heat_rises_with_ash(filings: Filings) -> Iterator[Finding]:
    """Find coal with more ash than a month before, and more heat all the same.

    Notes
    -----
    Rules: CEA-VER-03.
    """
    rise = limits().thresholds.ash_rise_bp
    follows = filings.following()
    for name in filings.names("ash"):
        heat_name = f"C{name.removeprefix('ash')}"
        ash, heat = filings.column(name), filings.column(heat_name)
        there = _with_before(present(ash, heat), follows)
        more = np.zeros(len(ash), bool)
        more[1:] = (ash[1:] - ash[:-1] > rise) & (heat[1:] > heat[:-1])
        for row in rows_where(there & more):
            yield filings.finding(
                row,
                "heat_rises_with_ash",
                "CEA-VER-03",
                heat_name,
                filings.text(heat_name, row),
                f"no more than {filings.text(heat_name, row - 1)} with less ash a month before",
            )


def repeated_figures(filings: Filings) -> Iterator[Finding]:
    """Find measured heat or carbon that is the same to the last digit for months.

    Notes
    -----
    Rules: CEA-VER-03.
    """
    months = limits().thresholds.repeated_months
    follows = filings.following()
    for code in limits().steady:
        for name in filings.names(code):
            column = filings.column(name)
            measured = present(column) & ~filings.defaults[name]
            same = np.zeros(len(column), bool)
            same[1:] = (column[1:] == column[:-1]) & _with_before(measured, follows)[1:]
            run = np.zeros(len(column), np.int64)
            for _ in range(months):
                run[1:] = np.where(same[1:], run[:-1] + 1, 0)
            for row in rows_where(run == months - 1):
                yield filings.finding(
                    row,
                    "repeated_figures",
                    "CEA-VER-03",
                    name,
                    f"{filings.text(name, row)} in {months} months running",
                    "measured anew each month",
                )


def _changed(column: Column, follows: Column, within_bp: int) -> Iterator[tuple[int, int]]:
    """Yield (row, the row before) where a value changed by more than a share of the one before."""
    there = _with_before(present(column), follows)
    before = np.zeros(len(column), np.int64)
    before[1:] = column[:-1]
    now, then = np.where(there, column, 0), np.where(there, before, 0)
    for row in rows_where(there & (np.abs(now - then) * _HUNDRED_PERCENT > then * within_bp)):
        yield int(row), int(row) - 1


def _with_before(there: Column, follows: Column) -> Column:
    both = np.zeros(len(there), bool)
    both[1:] = there[1:] & there[:-1] & follows[1:]
    return both


def rate_column(filings: Filings, rate: Rate) -> Column:
    """Return a rate of each row, in units of its own; missing where either side is."""
    over = np.zeros(len(filings.unit), np.int64)
    for code in rate.over:
        if rate.times is not None:
            over += products(filings, code, rate.times)
        else:
            over += _sum(filings, code)
    under = sum((_sum(filings, code) for code in rate.under), np.zeros_like(over))
    there = (over > 0) & (under > 0) & filings.of_sector(rate.sector)
    scale = _RATE_SCALE if rate.times is None else _HEAT_RATE_SCALE
    return np.where(there, over * scale // np.where(there, under, 1), MISSING)


def _sum(filings: Filings, code: str) -> Column:
    total = np.zeros(len(filings.unit), np.int64)
    for name in filings.names(code):
        column = filings.column(name)
        total += np.where(present(column), column, 0)
    return total


def medians(filings: Filings, column: Column) -> Column:
    """Return of each row the upper median of its unit's filed months."""
    middle = np.zeros(len(column), np.int64)
    there = np.flatnonzero(present(column))
    if not len(there):
        return middle
    units = filings.unit[there]
    order = np.lexsort((column[there], units))
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    counts = np.diff(np.append(starts, len(order)))
    medians = column[there][order][starts + counts // 2]
    of_unit = np.zeros(len(filings.units), np.int64)
    of_unit[units[order][starts]] = medians
    return of_unit[filings.unit]


def _ratio(value: int | Column, of: int | Column) -> str:
    return _percent(int(value) * _HUNDRED_PERCENT // int(of))


def _percent(bp: int) -> str:
    return f"{Decimal(bp).scaleb(-2)}%"
