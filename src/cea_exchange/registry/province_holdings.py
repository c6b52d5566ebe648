"""What provinces keep for entities at risk: what it is, what of it is used, and what is released.

The allowances lie on the provincial account; this says whose they are.
"""

from typing import TYPE_CHECKING

from cea_exchange.registry.checks import ActError
from cea_exchange.registry.institutions import province_account
from cea_exchange.registry.ledger import EntryKind

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry


class ProvinceHoldings:
    """What is kept for whom."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._store = registry.store

    def kept(self, account: str) -> dict[str, int]:
        """Return product -> tonnes that an entity's province keeps for it."""
        rows = self._store.execute(
            "SELECT product, tonnes FROM province_holdings"
            " JOIN products ON product_index = asset_index WHERE account_index = ?"
            " ORDER BY asset_index",
            (self._registry.account(account),),
        )
        return dict(rows.fetchall())

    def kept_use(self, account: str, product: str, tonnes: int, reference: str) -> None:
        """Note that the province uses some of it for the entity.

        Whoever calls it moves as much from the provincial account, in the same transaction.
        """
        kept = self.kept(account).get(product, 0)
        if tonnes > kept:
            raise ActError(
                f"{reference}: province must keep {tonnes} of {product} for {account}, keeps {kept}"
            )
        where = (self._registry.account(account), self._registry.asset(product))
        self._store.execute(
            "UPDATE province_holdings SET tonnes = tonnes - ?"
            " WHERE account_index = ? AND asset_index = ? AND tonnes > ?",
            (tonnes, *where, tonnes),
        )
        if tonnes == kept:
            self._store.execute(
                "DELETE FROM province_holdings WHERE account_index = ? AND asset_index = ?", where
            )

    def release(self, account: str) -> dict[str, int]:
        """Give an entity all that is kept for it: product -> tonnes."""
        index, kept = self._registry.account(account), self.kept(account)
        province = self._store.one(
            "SELECT province FROM accounts WHERE account_index = ?", (index,)
        )
        for product, tonnes in kept.items():
            asset, reference = self._registry.asset(product), f"release {account}"
            self.kept_use(account, product, tonnes, reference)
            self._registry.move(
                EntryKind.DISTRIBUTED,
                province_account(province),
                index,
                asset,
                tonnes,
                reference=reference,
            )
        return kept
