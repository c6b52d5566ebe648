"""Requests about account statements, and objections to them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.registry.control.requests.fields import Account, Day
from cea_exchange.registry.control.requests.request import Listing, Request
from cea_exchange.registry.participants.roles import INITIATOR, OPERATOR, REGULATOR, ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class StatementShow(Request, tag="statement"):
    """Print an account's statement of a day."""

    roles = ROLES
    is_look = True
    command = "statement show"
    example = "statement show P001 2025-07-16"

    account: Account
    business_date: Day

    def act(self, registry: "Registry") -> dict[str, Any]:
        return registry.statements.statement(self.account, self.business_date)


class Receipt(Request, tag="receipt"):
    """Get the proof of an account's balance at a day's end, or of an act.

    `examples/receipt_check.py` checks it, as JSON, without the registry.
    """

    roles = ROLES
    is_look = True
    command = "receipt show"
    example = "receipt show --account P001 --date 2025-07-16 --out r.json"

    account: Annotated[str | None, field("Whose balance.")] = None
    business_date: Annotated[int | None, field("A confirmed day", typed="date", name="date")] = None
    act_id: (
        Annotated[int, msgspec.Meta(ge=1, le=2**62), field("The number of an act.", name="act")]
        | None
    ) = None

    def act(self, registry: "Registry") -> dict[str, Any]:
        from cea_exchange.registry.settlement.receipts import day_of_act, receipt

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

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Those of the account; of an act, those of the account it is about and of its persons."""
        if self.act_id is None:
            return super().bodies(registry)
        row = registry.store.find("acts", "account, person_key, second_key", act_id=self.act_id)
        if row is None:
            return frozenset()
        account, *keys = row
        persons = filter(None, map(registry.persons.of_key, keys))
        bodies = frozenset(person.body for person in persons)
        return bodies | registry.accounts.bodies(account) if account else bodies


class StatementObject(Request, tag="statement_object"):
    """Object to a statement, before the next day opens."""

    roles = (INITIATOR,)
    command = "objection raise"
    example = 'objection raise P001 2025-07-16 "a pay-in is missing" --key li'

    account: Account
    business_date: Day
    content: Annotated[str, field("What is wrong with it.")]

    def act(self, registry: "Registry") -> dict[str, Any]:
        number = registry.statements.object(self.account, self.business_date, self.content)
        return {"objection_id": number}


class StatementResolve(Request, tag="statement_resolve"):
    """Answer an objection."""

    roles = (OPERATOR,)
    command = "objection resolve"
    example = 'objection resolve 2 "booked on the next day"'

    objection_id: Annotated[int, field("The objection's number.", name="number")]
    answer: Annotated[str, field("The answer.")]

    def act(self, registry: "Registry") -> None:
        registry.statements.resolve(self.objection_id, self.answer)


class Objections(Listing, tag="objections"):
    """Print all objections."""

    roles = (OPERATOR, REGULATOR)
    is_scoped = False
    command = "objection list"
    example = "objection list --state open"
    rows = ("objections",)
    numbered_by = "objection_id"

    state: Annotated[Literal["open", "resolved"] | None, field("Only those that are so.")] = None

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.statements.objections(state=self.state, first=self.first, count=count)
