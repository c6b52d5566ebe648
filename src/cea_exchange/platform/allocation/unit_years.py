"""A unit's verified year as a plan reads it: its facts, its months and its result."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

import msgspec

from cea_exchange.domain.compliance.accounting import GUIDELINES, Accounted
from cea_exchange.domain.compliance.accounting.facts import (
    HeatShares,
    biomass_bp,
    carbide_slag_bp,
    heat_shares,
    heat_supply_bp,
    intensity,
    load,
    own_secondary_bp,
)
from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant, counts_supplied
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError
from cea_exchange.platform.entity_list.enterprises import Enterprise
from cea_exchange.platform.entity_list.unit_facts import UnitFacts
from cea_exchange.platform.entity_list.units import Unit, Units
from cea_exchange.platform.filings.documents import Documents, Filing
from cea_exchange.platform.filings.months import KeptFigure, Months, account_of
from cea_exchange.platform.filings.reports import ReportedUnit, reported_units
from cea_exchange.platform.periods import month_end
from cea_exchange.platform.verification.verifications import Result

KW_PER_MW = 1_000
THOUSAND = 1_000
"""kWh of a MWh, MJ of a GJ."""
WHOLE_BP = 10_000
RESULTS_KNOWN_MAX = 8_192
READ_TOGETHER = 100
"""Years whose months are in memory at once."""
_KINDS = ("conventional", "unconventional", "gas")


PlanUnits = tuple[GeneratingUnit | Plant, ...]


class UnitYears:
    """Reads what a plan asks of units.

    What a result says of a year never changes: it is read once, until a unit's facts change.
    """

    def __init__(self, units: Units, documents: Documents, monthly: Months) -> None:
        self._units = units
        self._documents = documents
        self._months = monthly
        self._known: dict[int, PlanUnits] = {}
        self._known_fact = 0

    def of(self, verified: Sequence[tuple[Enterprise, Result, int]]) -> list[PlanUnits]:
        """Return the units of verified years, each year's by name.

        Their whole tonnes add up to the entity's, so that every verified tonne is owed once.

        Parameters
        ----------
        verified
            Enterprise, what was verified, and the report that was, whose months these are.

        Raises
        ------
        PlatformActError
            What a plan asks for does not follow from what was filed.
        """
        last_fact = self._units.last_fact()
        if last_fact != self._known_fact:
            self._known, self._known_fact = {}, last_fact
        new = [each for each in verified if each[1].result_id not in self._known]
        if len(self._known) + len(new) > RESULTS_KNOWN_MAX:
            self._known, new = {}, list(verified)
        rest = iter(new)
        while some := list(islice(rest, READ_TOGETHER)):
            self._read(some)
        return [self._known[result.result_id] for _, result, _ in verified]

    def _read(self, verified: Sequence[tuple[Enterprise, Result, int]]) -> None:
        """Read some years at once: a nation's are thousands."""
        filed = self._documents.of_ids([report_id for _, _, report_id in verified])
        reports = [reported_units(filed[report_id]) for _, _, report_id in verified]
        years = [year for report in reports for year in report.values()]
        filings = self._documents.of_ids([each for year in years for each in year.months.values()])
        units = self._at_their_last(reports)
        for (enterprise, result, _), report in zip(verified, reports, strict=True):
            emitted = msgspec.json.decode(result.unit_emissions, type=dict[str, Decimal])
            figures = msgspec.json.decode(result.unit_figures, type=dict[str, dict[str, Decimal]])
            found = []
            for name, tonnes in sorted(whole_tonnes(emitted, result.tonnes).items()):
                had = report[name].months
                months = [filings[had[month]] for month in sorted(had)]
                concluded = figures.get(name, {})
                unit = units[name, _last_day(report[name])]
                found.append(self._unit(enterprise, unit, months, tonnes, concluded))
            self._known[result.result_id] = tuple(found)

    def _at_their_last(
        self, reports: Sequence[Mapping[str, ReportedUnit]]
    ) -> dict[tuple[str, int], Unit]:
        """Return units as they were on a day, of the last month that a report has of them."""
        by_day: dict[int, set[str]] = {}
        for report in reports:
            for name, year in report.items():
                by_day.setdefault(_last_day(year), set()).add(name)
        return {
            (name, day): unit
            for day, names in by_day.items()
            for name, unit in self._units.on(names, day).items()
        }

    def _unit(
        self,
        enterprise: Enterprise,
        unit: Unit,
        filings: Sequence[Filing],
        emissions: int,
        concluded: Mapping[str, Decimal],
    ) -> GeneratingUnit | Plant:
        made = _generating if enterprise.sector == "power" else _plant
        figures = [self._months.figures(filing) for filing in filings]
        year = _Year(
            enterprise,
            unit.unit,
            unit.facts,
            [
                account_of(enterprise.sector, filing, month)
                for filing, month in zip(filings, figures, strict=True)
            ],
            figures,
            emissions,
            concluded,
        )
        try:
            return made(year)
        except ValueError as error:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_NOT_COMPUTABLE,
                f"{unit.unit}: expected what a plan asks of it, got {error}",
            ) from error


