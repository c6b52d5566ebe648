"""Recalls that did not find all: what entities still owe of them, and how it is taken.

A recall goes on by itself until it is filled, or taken off what is given later. What comes into the
registration account leaves in the same transaction; what is at the venue is called::

    registration --RECALLED--> province --> authority --> out of circulation    whatever comes
         ^
     WITHDRAWN
         |
      trading   <-- asked: at the recall, when a deposit arrives, after a bust, at each opening

Nothing else leaves the account for good meanwhile. Trades do: they stand as they were made.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from cea_exchange.ledger.double_entry import EntryKind, legs_of
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.ledger.store import Store
from cea_exchange.registry.participants.mergers import successors

Place = tuple[int, int]
"""Account index and asset index."""

RECALL_WAITS_FOR = frozenset(
    {EntryKind.SURRENDERED, EntryKind.CANCELLED, EntryKind.CARRIED_OVER, EntryKind.ENFORCED}
)
"""What ends an application: of who owes a recall it comes only after the recall is filled."""


class OwedRecall(NamedTuple):
    """What is left of a recall, which is a deduction that a distribution did not find."""

    deduction_id: int
    account_index: int
    asset_index: int
    compliance_year: int
    since: int
    """The day of the distribution, yyyymmdd."""
    tonnes: int

    @property
    def place(self) -> Place:
        """Whose, and of what."""
        return self.account_index, self.asset_index


_OPEN = """
SELECT due.deduction_id, due.account_index,
    (SELECT min(product_index) FROM distributions AS given
        WHERE given.compliance_year = due.compliance_year),
    due.compliance_year, due.business_date, due.tonnes - coalesce(sum(taken.tonnes), 0)
FROM deductions AS due
LEFT JOIN deductions_taken AS taken ON taken.deduction_id = due.deduction_id
WHERE due.cause = 'recall' AND due.deduction_id IN (SELECT deduction_id FROM recalls_open)
GROUP BY due.deduction_id, due.account_index, due.compliance_year, due.business_date, due.tonnes
HAVING due.tonnes > coalesce(sum(taken.tonnes), 0)
ORDER BY due.deduction_id
"""
_IS_OPEN = """EXISTS (
    SELECT 1 FROM deductions AS due WHERE due.deduction_id = ? AND due.cause = 'recall'
        AND due.tonnes > (SELECT coalesce(sum(taken.tonnes), 0) FROM deductions_taken AS taken
            WHERE taken.deduction_id = due.deduction_id))"""


def by_place(recalls: Iterable[OwedRecall]) -> Counter[Place]:
    """Return what is left of recalls in all, of each account's product."""
    sums: Counter[Place] = Counter()
    for each in recalls:
        sums[each.place] += each.tonnes
    return sums


def recall_note(
    store: Store, terms: tuple[int, int, int, int], recalled: int, kept: int, business_date: int
) -> str:
    """Keep that something was recalled; return the reference of its entries.

    Parameters
    ----------
    terms
        Account, province, compliance year and product.
    recalled, kept
        Tonnes of the account's own, and of what its province kept for it.
    """
    number = store.add(
        "recalls (recall_id, account_index, province, compliance_year, product_index,"
        " recalled, recalled_kept, business_date)",
        *(*terms, recalled, kept, business_date),
    )
    return f"recall {number}"


class Recalls:
    """What is owed of recalls, in a store's database; nothing is kept in memory.

    Most recalls were filled long ago, and what is owed is asked for with each entry: those that are
    not are kept in a table of their own.

    Rules: CEA-DIS-11.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> list[OwedRecall]:
        """Return what is left of each recall, earlier ones first.

        What a merged account owed its successor owes (CEA-DIS-10).
        """
        found = [OwedRecall(*row) for row in self._store.all(_OPEN)]
        into = successors(self._store) if found else {}
        return [
            each._replace(account_index=into.get(each.account_index, each.account_index))
            for each in found
        ]

    def owed(self) -> Counter[Place]:
        """Return what is owed by place."""
        return by_place(self.all())

    def of_place(self, place: Place) -> list[OwedRecall]:
        """Return what is left of the recalls of an account and product, earlier ones first."""
        return [each for each in self.all() if each.place == place]

    def note(self, deduction_ids: Iterable[int]) -> None:
        """Keep whether these deductions are recalls that are not filled.

        Within the transaction that has added them, or what was taken of them or has gone back.
        """
        twice = [(number, number) for number in sorted(set(deduction_ids))]
        self._store.database.execute_many(
            f"DELETE FROM recalls_open WHERE deduction_id = ? AND NOT {_IS_OPEN}", twice
        )
        self._store.database.execute_many(
            f"INSERT INTO recalls_open (deduction_id) SELECT CAST(? AS BIGINT) WHERE {_IS_OPEN}"
            " ON CONFLICT DO NOTHING",
            twice,
        )

    def take(
        self, owed: OwedRecall, tonnes: int, *, settlement_seq: int, business_date: int
    ) -> None:
        """Take tonnes of a recall from the registration account, which has them; note it.

        Within the transaction of what brought them there.

        Rules: CEA-DIS-04, CEA-DIS-11.
        """
        store, account = self._store, owed.account_index
        province: int = store.find("accounts", "province", account_index=account)
        terms = (account, province, owed.compliance_year, owed.asset_index)
        reference = recall_note(store, terms, tonnes, 0, business_date)
        store.insert(
            "deductions_taken (deduction_id, reference, distribution_id, tonnes)",
            [(owed.deduction_id, reference, 0, tonnes)],
        )
        self.note([owed.deduction_id])
        through, authority = province_account(province), int(Institution.AUTHORITY)
        ways = (
            (account, through),
            (through, authority),
            (authority, int(Institution.RECALL)),
        )
        for source, target in ways:
            store.entry_add(
                EntryKind.RECALLED,
                legs_of(EntryKind.RECALLED, source, target, owed.asset_index, tonnes),
                (source, target, owed.asset_index, tonnes),
                settlement_seq=settlement_seq,
                business_date=business_date,
                reference=reference,
            )
