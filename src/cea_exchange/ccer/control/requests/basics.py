"""What every institution may be asked, and who may ask it here."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.roles import (
    APPROVER,
    APPROVING,
    AUTHORITY,
    INITIATOR,
    OPERATOR,
    OWN_BODIES,
    PROVINCE,
    REGULATOR,
    ROLES,
    account_body,
    province_body,
)
from cea_exchange.control_plane.fields import field
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.control import requests as shared
from cea_exchange.institution.control.requests import PublicKey

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry

_WANTED = {INITIATOR: "account", APPROVER: "account", PROVINCE: "province"}
"""What names the body of a role that is for many."""


class Status(shared.Status, Request, tag="status"):
    """Where the CCER registry stands."""

    roles = ROLES


class Seat(shared.Seat, Request, tag="seat"):
    """Print for whom one's own key stands, and the time it is here."""

    roles = ROLES


class Stop(shared.Stop, Request, tag="stop"):
    """End the daemon."""

    roles = (OPERATOR,)


class Proposals(shared.Proposals, Request, tag="proposals"):
    """Print the proposals that wait for a second person."""

    roles = ROLES


class Approve(shared.Approve, Request, tag="approve"):
    """Agree to a proposal of another person; it is done at once."""

    roles = APPROVING


class Reject(shared.Reject, Request, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    roles = (*APPROVING, INITIATOR)


class Acts(shared.Acts, Request, tag="acts"):
    """Print what was done over the control socket, and by whom."""

    roles = (OPERATOR, REGULATOR)


class ClockMove(shared.ClockMove, Request, tag="clock_move"):
    """Move a manual clock; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN


class ClockConfirm(shared.ClockConfirm, Request, tag="clock_confirm"):
    """Say that the system's clock is right, which `ccer status` says is doubted.

    A second person has to approve it.
    """

    roles = (OPERATOR,)
    second = Second.OWN


class CalendarLoad(shared.CalendarLoad, Request, tag="calendar_load"):
    """Load the working days of the next year from a file; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN


class CalendarShow(shared.CalendarShow, Request, tag="calendar_show"):
    """Print how far the working days are known: a term that ends later is provisional."""

    roles = ROLES


class PersonList(shared.PersonList, Request, tag="person_list"):
    """Print who acts, for whom, in which role."""

    roles = (OPERATOR, REGULATOR)


class PersonAdd(Request, tag="person_add"):
    """Let a key stand for a person; another person has to approve it.

    Of an account its own approver, of the authority and of a province the authority.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.PERSONS
    command = "person add"
    example = 'person add "Li Na" keys/li.public --role initiator --account SEAWIND'

    name: Annotated[str, field("The person's name.")]
    key: PublicKey
    role: Annotated[str, field(f"One of {', '.join(ROLES)}.", is_option=True)]
    account: Annotated[str | None, field("Whose representative.")] = None
    province: Annotated[int | None, field("Of a province's person: its two digits.")] = None

    def persons_body(self, ccer: "CcerRegistry") -> str:
        """Return the body the person is of; refuse what names none."""
        if self.role not in ROLES:
            raise ProgrammeError(
                CcerRefusal.CHOICE_UNKNOWN,
                f"role: expected one of {', '.join(ROLES)}, got {self.role!r}",
            )
        wanted = _WANTED.get(self.role)
        for name in ("account", "province"):
            given = getattr(self, name)
            if (given is not None) != (name == wanted):
                must = "one" if name == wanted else "none"
                raise ProgrammeError(
                    CcerRefusal.ROLE_BODY,
                    f"{name}: expected {must} for the role {self.role}, got {given!r}",
                )
        if self.account is not None:
            ccer.books.account(self.account)
            return account_body(self.account)
        if self.province is None:
            return OWN_BODIES[self.role]
        if self.province not in PROVINCES:
            raise ProgrammeError(
                CcerRefusal.PROVINCE_UNKNOWN,
                f"province: expected one of the 32 codes, got {self.province}",
            )
        return province_body(self.province)

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        body = self.persons_body(ccer)
        ccer.persons.enter(self.name, self.key, self.role, body)
        return {"body": body}


class PersonRemove(shared.PersonRemove, Request, tag="person_remove"):
    """Let a key stand for nobody any more, for good; a second person has to approve it.

    The authority keeps a person: nobody could decide then on who comes next.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.PERSONS

    def persons_body(self, ccer: "CcerRegistry") -> str:
        """Return the body the person is of."""
        return ccer.persons.acting(self.key).body

    def act(self, ccer: Any) -> dict[str, Any]:
        person = ccer.persons.acting(self.key)
        if person.role == AUTHORITY and len(ccer.persons.listed(person.body)) == 1:
            raise ProgrammeError(
                CcerRefusal.LAST_PERSON,
                f"{person.body}: expected a person to stay, got {person.name}, its last",
            )
        return super().act(ccer)
