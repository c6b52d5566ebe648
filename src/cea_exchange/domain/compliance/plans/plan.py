"""A plan as data: who is inside, by what figures, how much is given ahead."""

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from cea_exchange.domain.compliance.allocation import AllocationRules, Benchmarks, Industry
from cea_exchange.domain.compliance.load_factor import StepsOfLoad
from cea_exchange.domain.compliance.plans.units import Case, Cooling, Share, Unit
from cea_exchange.domain.compliance.ruled import (
    ComplianceError,
    ComplianceRulesError,
    DecimalText,
    Mark,
    Year,
    load_rules,
)
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.ruled import BasisPoints, Cited, Tonnes
from cea_exchange.user_files.formats import toml_parse

PLAN_YEARS = range(2019, 2027)

Treatment = Literal["benchmark", "as_emitted", "outside"]


class Special(Cited, frozen=True, kw_only=True):
    """Units to which no benchmark applies: they get what they emitted, or are outside the plan.

    Attributes
    ----------
    share, over_bp
        A share above which it is so; or `cases`, one of which a unit must be.
    sector
        Whose units; all, if None.
    """

    treatment: Literal["as_emitted", "outside"]
    sector: Literal["power", "industry"] | None = None
    cases: tuple[Case, ...] = ()
    share: Share | None = None
    over_bp: BasisPoints = 0
    mark: Mark | None = None

    def fits(self, unit: Unit) -> bool:
        """Tell whether it is about a unit."""
        if self.sector is not None and (self.sector == "power") != (unit.sector == "power"):
            return False
        if self.share is not None:
            return unit.share(self.share) > self.over_bp
        return any(case in unit.cases for case in self.cases)


class EarlyPower(Cited, frozen=True, kw_only=True):
    """How generating units were allocated for 2019 to 2022, by electricity supplied.

    Attributes
    ----------
    cooling
        Factor by the way of cooling.
    heat_share_coal, heat_share_gas
        What a whole share of heat takes off the factor of electricity.
    protection
        ``duty``: what is owed is lowered; ``allocation``: what is given is raised.
    """

    mark: Mark
    benchmarks: dict[Year, Benchmarks]
    cooling: dict[Cooling, DecimalText]
    heat_share_coal: DecimalText
    heat_share_gas: DecimalText
    load_factor: StepsOfLoad
    protection: Literal["duty", "allocation"]
    protected_bp: BasisPoints
    ahead_bp: BasisPoints
    ahead_from: Literal["output", "emissions"]
    ahead_year: int


class IndustryYear(Cited, frozen=True, kw_only=True):
    """How plants of one year are allocated: as they emitted, or by how they compare.

    Attributes
    ----------
    slope, limit
        `slope` x how far below the balance value a plant is, as a part of it; from `limit` on, on
        either side, the product stays what it is there.
    """

    year: Year
    method: Literal["as_emitted", "intensity"]
    mark: Mark | None = None
    slope: DecimalText = "0"
    limit: DecimalText = "1"


class SmallEntity(Cited, frozen=True, kw_only=True):
    """An entity with fewer verified tonnes gets what it emitted."""

    below: Tonnes
    mark: Mark | None = None


class AbsoluteCap(Cited, frozen=True, kw_only=True):
    """What all entities of the nation together get at most in a year; no plan until 2026 has it."""

    year: Year
    tonnes: Tonnes
    mark: Mark | None = None


class PlanFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The shape of a plan's file.

    Attributes
    ----------
    power
        Rules of generating units instead of the packaged ``allocation.toml``, in its form: of a
        plan that is tried; no packaged plan has them.
    """

    document: str
    years: Annotated[tuple[Year, ...], Meta(min_length=1)]
    mark: Mark | None = None
    power: AllocationRules | None = None
    early_power: EarlyPower | None = None
    power_balance: dict[Year, Benchmarks] = msgspec.field(default_factory=dict)
    industry: tuple[IndustryYear, ...] = ()
    special: tuple[Special, ...] = ()
    small_entity: SmallEntity | None = None
    absolute_cap: tuple[AbsoluteCap, ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """What holds for one compliance year.

    Attributes
    ----------
    mark
        Why the whole plan is no settled law; None: it is.
    power
        The rules of generating units from 2023 on, `early_power` those before.
    power_balance
        At which all generating units together would have been given what they owed, where it was
        published: what the benchmarks were set against.
    industry
        None in years in which the three industries were not in.
    """

    year: int
    document: str
    mark: Mark | None
    power: AllocationRules
    early_power: EarlyPower | None
    power_balance: Benchmarks | None
    industry: IndustryYear | None
    special: tuple[Special, ...]
    small_entity: SmallEntity | None
    absolute_cap: AbsoluteCap | None = None

    def special_of(self, unit: Unit) -> Special | None:
        """Return the first reason for which no benchmark applies to a unit; None if one does."""
        return next((each for each in self.special if each.fits(unit)), None)

    @property
    def ahead_year(self) -> int:
        """Return the year by whose figures units are given ahead.

        Notes
        -----
        Rules: CEA-PLN-14.
        """
        return self.year - 1 if self.early_power is None else self.early_power.ahead_year

    def covers(self, sector: Literal["power"] | Industry) -> bool:
        """Tell whether a sector was in that year."""
        return sector == "power" or self.industry is not None


def counts_supplied(year: int) -> bool:
    """Tell whether a year's electricity counts as it was supplied, not as it was generated.

    2018 is the year by whose output units were given ahead for 2019 and 2020.

    Notes
    -----
    Rules: CEA-PLN-06.
    """
    known = min(max(year, PLAN_YEARS[0]), PLAN_YEARS[-1])
    return plan(known).early_power is not None


def plan(year: int) -> Plan:
    """Return the plan of a compliance year.

    Raises
    ------
    ComplianceError
        If none is known for it.
    """
    if year not in PLAN_YEARS:
        first, last = PLAN_YEARS[0], PLAN_YEARS[-1]
        raise ComplianceError(
            RegistryRefusal.YEAR_OUT_OF_RANGE, f"year: expected within {first}..{last}, got {year}"
        )
    return _plans()[year]


@contextmanager
def plans_tried(text: str, place: str) -> Iterator[None]:
    """Let a plan file's years be under its plan instead of the packaged one, for a trial.

    Of this process alone; no daemon's settings try one.

    Parameters
    ----------
    text, place
        The file in TOML, in the form of the packaged ones, and how errors name it.

    Raises
    ------
    ComplianceRulesError
        It is no plan.
    """
    plans = _plans()
    before = dict(plans)
    power = load_rules("allocation", AllocationRules, drafts=True)
    plans.update({each.year: each for each in parse_plan(text, place, power)})
    try:
        yield
    finally:
        plans.clear()
        plans.update(before)


@functools.cache
def _plans() -> dict[int, Plan]:
    power = load_rules("allocation", AllocationRules, drafts=True)
    folder = resources.files("cea_exchange.domain.compliance.plans")
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")),
        key=lambda entry: entry.name,
    )
    return {
        each.year: each
        for file in files
        for each in parse_plan(file.read_text(encoding="utf-8"), file.name, power)
    }


def parse_plan(text: str, place: str, power: AllocationRules) -> Iterable[Plan]:
    """Read a plan, which holds for one year or two, from TOML text; `place` names it in errors."""
    try:
        file = msgspec.convert(toml_parse(text), PlanFile, strict=True, str_keys=True)
    except ValueError as error:
        raise ComplianceRulesError(f"plan {place}: {error}") from error
    for year in file.years:
        yield Plan(
            year=year,
            document=file.document,
            mark=file.mark,
            power=file.power or power,
            early_power=file.early_power,
            power_balance=file.power_balance.get(year),
            industry=next((each for each in file.industry if each.year == year), None),
            special=file.special,
            small_entity=file.small_entity,
            absolute_cap=next((each for each in file.absolute_cap if each.year == year), None),
        )
