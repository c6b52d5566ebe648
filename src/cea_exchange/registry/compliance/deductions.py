"""Deductions: decisions that tonnes are taken off what an entity will be given.

Nothing moves when one is registered; distributions take it off. A recall that did not find all is
kept among them, until it has.
"""

from typing import NamedTuple

from cea_exchange.domain.calendar import date_of_number
from cea_exchange.domain.compliance.adjustment import Cause, Deduction
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.domain.units import tonnes_check, whole_number
from cea_exchange.institution.checks import (
    WHY_LENGTH_MAX,
    ActError,
    amount_checked,
    name_checked,
    refused_as,
    words_checked,
)
from cea_exchange.institution.paging import ALL
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.mergers import with_taken_over

BY_HAND: tuple[Cause, ...] = ("enforcement", "other")
"""Causes of deductions that nothing here decides: a document does."""
DONE = (
    "(SELECT deduction_id, distribution_id, tonnes FROM deductions_taken"
    " UNION ALL SELECT deduction_id, 0, tonnes FROM deductions_withdrawn)"
)
"""What of deductions is still to adjust no more: taken off or recalled, or withdrawn."""


class Adjustable(NamedTuple):
    """A deduction, or a recall that did not find all, with what of it is still to adjust."""

    deduction_id: int
    account: str
    document: str
    cause: str
    decided_on: int
    compliance_year: int
    """Of the allowances to recall; 0 of a deduction."""
    tonnes: int
    remaining: int


class Deductions:
    """Registers deductions, and says what of them is still to adjust."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def deduct(
        self, account: str, document: str, cause: Cause, tonnes: int, decided_on: int
    ) -> int:
        """Register a decision that tonnes are taken off what an entity will be given.

        Returns the deduction's number. Nothing moves; distributions take it off.

        Rules: CEA-ALC-11, CEA-DIS-06, CEA-PEN-05.

        Parameters
        ----------
        document
            Number of the decision; an entity has each once.
        cause : {"enforcement", "other"}
            Found by inspections, or else. What was not surrendered, or borrowed, is deducted by the
            acts that decide it.
        decided_on
            yyyymmdd.
        """
        if cause not in BY_HAND:
            raise ActError(
                RegistryRefusal.CHOICE_UNKNOWN,
                f"cause: expected one of {', '.join(BY_HAND)}, got {cause!r}",
            )
        return self.add(account, document, cause, tonnes, decided_on)

    def add(self, account: str, document: str, cause: Cause, tonnes: int, decided_on: int) -> int:
        """Register a deduction that another act has decided; as `deduct`, of any cause."""
        name_checked(document, "document")
        today = self._ledger.business_date()
        with self._store.transaction():
            index = self._ledger.account(account)
            decision = self._decision_checked(cause, tonnes, decided_on, today)
            known = self._store.find(
                "deductions", "deduction_id", account_index=index, document=document
            )
            if known is not None:
                raise ActError(
                    RegistryRefusal.DOCUMENT_USED,
                    f"document: expected a new one, got {document}, which is deduction {known}"
                    f" of {account}",
                )
            return self._store.add(
                "deductions (deduction_id, account_index, document, cause, compliance_year,"
                " tonnes, decided_on, business_date)",
                *(index, document, cause, 0, decision.tonnes, decision.decided_on, today),
            )

    def withdraw(self, account: str, deduction_id: int, tonnes: int, why: str) -> int:
        """Take tonnes of a deduction back that was registered by mistake; return what is left.

        Raises ActError: the account has no such deduction by hand, or less is still to adjust.

        Rules: CEA-DIS-12.
        """
        words_checked(why, "why", WHY_LENGTH_MAX)
        tonnes = amount_checked(tonnes, "tonnes")
        with self._store.transaction():
            pending = self.pending(self._ledger.account(account), first=deduction_id, count=1)
            left = {each.deduction_id: each for each in pending}.get(deduction_id)
            if left is None or left.cause not in BY_HAND:
                raise ActError(
                    RegistryRefusal.DEDUCTION_UNKNOWN,
                    f"deduction_id: expected one of {account} that is still to adjust, and was"
                    f" registered by a document, got {deduction_id}",
                )
            if tonnes > left.remaining:
                raise ActError(
                    RegistryRefusal.AMOUNT_UNSOUND,
                    f"tonnes: expected at most the {left.remaining} still to adjust, got {tonnes}",
                )
            self._store.add(
                "deductions_withdrawn (withdrawal_id, deduction_id, tonnes, why, business_date)",
                *(deduction_id, tonnes, why, self._ledger.business_date()),
            )
        return left.remaining - tonnes

    def _decision_checked(
        self, cause: Cause, tonnes: int, decided_on: int, today: int
    ) -> Deduction:
        amount = amount_checked(tonnes, "tonnes")
        with refused_as(RegistryRefusal.DATE_UNSOUND):
            expected = f"a day until {today}"
            day = whole_number(decided_on, "decided_on", expected)
            if not 2000_01_01 <= day <= today:
                raise ValueError(f"decided_on: expected {expected}, got {day}")
            date_of_number(day)
            tonnes_check(amount, "tonnes")
        decision = Deduction(cause=cause, tonnes=amount, decided_on=day)
        refusal = self._ledger.rules.adjustment.refusal(decision)
        if refusal is not None:
            raise ActError(RegistryRefusal.DATE_OUT_OF_RANGE, refusal)
        return decision

    def still_to_adjust(
        self, account: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[Adjustable]:
        """Return what could not be deducted or recalled yet, of one account or of all.

        Of an account also what is left of those that it has taken over.

        Parameters
        ----------
        first, count
            So many at most, of deductions from a number on.
        """
        index = None if account is None else self._ledger.account(account)
        return self.pending(index, first, count)

    def pending(
        self, account_index: int | None = None, first: int = 1, count: int = ALL
    ) -> list[Adjustable]:
        """Return the same of an account that may have ended, or of all."""
        of_whom = ""
        if account_index is not None:
            members = map(str, with_taken_over(self._store, account_index))
            of_whom = f" AND d.account_index IN ({', '.join(members)})"
        rows = self._store.execute(
            "SELECT d.deduction_id, a.account, d.document, d.cause, d.decided_on,"
            " d.compliance_year, d.tonnes, d.tonnes - coalesce(sum(t.tonnes), 0) AS remaining"
            " FROM deductions d JOIN accounts a ON a.account_index = d.account_index"
            f" LEFT JOIN {DONE} t ON t.deduction_id = d.deduction_id"
            f" WHERE d.deduction_id >= ?{of_whom}"
            " GROUP BY d.deduction_id, a.account, d.document, d.cause, d.decided_on,"
            " d.compliance_year, d.tonnes, d.account_index"
            " HAVING d.tonnes > coalesce(sum(t.tonnes), 0) ORDER BY d.deduction_id LIMIT ?",
            (first, count),
        )
        return [Adjustable(*row) for row in rows]
