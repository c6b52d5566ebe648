"""The book of cases: what was opened, decided, ruled and paid, and what was done, in order."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, NoReturn

from cea_exchange.domain.calendar import TermEnd, date_of_number
from cea_exchange.domain.compliance.enforcement.paying import Span
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import TEXT_LENGTH_MAX, PlatformActError, words_checked
from cea_exchange.platform.enforcement.steps import STEPS
from cea_exchange.platform.record import Acting, Record

UNPAID = "unpaid"


class Case(NamedTuple):
    """A row of `cases`."""

    case_id: int
    province: int
    enterprise_id: int
    firm_id: int
    offence: str
    compliance_year: int
    committed_on: int
    found_on: int
    opened_on: int
    apart: str
    shortfall: int
    gains_fen: int
    state: str
    fine_fen: int
    paid_fen: int


class Taken(NamedTuple):
    """A step that was taken, as `case_steps` has it."""

    step_id: int
    decision_id: int
    step: str
    day: int
    due_on: int
    is_late: int
    fen: int
    tonnes: int
    document: str
    words: str
    person: str


class Decision(NamedTuple):
    """A row of `case_decisions`."""

    decision_id: int
    case_id: int
    stage: int
    law: str
    fine_fen: int
    confiscated_fen: int
    measures: str
    tonnes: int
    decided_on: int
    document: str


class Ruling(NamedTuple):
    """How a review or a suit ended."""

    kind: str
    outcome: str
    fine_fen: int
    ruled_on: int


class History:
    """The steps of a case, in order, and what they come to."""

    def __init__(self, steps: Sequence[Taken]) -> None:
        self.steps = tuple(steps)

    def last(self, *names: str, of: int | None = None) -> Taken | None:
        """Return the last step of some names; of a decision, where one is given."""
        for each in reversed(self.steps):
            if each.step in names and of in (None, each.decision_id):
                return each
        return None

    def since(self, step: Taken | None) -> "History":
        """Return the steps behind one; all behind none."""
        return History([each for each in self.steps if step is None or each.step_id > step.step_id])

    @property
    def order(self) -> Taken | None:
        """The order to correct."""
        return self.last("order")

    @property
    def correction(self) -> str:
        """How the order stands: '' is none, else ordered, refused or corrected."""
        last = self.last("order", "refuse", "correct")
        words = {"order": "ordered", "refuse": "refused", "correct": "corrected"}
        return "" if last is None else words[last.step]

    @property
    def noticed(self) -> Taken | None:
        """The last notice."""
        return self.last("notice", "notice_stop")

    def hearing_pending(self) -> bool:
        """Tell whether a hearing was asked for since the last notice, and is not over."""
        last = self.since(self.noticed).last("ask_hearing", "hear", "withdraw_hearing")
        return last is not None and last.step == "ask_hearing"

    def was_heard(self) -> bool:
        """Tell whether there was a hearing since the last notice."""
        return self.since(self.noticed).last("hear") is not None

    def stopped(self) -> list[Span]:
        """Return the spans in which the term to decide stands still: hearings, tests, service."""
        spans: list[Span] = []
        for begins, ends in (("ask_hearing", ("hear", "withdraw_hearing")), ("pause", ("resume",))):
            first = None
            for each in self.steps:
                if each.step == begins and first is None:
                    first = date_of_number(each.day)
                elif each.step in ends and first is not None:
                    spans.append(Span(first, date_of_number(each.day)))
                    first = None
            if first is not None:
                spans.append(Span(first))
        return spans


class CaseBook:
    """Reads and keeps the cases, for all who act in them."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.store = record.store

    # -- reading ----------------------------------------------------------------------------------

    def case(self, number: int) -> Case:
        """Return a case there is."""
        row = self.store.one(
            f"SELECT {', '.join(Case._fields)} FROM cases WHERE case_id = ?", (number,)
        )
        if row is None:
            raise PlatformActError(
                PlatformRefusal.CASE_UNKNOWN, f"case: expected one that was opened, got {number}"
            )
        return Case(*row)

    def may(self, number: int, step: str) -> Case:
        """Return a case in whose state a step may be taken."""
        case = self.case(number)
        after = STEPS[step].after
        if case.state not in after:
            self.refuse(case, f"{' or '.join(sorted(after))} for {step}", case.state)
        return case

    def refuse(
        self,
        case: Case,
        expected: str,
        got: str,
        code: PlatformRefusal = PlatformRefusal.CASE_STATE,
    ) -> NoReturn:
        """Refuse an act in a case."""
        raise PlatformActError(code, f"case {case.case_id}: expected {expected}, got {got}")

    def history(self, number: int) -> History:
        """Return what was done in a case."""
        rows = self.store.execute(
            f"SELECT {', '.join(Taken._fields)} FROM case_steps WHERE case_id = ?"
            " ORDER BY step_id",
            (number,),
        )
        return History([Taken(*row) for row in rows.fetchall()])

    def decisions(self, number: int) -> list[Decision]:
        """Return the decisions of a case, in order."""
        rows = self.store.execute(
            f"SELECT {', '.join(Decision._fields)} FROM case_decisions WHERE case_id = ?"
            " ORDER BY decision_id",
            (number,),
        )
        return [Decision(*row) for row in rows.fetchall()]

    def decision(self, decision_id: int) -> Decision:
        """Return a decision there is."""
        row = self.store.one(
            f"SELECT {', '.join(Decision._fields)} FROM case_decisions WHERE decision_id = ?",
            (decision_id,),
        )
        return Decision(*row)

    def rulings(self, decision: Decision) -> list[Ruling]:
        """Return how a decision's reviews and suits ended, in order."""
        rows = self.store.execute(
            "SELECT kind, outcome, fine_fen, ruled_on FROM case_rulings WHERE decision_id = ?"
            " ORDER BY ruling_id",
            (decision.decision_id,),
        )
        return [Ruling(*row) for row in rows.fetchall()]

    def fine_in_force(self, decision: Decision) -> int:
        """Return a decision's fine as the last ruling left it, in fen; 0 of a revoked one."""
        rulings = self.rulings(decision)
        return rulings[-1].fine_fen if rulings else decision.fine_fen

    def is_revoked(self, decision: Decision) -> bool:
        """Tell whether a decision was revoked."""
        rulings = self.rulings(decision)
        return bool(rulings) and rulings[-1].outcome == "revoked"

    def in_force(self, number: int) -> list[Decision]:
        """Return the decisions of a case that were not revoked."""
        return [each for each in self.decisions(number) if not self.is_revoked(each)]

    def served(self, number: int, decision_id: int = 0) -> Decision:
        """Return a decision in force that was served: the last one, or the one that is meant."""
        history = self.history(number)
        for each in reversed(self.in_force(number)):
            if decision_id in (0, each.decision_id) and history.last("serve", of=each.decision_id):
                return each
        raise PlatformActError(
            PlatformRefusal.CASE_STATE,
            f"case {number}: expected a decision that was served and is in force, got none",
        )

    def served_on(self, decision: Decision) -> int:
        """Return when a decision was received; 0: not yet."""
        step = self.history(decision.case_id).last("serve", of=decision.decision_id)
        return 0 if step is None else step.day

    # -- the term to decide -----------------------------------------------------------------------

    def decide_by(self, case: Case, history: History) -> TermEnd | None:
        """Return until when a case is to be decided; None while its term stands still.

        The term of a second stage runs from the end of the order's; that of a decision in place of
        a revoked one, from the ruling.

        Notes
        -----
        Rules: CEA-LAW-22.
        """
        since, began = case.opened_on, None
        decided = self.decisions(case.case_id)
        if decided and self.is_revoked(decided[-1]):
            since, began = self.rulings(decided[-1])[-1].ruled_on, history.last("ruling")
        elif decided and history.order is not None:
            since, began = history.order.due_on, history.last("decide")
        later = history.since(began)
        spans = later.stopped()
        if any(span.last is None for span in spans):
            return None
        first = date_of_number(since)
        still = {
            span.first + timedelta(days=days)
            for span in spans
            for days in range((span.last - span.first).days + 1 if span.last else 0)
        }
        extended = sum(each.step == "extend" for each in later.steps)
        stopped = sum(day > first for day in still)
        return self.record.term("decide", since, extended=extended, stopped=stopped)

    # -- keeping ----------------------------------------------------------------------------------

    def take(self, case: Case, step: str, person: Acting, **terms: Any) -> None:
        """Note a step, and let the case go where it leads."""
        self.note(case.case_id, step, person, **terms)
        state = STEPS[step].state
        if state:
            self.store.execute(
                "UPDATE cases SET state = ? WHERE case_id = ?", (state, case.case_id)
            )

    def note(
        self,
        number: int,
        step: str,
        person: Acting,
        *,
        document: str,
        words: str = "",
        due_on: int = 0,
        is_late: bool = False,
        fen: int = 0,
        tonnes: int = 0,
        decision_id: int = 0,
    ) -> None:
        """Note what was done."""
        words_checked(document, "document")
        words_checked(words, "words", TEXT_LENGTH_MAX, is_needed=False)
        self.store.insert(
            "case_steps (step_id, case_id, decision_id, step, day, due_on, is_late, fen, tonnes,"
            " document, words, person)",
            [
                (self.store.next_id("case_steps", "step_id"), number, decision_id, step)
                + (self.record.business_date(), due_on, int(is_late), fen, tonnes)
                + (document, words, person.name)
            ],
        )

    def sums_set(self, number: int) -> None:
        """Add up what is fined and paid in a case."""
        fined = sum(map(self.fine_in_force, self.decisions(number)))
        paid = self.store.one(
            "SELECT coalesce(sum(fen), 0) FROM case_payments JOIN case_decisions"
            " ON case_decisions.decision_id = case_payments.decision_id WHERE case_id = ?",
            (number,),
        )
        self.store.execute(
            "UPDATE cases SET fine_fen = ?, paid_fen = ? WHERE case_id = ?", (fined, paid, number)
        )
