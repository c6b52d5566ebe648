"""Entities' accounts."""

from typing import Any, Literal

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.registry.acts import Registry
from cea_exchange.registry.checks import ActError
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, Place, paged
from cea_exchange.registry.persons import Person, province_body
from cea_exchange.registry.requests.request import Request
from cea_exchange.registry.roles import OPERATOR


class AccountOpen(Request, tag="account_open"):
    """Open an entity's account; `province` is its two-digit code."""

    account: str
    entity: str
    credit_code: str
    province: int
    group: str = ""
    sector: str = ""

    def act(self, registry: Registry) -> dict[str, Any]:
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

    account: str
    why: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.suspend(self.account, self.why)
        return {}


class AccountRestore(Request, tag="account_restore"):
    """Lift a suspension."""

    account: str
    why: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.restore(self.account, self.why)
        return {}


class AccountRename(Request, tag="account_rename"):
    """Note an entity's new legal name; the entity proposes it, its province approves it."""

    account: str
    entity: str
    why: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.rename(self.account, self.entity, self.why)
        return {}


class AccountMerge(Request, tag="account_merge"):
    """Move all that an account has to another one, and end it.

    Where an operator proposes it, the account that ends approves; where that account does, its
    successor. What it owes passes to nobody who did not approve it.
    """

    account: str
    into: str
    why: str

    def approving_body(self, registry: Registry, proposer: Person) -> str:
        owed = registry.accounts.owed(self.account)
        if owed and proposer.role == OPERATOR:
            raise ActError(
                RegistryRefusal.MERGE_BY_HEIR,
                f"account_merge: expected {self.account} to propose it and {self.into} to"
                f" approve it, which takes over what is owed, got {proposer.body}:"
                f" {', '.join(owed)}",
            )
        return super().approving_body(registry, proposer)

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.merge(self.account, self.into, self.why)
        return {}


class AccountClose(Request, tag="account_close"):
    """End an account that holds nothing."""

    account: str
    why: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.close(self.account, self.why)
        return {}


class AccountAtRisk(Request, tag="account_at_risk"):
    """Mark an entity as at risk of not surrendering, or as not at risk any more."""

    account: str
    at_risk: bool
    why: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.at_risk_set(self.account, self.at_risk, self.why)
        return {}


class AccountBank(Request, tag="account_bank"):
    """Note an account's settlement bank and its sub-account there."""

    account: str
    bank: str
    bank_account: str
    why: str

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.accounts.bank_set(self.account, self.bank, self.bank_account, self.why)
        return {}


class AccountShow(Request, tag="account_show"):
    """What is noted of an account, its representatives, and what became of it, from a change on."""

    is_look = True

    account: str
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: Registry) -> dict[str, Any]:
        shown = registry.accounts.show(self.account, first=self.first, count=self.count + 1)
        return shown | paged("changes", shown["changes"], "change_id", self.count)


class AccountList(Request, tag="account_list"):
    """Accounts by index, from one on; of one province, or in one state."""

    is_look = True

    province: int | None = None
    state: Literal["open", "suspended", "merged", "closed"] | None = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: Registry) -> dict[str, Any]:
        rows = registry.accounts.listed(
            province=self.province, state=self.state, first=self.first, count=self.count + 1
        )
        return paged("accounts", rows, "account_index", self.count)

    def bodies(self, registry: Registry) -> frozenset[str]:
        return frozenset() if self.province is None else frozenset({province_body(self.province)})
