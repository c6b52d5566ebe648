"""Cases: what a breach is, how a case about it is opened, and what is known of each."""

from typing import Any, NamedTuple, get_args

from cea_exchange.domain.calendar import TermEnd, date_of_number
from cea_exchange.domain.compliance.enforcement.clocks import may_still_be_punished
from cea_exchange.domain.compliance.enforcement.offences import Offence
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    PlatformActError,
    choice_checked,
    count_checked,
    day_checked,
    words_checked,
    year_checked,
)
from cea_exchange.platform.enforcement.appeals import Appeals
from cea_exchange.platform.enforcement.book import UNPAID, Case, CaseBook, Decision, History
from cea_exchange.platform.enforcement.cuts import Cuts
from cea_exchange.platform.enforcement.deciding import Deciding
from cea_exchange.platform.enforcement.laws import Laws
from cea_exchange.platform.enforcement.payments import Payments
from cea_exchange.platform.enforcement.procedure import Procedure
from cea_exchange.platform.enforcement.steps import OVER, STEPS
from cea_exchange.platform.obligations.obligation_status import ObligationStatus
from cea_exchange.platform.obligations.obligations import Obligations
from cea_exchange.platform.record import Acting, Record
from cea_exchange.platform.verification.firms import Firms

OFFENCES = (UNPAID, *get_args(Offence))
FEN_MAX = 10**15


class Breach(NamedTuple):
    """What somebody did, or did not do.

    Attributes
    ----------
    committed_on
        When; where it went on, when it ended.
    found_on
        0 is today.
    is_harmful
        Whether it did harm, and may be punished for longer.
    apart
        Why it is another act than one about which there is a case.
    """

    offence: str
    committed_on: int
    compliance_year: int = 0
    gains_fen: int = 0
    found_on: int = 0
    is_harmful: bool = False
    apart: str = ""


