"""The accounts office."""

from typing import TYPE_CHECKING

from cea_exchange.registry.persons import account_body, province_body

if TYPE_CHECKING:
    from cea_exchange.registry.acts import Registry


class Accounts:
    """What becomes of entities' accounts."""

    def __init__(self, registry: "Registry") -> None:
        self._registry = registry
        self._store = registry.store

    def bodies(self, account: str) -> frozenset[str]:
        """Return whose business an account is: its representatives', and its province's."""
        index = self._registry.account(account)
        province = self._store.one(
            "SELECT province FROM accounts WHERE account_index = ?", (index,)
        )
        own = {account_body(account)}
        return frozenset(own | {province_body(province)} if province else own)
