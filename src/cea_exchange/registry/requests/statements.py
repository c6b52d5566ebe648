"""Daily statements, and objections to them."""

from typing import Annotated, Any, Literal

import msgspec

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.receipts import day_of_act, receipt
from cea_exchange.registry.requests.request import Request


class StatementShow(Request, tag="statement"):
    """An account's statement of a confirmed day."""

    account: str
    business_date: int
    is_look = True

    def act(self, registry: Registry) -> dict[str, Any]:
        return registry.statements.statement(self.account, self.business_date)


class Receipt(Request, tag="receipt"):
    """The proof of what an account held as a day was confirmed, or of an act; see `receipts`."""

    account: str | None = None
    business_date: int | None = None
    act_id: Annotated[int, msgspec.Meta(ge=1, le=2**62)] | None = None
    is_look = True

    def act(self, registry: Registry) -> dict[str, Any]:
        store = registry.store
        if self.act_id is not None and self.account is None and self.business_date is None:
            date = day_of_act(store, self.act_id)
            return receipt(store, date, f"act {self.act_id}")
        if self.act_id is None and self.account is not None and self.business_date is not None:
            return receipt(store, self.business_date, f"balance {self.account}")
        raise ActError(
            RegistryRefusal.BAD_REQUEST,
            "receipt: expected account and business_date, or act_id, got others",
        )

    def bodies(self, registry: Registry) -> frozenset[str]:
        """Those of the account; of an act, those of the account it is about and of its persons."""
        if self.act_id is None:
            return super().bodies(registry)
        row = registry.store.execute(
            "SELECT account, person_key, second_key FROM acts WHERE act_id = ?", (self.act_id,)
        ).fetchone()
        if row is None:
            return frozenset()
        account, *keys = row
        persons = filter(None, map(registry.persons.of_key, keys))
        bodies = frozenset(person.body for person in persons)
        return bodies | registry.accounts.bodies(account) if account else bodies


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
