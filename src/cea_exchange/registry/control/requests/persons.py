"""Requests about the persons who act at the registry."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.control import requests
from cea_exchange.institution.control.requests import persons_listed
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import ProvinceOnly, PublicKey
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.roles import (
    AUTHORITY,
    INITIATOR,
    OPERATOR,
    REGULATOR,
    ROLES,
    account_body,
)

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class PersonAdd(Request, tag="person_add"):
    """Let a key stand for a person; who is of that body already has to approve it.

    Two persons do it: one alone could else make himself the second of everything. An account's
    representatives may ask for its own.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.PERSONS
    command = "person add"
    example = 'person add "Li Na" keys/li.public --role initiator --account P001'

    name: Annotated[str, field("The person's name.")]
    key: PublicKey
    role: Annotated[
        str,
        field("operator, authority, province, initiator, approver or regulator.", is_option=True),
    ]
    account: Annotated[str | None, field("Whose representative.")] = None
    province: ProvinceOnly = None

    def persons_body(self, registry: "Registry") -> str:
        return registry.persons.body(self.role, self.account, self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        person = registry.persons.add(
            self.name, self.key, self.role, account=self.account, province=self.province
        )
        return {"body": person.body}


class PersonRemove(requests.PersonRemove, Request, tag="person_remove"):
    """Let a key stand for nobody any more, for good; a second person has to approve it.

    The authority keeps a person: nobody could decide then on who comes next.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.PERSONS

    def persons_body(self, registry: "Registry") -> str:
        return registry.persons.acting(self.key).body

    def act(self, registry: "Registry") -> dict[str, Any]:
        person = registry.persons.acting(self.key)
        if person.role == AUTHORITY and len(registry.persons.listed(person.body)) == 1:
            raise ActError(
                RegistryRefusal.LAST_PERSON,
                f"{person.body}: expected a person to stay, got {person.name}, its last",
            )
        return {"name": registry.persons.remove(self.key).name}


class Seat(requests.Seat, Request, tag="seat"):
    """Print for whom one's own key stands, and the time it is here."""

    roles = ROLES


class PersonList(Request, tag="person_list"):
    """Print who acts, for whom, in which role."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    command = "person list"
    example = "person list --account P001"
    rows = ("persons",)

    account: Annotated[str | None, field("Only its representatives.")] = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        body = None if self.account is None else account_body(self.account)
        return persons_listed(registry, body, self.first, self.count)
