"""Verifications: a task, findings, a conclusion, and the province's word that makes it count.

given --> open --concluded by the verifier--> concluded --confirmed by the province--> confirmed
            |                                     |
            +---------- withdrawn <---------------+
"""

from calendar import isleap
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.compliance.accounting import GUIDELINES, entity_emissions
from cea_exchange.domain.compliance.listing.firms import report_number
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    TEXT_LENGTH_MAX,
    PlatformActError,
    choice_checked,
    day_checked,
    words_checked,
    year_checked,
)
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.filings import plans, reports
from cea_exchange.platform.filings.documents import Documents, Place
from cea_exchange.platform.filings.reports import ReportedUnit, Reports
from cea_exchange.platform.record import Acting, Record
from cea_exchange.platform.verification.firms import Firms


class Verification(NamedTuple):
    """A row of `verifications`."""

    verification_id: int
    enterprise_id: int
    compliance_year: int
    firm_id: int
    report_id: int
    given_on: int
    due_on: int
    state: str


class Finding(NamedTuple):
    """What does not conform; see the table `findings`."""

    unit_id: int
    period: int
    parameter: str
    rule: str
    document: str
    words: str


class Result(NamedTuple):
    """A verified result; see the table `verified_results`."""

    result_id: int
    enterprise_id: int
    compliance_year: int
    version: int
    tonnes: int
    mark: str
    unit_emissions: str
    unit_figures: str
    conclusion_id: int
    reason: str
    confirmed_by: str
    notified_on: int


_VERIFICATION = ", ".join(Verification._fields)
_RESULT = ", ".join(Result._fields)
_CLINKER = frozenset(name for _, name in GUIDELINES["cement"].quantities["clinker"])
_FUELS = GUIDELINES["power"].fuels.values()
_HEATS = frozenset(f"heat.{name}" for name in ("own", "biomass", *(fuel.id for fuel in _FUELS)))
CONCLUDED = {
    "power": _HEATS | {"M", "N", "O", "supplied", "turbine_heat"},
    "steel": frozenset({"iron", "E.iron", "E.sinter"}),
    "cement": _CLINKER | {"substitute.carbide_slag"},
    "aluminium": frozenset({"aluminium"}),
}
"""What a sector's allocation rests on, of the year, beside the emissions."""
HOURS = "O"
MADE = (
    frozenset({"M", "N", HOURS, "supplied", "turbine_heat", "iron", "aluminium"})
    | {"heat.own", "heat.biomass"}
    | _CLINKER
    | {f"heat.{fuel.id}" for fuel in _FUELS if fuel.kind == "unconventional"}
)
"""Of these more gives more allowances, or owes less; of hours, because the load is lower by them,
of unconventional coal, because its class has the highest benchmark."""
CONCLUDED_MAX = Decimal(10**12)
"""MWh, GJ or tonnes of a year stay below it, whatever a unit is."""
COMPARED = frozenset({"E.iron", "E.sinter"})
"""Of these less does."""
_UNDER_WAY = "('open', 'concluded')"


