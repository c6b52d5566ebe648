"""What a generating unit is allocated by benchmark, under the plan of any year."""

from fractions import Fraction

from msgspec import Struct

from cea_exchange.domain.compliance.allocation import (
    CONVENTIONAL,
    Benchmark,
    Benchmarks,
    PowerUnit,
    UnitClass,
)
from cea_exchange.domain.compliance.plans.plan import EarlyPower, Plan
from cea_exchange.domain.compliance.plans.units import GeneratingUnit
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.refusals import RegistryRefusal


class ByBenchmark(Struct, frozen=True, kw_only=True):
    """Tonnes by benchmark: of electricity and of heat, each rounded down."""

    unit_class: UnitClass
    load_factor: Fraction
    electricity: int
    heat: int
    top_up: int


def class_of(unit: GeneratingUnit, plan: Plan) -> UnitClass:
    """Return a unit's class; of generators that report as one the least favourable.

    Raises
    ------
    ComplianceError
        If no class is for such fuel, or no rating is known.

    Notes
    -----
    Rules: CEA-PLN-01, CEA-PWR-24.
    """
    if not unit.rated_kw:
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND,
            f"rated_kw of {unit.name} of {unit.entity}: expected each generator's, got none"
            " (CEA-PLN-01)",
        )
    classes = [
        plan.power.unit_class(
            rated_kw=rated_kw,
            conventional_bp=unit.conventional_bp,
            unconventional_bp=unit.unconventional_bp,
            gas_bp=unit.gas_bp,
        )
        for rated_kw in sorted(set(unit.rated_kw))
    ]
    benchmarks = benchmarks_of(plan)
    return min(classes, key=lambda each: Fraction(benchmarks.of(each).electricity))


def benchmarks_of(plan: Plan) -> Benchmarks:
    """Return a year's benchmarks."""
    if plan.early_power is not None:
        return plan.early_power.benchmarks[plan.year]
    return plan.power.of_year(plan.year).benchmarks


def by_benchmark(unit: GeneratingUnit, plan: Plan) -> ByBenchmark:
    """Return what a unit is allocated by its class's benchmarks.

    Raises
    ------
    ComplianceError
        If it has no class, or its class's load counts and it has none.

    Notes
    -----
    Rules: CEA-PLN-06, CEA-PLN-07, CEA-PLN-08, CEA-PLN-09, CEA-PLN-10, CEA-PLN-12,
    CEA-PLN-13, CEA-PLN-31.
    """
    unit_class = class_of(unit, plan)
    if plan.early_power is not None:
        return _early(unit, unit_class, plan.early_power, plan.year)
    found = plan.power.unit(
        PowerUnit(
            name=unit.name,
            unit_class=unit_class,
            electricity_kwh=unit.electricity_kwh,
            heat_mj=unit.heat_mj,
            load_bp=_load_of(unit) if unit_class in CONVENTIONAL else 0,
            emissions=unit.emissions,
        ),
        plan.year,
    )
    return ByBenchmark(
        unit_class=unit_class,
        load_factor=found.load_factor,
        electricity=found.electricity,
        heat=found.heat,
        top_up=found.top_up,
    )


def _load_of(unit: GeneratingUnit) -> int:
    if unit.load_bp is None:
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND,
            f"load of {unit.name} of {unit.entity}: expected the hours of its electricity, got none"
            " (CEA-PWR-22)",
        )
    return unit.load_bp


def _early(
    unit: GeneratingUnit, unit_class: UnitClass, rules: EarlyPower, year: int
) -> ByBenchmark:
    benchmark: Benchmark = rules.benchmarks[year].of(unit_class)
    factor = Fraction(1)
    is_gas = unit_class == "gas"
    if not is_gas:
        factor *= Fraction(rules.cooling[unit.cooling])
    per_share = Fraction(rules.heat_share_gas if is_gas else rules.heat_share_coal)
    factor *= 1 - per_share * unit.heat_share_bp / 10_000
    load_factor = Fraction(1)
    condensing = unit.heat_mj == 0 and unit.heat_share_bp == 0
    if condensing and unit_class in CONVENTIONAL:
        load_factor = rules.load_factor.at(_load_of(unit))
    made = unit.electricity_kwh * Fraction(benchmark.electricity) * factor * load_factor
    electricity, heat = made // 1000, unit.heat_mj * Fraction(benchmark.heat) // 1000
    topped_up = is_gas and rules.protection == "allocation"
    return ByBenchmark(
        unit_class=unit_class,
        load_factor=load_factor,
        electricity=electricity,
        heat=heat,
        top_up=max(0, unit.emissions - electricity - heat) if topped_up else 0,
    )
