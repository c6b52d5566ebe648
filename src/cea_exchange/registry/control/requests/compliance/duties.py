"""The request for what must be done by a day."""

from typing import TYPE_CHECKING, Any

from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount, paged
from cea_exchange.registry.control.requests.fields import ProvinceOnly
from cea_exchange.registry.control.requests.request import Request
from cea_exchange.registry.participants.persons import province_bodies
from cea_exchange.registry.participants.roles import OFFICIALS

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class DutyList(Request, tag="duty_list"):
    """Print what is still to be done by a day, and what of it is overdue."""

    roles = OFFICIALS
    is_look = True
    command = "duty list"
    example = "duty list"
    rows = ("duties",)

    province: ProvinceOnly = None
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def bodies(self, registry: "Registry") -> frozenset[str]:
        """Return whose it is: the province's that it names."""
        return province_bodies(self.province)

    def act(self, registry: "Registry") -> dict[str, Any]:
        open_now = registry.duties.open(self.province)
        rows = (
            {"place": place, **duty._asdict()}
            for place, duty in enumerate(open_now, 1)
            if place >= self.first
        )
        return paged("duties", rows, "place", self.count)
