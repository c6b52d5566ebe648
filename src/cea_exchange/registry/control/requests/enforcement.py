"""Requests about courts' orders, dispositions and public notices."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import Number
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import (
    Account,
    Court,
    Order,
    Product,
    Tonnes,
    Unit,
    Until,
    Why,
)
from cea_exchange.registry.control.requests.request import Listing, Request
from cea_exchange.registry.enforcement.transfer_kinds import TransferKind
from cea_exchange.registry.participants.roles import (
    AUTHORITY,
    INITIATOR,
    OPERATOR,
    REGULATOR,
    ROLES,
)

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class Freeze(Request, tag="freeze"):
    """Freeze tonnes of a product, or without tonnes all of it; or cash, a part of it or all.

    All is what there is and what comes. One person will do: a court's order does not wait.
    """

    roles = (OPERATOR,)
    command = "freeze place"
    example = (
        'freeze place P001 --product CEA24 --tonnes 500 --order "(2026)1"'
        ' --court "Wuhan Intermediate Court" --until 2027-06-30'
    )

    account: Account
    order: Order
    court: Court
    until: Until
    product: Annotated[str | None, field("Of what; left out, cash.")] = None
    amount: Annotated[int | None, field(typed="amount", is_all_if_left_out=True)] = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        freeze_id = registry.enforcement.freeze(
            *(self.account, self.product, self.amount),
            order=self.order,
            court=self.court,
            until=self.until,
        )
        return registry.enforcement.freeze_shown(freeze_id)


class FreezeAll(Request, tag="freeze_all"):
    """Freeze all that an account has and gets."""

    roles = (OPERATOR,)
    command = "freeze place-all"
    example = 'freeze place-all P001 --order "(2026)1" --court "Wuhan Court" --until 2027-06-30'

    account: Account
    order: Order
    court: Court
    until: Until

    def act(self, registry: "Registry") -> dict[str, Any]:
        ids = registry.enforcement.freeze_all(
            self.account, order=self.order, court=self.court, until=self.until
        )
        return {"freeze_ids": ids}


class FreezeRelease(Request, tag="freeze_release"):
    """End a freeze, or take tonnes or cash off what it wants."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "freeze release"
    example = 'freeze release 7 --order "(2026)2" --court "Wuhan Intermediate Court"'

    freeze_id: Annotated[int, field("The freeze's id.")]
    order: Order
    court: Court
    amount: Annotated[int | None, field(typed="amount")] = None
    unit: Unit = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.enforcement.unit_check(self.freeze_id, self.unit)
        back = registry.enforcement.release(
            self.freeze_id, self.amount, order=self.order, court=self.court
        )
        return {"back": back, **registry.enforcement.freeze_shown(self.freeze_id)}


class FreezeExtend(Request, tag="freeze_extend"):
    """Let a freeze hold until a later day."""

    roles = (OPERATOR,)
    command = "freeze extend"
    example = (
        'freeze extend 7 --order "(2027)3" --court "Wuhan Intermediate Court" --until 2028-06-30'
    )

    freeze_id: Annotated[int, field("The freeze's id.")]
    order: Order
    court: Court
    until: Until

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.enforcement.extend(self.freeze_id, self.until, order=self.order, court=self.court)
        return registry.enforcement.freeze_shown(self.freeze_id)


class FreezeDeduct(Request, tag="freeze_deduct"):
    """Give tonnes or cash that a freeze holds to another account, and publish it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "freeze deduct"
    example = (
        'freeze deduct 7 P002 --tonnes 500 --order "(2026)4" --court "Wuhan Intermediate Court"'
    )

    freeze_id: Annotated[int, field("The freeze's id.")]
    amount: Annotated[int, field(typed="amount")]
    to: Annotated[str, field("The account that gets it.")]
    order: Order
    court: Court
    unit: Unit = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.enforcement.unit_check(self.freeze_id, self.unit)
        notice = registry.enforcement.deduct(
            self.freeze_id, self.amount, self.to, order=self.order, court=self.court
        )
        return {"notice": notice, **registry.enforcement.freeze_shown(self.freeze_id)}


class Freezes(Listing, tag="freezes"):
    """List freezes, earlier ones first."""

    roles = ROLES
    command = "freeze list"
    example = "freeze list --account P001"
    rows = ("freezes",)
    numbered_by = "freeze_id"

    account: Annotated[str | None, field("Of this account only.")] = None

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.enforcement.freezes(self.account, first=self.first, count=count)


class CancellationApply(Request, tag="cancellation_apply"):
    """Apply for tonnes to be cancelled for good, voluntarily."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "disposition cancel"
    example = 'disposition cancel P001 CEA24 100 --purpose "a carbon-neutral fair"'
    aliases = ("cancel",)

    account: Account
    product: Product
    tonnes: Tonnes
    purpose: Annotated[str, field("For whom or what; it is published.", is_option=True)]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "disposition_id": registry.dispositions.cancellation_apply(
                self.account, self.product, self.tonnes, purpose=self.purpose
            )
        }


class TransferApply(Request, tag="legal_transfer_apply", kw_only=True):
    """Apply for tonnes to go to an heir, a successor in law or a creditor; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "disposition transfer"
    example = 'disposition transfer P001 P002 CEA24 100 --document "(2026)5"'

    kind: Annotated[TransferKind, field("Why they go.")] = "enforcement"
    account: Account
    to: Annotated[str, field("Who gets them.")]
    product: Product
    tonnes: Tonnes
    document: Annotated[str, field("What it rests on; it is not published.", is_option=True)]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "disposition_id": registry.dispositions.transfer_apply(
                *(self.kind, self.account, self.to, self.product, self.tonnes),
                document=self.document,
            )
        }


class DispositionApprove(Request, tag="disposition_approve"):
    """Carry out what was applied for, and publish it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "disposition approve"
    example = "disposition approve 3"

    disposition_id: Annotated[int, field("The application's id.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return registry.dispositions.approve(self.disposition_id)


class DispositionRefuse(Request, tag="disposition_refuse"):
    """Turn an application down; the tonnes are free again. Two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "disposition refuse"
    example = 'disposition refuse 3 --why "no deed"'

    disposition_id: Annotated[int, field("The application's id.")]
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.dispositions.refuse(self.disposition_id, why=self.why)


class Dispositions(Listing, tag="dispositions"):
    """List applications for cancellation, inheritance, succession and enforcement."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    command = "disposition list"
    example = "disposition list --state applied"
    rows = ("dispositions",)
    numbered_by = "disposition_id"

    state: Annotated[
        Literal["applied", "done", "refused"] | None, field("Only those that are so.")
    ] = None

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.dispositions.shown(self.state, first=self.first, count=count)


class PublicNotices(Listing, tag="public_notices"):
    """Print the public notices."""

    roles = ROLES
    is_scoped = False
    command = "notice list"
    example = "notice list --json"
    rows = ("notices",)
    numbered_by = "number"

    first: Annotated[Number, field("From this number on.")] = 1

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.enforcement.notices(self.first, count)
