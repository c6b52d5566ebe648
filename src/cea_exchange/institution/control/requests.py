"""What every institution may be asked: where it stands, who acts, what waits, what was done.

Whom it lets ask says the institution: it takes each as its own, with its roles::

    class Approve(requests.Approve, tag="approve"):
        roles = APPROVING
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from cea_exchange.control_plane.fields import field
from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.institution.control.request import Request
from cea_exchange.institution.paging import (
    PAGE_COUNT_MAX,
    PageCount,
    Place,
    message_shown,
    page_at,
    page_read,
)
from cea_exchange.protocol.control import TIME_NS_MAX

if TYPE_CHECKING:
    from cea_exchange.institution.services import InstitutionServices

COUNT_MAX = 1_000
"""Rows in one answer; the rest is asked for from the next number on."""

Number = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Count = Annotated[int, msgspec.Meta(ge=1, le=COUNT_MAX)]
Why = Annotated[str, field("The reason; it is kept.")]
PublicKey = Annotated[
    str, field("Public key, or the file NAME.public.", typed="key", name="public_key")
]


class Status(Request, tag="status"):
    """Where the daemon stands."""

    is_look = True
    is_scoped = False


class Seat(Request, tag="seat"):
    """Print for whom one's own key stands, and the time it is here."""

    is_look = True
    is_scoped = False
    command = "person self"
    example = "person self --key li"


class Stop(Request, tag="stop"):
    """End the daemon."""

    command = "stop"
    example = "stop"


class Proposals(Request, tag="proposals"):
    """Print the proposals that wait for a second person."""

    is_look = True
    is_scoped = False
    command = "proposal list"
    example = "proposal list --key bo"

    all: Annotated[bool, field("Decided and expired ones too.", name="--all")] = False
    first: Annotated[Number, field("The first number.")] = 1
    count: Annotated[Count, field("How many at most.")] = 100


class Approve(Request, tag="approve"):
    """Agree to a proposal of another person; it is done at once."""

    is_scoped = False
    command = "proposal approve"
    example = "proposal approve 12 --hash HASH --key bo"

    proposal: Annotated[Number, field("The proposal's number.", name="number")]
    request_hash: Annotated[
        str | None,
        field(
            "Hash of the proposal that you have read (request_hash); at a terminal you are asked.",
            name="--hash",
        ),
    ] = None


class Reject(Request, tag="reject"):
    """Refuse a proposal, or as its proposer take it back."""

    is_scoped = False
    command = "proposal reject"
    example = 'proposal reject 12 --why "wrong account" --key bo'

    proposal: Annotated[Number, field("The proposal's number.", name="number")]
    why: Why


class Acts(Request, tag="acts"):
    """Print what was done over the control socket, and by whom."""

    is_look = True
    command = "act list"
    example = "act list --since 1000 --json"

    since: Annotated[Number, field("The first act's number.")] = 1
    count: Annotated[Count, field("How many at most.")] = 100

    def act(self, services: "InstitutionServices") -> dict[str, Any]:
        acts = services.act_log.since(self.since, self.count + 1)
        shown = (
            (
                act._asdict()
                | {"request": message_shown(act.request), "answer": message_shown(act.answer)},
                len(act.request) + len(act.answer),
            )
            for act in acts
        )
        found, further = page_read(shown, self.count, "act_id")
        return {"acts": found, "next": further}


class PersonList(Request, tag="person_list"):
    """Print who acts, for whom, in which role."""

    is_look = True
    command = "person list"
    example = "person list"
    rows = ("persons",)

    body: Annotated[str | None, field("Only its persons.")] = None
    first: Place = 0
    count: PageCount = PAGE_COUNT_MAX

    def act(self, services: "InstitutionServices") -> dict[str, Any]:
        return persons_listed(services, self.body, self.first, self.count)


def persons_listed(
    services: "InstitutionServices", body: str | None, first: int, count: int
) -> dict[str, Any]:
    """Return a page of those who act, or of those of one body."""
    rows = services.persons.listed(body, first=first, count=count + 1)
    found, further = page_at(rows, 0, count)
    return {"persons": found, "next": None if further is None else first + further}


class PersonRemove(Request, tag="person_remove"):
    """Let a key stand for nobody any more, for good; a second person has to approve it."""

    command = "person remove"
    example = "person remove keys/li.public"

    key: PublicKey

    def bodies(self, services: "InstitutionServices") -> frozenset[str]:
        """Return whose it is: that of the person."""
        person = services.persons.of_key(self.key)
        return frozenset() if person is None else frozenset({person.body})

    def act(self, services: Any) -> dict[str, Any]:
        return {"name": services.persons.remove(self.key).name}


class ClockMove(Request, tag="clock_move"):
    """Move a manual clock; a second person has to approve it."""

    command = "clock move"
    example = "clock move 2025-07-16T09:30:00+08:00"

    at: Annotated[str, field("ISO 8601 with offset.")]

    def act(self, services: "InstitutionServices") -> dict[str, Any]:
        from cea_exchange.domain.timetable import time_parse, time_to_ns

        try:
            at_ns = time_to_ns(time_parse(self.at))
        except ValueError as error:
            raise ActError(InstitutionRefusal.DATE_UNSOUND, f"at: {error}") from None
        if not 0 <= at_ns <= TIME_NS_MAX:
            raise ActError(
                InstitutionRefusal.DATE_OUT_OF_RANGE,
                f"at: expected within 1970 and 2116, got {self.at}",
            )
        services.clock_acts.move(at_ns)
        return {}


class ClockConfirm(Request, tag="clock_confirm"):
    """Say that the system's clock is right, which `status` says is doubted.

    A second person has to approve it.
    """

    command = "clock confirm"
    example = "clock confirm 2026-01-05"

    date: Annotated[int, field("Today", typed="date")]

    def act(self, services: "InstitutionServices") -> dict[str, Any]:
        services.clock_acts.confirm(self.date)
        return {}


class CalendarLoad(Request, tag="calendar_load"):
    """Load the working days of the next year from a file; a second person has to approve it.

    The file is a calendar (TOML) that begins on the day after the last one known.
    """

    command = "calendar load"
    example = "calendar load calendar-2027.toml --key an"

    file: Annotated[
        str,
        msgspec.Meta(min_length=1, max_length=200, pattern="^[^\\x00-\\x1f]+$"),
        field("The calendar.", typed="file"),
    ]
    content: Annotated[bytes, field(is_hidden=True)]

    def act(self, services: "InstitutionServices") -> dict[str, Any]:
        days = services.context.working_days
        known = days.load(self.file, self.content, services.business_date())
        return {"last_day": date_number(known.last)}


class CalendarShow(Request, tag="calendar_show"):
    """Print how far the working days are known: a term that ends later is provisional."""

    is_look = True
    is_scoped = False
    command = "calendar show"
    example = "calendar show"

    def act(self, services: "InstitutionServices") -> dict[str, Any]:
        known = services.context.calendar
        today = date_of_number(services.business_date())
        return {
            "name": known.name,
            "first_day": date_number(known.first),
            "last_day": date_number(known.last),
            "warning": known.warning(today) or "",
        }
