"""Evidence, plans, months, reports, and what the levels say to them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import to_builtins

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.control.request import source_file
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.choices import Cause
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import (
    AnyFile,
    Content,
    Encoding,
    Enterprise,
    EnterpriseOnly,
    Kind,
    Month,
    Province,
    Reason,
    Seen,
    TableFile,
    UnitName,
    Why,
    Year,
)
from cea_exchange.platform.roles import (
    AUTHORITY,
    CITY,
    ENTERPRISES,
    OFFICIALS,
    OPERATOR,
    PREPARER,
    PROVINCE,
    REGULATOR,
    REVIEWER,
    ROLES,
    SIGNATORY,
)

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform
    from cea_exchange.user_files.read_ahead import Reading

LEVELS = (CITY, PROVINCE, AUTHORITY)
Period = Annotated[int, field("Of when", typed="period")]


class EvidenceBring(Request, tag="evidence_bring"):
    """Keep a document that figures rest on; its hash is printed."""

    roles = ENTERPRISES
    command = "evidence bring"
    example = "evidence bring E1 coal-ledger-2025-07.pdf --key li"

    enterprise: Enterprise
    file: AnyFile
    content: Content

    def readings(self, services: Any) -> Iterable["Reading"]:
        from cea_exchange.platform.filings.document_pages import readings

        return readings(self.content)

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.of(self.enterprise)
        digest = platform.evidence.bring(platform.person, found, self.file, self.content)
        return {"sha256": digest}


class EvidenceList(Request, tag="evidence_list"):
    """Print an enterprise's documents."""

    roles = ROLES
    is_look = True
    command = "evidence list"
    example = "evidence list E1"
    rows = ("documents",)

    enterprise: Enterprise
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.of(self.enterprise)
        rows = platform.evidence.of(found.enterprise_id)
        page, further = page_at(rows, self.first, self.count)
        return {"documents": page, "next": further}


class PlanEnter(Request, tag="plan_enter"):
    """Enter a quality-control plan of a year as a draft: how each figure is measured.

    The file is refused whole where a line is unsound. A plan that counts is changed for one of six
    causes only.
    """

    roles = (PREPARER,)
    command = "plan enter"
    example = (
        'plan enter E1 2026 plan-2026.csv --boundary "boiler, turbine and generator 1"'
        ' --quality "figures checked weekly, records kept for five years" --key li'
    )

    enterprise: Enterprise
    year: Year
    file: TableFile
    content: Content
    boundary: Annotated[str, field("What is reported, what not.", is_option=True)]
    quality: Annotated[str, field("Who checks what, and keeps it.", is_option=True)]
    monitoring: Annotated[str, field("What measures emissions continuously.")] = ""
    cause: Annotated[Cause | None, field("Why a plan that counts is changed.")] = None
    encoding: Encoding = "utf-8"
    reason: Reason = ""

    def readings(self, services: Any) -> Iterable["Reading"]:
        return source_file(self.file, self.content, self.encoding).readings

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.filings.plans import PlanWords

        filing = platform.plans.enter(
            *(platform.person, self.enterprise, self.year),
            source_file(self.file, self.content, self.encoding),
            PlanWords(self.boundary, self.quality, self.monitoring),
            cause=self.cause or "",
            reason=self.reason,
        )
        return {"version": filing.version, "sha256": filing.sha256}


class PlanShow(Request, tag="plan_show"):
    """Print the quality-control plan that counts for a year."""

    roles = ROLES
    is_look = True
    command = "plan show"
    example = "plan show E1 2026"

    enterprise: Enterprise
    year: Year

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.pages.plan(self.enterprise, self.year)


class PlanFile(Request, tag="plan_file"):
    """File a plan that another person entered."""

    roles = (REVIEWER,)
    command = "plan file"
    example = "plan file E1 2026 --key wang"

    enterprise: Enterprise
    year: Year
    seen: Seen = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        filing = platform.plans.file(platform.person, self.enterprise, self.year, self.seen)
        return {"version": filing.version, "due_on": filing.due_on}


class MonthEnter(Request, tag="month_enter"):
    """Enter the figures of months from a file, all of them as drafts or none.

    The file is refused whole where a figure is unsound, each with its line and its rule.
    """

    roles = (PREPARER,)
    command = "month enter"
    example = "month enter E1 july.csv --key li"

    enterprise: Enterprise
    file: TableFile
    content: Content
    encoding: Encoding = "utf-8"
    reason: Reason = ""

    def readings(self, services: Any) -> Iterable["Reading"]:
        return source_file(self.file, self.content, self.encoding).readings

    def act(self, platform: "Platform") -> dict[str, Any]:
        source = source_file(self.file, self.content, self.encoding)
        filings = platform.months.enter(platform.person, self.enterprise, source, self.reason)
        return {"entered": [platform.pages.filing(filing) for filing in filings]}


class MonthFile(Request, tag="month_file"):
    """File a month, or a year's months, that another person entered, of all units."""

    roles = (REVIEWER,)
    command = "month file"
    example = "month file E1 2025-07 --key wang"

    enterprise: Enterprise
    period: Period
    seen: Annotated[
        dict[str, str] | None, field("Unit -> sha256 of what was seen.", is_hidden=True)
    ] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        filings = platform.months.file(platform.person, self.enterprise, self.period, self.seen)
        return {"filed": [platform.pages.filing(filing) for filing in filings]}


