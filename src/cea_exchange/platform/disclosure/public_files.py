"""Public files: what each entity emitted and whether it surrendered, verifiers' scores, penalties.

A file has the columns that stand here, and no way to have others: no person, no figure of a month,
no document and nothing of trade leaves by it.
"""

from typing import NamedTuple

from cea_exchange.files.kinds import DAY, NAME, PROVINCE, TONNES_OR_ZERO, YEAR, Whole, Words
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.files.writing import table_bytes
from cea_exchange.platform.checks import year_checked
from cea_exchange.platform.disclosure.operation_changes import CHANGES, OperationChanges
from cea_exchange.platform.enforcement.cases import Cases
from cea_exchange.platform.record import Record
from cea_exchange.platform.verification.firms import Firms

FEN_MAX = 10**15


class PublicEmission(NamedTuple):
    """What an entity emitted in a year, as it was verified."""

    compliance_year: int
    province: int
    enterprise: str
    title: str
    sector: str
    tonnes: int
    mark: str
    """Why the tonnes are no settled law: ``second_hand``."""


class PublicCompletion(NamedTuple):
    """Whether an entity has surrendered all that it owed for a year, and when it had."""

    compliance_year: int
    province: int
    enterprise: str
    title: str
    sector: str
    completed: int
    completed_on: int | None


class PublicService(NamedTuple):
    """Which firm did what for an entity's year, as the entity declared it."""

    compliance_year: int
    province: int
    enterprise: str
    title: str
    firm: str
    firm_title: str
    service: str


class PublicScore(NamedTuple):
    """How a province scored a verifier."""

    score_year: int
    province: int
    firm: str
    quality: int
    compliance: int
    timeliness: int


class PublicPenalty(NamedTuple):
    """A decision that was published."""

    case_id: int
    stage: int
    province: int
    who: str
    offence: str
    law: str
    fine_fen: int
    confiscated_fen: int
    decided_on: int


EMISSIONS = Layout(
    title="emissions",
    row=PublicEmission,
    columns=(
        Column("compliance_year", YEAR),
        Column("province", PROVINCE),
        Column("enterprise", NAME),
        Column("title", Words()),
        Column("sector", NAME),
        Column("tonnes", TONNES_OR_ZERO),
        Column("mark", Words(), empty=""),
    ),
    totals=Totals(mark="enterprise", summed=("tonnes",), by="province"),
    once=("enterprise",),
    same=("compliance_year",),
)
COMPLETION = Layout(
    title="completion",
    row=PublicCompletion,
    columns=(
        Column("compliance_year", YEAR),
        Column("province", PROVINCE),
        Column("enterprise", NAME),
        Column("title", Words()),
        Column("sector", NAME),
        Column("completed", Whole(0, 2, "1, or 0 that has not")),
        Column("completed_on", DAY, empty=None),
    ),
    totals=Totals(mark="enterprise", summed=("completed",), by="province"),
    once=("enterprise",),
    same=("compliance_year",),
)
SERVICES = Layout(
    title="services",
    row=PublicService,
    columns=(
        Column("compliance_year", YEAR),
        Column("province", PROVINCE),
        Column("enterprise", NAME),
        Column("title", Words()),
        Column("firm", NAME),
        Column("firm_title", Words()),
        Column("service", NAME),
    ),
    totals=Totals(mark="enterprise", summed=()),
    once=("enterprise", "firm", "service"),
    same=("compliance_year",),
)
_POINTS = Whole(0, 101, "points")
SCORES = Layout(
    title="scores",
    row=PublicScore,
    columns=(
        Column("score_year", YEAR),
        Column("province", PROVINCE),
        Column("firm", NAME),
        Column("quality", _POINTS),
        Column("compliance", _POINTS),
        Column("timeliness", _POINTS),
    ),
    totals=Totals(mark="firm", summed=("quality",)),
    once=("firm", "province"),
    same=("score_year",),
)
PENALTIES = Layout(
    title="penalties",
    row=PublicPenalty,
    columns=(
        Column("case_id", Whole(1, FEN_MAX, "number")),
        Column("stage", Whole(1, 3, "1, or 2")),
        Column("province", PROVINCE),
        Column("who", NAME),
        Column("offence", NAME),
        Column("law", Words()),
        Column("fine_fen", Whole(0, FEN_MAX, "fen")),
        Column("confiscated_fen", Whole(0, FEN_MAX, "fen")),
        Column("decided_on", DAY),
    ),
    totals=Totals(mark="who", summed=("fine_fen",)),
    once=("case_id", "stage"),
)


