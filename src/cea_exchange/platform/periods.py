"""Months and years as filings have them, and the day until which each is due."""

from calendar import monthrange
from datetime import date, timedelta

from cea_exchange.domain.calendar import date_number

MONTH_DAYS = 40
"""Calendar days behind a month within which its figures are due."""
POWER_FROM = 202204
"""The first month that power is asked for."""
INDUSTRIES_FROM = 2025
"""The first year whose months the three industries are asked for."""
BACK_FILED = range(202501, 202507)
BACK_FILED_BY = 2025_10_31
"""Its first six months, of which they had until then."""
INDUSTRIES_JOINED_BY = 2025_06_30
"""Until when they had for the first plan, and the report of the year before."""


def months_of(year: int) -> tuple[int, ...]:
    """Return the months of a year, as yyyymm.

    Examples
    --------
    >>> months_of(2025)[::11]
    (202501, 202512)
    """
    return tuple(range(100 * year + 1, 100 * year + 13))


def month_end(month: int) -> int:
    """Return the last day of a month, as yyyymmdd.

    Examples
    --------
    >>> month_end(202402)
    20240229
    """
    return date_number(_month_end(month))


def month_due(sector: str, month: int) -> int:
    """Return the last day on which a month is filed in time, whether or not work is done on it.

    Examples
    --------
    >>> month_due("power", 202501)
    20250312

    Notes
    -----
    Rules: CEA-MRV-01, CEA-MRV-02.
    """
    if sector != "power" and month in BACK_FILED:
        return BACK_FILED_BY
    return date_number(_month_end(month) + timedelta(days=MONTH_DAYS))


def plan_due(sector: str, year: int) -> int:
    """Return the last day for the quality-control plan of a year: the one before begins it.

    Notes
    -----
    Rules: CEA-MRV-12.
    """
    if sector != "power" and year == INDUSTRIES_FROM:
        return INDUSTRIES_JOINED_BY
    return date_number(date(year - 1, 12, 31))


def report_due(sector: str, year: int) -> int:
    """Return the last day for the report of a compliance year.

    Notes
    -----
    Rules: CEA-MRV-16.
    """
    if sector != "power" and year == INDUSTRIES_FROM - 1:
        return INDUSTRIES_JOINED_BY
    return date_number(date(year + 1, 3, 31))


def months_asked(sector: str, year: int) -> tuple[int, ...]:
    """Return the months of a year that are asked for.

    Examples
    --------
    >>> months_asked("steel", 2024), months_asked("power", 2022)[0]
    ((), 202204)

    Notes
    -----
    Rules: CEA-MRV-02.
    """
    first = POWER_FROM if sector == "power" else 100 * INDUSTRIES_FROM + 1
    return tuple(month for month in months_of(year) if month >= first)


def _month_end(month: int) -> date:
    year, number = divmod(month, 100)
    return date(year, number, monthrange(year, number)[1])