def _last_day(year: ReportedUnit) -> int:
    return month_end(max(map(int, year.months)))


def whole_tonnes(exact: Mapping[str, Decimal], total: int) -> dict[str, int]:
    """Return whole tonnes by unit that add up to the entity's.

    Each is rounded down, and what is missing then goes to those that lost the largest parts.

    Examples
    --------
    >>> whole_tonnes({"1": Decimal("10.40"), "2": Decimal("20.40")}, 31)
    {'1': 11, '2': 20}

    Notes
    -----
    Rules: CEA-PLK-05.
    """
    whole = {name: int(tonnes) for name, tonnes in exact.items()}
    missing = total - sum(whole.values())
    by_part = sorted(exact, key=lambda name: (whole[name] - exact[name], name))
    for name in by_part[:missing]:
        whole[name] += 1
    return whole


class _Year(NamedTuple):
    enterprise: Enterprise
    name: str
    facts: UnitFacts
    bills: list[Accounted]
    figures: list[dict[str, KeptFigure]]
    emissions: int
    concluded: Mapping[str, Decimal]

    def sum(self, parameter: str) -> Decimal:
        """Return what a parameter is of the year: as it was concluded, or its months' sum."""
        if parameter in self.concluded:
            return self.concluded[parameter]
        values = (month[parameter].value for month in self.figures if parameter in month)
        return sum(map(Decimal, values), Decimal(0))


def _generating(year: _Year) -> GeneratingUnit:
    """Return a generating unit's year.

    Notes
    -----
    Rules: CEA-PLN-06, CEA-PLN-08, CEA-PWR-16, CEA-PWR-17, CEA-PWR-22, CEA-PWR-23.
    """
    facts, shares = year.facts, _heat_shares(year.bills)
    generated, heat, hours = (year.sum(code) for code in ("M", "N", "O"))
    is_supplied = counts_supplied(year.bills[0].year)
    electricity = year.sum("supplied") if is_supplied else generated
    capacity = Decimal(sum(facts.rated_kw)) / KW_PER_MW
    load_percent = load(generated, capacity, hours) if capacity * hours else Decimal(0)
    return GeneratingUnit(
        entity=year.enterprise.enterprise,
        province=str(year.enterprise.province),
        name=year.name,
        rated_kw=facts.rated_kw,
        conventional_bp=shares.conventional_bp,
        unconventional_bp=shares.unconventional_bp,
        gas_bp=shares.gas_bp,
        biomass_bp=biomass_bp(year.bills),
        own_secondary_bp=own_secondary_bp(year.bills),
        green_bp=facts.green_bp,
        cases=facts.cases,
        electricity_kwh=int(electricity * THOUSAND),
        heat_mj=int(heat * THOUSAND),
        load_bp=int(load_percent * 100),
        heat_share_bp=heat_supply_bp(heat, year.sum("turbine_heat")) if is_supplied else 0,
        cooling=facts.cooling,
        emissions=year.emissions,
    )


def _plant(year: _Year) -> Plant:
    sector = year.enterprise.sector
    return Plant(
        entity=year.enterprise.enterprise,
        province=str(year.enterprise.province),
        name=year.name,
        sector=msgspec.convert(sector, type=Plant.__annotations__["sector"]),
        emissions=year.emissions,
        intensity=intensity(year.bills),
        carbide_slag_bp=carbide_slag_bp(year.bills) if sector == "cement" else 0,
        cases=year.facts.cases,
    )


def _heat_shares(bills: Sequence[Accounted]) -> HeatShares:
    """Return which part of the heat came from which kind of fuel; of one kind it is all of it."""
    fuels = GUIDELINES["power"].fuels.values()
    kinds = {fuel.kind for bill in bills for fuel in fuels if f"A.{fuel.id}" in bill}
    if len(kinds) != 1:
        return heat_shares(bills)
    shares = {f"{kind}_bp": WHOLE_BP if kind in kinds else 0 for kind in _KINDS}
    return HeatShares(**shares)
