"""Months and years as filings have them, and the day until which each is due."""

from calendar import monthrange
from datetime import date, timedelta

from cea_exchange.domain.calendar import date_number

MONTH_DAYS = 40
"""Calendar days behind a month within which its figures are due."""


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


def month_due(month: int) -> int:
    """Return the last day on which a month is filed in time, whether or not work is done on it.

    Examples
    --------
    >>> month_due(202501)
    20250312

    Notes
    -----
    Rules: CEA-MRV-02.
    """
    return date_number(_month_end(month) + timedelta(days=MONTH_DAYS))


def plan_due(year: int) -> int:
    """Return the last day for the quality-control plan of a year: the one before begins it.

    Notes
    -----
    Rules: CEA-MRV-07.
    """
    return date_number(date(year - 1, 12, 31))


def report_due(year: int) -> int:
    """Return the last day for the report of a compliance year.

    Notes
    -----
    Rules: CEA-MRV-08.
    """
    return date_number(date(year + 1, 3, 31))


def _month_end(month: int) -> date:
    year, number = divmod(month, 100)
    return date(year, number, monthrange(year, number)[1])
