"""Cross-checks of a year's months: of all versions, of an enterprise, a province or the nation."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from cea_exchange.domain.compliance.plausibility import (
    Filed,
    Finding,
    UnitFacts,
    detect,
    gather,
)
from cea_exchange.domain.compliance.plausibility.energy import months_against_year
from cea_exchange.domain.compliance.plausibility.filings import Filings, unit_of
from cea_exchange.platform.checks import year_checked
from cea_exchange.platform.entity_list.unit_facts import UnitFacts as KnownFacts
from cea_exchange.platform.filings import months
from cea_exchange.platform.filings.evidence import Evidence
from cea_exchange.platform.filings.month_files import MEASURED
from cea_exchange.platform.filings.months import KeptFigure
from cea_exchange.platform.filings.plans import Plan, Plans
from cea_exchange.platform.record import Record

CLASS_KW = 400_000
"""From this rating on a generating unit is compared with the large ones."""


class _Unplanned:
    """What was measured, and no line of the enterprise's plan says how; or that there is no plan.

    Of an enterprise without a plan that counts each unit's first month of the year is a finding.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], tuple[int, list[Finding]]] = {}
        self._without: dict[str, int] = {}

    def look(self, plan: Plan | None, filed: Filed) -> None:
        """Look at a value; of a month's versions, which come in order, the last one counts.

        Notes
        -----
        Rules: CEA-VER-07, CEA-MRV-12.
        """
        if plan is None:
            self._without.setdefault(filed.unit, filed.month)
            return
        at = filed.unit, filed.month
        version, found = self._found.get(at, (0, []))
        if version != filed.version:
            version, found = self._found[at] = filed.version, []
        is_second = ":" in filed.parameter
        if filed.measured and not is_second and not plan.has(filed.unit, filed.parameter):
            found.append(
                Finding(
                    unit=filed.unit,
                    month=filed.month,
                    detector="not_in_plan",
                    figure=filed.parameter,
                    found=f"{filed.value} {unit_of(filed.parameter)}",
                    expected="measured as the quality-control plan says, which has no line of it",
                    rule="CEA-VER-07",
                    document=filed.document,
                )
            )

    def findings(self) -> Iterator[Finding]:
        """Yield them."""
        for _version, found in self._found.values():
            yield from found
        for unit, month in self._without.items():
            yield Finding(
                unit=unit,
                month=month,
                detector="no_plan",
                figure="quality-control plan",
                found=f"none of {month // 100} that counts",
                expected="one that was due by 31 December before, and was accepted",
                rule="CEA-MRV-12",
                document="",
            )


