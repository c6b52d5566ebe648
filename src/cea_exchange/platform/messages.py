"""Numbered messages to bodies: what is due soon or late, sent once each; and who has read them.

A body's persons ask for the messages after the last number they have; nothing is pushed.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.domain.compliance.deadlines.calendar import Event, events
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError
from cea_exchange.platform.record import Acting, Record

REMIND_DAYS = 10
"""Calendar days before a due day on which its reminder is sent."""


class Message(NamedTuple):
    """What a body is to be told.

    Attributes
    ----------
    subject
        What it is about: ``month 202507``; with the day and whether it is late it is told once.
    due_on
        yyyymmdd, the last day that is in time; 0: there is none.
    """

    body: str
    subject: str
    words: str
    due_on: int
    is_late: bool = False


_MESSAGE = ("message_id", "subject", "words", "due_on", "is_late", "made_on", "read_by")


class Messages:
    """The messages of all bodies."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

    def tell(self, messages: Iterable[Message]) -> int:
        """Tell bodies what they were not told yet, and return how much of it was new.

        Notes
        -----
        Rules: CEA-CAL-05.
        """
        with self._record.transaction():
            new = [each for each in dict.fromkeys(messages) if not self._is_known(each)]
            if new:
                first, today = (
                    self._store.next_id("messages", "message_id"),
                    self._record.business_date(),
                )
                self._store.insert(
                    "messages (message_id, body, subject, words, due_on, is_late, made_on)",
                    [
                        (number, each.body, each.subject, each.words, each.due_on)
                        + (int(each.is_late), today)
                        for number, each in enumerate(new, first)
                    ],
                )
        return len(new)

    def read(self, person: Acting, number: int) -> None:
        """Note that a person of the body has read a message.

        Raises
        ------
        PlatformActError
            It is not of the person's body.
        """
        with self._record.transaction():
            body = self._store.one("SELECT body FROM messages WHERE message_id = ?", (number,))
            if body != person.body:
                raise PlatformActError(
                    PlatformRefusal.MESSAGE_UNKNOWN,
                    f"message: expected one of {person.body}, got {number}",
                )
            if not self._store.one(
                "SELECT 1 FROM message_reads WHERE message_id = ?", (number,)
            ):
                self._store.insert(
                    "message_reads (message_id, read_by, read_on)",
                    [(number, person.name, self._record.business_date())],
                )

    def of(self, body: str, first: int, count: int, *, unread: bool = False) -> list[Any]:
        """Return a body's messages from a number on, the oldest first, so many at most."""
        rows = self._store.execute(
            "SELECT messages.message_id, subject, words, due_on, is_late, made_on,"
            " coalesce(read_by, '') FROM messages"
            " LEFT JOIN message_reads ON message_reads.message_id = messages.message_id"
            " WHERE body = :body AND messages.message_id >= :first"
            + " AND read_by IS NULL" * unread
            + " ORDER BY messages.message_id LIMIT :count",
            {"body": body, "first": first, "count": count},
        )
        return [dict(zip(_MESSAGE, row, strict=True)) for row in rows.fetchall()]

    def _is_known(self, message: Message) -> bool:
        return bool(
            self._store.one(
                "SELECT 1 FROM messages WHERE body = ? AND subject = ? AND due_on = ?"
                " AND is_late = ?",
                (message.body, message.subject, message.due_on, int(message.is_late)),
            )
        )


def calendar_messages(
    body: str, actor: str, today: int, until: int, sector: Sector | None = None
) -> list[Message]:
    """Return what the calendar has for an actor from a day to a day, as messages.

    What a body is told of by itself, its filings and its surrender, is left out.

    Notes
    -----
    Rules: CEA-CAL-02, CEA-CAL-05.
    """
    first, last = date_of_number(today), date_of_number(until)
    return [
        Message(body, f"calendar {event.act} {_years(event.years)}", _said(event), due_on)
        for event in events(first, last, sector=sector)
        if event.actor == actor and event.due
        if actor != "entity" or event.act not in _OF_ITS_OWN
        for due_on in (date_number(event.day),)
    ]


_OF_ITS_OWN = frozenset({"month", "report", "quality_plan", "surrender"})


def _said(event: Event) -> str:
    return event.words if event.mark is None else f"{event.words} ({event.mark})"


def _years(years: tuple[int, ...]) -> str:
    return ",".join(map(str, years)) or "-"
