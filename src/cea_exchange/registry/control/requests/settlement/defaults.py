"""Requests about trades that failed, and what is done about them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.control.dual_control import Second
from cea_exchange.registry.control.requests.fields import Cash
from cea_exchange.registry.control.requests.request import Listing, Request
from cea_exchange.registry.participants.roles import OPERATOR, REGULATOR

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class Failures(Listing, tag="failures"):
    """Print the trades that failed and stand."""

    roles = (OPERATOR, REGULATOR)
    is_scoped = False
    command = "failure list"
    rows = ("failures",)
    numbered_by = "settlement_seq"

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.defaults.failures(first=self.first, count=count)


class DefaultList(Listing, tag="default_list"):
    """Print the defaults."""

    roles = (OPERATOR, REGULATOR)
    is_scoped = False
    command = "default list"
    rows = ("defaults",)
    numbered_by = "default_id"

    ended: Annotated[bool, field("Those that are over too.", name="--all")] = False

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        return registry.defaults.all(ended=self.ended, first=self.first, count=count)


class DefaultShow(Request, tag="default_show"):
    """Print a default and everything that was done about it."""

    roles = (OPERATOR, REGULATOR)
    is_look = True
    is_scoped = False
    command = "default show"
    example = "default show 3"
    rows = ("acts",)

    default_id: Annotated[int, field("The default's number.", name="number")]
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, registry: "Registry") -> dict[str, Any]:
        shown = registry.defaults.show(self.default_id, first=self.first, count=self.count + 1)
        return shown | paged("acts", shown["acts"], "act_id", self.count)


class DefaultNotice(Request, tag="default_notice"):
    """Tell the party to make it good by the end of a day."""

    roles = (OPERATOR,)
    command = "default notify"
    example = "default notify 3 2026-07-16"

    default_id: Annotated[int, field("The default's number.", name="number")]
    deadline: Annotated[int, field("The last day to top up", typed="date")]

    def act(self, registry: "Registry") -> None:
        registry.defaults.notice(self.default_id, self.deadline)


class DefaultRetry(Request, tag="default_retry"):
    """Post the failed trades whose cause is gone."""

    roles = (OPERATOR,)
    command = "default retry"

    def act(self, registry: "Registry") -> dict[str, Any]:
        return {"settled": registry.defaults.retry()}


class ReserveFund(Request, tag="reserve_fund"):
    """Book cash into the reserve, where there is no settlement bank; two persons do it."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "reserve fund"
    example = "reserve fund 1000.00"

    cash: Cash

    def act(self, registry: "Registry") -> None:
        registry.defaults.reserve_fund(self.cash)


class ReserveUse(Request, tag="reserve_use"):
    """Let the reserve pay for a default, and post its trade; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "reserve use"
    example = "reserve use 3"

    default_id: Annotated[int, field("The default's number.", name="number")]

    def act(self, registry: "Registry") -> None:
        registry.defaults.reserve_use(self.default_id)


class ReserveRecover(Request, tag="reserve_recover"):
    """Take back what the reserve paid, or a part; a second person approves."""

    roles = (OPERATOR,)
    second = Second.OWN
    command = "reserve recover"
    example = "reserve recover 3 1000.00"

    default_id: Annotated[int, field("The default's number.", name="number")]
    cash: Cash

    def act(self, registry: "Registry") -> None:
        registry.defaults.recover(self.default_id, self.cash)