class Cases:
    """The cases of all provinces.

    Attributes
    ----------
    procedure, deciding, appeals, payments, cuts
        Who take the steps of a case.
    """

    def __init__(self, record: Record, obligations: Obligations, firms: Firms) -> None:
        self._record = record
        self._store = record.store
        self._obligations = obligations
        self._status = status = ObligationStatus(record, obligations)
        self._book = book = CaseBook(record)
        self._laws = laws = Laws(book, status)
        self.appeals = Appeals(book, firms)
        self.payments = Payments(book, self.appeals)
        self.procedure = Procedure(book, laws, status, self.payments, self.appeals, firms)
        self.deciding = Deciding(book, laws)
        self.cuts = Cuts(book, laws, status, obligations)
        self.of_number = book.case

    def open(
        self,
        person: Acting,
        province: int,
        breach: Breach,
        document: str,
        *,
        enterprise_id: int = 0,
        firm_id: int = 0,
        is_extended: bool = False,
    ) -> Case:
        """Open a case against an enterprise or a firm.

        What was not surrendered is read from the obligation and what the registry has told, and
        typed by nobody.

        Parameters
        ----------
        is_extended
            Whether the term to open it was extended.

        Notes
        -----
        Rules: CEA-LAW-17, CEA-LAW-18, CEA-LAW-29, CEA-PEN-07.
        """
        choice_checked(breach.offence, OFFENCES, "offence")
        day_checked(breach.committed_on, "committed_on")
        count_checked(breach.gains_fen, "gains", FEN_MAX)
        words_checked(breach.apart, "apart", is_needed=False)
        if bool(enterprise_id) == bool(firm_id):
            raise PlatformActError(
                PlatformRefusal.CHOICE_UNKNOWN,
                "case: expected an enterprise or a firm, got both or none",
            )
        with self._record.transaction():
            today = self._record.business_date()
            found_on = breach.found_on or today
            day_checked(found_on, "found_on")
            if not breach.committed_on <= found_on <= today:
                raise PlatformActError(
                    PlatformRefusal.DATE_OUT_OF_RANGE,
                    f"found_on: expected from {breach.committed_on} to {today}, got {found_on}",
                )
            self._act_check(breach, enterprise_id, firm_id)
            shortfall = 0
            if breach.offence == UNPAID:
                shortfall = self._shortfall(breach, enterprise_id)
            else:
                self._limitation_check(breach, found_on)
            case = Case(
                case_id=self._store.next_id("cases", "case_id"),
                province=province,
                enterprise_id=enterprise_id,
                firm_id=firm_id,
                offence=breach.offence,
                compliance_year=breach.compliance_year,
                committed_on=breach.committed_on,
                found_on=found_on,
                opened_on=today,
                apart=breach.apart,
                shortfall=shortfall,
                gains_fen=breach.gains_fen,
                state="opened",
                fine_fen=0,
                paid_fen=0,
            )
            self._store.insert(f"cases ({', '.join(Case._fields)})", [case])
            end = self._record.term("open_case", found_on, extended=int(is_extended))
            self._book.note(
                *(case.case_id, "open", person),
                document=document,
                words=breach.apart,
                tonnes=shortfall,
                is_late=end.is_over(today),
            )
        return case

    def _shortfall(self, breach: Breach, enterprise_id: int) -> int:
        """Return what was missing when the deadline had passed, by the registry.

        As long as anything is missing the breach goes on: it is found in time.
        """
        year_checked(breach.compliance_year)
        owed = self._obligations.of(enterprise_id, breach.compliance_year)
        if owed is not None and breach.committed_on != owed.due_on:
            raise PlatformActError(
                PlatformRefusal.DATE_OUT_OF_RANGE,
                f"committed_on: expected {owed.due_on}, the deadline of {breach.compliance_year},"
                f" got {breach.committed_on}",
            )
        year = breach.compliance_year
        shortfall = self._status.missing_after(enterprise_id, year, breach.committed_on)
        if shortfall <= 0:
            raise PlatformActError(
                PlatformRefusal.NOTHING_SHORT,
                f"shortfall of {year}: expected tonnes missing after {breach.committed_on}, got"
                " none by the registry",
            )
        if not self._status.missing_now(enterprise_id, year):
            self._limitation_check(breach, breach.found_on or self._record.business_date())
        return shortfall

    def _limitation_check(self, breach: Breach, found_on: int) -> None:
        """Refuse an act that was found too late.

        Notes
        -----
        Rules: CEA-LAW-17.
        """
        days = date_of_number(breach.committed_on), date_of_number(found_on)
        if not may_still_be_punished(*days, harmful=breach.is_harmful):
            years = "5 years, as it did harm" if breach.is_harmful else "2 years"
            raise PlatformActError(
                PlatformRefusal.LIMITATION_OVER,
                f"act of {breach.committed_on}: expected to be found within {years}, got found on"
                f" {found_on} (CEA-LAW-17)",
            )

    def _act_check(self, breach: Breach, enterprise_id: int, firm_id: int) -> None:
        """Refuse a second case about one act: the same offence of that day or year, never; another
        offence of that day, unless it is said why it is another act.

        Notes
        -----
        Rules: CEA-LAW-29.
        """
        whose = {"enterprise": enterprise_id, "firm": firm_id}
        row = self._store.one(
            "SELECT case_id, offence, committed_on FROM cases WHERE enterprise_id = :enterprise"
            " AND firm_id = :firm AND state <> 'dropped' AND (committed_on = :day"
            " OR (offence = :offence AND compliance_year = :year AND compliance_year > 0))"
            " ORDER BY CASE WHEN offence = :offence THEN 0 ELSE 1 END, case_id LIMIT 1",
            whose
            | {"day": breach.committed_on, "offence": breach.offence}
            | {"year": breach.compliance_year},
        )
        if row is None:
            return
        number, offence, day = row
        is_same = offence == breach.offence and (day == breach.committed_on or offence == UNPAID)
        if is_same or not breach.apart:
            expected = "none about that act" if is_same else "the reason why it is another act"
            raise PlatformActError(
                PlatformRefusal.ACT_HAS_CASE,
                f"case: expected {expected}, got case {number} about {offence} of {day}"
                " (CEA-LAW-29)",
            )

    # -- what there is ----------------------------------------------------------------------------

    def shown(self, number: int) -> dict[str, Any]:
        """Return a case with its terms, decisions and steps, as it stands today."""
        case = self._book.case(number)
        history = self._book.history(number)
        decisions = [self._decision_shown(case, each) for each in self._book.decisions(number)]
        return {
            **self._standing(case, history),
            "correction": history.correction,
            "owed_fen": sum(each["owed_fen"] for each in decisions),
            "may": [step for step, each in STEPS.items() if case.state in each.after],
            "decisions": decisions,
            "steps": [
                {name: value for name, value in step._asdict().items() if name != "step_id"}
                for step in history.steps
            ],
        }

    def _standing(self, case: Case, history: History) -> dict[str, Any]:
        """Return a case with its terms: 0 is none, or one that stands still."""
        is_open = case.state not in OVER and case.state not in ("decided", "served")
        decide_by = self._book.decide_by(case, history) if is_open else None
        pay_by = None
        for decision in self._book.in_force(case.case_id):
            pay_by = self.payments.pay_by(decision) or pay_by
        return {
            **case._asdict(),
            "decide_by": _number(decide_by),
            "pay_by": _number(pay_by),
            "is_provisional": any(
                end is not None and end.is_provisional for end in (decide_by, pay_by)
            ),
        }

    def _decision_shown(self, case: Case, decision: Decision) -> dict[str, Any]:
        rows = self._store.execute(
            "SELECT name, fine_fen, ban FROM case_persons WHERE decision_id = ? ORDER BY name",
            (decision.decision_id,),
        )
        return {
            **decision._asdict(),
            "in_force_fen": self._book.fine_in_force(decision),
            "owed_fen": self.payments.owed(decision),
            "refundable_fen": self.payments.refundable(decision),
            "pay_by": _number(self.payments.pay_by(decision)),
            "persons": [
                {"name": name, "fine_fen": fen, "ban": ban}
                | {"owed_fen": self.payments.owed(decision, name)}
                for name, fen, ban in rows.fetchall()
            ],
            "rulings": [each._asdict() for each in self._book.rulings(decision)],
        }

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
        found: list[dict[str, Any]] = []
        for *row, enterprise, firm in rows.fetchall():
            case = Case(*row)
            standing = self._standing(case, self._book.history(case.case_id))
            found.append({**standing, "enterprise": enterprise, "firm": firm})
        return found

    def published(self) -> list[dict[str, Any]]:
        """Return the decisions that are public, as everybody may read them.

        One that was revoked is public no more, of a changed one the fine is that of the ruling.

        Notes
        -----
        Rules: CEA-LAW-23.
        """
        names = ("case_id", "province", "enterprise", "firm", "offence", "compliance_year")
        rows = self._store.execute(
            "SELECT cases.case_id, cases.province, coalesce(enterprise, ''), coalesce(firm, ''),"
            " offence, compliance_year, day, case_steps.decision_id FROM case_steps"
            " JOIN cases ON cases.case_id = case_steps.case_id"
            " LEFT JOIN enterprises ON enterprises.enterprise_id = cases.enterprise_id"
            " LEFT JOIN service_firms ON service_firms.firm_id = cases.firm_id"
            " WHERE step = 'publish' ORDER BY day, case_steps.decision_id"
        )
        found: list[dict[str, Any]] = []
        for *case, day, decision_id in rows.fetchall():
            decision = self._book.decision(decision_id)
            if self._book.is_revoked(decision):
                continue
            found.append(
                dict(zip(names, case, strict=True))
                | {
                    "stage": decision.stage,
                    "law": decision.law,
                    "fine_fen": self._book.fine_in_force(decision),
                    "confiscated_fen": decision.confiscated_fen,
                    "decided_on": decision.decided_on,
                    "published_on": day,
                }
            )
        return found


def _number(end: TermEnd | None) -> int:
    return 0 if end is None else end.number
