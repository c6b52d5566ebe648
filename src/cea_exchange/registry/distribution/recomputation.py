"""Allocations computed again from units' figures, and held against what a file says. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

from cea_exchange.domain.compliance.allocation import (
    AllocationRules,
    Industry,
    PowerUnit,
    Sector,
)
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.files.findings import Findings
from cea_exchange.registry.files import Allocation, FileTable, UnitFigures

_INDUSTRIES: dict[str, Industry] = {name: name for name in get_args(Industry)}


def recomputed(
    allocations: FileTable[Allocation],
    units: FileTable[UnitFigures],
    rules: AllocationRules,
    sectors: Mapping[str, Sector],
) -> list[str]:
    """Compute each entity's tonnes from its units; return whose could be, and were the same.

    An entity without units in the file is passed over: of plants whose whole sector decides there
    can be none.

    Raises FileRefused: tonnes differ, each with its line, what was expected and what came; or a
    unit's figures are such that nothing can be computed.

    Rules: CEA-DIS-09.

    Parameters
    ----------
    sectors
        Account -> its sector, of all that are not of power.
    """
    figures: dict[str, list[tuple[int, UnitFigures]]] = defaultdict(list)
    for unit_line, unit in zip(units.lines, units.rows, strict=True):
        figures[unit.account].append((unit_line, unit))
    differing, computed = Findings(allocations.file), []
    unusable = Findings(units.file)
    for line, entry in zip(allocations.lines, allocations.rows, strict=True):
        own = figures.get(entry.account)
        if own is None:
            continue
        computed.append(entry.account)
        try:
            sector = sectors.get(entry.account, "power")
            parts = dict(_parts(entry, [unit for _, unit in own], rules, sector))
        except ComplianceError as error:
            unusable.add(own[0][0], None, f"{entry.account}: {error}")
            continue
        if (expected := sum(parts.values())) != entry.tonnes:
            steps = ", ".join(f"{name} {tonnes}" for name, tonnes in parts.items())
            lines = ", ".join(str(unit_line) for unit_line, _ in own)
            text = f"expected {expected} by {units.file}:{lines} ({steps}), got {entry.tonnes}"
            differing.add(line, "tonnes", text)
    unusable.raise_any()
    differing.raise_any()
    return computed


def _parts(
    entry: Allocation, units: Sequence[UnitFigures], rules: AllocationRules, sector: Sector
) -> Iterator[tuple[str, int]]:
    """Yield what an entity's tonnes are made of, name and tonnes."""
    year = entry.compliance_year
    if entry.stage == "pre":
        for unit in units:
            yield f"unit {unit.unit}", _ahead(unit, year, rules, sector)
        return
    for unit in units:
        if (industry := _INDUSTRIES.get(unit.unit_class)) is not None:
            yield f"{industry} {unit.unit}", rules.industry(industry, unit.emissions, year)
    power = [_power_unit(unit) for unit in units if unit.unit_class not in _INDUSTRIES]
    allocation = rules.entity(power, year)
    for each in allocation.units:
        yield f"unit {each.name}", each.final
    if allocation.top_up:
        yield "cap on the shortfall", allocation.top_up


def _ahead(unit: UnitFigures, year: int, rules: AllocationRules, sector: Sector) -> int:
    """Return what is given ahead for a unit; it has its own sector where its class says one.

    Rules: CEA-ALC-08, CEA-ALC-14.
    """
    if unit.unit_class:
        sector = _INDUSTRIES.get(unit.unit_class, "power")
    if rules.ahead(sector, year) is None:
        return 0
    emissions = {unit.unit: unit.emissions_before}
    return rules.pre_allocation(emissions, year, unit.share_bp, sector=sector)[unit.unit]


def _power_unit(unit: UnitFigures) -> PowerUnit:
    figures = {name: getattr(unit, name) for name in PowerUnit.__struct_fields__ if name != "name"}
    return PowerUnit(name=unit.unit, **figures)
