"""One pass over a nation's units, or a province's: units, entities, provinces, the nation."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct, structs

from cea_exchange.domain.compliance.allocation import Industry, Sector, UnitClass, share_bp
from cea_exchange.domain.compliance.plans.balance import allowed, balance_value
from cea_exchange.domain.compliance.plans.cap import under_cap
from cea_exchange.domain.compliance.plans.plan import Plan, Treatment
from cea_exchange.domain.compliance.plans.power import by_benchmark
from cea_exchange.domain.compliance.plans.units import GeneratingUnit, Plant, Unit
from cea_exchange.domain.compliance.ruled import ComplianceError, Mark
from cea_exchange.domain.refusals import RegistryRefusal


class UnitAllocated(Struct, frozen=True, kw_only=True):
    """Tonnes of a unit, step by step.

    Attributes
    ----------
    rule
        By which it is treated so.
    electricity, heat
        By benchmark; what is given as emitted, or by intensity, is `other`.
    top_up
        What a gas unit gets besides, up to its emissions.
    """

    entity: str
    province: str
    name: str
    sector: Sector
    treatment: Treatment
    rule: str
    emissions: int
    unit_class: UnitClass | None = None
    load_factor: Fraction = Fraction(1)
    electricity: int = 0
    heat: int = 0
    other: int = 0
    top_up: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def initial(self) -> int:
        """Return the tonnes before the top-up."""
        return self.electricity + self.heat + self.other

    @property
    def final(self) -> int:
        """Return the tonnes after it."""
        return self.initial + self.top_up

    @property
    def counted(self) -> bool:
        """Tell whether it is within the plan: has allowances, and owes for its emissions."""
        return self.treatment != "outside"


class EntityAllocated(Struct, frozen=True, kw_only=True):
    """Tonnes of an entity in one sector.

    Attributes
    ----------
    initial
        The sum of its units.
    shortfall_bp
        What is missing of its emissions before the cap, in hundredths of a percent, half up.
    top_up
        What the cap on the shortfall adds.
    duty
        What it owes: its emissions, less in 2019 and 2020.
    cut
        What an absolute cap over the nation takes off.
    """

    entity: str
    province: str
    sector: Sector
    units: int
    emissions: int
    initial: int
    shortfall_bp: int
    top_up: int
    duty: int
    cut: int = 0
    marks: tuple[Mark, ...] = ()

    @property
    def final(self) -> int:
        """Return the tonnes it is allocated."""
        return self.initial + self.top_up - self.cut


class Total(Struct, frozen=True, kw_only=True):
    """Of a province, or the nation."""

    entities: int = 0
    emissions: int = 0
    final: int = 0
    duty: int = 0


class Allocation(Struct, frozen=True, kw_only=True):
    """What a plan gives to whom.

    Attributes
    ----------
    balance
        Sector -> balance value, unrounded, where plants were compared.
    cap_factor
        By which an absolute cap multiplies what each entity gets; None: the plan has no cap.
    marks
        Why it is no settled law; empty if all of it is.
    """

    year: int
    units: tuple[UnitAllocated, ...]
    entities: tuple[EntityAllocated, ...]
    provinces: dict[str, Total]
    total: Total
    balance: dict[Industry, Fraction]
    cap_factor: Fraction | None
    marks: tuple[Mark, ...]


def allocate(
    plan: Plan,
    units: Iterable[Unit],
    *,
    balance: Mapping[Industry, Fraction] | None = None,
    cap_factor: Fraction | None = None,
) -> Allocation:
    """Return what a plan gives to units, their entities and provinces.

    Parameters
    ----------
    plan : Plan
        Of the compliance year.
    units : iterable of GeneratingUnit or Plant
        With their verified year.
    balance : mapping of str to Fraction, optional
        The sectors' balance values, where `units` are not the whole nation's; else they are solved
        from the units.
    cap_factor : Fraction, optional
        The absolute cap's, where the plan has one and `units` are not the whole nation's.

    Raises
    ------
    ComplianceError
        If two units of an entity have one name, an entity has two provinces, a sector is not in the
        plan, or a unit has no class or no intensity where one is needed. Nothing is allocated then.

    Notes
    -----
    Rules: CEA-PLN-02 to CEA-PLN-05, CEA-PLN-13, CEA-PLN-16 to CEA-PLN-22, CEA-PLN-32.
    """
    units = tuple(units)
    _check(plan, units)
    small = _small(plan, units)
    values = dict(balance) if balance is not None else solve(plan, units)
    allocated = tuple(
        _unit(plan, unit, (unit.entity, unit.sector) in small, values) for unit in units
    )
    entities = _entities(plan, allocated)
    if plan.absolute_cap is not None:
        cap = plan.absolute_cap
        if cap_factor is None:
            cap_factor = under_cap(
                {f"{each.entity} {each.sector}": each.final for each in entities}, cap.tonnes
            ).factor
        entities = tuple(_capped(each, cap_factor, cap.mark) for each in entities)
    provinces: dict[str, list[EntityAllocated]] = {}
    for entity in entities:
        provinces.setdefault(entity.province, []).append(entity)
    marks: set[Mark] = {mark for each in allocated for mark in each.marks}
    marks.update(mark for each in entities for mark in each.marks)
    return Allocation(
        year=plan.year,
        units=allocated,
        entities=entities,
        provinces={name: _total(of_it) for name, of_it in sorted(provinces.items())},
        total=_total(entities),
        balance=values,
        cap_factor=None if plan.absolute_cap is None else cap_factor,
        marks=tuple(sorted(marks)),
    )


def solve(plan: Plan, units: Sequence[Unit]) -> dict[Industry, Fraction]:
    """Return the balance value of each industry that is compared in the plan's year.

    Notes
    -----
    Plants that get what they emitted are left out: they cancel in the equation.

    Rules: CEA-PLN-21, CEA-PLN-22.
    """
    if plan.industry is None or plan.industry.method != "intensity":
        return {}
    small = _small(plan, units)
    compared: dict[Industry, list[Plant]] = {}
    for unit in units:
        if isinstance(unit, Plant) and (unit.entity, unit.sector) not in small:
            if plan.special_of(unit) is None and not _is_idle(unit):
                compared.setdefault(unit.sector, []).append(unit)
    return {
        sector: balance_value(
            [(plant.emissions, _intensity(plant)) for plant in plants], plan.industry
        )
        for sector, plants in compared.items()
    }


def not_allocable(plan: Plan, units: Sequence[Unit]) -> dict[str, str]:
    """Return entity -> why a plan can't be applied to one of its units; empty if it can to all.

    A unit that gets what it emitted, or is outside the plan, needs no class, load or intensity.

    Notes
    -----
    Rules: CEA-MRV-03, CEA-PLN-01, CEA-PLN-18, CEA-PWR-22.
    """
    small = _small(plan, units)
    found: dict[str, str] = {}
    for unit in units:
        as_emitted = plan.special_of(unit) is not None or (unit.entity, unit.sector) in small
        if as_emitted or unit.entity in found or _is_idle(unit):
            continue
        try:
            if isinstance(unit, GeneratingUnit):
                by_benchmark(unit, plan)
            elif plan.industry is not None and plan.industry.method == "intensity":
                _intensity(unit)
        except ComplianceError as error:
            found[unit.entity] = f"{unit.name}: {error}"
    return found


def _is_idle(unit: Unit) -> bool:
    """Tell whether a unit neither emitted nor made anything in the year: nothing is to be given."""
    made = isinstance(unit, GeneratingUnit) and (unit.electricity_kwh or unit.heat_mj)
    return not unit.emissions and not made


def _check(plan: Plan, units: Sequence[Unit]) -> None:
    names: set[tuple[str, str]] = set()
    provinces: dict[str, str] = {}
    for unit in units:
        if not plan.covers(unit.sector):
            raise ComplianceError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"sector of {unit.entity}: expected one of the plan of {plan.year}, got"
                f" {unit.sector}",
            )
        if (unit.entity, unit.name) in names:
            raise ComplianceError(
                RegistryRefusal.NAME_RESERVED,
                f"unit {unit.name} of {unit.entity}: expected once, got twice",
            )
        names.add((unit.entity, unit.name))
        if provinces.setdefault(unit.entity, unit.province) != unit.province:
            raise ComplianceError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"province of {unit.entity}: expected {provinces[unit.entity]} as of its other"
                f" units, got {unit.province}",
            )


def _small(plan: Plan, units: Sequence[Unit]) -> frozenset[tuple[str, Sector]]:
    """Return the entities that get what they emitted because that is little."""
    if plan.small_entity is None:
        return frozenset()
    emitted: dict[tuple[str, Sector], int] = {}
    for unit in units:
        key = (unit.entity, unit.sector)
        emitted[key] = emitted.get(key, 0) + unit.emissions
    least = plan.small_entity.below
    return frozenset(key for key, tonnes in emitted.items() if tonnes < least)


def _unit(
    plan: Plan, unit: Unit, small: bool, balance: Mapping[Industry, Fraction]
) -> UnitAllocated:
    """Return what a unit gets, by the first of: too small an entity, a special case, the rule."""
    special = plan.special_of(unit)
    if special is not None and special.treatment == "outside":
        return _allocated(unit, "outside", special.rule, special.mark)
    if small and plan.small_entity is not None:
        rule, mark = plan.small_entity.rule, plan.small_entity.mark
        return _allocated(unit, "as_emitted", rule, mark, other=unit.emissions)
    if special is not None:
        return _allocated(unit, "as_emitted", special.rule, special.mark, other=unit.emissions)
    if isinstance(unit, GeneratingUnit):
        rule = "CEA-PLN-06" if plan.early_power else "CEA-PLN-13"
        if _is_idle(unit):
            return _allocated(unit, "benchmark", rule, plan.mark)
        found = by_benchmark(unit, plan)
        return _allocated(
            unit,
            "benchmark",
            rule,
            plan.mark,
            unit_class=found.unit_class,
            load_factor=found.load_factor,
            electricity=found.electricity,
            heat=found.heat,
            top_up=found.top_up,
        )
    return _plant(plan, unit, balance)


def _plant(plan: Plan, plant: Plant, balance: Mapping[Industry, Fraction]) -> UnitAllocated:
    rules = plan.industry
    assert rules is not None, "the plan covers the sector, as was checked"
    if rules.method == "as_emitted":
        return _allocated(plant, "as_emitted", rules.rule, rules.mark, other=plant.emissions)
    if _is_idle(plant):
        return _allocated(plant, "benchmark", rules.rule, rules.mark)
    if plant.sector not in balance:
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND,
            f"balance value of {plant.sector}: expected one for {plan.year}, got none"
            f" ({rules.rule})",
        )
    intensity = Fraction(_intensity(plant))
    tonnes = allowed(plant.emissions, balance[plant.sector], intensity, rules)
    return _allocated(plant, "benchmark", rules.rule, rules.mark, other=tonnes)


def _intensity(plant: Plant) -> Decimal:
    if plant.intensity is None or plant.intensity <= 0:
        got = "none" if plant.intensity is None else plant.intensity
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND,
            f"intensity of {plant.name} of {plant.entity}: expected above 0, got {got}"
            " (CEA-PLN-18)",
        )
    return plant.intensity


def _allocated(
    unit: Unit,
    treatment: Treatment,
    rule: str,
    mark: Mark | None,
    *,
    unit_class: UnitClass | None = None,
    load_factor: Fraction = Fraction(1),
    electricity: int = 0,
    heat: int = 0,
    other: int = 0,
    top_up: int = 0,
) -> UnitAllocated:
    return UnitAllocated(
        entity=unit.entity,
        province=unit.province,
        name=unit.name,
        sector=unit.sector,
        treatment=treatment,
        rule=rule,
        emissions=unit.emissions,
        unit_class=unit_class,
        load_factor=load_factor,
        electricity=electricity,
        heat=heat,
        other=other,
        top_up=top_up,
        marks=() if mark is None else (mark,),
    )


def _entities(plan: Plan, units: Sequence[UnitAllocated]) -> tuple[EntityAllocated, ...]:
    """Return the entities in the order of their first unit; one all outside has no part."""
    grouped: dict[tuple[str, Sector], list[UnitAllocated]] = {}
    for unit in units:
        if unit.counted:
            grouped.setdefault((unit.entity, unit.sector), []).append(unit)
    return tuple(_entity(plan, of_it) for of_it in grouped.values())


def _entity(plan: Plan, units: Sequence[UnitAllocated]) -> EntityAllocated:
    first = units[0]
    emissions = sum(unit.emissions for unit in units)
    initial = sum(unit.final for unit in units)
    raised = first.sector == "power" and not _lowers_duty(plan)
    marks: set[Mark] = {mark for unit in units for mark in unit.marks}
    return EntityAllocated(
        entity=first.entity,
        province=first.province,
        sector=first.sector,
        units=len(units),
        emissions=emissions,
        initial=initial,
        shortfall_bp=share_bp(emissions - initial, emissions),
        top_up=plan.power.cap_top_up(initial, emissions) if raised else 0,
        duty=_lowered_duty(plan, units) if _lowers_duty(plan) else emissions,
        marks=tuple(sorted(marks)),
    )


def _capped(entity: EntityAllocated, factor: Fraction, mark: Mark | None) -> EntityAllocated:
    """Return what an entity gets under an absolute cap, rounded down.

    Notes
    -----
    Rules: CEA-PLN-32.
    """
    marks = {*entity.marks, *(() if mark is None else (mark,))}
    cut = entity.final - entity.final * factor // 1
    return structs.replace(entity, cut=cut, marks=tuple(sorted(marks)))


def _lowers_duty(plan: Plan) -> bool:
    return plan.early_power is not None and plan.early_power.protection == "duty"


def _lowered_duty(plan: Plan, units: Sequence[UnitAllocated]) -> int:
    """Return what was owed of 2019 and 2020: a gas unit's free allowances, then the entity's cap.

    Notes
    -----
    Rules: CEA-PLN-11.
    """
    assert plan.early_power is not None
    owed = sum(
        min(unit.emissions, unit.final) if unit.unit_class == "gas" else unit.emissions
        for unit in units
    )
    free = sum(unit.final for unit in units)
    emissions = sum(unit.emissions for unit in units)
    return min(owed, free + emissions * plan.early_power.protected_bp // 10_000)


def _total(entities: Sequence[EntityAllocated]) -> Total:
    return Total(
        entities=len({each.entity for each in entities}),
        emissions=sum(each.emissions for each in entities),
        final=sum(each.final for each in entities),
        duty=sum(each.duty for each in entities),
    )
