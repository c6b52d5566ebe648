"""What a power unit and its entity are allocated for a year, from verified output and emissions.

    unit: electricity x benchmark x load factor + heat x benchmark, each rounded down
      -> a gas unit gets at least its emissions
      -> sum of the units
      -> the entity gets at least 80% of its emissions, rounded down
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, Literal

from msgspec import Meta, Struct

from cea_exchange.domain.compliance.load_factor import LoadFactor
from cea_exchange.domain.compliance.ruled import (
    ComplianceError,
    DecimalText,
    Draftable,
    Drafted,
    Year,
)
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import BasisPoints, Tonnes
from cea_exchange.domain.units import tonnes_check

UnitClass = Literal["coal_large", "coal_small", "coal_unconventional", "gas"]
Industry = Literal["steel", "cement", "aluminium"]
"""The sectors beside power; their plants have no benchmarks."""
Sector = Literal["power", "steel", "cement", "aluminium"]

CONVENTIONAL = ("coal_large", "coal_small")
"""The classes whose load counts."""
_MEASURE_LIMIT = 1 << 62
"""Energy of a year stays below it; a gigawatt makes 8.8 x 10^9 kWh."""


class Benchmark(Drafted, frozen=True, kw_only=True):
    """Tonnes allocated for a MWh of electricity and a GJ of heat, exact."""

    electricity: DecimalText
    heat: DecimalText


class Benchmarks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A year's benchmarks by class of unit."""

    coal_large: Benchmark
    coal_small: Benchmark
    coal_unconventional: Benchmark
    gas: Benchmark

    def of(self, unit_class: UnitClass) -> Benchmark:
        """Return a class's benchmark."""
        benchmark: Benchmark = getattr(self, unit_class)
        return benchmark


class PreAllocation(Drafted, frozen=True, kw_only=True):
    """The share of last year's emissions given ahead, and whether a province may give less."""

    share_bp: BasisPoints
    may_be_lower: bool


class IndustryAhead(PreAllocation, frozen=True, kw_only=True):
    """What plants of the other sectors are given ahead for a year."""

    year: Year


