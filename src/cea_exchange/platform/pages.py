"""What is shown of an enterprise, a month, a verification, a result: read, and put together."""

from typing import Any

import msgspec

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, month_checked, year_checked
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings import months, plans
from cea_exchange.platform.filings.account_parts import AccountParts
from cea_exchange.platform.filings.documents import Documents, Filing, Place
from cea_exchange.platform.filings.months import Months
from cea_exchange.platform.periods import month_end
from cea_exchange.platform.record import Record
from cea_exchange.platform.verification.clocks import Clocks
from cea_exchange.platform.verification.firms import Firms
from cea_exchange.platform.verification.verifications import Verifications

_OF_YEAR = (
    " AND (documents.period = :year OR documents.period BETWEEN 100 * :year AND 100 * :year + 12)"
)
SHOWN = (
    *("kind", "period", "version", "sha256", "emission", "mark", "reason", "due_on", "entered_on"),
)


class Pages:
    """Reads what persons look at."""

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        units: Units,
        documents: Documents,
        monthly: Months,
        firms: Firms,
        verifications: Verifications,
        account_parts: AccountParts,
        clocks: Clocks,
    ) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._units = units
        self._documents = documents
        self._months = monthly
        self._firms = firms
        self._verifications = verifications
        self._account_parts = account_parts
        self._clocks = clocks

    def enterprise(self, name: str) -> dict[str, Any]:
        """Return what is known of an enterprise today."""
        found = self._enterprises.of(name)
        today = self._record.business_date()
        facts = self._enterprises.facts_on(found.enterprise_id, today)
        lists = self._store.execute(
            "SELECT list_year, change, cause, tonnes FROM list_changes WHERE enterprise_id = ?"
            " ORDER BY change_id",
            (found.enterprise_id,),
        )
        results = self._store.execute(
            "SELECT compliance_year, version, tonnes, mark FROM verified_results"
            " WHERE enterprise_id = ? ORDER BY compliance_year, version",
            (found.enterprise_id,),
        )
        return {
            **found._asdict(),
            "facts": facts._asdict(),
            "active": self._account_parts.of(found.enterprise_id),
            "units": [
                {"unit": unit.unit, "facts": msgspec.to_builtins(unit.facts)}
                for unit in self._units.of(found.enterprise_id, today).values()
            ],
            "lists": _rows(lists.fetchall(), "list_year", "change", "cause", "tonnes"),
            "results": _rows(results.fetchall(), "compliance_year", "version", "tonnes", "mark"),
        }

    def filing(self, filing: Filing) -> dict[str, Any]:
        """Return what is shown of a version, without its figures."""
        shown = {name: getattr(filing, name) for name in SHOWN}
        return {**shown, "unit": self._unit_name(filing.unit_id), "entered_by": filing.entered_by}

    def filings(self, enterprise: str, year: int | None = None) -> list[dict[str, Any]]:
        """Return where the documents of an enterprise stand, by period."""
        if year is not None:
            year_checked(year)
        found = self._enterprises.of(enterprise)
        rows = self._store.execute(
            "SELECT documents.kind, documents.period, documents.unit_id, state, version,"
            " emission, mark, due_on, sha256 FROM documents"
            " JOIN filings ON filings.filing_id = documents.filing_id"
            " WHERE documents.enterprise_id = :whose"
            + _OF_YEAR * (year is not None)
            + " ORDER BY documents.period, documents.kind, documents.unit_id",
            {"whose": found.enterprise_id, "year": year or 0},
        )
        names = (
            *("kind", "period", "unit", "state", "version", "emission", "mark", "due_on", "sha256"),
        )
        return [
            dict(zip(names, (kind, period, self._unit_name(unit_id), *rest), strict=True))
            for kind, period, unit_id, *rest in rows.fetchall()
        ]

    def plan(self, enterprise: str, year: int) -> dict[str, Any]:
        """Return the quality-control plan that counts for a year."""
        found = self._enterprises.of(enterprise)
        filing = self._documents.accepted(Place(plans.KIND, found.enterprise_id, 0, year))
        if filing is None:
            raise PlatformActError(
                PlatformRefusal.FILING_UNKNOWN,
                f"plan {year}: expected one of {enterprise} that was accepted, got none",
            )
        return {**self.filing(filing), **msgspec.to_builtins(plans.plan_of(filing))}

    def waiting(self, province: int, kind: str, period: int) -> list[dict[str, Any]]:
        """Return what was filed in a province and is not accepted yet, with who passed it."""
        rows = self._store.execute(
            "SELECT enterprise, documents.filing_id, unit_id FROM documents"
            " JOIN enterprises ON enterprises.enterprise_id = documents.enterprise_id"
            " WHERE province = ? AND kind = ? AND period = ? AND state = 'filed'"
            " ORDER BY enterprise, unit_id",
            (province, kind, period),
        )
        return [
            {
                "enterprise": enterprise,
                "unit": self._unit_name(unit_id),
                "passed": [
                    step["level"]
                    for step in self._documents.steps(filing_id)
                    if step["step"] == "passed"
                ],
            }
            for enterprise, filing_id, unit_id in rows.fetchall()
        ]

    def month(self, enterprise: str, unit: str, month: int) -> dict[str, Any]:
        """Return a unit's month: the latest version's figures and account, and all versions."""
        month_checked(month)
        found = self._enterprises.of(enterprise)
        owned = self._units.owned(found.enterprise_id, unit, month_end(month))
        place = Place(months.KIND, found.enterprise_id, owned.unit_id, month)
        latest = self._documents.latest(place)
        standing = self._documents.standing(place)
        account = self._months.account(found.sector, latest)
        return {
            **self.filing(latest),
            "state": "" if standing is None else standing.state,
            "figures": [kept._asdict() for kept in self._months.figures(latest).values()],
            "quantities": [
                {
                    "name": each.name,
                    "value": f"{each.value:f}",
                    "unit": each.unit,
                    "rule": each.rule,
                    "origin": each.origin,
                    "mark": each.mark or "",
                }
                for each in account.quantities
            ],
            "versions": [
                {**self.filing(each), "steps": self._documents.steps(each.filing_id)}
                for each in self._documents.versions(place)
            ],
        }

    def verification(self, number: int) -> dict[str, Any]:
        """Return a verification with its findings."""
        task = self._verifications.of_number(number)
        return {
            **task._asdict(),
            "mark": self._documents.of_id(task.report_id).mark,
            "enterprise": self._enterprises.name_of(task.enterprise_id),
            "firm": self._firms.name_of(task.firm_id),
            "findings": self._verifications.findings(number),
        }

    def verifications(self, province: int, year: int) -> list[dict[str, Any]]:
        """Return a province's verifications of a year: whose, by whom, how far, what came of it."""
        rows = self._store.execute(
            "SELECT verifications.verification_id, enterprise, firm, given_on,"
            " verifications.due_on, state, mark, coalesce((SELECT tonnes FROM conclusions"
            "  WHERE conclusions.verification_id = verifications.verification_id"
            "  ORDER BY conclusion_id DESC LIMIT 1), 0),"
            " (SELECT count(*) FROM findings"
            "  WHERE findings.verification_id = verifications.verification_id"
            "  AND findings.state = 'open')"
            " FROM verifications"
            " JOIN enterprises ON enterprises.enterprise_id = verifications.enterprise_id"
            " JOIN service_firms ON service_firms.firm_id = verifications.firm_id"
            " JOIN filings ON filings.filing_id = verifications.report_id"
            " WHERE province = ? AND compliance_year = ?"
            " ORDER BY enterprise, verifications.verification_id",
            (province, year),
        )
        names = ("verification", "enterprise", "firm", "given_on", "due_on", "state", "mark")
        return _rows(rows.fetchall(), *names, "tonnes", "findings_open")

    def result(self, enterprise: str, year: int) -> dict[str, Any]:
        """Return the verified result that counts."""
        found = self._enterprises.of(enterprise)
        result = self._verifications.result(found.enterprise_id, year)
        concluded_on: int = self._store.one(
            "SELECT concluded_on FROM conclusions WHERE conclusion_id = ?", (result.conclusion_id,)
        )
        notify_by = self._clocks.feedback_due(concluded_on, year, found.sector)
        return {
            "enterprise": enterprise,
            "year": year,
            "tonnes": result.tonnes,
            "mark": result.mark,
            "version": result.version,
            "units": msgspec.json.decode(result.unit_emissions),
            "figures": msgspec.json.decode(result.unit_figures),
            "confirmed_by": result.confirmed_by,
            "notified_on": result.notified_on,
            "notify_by": notify_by.number,
            "is_notified_late": notify_by.is_over(result.notified_on),
        }

    def _unit_name(self, unit_id: int) -> str:
        return self._units.name_of(unit_id) if unit_id else ""


def _rows(rows: list[tuple[Any, ...]], *names: str) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]
