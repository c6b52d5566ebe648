"""Cases: opened, taken step by step, decided, paid, published."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import Case, DocumentNumber, Province
from cea_exchange.platform.roles import OFFICIALS, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform

Fen = Annotated[int, field("Yuan, such as 1000.00.", typed="yuan")]


class CaseOpen(Request, tag="case_open"):
    """Open a case against an enterprise or a firm."""

    roles = (PROVINCE,)
    command = "case open"
    example = (
        "case open 33 unpaid 2024-12-31 --enterprise E1 --year 2023 --shortfall 865300"
        " --document case-1 --key sun"
    )

    province: Province
    offence: Annotated[str, field("unpaid, no_report, no_disclosure, fraud, ...")]
    committed_on: Annotated[int, field("When", typed="date")]
    document: DocumentNumber
    enterprise: Annotated[str | None, field("Whose breach.")] = None
    firm: Annotated[str | None, field("Whose breach.")] = None
    year: Annotated[int, field("Compliance year; 0 is of none.")] = 0
    shortfall: Annotated[int, field("Tonnes that were not surrendered.")] = 0
    gains: Annotated[int, field("Unlawful gains, in yuan.", typed="yuan")] = 0

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the province's, whose enterprise it must be."""
        if self.enterprise is not None:
            return platform.bodies_of(self.enterprise) & {f"province {self.province}"}
        return frozenset({f"province {self.province}"})

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.enforcement.cases import Breach

        of = {}
        if self.enterprise is not None:
            of["enterprise_id"] = platform.enterprises.of(self.enterprise).enterprise_id
        if self.firm is not None:
            of["firm_id"] = platform.firms.of(self.firm).firm_id
        case = platform.cases.open(
            platform.person,
            self.province,
            Breach(self.offence, self.committed_on, self.year, self.shortfall, self.gains),
            self.document,
            **of,
        )
        return {"case": case.case_id, "decide_by": case.decide_by}


class OfCase(Request):
    """Base of what speaks of one case: its province's business."""

    case: Case

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is."""
        return frozenset({f"province {platform.cases.of_number(self.case).province}"})


class CaseStep(OfCase, tag="case_step"):
    """Take a step in a case: an order, a notice, service, publication, an appeal, a stop."""

    roles = (PROVINCE,)
    command = "case step"
    example = "case step 7 order --document order-1 --due-on 2025-03-01 --key sun"

    step: Annotated[str, field("order, refuse, correct, notice, serve, publish, ...")]
    document: DocumentNumber
    words: Annotated[str, field("What was said.")] = ""
    due_on: Annotated[int, field("The day that an order sets", typed="date")] = 0

    def act(self, platform: "Platform") -> dict[str, Any]:
        case = platform.cases.take(
            platform.person,
            self.case,
            self.step,
            self.document,
            words=self.words,
            due_on=self.due_on,
        )
        return {"state": case.state}


class CaseDecide(OfCase, tag="case_decide"):
    """Decide a fine within what the law of the year allows; a second person approves."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case decide"
    example = (
        'case decide 7 423997000.00 --document decision-1 --words "REG 24"'
        " --traded-value 7385561333.79 --traded-tonnes 75365531 --key sun"
    )

    fine: Fen
    document: DocumentNumber
    words: Annotated[str, field("Which law was chosen, and why.", is_option=True)]
    missing: Annotated[
        int | None, field("Tonnes missing at the end of the order's term: of a second fine.")
    ] = None
    traded_value: Annotated[
        int | None, field("Yuan traded in the deadline's month.", typed="yuan")
    ] = None
    traded_tonnes: Annotated[int | None, field("Tonnes traded in it.")] = None

    def act(self, platform: "Platform") -> dict[str, Any]:

        traded = None
        if self.traded_value is not None and self.traded_tonnes is not None:
            traded = Traded(amount=self.traded_value, tonnes=self.traded_tonnes)
        case = platform.cases.decide(
            platform.person,
            self.case,
            self.fine,
            self.document,
            words=self.words,
            missing=self.missing,
            traded=traded,
        )
        return {"state": case.state, "fine": case.fine_fen}


class CasePay(OfCase, tag="case_pay"):
    """Note a payment of a fine."""

    roles = (PROVINCE,)
    command = "case pay"
    example = "case pay 7 423997000.00 --document slip-1 --key sun"

    paid: Fen
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        owed = platform.cases.pay(platform.person, self.case, self.paid, self.document)
        return {"owed": owed}


class CaseCut(OfCase, tag="case_cut"):
    """Decide that an entity's next allowances are cut, where the law of the year allows it."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case cut"
    example = "case cut 7 865300 0 --document decision-2 --key sun"

    tonnes: Annotated[int, field("How many.")]
    of: Annotated[int, field("Of what a share is cut: the next final allocation, or 0.")]
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        case = platform.cases.cut(platform.person, self.case, self.tonnes, self.of, self.document)
        return {"state": case.state}


class CaseShow(OfCase, tag="case_show"):
    """Print a case with its steps."""

    roles = OFFICIALS
    is_look = True
    command = "case show"
    example = "case show 7"

    def act(self, platform: "Platform") -> dict[str, Any]:
        case = platform.cases.of_number(self.case)
        return {
            **case._asdict(),
            "owed_fen": platform.cases.owed(case),
            "may": platform.cases.may(case),
            "steps": platform.cases.steps(self.case),
        }


class CaseList(Request, tag="case_list"):
    """Print a province's cases, the last one first."""

    roles = OFFICIALS
    is_look = True
    command = "case list"
    example = "case list 33"
    rows = ("cases",)

    province: Province
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        page, further = page_at(platform.cases.of_province(self.province), self.first, self.count)
        return {"cases": page, "next": further}


class PenaltyList(Request, tag="penalty_list"):
    """Print the decisions that were published."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "penalty list"
    example = "penalty list"

    def act(self, platform: "Platform") -> dict[str, Any]:
        return {"penalties": platform.cases.published()}
