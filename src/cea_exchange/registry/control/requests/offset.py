"""Offsets: proofs of cancelled CCERs."""

from typing import TYPE_CHECKING, Any, Literal

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import FileName, Request
from cea_exchange.registry.files import CancellationProof, SourceFile
from cea_exchange.registry.participants.roles import OPERATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class OffsetTake(Request, tag="offset_take"):
    """Check and book a file of proofs."""

    roles = (OPERATOR,)
    second = Second.OWN

    file: FileName
    content: bytes
    encoding: Literal["utf-8", "gb18030"] = "utf-8"

    def act(self, registry: "Registry") -> dict[str, Any]:
        source = SourceFile(self.file, self.content, self.encoding)
        return {"certificates": registry.offsets.take(source)}


class OffsetBook(Request, tag="offset_book"):
    """Check and book one proof."""

    roles = (OPERATOR,)
    second = Second.OWN

    proof: CancellationProof

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"certificate": registry.offsets.book(self.proof)}


class OffsetRevoke(Request, tag="offset_revoke"):
    """Take back a proof that was found false."""

    roles = (OPERATOR,)
    second = Second.OWN

    proof: str
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.offsets.revoke(self.proof, self.why)
        return {}
