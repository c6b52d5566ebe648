"""Fuel against heat against power, hours against the month, months against their year."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from decimal import Decimal

import numpy as np

from cea_exchange.domain.compliance.plausibility.filings import (
    Column,
    Filings,
    decimals_of,
    is_filed,
    present,
    rows_where,
    written,
)
from cea_exchange.domain.compliance.plausibility.findings import Finding
from cea_exchange.domain.compliance.plausibility.limits import limits

_HUNDRED_PERCENT = 10_000
_GJ_A_MWH = 360
"""A thousandth of a MWh in units of 10^-5 GJ."""


def products(filings: Filings, code: str, times: str) -> Column:
    """Return the sum of one code's columns, each times another code's, of 10^-5."""
    total = np.zeros(len(filings.unit), np.int64)
    for name in filings.names(code):
        by, of = filings.column(f"{times}{name.removeprefix(code)}"), filings.column(name)
        there = present(of, by)
        total += np.where(there, of, 0) * np.where(there, by, 0)
    return total


def efficiency(filings: Filings) -> Iterator[Finding]:
    """Find power units that make more of their fuel than such units can.

    Notes
    -----
    Rules: CEA-VER-02.
    """
    thresholds = limits().thresholds
    heat = products(filings, "A", "C")
    power, supplied = filings.column("M"), filings.column("N")
    # A unit that supplies any heat in the year is one of heat and power (VG26 table 2).
    supplies = np.zeros(len(filings.units), bool)
    supplies[filings.unit[present(supplied) & (supplied > 0)]] = True
    combined = supplies[filings.unit]
    there = present(power) & (heat > 0) & filings.of_sector("power")
    made = np.where(there, power, 0) * _GJ_A_MWH
    # N has two decimals of a GJ.
    made = made + np.where(combined & present(supplied), supplied, 0) * 1000
    share = np.where(there, made * _HUNDRED_PERCENT // np.where(there, heat, 1), 0)
    most = np.where(
        combined, thresholds.heat_and_power_efficiency_bp, thresholds.condensing_efficiency_bp
    )
    for row in rows_where(there & (share >= most)):
        yield filings.finding(
            row,
            "efficiency",
            "CEA-VER-02",
            "M",
            f"{Decimal(int(share[row])).scaleb(-2)}% of the fuel's heat",
            f"below {Decimal(int(most[row])).scaleb(-2)}%",
        )


def heat_above_boilers(filings: Filings) -> Iterator[Finding]:
    """Find heat supplied that is as much as the boilers gave, or more.

    Notes
    -----
    Rules: CEA-VER-02.
    """
    supplied, given = filings.column("N"), filings.column("J")
    for row in rows_where(present(supplied, given) & (supplied >= given)):
        yield filings.finding(
            row,
            "heat_above_boilers",
            "CEA-VER-02",
            "N",
            filings.text("N", row),
            f"below {filings.text('J', row)} of the boilers",
        )


def boilers_against_fuel(filings: Filings) -> Iterator[Finding]:
    """Find fuel whose heat is less than the boilers' heat calls for.

    Notes
    -----
    Rules: CEA-VER-04.
    """
    within = limits().thresholds.boiler_balance_within_bp
    heat = products(filings, "A", "C") // 1000
    given, efficient = filings.column("J"), filings.column("I")
    there = present(given, efficient) & (heat > 0)
    safe = np.where(there & (efficient > 0), efficient, 1)
    called_for = np.where(there, given, 0) * _HUNDRED_PERCENT // safe
    short = (called_for - heat) * _HUNDRED_PERCENT > called_for * within
    for row in rows_where(there & short):
        yield filings.finding(
            row,
            "boilers_against_fuel",
            "CEA-VER-04",
            "J",
            f"fuel of {Decimal(int(heat[row])).scaleb(-2)} GJ",
            f"{Decimal(int(called_for[row])).scaleb(-2)} GJ by the boilers' heat",
        )


def load_above_rating(filings: Filings) -> Iterator[Finding]:
    """Find generation beyond what the rated power can make in the hours reported.

    The rating is the one that was approved, whatever is filed; where none is known, the filed one.

    Notes
    -----
    Rules: CEA-VER-02, CEA-PWR-22.
    """
    power, hours = filings.column("M"), filings.column("O")
    rated = np.where(_approved(filings) > 0, _approved(filings), filings.column("capacity"))
    there = present(power, hours, rated)
    # Thousandths of a MWh against thousandths of a MW times hundredths of an hour.
    able = np.where(there, rated, 0) * np.where(there, hours, 0)
    for row in rows_where(there & (np.where(there, power, 0) * 100 > able)):
        yield filings.finding(
            row,
            "load_above_rating",
            "CEA-VER-02",
            "M",
            filings.text("M", row),
            f"at most {Decimal(int(able[row])).scaleb(-5)} MWh of"
            f" {written(int(rated[row]), 'capacity')} in {filings.text('O', row)}",
        )


def capacity_above_approval(filings: Filings) -> Iterator[Finding]:
    """Find a rated power that is filed higher than the generators' approved one.

    Notes
    -----
    Rules: CEA-PWR-22, CEA-VER-14.
    """
    filed, approved = filings.column("capacity"), _approved(filings)
    for row in rows_where(present(filed) & (approved > 0) & (filed > approved)):
        yield filings.finding(
            row,
            "capacity_above_approval",
            "CEA-PWR-22",
            "capacity",
            filings.text("capacity", row),
            f"at most {written(int(approved[row]), 'capacity')}, as approved",
        )


def _approved(filings: Filings) -> Column:
    """Return each row's approved rating in kW, which are thousandths of a MW; 0: not known."""
    return np.array([facts.rated_kw for facts in filings.units], np.int64)[filings.unit]


