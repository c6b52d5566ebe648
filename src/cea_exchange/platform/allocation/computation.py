"""What a province's entities are to have of a year, by its plan, from their verified results."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.compliance.plans import (
    PLAN_YEARS,
    GeneratingUnit,
    Plan,
    Plant,
    allocate,
    not_allocable,
    plan,
    pre_allocate,
)
from cea_exchange.domain.compliance.plans.allocating import solve
from cea_exchange.domain.compliance.ruled import Mark, marks_text
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.allocation.unit_years import PlanUnits, Unfit, UnitYears
from cea_exchange.platform.checks import PlatformActError, rule_refusals_raised
from cea_exchange.platform.entity_list.enterprises import Enterprise
from cea_exchange.platform.record import Record
from cea_exchange.platform.verification.verifications import Result

_LISTED = (
    "SELECT enterprise_id FROM list_changes AS entry"
    " WHERE list_year = :list_year AND change = 'entered' AND change_id ="
    " (SELECT max(change_id) FROM list_changes AS later"
    "  WHERE later.list_year = :list_year AND later.enterprise_id = entry.enterprise_id)"
)
_RESULTS = (
    "SELECT"
    f" {', '.join(f'enterprises.{name}' for name in Enterprise._fields)},"
    f" {', '.join(f'result.{name}' for name in Result._fields)}, report_id"
    f" FROM ({_LISTED}) AS listed"
    " JOIN enterprises ON enterprises.enterprise_id = listed.enterprise_id"
    " LEFT JOIN verified_results AS result ON result.enterprise_id = listed.enterprise_id"
    " AND result.compliance_year = :year AND result.version = (SELECT max(version)"
    "  FROM verified_results AS later WHERE later.enterprise_id = listed.enterprise_id"
    "  AND later.compliance_year = :year)"
    " LEFT JOIN conclusions ON conclusions.conclusion_id = result.conclusion_id"
    " LEFT JOIN verifications"
    " ON verifications.verification_id = conclusions.verification_id"
)


class Verified(NamedTuple):
    """A listed enterprise, its result that counts, and the report that was verified."""

    enterprise: Enterprise
    result: Result
    report_id: int


class Line(NamedTuple):
    """What an entity is to have; see the table `allocation_lines`."""

    enterprise: str
    result_id: int
    emissions: int
    tonnes: int
    duty: int
    mark: str
    units: str


class Terms(NamedTuple):
    """What the authority set of a year, for all provinces alike.

    Attributes
    ----------
    balance
        Sector -> balance value.
    cap_factor
        None: the plan has no absolute cap.
    """

    balance: dict[str, Fraction]
    cap_factor: Fraction | None


class LeftOut(NamedTuple):
    """An entity whose figures lack what its plan asks: it is not allocated, and others are.

    Attributes
    ----------
    words
        Which unit, what was expected of it, and what there is.
    """

    enterprise: str
    words: str


class RolledUp(NamedTuple):
    """What follows from all verified results of a year, and why it is no settled law.

    Attributes
    ----------
    left_out
        Those on whose figures it does not rest.
    """

    terms: Terms
    mark: str
    left_out: list[LeftOut]


class Computed(NamedTuple):
    """What entities are to have, and which of them nothing can be computed of yet."""

    lines: list[Line]
    left_out: list[LeftOut]


class _Given(NamedTuple):
    tonnes: int = 0
    duty: int = 0
    marks: tuple[Mark, ...] = ()


class Computation:
    """Computes allocations; it changes nothing."""

    def __init__(self, record: Record, unit_years: UnitYears) -> None:
        self._record = record
        self._store = record.store
        self._unit_years = unit_years

    def roll_up(self, year: int) -> RolledUp:
        """Return the balance values and the cap's factor that all verified results give.

        Notes
        -----
        Rules: CEA-PLN-21, CEA-PLN-22, CEA-PLN-32, CEA-MRV-03.
        """
        rules = _plan(year)
        covered = self._covered(rules, self._results(year))
        by_day: dict[int, list[Verified]] = {}
        for each in covered:
            day = self._allocated_on(each.enterprise.province, year)
            by_day.setdefault(day, []).append(each)
        units: tuple[GeneratingUnit | Plant, ...] = ()
        left_out: list[LeftOut] = []
        for day, verified in by_day.items():
            fit, out = self._fit(verified, day, rules)
            units += tuple(_all(fit))
            left_out += out
        with rule_refusals_raised(PlatformRefusal.ALLOCATION_NOT_COMPUTABLE):
            values = solve(rules, units)
            factor = None
            if rules.absolute_cap is not None:
                factor = allocate(rules, units, balance=values).cap_factor
        balance = {str(sector): value for sector, value in values.items()}
        results = (each.result.mark.split() for each in covered)
        mark = marks_text(self.marks(year), *results)
        return RolledUp(Terms(balance, factor), mark, sorted(left_out))

    def compute(
        self, province: int, year: int, stage: str, share_bp: int | None = None
    ) -> Computed:
        """Return what each entity of a province is to have of a year.

        Notes
        -----
        Rules: CEA-PLN-02, CEA-PLN-05, CEA-PLN-13, CEA-PLN-14, CEA-PLN-30, CEA-MRV-03.
        """
        rules = _plan(year)
        basis = rules.ahead_year if stage == "pre" else year
        # There was no list before the first plan.
        listed = basis if basis >= PLAN_YEARS[0] else year
        found = self._covered(rules, self._results(basis, province, list_year=listed))
        if basis != year:
            found = self._still_listed(found, year)
        # What is given ahead by emissions asks for no class and no intensity.
        by_output = rules.early_power is not None and rules.early_power.ahead_from == "output"
        applied = rules if stage != "pre" or by_output else None
        today = self._record.business_date()
        allocated_on = self._allocated_on(province, year) if stage == "adjustment" else today
        units, left_out = self._fit(found, allocated_on, applied)
        with rule_refusals_raised(PlatformRefusal.ALLOCATION_NOT_COMPUTABLE):
            given = (
                _ahead(rules, units, share_bp)
                if stage == "pre"
                else _whole(rules, units, self.terms(year))
            )
        lines = [
            Line(
                enterprise.enterprise,
                result.result_id,
                result.tonnes,
                mine.tonnes,
                mine.duty,
                marks_text(mine.marks, result.mark.split()),
                msgspec.json.encode(units[enterprise.enterprise]).decode(),
            )
            for enterprise, result, _report_id in found
            if enterprise.enterprise in units
            for mine in (given.get(enterprise.enterprise, _Given()),)
        ]
        return Computed(lines, left_out)

    def _fit(
        self, verified: Sequence[Verified], allocated_on: int, rules: Plan | None
    ) -> tuple[dict[str, PlanUnits], list[LeftOut]]:
        """Return entity -> its units, and those whose figures lack what a plan asks of them."""
        found = dict(
            zip(
                (each.enterprise.enterprise for each in verified),
                self._unit_years.of(verified, allocated_on),
                strict=True,
            )
        )
        why = {name: years.words for name, years in found.items() if isinstance(years, Unfit)}
        fit = {name: years for name, years in found.items() if not isinstance(years, Unfit)}
        if rules is not None:
            for name, words in not_allocable(rules, tuple(_all(fit))).items():
                lacking = self._unit_years.uncompared.get(name)
                why[name] = words if lacking is None else f"{words}: {lacking}"
        kept = {name: units for name, units in fit.items() if name not in why}
        return kept, [LeftOut(name, why[name]) for name in sorted(why)]

    def _allocated_on(self, province: int, year: int) -> int:
        """Return the day by which a unit that has stopped counts as closed.

        That is the day of the year's final allocation, today until there is one: what stops behind
        it changes nothing.

        Notes
        -----
        Rules: CEA-PLN-02, CEA-PLN-05.
        """
        final_on: int | None = self._store.one(
            "SELECT min(distributed_on) FROM allocations WHERE province = ?"
            " AND compliance_year = ? AND stage = 'final' AND state = 'distributed'",
            (province, year),
        )
        return self._record.business_date() if final_on is None else final_on

    def marks(self, year: int) -> tuple[Mark, ...]:
        """Return why a year's plan as a whole is no settled law."""
        mark = _plan(year).mark
        return () if mark is None else (mark,)

    def terms(self, year: int) -> Terms:
        """Return what the authority set of a year; a sector without a balance value has none.

        Raises
        ------
        PlatformActError
            The plan has an absolute cap, and the authority has not rolled up the nation yet.
        """
        rules = _plan(year)
        return Terms(self._balance(rules), self._cap_factor(rules))

    def _still_listed(self, found: list[Verified], year: int) -> list[Verified]:
        """Leave out who is not on the list of a year; of a year that has none yet nobody is."""
        rows = self._store.execute(_LISTED, {"list_year": year})
        listed = {enterprise_id for (enterprise_id,) in rows.fetchall()}
        if not listed:
            return found
        return [each for each in found if each.enterprise.enterprise_id in listed]

    def _covered(self, rules: Plan, found: list[Verified]) -> list[Verified]:
        return [each for each in found if rules.covers(_sector(each.enterprise))]

    def _results(
        self, year: int, province: int | None = None, *, list_year: int | None = None
    ) -> list[Verified]:
        """Return the listed enterprises of a year with their verified results, by name.

        Parameters
        ----------
        list_year
            Of the list, where it is another one's.

        Raises
        ------
        PlatformActError
            A listed one has none.
        """
        rows = self._store.execute(
            _RESULTS + ("" if province is None else " WHERE province = :province")
            + " ORDER BY enterprise",
            {"year": year, "list_year": list_year or year, "province": province},
        ).fetchall()
        count = len(Enterprise._fields)
        missing = [row[1] for row in rows if row[-1] is None]
        if missing or not rows:
            raise PlatformActError(
                PlatformRefusal.RESULTS_MISSING,
                f"{year}: expected a verified result of every listed enterprise, got none of"
                f" {', '.join(missing[:20]) or 'any'}",
            )
        return [
            Verified(Enterprise(*row[:count]), Result(*row[count:-1]), row[-1]) for row in rows
        ]

    def _balance(self, rules: Plan) -> dict[str, Fraction]:
        if rules.industry is None or rules.industry.method != "intensity":
            return {}
        rows = self._store.execute(
            "SELECT sector, numerator, denominator FROM balance_values"
            " WHERE compliance_year = ? ORDER BY balance_id",
            (rules.year,),
        )
        return {
            sector: Fraction(int(above), int(below)) for sector, above, below in rows.fetchall()
        }

    def _cap_factor(self, rules: Plan) -> Fraction | None:
        if rules.absolute_cap is None:
            return None
        row = self._store.execute(
            "SELECT numerator, denominator FROM cap_factors WHERE compliance_year = ?"
            " ORDER BY factor_id DESC LIMIT 1",
            (rules.year,),
        ).fetchone()
        if row is None:
            raise PlatformActError(
                PlatformRefusal.ALLOCATION_NOT_COMPUTABLE,
                f"{rules.year}: expected the factor of the absolute cap, which the authority's"
                " roll-up sets, got none (CEA-PLN-32)",
            )
        return Fraction(int(row[0]), int(row[1]))


