"""Figures outside what the verification guideline calls likely."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from cea_exchange.domain.compliance.plausibility.filings import (
    Column,
    Filings,
    decimals_of,
    present,
    rows_where,
    unit_of,
)
from cea_exchange.domain.compliance.plausibility.findings import Finding
from cea_exchange.domain.compliance.plausibility.limits import limits

_HUNDRED_PERCENT = 10_000


def out_of_range(filings: Filings) -> Iterator[Finding]:
    """Find gas, gangue and slime of an unlikely heat or carbon.

    Notes
    -----
    Rules: CEA-VER-01, CEA-VER-02.
    """
    for each in limits().range:
        column, decimals = filings.column(each.parameter), decimals_of(each.parameter)
        least, most = (int(Decimal(text).scaleb(decimals)) for text in (each.least, each.most))
        for row in rows_where(present(column) & ((column < least) | (column > most))):
            yield filings.finding(
                row,
                "out_of_range",
                each.rule,
                each.parameter,
                filings.text(each.parameter, row),
                f"{each.least} to {each.most} {unit_of(each.parameter)}",
            )


def coal_of_another_kind(filings: Filings) -> Iterator[Finding]:
    """Find coal whose carbon without water and ash is that of another kind.

    Notes
    -----
    Rules: CEA-VER-01.
    """
    for coal in limits().coal:
        name = f"B.{coal.fuel}"
        carbon = filings.column(name)
        moisture, ash = (filings.column(f"{each}.{coal.fuel}") for each in ("moisture", "ash"))
        there = present(carbon, moisture, ash)
        dry = np.where(there, _HUNDRED_PERCENT - moisture - ash, 1)
        sound = there & (dry > 0)
        # B has four decimals: a part of 10,000 as the shares have.
        share = np.where(sound, carbon * _HUNDRED_PERCENT // np.where(sound, dry, 1), 0)
        unlike = sound & ((share < coal.least_daf_bp) | (share > coal.most_daf_bp))
        for row in rows_where(unlike):
            yield filings.finding(
                row,
                "coal_of_another_kind",
                coal.rule,
                name,
                f"{_percent(share[row])} carbon without water and ash",
                f"{_percent(coal.least_daf_bp)} to {_percent(coal.most_daf_bp)}",
            )


def carbon_against_heat(filings: Filings) -> Iterator[Finding]:
    """Find coal whose carbon does not go with its heat.

    Notes
    -----
    Rules: CEA-VER-01.
    """
    within = limits().thresholds.carbon_per_heat_within_bp
    for coal in limits().coal:
        carbon, heat = filings.column(f"B.{coal.fuel}"), filings.column(f"C.{coal.fuel}")
        usual = int(Decimal(coal.carbon_per_heat).scaleb(5))
        there = present(carbon, heat) & (heat > 0)
        # carbon x 10^-4 / (heat x 10^-3), in units of 10^-5 tC/GJ
        found = np.where(there, carbon * 10_000 // np.where(there, heat, 1), usual)
        off = np.abs(found - usual) * _HUNDRED_PERCENT > usual * within
        for row in rows_where(there & off):
            yield filings.finding(
                row,
                "carbon_against_heat",
                coal.rule,
                f"B.{coal.fuel}",
                f"{Decimal(int(found[row])).scaleb(-5)} tC/GJ",
                f"{coal.carbon_per_heat} tC/GJ, {_percent(within)} more or less",
            )


def moisture_turned_round(filings: Filings) -> Iterator[Finding]:
    """Find coal that was drier as received than after drying in air.

    Notes
    -----
    Rules: CEA-VER-03, CEA-PWR-06.
    """
    for name in filings.names("lab_moisture"):
        as_received = f"moisture{name.removeprefix('lab_moisture')}"
        received, dried = filings.column(as_received), filings.column(name)
        for row in rows_where(present(received, dried) & (received < dried)):
            yield filings.finding(
                row,
                "moisture_turned_round",
                "CEA-VER-03",
                as_received,
                filings.text(as_received, row),
                f"{filings.text(name, row)} or more, as of the sample dried in air",
            )


def _percent(bp: int | Column) -> str:
    return f"{Decimal(int(bp)).scaleb(-2)}%"
