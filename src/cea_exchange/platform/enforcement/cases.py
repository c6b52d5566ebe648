"""Cases: what a breach is, what may be fined for it, and what was done about it."""

from typing import Any, NamedTuple, get_args

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.compliance.enforcement.clocks import late_fine, may_ask_hearing
from cea_exchange.domain.compliance.enforcement.offences import Offence, cut, lighter
from cea_exchange.domain.compliance.penalties import FineRange, Traded
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    TEXT_LENGTH_MAX,
    PlatformActError,
    choice_checked,
    count_checked,
    day_checked,
    rule_refusals_raised,
    words_checked,
)
from cea_exchange.platform.enforcement.steps import STEPS
from cea_exchange.platform.record import Acting, Record

UNPAID = "unpaid"
OFFENCES = (UNPAID, *get_args(Offence))
FEN_MAX = 10**15
TONNES_MAX = 10**12


class Case(NamedTuple):
    """A row of `cases`."""

    case_id: int
    province: int
    enterprise_id: int
    firm_id: int
    offence: str
    compliance_year: int
    committed_on: int
    shortfall: int
    gains_fen: int
    state: str
    decide_by: int
    fine_fen: int
    paid_fen: int
    pay_by: int


class Breach(NamedTuple):
    """What somebody did, or did not do."""

    offence: str
    committed_on: int
    compliance_year: int = 0
    shortfall: int = 0
    gains_fen: int = 0


_ROW = ", ".join(Case._fields)


