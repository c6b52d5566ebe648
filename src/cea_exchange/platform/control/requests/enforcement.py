"""Cases: opened, taken step by step, decided, paid, published."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.calendar import date_number, date_parse
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.domain.units import cash_parse
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.platform.checks import PlatformActError, choice_checked, words_checked
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.control.requests.fields import Case, DocumentNumber, Province
from cea_exchange.platform.enforcement.steps import OF_TWO, OWN, STEPS
from cea_exchange.platform.roles import OFFICIALS, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.platform.enforcement.deciding import Answerable
    from cea_exchange.platform.platform import Platform

Fen = Annotated[int, field("Yuan, such as 1000.00.", typed="yuan")]
OfDecision = Annotated[int, field("Number of the decision; 0 is the first that is not paid.")]


class CaseOpen(Request, tag="case_open"):
    """Open a case against an enterprise or a firm.

    What was not surrendered is known from the obligation and from what the registry has told.
    """

    roles = (PROVINCE,)
    command = "case open"
    example = (
        "case open 33 unpaid 2024-12-31 --enterprise E1 --year 2023 --document case-1 --key sun"
    )

    province: Province
    offence: Annotated[str, field("unpaid, no_report, no_disclosure, fraud, ...")]
    committed_on: Annotated[
        int, field("When, or when it ended; of what is unpaid the deadline", typed="date")
    ]
    document: DocumentNumber
    enterprise: Annotated[str | None, field("Whose breach.")] = None
    firm: Annotated[str | None, field("Whose breach.")] = None
    year: Annotated[int, field("Compliance year; 0 is of none.")] = 0
    gains: Annotated[int, field("Unlawful gains, in yuan.", typed="yuan")] = 0
    found_on: Annotated[int, field("When it was found; today if left out", typed="date")] = 0
    harmful: Annotated[bool, field("It did harm, and may be punished for five years.")] = False
    apart: Annotated[str, field("Why it is another act than one that has a case.")] = ""
    extended: Annotated[bool, field("15 days more were granted to open it.")] = False

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: the province's, whose enterprise it must be."""
        if self.enterprise is not None:
            return platform.bodies_of(self.enterprise) & {f"province {self.province}"}
        return frozenset({f"province {self.province}"})

    def act(self, platform: "Platform") -> dict[str, Any]:
        from cea_exchange.platform.enforcement.cases import Breach

        enterprise_id = firm_id = 0
        if self.enterprise is not None:
            enterprise_id = platform.enterprises.of(self.enterprise).enterprise_id
        if self.firm is not None:
            firm_id = platform.firms.of(self.firm).firm_id
        breach = Breach(
            *(self.offence, self.committed_on, self.year, self.gains),
            *(self.found_on, self.harmful, self.apart),
        )
        case = platform.cases.open(
            *(platform.person, self.province, breach, self.document),
            enterprise_id=enterprise_id,
            firm_id=firm_id,
            is_extended=self.extended,
        )
        shown = platform.cases.shown(case.case_id)
        return {
            "case": case.case_id,
            "shortfall": case.shortfall,
            "decide_by": shown["decide_by"],
            "is_provisional": shown["is_provisional"],
        }


class OfCase(Request):
    """Base of what speaks of one case: its province's business."""

    case: Case

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is."""
        return frozenset({f"province {platform.cases.of_number(self.case).province}"})


class CaseStep(OfCase, tag="case_step"):
    """Take a step in a case: an order, a notice, a hearing, service, publication, an appeal."""

    roles = (PROVINCE,)
    command = "case step"
    example = "case step 7 order --document order-1 --due-on 2025-03-01 --key sun"

    step: Annotated[str, field("order, refuse, correct, notice, serve, publish, ...")]
    document: DocumentNumber
    words: Annotated[str, field("What was said.")] = ""
    due_on: Annotated[
        int, field("The last day of an order's term, or the day of a hearing", typed="date")
    ] = 0

    def act(self, platform: "Platform") -> dict[str, Any]:
        choice_checked(self.step, _OF_ONE, "step")
        case = platform.cases.procedure.take(
            platform.person,
            self.case,
            self.step,
            self.document,
            words=self.words,
            due_on=self.due_on,
        )
        return {"state": case.state}


_OF_ONE = tuple(each for each in STEPS if each not in OWN | OF_TWO)


class CaseDrop(OfCase, tag="case_drop"):
    """Drop a case that is not decided: nobody is punished; a second person approves."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case drop"
    example = 'case drop 7 --document note-1 --words "the act is not proved" --key sun'

    document: DocumentNumber
    words: Annotated[str, field("Why it is dropped.", is_option=True)]

    def act(self, platform: "Platform") -> dict[str, Any]:
        words_checked(self.words, "words")
        case = platform.cases.procedure.take(
            *(platform.person, self.case, "drop", self.document), words=self.words
        )
        return {"state": case.state}


