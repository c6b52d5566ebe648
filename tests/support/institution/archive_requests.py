"""What an archive may be asked: to keep documents and, by two persons, to destroy some."""

from enum import Enum
from typing import Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.requests import Requests
from cea_exchange.institution.control import requests as shared
from cea_exchange.institution.control.request import Request
from support.institution.archive_services import ARCHIVIST, Archive

ALL = ("operator", "regulator", ARCHIVIST)
ACTING = ("operator", ARCHIVIST)


class Second(Enum):
    """Whose person approves."""

    OWN = "the proposer's own body"


class Status(shared.Status, tag="status"):
    """Where the archive stands."""

    roles = ALL


class Stop(shared.Stop, tag="stop"):
    """End the daemon."""

    roles = ("operator",)


class Proposals(shared.Proposals, tag="proposals"):
    """Print the proposals that wait for a second person."""

    roles = ALL


class Approve(shared.Approve, tag="approve"):
    """Agree to a proposal of another person; it is done at once."""

    roles = ACTING


class Reject(shared.Reject, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    roles = ACTING


class Acts(shared.Acts, tag="acts"):
    """Print what was done over the control socket, and by whom."""

    roles = ALL


class PersonList(shared.PersonList, tag="person_list"):
    """Print who acts, for whom, in which role."""

    roles = ALL


class DocumentKeep(Request, tag="document_keep"):
    """Keep a document."""

    roles = ACTING
    command = "document keep"
    example = 'document keep "a map"'

    title: Annotated[str, field("Its title, a new one.")]

    def act(self, archive: Archive) -> dict[str, Any]:
        return {"document": archive.keep(self.title)}


class DocumentDestroy(Request, tag="document_destroy"):
    """Destroy a document; a second person has to approve it."""

    roles = ACTING
    second = Second.OWN
    command = "document destroy"
    example = 'document destroy 1 --why "mould"'

    document: Annotated[int, field("Its number.", name="number")]
    why: Annotated[str, field("The reason; it is kept.")]

    def act(self, archive: Archive) -> dict[str, Any]:
        archive.destroy(self.document, self.why)
        return {"document": self.document}


class DocumentList(Request, tag="document_list"):
    """Print the documents that there are."""

    roles = ALL
    is_look = True
    command = "document list"
    example = "document list"

    def act(self, archive: Archive) -> dict[str, Any]:
        return {"documents": archive.listed()}


ARCHIVE_REQUESTS: Requests[Request] = Requests(
    (
        *(Status, Stop, Proposals, Approve, Reject, Acts, PersonList),
        *(DocumentKeep, DocumentDestroy, DocumentList),
    )
)
