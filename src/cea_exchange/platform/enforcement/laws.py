"""What the law allows in a case: which article, how large a fine, what has to come before."""

from typing import NamedTuple

from cea_exchange.domain.calendar import TermEnd, date_of_number
from cea_exchange.domain.compliance.enforcement.clocks import decided_jointly
from cea_exchange.domain.compliance.enforcement.offences import Penalty, laws, lighter
from cea_exchange.domain.compliance.penalties import FineRange, Traded
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import rule_refusals_raised
from cea_exchange.platform.enforcement.book import UNPAID, Case, CaseBook, History, Taken
from cea_exchange.platform.obligations.obligation_status import ObligationStatus

ORDERED_FIRST = frozenset({UNPAID, "no_report"})
"""Offences whose articles fine with an order to correct."""


class Allowed(NamedTuple):
    """What may be decided now.

    Attributes
    ----------
    law
        The article.
    fine
        Of the organisation, in fen.
    tonnes
        Of which the fine is; 0: of none.
    penalty
        Of an offence but unpaid allowances; None of those.
    """

    law: str
    fine: FineRange
    stage: int = 1
    tonnes: int = 0
    penalty: Penalty | None = None


class Laws:
    """Says what is allowed."""

    def __init__(self, book: CaseBook, status: ObligationStatus) -> None:
        self._book = book
        self._record = book.record
        self._status = status
        self._rules = ComplianceRules.load().penalties

    def allowed(self, case: Case, history: History, traded: Traded | None) -> Allowed:
        """Return what may be decided of a case.

        Notes
        -----
        Rules: CEA-PEN-01, CEA-PEN-03, CEA-PEN-06, CEA-LAW-07.
        """
        with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
            if case.offence != UNPAID:
                found = self.penalty(case)
                return Allowed(found.law.document, found.organisation, penalty=found)
            if self._book.in_force(case.case_id):
                missing = self.second_stage_check(case, history)
                fine = self._rules.fine_after_term(case.compliance_year, missing, traded)
                return Allowed(self._rules.staged.document, fine, stage=2, tonnes=missing)
            return self._unpaid(case, history, traded)

    def _unpaid(self, case: Case, history: History, traded: Traded | None) -> Allowed:
        """The law of the year; of an old breach a later law, where that is lighter.

        The later one's second fine makes it heavier than any before it, unless the order was
        followed within its term: then there is none, and the one with the lower most is lighter.
        """
        rules, year = self._rules, case.compliance_year
        old = rules.fine(year, case.shortfall, traded)
        document = rules.document_of(year)
        today = date_of_number(self._record.business_date())
        if rules.has_stages(year) or today < rules.staged.in_force:
            return Allowed(document, old, tonnes=case.shortfall)
        new = rules.first_fine
        is_lighter = (new.most, new.least) < (old.most, old.least)
        if is_lighter and self._followed(case, history):
            return Allowed(rules.staged.document, new, tonnes=case.shortfall)
        return Allowed(document, old, tonnes=case.shortfall)

    def _followed(self, case: Case, history: History) -> bool:
        """Tell whether nothing was missing any more at the end of the order's term."""
        order = history.order
        if order is None or not TermEnd.of(order.due_on).is_over(self._record.business_date()):
            return False
        return not self._missing_after(case, order)

    def _missing_after(self, case: Case, order: Taken) -> int:
        return self._status.missing_after(case.enterprise_id, case.compliance_year, order.due_on)

    def second_stage_check(self, case: Case, history: History) -> int:
        """Refuse another fine unless it is the second stage's; return what is missing for it.

        It is of what was still missing when the order's term had ended, by the registry.

        Notes
        -----
        Rules: CEA-PEN-06, CEA-LAW-29.
        """
        decided = self._book.in_force(case.case_id)
        has_stages = (
            case.offence == UNPAID
            and self._rules.has_stages(case.compliance_year)
            and [each.stage for each in decided] == [1]
        )
        if not has_stages:
            self._book.refuse(
                *(case, "one fine of one act (CEA-LAW-29)", "another one"),
                PlatformRefusal.ACT_HAS_CASE,
            )
        order = history.order
        if order is None:
            self._book.refuse(case, "an order to correct", "none", PlatformRefusal.STEP_MISSING)
        self._record.over_check("second fine", TermEnd.of(order.due_on), "CEA-PEN-06")
        missing = self._missing_after(case, order)
        if not missing:
            self._book.refuse(
                *(case, f"tonnes missing after {order.due_on}", "none"),
                PlatformRefusal.NOTHING_SHORT,
            )
        return missing

    def penalty(self, case: Case) -> Penalty:
        """Return what an offence but unpaid allowances costs.

        Notes
        -----
        Rules: CEA-LAW-07.
        """
        offence = next(each.offence for each in laws() if each.offence == case.offence)
        return lighter(
            offence,
            date_of_number(case.committed_on),
            date_of_number(self._record.business_date()),
            gains=case.gains_fen,
        )

    def most_before_decision(self, case: Case, history: History) -> FineRange | None:
        """Return the range that is known before a decision; None where a price is wanted for it."""
        rules, year = self._rules, case.compliance_year
        with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
            if case.offence != UNPAID:
                return self.penalty(case).organisation
            is_of_price = year > rules.fixed.last_year and not rules.has_stages(year)
            if is_of_price or self._book.in_force(case.case_id):
                return None
            return rules.fine(year, case.shortfall, None)

    def may_stop(self, case: Case) -> bool:
        """Tell whether the law lets production be stopped where correction is refused.

        Notes
        -----
        Rules: CEA-LAW-01, CEA-LAW-02, CEA-LAW-09, CEA-PEN-01, CEA-PEN-06.
        """
        if case.offence == UNPAID:
            return case.compliance_year > self._rules.fixed.last_year
        with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
            return "production_stop" in self.penalty(case).law.on_refusal

    # -- what has to come before ------------------------------------------------------------------

    def heard_check(self, what: str, case: Case, history: History, noticed: Taken) -> None:
        """Refuse what is decided before who is punished was heard.

        Notes
        -----
        Rules: CEA-LAW-19, CEA-LAW-20.
        """
        for step, rule in (("statement", "CEA-LAW-19"), ("ask_hearing", "CEA-LAW-20")):
            self._record.over_check(what, self._record.term(step, noticed.day), rule)
        if history.hearing_pending():
            self._book.refuse(case, "no hearing pending (CEA-LAW-20)", "one that was asked for")

    def joint_check(self, case: Case, history: History, noticed: Taken) -> None:
        """Refuse what lawyers have not reviewed and the heads have not decided together.

        Notes
        -----
        Rules: CEA-LAW-21.
        """
        later = history.since(history.since(noticed).last("hear") or noticed)
        for step in ("legal_review", "joint_decision"):
            if later.last(step) is None:
                self._book.refuse(
                    *(case, f"{step} before it (CEA-LAW-21)", "none"),
                    PlatformRefusal.STEP_MISSING,
                )

    def decision_check(self, case: Case, history: History, fine_fen: int) -> None:
        """Refuse a decision whose time has not come, or is over.

        Notes
        -----
        Rules: CEA-LAW-19 to CEA-LAW-22, CEA-LAW-28.
        """
        noticed = history.noticed
        assert noticed is not None
        if case.offence in ORDERED_FIRST and history.order is None:
            self._book.refuse(
                *(case, "an order to correct before it, or with it", "none"),
                PlatformRefusal.STEP_MISSING,
            )
        self.heard_check("decision", case, history, noticed)
        stops = noticed.step == "notice_stop"
        if decided_jointly(fine_fen, heard=history.was_heard(), stops_production=stops):
            self.joint_check(case, history, noticed)
        end = self._book.decide_by(case, history)
        if end is None:
            self._book.refuse(case, "a term to decide that runs", "one that stands still")
        self._record.in_time_check("decision", end, "CEA-LAW-22")
