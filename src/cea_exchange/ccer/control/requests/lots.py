"""Lots: what goes to another account, where serials are, and where they come from."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import (
    BatchNumber,
    Document,
    Instrument,
    Project,
    Serials,
    TonnesOnly,
)
from cea_exchange.ccer.roles import INITIATOR, OFFICIALS, OPERATOR, ROLES
from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, Place, page_at, paged

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry

Serial = Annotated[int, msgspec.Meta(ge=1, le=2**62)]


class TransferMake(Request, tag="transfer_make"):
    """Give CCERs to another account, as two holders agreed; the giver's approver agrees."""

    roles = (INITIATOR,)
    second = Second.OWN
    command = "transfer make"
    example = 'transfer make SEAWIND A WIND-1-2024 --tonnes 4000 --document "sale 7" --key li'

    account: Annotated[str, field("Who gives.")]
    to: Annotated[str, field("Who gets.")]
    instrument: Instrument
    document: Document
    tonnes: TonnesOnly = None
    serials: Serials = None

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        what = ccer.what(self.instrument, self.tonnes, self.serials)
        lots = ccer.transfers.transfer(
            *("transfer", self.account, self.to, self.instrument, what), document=self.document
        )
        return {"serials": ccer.serials_shown(lots)}


class TransferOrder(Request, tag="transfer_order"):
    """Move CCERs on a document: succession in law, enforcement, an order; two persons do it.

    To an order of the ministry the ministry agrees.
    """

    roles = (OPERATOR,)
    second = Second.OWN
    command = "transfer order"
    example = 'transfer order succession SEAWIND A WIND-1-2024 --tonnes 10 --document "deed 7"'

    kind: Annotated[Literal["succession", "enforcement", "order"], field("Why they go.")]
    account: Annotated[str, field("Whose they are.")]
    to: Annotated[str, field("Who gets them.")]
    instrument: Instrument
    document: Document
    tonnes: TonnesOnly = None
    serials: Serials = None

    def second_asked(self) -> Second:
        """Return whose person approves: of the ministry's order one of the ministry."""
        return Second.DECIDER if self.kind == "order" else Second.OWN

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        what = ccer.what(self.instrument, self.tonnes, self.serials)
        lots = ccer.transfers.transfer(
            *(self.kind, self.account, self.to, self.instrument, what), document=self.document
        )
        return {"serials": ccer.serials_shown(lots)}


class TransferList(Request, tag="transfer_list"):
    """List transfers to other accounts."""

    roles = OFFICIALS
    is_look = True
    command = "transfer list"
    example = "transfer list"
    rows = ("transfers",)

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.transfers.listed(self.first, self.count + 1)
        return paged("transfers", rows, "transfer_id", self.count)


class InstrumentList(Request, tag="instrument_list"):
    """List the instruments: projects' generation years of which CCERs were issued."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "instrument list"
    example = "instrument list"
    rows = ("instruments",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.batches.instruments(self.first, self.count + 1)
        return paged("instruments", rows, "instrument_index", self.count)


class LotPedigree(Request, tag="lot_pedigree"):
    """Print all moves of a serial number, the first its issue."""

    roles = OFFICIALS
    is_look = True
    command = "lot pedigree"
    example = "lot pedigree WIND-1 1 4001"
    rows = ("moves",)

    project: Project
    batch_number: BatchNumber
    serial: Annotated[Serial, field("The serial number.")]
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        moves = ccer.pedigree(self.project, self.batch_number, self.serial)
        found, further = page_at(moves, self.first, self.count)
        return {"moves": found, "next": further}


class LotFind(Request, tag="lot_find"):
    """Print where the serials of a batch are now, from one on."""

    roles = OFFICIALS
    is_look = True
    command = "lot find"
    example = "lot find WIND-1 1 4001 5000"
    rows = ("lots",)

    project: Project
    batch_number: BatchNumber
    serial_first: Annotated[Serial, field("The first serial.", name="first_serial")]
    serial_last: Annotated[Serial, field("The last serial.", name="last_serial")]
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        wanted = (max(self.serial_first, self.first), self.serial_last)
        lots = ccer.whereabouts(
            self.project, self.batch_number, *wanted, count=self.count + 1
        )
        return paged("lots", lots, "serial_first", self.count)

