"""What is to pay of a decision, by whom and until when, and what was paid."""

from collections.abc import Sequence

from cea_exchange.domain.calendar import TermEnd, date_of_number
from cea_exchange.domain.compliance.enforcement.paying import Paid, Part, late_added
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, count_checked, day_checked
from cea_exchange.platform.enforcement.appeals import Appeals
from cea_exchange.platform.enforcement.book import Case, CaseBook, Decision
from cea_exchange.platform.record import Acting

FEN_MAX = 10**15
ORGANISATION = ""


class Payments:
    """The payments of all cases."""

    def __init__(self, book: CaseBook, appeals: Appeals) -> None:
        self._book = book
        self._record = book.record
        self._store = book.store
        self._appeals = appeals

    def pay(
        self,
        person: Acting,
        number: int,
        fen: int,
        document: str,
        *,
        payer: str = ORGANISATION,
        decision_id: int = 0,
    ) -> int:
        """Note a payment; return what the payer still owes today of that decision.

        Parameters
        ----------
        payer
            A person who was fined; '' is the enterprise or firm.
        decision_id
            Of which decision; 0: the first that is not paid.

        Notes
        -----
        Rules: CEA-LAW-24.
        """
        count_checked(fen, "fen", FEN_MAX)
        with self._record.transaction():
            case = self._book.may(number, "pay")
            decision = self._payable(case, payer, decision_id)
            owed = self.owed(decision, payer)
            if not 0 < fen <= owed:
                raise PlatformActError(
                    PlatformRefusal.AMOUNT_UNSOUND,
                    f"payment: expected from 1 to {owed} fen, got {fen}",
                )
            of = decision.decision_id
            self._store.insert(
                "case_payments (payment_id, decision_id, payer, fen, paid_on)",
                [
                    (self._store.next_id("case_payments", "payment_id"), of, payer, fen)
                    + (self._record.business_date(),)
                ],
            )
            self._book.take(
                *(case, "pay", person), document=document, words=payer, fen=fen, decision_id=of
            )
            self._book.sums_set(number)
        return self.owed(decision, payer)

    def _payable(self, case: Case, payer: str, decision_id: int) -> Decision:
        for decision in self._book.in_force(case.case_id):
            if decision_id in (0, decision.decision_id) and self.owed(decision, payer):
                return decision
        raise PlatformActError(
            PlatformRefusal.AMOUNT_UNSOUND,
            f"payment: expected of a decision that was served and is not paid, got none that"
            f" {payer or 'the organisation'} owes",
        )

    def instalments(
        self, person: Acting, number: int, parts: Sequence[tuple[int, int]], document: str
    ) -> None:
        """Let a fine be paid later, or in parts, as it was asked for before it was due.

        Parameters
        ----------
        parts
            Day and fen of each, in order; together what of the fine is not paid.

        Notes
        -----
        Rules: CEA-LAW-24.
        """
        with self._record.transaction():
            case = self._book.may(number, "instalments")
            decision = self._payable(case, ORGANISATION, 0)
            if self._plan(decision):
                self._book.refuse(case, "no instalments before", "some that were granted")
            pay_by = self._record.term("pay", self._book.served_on(decision))
            self._record.in_time_check("instalments", pay_by, "CEA-LAW-24")
            unpaid = self._book.fine_in_force(decision) - self._paid_sum(decision, ORGANISATION)
            last = 0
            for due_on, fen in parts:
                day_checked(due_on, "due_on")
                if due_on <= last or due_on < self._record.business_date() or fen <= 0:
                    self._book.refuse(
                        *(case, "parts above zero by days to come, in order", f"{fen} on {due_on}"),
                        PlatformRefusal.AMOUNT_UNSOUND,
                    )
                last = due_on
            if sum(fen for _, fen in parts) != unpaid:
                self._book.refuse(
                    *(case, f"parts of {unpaid} fen in all", str(sum(fen for _, fen in parts))),
                    PlatformRefusal.AMOUNT_UNSOUND,
                )
            of = decision.decision_id
            self._store.insert(
                "case_parts (decision_id, due_on, fen)", [(of, *part) for part in parts]
            )
            self._book.take(
                *(case, "instalments", person),
                document=document,
                due_on=last,
                fen=unpaid,
                decision_id=of,
            )

    # -- how it stands ----------------------------------------------------------------------------

    def pay_by(self, decision: Decision) -> TermEnd | None:
        """Return the last day to pay, of instalments the last one's; None before service."""
        plan = self._plan(decision)
        if plan:
            return TermEnd(plan[-1].due_on)
        served_on = self._book.served_on(decision)
        return self._record.term("pay", served_on) if served_on else None

    def owed(self, decision: Decision, payer: str = ORGANISATION) -> int:
        """Return what somebody owes of a decision today, in fen: 0 before it was served.

        The fine, with what being late adds to it, and what is confiscated, less what is paid.

        Notes
        -----
        Rules: CEA-LAW-09, CEA-LAW-12, CEA-LAW-24.
        """
        served_on = self._book.served_on(decision)
        if not served_on or self._book.is_revoked(decision):
            return 0
        fine, confiscated = self._book.fine_in_force(decision), decision.confiscated_fen
        if payer != ORGANISATION:
            fine, confiscated = self._of_person(decision, payer), 0
        added = self._late(decision, payer, fine)
        return max(0, fine + added + confiscated - self._paid_sum(decision, payer))

    def owed_in_all(self, case: Case, decision: Decision) -> int:
        """Return what a decision's organisation and persons owe together, in fen."""
        rows = self._store.execute(
            "SELECT name FROM case_persons WHERE decision_id = ?", (decision.decision_id,)
        )
        payers = [ORGANISATION, *(name for (name,) in rows.fetchall())]
        return sum(self.owed(decision, payer) for payer in payers)

    def refundable(self, decision: Decision) -> int:
        """Return what was paid of a decision beyond what a ruling left of it, in fen."""
        due = 0 if self._book.is_revoked(decision) else decision.confiscated_fen
        due += self._book.fine_in_force(decision)
        if not self._book.rulings(decision):
            return 0
        return max(0, self._paid_sum(decision, ORGANISATION) - due)

    def overdue_check(self, case: Case, decision: Decision) -> None:
        """Refuse what is done only about a fine that is not paid in time."""
        pay_by = self.pay_by(decision)
        assert pay_by is not None
        self._record.over_check("overdue", pay_by, "CEA-LAW-24")
        if not self.owed_in_all(case, decision):
            self._book.refuse(case, "something owed", "nothing")

    def _late(self, decision: Decision, payer: str, fine: int) -> int:
        pay_by = self._record.term("pay", self._book.served_on(decision))
        plan = self._plan(decision) if payer == ORGANISATION else []
        if not plan and pay_by.is_provisional:
            return 0
        # What was paid before instalments were granted is no part of them.
        before = fine - sum(part.fen for part in plan)
        parts = [Part(pay_by.day, before), *plan] if before > 0 else plan
        paid = self._paid(decision, payer)
        history = self._book.history(decision.case_id)
        today = date_of_number(self._record.business_date())
        return late_added(_within(parts, fine), paid, today, self._appeals.spans(history, decision))

    def _plan(self, decision: Decision) -> list[Part]:
        rows = self._store.execute(
            "SELECT due_on, fen FROM case_parts WHERE decision_id = ? ORDER BY due_on",
            (decision.decision_id,),
        )
        return [Part(date_of_number(day), fen) for day, fen in rows.fetchall()]

    def _paid(self, decision: Decision, payer: str) -> list[Paid]:
        rows = self._store.execute(
            "SELECT paid_on, fen FROM case_payments WHERE decision_id = ? AND payer = ?"
            " ORDER BY payment_id",
            (decision.decision_id, payer),
        )
        return [Paid(date_of_number(day), fen) for day, fen in rows.fetchall()]

    def _paid_sum(self, decision: Decision, payer: str) -> int:
        return sum(fen for _, fen in self._paid(decision, payer))

    def _of_person(self, decision: Decision, payer: str) -> int:
        fen: int | None = self._store.one(
            "SELECT fine_fen FROM case_persons WHERE decision_id = ? AND name = ?",
            (decision.decision_id, payer),
        )
        return fen or 0


def _within(parts: Sequence[Part], fine: int) -> list[Part]:
    """Return the parts as far as the fine goes, which a ruling may have lowered."""
    found: list[Part] = []
    for part in parts:
        fen = min(part.fen, fine - sum(each.fen for each in found))
        if fen > 0:
            found.append(Part(part.due_on, fen))
    return found
