"""Review and suit against a decision: asked for in time, and ended by a ruling.

Neither keeps a decision from being carried out; while one goes on nothing is added for being late.
"""

from cea_exchange.domain.calendar import TermEnd, date_of_number
from cea_exchange.domain.compliance.enforcement.paying import Span
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import choice_checked, count_checked
from cea_exchange.platform.enforcement.book import Case, CaseBook, Decision, History, Taken
from cea_exchange.platform.record import Acting
from cea_exchange.platform.verification.firms import Firms

OUTCOMES = ("upheld", "changed", "revoked", "withdrawn")
_KINDS = {"ask_review": "review", "sue": "suit"}
FEN_MAX = 10**15


class Appeals:
    """The appeals of all cases."""

    def __init__(self, book: CaseBook, firms: Firms) -> None:
        self._book = book
        self._record = book.record
        self._firms = firms

    def ask_review(self, case: Case, history: History, _due_on: int) -> dict[str, int | bool]:
        """Let a decision be reviewed: once, in time, and before any suit.

        Notes
        -----
        Rules: CEA-LAW-25.
        """
        decision = self._book.served(case.case_id)
        of = decision.decision_id
        if history.last("ask_review", "sue", of=of) is not None:
            self._book.refuse(case, "no review and no suit before", "one")
        self._record.in_time_check(
            "review", self._record.term("ask_review", self._book.served_on(decision)), "CEA-LAW-25"
        )
        return {"decision_id": of}

    def sue(self, case: Case, history: History, _due_on: int) -> dict[str, int | bool]:
        """Let a decision be sued over: once, in time, and not while a review goes on in its term.

        Notes
        -----
        Rules: CEA-LAW-25.
        """
        decision = self._book.served(case.case_id)
        of = decision.decision_id
        if history.last("sue", of=of) is not None:
            self._book.refuse(case, "no suit before", "one")
        reviewed = [each for each in self._book.rulings(decision) if each.kind == "review"]
        asked = history.last("ask_review", of=of)
        if asked is not None and not reviewed:
            # Who hears nothing within the term may sue.
            self._record.over_check(
                "suit", self._record.term("decide_review", asked.day), "CEA-LAW-25"
            )
            return {"decision_id": of}
        self._record.in_time_check("suit", self._sue_by(decision), "CEA-LAW-25")
        return {"decision_id": of}

    def rule(
        self, person: Acting, number: int, outcome: str, fine_fen: int, document: str, words: str
    ) -> Case:
        """Note how the pending review or suit ended.

        Parameters
        ----------
        outcome
            ``upheld``, ``changed`` (to a lower fine), ``revoked`` or ``withdrawn``.
        fine_fen
            The changed fine; 0 of the others.

        Notes
        -----
        Rules: CEA-LAW-25.
        """
        choice_checked(outcome, OUTCOMES, "outcome")
        count_checked(fine_fen, "fine", FEN_MAX)
        with self._record.transaction():
            case = self._book.may(number, "ruling")
            decision = self._book.served(number)
            pending = self._pending(self._book.history(number), decision)
            if pending is None:
                self._book.refuse(case, "a review or suit that is pending", "none")
            fine = self._ruled_fine(case, decision, outcome, fine_fen)
            today = self._record.business_date()
            self._book.store.insert(
                "case_rulings (ruling_id, decision_id, kind, outcome, fine_fen, ruled_on)",
                [
                    (self._book.store.next_id("case_rulings", "ruling_id"), decision.decision_id)
                    + (_KINDS[pending.step], outcome, fine, today)
                ],
            )
            of = decision.decision_id
            self._book.note(
                *(number, "ruling", person),
                document=document,
                words=f"{outcome} {words}".strip(),
                fen=fine,
                decision_id=of,
            )
            self._book.sums_set(number)
            if outcome == "revoked":
                self._undo(case, decision)
        return self._book.case(number)

    def _ruled_fine(self, case: Case, decision: Decision, outcome: str, fine_fen: int) -> int:
        """Return the fine that holds from now on: an appeal never raises it."""
        before = self._book.fine_in_force(decision)
        if outcome == "changed":
            if not 0 < fine_fen < before:
                self._book.refuse(
                    *(case, f"a fine from 1 to {before - 1} fen", str(fine_fen)),
                    PlatformRefusal.FINE_OUT_OF_RANGE,
                )
            return fine_fen
        if fine_fen:
            self._book.refuse(
                *(case, f"no fine of {outcome}", str(fine_fen)), PlatformRefusal.AMOUNT_UNSOUND
            )
        return 0 if outcome == "revoked" else before

    def _undo(self, case: Case, decision: Decision) -> None:
        """Take back what a revoked decision has done; of a case with no other, it begins anew."""
        if "barred_from_service" in decision.measures.split(","):
            self._firms.readmit(self._firms.name_of(case.firm_id))
        self._firms.bans_lift(decision.decision_id)
        if not self._book.in_force(case.case_id):
            self._book.store.execute(
                "UPDATE cases SET state = 'revoked' WHERE case_id = ?", (case.case_id,)
            )

    # -- how they stand ---------------------------------------------------------------------------

    def none_pending_check(self, case: Case, history: History, decision: Decision) -> None:
        """Refuse what waits for the end of a review or suit."""
        pending = self._pending(history, decision)
        if pending is not None:
            self._book.refuse(case, "no review or suit pending", f"one of {pending.day}")

    def _pending(self, history: History, decision: Decision) -> Taken | None:
        last = history.last("ask_review", "sue", "ruling", of=decision.decision_id)
        return None if last is None or last.step == "ruling" else last

    def spans(self, history: History, decision: Decision) -> list[Span]:
        """Return from when until when reviews and suits of a decision went on.

        Notes
        -----
        Rules: CEA-LAW-24.
        """
        spans: list[Span] = []
        first = None
        for each in history.steps:
            if each.decision_id != decision.decision_id:
                continue
            if each.step in _KINDS and first is None:
                first = date_of_number(each.day)
            elif each.step == "ruling" and first is not None:
                spans.append(Span(first, date_of_number(each.day)))
                first = None
        return [*spans, *([] if first is None else [Span(first)])]

    def ended(self, case: Case, decision: Decision) -> TermEnd:
        """Return the last day on which a decision could be appealed against.

        Notes
        -----
        Rules: CEA-LAW-26.
        """
        self.none_pending_check(case, self._book.history(case.case_id), decision)
        suits = [each for each in self._book.rulings(decision) if each.kind == "suit"]
        return TermEnd.of(suits[-1].ruled_on) if suits else self._sue_by(decision)

    def _sue_by(self, decision: Decision) -> TermEnd:
        reviewed = [each for each in self._book.rulings(decision) if each.kind == "review"]
        if reviewed:
            return self._record.term("sue_after_review", reviewed[-1].ruled_on)
        return self._record.term("sue", self._book.served_on(decision))