def _plan(year: int) -> Plan:
    with rule_refusals_raised(PlatformRefusal.ALLOCATION_NOT_COMPUTABLE):
        return plan(year)


def _sector(enterprise: Enterprise) -> Any:
    return enterprise.sector


def _ahead(
    rules: Plan, units: Mapping[str, PlanUnits], share_bp: int | None
) -> dict[str, _Given]:
    """Return what each entity is given ahead; it owes nothing yet."""
    given: dict[str, _Given] = {}
    for unit in pre_allocate(rules, _all(units), share_bp=share_bp):
        before = given.get(unit.entity, _Given())
        marks = (*before.marks, *unit.marks)
        given[unit.entity] = _Given(before.tonnes + unit.tonnes, 0, marks)
    return given


def _whole(rules: Plan, units: Mapping[str, PlanUnits], terms: Terms) -> dict[str, _Given]:
    """Return what each entity is to have of the year, and what it owes."""
    balance: Any = terms.balance
    found = allocate(rules, _all(units), balance=balance, cap_factor=terms.cap_factor)
    given = {each.entity: _Given(each.final, each.duty, each.marks) for each in found.entities}
    for unit in found.units:
        # One that is outside the plan has no part in its entity's tonnes; why it is, is marked.
        mine = given.get(unit.entity, _Given())
        given[unit.entity] = mine._replace(marks=(*mine.marks, *unit.marks))
    return given


def _all(units: Mapping[str, PlanUnits]) -> Iterable[GeneratingUnit | Plant]:
    return (unit for of_it in units.values() for unit in of_it)
