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
    clinker_made,
    heat_shares,
    heat_supply_bp,
    intensity,
    load,
    own_secondary_bp,
)
from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant, counts_supplied
from cea_exchange.domain.compliance.plans.units import Case
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
WHITE: Case = "white_clinker"
_KINDS = ("conventional", "unconventional", "gas")


PlanUnits = tuple[GeneratingUnit | Plant, ...]


class Unfit(NamedTuple):
    """Why what a plan asks for does not follow from an entity's year: which unit, and what of it.

    It is that entity's alone: others are allocated without it.
    """

    words: str


class UnitYears:
    """Reads what a plan asks of units.

    What a result says of a year never changes: it is read once for each day by which units count
    as closed, until a unit's facts change.

    Attributes
    ----------
    uncompared
        Enterprise -> what its figures lack, of those read so far by whose intensity no plan can go.
    """

    def __init__(self, units: Units, documents: Documents, monthly: Months) -> None:
        self._units = units
        self._documents = documents
        self._months = monthly
        self._known: dict[tuple[int, int], PlanUnits | Unfit] = {}
        self._last_fact = 0
        self.uncompared: dict[str, str] = {}

    def of(
        self, verified: Sequence[tuple[Enterprise, Result, int]], allocated_on: int
    ) -> list[PlanUnits | Unfit]:
        """Return the units of verified years, each year's by name.

        Their whole tonnes add up to the entity's, so that every verified tonne is owed once.

        Parameters
        ----------
        verified
            Enterprise, what was verified, and the report that was, whose months these are.
        allocated_on
            Day of the allocation: what has stopped for good by then is closed, whatever it made.

        Notes
        -----
        Rules: CEA-PLN-02, CEA-PLN-05, CEA-MRV-03.
        """
        last_fact = self._units.last_fact()
        if last_fact != self._last_fact:
            self._known, self._last_fact = {}, last_fact
        new = [each for each in verified if (each[1].result_id, allocated_on) not in self._known]
        if len(self._known) + len(new) > RESULTS_KNOWN_MAX:
            self._known, new = {}, list(verified)
        rest = iter(new)
        while some := list(islice(rest, READ_TOGETHER)):
            self._read(some, allocated_on)
        return [self._known[result.result_id, allocated_on] for _, result, _ in verified]

    def _read(
        self, verified: Sequence[tuple[Enterprise, Result, int]], allocated_on: int
    ) -> None:
        """Read some years at once: a nation's are thousands."""
        filed = self._documents.of_ids([report_id for _, _, report_id in verified])
        reports = [reported_units(filed[report_id]) for _, _, report_id in verified]
        years = [year for report in reports for year in report.values()]
        filings = self._documents.of_ids([each for year in years for each in year.months.values()])
        units = self._at_their_last(reports)
        closed = self._closed({name for report in reports for name in report}, allocated_on)
        for (enterprise, result, _), report in zip(verified, reports, strict=True):
            emitted = msgspec.json.decode(result.unit_emissions, type=dict[str, Decimal])
            figures = msgspec.json.decode(result.unit_figures, type=dict[str, dict[str, Decimal]])
            found = []
            for name, tonnes in sorted(whole_tonnes(emitted, result.tonnes).items()):
                had = report[name].months
                unit = units[name, _last_day(report[name])]
                made = self._unit(
                    _Known(enterprise, name, unit.facts, name in closed),
                    [filings[had[month]] for month in sorted(had)],
                    _Concluded(emitted[name], tonnes, figures.get(name, {})),
                )
                if isinstance(made, Unfit):
                    self._known[result.result_id, allocated_on] = made
                    break
                found.append(made)
            else:
                self._known[result.result_id, allocated_on] = tuple(found)

    def _closed(self, names: set[str], day: int) -> frozenset[str]:
        """Return which units have stopped for good by a day."""
        now = self._units.on(names, day)
        return frozenset(
            name
            for name, unit in now.items()
            if not unit.enterprise_id or "closed" in unit.facts.cases
        )

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
        self, known: "_Known", filings: Sequence[Filing], concluded: "_Concluded"
    ) -> GeneratingUnit | Plant | Unfit:
        sector = known.enterprise.sector
        made = _generating if sector == "power" else _plant
        figures = [self._months.figures(filing) for filing in filings]
        try:
            bills = [
                account_of(sector, filing, month)
                for filing, month in zip(filings, figures, strict=True)
            ]
            year = _Year(known, bills, figures, concluded)
            unit = made(year)
            # Within its bounds too: the registry, which computes it again, takes no other.
            msgspec.json.decode(msgspec.json.encode(unit), type=type(unit))
        except (ValueError, msgspec.ValidationError) as error:
            return Unfit(f"{known.name}: expected what a plan asks of it, got {error}")
        if isinstance(unit, Plant) and unit.intensity is None:
            _none, self.uncompared[unit.entity] = _compared(year)
        return unit


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


class _Known(NamedTuple):
    """What is known of a unit beside its figures."""

    enterprise: Enterprise
    name: str
    facts: UnitFacts
    is_closed: bool

    @property
    def cases(self) -> tuple[Case, ...]:
        """Return what a plan treats apart, one that has stopped for good among it."""
        stopped: tuple[Case, ...] = ("closed",) if self.is_closed else ()
        return tuple(dict.fromkeys((*self.facts.cases, *stopped)))


