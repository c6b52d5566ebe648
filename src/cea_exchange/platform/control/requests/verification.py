"""Service firms, verifications, results, objections."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.checks import PlatformActError, month_checked
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import (
    CreditCode,
    DocumentNumber,
    Enterprise,
    Firm,
    Number,
    Province,
    Reason,
    Title,
    Verification,
    Year,
)
from cea_exchange.platform.roles import (
    AUTHORITY,
    ENTERPRISES,
    OFFICIALS,
    OPERATOR,
    PREPARER,
    PROVINCE,
    ROLES,
    SIGNATORY,
    VERIFIER,
)

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform

Service = Annotated[Literal["report", "advice", "laboratory"], field("What it did.")]


class FirmRegister(Request, tag="firm_register"):
    """Register a service firm."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "firm register"
    example = 'firm register V1 91330100799655058B --title "Verifiers 1"'

    firm: Firm
    credit_code: CreditCode
    title: Title

    def act(self, platform: "Platform") -> dict[str, Any]:
        number = platform.firms.register(self.firm, credit_code=self.credit_code, title=self.title)
        return {"firm_id": number}


class FirmBar(Request, tag="firm_bar"):
    """Let a firm take no more work."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.OWN
    command = "firm bar"
    example = "firm bar V1"

    firm: Firm

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.firms.bar(self.firm)
        return {}


class FirmEngage(Request, tag="firm_engage"):
    """Declare which firm did what for an enterprise's compliance year."""

    roles = ENTERPRISES
    command = "firm engage"
    example = "firm engage E1 A1 2025 report --key li"

    enterprise: Enterprise
    firm: Firm
    year: Year
    service: Service

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the enterprise's, not the firm's."""
        return platform.bodies_of(self.enterprise)

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.firms.engage(self.enterprise, self.firm, self.year, self.service)
        return {}


class FirmDisengage(Request, tag="firm_disengage"):
    """Withdraw what an enterprise declared of a firm that did no such thing."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "firm disengage"
    example = "firm disengage E1 A1 2025 report --document letter-3 --key sun"

    enterprise: Enterprise
    firm: Firm
    year: Year
    service: Service
    document: DocumentNumber

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: that of the enterprise's province, not the firm's."""
        return platform.bodies_of(self.enterprise)

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.firms.disengage(
            self.enterprise, self.firm, self.year, self.service, self.document
        )
        return {}


class FirmTie(Request, tag="firm_tie"):
    """Note that a firm holds an interest in an enterprise, shares a manager with it, or trades.

    It may not verify that enterprise then; who trades, or advises, may verify nobody.
    """

    roles = (OPERATOR,)
    second = Second.OWN
    command = "firm tie"
    example = "firm tie V1 manager --enterprise E1 --until 2024-05-31 --document register-4"

    firm: Firm
    kind: Annotated[Literal["interest", "manager", "trade"], field("interest, manager or trade.")]
    document: DocumentNumber
    enterprise: Annotated[str | None, field("With which enterprise.")] = None
    until: Annotated[
        int, field("When a manager of both last was with it; left out, still is", typed="date")
    ] = 0

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.firms.tie(
            self.firm, self.kind, self.document, enterprise=self.enterprise, until=self.until
        )
        return {}


class FirmUntie(Request, tag="firm_untie"):
    """End a firm's ties of a kind: noted by mistake, or no more."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "firm untie"
    example = "firm untie V1 interest --enterprise E1 --document register-7"

    firm: Firm
    kind: Annotated[Literal["interest", "manager", "trade"], field("interest, manager or trade.")]
    document: DocumentNumber
    enterprise: Annotated[str | None, field("With which enterprise.")] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        ended = platform.firms.untie(
            self.firm, self.kind, self.document, enterprise=self.enterprise
        )
        return {"ended": ended}


