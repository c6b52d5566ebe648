"""Cuts of an entity's next allocation, where the law allows them; the registry deducts them."""

from collections.abc import Callable

from cea_exchange.domain.compliance.enforcement.offences import cut
from cea_exchange.domain.compliance.penalties import Correction
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    PlatformActError,
    count_checked,
    rule_refusals_raised,
    year_checked,
)
from cea_exchange.platform.enforcement.book import UNPAID, Case, CaseBook, History
from cea_exchange.platform.enforcement.laws import Laws
from cea_exchange.platform.obligations.cut_decided import CutDecided
from cea_exchange.platform.obligations.obligation_status import ObligationStatus
from cea_exchange.platform.obligations.obligations import Obligations
from cea_exchange.platform.record import Acting

TONNES_MAX = 10**12


class Cuts:
    """Decides cuts.

    Attributes
    ----------
    after_cutting : list of callable
        Each is called with what was decided, in the same transaction.
    """

    def __init__(
        self,
        book: CaseBook,
        laws: Laws,
        status: ObligationStatus,
        obligations: Obligations,
    ) -> None:
        self._book = book
        self._record = book.record
        self._laws = laws
        self._status = status
        self._obligations = obligations
        self._rules = ComplianceRules.load()
        self.after_cutting: list[Callable[[CutDecided], None]] = []

    def cut(
        self,
        person: Acting,
        number: int,
        tonnes: int,
        document: str,
        *,
        year: int = 0,
        misreported: int = 0,
    ) -> Case:
        """Decide once that an entity's next allowances are cut.

        Parameters
        ----------
        year
            Of whose final allocation a share is cut, for fraud.
        misreported
            Tonnes, where the law of the day cuts those.

        Notes
        -----
        Rules: CEA-PEN-04, CEA-PEN-05, CEA-LAW-08, CEA-LAW-09, CEA-LAW-15.
        """
        count_checked(tonnes, "tonnes", TONNES_MAX)
        count_checked(misreported, "misreported", TONNES_MAX)
        with self._record.transaction():
            case = self._book.may(number, "cut")
            history = self._book.history(number)
            if history.last("cut") is not None:
                self._book.refuse(case, "one cut", "another one")
            if not case.enterprise_id:
                self._book.refuse(
                    *(case, "an entity's case", "a firm's"), PlatformRefusal.PENALTY_NOT_ALLOWED
                )
            if case.offence == UNPAID:
                least = most = self._unpaid(case, history)
            else:
                least, most = self._of_offence(case, history, year, misreported)
            if not least <= tonnes <= most:
                raise PlatformActError(
                    PlatformRefusal.AMOUNT_UNSOUND,
                    f"cut: expected from {least} to {most} t, got {tonnes}",
                )
            self._book.take(case, "cut", person, document=document, tonnes=tonnes)
            decided = CutDecided(
                case.case_id,
                case.province,
                case.enterprise_id,
                case.compliance_year,
                "unpaid" if case.offence == UNPAID else "enforcement",
                tonnes,
                document,
                self._record.business_date(),
                *_order(history),
            )
            for follow in self.after_cutting:
                follow(decided)
        return self._book.case(number)

    def _unpaid(self, case: Case, history: History) -> int:
        """Return what is missing today, behind the order and refusal that the year's law asks."""
        owed = self._obligations.of(case.enterprise_id, case.compliance_year)
        missing = self._status.missing_now(case.enterprise_id, case.compliance_year)
        if owed is None or not missing:
            self._book.refuse(case, "tonnes missing", "none", PlatformRefusal.NOTHING_SHORT)
        order, ordered_on, until, _refusal, refused_on = _order(history)
        correction = Correction(
            document=order, ordered_on=ordered_on, until=until, refused_on=refused_on
        )
        with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
            deduction = self._rules.penalties.deduction_for(
                self._rules.obligations.obligation(case.compliance_year, owed.due_tonnes),
                missing,
                self._record.business_date(),
                correction=correction if order else None,
                adjustment=self._rules.adjustment,
            )
        return deduction.tonnes

    def _of_offence(
        self, case: Case, history: History, year: int, misreported: int
    ) -> tuple[int, int]:
        """Return the least and most of a cut for fraud: on refusal a share of a final allocation,
        by the older law as much as was misreported."""
        law = self._laws.penalty(case).law
        if law.cut == "refusal":
            if history.correction != "refused":
                self._book.refuse(
                    *(case, "the refusal of an order to correct", "none"),
                    PlatformRefusal.STEP_MISSING,
                )
            of = self._final(case, year)
        else:
            of = misreported
        with rule_refusals_raised(PlatformRefusal.PENALTY_NOT_ALLOWED):
            allowed = cut(law, of)
        return allowed.least, allowed.most

    def _final(self, case: Case, year: int) -> int:
        """Return what an entity was given of the next year, as its province distributed it last."""
        year_checked(year)
        if year <= case.compliance_year:
            self._book.refuse(
                *(case, f"a year behind {case.compliance_year}", str(year)),
                PlatformRefusal.DATE_OUT_OF_RANGE,
            )
        tonnes: int | None = self._book.store.one(
            "SELECT line.tonnes FROM allocation_lines AS line JOIN allocations"
            " ON allocations.allocation_id = line.allocation_id WHERE enterprise_id = ?"
            " AND compliance_year = ? AND stage <> 'pre' AND state = 'distributed'"
            " ORDER BY line.allocation_id DESC LIMIT 1",
            (case.enterprise_id, year),
        )
        if tonnes is None:
            self._book.refuse(
                *(case, f"an entity with a final allocation of {year}", "none of it"),
                PlatformRefusal.PENALTY_NOT_ALLOWED,
            )
        return tonnes


def _order(history: History) -> tuple[str, int, int, str, int]:
    order, refused = history.order, history.last("refuse")
    if order is None:
        return "", 0, 0, "", 0
    refusal = ("", 0) if refused is None else (refused.document, refused.day)
    return order.document, order.day, order.due_on, *refusal
