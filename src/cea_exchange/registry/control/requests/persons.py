"""Who acts at the registry."""

from typing import TYPE_CHECKING, Any

from cea_exchange.registry.checks import ActError
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.registry.participants.persons import account_body
from cea_exchange.registry.participants.roles import AUTHORITY, INITIATOR, OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class PersonAdd(Request, tag="person_add"):
    """Let a key stand for a person; of an account, of a province (its code), or of an office.

    Two persons do it: one alone could else make himself the second of everything. An account's
    representatives may ask for its own.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.PERSONS

    name: str
    key: str
    role: str
    account: str | None = None
    province: int | None = None

    def persons_body(self, registry: "Registry") -> str:
        return registry.persons.body(self.role, self.account, self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        person = registry.persons.add(
            self.name, self.key, self.role, account=self.account, province=self.province
        )
        return {"body": person.body}


class PersonRemove(Request, tag="person_remove"):
    """Let a key stand for nobody any more.

    The authority keeps a person: nobody could decide then on who comes next.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.PERSONS

    key: str

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: that of the person."""
        person = registry.persons.of_key(self.key)
        return frozenset() if person is None else frozenset({person.body})

    def persons_body(self, registry: "Registry") -> str:
        return registry.persons.acting(self.key).body

    def act(self, registry: "Registry") -> dict[str, Any]:
        person = registry.persons.acting(self.key)
        if person.role == AUTHORITY and len(registry.persons.listed(person.body)) == 1:
            raise ActError(f"{person.body} must keep a person, {person.name} is its last")
        return {"name": registry.persons.remove(self.key).name}


class PersonList(Request, tag="person_list"):
    """Who acts, by body; from a place in that order on."""

    roles = (OPERATOR, REGULATOR)
    is_look = True

    account: str | None = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        body = None if self.account is None else account_body(self.account)
        rows = registry.persons.listed(body, first=self.first, count=self.count + 1)
        found, further = page_at(rows, 0, self.count)
        return {"persons": found, "next": None if further is None else self.first + further}
