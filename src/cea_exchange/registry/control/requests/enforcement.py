"""Courts' orders, dispositions, public notices."""

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.enforcement.dispositions import TransferKind
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.participants.roles import (
    AUTHORITY,
    INITIATOR,
    OPERATOR,
    REGULATOR,
    ROLES,
)

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry

Unit = Literal["tonnes", "fen"]
"""In which the asker means an amount: one of the other unit is refused."""


class Freeze(Request, tag="freeze"):
    """Freeze tonnes, or without a product cash; without an amount all there is and comes.

    One person will do: a court's order does not wait.
    """

    roles = (OPERATOR,)

    account: str
    order: str
    court: str
    until: int
    product: str | None = None
    amount: int | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        freeze_id = registry.enforcement.freeze(
            *(self.account, self.product, self.amount),
            order=self.order,
            court=self.court,
            until=self.until,
        )
        return registry.enforcement.freeze_told(freeze_id)


class FreezeAll(Request, tag="freeze_all"):
    """Freeze all that an account has and gets."""

    roles = (OPERATOR,)

    account: str
    order: str
    court: str
    until: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        ids = registry.enforcement.freeze_all(
            self.account, order=self.order, court=self.court, until=self.until
        )
        return {"freeze_ids": ids}


class FreezeRelease(Request, tag="freeze_release"):
    """End a freeze, or take an amount off it."""

    roles = (OPERATOR,)
    second = Second.OWN

    freeze_id: int
    order: str
    court: str
    amount: int | None = None
    unit: Unit | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.enforcement.unit_check(self.freeze_id, self.unit)
        back = registry.enforcement.release(
            self.freeze_id, self.amount, order=self.order, court=self.court
        )
        return {"back": back, **registry.enforcement.freeze_told(self.freeze_id)}


class FreezeExtend(Request, tag="freeze_extend"):
    """Let a freeze hold until a later day."""

    roles = (OPERATOR,)

    freeze_id: int
    order: str
    court: str
    until: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.enforcement.extend(
            self.freeze_id, self.until, order=self.order, court=self.court
        )
        return registry.enforcement.freeze_told(self.freeze_id)


class FreezeDeduct(Request, tag="freeze_deduct"):
    """Give what a freeze holds to another account."""

    roles = (OPERATOR,)
    second = Second.OWN

    freeze_id: int
    amount: int
    to: str
    order: str
    court: str
    unit: Unit | None = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.enforcement.unit_check(self.freeze_id, self.unit)
        notice = registry.enforcement.deduct(
            self.freeze_id, self.amount, self.to, order=self.order, court=self.court
        )
        return {"notice": notice, **registry.enforcement.freeze_told(self.freeze_id)}


class Freezes(Request, tag="freezes"):
    """All freezes, or an account's."""

    roles = ROLES
    is_look = True

    account: str | None = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.enforcement.freezes(
            self.account, first=self.first, count=self.count + 1
        )
        return paged("freezes", rows, "freeze_id", self.count)


class CancellationApply(Request, tag="cancellation_apply"):
    """Apply for tonnes to be cancelled."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    account: str
    product: str
    tonnes: int
    purpose: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "disposition_id": registry.dispositions.cancellation_apply(
                self.account, self.product, self.tonnes, purpose=self.purpose
            )
        }


class TransferApply(Request, tag="legal_transfer_apply"):
    """Apply for tonnes to go to an heir, a successor in law, or a creditor."""

    roles = (OPERATOR,)
    second = Second.OWN

    kind: TransferKind
    account: str
    to: str
    product: str
    tonnes: int
    document: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {
            "disposition_id": registry.dispositions.transfer_apply(
                *(self.kind, self.account, self.to, self.product, self.tonnes),
                document=self.document,
            )
        }


class DispositionApprove(Request, tag="disposition_approve"):
    """Carry out what was applied for."""

    roles = (OPERATOR,)
    second = Second.OWN

    disposition_id: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        return registry.dispositions.approve(self.disposition_id)


class DispositionRefuse(Request, tag="disposition_refuse"):
    """Turn an application down."""

    roles = (OPERATOR,)
    second = Second.OWN

    disposition_id: int
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.dispositions.refuse(self.disposition_id, why=self.why)
        return {}


class Dispositions(Request, tag="dispositions"):
    """All dispositions, or those in one state."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    is_look = True

    state: Literal["applied", "done", "refused"] | None = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.dispositions.told(self.state, first=self.first, count=self.count + 1)
        return paged("dispositions", rows, "disposition_id", self.count)


class PublicNotices(Request, tag="public_notices"):
    """The public notices from a number on."""

    roles = ROLES
    is_look = True
    is_scoped = False

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        notices = registry.enforcement.notices(self.first, self.count + 1)
        return paged("notices", map(msgspec.structs.asdict, notices), "number", self.count)
