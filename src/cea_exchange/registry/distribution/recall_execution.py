"""Recalls by the authority: one that did not find all goes on (`recalls` says how)."""

from collections.abc import Sequence
from typing import NamedTuple

from cea_exchange.domain.compliance.adjustment import recall
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import EntryKind, Movement
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.registry.compliance.province_custody import ProvinceHoldings
from cea_exchange.registry.enforcement.arrivals import Arrivals
from cea_exchange.registry.enforcement.recalls import OwedRecall, recall_note
from cea_exchange.registry.general_ledger import Ledger

_AUTHORITY, _RECALL = Institution.AUTHORITY, Institution.RECALL


class Recalled(NamedTuple):
    """What a recall took, what is still owed of it, and what of that the venue was asked for."""

    recalled: int
    remaining: int
    called: int


class RecallActs:
    """Lets recalls go on.

    Rules: CEA-DIS-04, CEA-DIS-11.
    """

    def __init__(self, ledger: Ledger, arrivals: Arrivals, custody: ProvinceHoldings) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._arrivals = arrivals
        self._custody = custody

    def go_on(self, accounts: set[int]) -> None:
        """Take, or call from the venue, what these accounts owe of recalls now, of any year.

        Within the transaction of a distribution, which may put back what an earlier one had taken
        off for a recall.

        Rules: CEA-DIS-11.
        """
        due = self._arrivals.recalls.all()
        for account, year in sorted({(each.account_index, each.compliance_year) for each in due}):
            if account in accounts:
                self._go_on(self._recalls_of(account, year))

    def remaining(self, account: str, compliance_year: int) -> Recalled:
        """Recall what an earlier recall did not find: what is here at once, the rest as it comes.

        Recalls go on by themselves; this asks the venue again, and says how one stands.

        Returns what was recalled, what is still owed of that year, and what of it the venue was
        asked for.

        Rules: CEA-ALC-09, CEA-DIS-04, CEA-DIS-11.
        """
        with self._store.transaction():
            index = self._ledger.account(account)
            due = self._recalls_of(index, compliance_year)
            if not due:
                raise ActError(
                    RegistryRefusal.NOTHING_TO_RECALL,
                    f"{account}: expected something of {compliance_year} to recall, got nothing",
                )
            place, before = due[0].place, sum(each.tonnes for each in due)
            self._go_on(due)
            left = sum(each.tonnes for each in self._recalls_of(index, compliance_year))
            called = min(left, self._arrivals.called(place)["recall"])
            if left == before and not called:
                raise ActError(
                    RegistryRefusal.NOTHING_TO_RECALL,
                    f"{account}: expected holdings to recall, got 0",
                )
        return Recalled(recalled=before - left, remaining=left, called=called)

    def _go_on(self, due: Sequence[OwedRecall]) -> None:
        """Take what is owed of a year: what the province keeps, what is here, then the venue's."""
        ledger, place = self._ledger, due[0].place
        self._kept_recall(due)
        self._arrivals.take(place, self._store.last_seq, ledger.business_date())
        self._arrivals.ask(place, ledger.now_ns())

    def _recalls_of(self, account_index: int, compliance_year: int) -> list[OwedRecall]:
        return [
            each
            for each in self._arrivals.recalls.all()
            if (each.account_index, each.compliance_year) == (account_index, compliance_year)
        ]

    def _kept_recall(self, due: Sequence[OwedRecall]) -> None:
        """Recall from what the province keeps for the entity, as far as it goes."""
        index, asset = due[0].place
        province: int = self._store.find("accounts", "province", account_index=index)
        kept = self._custody.of_product(asset).get((province, index), 0)
        recalled = recall(sum(each.tonnes for each in due), kept).recalled
        if not recalled:
            return
        terms = (index, province, due[0].compliance_year, asset)
        reference = recall_note(self._store, terms, 0, recalled, self._ledger.business_date())
        self._ledger.moves(back(province, [], recalled, asset), reference)
        self._custody.change([(province, index, asset, -recalled)], reference)
        taken, most = [], recalled
        for each in due:
            part = min(each.tonnes, most)
            most -= part
            if part:
                taken.append((each.deduction_id, reference, 0, part))
        self._store.insert(
            "deductions_taken (deduction_id, reference, distribution_id, tonnes)",
            taken,
        )
        self._arrivals.recalls.note(number for number, *_rest in taken)


def back(code: int, taken: Sequence[tuple[int, int]], total: int, asset: int) -> list[Movement]:
    """Return the way back: from entities to their province, the authority, out of circulation."""
    province = province_account(code)
    return moved(
        EntryKind.RECALLED,
        [
            *((account, province, tonnes) for account, tonnes in taken),
            (province, _AUTHORITY, total),
            (_AUTHORITY, _RECALL, total),
        ],
        asset,
    )


def moved(kind: EntryKind, ways: Sequence[tuple[int, int, int]], asset: int) -> list[Movement]:
    """Return the movements of (from, to, tonnes); nothing moves where it is 0."""
    return [
        Movement(kind, source, target, asset, tonnes) for source, target, tonnes in ways if tonnes
    ]