class MonthShow(Request, tag="month_show"):
    """Print a unit's month: its figures, what they give by the guideline, and its versions."""

    roles = ROLES
    is_look = True
    command = "month show"
    example = "month show E1 E1-1 2025-07"

    enterprise: Enterprise
    unit: UnitName
    month: Month

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.pages.month(self.enterprise, self.unit, self.month)


class ReportEnter(Request, tag="report_enter"):
    """Enter the report that the accepted months of a year give, as a draft."""

    roles = (PREPARER,)
    command = "report enter"
    example = "report enter E1 2025 --key li"

    enterprise: Enterprise
    year: Year
    reason: Reason = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        filing = platform.reports.enter(platform.person, self.enterprise, self.year, self.reason)
        return {"tonnes": int(filing.emission), "sha256": filing.sha256}


class ReportSign(Request, tag="report_sign"):
    """Sign, and file, a report that another person entered."""

    roles = (SIGNATORY,)
    command = "report sign"
    example = "report sign E1 2025 --key zhao"

    enterprise: Enterprise
    year: Year
    seen: Seen = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        filing = platform.reports.sign(platform.person, self.enterprise, self.year, self.seen)
        return {"tonnes": int(filing.emission), "due_on": filing.due_on}


class FilingPass(Request, tag="filing_pass"):
    """Say, for one's level, that there is nothing against what an enterprise filed of a period.

    Of a year, and of months, it is said of all that were filed.
    """

    roles = LEVELS
    command = "filing pass"
    example = "filing pass E1 month 2025-07 --key chen"

    enterprise: Enterprise
    kind: Kind
    period: Period

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.of(self.enterprise)
        return {
            "states": platform.documents.pass_all(
                platform.person, found.enterprise_id, self.kind, self.period
            )
        }


class FilingReturn(Request, tag="filing_return"):
    """Return what an enterprise filed of a period; it has to enter another version."""

    roles = LEVELS
    command = "filing return"
    example = 'filing return E1 month 2025-07 --why "the coal is half of June" --key chen'

    enterprise: Enterprise
    kind: Kind
    period: Period
    why: Why

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.enterprises.of(self.enterprise)
        platform.documents.give_back_all(
            platform.person, found.enterprise_id, self.kind, self.period, self.why
        )
        return {}


class FilingRetrofit(Request, tag="filing_retrofit"):
    """Change what a sector filed of a year by its guideline, which a notice has changed since.

    Each plan and month has a further version that names the notice; what counted counts on. What
    was measured stays, and so does all of a year whose report is filed.
    """

    roles = (AUTHORITY,)
    second = Second.OWN
    command = "filing retrofit"
    example = 'filing retrofit power 2026 "notice of 2026-06-23" --key zhou'

    sector: Annotated[Literal["power", "steel", "cement", "aluminium"], field("Of whom.")]
    year: Year
    notice: Annotated[str, field("Number of the notice.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.retrofits.retrofit(platform.person, self.sector, self.year, self.notice)


class FilingList(Request, tag="filing_list"):
    """Print where the documents of an enterprise stand."""

    roles = ROLES
    is_look = True
    command = "filing list"
    example = "filing list E1 --year 2025"
    rows = ("filings",)

    enterprise: Enterprise
    year: Annotated[int | None, field("Only of this year.")] = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.pages.filings(self.enterprise, self.year)
        page, further = page_at(rows, self.first, self.count)
        return {"filings": page, "next": further}


class FilingWaiting(Request, tag="filing_waiting"):
    """Print what waits for a level's word in a province."""

    roles = OFFICIALS
    is_look = True
    command = "filing waiting"
    example = "filing waiting 33 month 2025-07"
    rows = ("waiting",)

    province: Province
    kind: Kind
    period: Period
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the province's, and that of its cities."""
        return super().bodies(platform) | platform.city_bodies(self.province)

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.pages.waiting(self.province, self.kind, self.period)
        page, further = page_at(rows, self.first, self.count)
        return {"waiting": page, "next": further}


class DueList(Request, tag="due_list"):
    """Print what an enterprise has to file or surrender by a day, what it filed late, what the
    calendar has until then, and what it was reminded of."""

    roles = ROLES
    is_look = True
    command = "due"
    example = "due E1 --until 2026-03-31"

    enterprise: Enterprise
    until: Annotated[int | None, field("Up to this day", typed="date")] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        until = platform.business_date() if self.until is None else self.until
        return {
            "missing": [due._asdict() for due in platform.due.missing(self.enterprise, until)],
            "late": platform.due.late(self.enterprise),
            "coming": platform.due.coming(self.enterprise, until),
            "reminders": platform.due.reminders(self.enterprise),
        }


class EvidenceShared(Request, tag="evidence_shared"):
    """Print documents that more than one enterprise brought."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_look = True
    command = "evidence shared"
    example = "evidence shared"
    rows = ("documents",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = [
            {"sha256": digest, "enterprises": who} for digest, who in platform.evidence.shared()
        ]
        page, further = page_at(rows, self.first, self.count)
        return {"documents": page, "next": further}


class CheckRun(Request, tag="check_run"):
    """Print what is unlikely in a province's months of a year, or contradicts itself.

    Each finding names its rule, figure and document; it warns, and decides nothing.
    """

    roles = OFFICIALS
    is_look = True
    command = "figure check"
    example = "figure check 33 2025 --enterprise E1"
    rows = ("findings",)

    province: Province
    year: Year
    enterprise: EnterpriseOnly = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        found = platform.cross_checks.findings(
            self.year, province=self.province, enterprise=self.enterprise
        )
        page, further = page_at([to_builtins(each) for each in found], self.first, self.count)
        return {"findings": page, "next": further}