class PublicFiles:
    """Reads what is public."""

    def __init__(self, record: Record, firms: Firms, cases: Cases) -> None:
        self._store = record.store
        self._firms = firms
        self._cases = cases
        self._changes = OperationChanges(record)

    def emissions(self, year: int, form: str = ".csv") -> bytes:
        """Return what listed entities emitted in a year, as a file.

        Notes
        -----
        Rules: CEA-ENT-17, CEA-VER-12.
        """
        year_checked(year)
        rows = self._store.execute(
            "SELECT compliance_year, province, enterprise, title, sector, tonnes, mark"
            " FROM verified_results AS result"
            " JOIN enterprises ON enterprises.enterprise_id = result.enterprise_id"
            " JOIN enterprise_facts ON fact_id = (SELECT max(fact_id) FROM enterprise_facts AS last"
            "  WHERE last.enterprise_id = result.enterprise_id)"
            " WHERE compliance_year = :year AND version = (SELECT max(version)"
            "  FROM verified_results AS later WHERE later.compliance_year = :year"
            "  AND later.enterprise_id = result.enterprise_id)"
            " ORDER BY province, enterprise",
            {"year": year},
        )
        return table_bytes(EMISSIONS, [PublicEmission(*row) for row in rows.fetchall()], form)

    def changes(self, year: int, form: str = ".csv") -> bytes:
        """Return what changed in the operation of listed entities in a year, as a file.

        Notes
        -----
        Rules: CEA-ENT-17.
        """
        year_checked(year)
        return table_bytes(CHANGES, self._changes.of_year(year), form)

    def completion(self, year: int, form: str = ".csv") -> bytes:
        """Return which entities have surrendered what they owed for a year, as a file.

        It says whether and when, and no tonnes that an entity holds or traded.

        Notes
        -----
        Rules: CEA-ENT-17, CEA-PLK-07.
        """
        year_checked(year)
        rows = self._store.execute(
            "SELECT obligation.compliance_year, province, enterprise, title, sector,"
            " CASE WHEN owed = due_tonnes THEN completed_on ELSE 0 END"
            " FROM obligations AS obligation"
            " JOIN enterprises ON enterprises.enterprise_id = obligation.enterprise_id"
            " JOIN enterprise_facts ON fact_id = (SELECT max(fact_id) FROM enterprise_facts AS last"
            "  WHERE last.enterprise_id = obligation.enterprise_id)"
            " LEFT JOIN completions ON completion_seq = (SELECT max(completion_seq)"
            "  FROM completions AS last WHERE last.compliance_year = :year"
            "  AND last.enterprise_id = obligation.enterprise_id)"
            " WHERE obligation.compliance_year = :year AND due_tonnes > 0"
            " AND version = (SELECT max(version) FROM obligations AS later"
            "  WHERE later.compliance_year = :year"
            "  AND later.enterprise_id = obligation.enterprise_id)"
            " ORDER BY province, enterprise",
            {"year": year},
        )
        lines = [
            PublicCompletion._make((*entity, int(day > 0), day or None))
            for *entity, day in rows.fetchall()
        ]
        return table_bytes(COMPLETION, lines, form)

    def services(self, year: int, form: str = ".csv") -> bytes:
        """Return which service firms entities had for a year, as a file.

        Notes
        -----
        Rules: CEA-ENT-17.
        """
        year_checked(year)
        rows = self._store.execute(
            "SELECT compliance_year, province, enterprise, enterprise_facts.title, firm,"
            " service_firms.title, service FROM standing_engagements AS declared"
            " JOIN service_firms ON service_firms.firm_id = declared.firm_id"
            " JOIN enterprises ON enterprises.enterprise_id = declared.enterprise_id"
            " JOIN enterprise_facts ON fact_id = (SELECT max(fact_id) FROM enterprise_facts AS last"
            "  WHERE last.enterprise_id = declared.enterprise_id)"
            " WHERE compliance_year = ?"
            " ORDER BY province, enterprise, firm, service",
            (year,),
        )
        return table_bytes(SERVICES, [PublicService(*row) for row in rows.fetchall()], form)

    def scores(self, year: int, form: str = ".csv") -> bytes:
        """Return how verifiers were scored in a year, as a file.

        Notes
        -----
        Rules: CEA-ENT-16.
        """
        year_checked(year)
        rows = [
            PublicScore(
                *(year, each["province"], each["firm"], each["quality"]),
                *(each["compliance"], each["timeliness"]),
            )
            for each in self._firms.scores(year)
        ]
        return table_bytes(SCORES, rows, form)

    def penalties(self, form: str = ".csv") -> bytes:
        """Return the decisions that were published, as a file.

        Notes
        -----
        Rules: CEA-LAW-23.
        """
        rows = [
            PublicPenalty(
                *(each["case_id"], each["stage"], each["province"]),
                *(each["enterprise"] or each["firm"], each["offence"], each["law"]),
                *(each["fine_fen"], each["confiscated_fen"], each["decided_on"]),
            )
            for each in self._cases.published()
        ]
        return table_bytes(PENALTIES, rows, form)