class CaseStopProduction(OfCase, tag="case_stop_production"):
    """Stop the production of who refuses an order to correct; a second person approves."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case stop-production"
    example = "case stop-production 7 --document stop-1 --key sun"

    document: DocumentNumber
    words: Annotated[str, field("What was said.")] = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        case = platform.cases.procedure.take(
            *(platform.person, self.case, "stop_production", self.document), words=self.words
        )
        return {"state": case.state}


class CaseDecide(OfCase, tag="case_decide"):
    """Decide a fine within what the law of the act allows; a second person approves.

    A second fine is of what was missing at the end of the order's term, as the registry has told.
    """

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case decide"
    example = (
        'case decide 7 423997000.00 --document decision-1 --words "the least of it"'
        " --traded-value 7385561333.79 --traded-tonnes 75365531 --key sun"
    )

    fine: Fen
    document: DocumentNumber
    words: Annotated[str, field("Why it is decided so.", is_option=True)]
    traded_value: Annotated[
        int | None, field("Yuan traded in the deadline's month.", typed="yuan")
    ] = None
    traded_tonnes: Annotated[int | None, field("Tonnes traded in it.")] = None
    persons: Annotated[
        str, field("NAME:YUAN of each who answers for it, or NAME:YUAN:life; commas between.")
    ] = ""
    measures: Annotated[
        str, field("barred_from_service or licence_withdrawn, where the law has it.")
    ] = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        traded = None
        if self.traded_value is not None and self.traded_tonnes is not None:
            traded = Traded(amount=self.traded_value, tonnes=self.traded_tonnes)
        case = platform.cases.deciding.decide(
            platform.person,
            self.case,
            self.fine,
            self.document,
            words=self.words,
            traded=traded,
            persons=[_answerable(each) for each in self.persons.split(",") if each],
            measures=[each.strip() for each in self.measures.split(",") if each],
        )
        return {"state": case.state, "fine": case.fine_fen}


def _answerable(text: str) -> "Answerable":
    from cea_exchange.platform.enforcement.deciding import Answerable

    name, _, rest = text.strip().partition(":")
    yuan, _, ban = rest.partition(":")
    choice_checked(ban, ("", "life"), "ban")
    try:
        return Answerable(name, cash_parse(yuan), for_life=ban == "life")
    except ValueError as error:
        raise PlatformActError(
            PlatformRefusal.AMOUNT_UNSOUND, f"persons: expected NAME:YUAN, got {text!r}: {error}"
        ) from None


class CasePay(OfCase, tag="case_pay"):
    """Note a payment of a fine; a second person approves, as it ends what is owed."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case pay"
    example = "case pay 7 423997000.00 --document slip-1 --key sun"

    paid: Fen
    document: DocumentNumber
    payer: Annotated[str, field("A person who was fined; left out, the organisation.")] = ""
    decision: OfDecision = 0

    def act(self, platform: "Platform") -> dict[str, Any]:
        owed = platform.cases.payments.pay(
            *(platform.person, self.case, self.paid, self.document),
            payer=self.payer,
            decision_id=self.decision,
        )
        return {"owed": owed}


class CaseInstalments(OfCase, tag="case_instalments"):
    """Let a fine be paid later or in parts, as was asked for; a second person approves."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case instalments"
    example = (
        "case instalments 7 2025-11-30:500000.00,2025-12-31:500000.00 --document grant-1 --key sun"
    )

    parts: Annotated[str, field("DATE:YUAN of each, with commas between.")]
    document: DocumentNumber

    def act(self, platform: "Platform") -> dict[str, Any]:
        parts = [_part(each) for each in self.parts.split(",")]
        platform.cases.payments.instalments(platform.person, self.case, parts, self.document)
        return {"parts": len(parts)}


def _part(text: str) -> tuple[int, int]:
    day, _, yuan = text.strip().partition(":")
    try:
        return date_number(date_parse(day)), cash_parse(yuan)
    except ValueError as error:
        raise PlatformActError(
            PlatformRefusal.AMOUNT_UNSOUND, f"parts: expected DATE:YUAN, got {text!r}: {error}"
        ) from None


class CaseRuling(OfCase, tag="case_ruling"):
    """Note how the pending review or suit ended; a second person approves."""

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case ruling"
    example = "case ruling 7 changed --fine 400000000.00 --document ruling-1 --key sun"

    outcome: Annotated[str, field("upheld, changed, revoked or withdrawn.")]
    document: DocumentNumber
    fine: Annotated[int, field("The changed fine, in yuan.", typed="yuan")] = 0
    words: Annotated[str, field("What was said.")] = ""

    def act(self, platform: "Platform") -> dict[str, Any]:
        case = platform.cases.appeals.rule(
            *(platform.person, self.case, self.outcome, self.fine, self.document, self.words)
        )
        return {"state": case.state, "fine": case.fine_fen}


class CaseCut(OfCase, tag="case_cut"):
    """Decide that an entity's next allowances are cut; a second person approves.

    Where the law of the act allows it, and behind the order and refusal that it asks for. The
    registry is told.
    """

    roles = (PROVINCE,)
    second = Second.OWN
    command = "case cut"
    example = "case cut 7 865300 --document decision-2 --key sun"

    tonnes: Annotated[int, field("How many.")]
    document: DocumentNumber
    year: Annotated[int, field("Of whose final allocation a share is cut, for fraud.")] = 0
    misreported: Annotated[
        int, field("Tonnes misreported, where the law of the day cuts those.")
    ] = 0

    def act(self, platform: "Platform") -> dict[str, Any]:
        case = platform.cases.cuts.cut(
            *(platform.person, self.case, self.tonnes, self.document),
            year=self.year,
            misreported=self.misreported,
        )
        return {"state": case.state}


class CaseShow(OfCase, tag="case_show"):
    """Print a case with its steps."""

    roles = OFFICIALS
    is_look = True
    command = "case show"
    example = "case show 7"

    def act(self, platform: "Platform") -> dict[str, Any]:
        return platform.cases.shown(self.case)


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


class BanList(Request, tag="ban_list"):
    """Print which persons are banned from verifying, and until when; 0 is for life."""

    roles = OFFICIALS
    is_look = True
    is_scoped = False
    command = "ban list"
    example = "ban list"

    def act(self, platform: "Platform") -> dict[str, Any]:
        return {"bans": platform.firms.bans()}
