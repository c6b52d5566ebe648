"""An enterprise's year as a file: its months, and what they come to.

What it comes to is computed here by the rules alone, from the same figures, without the platform.
"""

from collections.abc import Iterable
from decimal import Decimal
from hashlib import sha256
from typing import NamedTuple

from cea_exchange.domain.compliance.accounting import (
    PARAMETERS,
    Accounted,
    Figure,
    emissions,
    entity_emissions,
)
from cea_exchange.domain.compliance.accounting.exact import half_up
from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.plausibility.filings import Filed, base_name, unit_of
from cea_exchange.domain.credit_code import check_character
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.files.writing import table_bytes
from cea_exchange.platform.filings.month_files import MEASURED, MONTH_FIGURES, FiledFigure

ACTIVITIES = {
    "power": ("4411", ""),
    "steel": ("3110", "long"),
    "cement": ("3011", "portland"),
    "aluminium": ("3216", "electrolytic"),
}
"""Code in the classification of industries, and process, of each sector."""
SECOND_SOURCES = ("ledger", "stock", "audit")
_PROVINCES = sorted(PROVINCES)


class EnterpriseYear(NamedTuple):
    """An enterprise and its year.

    Attributes
    ----------
    units
        Unit -> the facts that the platform keeps of it, as JSON.
    proof, months
        The document that its figures rest on, and the file of them.
    figures
        Unit -> month -> its figures.
    """

    enterprise: str
    credit_code: str
    province: int
    sector: Sector
    units: dict[str, str]
    proof: bytes
    months: bytes
    figures: dict[str, dict[int, dict[str, Decimal]]]

    @property
    def values(self) -> int:
        """Return how many values its file has."""
        return sum(len(month) for unit in self.figures.values() for month in unit.values())

    def bills(self) -> dict[str, list[Accounted]]:
        """Return what each unit's months come to by the guideline."""
        return {
            unit: [self._bill(month, figures) for month, figures in months.items()]
            for unit, months in self.figures.items()
        }

    def _bill(self, month: int, figures: dict[str, Decimal]) -> Accounted:
        asked = PARAMETERS[self.sector]
        billed = {
            name: Figure(value=value, unit=asked[name].unit)
            for name, value in figures.items()
            if name in asked
        }
        return emissions(self.sector, billed, year=month // 100)

    def emitted(self) -> dict[str, Decimal]:
        """Return what each unit emitted in the year."""
        return {
            unit: entity_emissions(half_up(bill.emissions, 2) for bill in bills).exact
            for unit, bills in self.bills().items()
        }


def credit_code(number: int) -> str:
    """Return a unified social credit code of its own."""
    bare = f"91{number:015}"
    return bare + check_character(bare)


def province_of(number: int) -> int:
    """Return the code of an enterprise's province."""
    return _PROVINCES[number % len(_PROVINCES)]


def enterprise_made(
    name: str, number: int, sector: Sector, filed: Iterable[Filed], per_month: int = 0
) -> EnterpriseYear:
    """Return an enterprise with the months that its units filed.

    Parameters
    ----------
    number
        Among all, from 1: its credit code and province follow from it.
    per_month
        Values of a unit's month at least, filled up with second sources.
    """
    units: dict[str, dict[int, dict[str, Decimal]]] = {}
    for each in filed:
        unit = units.setdefault(each.unit, {})
        unit.setdefault(each.month, {})[each.parameter] = _rounded(each)
    for figures in (month for months in units.values() for month in months.values()):
        _fill_up(figures, per_month)
    proof = f"ledger of {name}\n".encode()
    return EnterpriseYear(
        enterprise=name,
        credit_code=credit_code(number),
        province=province_of(number),
        sector=sector,
        units={unit: _facts(sector, units[unit]) for unit in units},
        proof=proof,
        months=table_bytes(MONTH_FIGURES, _rows(name, units, proof), ".csv"),
        figures=units,
    )


def _rounded(filed: Filed) -> Decimal:
    for parameters in PARAMETERS.values():
        parameter = parameters.get(base_name(filed.parameter))
        if parameter is not None:
            return half_up(filed.value, parameter.decimals)
    return half_up(filed.value, 2)


def _fill_up(figures: dict[str, Decimal], per_month: int) -> None:
    for source in SECOND_SOURCES:
        for name in [name for name in figures if ":" not in name and "." in name]:
            if len(figures) < per_month:
                figures[f"{source}:{name}"] = figures[name]


def _facts(sector: Sector, months: dict[int, dict[str, Decimal]]) -> str:
    if sector != "power":
        return "{}"
    capacity = next(iter(months.values()))["capacity"]
    return f'{{"rated_kw": [{int(capacity * 1000)}]}}'


def _rows(
    enterprise: str, units: dict[str, dict[int, dict[str, Decimal]]], proof: bytes
) -> list[FiledFigure]:
    digest = sha256(proof).hexdigest()
    return [
        FiledFigure(
            enterprise=enterprise,
            unit=unit,
            month=month,
            parameter=parameter,
            value=value,
            measure=unit_of(parameter),
            origin=MEASURED,
            evidence=digest,
        )
        for unit, months in units.items()
        for month, figures in months.items()
        for parameter, value in figures.items()
    ]
