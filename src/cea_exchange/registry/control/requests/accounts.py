"""Entities' accounts."""

from typing import TYPE_CHECKING, Any, Literal

from cea_exchange.registry.checks import ActError
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, Place, paged
from cea_exchange.registry.participants.persons import Person, province_body
from cea_exchange.registry.participants.roles import INITIATOR, OFFICES, OPERATOR, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class AccountOpen(Request, tag="account_open"):
    """Open an entity's account; `province` is its two-digit code."""

    roles = (OPERATOR,)
    second = Second.OWN

    account: str
    entity: str
    credit_code: str
    province: int
    group: str = ""
    sector: str = ""

    def act(self, registry: "Registry") -> dict[str, Any]:
        index = registry.accounts.open(
            self.account,
            self.group,
            entity=self.entity,
            credit_code=self.credit_code,
            province=self.province,
            sector=self.sector,
        )
        return {"account_index": index}


class AccountSuspend(Request, tag="account_suspend"):
    """Bar an account from trading and from transfers; the venue cancels its orders."""

    roles = (OPERATOR,)

    account: str
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.suspend(self.account, self.why)
        return {}


class AccountRestore(Request, tag="account_restore"):
    """Lift a suspension."""

    roles = (OPERATOR,)
    second = Second.OWN

    account: str
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.restore(self.account, self.why)
        return {}


class AccountRename(Request, tag="account_rename"):
    """Note an entity's new legal name; the entity proposes it, its province approves it."""

    roles = (INITIATOR,)
    second = Second.PROVINCE

    account: str
    entity: str
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.rename(self.account, self.entity, self.why)
        return {}


class AccountMerge(Request, tag="account_merge"):
    """Move all that an account has to another one, and end it.

    Where an operator proposes it, the account that ends approves; where that account does, its
    successor. What it owes passes to nobody who did not approve it.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.SUCCESSOR

    account: str
    into: str
    why: str

    def approving_body(self, registry: "Registry", proposer: Person) -> str:
        owed = registry.accounts.owed(self.account)
        if owed and proposer.role == OPERATOR:
            raise ActError(
                f"account_merge: {self.account} must propose it, and {self.into} approve it, which"
                f" takes over what is owed: {', '.join(owed)}"
            )
        return super().approving_body(registry, proposer)

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.merge(self.account, self.into, self.why)
        return {}


class AccountClose(Request, tag="account_close"):
    """End an account that holds nothing."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER_OR_AUTHORITY

    account: str
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.close(self.account, self.why)
        return {}


class AccountAtRisk(Request, tag="account_at_risk"):
    """Mark an entity as at risk of not surrendering, or as not at risk any more."""

    roles = (OPERATOR, PROVINCE)
    second = Second.PROVINCE

    account: str
    at_risk: bool
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.at_risk_set(self.account, self.at_risk, self.why)
        return {}


class AccountBank(Request, tag="account_bank"):
    """Note an account's settlement bank and its sub-account there."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER

    account: str
    bank: str
    bank_account: str
    why: str

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.accounts.bank_set(self.account, self.bank, self.bank_account, self.why)
        return {}


class AccountShow(Request, tag="account_show"):
    """What is noted of an account, its representatives, and what became of it, from a change on."""

    roles = ROLES
    is_look = True

    account: str
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        shown = registry.accounts.show(self.account, first=self.first, count=self.count + 1)
        return shown | paged("changes", shown["changes"], "change_id", self.count)


class AccountList(Request, tag="account_list"):
    """Accounts by index, from one on; of one province, or in one state."""

    roles = OFFICES
    is_look = True

    province: int | None = None
    state: Literal["open", "suspended", "merged", "closed"] | None = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.accounts.listed(
            province=self.province, state=self.state, first=self.first, count=self.count + 1
        )
        return paged("accounts", rows, "account_index", self.count)

    def bodies(self, registry: "Registry") -> frozenset[str]:
        return frozenset() if self.province is None else frozenset({province_body(self.province)})