class FirmScore(Request, tag="firm_score"):
    """Score a firm's verifications of a year in a province, from 0 to 100 each."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "firm score"
    example = "firm score V1 2025 33 90 100 80"

    firm: Firm
    year: Year
    province: Province
    quality: Annotated[int, field("Of its work.")]
    compliance: Annotated[int, field("With the rules.")]
    timeliness: Annotated[int, field("Whether it was in time.")]
    remarks: Annotated[str, field("In words.")] = ""

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the province's, not the firm's."""
        return frozenset({f"province {self.province}"})

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.firms.score(
            self.firm,
            self.year,
            self.province,
            quality=self.quality,
            compliance=self.compliance,
            timeliness=self.timeliness,
            remarks=self.remarks,
        )
        return {}


class FirmScores(Request, tag="firm_scores"):
    """Print the scores of a year."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "firm scores"
    example = "firm scores 2025"

    year: Year

    def act(self, platform: "Platform") -> dict[str, Any]:
        return {"scores": platform.firms.scores(self.year)}


class VerificationGive(Request, tag="verification_give"):
    """Give a firm the report of an enterprise to verify."""

    roles = (PROVINCE,)
    command = "verification give"
    example = "verification give E1 2025 V1 2026-06-30 --key sun"

    enterprise: Enterprise
    year: Year
    firm: Firm
    due_on: Annotated[int, field("Until when", typed="date")]

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the enterprise's province's."""
        return platform.bodies_of(self.enterprise)

    def act(self, platform: "Platform") -> dict[str, Any]:
        number = platform.verifications.give(self.enterprise, self.year, self.firm, self.due_on)
        return {"verification": number}


class OfVerification(Request):
    """Base of what speaks of one verification: its firm's, its enterprise's and its province's."""

    verification: Verification

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is."""
        return platform.bodies_of_verification(self.verification)


class VerificationWithdraw(OfVerification, tag="verification_withdraw"):
    """Take a verification back, so that its report may be corrected, or another firm has it."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "verification withdraw"
    example = "verification withdraw 12"

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.verifications.withdraw(self.verification)
        return {}


class VerificationFind(OfVerification, tag="verification_find"):
    """Note what does not conform in a report."""

    roles = (VERIFIER,)
    command = "verification find"
    example = (
        'verification find 12 2025-07 CEA-PWR-08 "the laboratory has no CMA mark"'
        " --unit E1-1 --parameter B.bituminous --key wu"
    )

    period: Annotated[int, field("Of when", typed="period")]
    rule: Annotated[str, field("Which rule is not kept.")]
    words: Annotated[str, field("What was found.")]
    unit: Annotated[str | None, field("Of which unit.")] = None
    parameter: Annotated[str, field("Of which figure.")] = ""
    document: Annotated[str, field("SHA-256 of the document.")] = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.periods import month_end
        from cea_exchange.platform.verification.verifications import Finding

        task = platform.verifications.of_number(self.verification)
        unit_id = 0
        if self.unit is not None:
            month_checked(self.period)
            unit_id = platform.units.owned(
                task.enterprise_id, self.unit, month_end(self.period)
            ).unit_id
        finding = Finding(
            *(unit_id, self.period, self.parameter, self.rule, self.document, self.words)
        )
        number = platform.verifications.find(platform.person, self.verification, finding)
        return {"finding": number}


