"""Products that may be held and traded: vintages of allowances, and whatever else is declared."""

from collections.abc import Callable

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError, amount_checked, name_checked
from cea_exchange.institution.look_alikes import look_alikes_add
from cea_exchange.protocol.control import ProductDeclared
from cea_exchange.registry.general_ledger import Ledger

PRODUCT_COUNT_MAX = 65_535


class Products:
    """Declares products; the venue is notified.

    Attributes
    ----------
    after_declaring : list of callable
        Each takes a new product's index, in the transaction that declares it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self.after_declaring: list[Callable[[int], None]] = []

    def declare(self, product: str, reference_price_fen: int) -> int:
        """Declare a product and tell the venue.

        Returns its index, the same at the venue.

        Parameters
        ----------
        product
            Its name; any but that of cash.
        reference_price_fen
            Per tonne.
        """
        name_checked(product, "product")
        reference_price = amount_checked(reference_price_fen, "reference_price")
        if product == CASH_NAME:
            raise ActError(
                RegistryRefusal.NAME_RESERVED,
                f"product: expected another name than {CASH_NAME}, which is cash, got it",
            )
        with self._store.transaction():
            if self._store.product_index(product) is not None:
                raise ActError(
                    RegistryRefusal.PRODUCT_TAKEN,
                    f"product: expected a new one, got {product}, which is declared already",
                )
            index = self._store.one("SELECT count(*) FROM products")
            if index >= PRODUCT_COUNT_MAX:
                raise ActError(
                    RegistryRefusal.PRODUCT_LIMIT,
                    f"products: expected at most {PRODUCT_COUNT_MAX}, got one more",
                )
            look_alikes_add(self._store, "product", product)
            self._ledger.feed(ProductDeclared(product=product, reference_price=reference_price))
            self._store.insert(
                "products (product_index, product, reference_price, vintage)",
                [(index, product, reference_price, None)],
            )
            for follow in self.after_declaring:
                follow(index)
        return index