def clinker_above_approval(filings: Filings) -> Iterator[Finding]:
    """Find clinker lines that made more than they were approved for, every day of the month.

    Notes
    -----
    Rules: CEA-CEM-08.
    """
    made = np.zeros(len(filings.unit), np.int64)
    for name in filings.names("clinker"):
        column = filings.column(name)
        made += np.where(present(column), column, 0)
    a_day = np.array([facts.approved_t_a_day for facts in filings.units], np.int64)[filings.unit]
    days = np.array([monthrange(*divmod(int(month), 100))[1] for month in filings.month], np.int64)
    able = a_day * days
    # Clinker has two decimals of a tonne.
    for row in rows_where((a_day > 0) & (made > able * 100)):
        yield filings.finding(
            row,
            "clinker_above_approval",
            "CEA-CEM-08",
            next(name for name in filings.names("clinker") if filings.column(name)[row] > 0),
            f"{Decimal(int(made[row])).scaleb(-2)} t",
            f"at most {int(able[row])} t, {int(a_day[row])} t a day",
        )


def hours_above_month(filings: Filings) -> Iterator[Finding]:
    """Find more hours of operation than the month has.

    Notes
    -----
    Rules: CEA-VER-03.
    """
    lengths = {month: monthrange(month // 100, month % 100)[1] * 24 for month in _months(filings)}
    most = np.array([lengths[int(month)] for month in filings.month], np.int64) * 100
    hours = filings.column("O")
    for row in rows_where(present(hours) & (hours > most)):
        yield filings.finding(
            row,
            "hours_above_month",
            "CEA-VER-03",
            "O",
            filings.text("O", row),
            f"at most {most[row] // 100} h",
        )


def months_against_year(
    filings: Filings, years: Mapping[tuple[str, int, str], Decimal]
) -> Iterator[Finding]:
    """Find yearly figures that are not the sum of their months.

    Parameters
    ----------
    years : mapping of (unit, year, parameter) to Decimal
        What the yearly reports say of quantities; of those that are only computed nothing is said.

    Notes
    -----
    Rules: CEA-VER-03, CEA-MRV-16.
    """
    order = {facts.name: index for index, facts in enumerate(filings.units)}
    for (unit, year, name), value in sorted(years.items()):
        if not is_filed(name):
            continue
        column = filings.column(name)
        rows = (filings.unit == order[unit]) & (filings.month // 100 == year) & present(column)
        total = int(column[rows].sum())
        if Decimal(total).scaleb(-decimals_of(name)) != value:
            yield Finding(
                unit=unit,
                month=year * 100 + 12,
                detector="months_against_year",
                figure=name,
                found=f"{value} in the year",
                expected=f"{written(total, name)}, the sum of its months",
                rule="CEA-VER-03",
            )


def _months(filings: Filings) -> list[int]:
    return [int(month) for month in np.unique(filings.month)]