class FindingClose(OfVerification, tag="finding_close"):
    """Note that what a finding names was fixed, or was not."""

    roles = (VERIFIER,)
    command = "finding close"
    example = "finding close 12 3 fixed --key wu"

    finding: Annotated[Number, field("The finding's number.")]
    state: Annotated[Literal["fixed", "not_fixed"], field("fixed or not_fixed.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.verifications.close(self.verification, self.finding, self.state)
        return {}


class VerificationConclude(OfVerification, tag="verification_conclude"):
    """Say what each unit of the report emitted, and what else of its year is not as filed."""

    roles = (VERIFIER,)
    command = "verification conclude"
    example = "verification conclude 12 E1-1=2957724.00 --key wu"

    units: Annotated[
        str, field("UNIT=TONNES of every unit, such as E1-1=2957724.00, with commas between.")
    ]

    figures: Annotated[
        str,
        field(
            "UNIT:PARAMETER=VALUE where the months' sum is not the year's, such as"
            " E1-1:M=3590000, with commas between."
        ),
    ] = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        tonnes = platform.verifications.conclude(
            platform.person,
            self.verification,
            _unit_tonnes(self.units),
            _unit_figures(self.figures),
        )
        return {"tonnes": tonnes}


def _unit_figures(text: str) -> dict[str, dict[str, Decimal]]:
    found: dict[str, dict[str, Decimal]] = {}
    for place, value in _unit_tonnes(text).items() if text else ():
        unit, _, parameter = place.partition(":")
        found.setdefault(unit, {})[parameter] = value
    return found


def _unit_tonnes(text: str) -> dict[str, Decimal]:
    found = {}
    for part in text.split(","):
        unit, _, tonnes = part.partition("=")
        bare = tonnes.replace(".", "", 1)
        if not (bare.isascii() and bare.isdecimal()) or unit in found:
            raise PlatformActError(
                PlatformRefusal.AMOUNT_UNSOUND,
                f"units: expected UNIT=TONNES, each unit once, got {part!r}",
            )
        found[unit] = Decimal(tonnes)
    return found


class VerificationConfirm(OfVerification, tag="verification_confirm"):
    """Make what was concluded the result that counts; a second person of the province approves."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "verification confirm"
    example = "verification confirm 12 --key sun"

    reason: Reason = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        result = platform.verifications.confirm(platform.person, self.verification, self.reason)
        return {"tonnes": result.tonnes, "version": result.version}


class VerificationShow(OfVerification, tag="verification_show"):
    """Print a verification with its findings."""

    roles = ROLES
    is_look = True
    command = "verification show"
    example = "verification show 12"

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.pages.verification(self.verification)


class VerificationList(Request, tag="verification_list"):
    """Print a province's verifications of a compliance year, by enterprise."""

    roles = OFFICIALS
    is_look = True
    command = "verification list"
    example = "verification list 33 2025"
    rows = ("verifications",)

    province: Province
    year: Year
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.pages.verifications(self.province, self.year)
        page, further = page_at(rows, self.first, self.count)
        return {"verifications": page, "next": further}


class ResultShow(Request, tag="result_show"):
    """Print the verified result of an enterprise's year."""

    roles = ROLES
    is_look = True
    command = "result show"
    example = "result show E1 2025"

    enterprise: Enterprise
    year: Year

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.pages.result(self.enterprise, self.year)


class ObjectionMake(Request, tag="objection_make"):
    """Object to a verified result, or to what was allocated."""

    roles = (PREPARER, SIGNATORY)
    command = "objection make"
    example = 'objection make E1 2025 verification "the July coal was weighed twice" --key zhao'

    enterprise: Enterprise
    year: Year
    against: Annotated[Literal["verification", "allocation"], field("To what.")]
    words: Annotated[str, field("Why.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.objection_make(self.enterprise, self.year, self.against, self.words)


class ObjectionDecide(Request, tag="objection_decide"):
    """Uphold an objection or dismiss it."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "objection decide"
    example = 'objection decide 3 upheld "the scale\'s record shows it" --key sun'

    objection: Annotated[Number, field("The objection's number.")]
    state: Annotated[Literal["upheld", "dismissed"], field("upheld or dismissed.")]
    answer: Annotated[str, field("Why.")]

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: of the enterprise that objects."""
        enterprise_id = platform.objections.enterprise_of(self.objection)
        return platform.bodies_of(platform.enterprises.name_of(enterprise_id))

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.objections.decide(platform.person, self.objection, self.state, self.answer)
        return {}
