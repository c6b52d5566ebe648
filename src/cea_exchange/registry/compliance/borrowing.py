"""Borrowing: allowances of a later allocation are surrendered ahead for a year that is short.

They never come into the entity's account, so it can't trade or pledge them::

    authority --DISTRIBUTED--> province --SET_ASIDE--> applied --SURRENDERED--> authority
                                                                    later: off the allocation
                                                                    they are borrowed from
"""

from typing import NamedTuple

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import (
    WHY_LENGTH_MAX,
    ActError,
    amount_checked,
    name_checked,
    words_checked,
)
from cea_exchange.ledger.double_entry import EntryKind
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.registry.checks import refusals_raised
from cea_exchange.registry.compliance.deductions import Deductions
from cea_exchange.registry.compliance.obligation_status import Standing, standing_of
from cea_exchange.registry.compliance.surrender import Surrender
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.participants.entities import province_checked
from cea_exchange.registry.participants.mergers import with_successor


class Borrowed(NamedTuple):
    """What a borrowing has made: its own number, its surrender's, and its deduction's."""

    borrowing_id: int
    surrender_id: int
    deduction_id: int


class Borrowing:
    """Lets entities borrow of a later allocation.

    Rules: CEA-BOR-01, CEA-BOR-02.
    """

    def __init__(self, ledger: Ledger, surrender: Surrender, deductions: Deductions) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._surrender = surrender
        self._deductions = deductions

    def borrow(
        self,
        account: str,
        compliance_year: int,
        tonnes: int,
        province: int,
        *,
        document: str,
        why: str,
    ) -> Borrowed:
        """Let an entity borrow for a year's obligation, which it covers at once.

        Raises ActError: the year, the gap or the amount is none that may be borrowed, the deadline
        has passed, or the authority has too little of the allowances.

        Parameters
        ----------
        account
            Who owes; of a merged account another owes, and pays it back.
        tonnes
            With what was borrowed before at most half of what the allocation is short.
        document
            Number of the province's decision; an account has each once.
        why
            The hardship.
        """
        name_checked(document, "document")
        words_checked(why, "why", WHY_LENGTH_MAX)
        tonnes = amount_checked(tonnes, "tonnes")
        ledger, store = self._ledger, self._store
        with store.transaction():
            index, debtor = with_successor(ledger, account)
            province_checked(store, index, province)
            standing = standing_of(store, ledger.rules, index, compliance_year)
            today = ledger.business_date()
            self._may_check(account, standing, tonnes, today)
            vintage = ledger.rules.borrowing.from_year.value
            asset = ledger.asset(ledger.rules.vintages.product_of(vintage))
            number = store.next_id("borrowings", "borrowing_id")
            ledger.move(
                EntryKind.DISTRIBUTED,
                Institution.AUTHORITY,
                province_account(province),
                asset,
                tonnes,
                f"borrowing {number}",
            )
            surrender = self._surrender.by_province(index, compliance_year, province, asset, tonnes)
            deduction = self._deductions.add(
                store.account_name(debtor), document, "borrowed", tonnes, today
            )
            terms = (compliance_year, index, province, asset, tonnes, document, why)
            store.insert(
                "borrowings (borrowing_id, compliance_year, account_index, province,"
                " product_index, tonnes, document, why, surrender_id, deduction_id, business_date)",
                [(number, *terms, surrender, deduction, today)],
            )
        return Borrowed(number, surrender, deduction)

    def _may_check(self, account: str, standing: Standing, tonnes: int, today: int) -> None:
        obligation, store = standing.status.obligation, self._store
        year = obligation.compliance_year
        place = (year, standing.account_index)
        allocated = store.one(
            "SELECT tonnes FROM distribution_lines JOIN distributions USING (distribution_id)"
            " WHERE compliance_year = ? AND account_index = ? AND stage <> 'pre'"
            " ORDER BY distribution_id DESC LIMIT 1",
            place,
        )
        with refusals_raised():
            most = self._ledger.rules.borrowing.most(year, standing.verified, allocated or 0)
        if allocated is None:
            raise ActError(
                RegistryRefusal.ALLOCATION_MISSING,
                f"{account}: expected its final allocation of {year}, got none",
            )
        if obligation.in_arrears(today):
            raise ActError(
                RegistryRefusal.TOO_LATE,
                f"borrowing: expected by {obligation.deadline}, got on {today}",
            )
        before = store.one(
            "SELECT coalesce(sum(tonnes), 0) FROM borrowings"
            " WHERE compliance_year = ? AND account_index = ?",
            place,
        )
        if before + tonnes > most:
            raise ActError(
                RegistryRefusal.BORROWING_LIMIT,
                f"tonnes borrowed for {year}: expected at most {most}, got {before} + {tonnes}"
                " (CEA-BOR-01)",
            )
        if tonnes > standing.payable:
            raise ActError(
                RegistryRefusal.NOT_DUE,
                f"tonnes: expected at most the {standing.payable} that {account} owes and has"
                f" not applied for, got {tonnes}",
            )
