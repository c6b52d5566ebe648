"""The columns of the plans' forms: of an allocation each unit's steps, and each entity's sum.

Tables 1-1 to 1-5 are of what is given ahead, 2-1 to 2-5 of the rest; their layout was seen in a
draft. A form is computed again from the figures that the allocation keeps.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.compliance.allocation import Benchmark
from cea_exchange.domain.compliance.plans import (
    Allocation,
    GeneratingUnit,
    Plan,
    Plant,
    UnitAllocated,
    allocate,
    plan,
    pre_allocate,
)
from cea_exchange.domain.compliance.plans.ahead import PreAllocated
from cea_exchange.domain.compliance.plans.power import benchmarks_of
from cea_exchange.domain.compliance.ruled import marks_text
from cea_exchange.platform.allocation.allocations import AllocationRow
from cea_exchange.platform.allocation.computation import Computation, Line, Terms

Unit = GeneratingUnit | Plant
_UNITS = msgspec.json.Decoder(list[dict[str, Any]])
BALANCE_DECIMALS = 4


class Form(NamedTuple):
    """The rows of a form: of units, and of entities."""

    units: list[dict[str, Any]]
    entities: list[dict[str, Any]]


class Forms:
    """Makes the forms of allocations."""

    def __init__(self, computation: Computation) -> None:
        self._computation = computation

    def of(self, row: AllocationRow, lines: Sequence[Line], before: dict[str, int]) -> Form:
        """Return the form of an allocation.

        Parameters
        ----------
        before
            Enterprise -> tonnes of its year as the allocation before had them.

        Notes
        -----
        Rules: CEA-PLN-27.
        """
        rules = plan(row.compliance_year)
        units = [unit for line in lines for unit in _units(line)]
        if row.stage == "pre":
            ahead = pre_allocate(rules, units, share_bp=row.share_bp)
            shown = [_ahead(unit, given) for unit, given in zip(units, ahead, strict=True)]
            return Form(shown, [_line(line, before) for line in lines])
        terms = self._computation.terms(row.compliance_year)
        balance: Any = terms.balance
        found = allocate(rules, units, balance=balance, cap_factor=terms.cap_factor)
        shown = [
            _unit(rules, terms, unit, given) for unit, given in zip(units, found.units, strict=True)
        ]
        return Form(shown, [{**_line(line, before), **_steps(found, line)} for line in lines])


def _units(line: Line) -> list[Unit]:
    units: list[Unit] = []
    for each in _UNITS.decode(line.units):
        if "sector" in each:
            units.append(msgspec.convert(each, Plant))
        else:
            units.append(msgspec.convert(each, GeneratingUnit))
    return units


def _ahead(unit: Unit, given: PreAllocated) -> dict[str, Any]:
    return {
        "enterprise": unit.entity,
        "unit": unit.name,
        "emissions_before": unit.emissions,
        "tonnes": given.tonnes,
        "rule": given.rule,
        "mark": marks_text(given.marks),
    }


def _unit(rules: Plan, terms: Terms, unit: Unit, given: UnitAllocated) -> dict[str, Any]:
    """Return a unit's row: its figures, by what it is given, and the steps to its tonnes."""
    figures = (
        _of_power(rules, unit, given)
        if isinstance(unit, GeneratingUnit)
        else _of_plant(terms, unit)
    )
    return {
        "enterprise": unit.entity,
        "unit": unit.name,
        "treatment": given.treatment,
        "rule": given.rule,
        **figures,
        "emissions": unit.emissions,
        "initial": given.initial,
        "top_up": given.top_up,
        "tonnes": given.final,
        "mark": marks_text(given.marks),
    }


def _of_power(rules: Plan, unit: GeneratingUnit, given: UnitAllocated) -> dict[str, Any]:
    benchmark: Benchmark | None = None
    if given.unit_class is not None:
        benchmark = benchmarks_of(rules).of(given.unit_class)
    return {
        "class": given.unit_class or "",
        "electricity_mwh": _thousandths(unit.electricity_kwh),
        "electricity_benchmark": "" if benchmark is None else benchmark.electricity,
        "load_percent": "" if unit.load_bp is None else _hundredths(unit.load_bp),
        "load_factor": f"{_decimal(given.load_factor, 6)}",
        "heat_gj": _thousandths(unit.heat_mj),
        "heat_benchmark": "" if benchmark is None else benchmark.heat,
        "heat_share_percent": _hundredths(unit.heat_share_bp),
        "biomass_percent": _hundredths(unit.biomass_bp),
        "own_secondary_percent": _hundredths(unit.own_secondary_bp),
        "by_electricity": given.electricity,
        "by_heat": given.heat,
    }


def _of_plant(terms: Terms, plant: Plant) -> dict[str, Any]:
    balance = terms.balance.get(plant.sector)
    return {
        "intensity": "" if plant.intensity is None else f"{round(plant.intensity, 4):f}",
        "balance": "" if balance is None else f"{_decimal(balance, BALANCE_DECIMALS)}",
        "carbide_slag_percent": _hundredths(plant.carbide_slag_bp),
    }


def _line(line: Line, before: dict[str, int]) -> dict[str, Any]:
    given = before.get(line.enterprise, 0)
    return {
        "enterprise": line.enterprise,
        "emissions": line.emissions,
        "tonnes": line.tonnes,
        "given_before": given,
        "difference": line.tonnes - given,
        "mark": line.mark,
    }


def _steps(found: Allocation, line: Line) -> dict[str, Any]:
    """Return the steps from an entity's units to its tonnes, and whether they lead there still."""
    mine = [each for each in found.entities if each.entity == line.enterprise]
    shortfalls = [each.shortfall_bp for each in mine]
    return {
        "initial": sum(each.initial for each in mine),
        "gap_percent": _hundredths(shortfalls[0]) if shortfalls else "",
        "top_up": sum(each.top_up for each in mine),
        "cut": sum(each.cut for each in mine),
        "duty": line.duty,
        "agrees": sum(each.final for each in mine) == line.tonnes,
    }


def _hundredths(bp: int) -> str:
    return f"{Decimal(bp).scaleb(-2):.2f}"


def _thousandths(number: int) -> str:
    return f"{Decimal(number).scaleb(-3):.3f}"


def _decimal(value: Any, decimals: int) -> Decimal:
    """Return an exact fraction, half up."""
    scale = 10**decimals
    return Decimal((value * scale * 2 + 1) // 2).scaleb(-decimals)
