"""Daily statements, and objections to them."""

from typing import Any, Literal

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.requests.request import Request


class StatementShow(Request, tag="statement"):
    """An account's statement of a confirmed day."""

    account: str
    business_date: int
    is_look = True

    def act(self, registry: Registry) -> dict[str, Any]:
        return registry.statements.statement(self.account, self.business_date)


class StatementObject(Request, tag="statement_object"):
    """Object to a statement, before the next day opens."""

    account: str
    business_date: int
    content: str

    def act(self, registry: Registry) -> dict[str, Any]:
        number = registry.statements.object(self.account, self.business_date, self.content)
        return {"objection_id": number}


class StatementResolve(Request, tag="statement_resolve"):
    """Answer an objection."""

    objection_id: int
    answer: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.statements.resolve(self.objection_id, self.answer)
        return {}


class Objections(Request, tag="objections"):
    """Objections from a number on, all of them or those in one state."""

    is_look = True
    is_scoped = False

    state: Literal["open", "resolved"] | None = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: Registry) -> dict[str, Any]:
        rows = registry.statements.objections(
            state=self.state, first=self.first, count=self.count + 1
        )
        return paged("objections", rows, "objection_id", self.count)
