"""What every institution may be asked, and who may ask it here."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.institution.control import requests as shared
from cea_exchange.institution.control.requests import PublicKey
from cea_exchange.platform.checks import PlatformActError, choice_checked
from cea_exchange.platform.control.request import Request, Second
from cea_exchange.platform.roles import (
    AUTHORITY,
    CITY,
    ENTERPRISES,
    OPERATOR,
    OWN_BODIES,
    PROVINCE,
    REGULATOR,
    ROLES,
    VERIFIER,
    city_body,
    enterprise_body,
    firm_body,
    province_body,
)

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform

APPROVING = tuple(role for role in ROLES if role != REGULATOR)


class Status(shared.Status, tag="status"):
    """Where the platform stands."""

    roles = ROLES


class Seat(shared.Seat, tag="seat"):
    """Print for whom one's own key stands, and the time it is here."""

    roles = ROLES


class Stop(shared.Stop, tag="stop"):
    """End the daemon."""

    roles = (OPERATOR,)


class Proposals(shared.Proposals, tag="proposals"):
    """Print the proposals that wait for a second person."""

    roles = ROLES


class Approve(shared.Approve, tag="approve"):
    """Agree to a proposal of another person; it is done at once."""

    roles = APPROVING


class Reject(shared.Reject, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    roles = APPROVING


class Acts(shared.Acts, tag="acts"):
    """Print what was done over the control socket, and by whom."""

    roles = (OPERATOR, REGULATOR)


class ClockMove(shared.ClockMove, tag="clock_move"):
    """Move a manual clock; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN


class ClockConfirm(shared.ClockConfirm, tag="clock_confirm"):
    """Say that the system's clock is right, which `status` says is doubted.

    A second person has to approve it.
    """

    roles = (OPERATOR,)
    second = Second.OWN


class CalendarLoad(shared.CalendarLoad, tag="calendar_load"):
    """Load the working days of the next year from a file; a second person has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN


class CalendarShow(shared.CalendarShow, tag="calendar_show"):
    """Print how far the working days are known: a term that ends later is provisional."""

    roles = ROLES


class PersonList(shared.PersonList, tag="person_list"):
    """Print who acts, for whom, in which role."""

    roles = (OPERATOR, REGULATOR)


class PersonAdd(Request, tag="person_add"):
    """Let a key stand for a person; another person has to approve it.

    Of an enterprise or a firm its own persons, or who is above them: the province, the platform.
    """

    roles = (OPERATOR, AUTHORITY, PROVINCE, *ENTERPRISES, VERIFIER)
    second = Second.PERSONS
    command = "person add"
    example = 'person add "Li Na" keys/li.public --role preparer --enterprise E1'

    name: Annotated[str, field("The person's name.")]
    key: PublicKey
    role: Annotated[str, field(f"One of {', '.join(ROLES)}.", is_option=True)]
    enterprise: Annotated[str | None, field("Of a preparer, reviewer or signatory.")] = None
    firm: Annotated[str | None, field("Of a verifier.")] = None
    province: Annotated[int | None, field("Of a province's person: its two digits.")] = None
    city: Annotated[int | None, field("Of a city's person: its four digits.")] = None

    def bodies(self, platform: "Platform") -> frozenset[str]:
        """Return whose it is: of the body, and of the province that an enterprise or city is in."""
        found = super().bodies(platform)
        if self.city is not None:
            return found | {city_body(self.city), province_body(self.city // 100)}
        return found

    def persons_body(self, platform: "Platform") -> str:
        """Return the body the person is of."""
        choice_checked(self.role, ROLES, "role")
        wanted = _FIELDS.get(self.role)
        for name in ("enterprise", "firm", "province", "city"):
            if (getattr(self, name) is not None) != (name == wanted):
                must = "one" if name == wanted else "none"
                raise PlatformActError(
                    PlatformRefusal.ROLE_BODY,
                    f"{name}: expected {must} for the role {self.role}, got"
                    f" {getattr(self, name)!r}",
                )
        return self._body(platform)

    def _body(self, platform: "Platform") -> str:
        if self.enterprise is not None:
            return enterprise_body(platform.enterprises.of(self.enterprise).enterprise)
        if self.firm is not None:
            return firm_body(platform.firms.of(self.firm).firm)
        if self.province is None and self.city is None:
            return OWN_BODIES[self.role]
        code = (self.city or 0) // 100 if self.province is None else self.province
        if code not in PROVINCES:
            raise PlatformActError(
                PlatformRefusal.PROVINCE_UNKNOWN,
                f"province: expected one of the 32 codes, got {code}",
            )
        return province_body(code) if self.city is None else city_body(self.city)

    def act(self, platform: "Platform") -> dict[str, Any]:
        body = self.persons_body(platform)
        platform.persons.enter(self.name, self.key, self.role, body)
        return {"body": body}


_FIELDS = {PROVINCE: "province", CITY: "city", VERIFIER: "firm"} | dict.fromkeys(
    ENTERPRISES, "enterprise"
)


class PersonRemove(shared.PersonRemove, Request, tag="person_remove"):
    """Let a key stand for nobody any more, for good; a second person has to approve it.

    The authority keeps a person: nobody could decide then on who comes next.
    """

    roles = (OPERATOR, AUTHORITY, PROVINCE, *ENTERPRISES, VERIFIER)
    second = Second.PERSONS

    def act(self, platform: Any) -> dict[str, Any]:
        person = platform.persons.acting(self.key)
        if person.role == AUTHORITY and len(platform.persons.listed(person.body)) == 1:
            raise PlatformActError(
                PlatformRefusal.LAST_PERSON,
                f"{person.body}: expected a person to stay, got {person.name}, its last",
            )
        return super().act(platform)

    def persons_body(self, platform: "Platform") -> str:
        """Return the body the person is of."""
        return platform.persons.acting(self.key).body

    def bodies(self, platform: Any) -> frozenset[str]:
        """Return whose it is: of the body, and of the province above it."""
        person = platform.persons.of_key(self.key)
        if person is None:
            return frozenset()
        kind, _, name = person.body.partition(" ")
        if kind == "enterprise":
            return platform.bodies_of(name)
        above = {province_body(int(name) // 100)} if kind == "city" else set()
        return frozenset({person.body, *above})
