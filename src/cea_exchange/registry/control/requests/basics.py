"""Products, keys, payment and transfers."""

from typing import TYPE_CHECKING, Any

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import AUTHORITY, INITIATOR, OPERATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ProductDeclare(Request, tag="product_declare"):
    """Declare a product; the price in fen per tonne."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.OWN

    product: str
    reference_price: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"product_index": registry.product_declare(self.product, self.reference_price)}


class KeyGrant(Request, tag="key_grant"):
    """Let a key act for an operator of an account."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    key: str
    account: str
    operator_index: int = 0
    role: str = "trader"
    cancel_on_disconnect: bool = True

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.key_grant(
            self.key,
            self.account,
            self.operator_index,
            self.role,
            cancel_on_disconnect=self.cancel_on_disconnect,
        )
        return {}


class KeyRevoke(Request, tag="key_revoke"):
    """Take back what a key may do.

    One person will do: a key in wrong hands must not wait. It moves nothing.
    """

    roles = (OPERATOR, INITIATOR)

    key: str

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: that of the account the key acts for."""
        return registry.key_bodies(self.key)

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.key_revoke(self.key)
        return {}


class PayIn(Request, tag="pay_in"):
    """Book cash from the bank into an account's registration compartment."""

    roles = (OPERATOR,)
    second = Second.OWN

    account: str
    cash: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.pay_in(self.account, self.cash)
        return {}


class TransferIn(Request, tag="transfer_in"):
    """Send tonnes, or without a product cash, to the account at the venue."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    account: str
    amount: int
    product: str | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"transfer_seq": registry.transfer_in(self.account, self.product, self.amount)}


class TransferOut(Request, tag="transfer_out"):
    """Ask the venue to let tonnes, or without a product cash, go."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    account: str
    amount: int
    product: str | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"transfer_seq": registry.transfer_out(self.account, self.product, self.amount)}
