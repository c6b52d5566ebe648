"""Requests about offsets: proofs of cancelled CCERs."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.control.request import source_file
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Content, Encoding, File, Why
from cea_exchange.registry.control.requests.request import Listing, Request
from cea_exchange.registry.files import CancellationProof
from cea_exchange.registry.participants.roles import AUTHORITY, OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry
    from cea_exchange.user_files.read_ahead import Reading


class OffsetTake(Request, tag="offset_take"):
    """Check and book a file of cancellation proofs, whole; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "offset take"
    example = "offset take proofs.csv"

    file: File
    content: Content
    encoding: Encoding = "utf-8"

    def readings(self, services: Any) -> Iterable["Reading"]:
        return source_file(self.file, self.content, self.encoding).readings

    def act(self, registry: "Registry") -> dict[str, Any]:
        source = source_file(self.file, self.content, self.encoding)
        return {"certificates": registry.offsets.take(source)}


class OffsetBook(Request, tag="offset_book"):
    """Check and book one proof."""

    roles = (OPERATOR,)
    second = Second.OWN

    proof: CancellationProof

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"certificate": registry.offsets.book(self.proof)}


class OffsetConfirm(Request, tag="offset_confirm"):
    """Book a proof that the CCER registry has confirmed; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "offset confirm"
    example = "offset confirm CC-2025-000017-1"

    proof: Annotated[str, field("The proof's number.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"certificate": registry.ccer_proofs.book(self.proof)}


class OffsetProofs(Listing, tag="offset_proofs"):
    """List the proofs that came from the CCER registry, and how far each is."""

    roles = (OPERATOR, AUTHORITY, REGULATOR)
    command = "offset proofs"
    example = "offset proofs --state confirmed"
    rows = ("proofs",)
    numbered_by = "proof_seq"

    state: Annotated[
        Literal["received", "confirmed", "refused", "booked", "reversed"] | None,
        field("Only those that are so."),
    ] = None

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.ccer_proofs.listed(self.state, first=self.first, count=count)


class OffsetRevoke(Request, tag="offset_revoke"):
    """Take back a proof that was found false, by the authority's order.

    A linked registry learns of it from the CCER registry alone.
    """

    roles = (OPERATOR, AUTHORITY)
    second = Second.DECIDER
    command = "offset revoke"
    example = 'offset revoke N000017 --why "not in the registry"'

    proof: Annotated[str, field("The proof's number.")]
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.offsets.revoke(self.proof, self.why)
