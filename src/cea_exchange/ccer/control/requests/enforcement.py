"""Courts' freezes, what the supervisor withholds, and CCERs issued on false papers."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import (
    Account,
    AccountOnly,
    Court,
    Document,
    Instrument,
    Order,
    Project,
    Serials,
    TonnesOnly,
)
from cea_exchange.ccer.roles import AUTHORITY, OFFICIALS, OPERATOR, ROLES
from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry

FreezeId = Annotated[Number, field("The freeze's id.")]
Tonnes = Annotated[int, field("Tonnes.")]


class FreezePlace(Request, tag="freeze_place"):
    """Freeze tonnes of an instrument, and what is missing of them as it comes.

    One person will do: a court's order does not wait.
    """

    roles = (OPERATOR,)
    command = "freeze place"
    example = 'freeze place A WIND-1-2024 500 --order "(2026)1" --court "Wuhan Court"'

    account: Account
    instrument: Instrument
    tonnes: Tonnes
    order: Order
    court: Court

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        found = ccer.freezes.freeze(
            *(self.account, self.instrument, self.tonnes), order=self.order, court=self.court
        )
        return {"freeze_id": found.freeze_id, "in_force": found.in_force}


class FreezeRelease(Request, tag="freeze_release"):
    """End a freeze, or take tonnes off what it wants; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "freeze release"
    example = 'freeze release 7 --order "(2026)2" --court "Wuhan Court"'

    freeze_id: FreezeId
    order: Order
    court: Court
    tonnes: Annotated[int | None, field("So many; left out, all.")] = None

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        found = ccer.freezes.release(
            *(self.freeze_id, self.tonnes), order=self.order, court=self.court
        )
        return {"in_force": found.in_force, "released": found.released}


class FreezeDeduct(Request, tag="freeze_deduct"):
    """Give frozen tonnes to the account that the court names; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "freeze deduct"
    example = 'freeze deduct 7 500 B --order "(2026)3" --court "Wuhan Court"'

    freeze_id: FreezeId
    tonnes: Tonnes
    to: Annotated[str, field("The account that gets them.")]
    order: Order
    court: Court

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        lots = ccer.freezes.deduct(
            *(self.freeze_id, self.tonnes, self.to), order=self.order, court=self.court
        )
        return {"serials": ccer.serials_shown(lots)}


class FreezeList(Request, tag="freeze_list"):
    """List freezes, earlier ones first: an account's representatives list its own."""

    roles = ROLES
    is_look = True
    command = "freeze list"
    example = "freeze list --account A"
    rows = ("freezes",)

    account: AccountOnly = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.freezes.listed(self.account, first=self.first, count=self.count + 1)
        return paged("freezes", rows, "freeze_id", self.count)


class WithholdingPlace(Request, tag="withholding_place"):
    """Keep CCERs from being moved, by the supervisor's order.

    One person will do: it bars, and must not wait.
    """

    roles = (OPERATOR, AUTHORITY)
    command = "withholding place"
    example = 'withholding place SEAWIND WIND-1-2024 --tonnes 500 --document "order 2026-7"'

    account: Account
    instrument: Instrument
    document: Document
    tonnes: TonnesOnly = None
    serials: Serials = None

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        what = ccer.what(self.instrument, self.tonnes, self.serials)
        lots = ccer.supervision.withhold(self.account, self.instrument, what, self.document)
        return {"serials": ccer.serials_shown(lots)}


class WithholdingEnd(Request, tag="withholding_end"):
    """Let withheld CCERs be moved again; the ministry agrees."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.DECIDER
    command = "withholding end"
    example = 'withholding end SEAWIND WIND-1-2024 --tonnes 500 --document "order 2026-9"'

    account: Account
    instrument: Instrument
    document: Document
    tonnes: TonnesOnly = None
    serials: Serials = None

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        what = ccer.what(self.instrument, self.tonnes, self.serials)
        lots = ccer.supervision.give_back(self.account, self.instrument, what, self.document)
        return {"serials": ccer.serials_shown(lots)}


class RestitutionOrder(Request, tag="restitution_order"):
    """Let a project's owner return as many CCERs as false papers brought it.

    The ministry agrees. What the owner holds is cancelled at once, the rest as it comes.
    """

    roles = (OPERATOR, AUTHORITY)
    second = Second.DECIDER
    command = "restitution order"
    example = 'restitution order WIND-1 30000 --document "order 2026-7"'

    project: Project
    tonnes: Tonnes
    document: Document

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        return ccer.supervision.restitution_order(
            self.project, self.tonnes, self.document
        )._asdict()


class RestitutionList(Request, tag="restitution_list"):
    """List what owners have to return, and what of it is cancelled."""

    roles = OFFICIALS
    is_look = True
    command = "restitution list"
    example = "restitution list"
    rows = ("restitutions",)

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.supervision.restitutions(self.first, self.count + 1)
        return paged("restitutions", rows, "restitution_id", self.count)
