"""Custody: what provinces hold for entities at risk, what of it is used, and what is released.

The allowances lie on the provincial account; this says whose they are.
"""

from collections import Counter
from collections.abc import Sequence

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked
from cea_exchange.ledger.double_entry import EntryKind, Movement
from cea_exchange.ledger.institutions import province_account
from cea_exchange.registry.compliance.obligation_status import owed_standings
from cea_exchange.registry.general_ledger import Ledger


class ProvinceHoldings:
    """What is kept for whom.

    Rules: CEA-DIS-03.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def kept(self, account: str) -> dict[str, int]:
        """Return product -> tonnes that an entity's province keeps for it."""
        return self.kept_for(self._ledger.account(account))

    def kept_for(self, account_index: int) -> dict[str, int]:
        """Return the same for an account that may have ended."""
        rows = self._store.all(
            "SELECT product, sum(tonnes) FROM kept_changes JOIN products USING (product_index)"
            " WHERE account_index = ? GROUP BY product_index, product"
            " HAVING sum(tonnes) <> 0 ORDER BY product_index",
            (account_index,),
        )
        return dict(rows)

    def kept_since(self, account: str, date: int) -> dict[str, int]:
        """Return product -> tonnes kept as a day (yyyymmdd) ended, and ever since."""
        index = self._ledger.account(account)
        rows = self._store.all(
            "SELECT product, business_date, tonnes FROM kept_changes JOIN products"
            " USING (product_index) WHERE account_index = ? ORDER BY change_id",
            (index,),
        )
        now: Counter[str] = Counter()
        since: dict[str, int] = {}
        for product, changed_on, tonnes in rows:
            now[product] += tonnes
            is_before = changed_on <= date
            since[product] = now[product] if is_before else min(since.get(product, 0), now[product])
        return {product: tonnes for product, tonnes in since.items() if tonnes}

    def kept_use(self, account: str, product: str, tonnes: int, reference: str) -> dict[int, int]:
        """Note that the province uses some of it for the entity, as to surrender for it.

        It moves nothing: whoever calls it moves as much from that province's account, in the same
        transaction.

        Returns tonnes by province; more than one where the entity has moved.

        Parameters
        ----------
        reference
            Of the act that uses it, as ``surrender 12``.
        """
        tonnes = amount_checked(tonnes, "tonnes")
        with self._store.transaction():
            index, asset = self._ledger.account(account), self._ledger.asset(product)
            found = self._provinces_of(index, asset)
            kept, used, left = sum(part for _, part in found), {}, tonnes
            if kept < tonnes:
                raise ActError(
                    RegistryRefusal.NOT_KEPT,
                    f"{reference}: expected {tonnes} of {product} kept by the province for"
                    f" {account}, got {kept}",
                )
            for province, part in found:
                if left:
                    used[province] = min(part, left)
                    left -= used[province]
            changes = [(province, index, asset, -part) for province, part in used.items()]
            self.change(changes, reference)
        return used

    def release(self, account: str) -> dict[str, int]:
        """Give an entity all that is kept for it: product -> tonnes; {} is nothing.

        Raises ActError: it is at risk and owes allowances: what is kept is for them.

        Rules: CEA-SUR-07.
        """
        with self._store.transaction():
            index, released = self._ledger.account(account), self.kept(account)
            if not released:
                return {}
            self._nothing_owed(index, account)
            number = self._store.next_id("kept_changes", "change_id")
            reference = f"release {number}"
            changes, movements = [], []
            for asset in map(self._ledger.asset, released):
                for province, tonnes in self._provinces_of(index, asset):
                    ends = (province_account(province), index, asset, tonnes)
                    movements.append(Movement(EntryKind.DISTRIBUTED, *ends))
                    changes.append((province, index, asset, -tonnes))
            self._ledger.moves(movements, reference)
            self.change(changes, reference)
        return released

    def _nothing_owed(self, index: int, account: str) -> None:
        if not self._store.find("accounts", "at_risk", account_index=index):
            return
        for owing, year, standing in owed_standings(self._store, self._ledger.rules, index):
            if standing.owed:
                whose = "" if owing == account else f" for {owing}"
                raise ActError(
                    RegistryRefusal.STILL_OWED,
                    f"release: expected {account}, which is at risk, to owe nothing, got"
                    f" {standing.owed} of {year}{whose}",
                )

    def of_product(self, asset: int) -> dict[tuple[int, int], int]:
        """Return (province, account index) -> tonnes that are kept of a product."""
        rows = self._store.execute(
            "SELECT province, account_index, sum(tonnes) FROM kept_changes"
            " WHERE product_index = ? GROUP BY province, account_index HAVING sum(tonnes) <> 0",
            (asset,),
        )
        return {(province, account): tonnes for province, account, tonnes in rows}

    def change(self, changes: Sequence[tuple[int, int, int, int]], reference: str) -> None:
        """Note by how much more or less is kept: province, account, asset, tonnes of each change.

        Belongs in the transaction that moves as much to or from the provinces' accounts.
        """
        today = self._ledger.business_date()
        first = self._store.next_id("kept_changes", "change_id")
        rows = [(number, *change, reference, today) for number, change in enumerate(changes, first)]
        self._store.insert(
            "kept_changes (change_id, province, account_index, product_index, tonnes, reference,"
            " business_date)",
            rows,
        )

    def _provinces_of(self, account_index: int, asset: int) -> list[tuple[int, int]]:
        """Return which province keeps how much of a product for an account."""
        rows = self._store.all(
            "SELECT province, sum(tonnes) FROM kept_changes WHERE account_index = ?"
            " AND product_index = ? GROUP BY province HAVING sum(tonnes) <> 0 ORDER BY province",
            (account_index, asset),
        )
        return rows
