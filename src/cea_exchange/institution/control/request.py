"""What every request over an institution's control socket has in common."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import msgspec

from cea_exchange.control_plane import requests as control_plane
from cea_exchange.control_plane.fields import field
from cea_exchange.control_plane.requests import Requests, RequestUnread
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.control.dual_control import second_of_own_body
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged

if TYPE_CHECKING:
    from cea_exchange.files.cells.csv import Encoding
    from cea_exchange.files.cells.source import SourceFile
    from cea_exchange.institution.persons import Person
    from cea_exchange.user_files.read_ahead import Reading

REQUEST_BYTES_MAX = 4 << 20
"""Files of all entities come in one request."""

RequestId = Annotated[str, msgspec.Meta(min_length=1, max_length=128), field("", is_hidden=True)]
"""Of the asker's: what is asked again under it gets the first answer."""


class Request(control_plane.Request, kw_only=True):
    """Base of every request; `services` are those of the institution that is asked.

    Attributes
    ----------
    is_scoped
        Whether scoped roles may ask it about their own body only.
    """

    request_id: RequestId | None = None

    is_scoped: ClassVar[bool] = True

    def act(self, services: Any) -> dict[str, Any] | None:
        """Carry it out; return the answer's fields, None where there are none.

        Raises
        ------
        ActError
            It is refused; nothing was changed.
        """
        raise NotImplementedError

    def readings(self, services: Any) -> Iterable["Reading"]:
        """Return what a process of its own should read before the act; nothing, if it says none."""
        return ()

    def bodies(self, services: Any) -> frozenset[str]:
        """Return the bodies whose own business it is; nobody's in particular, if it says none."""
        return frozenset()

    def approving_body(self, services: Any, proposer: "Person") -> str:
        """Return the body whose second person has to approve it; ActError if there is none."""
        return second_of_own_body(services.persons, self.op, proposer)


class Listing(Request, kw_only=True):
    """Base of looks at rows that come in pages.

    Attributes
    ----------
    numbered_by
        The field of a row from which on the next page is asked for.
    """

    is_look = True
    numbered_by: ClassVar[str]

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def listed(self, services: Any, count: int) -> Iterable[Any]:
        """Return rows from `first` on, dicts or values, so many at most."""
        raise NotImplementedError

    def act(self, services: Any) -> dict[str, Any]:
        rows = (
            row if isinstance(row, dict) else msgspec.to_builtins(row)
            for row in self.listed(services, self.count + 1)
        )
        return paged(self.rows[0], rows, self.numbered_by, self.count)


def source_file(name: str, content: bytes, encoding: "Encoding") -> "SourceFile":
    """Return a file that came with a request."""
    from cea_exchange.files.cells.source import SourceFile

    return SourceFile(name, content, encoding)


R = TypeVar("R", bound=control_plane.Request)


def request_decode(requests: Requests[R], payload: bytes) -> R:
    """Return the request in a message; ActError if it is none, see `Requests.decode`."""
    try:
        return requests.decode(payload)
    except RequestUnread as error:
        why = error.got if error.where == "payload" else str(error)
        raise ActError(InstitutionRefusal.BAD_REQUEST, f"request: {why}") from None
