"""Months and years as filings have them, and the day until which each is due."""

from calendar import monthrange
from datetime import date

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.deadlines.calendar import (
    due_day,
    filing_due,
    is_filed_monthly,
)


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


def month_due(sector: Sector, month: int) -> int:
    """Return the last day on which a month is filed in time, whether or not work is done on it.

    Examples
    --------
    >>> month_due("power", 202501)
    20250312

    Notes
    -----
    Rules: CEA-MRV-01, CEA-MRV-02.
    """
    return date_number(filing_due(sector, *divmod(month, 100)))


def plan_due(sector: Sector, year: int) -> int:
    """Return the last day for the quality-control plan of a year.

    Notes
    -----
    Rules: CEA-MRV-12.
    """
    return date_number(due_day("quality_plan", year, sector))


def report_due(sector: Sector, year: int) -> int:
    """Return the last day for the report of a compliance year.

    Notes
    -----
    Rules: CEA-MRV-16.
    """
    return date_number(due_day("report", year, sector))


def months_asked(sector: Sector, year: int) -> tuple[int, ...]:
    """Return the months of a year that are asked for, in time or afterwards.

    Examples
    --------
    >>> months_asked("steel", 2024), months_asked("power", 2022)[0]
    ((), 202204)

    Notes
    -----
    Rules: CEA-MRV-02.
    """
    return tuple(
        month for month in months_of(year) if is_filed_monthly(sector, *divmod(month, 100))
    )


def _month_end(month: int) -> date:
    year, number = divmod(month, 100)
    return date(year, number, monthrange(year, number)[1])