class _Concluded(NamedTuple):
    """What a verifier concluded of a unit: its emissions, as whole tonnes too, and its figures."""

    exact: Decimal
    tonnes: int
    figures: Mapping[str, Decimal]


class _Year(NamedTuple):
    unit: _Known
    bills: list[Accounted]
    figures: list[dict[str, KeptFigure]]
    concluded: _Concluded

    def sum(self, parameter: str) -> Decimal:
        """Return what a parameter is of the year: as it was concluded, or its months' sum."""
        if parameter in self.concluded.figures:
            return self.concluded.figures[parameter]
        values = (month[parameter].value for month in self.figures if parameter in month)
        return sum(map(Decimal, values), Decimal(0))


def _generating(year: _Year) -> GeneratingUnit:
    """Return a generating unit's year.

    Notes
    -----
    Rules: CEA-PLN-06, CEA-PLN-08, CEA-PWR-16, CEA-PWR-17, CEA-PWR-22, CEA-PWR-23, CEA-VER-16.
    """
    facts, concluded = year.unit.facts, year.concluded.figures
    shares = _heat_shares(year.bills, concluded)
    generated, heat, hours = (year.sum(code) for code in ("M", "N", "O"))
    is_supplied = counts_supplied(year.bills[0].year)
    electricity = year.sum("supplied") if is_supplied else generated
    capacity = Decimal(sum(facts.rated_kw)) / KW_PER_MW
    load_bp: int | None = 0
    if capacity * hours:
        load_bp = int(load(generated, capacity, hours) * 100)
    elif capacity and generated:
        load_bp = None
    return GeneratingUnit(
        entity=year.unit.enterprise.enterprise,
        province=str(year.unit.enterprise.province),
        name=year.unit.name,
        rated_kw=facts.rated_kw,
        conventional_bp=shares.conventional_bp,
        unconventional_bp=shares.unconventional_bp,
        gas_bp=shares.gas_bp,
        biomass_bp=biomass_bp(year.bills, concluded),
        own_secondary_bp=own_secondary_bp(year.bills, concluded),
        green_bp=facts.green_bp,
        cases=year.unit.cases,
        electricity_kwh=int(electricity * THOUSAND),
        heat_mj=int(heat * THOUSAND),
        load_bp=load_bp,
        heat_share_bp=heat_supply_bp(heat, year.sum("turbine_heat")) if is_supplied else 0,
        cooling=facts.cooling,
        emissions=year.concluded.tonnes,
    )


def _plant(year: _Year) -> Plant:
    """Return a plant's year.

    Notes
    -----
    What compares it is missing where it can't be computed: not every plan asks for it.

    Rules: CEA-PLN-04, CEA-PLN-17, CEA-PLN-18, CEA-PLN-20, CEA-CEM-06, CEA-VER-10.
    """
    enterprise, concluded = year.unit.enterprise, year.concluded
    is_cement = enterprise.sector == "cement"
    compared, _lacking = _compared(year)
    return Plant(
        entity=enterprise.enterprise,
        province=str(enterprise.province),
        name=year.unit.name,
        sector=msgspec.convert(enterprise.sector, type=Plant.__annotations__["sector"]),
        emissions=concluded.tonnes,
        intensity=compared,
        carbide_slag_bp=carbide_slag_bp(year.bills, concluded.figures) if is_cement else 0,
        cases=_plant_cases(year) if is_cement else year.unit.cases,
    )


def _compared(year: _Year) -> tuple[Decimal | None, str]:
    """Return a plant's intensity; or none, and what is lacking for it."""
    try:
        return intensity(year.bills, year.concluded.figures, year.concluded.exact), ""
    except ValueError as error:
        return None, str(error)


def _plant_cases(year: _Year) -> tuple[Case, ...]:
    """Return what a plan treats apart of a clinker line: white clinker only, by what it made.

    Notes
    -----
    Rules: CEA-PLN-04, CEA-PLN-17.
    """
    made = clinker_made(year.bills, year.concluded.figures)
    others = tuple(case for case in year.unit.cases if case != WHITE)
    return (*others, WHITE) if made.keys() == {"white"} else others


def _heat_shares(bills: Sequence[Accounted], concluded: Mapping[str, Decimal]) -> HeatShares:
    """Return which part of the heat each kind of fuel gave.

    Of one kind it is all of it; of a unit that burnt nothing there is none.
    """
    fuels = GUIDELINES["power"].fuels.values()
    burnt = ((bill, fuel) for bill in bills for fuel in fuels if f"A.{fuel.id}" in bill)
    kinds = {fuel.kind for bill, fuel in burnt if bill[f"A.{fuel.id}"]}
    if len(kinds) > 1 or any(f"heat.{fuel.id}" in concluded for fuel in fuels):
        return heat_shares(bills, concluded)
    shares = {f"{kind}_bp": WHOLE_BP if kind in kinds else 0 for kind in _KINDS}
    return HeatShares(**shares)
