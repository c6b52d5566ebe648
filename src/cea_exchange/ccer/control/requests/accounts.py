"""Accounts, and what they hold."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cea_exchange.ccer.control.request import Request, Second
from cea_exchange.ccer.control.requests.fields import Account, Why
from cea_exchange.ccer.roles import AUTHORITY, INITIATOR, OFFICIALS, OPERATOR, ROLES
from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, PageCount, Place, page_at, paged

if TYPE_CHECKING:
    from cea_exchange.ccer.ccer_registry import CcerRegistry


class AccountOpen(Request, tag="account_open"):
    """Open an entity's account; it has one only. A second operator has to approve it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "account open"
    example = 'account open SEAWIND owner --entity "Sea Wind Ltd" --province 33'

    account: Annotated[str, field("The account's name, for good.")]
    kind: Annotated[Literal["owner", "entity", "trader", "vvb", "province"], field("Of whom.")]
    entity: Annotated[str, field("Legal name; left out, the account's.")] = ""
    credit_code: Annotated[str | None, field("Unified social credit code.")] = None
    province: Annotated[int, field("Two-digit code, such as 11; 0 is none.")] = 0
    is_natural_person: Annotated[
        bool, field("A trader who is a natural person.", name="--natural-person")
    ] = False

    is_staff: Annotated[
        bool,
        field(
            "A trader who is staff of an authority, the registry, the exchange or a verifier: it"
            " may not trade.",
            name="--staff",
        ),
    ] = False

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        index = ccer.accounts.open(
            *(self.account, self.kind),
            entity=self.entity,
            credit_code=self.credit_code,
            province=self.province,
            is_natural_person=self.is_natural_person,
            is_staff=self.is_staff,
        )
        return {"account_index": index}


class AccountRestrict(Request, tag="account_restrict"):
    """Bar an account from disposing of what it has."""

    roles = (OPERATOR, AUTHORITY)
    command = "account restrict"
    example = 'account restrict SEAWIND --why "false licence"'

    account: Account
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.accounts.restrict(self.account, self.why)
        return {}


class AccountRestore(Request, tag="account_restore"):
    """Lift a restriction; two persons do it."""

    roles = (OPERATOR, AUTHORITY)
    second = Second.OWN
    command = "account reinstate"
    example = 'account reinstate SEAWIND --why "licence renewed"'

    account: Account
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.accounts.restore(self.account, self.why)
        return {}


class AccountClose(Request, tag="account_close"):
    """End an account that holds nothing and has no project that goes on; its approver agrees.

    The authority does where the account has no approver.
    """

    roles = (OPERATOR, INITIATOR)
    second = Second.HOLDER
    command = "account close"
    example = 'account close SEAWIND --why "merged"'

    account: Account
    why: Why

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        ccer.accounts.close(self.account, self.why)
        return {}


class AccountList(Request, tag="account_list"):
    """List the accounts, in the order of their opening."""

    roles = OFFICIALS
    is_look = True
    command = "account list"
    example = "account list"
    rows = ("accounts",)

    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.accounts.listed(self.first, self.count + 1)
        return paged("accounts", rows, "account_index", self.count)


class HoldingList(Request, tag="holding_list"):
    """List the lots of an account: of which instrument, where, and which serials."""

    roles = ROLES
    is_look = True
    command = "holding list"
    example = "holding list SEAWIND"
    rows = ("lots",)

    account: Account
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, ccer: "CcerRegistry") -> dict[str, Any]:
        rows = ccer.accounts.lots(self.account, self.first, self.count + 1)
        found, further = page_at(rows, 0, self.count)
        return {"lots": found, "next": None if further is None else self.first + further}
