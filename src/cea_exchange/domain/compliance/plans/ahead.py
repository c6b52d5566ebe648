"""What units are given ahead, before their year is verified."""

from collections.abc import Iterable
from fractions import Fraction

from msgspec import Struct

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.plans.plan import EarlyPower, Plan
from cea_exchange.domain.compliance.plans.power import class_of
from cea_exchange.domain.compliance.plans.units import GeneratingUnit, Unit
from cea_exchange.domain.compliance.ruled import ComplianceError, Mark
from cea_exchange.domain.refusals import RegistryRefusal


class PreAllocated(Struct, frozen=True, kw_only=True):
    """Tonnes given ahead to a unit, and by what rule; none, where a plan gives none."""

    entity: str
    province: str
    name: str
    sector: Sector
    tonnes: int
    rule: str
    marks: tuple[Mark, ...] = ()


def pre_allocate(
    plan: Plan, units: Iterable[Unit], *, share_bp: int | None = None
) -> tuple[PreAllocated, ...]:
    """Return what each unit is given ahead for a plan's year, rounded down.

    Parameters
    ----------
    plan : Plan
        Of the year they are for.
    units : iterable of GeneratingUnit or Plant
        With the year that counts: the one before; 2018 for 2019 and 2020, 2021 for 2021 and 2022.
    share_bp : int, optional
        A province's lower share, where the year allows one.

    Raises
    ------
    ComplianceError
        If the share is not what the year allows.

    Notes
    -----
    Rules: CEA-PLN-14, CEA-ALC-08, CEA-ALC-14.
    """
    return tuple(_ahead(plan, unit, share_bp) for unit in units)


def _ahead(plan: Plan, unit: Unit, share_bp: int | None) -> PreAllocated:
    special = plan.special_of(unit)
    if special is not None and special.treatment == "outside":
        return _given(unit, 0, special.rule, special.mark)
    if not plan.covers(unit.sector):
        return _given(unit, 0, "CEA-PLN-14", None)
    if plan.early_power is not None:
        rules = plan.early_power
        if share_bp not in (None, rules.ahead_bp):
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"share of {plan.year}: expected {rules.ahead_bp} bp, got {share_bp} (CEA-PLN-14)",
            )
        return _given(unit, _early(plan, rules, unit), "CEA-PLN-14", rules.mark)
    mark = plan.mark if unit.sector == "power" or plan.industry is None else plan.industry.mark
    if plan.power.ahead(unit.sector, plan.year) is None:
        return _given(unit, 0, "CEA-ALC-14", mark)
    tonnes = plan.power.pre_allocation(
        {unit.name: unit.emissions}, plan.year, share_bp, sector=unit.sector
    )[unit.name]
    return _given(unit, tonnes, "CEA-ALC-08" if unit.sector == "power" else "CEA-ALC-14", mark)


def _early(plan: Plan, rules: EarlyPower, unit: Unit) -> int:
    if rules.ahead_from == "emissions" or not isinstance(unit, GeneratingUnit):
        return unit.emissions * rules.ahead_bp // 10_000
    if not unit.electricity_kwh and not unit.heat_mj:
        return 0
    benchmark = rules.benchmarks[plan.year].of(class_of(unit, plan))
    made = unit.electricity_kwh * Fraction(benchmark.electricity)
    made += unit.heat_mj * Fraction(benchmark.heat)
    return made * rules.ahead_bp / 10_000 // 1000


def _given(unit: Unit, tonnes: int, rule: str, mark: Mark | None) -> PreAllocated:
    return PreAllocated(
        entity=unit.entity,
        province=unit.province,
        name=unit.name,
        sector=unit.sector,
        tonnes=tonnes,
        rule=rule,
        marks=() if mark is None else (mark,),
    )