class CrossChecks:
    """Reads what was filed, and lets the detectors look at it."""

    def __init__(self, record: Record, plans: Plans, evidence: Evidence) -> None:
        self._store = record.store
        self._plans = plans
        self._evidence = evidence
        self._decode = msgspec.json.Decoder(list[KeptFigure]).decode
        self._decode_figures = msgspec.json.Decoder(dict[str, dict[str, Decimal]]).decode

    def findings(
        self, year: int, *, province: int | None = None, enterprise: str | None = None
    ) -> tuple[Finding, ...]:
        """Return what is unlikely in a year's months, or contradicts itself or a second source.

        A finding is a warning for whoever reviews, never a verdict.

        Notes
        -----
        Rules: CEA-VER-01 to CEA-VER-08, CEA-CEM-08.
        """
        year_checked(year)
        terms: dict[str, int | str] = {
            "kind": months.KIND,
            "first": 100 * (year - 1) + 1,
            "last": 100 * year + 12,
            "province": province or 0,
            "enterprise": enterprise or "",
        }
        chosen = _OF_PROVINCE * (province is not None) + _OF_ENTERPRISE * (enterprise is not None)
        unplanned = _Unplanned()
        filed = self._filed(chosen, terms, year, unplanned)
        filings = gather(self._units(chosen, terms), filed, self._evidence.spliced())
        yearly = self._verified(chosen, {**terms, "year": year}, filings)
        found = (*detect(filings), *months_against_year(filings, yearly))
        # The year before is there to be compared with.
        of_year = (each for each in found if each.month // 100 == year)
        return tuple(sorted((*of_year, *unplanned.findings())))

    def _verified(
        self, chosen: str, terms: dict[str, int | str], filings: Filings
    ) -> dict[tuple[str, int, str], Decimal]:
        """Return the yearly figures that verifiers concluded, of units that filed."""
        rows = self._store.execute(
            "SELECT unit_figures FROM verified_results AS result"
            " JOIN enterprises ON enterprises.enterprise_id = result.enterprise_id"
            f" WHERE compliance_year = :year{chosen} AND version = (SELECT max(version)"
            "  FROM verified_results AS later WHERE later.compliance_year = :year"
            "  AND later.enterprise_id = result.enterprise_id)",
            terms,
        )
        known = {facts.name for facts in filings.units}
        return {
            (unit, int(terms["year"]), name): value
            for (text,) in rows.fetchall()
            for unit, figures in self._decode_figures(text).items()
            if unit in known
            for name, value in figures.items()
        }

    def _units(self, chosen: str, terms: dict[str, int | str]) -> list[UnitFacts]:
        """Return the units of which something was filed."""
        rows = self._store.execute(
            "SELECT DISTINCT unit, sector, facts FROM filings"
            " JOIN enterprises ON enterprises.enterprise_id = filings.enterprise_id"
            " JOIN units ON units.unit_id = filings.unit_id"
            " JOIN unit_facts ON unit_facts.unit_id = filings.unit_id AND fact_id ="
            "  (SELECT max(fact_id) FROM unit_facts AS last"
            "   WHERE last.unit_id = filings.unit_id)"
            f" WHERE kind = :kind AND period BETWEEN :first AND :last{chosen} ORDER BY unit",
            terms,
        )
        return [_facts(*row) for row in rows.fetchall()]

    def _filed(
        self,
        chosen: str,
        terms: dict[str, int | str],
        year: int,
        unplanned: _Unplanned,
    ) -> Iterator[Filed]:
        """Yield every value of every version that was filed; note what the plan does not name.

        They are read an enterprise at a time: a nation's year is 900,000 values.
        """
        rows = self._store.execute(
            f"SELECT enterprise_id FROM enterprises WHERE true{chosen} ORDER BY enterprise_id",
            terms,
        )
        for (enterprise_id,) in rows.fetchall():
            plan = self._plans.accepted(enterprise_id, year)
            for each in self._of_enterprise({**terms, "enterprise_id": enterprise_id}):
                if each.month // 100 == year:
                    unplanned.look(plan, each)
                yield each

    def _of_enterprise(self, terms: dict[str, int | str]) -> Iterator[Filed]:
        rows = self._store.execute(
            "SELECT unit, period, version, content, reason, day FROM filings"
            " JOIN units ON units.unit_id = filings.unit_id"
            " JOIN filing_steps ON filing_steps.filing_id = filings.filing_id AND step = 'filed'"
            " WHERE enterprise_id = :enterprise_id AND kind = :kind"
            " AND period BETWEEN :first AND :last ORDER BY unit, period, version",
            terms,
        )
        for unit, month, version, content, reason, day in rows.fetchall():
            for kept in self._decode(content):
                yield Filed(
                    unit=unit,
                    month=month,
                    parameter=kept.parameter,
                    value=Decimal(kept.value),
                    measured=kept.origin == MEASURED,
                    document=kept.evidence,
                    filed_on=day,
                    version=version,
                    reason=reason,
                )


_OF_PROVINCE = " AND province = :province"
_OF_ENTERPRISE = " AND enterprise = :enterprise"


def _facts(unit: str, sector: str, text: str) -> UnitFacts:
    facts = msgspec.json.decode(text, type=KnownFacts)
    peers = sector
    if facts.rated_kw:
        peers = "power of 400 MW" if max(facts.rated_kw) >= CLASS_KW else "power below 400 MW"
    return UnitFacts(
        name=unit,
        sector=msgspec.convert(sector, UnitFacts.__annotations__["sector"]),
        peers=peers,
        approved_t_a_day=0 if facts.line is None else facts.line.approved_t_a_day,
        rated_kw=sum(facts.rated_kw),
    )
