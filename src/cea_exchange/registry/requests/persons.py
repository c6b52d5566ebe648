"""Who acts at the registry."""

from typing import Any

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.registry.persons import account_body
from cea_exchange.registry.requests.request import Request
from cea_exchange.registry.roles import AUTHORITY


class PersonAdd(Request, tag="person_add"):
    """Let a key stand for a person; of an account, of a province (its code), or of an office.

    Two persons do it: one alone could else make himself the second of everything. An account's
    representatives may ask for its own.
    """

    name: str
    key: str
    role: str
    account: str | None = None
    province: int | None = None

    def persons_body(self, registry: Registry) -> str:
        return registry.persons.body(self.role, self.account, self.province)

    def act(self, registry: Registry) -> dict[str, Any]:
        person = registry.persons.add(
            self.name, self.key, self.role, account=self.account, province=self.province
        )
        return {"body": person.body}


class PersonRemove(Request, tag="person_remove"):
    """Let a key stand for nobody any more.

    The authority keeps a person: nobody could decide then on who comes next.
    """

    key: str

    def bodies(self, registry: Registry) -> frozenset[str]:
        """Return whose it is: that of the person."""
        person = registry.persons.of_key(self.key)
        return frozenset() if person is None else frozenset({person.body})

    def persons_body(self, registry: Registry) -> str:
        return registry.persons.acting(self.key).body

    def act(self, registry: Registry) -> dict[str, Any]:
        person = registry.persons.acting(self.key)
        if person.role == AUTHORITY and len(registry.persons.listed(person.body)) == 1:
            raise ActError(
                RegistryRefusal.LAST_PERSON,
                f"{person.body}: expected a person to stay, got {person.name}, its last",
            )
        return {"name": registry.persons.remove(self.key).name}


class PersonList(Request, tag="person_list"):
    """Who acts, by body; from a place in that order on."""

    is_look = True

    account: str | None = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: Registry) -> dict[str, Any]:
        body = None if self.account is None else account_body(self.account)
        rows = registry.persons.listed(body, first=self.first, count=self.count + 1)
        found, further = page_at(rows, 0, self.count)
        return {"persons": found, "next": None if further is None else self.first + further}
