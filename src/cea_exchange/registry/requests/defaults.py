"""Trades that failed, and what is done about them."""

from typing import Any

from cea_exchange.registry.acts import Registry
from cea_exchange.registry.requests.request import Request


class Failures(Request, tag="failures"):
    """Which trades failed and stand."""

    is_look = True
    is_scoped = False

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"failures": registry.defaults.failures()}


class DefaultList(Request, tag="default_list"):
    """The defaults, with ``ended`` those that are over too."""

    ended: bool = False
    is_look = True
    is_scoped = False

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"defaults": registry.defaults.all(ended=self.ended)}


class DefaultShow(Request, tag="default_show"):
    """One default with all that was done about it."""

    default_id: int
    is_look = True
    is_scoped = False

    def act(self, registry: Registry) -> dict[str, Any]:
        return registry.defaults.show(self.default_id)


class DefaultNotice(Request, tag="default_notice"):
    """Tell the party to make it good by the end of a day, yyyymmdd."""

    default_id: int
    deadline: int

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.defaults.notice(self.default_id, self.deadline)
        return {}


class DefaultRetry(Request, tag="default_retry"):
    """Post failed trades whose cause is gone."""

    def act(self, registry: Registry) -> dict[str, Any]:
        return {"settled": registry.defaults.retry()}


class ReserveFund(Request, tag="reserve_fund"):
    """Book cash from the bank into the risk reserve."""

    cash: int

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.defaults.reserve_fund(self.cash)
        return {}


class ReserveUse(Request, tag="reserve_use"):
    """Let the risk reserve pay for a default, and post its trade."""

    default_id: int

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.defaults.reserve_use(self.default_id)
        return {}


class ReserveRecover(Request, tag="reserve_recover"):
    """Take cash back that the reserve paid for a default."""

    default_id: int
    cash: int

    def act(self, registry: Registry) -> dict[str, Any]:
        registry.defaults.recover(self.default_id, self.cash)
        return {}
