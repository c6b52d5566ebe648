"""Requests about products, keys, payments and transfers."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.ledger.institutions import INSTITUTION_NAMES, Institution
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Account, Cash, EntryId, PublicKey, Why
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import AUTHORITY, INITIATOR, OPERATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class ProductDeclare(Request, tag="product_declare"):
    """Declare a product, here and at the venue; two persons do it."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.OWN
    command = "product declare"
    example = "product declare CEA24 97.49"

    product: Annotated[str, field("The product's name.")]
    reference_price: Annotated[
        int, field("Yuan per tonne, such as 97.49.", typed="price", name="price")
    ]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"product_index": registry.product_declare(self.product, self.reference_price)}


class KeyGrant(Request, tag="key_grant"):
    """Let a key act for an account at the venue; a representative of the account approves."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "key grant"
    example = "key grant keys/p001.public P001"

    key: PublicKey
    account: Annotated[str, field("For which account it acts.")]
    operator_index: Annotated[int, field("Which operator: 0 to 15.", name="--operator")] = 0
    role: Annotated[str, field("trader, canceller or reader.")] = "trader"
    cancel_on_disconnect: Annotated[bool, field("Whether orders go with a lost session.")] = True

    def act(self, registry: "Registry") -> None:
        registry.key_grant(
            self.key,
            self.account,
            self.operator_index,
            self.role,
            cancel_on_disconnect=self.cancel_on_disconnect,
        )


class KeyRevoke(Request, tag="key_revoke"):
    """Take back what a key may do at the venue.

    One person will do: a key in wrong hands must not wait. It moves nothing.
    """

    roles = (OPERATOR, INITIATOR)
    command = "key revoke"
    example = "key revoke keys/p001.public"

    key: PublicKey

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: that of the account the key acts for."""
        return registry.key_bodies(self.key)

    def act(self, registry: "Registry") -> None:
        registry.key_revoke(self.key)


class PayIn(Request, tag="pay_in"):
    """Book cash that was paid in, where there is no settlement bank; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "cash pay-in"
    example = "cash pay-in P001 1000.00"

    account: Account
    cash: Cash

    def act(self, registry: "Registry") -> None:
        registry.pay_in(self.account, self.cash)


class PayInReverse(Request, tag="pay_in_reverse"):
    """Take back a pay-in that was booked by mistake, as far as it is still there.

    A representative of the account approves, and the authority where it has none. Both entries
    stay.
    """

    roles = (OPERATOR,)
    second = Second.HOLDER_OR_AUTHORITY
    command = "cash reverse"
    example = 'cash reverse 17 9000.00 --account P001 --why "a zero too many" --key an'

    entry_id: Annotated[EntryId, field("The entry of the pay-in.")]
    cash: Cash
    why: Why
    account: Annotated[
        str | None, field("Into which it was booked; left out, the risk reserve.")
    ] = None

    def holder(self, registry: "Registry") -> str:
        """Return the account into which it was booked; the risk reserve has no approver."""
        if self.account is None:
            return INSTITUTION_NAMES[Institution.RISK_RESERVE]
        return super().holder(registry)

    def act(self, registry: "Registry") -> dict[str, Any]:
        entry_id = registry.pay_in_reverse(self.account, self.entry_id, self.cash, self.why)
        return {"entry_id": entry_id}


class TransferIn(Request, tag="transfer_in"):
    """Send tonnes of a product, or cash, to the account at the venue; two persons do it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "transfer in"
    example = "transfer in P001 --product CEA24 --tonnes 5 --key li"

    account: Account
    amount: Annotated[int, field(typed="amount")]
    product: Annotated[str | None, field("Which allowances.")] = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"transfer_seq": registry.transfer_in(self.account, self.product, self.amount)}


class TransferOut(Request, tag="transfer_out"):
    """Ask the venue to let tonnes of a product, or cash, go; two persons do it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "transfer out"
    example = "transfer out P001 --cash 1000.00 --key li"

    account: Account
    amount: Annotated[int, field(typed="amount")]
    product: Annotated[str | None, field("Which allowances.")] = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"transfer_seq": registry.transfer_out(self.account, self.product, self.amount)}
