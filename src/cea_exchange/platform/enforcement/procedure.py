"""Steps that decide nothing of their own: orders, notices, hearings, service, the court's help.

Who is punished has terms to be heard: nothing is decided before they are over. The authority has
terms of its own: what it opens, serves and publishes behind them is taken, and marked late.
"""

from collections.abc import Callable

from cea_exchange.domain.calendar import TermEnd
from cea_exchange.domain.compliance.enforcement.clocks import clocks, may_ask_hearing
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import choice_checked, day_checked, words_checked
from cea_exchange.platform.enforcement.appeals import Appeals
from cea_exchange.platform.enforcement.book import UNPAID, Case, CaseBook, History, Taken
from cea_exchange.platform.enforcement.laws import Laws
from cea_exchange.platform.enforcement.payments import Payments
from cea_exchange.platform.enforcement.steps import OWN, STEPS
from cea_exchange.platform.obligations.obligation_status import ObligationStatus
from cea_exchange.platform.record import Acting
from cea_exchange.platform.verification.firms import Firms

Terms = dict[str, int | bool]


class Procedure:
    """Takes the steps that have no figures."""

    def __init__(
        self,
        book: CaseBook,
        laws: Laws,
        status: ObligationStatus,
        payments: Payments,
        appeals: Appeals,
        firms: Firms,
    ) -> None:
        self._book = book
        self._record = book.record
        self._laws = laws
        self._status = status
        self._payments = payments
        self._appeals = appeals
        self._firms = firms
        self._checks: dict[str, Callable[[Case, History, int], Terms]] = {
            "order": self._order,
            "refuse": self._refuse,
            "correct": self._correct,
            "notice": self._notice,
            "notice_stop": self._notice_stop,
            "statement": self._statement,
            "ask_hearing": self._ask_hearing,
            "tell_hearing": self._tell_hearing,
            "hear": self._hear,
            "withdraw_hearing": self._withdraw_hearing,
            "joint_decision": self._joint_decision,
            "pause": self._pause,
            "resume": self._resume,
            "extend": self._extend,
            "serve": self._serve,
            "publish": self._publish,
            "ask_review": appeals.ask_review,
            "sue": appeals.sue,
            "remind": self._remind,
            "ask_court": self._ask_court,
            "stop_production": self._stop_production,
            "close": self._close,
        }

    def take(
        self,
        person: Acting,
        number: int,
        step: str,
        document: str,
        *,
        words: str = "",
        due_on: int = 0,
    ) -> Case:
        """Take a step.

        Parameters
        ----------
        due_on
            The last day of the term that an order sets, or the day of a hearing.

        Notes
        -----
        Rules: CEA-LAW-19, CEA-LAW-20, CEA-LAW-21, CEA-LAW-22, CEA-LAW-23, CEA-LAW-25,
        CEA-LAW-26, CEA-LAW-28, CEA-PEN-05.
        """
        choice_checked(step, tuple(each for each in STEPS if each not in OWN), "step")
        with self._record.transaction():
            case = self._book.may(number, step)
            history = self._book.history(number)
            check = self._checks.get(step)
            terms: Terms = {} if check is None else check(case, history, due_on)
            if step in ("pause", "resume"):
                words_checked(words, "words")
            self._book.take(case, step, person, document=document, words=words, **terms)
        return self._book.case(number)

    # -- the order to correct ---------------------------------------------------------------------

    def _order(self, case: Case, history: History, due_on: int) -> Terms:
        """One order, with a term that ends behind today."""
        day_checked(due_on, "due_on")
        if history.order is not None:
            self._book.refuse(case, "one order to correct", f"one of {history.order.day} before")
        if due_on <= self._record.business_date():
            self._book.refuse(
                case,
                f"a term that ends after {self._record.business_date()}",
                str(due_on),
                PlatformRefusal.DATE_OUT_OF_RANGE,
            )
        return {"due_on": due_on}

    def _refuse(self, case: Case, history: History, _due_on: int) -> Terms:
        """Only behind the order's term, and of what is not corrected."""
        order = self._ordered(case, history)
        if history.correction != "ordered":
            self._book.refuse(case, "an order that stands", f"one that is {history.correction}")
        self._over_check("refusal", order.due_on, "CEA-PEN-05")
        if case.offence == UNPAID and not self._missing_now(case):
            self._book.refuse(case, "tonnes missing", "none", PlatformRefusal.NOTHING_SHORT)
        return {}

    def _correct(self, case: Case, history: History, _due_on: int) -> Terms:
        self._ordered(case, history)
        if history.correction == "corrected":
            self._book.refuse(case, "an order that stands", "one that was followed")
        missing = self._missing_now(case) if case.offence == UNPAID else 0
        if missing:
            self._book.refuse(case, "nothing missing by the registry", f"{missing} t")
        return {}

    def _ordered(self, case: Case, history: History) -> Taken:
        if history.order is None:
            self._book.refuse(case, "an order to correct", "none", PlatformRefusal.STEP_MISSING)
        return history.order

    def _missing_now(self, case: Case) -> int:
        return self._status.missing_now(case.enterprise_id, case.compliance_year)

    def _over_check(self, what: str, last_day: int, rule: str) -> None:
        """Refuse what waits for a day that was set: no calendar moves it."""
        self._record.over_check(what, TermEnd.of(last_day), rule)

    # -- notice, statement, hearing ---------------------------------------------------------------

    def _notice(self, case: Case, history: History, _due_on: int) -> Terms:
        """A first one; another only of a second stage, or in place of a decision revoked."""
        if case.state == "served":
            self._laws.second_stage_check(case, history)
        return {}

    def _notice_stop(self, case: Case, history: History, due_on: int) -> Terms:
        if not self._laws.may_stop(case):
            self._book.refuse(
                *(case, "a law that stops production", f"{case.offence} of {case.committed_on}"),
                PlatformRefusal.PENALTY_NOT_ALLOWED,
            )
        return self._notice(case, history, due_on)

    def _statement(self, _case: Case, history: History, _due_on: int) -> Terms:
        self._of_notice_in_time("statement", history)
        return {}

    def _ask_hearing(self, case: Case, history: History, _due_on: int) -> Terms:
        """Once, in time, and only of what is large enough."""
        if history.since(history.noticed).last("ask_hearing"):
            self._book.refuse(case, "one hearing", "one that was asked for")
        self._of_notice_in_time("ask_hearing", history)
        stops = history.noticed is not None and history.noticed.step == "notice_stop"
        most = self._laws.most_before_decision(case, history)
        if most is not None and not may_ask_hearing(most, case.gains_fen, stops_production=stops):
            self._book.refuse(
                *(case, "a fine or gains of 200,000 yuan, or a stop", "less (CEA-LAW-20)"),
                PlatformRefusal.HEARING_NOT_DUE,
            )
        return {}

    def _of_notice_in_time(self, step: str, history: History) -> None:
        assert history.noticed is not None
        end = self._record.term(step, history.noticed.day)
        self._record.in_time_check(step, end, clocks()[step].rule)

    def _tell_hearing(self, case: Case, history: History, due_on: int) -> Terms:
        """So many working days ahead."""
        self._pending_check(case, history)
        day_checked(due_on, "due_on")
        first = self._record.term("hearing_notice", self._record.business_date())
        if due_on < first.number:
            self._book.refuse(
                *(case, f"a hearing on {first.number} or later (CEA-LAW-20)", str(due_on)),
                PlatformRefusal.DATE_OUT_OF_RANGE,
            )
        return {"due_on": due_on}

    def _hear(self, case: Case, history: History, _due_on: int) -> Terms:
        """Check a hearing's day: the one in its notice or later, and announced early enough."""
        self._pending_check(case, history)
        last = history.since(history.last("ask_hearing")).last("tell_hearing")
        if last is None:
            self._book.refuse(case, "a hearing's day told", "none", PlatformRefusal.STEP_MISSING)
        today = self._record.business_date()
        if today < last.due_on:
            self._book.refuse(
                *(case, f"the hearing on {last.due_on}", f"one on {today}"),
                PlatformRefusal.TERM_RUNNING,
            )
        first = self._record.term("hearing_notice", last.day)
        if first.is_provisional or today < first.number:
            # The days off that were announced since put its day off.
            self._record.over_check("hearing", first, "CEA-LAW-20")
        return {}

    def _withdraw_hearing(self, case: Case, history: History, _due_on: int) -> Terms:
        self._pending_check(case, history)
        return {}

    def _pending_check(self, case: Case, history: History) -> None:
        if not history.hearing_pending():
            self._book.refuse(case, "a hearing that was asked for", "none")

    def _joint_decision(self, case: Case, history: History, _due_on: int) -> Terms:
        if history.since(history.noticed).last("legal_review") is None:
            self._book.refuse(
                *(case, "the lawyers' review before (CEA-LAW-21)", "none"),
                PlatformRefusal.STEP_MISSING,
            )
        return {}

    # -- the authority's own terms ----------------------------------------------------------------

    def _pause(self, case: Case, history: History, _due_on: int) -> Terms:
        if self._is_paused(history):
            self._book.refuse(case, "a term that runs", "one that stands still")
        return {}

    def _resume(self, case: Case, history: History, _due_on: int) -> Terms:
        if not self._is_paused(history):
            self._book.refuse(case, "a term that stands still", "one that runs")
        return {}

    def _is_paused(self, history: History) -> bool:
        last = history.last("pause", "resume")
        return last is not None and last.step == "pause"

    def _extend(self, case: Case, history: History, _due_on: int) -> Terms:
        """Before the term is over, and so often as the law allows."""
        decided = self._book.decisions(case.case_id)
        later = history.since(history.last("decide", "ruling") if decided else None)
        granted = sum(each.step == "extend" for each in later.steps)
        most = len(clocks()["decide"].extensions)
        if granted == most:
            self._book.refuse(
                *(case, f"at most {most} extensions (CEA-LAW-22)", "another one"),
                PlatformRefusal.TERM_OVER,
            )
        end = self._book.decide_by(case, history)
        if end is not None:
            self._record.in_time_check("extension", end, "CEA-LAW-22")
        return {}

    def _serve(self, case: Case, _history: History, _due_on: int) -> Terms:
        """It takes effect: who is barred is."""
        decision = self._book.decisions(case.case_id)[-1]
        if "barred_from_service" in decision.measures.split(","):
            firm = self._firms.of(self._firms.name_of(case.firm_id))
            if not firm.barred_from:
                self._firms.bar(firm.firm)
        self._firms.persons_ban(decision.decision_id, case.firm_id)
        return self._late("serve", decision.decided_on) | {"decision_id": decision.decision_id}

    def _publish(self, case: Case, history: History, _due_on: int) -> Terms:
        for decision in self._book.in_force(case.case_id):
            if history.last("publish", of=decision.decision_id) is None:
                of = {"decision_id": decision.decision_id}
                return self._late("publish", decision.decided_on) | of
        self._book.refuse(case, "a decision that is not public yet", "none")

    def _late(self, step: str, since: int) -> Terms:
        end = self._record.term(step, since)
        return {"is_late": end.is_over(self._record.business_date())}

    # -- what follows -----------------------------------------------------------------------------

    def _remind(self, case: Case, _history: History, _due_on: int) -> Terms:
        """Of a fine that is overdue."""
        decision = self._book.served(case.case_id)
        self._payments.overdue_check(case, decision)
        return {"decision_id": decision.decision_id}

    def _ask_court(self, case: Case, history: History, _due_on: int) -> Terms:
        """Behind all appeals and a reminder, for so long as a court takes it."""
        decision = self._book.served(case.case_id)
        self._payments.overdue_check(case, decision)
        ended = self._appeals.ended(case, decision)
        self._record.over_check("court", ended, "CEA-LAW-26")
        reminded = history.last("remind", of=decision.decision_id)
        if reminded is None or reminded.day >= self._record.business_date():
            self._book.refuse(
                *(case, "a reminder on an earlier day (CEA-LAW-26)", "none"),
                PlatformRefusal.STEP_MISSING,
            )
        self._record.in_time_check(
            "court", self._record.term("ask_court", ended.number), "CEA-LAW-26"
        )
        return {"decision_id": decision.decision_id}

    def _stop_production(self, case: Case, history: History, _due_on: int) -> Terms:
        """Where correction is refused, and behind the notice of it as behind one of a fine."""
        if history.correction != "refused":
            self._book.refuse(
                *(case, "the refusal of an order to correct", "none"),
                PlatformRefusal.STEP_MISSING,
            )
        noticed = history.last("notice_stop")
        if noticed is None:
            self._book.refuse(
                case, "a notice of the stop (CEA-LAW-19)", "none", PlatformRefusal.STEP_MISSING
            )
        self._laws.heard_check("stop", case, history, noticed)
        self._laws.joint_check(case, history, noticed)
        return {}

    def _close(self, case: Case, history: History, _due_on: int) -> Terms:
        """Once all is paid and no appeal waits."""
        for decision in self._book.in_force(case.case_id):
            owed = self._payments.owed_in_all(case, decision)
            if owed:
                self._book.refuse(case, "all paid", f"{owed} fen owed")
            self._appeals.none_pending_check(case, history, decision)
        return {}
