"""Which entities there are, where they belong, and who may decide about them."""

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.store import Store

_OWING = "kind = 'entity' AND state <> 'closed'"
"""A suspended account may not trade; it still has to surrender. For a merged one another has to."""


def entity_provinces(store: Store) -> dict[str, int]:
    """Return account -> province code of all entities whose accounts are not closed."""
    return dict(store.all(f"SELECT account, province FROM accounts WHERE {_OWING}"))


def entity_province(store: Store, account_index: int) -> int:
    """Return the province of an entity; ActError if its account is closed, or it has none."""
    row = store.one(
        f"SELECT account, province FROM accounts WHERE account_index = ? AND {_OWING}",
        (account_index,),
    )
    if row is None:
        name = store.account_name(account_index)
        raise ActError(
            RegistryRefusal.ACCOUNT_ENDED,
            f"account: expected an entity's that is not closed, got {name}",
        )
    account, province = row
    if province not in PROVINCES:
        raise ActError(
            RegistryRefusal.PROVINCE_MISSING,
            f"account {account}: expected one with a province, got none",
        )
    return province


def province_checked(store: Store, account_index: int, province: int) -> None:
    """Raise `ActError` unless a province is an entity's own: no other decides about it."""
    if province != entity_province(store, account_index):
        name = store.account_name(account_index)
        raise ActError(
            RegistryRefusal.PROVINCE_OTHER,
            f"{name}: expected an entity of province {province}, got another's",
        )
