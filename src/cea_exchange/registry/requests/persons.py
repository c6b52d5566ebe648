"""Who acts at the registry."""

from typing import Any

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.paging import PAGE_COUNT_MAX, PageCount, Place, page_at
from cea_exchange.registry.persons import account_body
from cea_exchange.registry.requests.request import Request


class PersonAdd(Request, tag="person_add"):
    """Let a key stand for a person; of an account, of a province (its code), or of an office.

    Two persons do it: one alone could else make himself the second of everything.
    """

    needs_second = True

    name: str
    key: str
    role: str
    account: str | None = None
    province: int | None = None

    def act(self, registry: Registry) -> dict[str, Any]:
        person = registry.persons.add(
            self.name, self.key, self.role, account=self.account, province=self.province
        )
        return {"body": person.body}


class PersonRemove(Request, tag="person_remove"):
    """Let a key stand for nobody any more."""

    key: str

    def act(self, registry: Registry) -> dict[str, Any]:
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
