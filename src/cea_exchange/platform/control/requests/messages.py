"""Messages about what is due, for the body that a person acts for; a province's open tasks."""

from typing import TYPE_CHECKING, Annotated, Any

from cea_exchange.control_plane.fields import field
from cea_exchange.institution.paging import PAGE_COUNT_MAX, Number, PageCount
from cea_exchange.platform.control.request import Request
from cea_exchange.platform.control.requests.fields import Province
from cea_exchange.platform.roles import OFFICIALS, REGULATOR, ROLES

if TYPE_CHECKING:
    from cea_exchange.platform.platform import Platform


class MessageList(Request, tag="message_list"):
    """Print the messages to one's own body, the oldest first."""

    roles = ROLES
    is_look = True
    is_scoped = False
    command = "message list"
    example = "message list --unread --key li"
    rows = ("messages",)

    unread: Annotated[bool, field("Only what nobody of the body has read.")] = False
    first: Number = 1
    count: PageCount = PAGE_COUNT_MAX

    def act(self, platform: "Platform") -> dict[str, Any]:
        rows = platform.messages.of(
            platform.person.body, self.first, self.count + 1, unread=self.unread
        )
        page, more = rows[: self.count], rows[self.count :]
        return {"messages": page, "next": more[0]["message_id"] if more else None}


class MessageRead(Request, tag="message_read"):
    """Note that a message to one's own body was read."""

    roles = tuple(role for role in ROLES if role != REGULATOR)
    is_scoped = False
    command = "message read"
    example = "message read 12 --key li"

    message: Annotated[Number, field("The message's number.")]

    def act(self, platform: "Platform") -> dict[str, Any]:
        platform.messages.read(platform.person, self.message)
        return {}


class ProvinceDue(Request, tag="province_due"):
    """Print what a province has to do by a day: results to notify, allocations to change,
    objections to decide."""

    roles = OFFICIALS
    is_look = True
    command = "province due"
    example = "province due 33 --until 2026-06-30"

    province: Province
    until: Annotated[int | None, field("Up to this day", typed="date")] = None

    def act(self, platform: "Platform") -> dict[str, Any]:
        today = platform.business_date()
        clocks = platform.clocks.open(
            self.province, 99_991_231 if self.until is None else self.until
        )
        return {
            "due": [{**each._asdict(), "is_late": each.is_late(today)} for each in clocks]
        }