class PowerYear(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for one year, and whether its plan is a draft."""

    year: Year
    draft: bool = False
    pre_allocation: PreAllocation
    load_factor: LoadFactor
    benchmarks: Benchmarks


class PowerUnit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A generating unit's verified year.

    Attributes
    ----------
    electricity_kwh, heat_mj
        What it made: a MWh is 1,000 kWh, a GJ 1,000 MJ.
    load_bp
        Its load (output) factor in hundredths of a percent; counts for conventional coal only.
    emissions
        Verified tonnes.
    """

    name: str
    unit_class: UnitClass
    electricity_kwh: Annotated[int, Meta(ge=0, lt=_MEASURE_LIMIT)]
    heat_mj: Annotated[int, Meta(ge=0, lt=_MEASURE_LIMIT)]
    load_bp: Annotated[int, Meta(ge=0, le=100_000)]
    emissions: Annotated[int, Meta(ge=0, lt=_MEASURE_LIMIT)]


class UnitAllocation(Struct, frozen=True, kw_only=True):
    """Tonnes of one unit, step by step."""

    name: str
    load_factor: Fraction
    electricity: int
    heat: int
    top_up: int
    """What the exemption of gas units adds."""

    @property
    def initial(self) -> int:
        """Return the tonnes by benchmark."""
        return self.electricity + self.heat

    @property
    def final(self) -> int:
        """Return the tonnes after the exemption."""
        return self.initial + self.top_up


class EntityAllocation(Struct, frozen=True, kw_only=True):
    """Tonnes of an entity, step by step.

    Attributes
    ----------
    initial
        The sum of its units' final tonnes.
    shortfall_bp
        What is missing of its emissions, in hundredths of a percent of them, half up; negative
        where there is more than it emitted. Before the cap.
    top_up
        What the cap on the shortfall adds.
    """

    units: tuple[UnitAllocation, ...]
    emissions: int
    initial: int
    shortfall_bp: int
    top_up: int

    @property
    def final(self) -> int:
        """Return the tonnes it is allocated."""
        return self.initial + self.top_up


class AllocationRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How power units and their entities are allocated allowances, and plants of other sectors.

    Notes
    -----
    Rules: CEA-ALC-01 to CEA-ALC-08, CEA-ALC-13, CEA-ALC-14.
    """

    coal_large_kw_min: Draftable[Tonnes]
    unconventional_over_bp: Draftable[BasisPoints]
    gas_other_fuel_max_bp: Draftable[BasisPoints]
    gas_exempt: Draftable[bool]
    shortfall_cap_bp: Draftable[BasisPoints]
    industry_as_emitted: Draftable[Year]
    industry_ahead: tuple[IndustryAhead, ...]
    year: tuple[PowerYear, ...]

    def of_year(self, year: int) -> PowerYear:
        """Return what holds for a year; ComplianceError if no plan for it is known."""
        for each in self.year:
            if each.year == year:
                return each
        known = ", ".join(str(each.year) for each in self.year)
        raise ComplianceError(
            RegistryRefusal.YEAR_OUT_OF_RANGE, f"year: expected one of {known}, got {year}"
        )

    def unit_class(
        self, *, rated_kw: int, conventional_bp: int, unconventional_bp: int, gas_bp: int
    ) -> UnitClass:
        """Return the class of a unit.

        Parameters
        ----------
        rated_kw : int
            Rated power.
        conventional_bp, unconventional_bp, gas_bp : int
            Shares of the year's heat from conventional coal, from gangue, slime or slurry, and from
            natural gas, in hundredths of a percent. What is left is other fuel.

        Raises
        ------
        ComplianceError
            If no class is for such a unit: it is none of gas, and its main fuel is not coal, which
            gives more heat than gas does, and than all other fuel does.

        Notes
        -----
        Rules: CEA-ALC-01.
        """
        shares = (conventional_bp, unconventional_bp, gas_bp)
        if min(shares) < 0 or sum(shares) > 10_000:
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"shares of heat: expected within 0..10000 together, got {shares}",
            )
        if gas_bp >= 10_000 - self.gas_other_fuel_max_bp.value:
            return "gas"
        if unconventional_bp > self.unconventional_over_bp.value:
            return "coal_unconventional"
        if conventional_bp + unconventional_bp <= max(gas_bp, 10_000 - sum(shares)):
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"shares of heat: expected those of a class, got {shares} (CEA-ALC-01)",
            )
        return "coal_large" if rated_kw >= self.coal_large_kw_min.value else "coal_small"

    def least_favourable(self, classes: Sequence[UnitClass], year: int) -> UnitClass:
        """Return the class of units that are reported as one: the lowest benchmark's.

        Notes
        -----
        Rules: CEA-ALC-01.
        """
        benchmarks = self.of_year(year).benchmarks
        return min(classes, key=lambda each: Fraction(benchmarks.of(each).electricity))

    def unit(self, unit: PowerUnit, year: int) -> UnitAllocation:
        """Return what a unit is allocated; ComplianceError where one of its figures is negative.

        Notes
        -----
        Rules: CEA-ALC-02, CEA-ALC-03, CEA-ALC-04, CEA-ALC-05, CEA-ALC-06.
        """
        for name in ("electricity_kwh", "heat_mj", "load_bp", "emissions"):
            if getattr(unit, name) < 0:
                raise ComplianceError(
                    RegistryRefusal.AMOUNT_UNSOUND,
                    f"{name} of unit {unit.name}: expected 0 or more, got {getattr(unit, name)}",
                )
        rules = self.of_year(year)
        benchmark = rules.benchmarks.of(unit.unit_class)
        factor = Fraction(1)
        if unit.unit_class in CONVENTIONAL:
            factor = rules.load_factor.at(unit.load_bp)
        electricity = unit.electricity_kwh * Fraction(benchmark.electricity) * factor // 1000
        heat = unit.heat_mj * Fraction(benchmark.heat) // 1000
        exempt = unit.unit_class == "gas" and self.gas_exempt.value
        return UnitAllocation(
            name=unit.name,
            load_factor=factor,
            electricity=electricity,
            heat=heat,
            top_up=max(0, unit.emissions - electricity - heat) if exempt else 0,
        )

    def entity(self, units: Sequence[PowerUnit], year: int) -> EntityAllocation:
        """Return what an entity is allocated: units, their exemption, their sum, then the cap.

        Notes
        -----
        Rules: CEA-ALC-07.
        """
        allocations = tuple(self.unit(unit, year) for unit in units)
        emissions = sum(unit.emissions for unit in units)
        initial = sum(allocation.final for allocation in allocations)
        return EntityAllocation(
            units=allocations,
            emissions=emissions,
            initial=initial,
            shortfall_bp=share_bp(emissions - initial, emissions),
            top_up=self.cap_top_up(initial, emissions),
        )

    def cap_top_up(self, initial: int, emissions: int) -> int:
        """Return what an entity gets besides, so that it is at most the cap short.

        Notes
        -----
        Rules: CEA-ALC-07.
        """
        least = emissions * (10_000 - self.shortfall_cap_bp.value) // 10_000
        return max(0, least - initial)

    def industry(self, sector: Industry, emissions: int, year: int) -> int:
        """Return what a plant of steel, cement or aluminium is allocated: what it emitted.

        Raises
        ------
        ComplianceError
            Of another year: then the balance value of the whole sector decides.

        Notes
        -----
        Rules: CEA-ALC-13.
        """
        only = self.industry_as_emitted.value
        if year != only:
            raise ComplianceError(
                RegistryRefusal.YEAR_OUT_OF_RANGE,
                f"year of {sector}: expected {only} to be computed, got {year}",
            )
        return tonnes_check(emissions, f"emissions of {sector}")

    def ahead(self, sector: Sector, year: int) -> PreAllocation | None:
        """Return what a sector is given ahead for a year; None if nothing is.

        Raises
        ------
        ComplianceError
            If no plan of the power sector is known for the year.

        Notes
        -----
        Rules: CEA-ALC-08, CEA-ALC-14.
        """
        if sector == "power":
            return self.of_year(year).pre_allocation
        return next((each for each in self.industry_ahead if each.year == year), None)

    def pre_allocation(
        self,
        emissions_before: Mapping[str, int],
        year: int,
        share_bp: int | None = None,
        *,
        sector: Sector = "power",
    ) -> dict[str, int]:
        """Return the tonnes given ahead by unit, each rounded down.

        Parameters
        ----------
        emissions_before : mapping of str to int
            Unit -> verified tonnes of the year before.
        year : int
            The year they are for.
        share_bp : int, optional
            A province's lower share, where the year allows one.
        sector : str
            Whose units they are.

        Raises
        ------
        ComplianceError
            If the share is not what the year allows, or the sector is given nothing ahead.

        Notes
        -----
        Rules: CEA-ALC-08, CEA-ALC-14.
        """
        rule = self.ahead(sector, year)
        if rule is None:
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"{sector}: expected to be given nothing ahead for {year}, got a share"
                " (CEA-ALC-14)",
            )
        share = rule.share_bp if share_bp is None else share_bp
        lowest = 0 if rule.may_be_lower else rule.share_bp
        if not lowest <= share <= rule.share_bp:
            raise ComplianceError(
                RegistryRefusal.AMOUNT_UNSOUND,
                f"share of {year}: expected within {lowest}..{rule.share_bp} bp, got {share}",
            )
        return {
            name: tonnes_check(tonnes, f"emissions of {name}") * share // 10_000
            for name, tonnes in emissions_before.items()
        }


def share_bp(part: int, whole: int) -> int:
    """Return hundredths of a percent, half away from zero; nothing is no part of nothing."""
    if whole == 0:
        return 0
    rounded = (abs(part) * 20_000 + whole) // (2 * whole)
    return rounded if part >= 0 else -rounded
