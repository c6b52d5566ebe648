"""The request for what must be done by a day."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from cea_exchange.registry.control.requests.request import ProvinceListing
from cea_exchange.registry.participants.roles import OFFICIALS

if TYPE_CHECKING:
    from cea_exchange.registry.registry import Registry


class DutyList(ProvinceListing, tag="duty_list"):
    """Print what is still to be done by a day, and what of it is overdue."""

    roles = OFFICIALS
    command = "duty list"
    example = "duty list"
    rows = ("duties",)
    numbered_by = "place"

    def listed(self, registry: "Registry", count: int) -> Iterable[Any]:
        open_now = enumerate(registry.duties.open(self.province), 1)
        duties = ({"place": place, **duty._asdict()} for place, duty in open_now)
        return (duty for duty in duties if duty["place"] >= self.first)
