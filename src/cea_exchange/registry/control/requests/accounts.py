"""Requests about entities' accounts."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, Place, paged
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Account, Into, Why
from cea_exchange.registry.control.requests.request import ProvinceListing, Request
from cea_exchange.registry.participants.roles import INITIATOR, OFFICIALS, OPERATOR, PROVINCE, ROLES

if TYPE_CHECKING:
    from cea_exchange.institution.persons import Person
    from cea_exchange.registry.registry import Registry


class AccountOpen(Request, tag="account_open"):
    """Open an entity's account; it has one only. A second operator has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "account open"
    example = (
        'account open P001 --entity "Huadian Power Co., Ltd." '
        "--credit-code 91330100799655058B --province 33"
    )

    account: Annotated[str, field("The account's name, for good.")]
    entity: Annotated[str, field("The entity's legal name.", is_option=True)]
    credit_code: Annotated[str, field("Unified social credit code.", is_option=True)]
    province: Annotated[int, field("Two-digit code, such as 11.", is_option=True)]
    group: Annotated[str, field("Group, for block offers.")] = ""
    sector: Annotated[str, field("power, steel, cement or aluminium.")] = ""

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
    """Bar an account from trading and transfers; the venue cancels its orders."""

    roles = (OPERATOR,)
    command = "account suspend"
    example = 'account suspend P001 --why "court order 12"'

    account: Account
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.accounts.suspend(self.account, self.why)


class AccountRestore(Request, tag="account_restore"):
    """Lift a suspension; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "account reinstate"
    example = 'account reinstate P001 --why "order lifted"'

    account: Account
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.accounts.restore(self.account, self.why)


class AccountRename(Request, tag="account_rename"):
    """As an entity, ask for its new legal name to be noted; its province approves it."""

    roles = (INITIATOR,)
    second = Second.PROVINCE
    command = "account rename"
    example = 'account rename P001 "Clean Power Ltd" --why "decision 3" --key li'

    account: Account
    entity: Annotated[str, field("The entity's new legal name.")]
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.accounts.rename(self.account, self.entity, self.why)


class AccountMerge(Request, tag="account_merge"):
    """Move all that an account has to another one, and end it; the account approves it.

    Where an operator proposes it, the account that ends approves; where that account does, its
    successor. What it owes passes to nobody who did not approve it.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.SUCCESSOR
    command = "account merge"
    example = 'account merge P002 P001 --why "merged in law"'

    account: Account
    into: Into
    why: Why

    def approving_body(self, registry: "Registry", proposer: "Person") -> str:
        owed = registry.accounts.owed(self.account)
        if owed and proposer.role == OPERATOR:
            raise ActError(
                RegistryRefusal.MERGE_BY_HEIR,
                f"account_merge: expected {self.account} to propose it and {self.into} to"
                f" approve it, which takes over what is owed, got {proposer.body}:"
                f" {', '.join(owed)}",
            )
        return super().approving_body(registry, proposer)

    def act(self, registry: "Registry") -> None:
        registry.accounts.merge(self.account, self.into, self.why)


class AccountClose(Request, tag="account_close"):
    """End an account that holds nothing; the account approves it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER_OR_AUTHORITY
    command = "account close"
    example = 'account close P003 --why "plant shut down"'

    account: Account
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.accounts.close(self.account, self.why)


class AccountAtRisk(Request, tag="account_at_risk", kw_only=True):
    """Mark an entity as at risk of not surrendering, or with --no not; its province approves."""

    roles = (OPERATOR, PROVINCE)
    second = Second.PROVINCE
    command = "account at-risk"
    example = 'account at-risk P001 --why "arrears of 2023"'

    account: Account
    at_risk: Annotated[bool, field("Mark it, or unmark it.", name="--yes/--no")] = True
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.accounts.at_risk_set(self.account, self.at_risk, self.why)


class AccountBank(Request, tag="account_bank"):
    """Note an account's settlement bank and its sub-account there; the account approves it."""

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "account bank"
    example = 'account bank P001 CCB 6227-001 --why "contract 5"'

    account: Account
    bank: Annotated[str, field("The settlement bank.")]
    bank_account: Annotated[str, field("The account's sub-account there.")]
    why: Why

    def act(self, registry: "Registry") -> None:
        registry.accounts.bank_set(self.account, self.bank, self.bank_account, self.why)


class AccountShow(Request, tag="account_show"):
    """Print what is noted of an account, its representatives, and all that became of it."""

    roles = ROLES
    is_look = True
    command = "account show"
    example = "account show P001"
    rows = ("changes",)

    account: Account
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        shown = registry.accounts.show(self.account, first=self.first, count=self.count + 1)
        return shown | paged("changes", shown["changes"], "change_id", self.count)


class AccountList(ProvinceListing, tag="account_list"):
    """Print all accounts, in the order of their opening."""

    roles = OFFICIALS
    command = "account list"
    example = "account list --province 33"
    rows = ("accounts",)
    numbered_by = "account_index"

    state: Annotated[
        Literal["open", "suspended", "merged", "closed"] | None, field("Only those that are so.")
    ] = None
    first: Place = 0

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.accounts.listed(
            province=self.province, state=self.state, first=self.first, count=count
        )