class Verifications:
    """The verifications of all enterprises.

    Attributes
    ----------
    after_confirming : list of callable
        Each is called with a result in the transaction that makes it count.
    """

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        firms: Firms,
        documents: Documents,
        annual_reports: Reports,
    ) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._firms = firms
        self._documents = documents
        self._reports = annual_reports
        self.after_confirming: list[Callable[[Result], None]] = []
        documents.before_entering.append(self._not_verified_check)

    # -- the province -----------------------------------------------------------------------------

    def give(self, enterprise: str, year: int, firm: str, due_on: int) -> int:
        """Give a firm the report of an enterprise to verify, and return the task's number.

        Notes
        -----
        Rules: CEA-ENT-15, CEA-VER-10.
        """
        year_checked(year)
        day_checked(due_on, "due_on")
        with self._record.transaction():
            whose, whom = self._enterprises.of(enterprise), self._firms.working(firm)
            self._firms.conflict_check(whom, whose, year)
            report_id = self._report_filed(whose, year)
            under_way = self._store.one(
                "SELECT verification_id FROM verifications"
                f" WHERE enterprise_id = ? AND compliance_year = ? AND state IN {_UNDER_WAY}",
                (whose.enterprise_id, year),
            )
            if under_way is not None:
                raise PlatformActError(
                    PlatformRefusal.VERIFICATION_STATE,
                    f"{enterprise} {year}: expected no verification under way, got {under_way}",
                )
            number = self._store.next_id("verifications", "verification_id")
            self._store.insert(
                f"verifications ({_VERIFICATION})",
                [
                    (number, whose.enterprise_id, year, whom.firm_id, report_id)
                    + (self._record.business_date(), due_on, "open")
                ],
            )
        return number

    def withdraw(self, number: int) -> None:
        """Take a task back, so that the enterprise may correct its report, or another firm has it.

        What was confirmed stays until a further result is.
        """
        with self._record.transaction():
            self.of_number(number, "open", "concluded", "confirmed")
            self._stand(number, "withdrawn")

    def confirm(self, person: Acting, number: int, reason: str = "") -> Result:
        """Make what a verifier concluded the result that counts, and tell the enterprise.

        Parameters
        ----------
        reason
            Why there is another result of the year; of the first there is none.

        Raises
        ------
        PlatformActError
            The verifier has to do with the enterprise, as was noted since; or for another reason.

        Notes
        -----
        Rules: CEA-VER-10, CEA-ENT-15.
        """
        words_checked(reason, "reason", is_needed=False)
        with self._record.transaction():
            task = self.of_number(number, "concluded")
            self._firms.conflict_check(
                self._firms.of(self._firms.name_of(task.firm_id)),
                self._enterprises.of(self._enterprises.name_of(task.enterprise_id)),
                task.compliance_year,
            )
            before = self._store.one(
                "SELECT max(version) FROM verified_results"
                " WHERE enterprise_id = ? AND compliance_year = ?",
                (task.enterprise_id, task.compliance_year),
            )
            if (before is not None) != bool(reason):
                expected = "no reason" if before is None else "the reason for another result"
                raise PlatformActError(
                    PlatformRefusal.REASON_MISSING, f"reason: expected {expected}, got {reason!r}"
                )
            conclusion_id, tonnes, units, figures = self._store.one(
                "SELECT conclusion_id, tonnes, unit_emissions, unit_figures FROM conclusions"
                " WHERE verification_id = ? ORDER BY conclusion_id DESC LIMIT 1",
                (number,),
            )
            result = Result(
                self._store.next_id("verified_results", "result_id"),
                task.enterprise_id,
                task.compliance_year,
                version=1 + (before or 0),
                tonnes=tonnes,
                mark=self._documents.of_id(task.report_id).mark,
                unit_emissions=units,
                unit_figures=figures,
                conclusion_id=conclusion_id,
                reason=reason,
                confirmed_by=person.name,
                notified_on=self._record.business_date(),
            )
            self._store.insert(f"verified_results ({_RESULT})", [result])
            self._stand(number, "confirmed")
            for follow in self.after_confirming:
                follow(result)
        return result

    # -- the verifier -----------------------------------------------------------------------------

    def find(self, person: Acting, number: int, finding: Finding) -> int:
        """Note what does not conform, and return the finding's number."""
        words_checked(finding.rule, "rule")
        words_checked(finding.words, "words", TEXT_LENGTH_MAX)
        words_checked(finding.parameter, "parameter", is_needed=False)
        words_checked(finding.document, "document", is_needed=False)
        with self._record.transaction():
            self._firms.person_check(person.name)
            self.of_number(number, "open")
            finding_id = self._store.next_id("findings", "finding_id")
            self._store.insert(
                "findings (finding_id, verification_id, unit_id, period, parameter, rule,"
                " document, words, state, found_by, found_on, closed_on)",
                [
                    (finding_id, number, *finding, "open", person.name)
                    + (self._record.business_date(), 0)
                ],
            )
        return finding_id

    def close(self, number: int, finding_id: int, state: str) -> None:
        """Note that what a finding names was fixed, or was not."""
        choice_checked(state, ("fixed", "not_fixed"), "state")
        with self._record.transaction():
            self.of_number(number, "open")
            before = self._store.one(
                "SELECT state FROM findings WHERE finding_id = ? AND verification_id = ?",
                (finding_id, number),
            )
            if before is None:
                raise PlatformActError(
                    PlatformRefusal.FINDING_UNKNOWN,
                    f"finding: expected one of verification {number}, got {finding_id}",
                )
            if before != "open":
                raise PlatformActError(
                    PlatformRefusal.FINDING_STATE,
                    f"finding {finding_id}: expected an open one, got {before}",
                )
            self._store.execute(
                "UPDATE findings SET state = ?, closed_on = ? WHERE finding_id = ?",
                (state, self._record.business_date(), finding_id),
            )

    def conclude(
        self,
        person: Acting,
        number: int,
        unit_emissions: Mapping[str, Decimal],
        unit_figures: Mapping[str, Mapping[str, Decimal]] = {},
    ) -> int:
        """Say what each unit emitted, and return the whole tonnes of the entity.

        What was not fixed is computed conservatively: a unit may not have emitted less then than
        reported, nor have made more; of steel neither iron making nor sinter may have emitted less.

        Parameters
        ----------
        unit_figures
            Unit -> parameter -> what it is of the year, where the sum of the months is not it: what
            an allocation rests on.

        Notes
        -----
        Rules: CEA-VER-10, CEA-VER-16.
        """
        with self._record.transaction():
            self._firms.person_check(person.name)
            task = self.of_number(number, "open")
            states = self._finding_states(number)
            if "open" in states:
                raise PlatformActError(
                    PlatformRefusal.FINDING_STATE,
                    f"verification {number}: expected every finding closed, got"
                    f" {states.count('open')} open",
                )
            report = self._documents.of_id(task.report_id)
            reported = self._reports.units(report)
            if unit_emissions.keys() != reported.keys():
                raise PlatformActError(
                    PlatformRefusal.UNITS_DIFFER,
                    f"units: expected {', '.join(sorted(reported))}, got"
                    f" {', '.join(sorted(unit_emissions)) or 'none'}",
                )
            for unit, emission in unit_emissions.items():
                least = Decimal(reported[unit].emission) if "not_fixed" in states else Decimal(0)
                if not emission.is_finite() or not least <= emission <= CONCLUDED_MAX:
                    raise PlatformActError(
                        PlatformRefusal.AMOUNT_UNSOUND,
                        f"{unit}: expected {least} t or more, and {CONCLUDED_MAX} at most, got"
                        f" {emission}",
                    )
            self._figures_check(task, unit_figures, reported, is_conservative="not_fixed" in states)
            tonnes = entity_emissions(unit_emissions.values()).tonnes
            self._store.insert(
                "conclusions (conclusion_id, verification_id, report_number, unit_emissions,"
                " unit_figures, tonnes, concluded_by, concluded_on)",
                [
                    (
                        self._store.next_id("conclusions", "conclusion_id"),
                        number,
                        self._report_number(task),
                        msgspec.json.encode(
                            {unit: f"{value:f}" for unit, value in unit_emissions.items()},
                            order="sorted",
                        ).decode(),
                        msgspec.json.encode(
                            {
                                unit: {name: f"{value:f}" for name, value in figures.items()}
                                for unit, figures in unit_figures.items()
                            },
                            order="sorted",
                        ).decode(),
                        tonnes,
                        person.name,
                        self._record.business_date(),
                    )
                ],
            )
            self._stand(number, "concluded")
        return tonnes

    # -- what there is ----------------------------------------------------------------------------

    def of_number(self, number: int, *states: str) -> Verification:
        """Return a verification, in one of some states where any are named."""
        row = self._store.one(
            f"SELECT {_VERIFICATION} FROM verifications WHERE verification_id = ?", (number,)
        )
        if row is None:
            raise PlatformActError(
                PlatformRefusal.VERIFICATION_UNKNOWN,
                f"verification: expected one that was given, got {number}",
            )
        task = Verification(*row)
        if states and task.state not in states:
            raise PlatformActError(
                PlatformRefusal.VERIFICATION_STATE,
                f"verification {number}: expected {' or '.join(states)}, got {task.state}",
            )
        return task

    def result(self, enterprise_id: int, year: int) -> Result:
        """Return the verified result that counts."""
        found = self.result_or_none(enterprise_id, year)
        if found is None:
            raise PlatformActError(
                PlatformRefusal.RESULT_UNKNOWN,
                f"year: expected one with a verified result, got {year}",
            )
        return found

    def result_or_none(self, enterprise_id: int, year: int) -> Result | None:
        """Return the verified result that counts; None if there is none."""
        row = self._store.one(
            f"SELECT {_RESULT} FROM verified_results"
            " WHERE enterprise_id = ? AND compliance_year = ? ORDER BY version DESC LIMIT 1",
            (enterprise_id, year),
        )
        return None if row is None else Result(*row)

    def findings(self, number: int) -> list[dict[str, Any]]:
        """Return the findings of a verification, in order."""
        names = ("finding_id", *Finding._fields, "state", "found_by", "found_on", "closed_on")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM findings WHERE verification_id = ?"
            " ORDER BY finding_id",
            (number,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    # -- how it is kept ---------------------------------------------------------------------------

    def _figures_check(
        self,
        task: Verification,
        unit_figures: Mapping[str, Mapping[str, Decimal]],
        reported: Mapping[str, ReportedUnit],
        *,
        is_conservative: bool,
    ) -> None:
        enterprise = self._enterprises.of(self._enterprises.name_of(task.enterprise_id))
        known = CONCLUDED[enterprise.sector]
        for unit, figures in unit_figures.items():
            if unit not in reported or not figures.keys() <= known:
                raise PlatformActError(
                    PlatformRefusal.UNITS_DIFFER,
                    f"figures: expected {_shown(known)} of"
                    f" {', '.join(sorted(reported))}, got {', '.join(figures)} of {unit}",
                )
            for name, value in figures.items():
                filed = self._reports.filed(enterprise.sector, reported[unit], name)
                least = Decimal(0)
                most = _hours_of(task.compliance_year) if name == HOURS else CONCLUDED_MAX
                words = f"{least} or more" if most == CONCLUDED_MAX else f"from 0 to {most}"
                if is_conservative and name in MADE:
                    most = min(most, max(filed, Decimal(0)))
                    words = f"from 0 to {most}, as filed,"
                elif is_conservative and name in COMPARED:
                    least = filed
                    words = f"{least} or more"
                if not value.is_finite() or not least <= value <= most:
                    raise PlatformActError(
                        PlatformRefusal.AMOUNT_UNSOUND,
                        f"{unit}: expected {words} of {name}, got {value} (CEA-VER-16)",
                    )

    def _finding_states(self, number: int) -> list[str]:
        return [finding["state"] for finding in self.findings(number)]

    def _report_filed(self, enterprise: Enterprise, year: int) -> int:
        place = Place(reports.KIND, enterprise.enterprise_id, 0, year)
        standing = self._documents.standing(place)
        if standing is None or standing.state not in ("filed", "accepted"):
            raise PlatformActError(
                PlatformRefusal.REPORT_MISSING,
                f"{enterprise.enterprise}: expected a filed report of {year}, got"
                f" {'none' if standing is None else standing.state}",
            )
        return standing.filing_id

    def _report_number(self, task: Verification) -> str:
        """Return the number of the next conclusion's report.

        Notes
        -----
        Rules: CEA-VER-11.
        """
        enterprise = self._enterprises.of(self._enterprises.name_of(task.enterprise_id))
        version = self._store.one(
            "SELECT 1 + count(*) FROM conclusions"
            " JOIN verifications"
            "  ON verifications.verification_id = conclusions.verification_id"
            " WHERE enterprise_id = ? AND compliance_year = ?",
            (task.enterprise_id, task.compliance_year),
        )
        return report_number(
            str(enterprise.province),
            self._firms.name_of(task.firm_id),
            enterprise.credit_code,
            task.compliance_year,
            version,
        )

    def _stand(self, number: int, state: str) -> None:
        self._store.execute(
            "UPDATE verifications SET state = ? WHERE verification_id = ?", (state, number)
        )

    def _not_verified_check(self, places: Sequence[Place]) -> None:
        """Refuse a further version of what is being verified, or was."""
        of_years = {
            (
                place.enterprise_id,
                place.period if place.kind == reports.KIND else place.period // 100,
            ): place
            for place in places
            if place.kind != plans.KIND
        }
        for (enterprise_id, year), place in of_years.items():
            row = self._store.one(
                "SELECT verification_id, state FROM verifications WHERE enterprise_id = ?"
                " AND compliance_year = ? AND state <> 'withdrawn'",
                (enterprise_id, year),
            )
            if row is not None:
                raise PlatformActError(
                    PlatformRefusal.YEAR_VERIFIED,
                    f"{place.kind} {place.period}: expected a year that is not verified, got"
                    f" verification {row[0]}, {row[1]}: the province has to take it back",
                )


def _hours_of(year: int) -> Decimal:
    return Decimal(24 * (365 + isleap(year)))


def _shown(known: frozenset[str]) -> str:
    """Return what may be concluded; of heats, which each fuel has, the form."""
    heats = {"heat.own", "heat.biomass", "heat.FUEL"} if known & _HEATS else set()
    return ", ".join(sorted((known - _HEATS) | heats)) or "none"