class Cases:
    """The cases of all provinces."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store
        self._rules = ComplianceRules.load()

    def open(
        self,
        person: Acting,
        province: int,
        breach: Breach,
        document: str,
        *,
        enterprise_id: int = 0,
        firm_id: int = 0,
    ) -> Case:
        """Open a case against an enterprise or a firm.

        Notes
        -----
        Rules: CEA-LAW-18, CEA-LAW-22.
        """
        choice_checked(breach.offence, OFFENCES, "offence")
        day_checked(breach.committed_on, "committed_on")
        count_checked(breach.shortfall, "shortfall", TONNES_MAX)
        count_checked(breach.gains_fen, "gains", FEN_MAX)
        if (breach.offence == UNPAID) != (breach.shortfall > 0):
            raise PlatformActError(
                PlatformRefusal.AMOUNT_UNSOUND,
                f"shortfall: expected 1 t or more of what was not surrendered, none of others,"
                f" got {breach.shortfall} of {breach.offence}",
            )
        with self._record.transaction():
            today = self._record.business_date()
            case = Case(
                self._store.next_id("cases", "case_id"),
                province,
                enterprise_id,
                firm_id,
                breach.offence,
                breach.compliance_year,
                breach.committed_on,
                breach.shortfall,
                breach.gains_fen,
                state="opened",
                decide_by=self._record.term_end("decide", today),
                fine_fen=0,
                paid_fen=0,
                pay_by=0,
            )
            self._store.insert(f"cases ({_ROW})", [case])
            self._note(case.case_id, "open", person, document=document)
        return case

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
        """Take a step that decides nothing of its own: an order, a notice, an appeal, a stop.

        Parameters
        ----------
        due_on
            The day that a correction order sets; the others have their clocks.

        Notes
        -----
        Rules: CEA-LAW-19, CEA-LAW-20, CEA-LAW-23, CEA-LAW-25, CEA-LAW-26, CEA-LAW-28.
        """
        choice_checked(step, tuple(each for each in STEPS if each not in _OWN), "step")
        with self._record.transaction():
            case = self._may(number, step)
            if step == "order":
                day_checked(due_on, "due_on")
            if step == "ask_hearing":
                self._hearing_check(case)
            self._step(case, step, person, document=document, words=words, due_on=due_on)
        return self.of_number(number)

    def decide(
        self,
        person: Acting,
        number: int,
        fine_fen: int,
        document: str,
        *,
        words: str,
        missing: int | None = None,
        traded: Traded | None = None,
    ) -> Case:
        """Decide a fine within what the law of the year allows.

        Parameters
        ----------
        words
            The law that was chosen, and why.
        missing
            Tonnes that are still missing at the end of the order's term: of a second fine.
        traded
            All trades of the deadline's month, where the fine goes by their mean price.

        Notes
        -----
        Rules: CEA-PEN-01, CEA-PEN-05, CEA-PEN-06, CEA-LAW-07, CEA-LAW-22.
        """
        words_checked(words, "words", TEXT_LENGTH_MAX)
        with self._record.transaction():
            case = self._may(number, "decide")
            allowed = self.fine_range(case, missing=missing, traded=traded)
            if not allowed.least <= fine_fen <= allowed.most:
                raise PlatformActError(
                    PlatformRefusal.FINE_OUT_OF_RANGE,
                    f"fine: expected from {allowed.least} to {allowed.most} fen, got {fine_fen}",
                )
            self._step(
                case,
                "decide",
                person,
                document=document,
                words=words,
                fen=fine_fen,
                tonnes=missing or case.shortfall,
            )
            self._store.execute(
                "UPDATE cases SET fine_fen = fine_fen + ? WHERE case_id = ?", (fine_fen, number)
            )
        return self.of_number(number)

    def pay(self, person: Acting, number: int, fen: int, document: str) -> int:
        """Note a payment; return what is still to pay today, with what being late adds.

        Notes
        -----
        Rules: CEA-LAW-24.
        """
        count_checked(fen, "fen", FEN_MAX)
        with self._record.transaction():
            case = self._may(number, "pay")
            owed = self.owed(case)
            if not 0 < fen <= owed:
                raise PlatformActError(
                    PlatformRefusal.AMOUNT_UNSOUND,
                    f"payment: expected from 1 to {owed} fen, got {fen}",
                )
            self._step(case, "pay", person, document=document, fen=fen)
            self._store.execute(
                "UPDATE cases SET paid_fen = paid_fen + ? WHERE case_id = ?", (fen, number)
            )
        return self.owed(self.of_number(number))

    def cut(self, person: Acting, number: int, tonnes: int, of: int, document: str) -> Case:
        """Decide that an entity's next allowances are cut, where the law of the year allows it.

        Parameters
        ----------
        of
            Of what a share is cut: the next final allocation, or what was misreported.

        Notes
        -----
        Rules: CEA-PEN-04, CEA-LAW-08, CEA-LAW-09.
        """
        with self._record.transaction():
            case = self._may(number, "cut")
            with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
                if case.offence == UNPAID:
                    self._rules.penalties.deduction_law(case.compliance_year)
                    least = most = case.shortfall
                else:
                    allowed = cut(self._penalty(case).law, of)
                    least, most = allowed.least, allowed.most
            if not least <= tonnes <= most:
                raise PlatformActError(
                    PlatformRefusal.AMOUNT_UNSOUND,
                    f"cut: expected from {least} to {most} t, got {tonnes}",
                )
            self._step(case, "cut", person, document=document, tonnes=tonnes)
        return self.of_number(number)

    # -- what there is ----------------------------------------------------------------------------

    def of_number(self, number: int) -> Case:
        """Return a case there is."""
        row = self._store.one(f"SELECT {_ROW} FROM cases WHERE case_id = ?", (number,))
        if row is None:
            raise PlatformActError(
                PlatformRefusal.CASE_UNKNOWN, f"case: expected one that was opened, got {number}"
            )
        return Case(*row)

    def fine_range(
        self, case: Case, *, missing: int | None = None, traded: Traded | None = None
    ) -> FineRange:
        """Return the least and the most that may be fined now."""
        with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
            if case.offence != UNPAID:
                return self._penalty(case).organisation
            rules = self._rules.penalties
            if missing is not None:
                return rules.fine_after_term(case.compliance_year, missing, traded)
            return rules.fine(case.compliance_year, case.shortfall, traded)

    def owed(self, case: Case) -> int:
        """Return what is to pay today, in fen: the fine, what being late adds, less what is paid.

        Notes
        -----
        Rules: CEA-LAW-24.
        """
        if not case.pay_by:
            return 0
        late = date_of_number(self._record.business_date()) - date_of_number(case.pay_by)
        added = late_fine(case.fine_fen, max(0, late.days))
        return max(0, case.fine_fen + added - case.paid_fen)

    def steps(self, number: int) -> list[dict[str, Any]]:
        """Return what was done in a case, in order."""
        names = ("step", "day", "due_on", "fen", "tonnes", "document", "words", "person")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM case_steps WHERE case_id = ? ORDER BY step_id",
            (number,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def may(self, case: Case) -> list[str]:
        """Return the steps that may be taken in a case as it is."""
        return [step for step, each in STEPS.items() if case.state in each.after]

    def of_province(self, province: int) -> list[dict[str, Any]]:
        """Return a province's cases with the names of whose breaches they are, the last first."""
        rows = self._store.execute(
            f"SELECT {', '.join(f'cases.{name}' for name in Case._fields)},"
            " coalesce(enterprise, ''), coalesce(firm, '') FROM cases"
            " LEFT JOIN enterprises ON enterprises.enterprise_id = cases.enterprise_id"
            " LEFT JOIN service_firms ON service_firms.firm_id = cases.firm_id"
            " WHERE cases.province = ? ORDER BY cases.case_id DESC",
            (province,),
        )
        names = (*Case._fields, "enterprise", "firm")
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def published(self) -> list[dict[str, Any]]:
        """Return the decisions that were published, as everybody may read them."""
        names = (
            *("case_id", "province", "enterprise", "firm", "offence", "compliance_year"),
            *("fine_fen", "published_on"),
        )
        rows = self._store.execute(
            "SELECT cases.case_id, cases.province, coalesce(enterprise, ''), coalesce(firm, ''),"
            " offence, compliance_year, fine_fen, day FROM cases"
            " JOIN case_steps ON case_steps.case_id = cases.case_id AND step = 'publish'"
            " LEFT JOIN enterprises ON enterprises.enterprise_id = cases.enterprise_id"
            " LEFT JOIN service_firms ON service_firms.firm_id = cases.firm_id"
            " ORDER BY day, cases.case_id"
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    # -- how it is kept ---------------------------------------------------------------------------

    def _penalty(self, case: Case) -> Any:
        offence: Any = case.offence
        return lighter(
            offence,
            date_of_number(case.committed_on),
            date_of_number(self._record.business_date()),
            gains=case.gains_fen,
        )

    def _hearing_check(self, case: Case) -> None:
        """Refuse a hearing that is asked for too late, or of a fine that is too small."""
        noticed = [step for step in self.steps(case.case_id) if step["step"] == "notice"]
        last = self._record.term_end("ask_hearing", noticed[-1]["day"])
        if self._record.business_date() > last:
            raise PlatformActError(
                PlatformRefusal.TERM_OVER,
                f"hearing: expected to be asked for by {last}, got asked for on"
                f" {self._record.business_date()} (CEA-LAW-20)",
            )
        if case.offence != UNPAID and not may_ask_hearing(self.fine_range(case), case.gains_fen):
            raise PlatformActError(
                PlatformRefusal.HEARING_NOT_DUE,
                "hearing: expected a fine or gains of 200,000 yuan, got less (CEA-LAW-20)",
            )

    def _may(self, number: int, step: str) -> Case:
        case = self.of_number(number)
        after = STEPS[step].after
        if case.state not in after:
            raise PlatformActError(
                PlatformRefusal.CASE_STATE,
                f"case {number}: expected {' or '.join(sorted(after))} for {step}, got"
                f" {case.state}",
            )
        return case

    def _step(self, case: Case, step: str, person: Acting, **terms: Any) -> None:
        found = STEPS[step]
        if found.clock:
            terms["due_on"] = self._record.term_end(found.clock, self._record.business_date())
        self._note(case.case_id, step, person, **terms)
        self._store.execute(
            "UPDATE cases SET state = ?, pay_by = ? WHERE case_id = ?",
            (
                found.state or case.state,
                terms["due_on"] if step == "serve" else case.pay_by,
                case.case_id,
            ),
        )

    def _note(
        self,
        number: int,
        step: str,
        person: Acting,
        *,
        document: str,
        words: str = "",
        due_on: int = 0,
        fen: int = 0,
        tonnes: int = 0,
    ) -> None:
        words_checked(document, "document")
        words_checked(words, "words", TEXT_LENGTH_MAX, is_needed=False)
        self._store.insert(
            "case_steps (step_id, case_id, step, day, due_on, fen, tonnes, document, words,"
            " person)",
            [
                (self._store.next_id("case_steps", "step_id"), number, step)
                + (self._record.business_date(), due_on, fen, tonnes, document, words, person.name)
            ],
        )


_OWN = frozenset({"decide", "pay", "cut"})
"""Steps with figures of their own."""
