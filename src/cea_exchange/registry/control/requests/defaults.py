"""Trades that failed, and what is done about them."""

from typing import TYPE_CHECKING, Any

from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.participants.roles import OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class Failures(Request, tag="failures"):
    """Which trades failed and stand, from a settlement sequence on."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False

    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.defaults.failures(first=self.first, count=self.count + 1)
        return paged("failures", rows, "settlement_seq", self.count)


class DefaultList(Request, tag="default_list"):
    """The defaults, with ``ended`` those that are over too."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False

    ended: bool = False
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        rows = registry.defaults.all(ended=self.ended, first=self.first, count=self.count + 1)
        return paged("defaults", rows, "default_id", self.count)


class DefaultShow(Request, tag="default_show"):
    """One default with what was done about it, from an act on."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False

    default_id: int
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        shown = registry.defaults.show(
            self.default_id, first=self.first, count=self.count + 1
        )
        return shown | paged("acts", shown["acts"], "act_id", self.count)


class DefaultNotice(Request, tag="default_notice"):
    """Tell the party to make it good by the end of a day, yyyymmdd."""

    roles = (OPERATOR,)

    default_id: int
    deadline: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.defaults.notice(self.default_id, self.deadline)
        return {}


class DefaultRetry(Request, tag="default_retry"):
    """Post failed trades whose cause is gone."""

    roles = (OPERATOR,)

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"settled": registry.defaults.retry()}


class ReserveFund(Request, tag="reserve_fund"):
    """Book cash from the bank into the risk reserve."""

    roles = (OPERATOR,)
    second = Second.OWN

    cash: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.defaults.reserve_fund(self.cash)
        return {}


class ReserveUse(Request, tag="reserve_use"):
    """Let the risk reserve pay for a default, and post its trade."""

    roles = (OPERATOR,)
    second = Second.OWN

    default_id: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.defaults.reserve_use(self.default_id)
        return {}


class ReserveRecover(Request, tag="reserve_recover"):
    """Take cash back that the reserve paid for a default."""

    roles = (OPERATOR,)
    second = Second.OWN

    default_id: int
    cash: int

    def act(self, registry: "Registry") -> dict[str, Any]:
        registry.defaults.recover(self.default_id, self.cash)
        return {}
