"""Which product is which vintage."""

from cea_exchange.domain.compliance.vintages import VintageRules
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.store import Store


def product_vintages(store: Store, rules: VintageRules) -> dict[int, int]:
    """Return product index -> vintage of all products that have one; no two have the same.

    A product declared without a vintage has the one its name says.

    Rules: CEA-PRD-02.
    """
    found: dict[int, int] = {}
    rows = store.all("SELECT product_index, product, vintage FROM products")
    for index, product, declared in rows:
        vintage = rules.of_product(product) if declared is None else declared
        if vintage in found.values():
            raise ActError(
                RegistryRefusal.VINTAGE_TAKEN,
                f"vintage {vintage}: expected one product, got {product} and another",
            )
        if vintage is not None:
            found[index] = vintage
    return found


def vintage_checked(store: Store, rules: VintageRules, asset_index: int) -> int:
    """Return the vintage of a product; ActError if it has none."""
    vintage = product_vintages(store, rules).get(asset_index)
    if vintage is None:
        raise ActError(
            RegistryRefusal.VINTAGE_MISSING,
            f"product: expected one with a vintage, got {store.asset_name(asset_index)}",
        )
    return vintage
