"""What is to be filed until when: what is missing, who was late, and reminders of both."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from cea_exchange.domain.calendar import date_number, date_of_number
from cea_exchange.domain.compliance.deadlines.calendar import events
from cea_exchange.platform.checks import day_checked
from cea_exchange.platform.entity_list.enterprises import Enterprise, Enterprises
from cea_exchange.platform.entity_list.listing import Listing
from cea_exchange.platform.entity_list.units import Units
from cea_exchange.platform.filings import months, plans, reports
from cea_exchange.platform.filings.documents import Documents, Place
from cea_exchange.platform.messages import (
    REMIND_DAYS,
    Message,
    Messages,
    calendar_messages,
)
from cea_exchange.platform.periods import (
    month_due,
    months_asked,
    plan_due,
    report_due,
)
from cea_exchange.platform.record import Record
from cea_exchange.platform.roles import enterprise_body

FILED = ("filed", "accepted")
SURRENDER = "surrender"
"""What is due at the registry, of an obligation that is not covered."""


class Due(NamedTuple):
    """Something that has to be filed or surrendered, and is not.

    Attributes
    ----------
    state
        ``missing``, or that of a version that is not filed: ``draft`` or ``returned``.
    """

    enterprise: str
    kind: str
    period: int
    due_on: int
    state: str


class DueDates:
    """What listed enterprises have to file."""

    def __init__(
        self,
        record: Record,
        enterprises: Enterprises,
        units: Units,
        listing: Listing,
        documents: Documents,
        messages: Messages,
    ) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._units = units
        self._listing = listing
        self._documents = documents
        self._messages = messages

    def missing(self, enterprise: str, until: int) -> list[Due]:
        """Return what an enterprise has not filed that is due by a day, the earliest first."""
        day_checked(until, "until")
        found = self._enterprises.of(enterprise)
        years = self._store.execute(
            "SELECT DISTINCT list_year FROM list_changes WHERE enterprise_id = ?"
            " ORDER BY list_year",
            (found.enterprise_id,),
        )
        states = self._documents.states_of(found.enterprise_id)
        due = [
            each
            for (year,) in years.fetchall()
            if self._listing.is_listed(year, found.enterprise_id)
            for each in self._of_year(found, year, until, states)
        ]
        due += self._unsurrendered(found, until)
        return sorted(due, key=lambda each: (each.due_on, each.kind, each.period))

    def _unsurrendered(self, enterprise: Enterprise, until: int) -> Iterator[Due]:
        """Yield the years of which an enterprise owes something, as the registry reported last.

        Notes
        -----
        Rules: CEA-SUR-01, CEA-PLK-07.
        """
        rows = self._store.execute(
            "SELECT obligation.compliance_year, obligation.due_on FROM obligations AS obligation"
            " LEFT JOIN completions ON completion_seq = (SELECT max(completion_seq)"
            "  FROM completions AS last WHERE last.enterprise_id = :whose"
            "  AND last.compliance_year = obligation.compliance_year)"
            " WHERE obligation.enterprise_id = :whose AND obligation.due_on <= :until"
            " AND due_tonnes > 0"
            " AND version = (SELECT max(version) FROM obligations AS later"
            "  WHERE later.enterprise_id = :whose"
            "  AND later.compliance_year = obligation.compliance_year)"
            " AND (completed_on IS NULL OR completed_on = 0 OR owed <> due_tonnes)",
            {"whose": enterprise.enterprise_id, "until": until},
        )
        for year, due_on in rows.fetchall():
            yield Due(enterprise.enterprise, SURRENDER, year, due_on, "missing")

    def coming(self, enterprise: str, until: int) -> list[dict[str, int | str]]:
        """Return what the calendar has for an enterprise's sector from today to a day.

        Notes
        -----
        Rules: CEA-CAL-02.
        """
        found = self._enterprises.of(enterprise)
        day_checked(until, "until")
        first, last = (date_of_number(day) for day in (self._record.business_date(), until))
        return [
            {
                "day": date_number(event.day),
                "act": event.act,
                "actor": event.actor,
                "words": event.words,
                "mark": event.mark or "",
            }
            for event in events(first, last, sector=found.sector)
        ]

    def reminders(self, enterprise: str) -> list[dict[str, int | str]]:
        """Return what an enterprise was reminded of, and when, the last first."""
        found = self._enterprises.of(enterprise)
        names = ("kind", "period", "due_on", "is_late", "made_on")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM reminders WHERE enterprise_id = ?"
            " ORDER BY reminder_id DESC",
            (found.enterprise_id,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def late(self, enterprise: str) -> list[dict[str, int | str]]:
        """Return what an enterprise filed behind its day, and when.

        Notes
        -----
        Rules: CEA-MRV-09.
        """
        found = self._enterprises.of(enterprise)
        names = ("kind", "period", "due_on", "filed_on")
        rows = self._store.execute(
            "SELECT kind, period, due_on, min(day) FROM filings"
            " JOIN filing_steps ON filing_steps.filing_id = filings.filing_id AND step = 'filed'"
            " WHERE enterprise_id = ? GROUP BY kind, period, unit_id, due_on"
            " HAVING min(day) > due_on ORDER BY due_on, kind",
            (found.enterprise_id,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def remind(self, enterprise: str) -> list[Due]:
        """Remind an enterprise of what is due soon or late, each once; return what is new.

        Its persons have a message of each.

        Notes
        -----
        Rules: CEA-MRV-01, CEA-MRV-09, CEA-CAL-05.
        """
        today = self._record.business_date()
        soon = date_number(date_of_number(today) + timedelta(days=REMIND_DAYS))
        found = self._enterprises.of(enterprise)
        with self._record.transaction():
            known = self._reminded(found.enterprise_id)
            new = [
                (due, int(due.due_on < today))
                for due in self.missing(enterprise, soon)
                if (due.kind, due.period, int(due.due_on < today)) not in known
            ]
            if new:
                first = self._store.next_id("reminders", "reminder_id")
                self._store.insert(
                    "reminders (reminder_id, enterprise_id, kind, period, is_late, due_on,"
                    " made_on)",
                    [
                        (number, found.enterprise_id, due.kind, due.period, is_late)
                        + (due.due_on, today)
                        for number, (due, is_late) in enumerate(new, first)
                    ],
                )
            body = enterprise_body(enterprise)
            self._messages.tell(
                (
                    *(_message(body, due, bool(is_late)) for due, is_late in new),
                    *calendar_messages(body, "entity", today, soon, found.sector),
                )
            )
        return [due for due, _is_late in new]

    def _reminded(self, enterprise_id: int) -> set[tuple[str, int, int]]:
        rows = self._store.execute(
            "SELECT kind, period, is_late FROM reminders WHERE enterprise_id = ?",
            (enterprise_id,),
        )
        return {tuple(row) for row in rows.fetchall()}

    def _of_year(
        self, enterprise: Enterprise, year: int, until: int, states: dict[Place, str]
    ) -> Iterator[Due]:
        plan, report = plan_due(enterprise.sector, year), report_due(enterprise.sector, year)
        whole = frozenset({0})
        if plan <= until:
            yield from _unfiled(enterprise, plans.KIND, year, plan, whole, states)
        months_due = {
            month: due_on
            for month in months_asked(enterprise.sector, year)
            if (due_on := month_due(enterprise.sector, month)) <= until
        }
        had = self._units.ids_by_month(enterprise.enterprise_id, year) if months_due else {}
        for month, due_on in months_due.items():
            unit_ids = had.get(month, frozenset())
            yield from _unfiled(enterprise, months.KIND, month, due_on, unit_ids, states)
        if report <= until:
            yield from _unfiled(enterprise, reports.KIND, year, report, whole, states)


def _message(body: str, due: Due, is_late: bool) -> Message:
    words = f"{_WORDS[due.kind]} {due.period}: {due.state}, due {date_of_number(due.due_on)}"
    return Message(body, f"{due.kind} {due.period}", words, due.due_on, is_late)


_WORDS = {
    plans.KIND: "Quality-control plan of",
    months.KIND: "Figures of the month",
    reports.KIND: "Annual report of",
    SURRENDER: "Surrender for",
}


def _unfiled(
    enterprise: Enterprise,
    kind: str,
    period: int,
    due_on: int,
    unit_ids: frozenset[int],
    states: dict[Place, str],
) -> Iterator[Due]:
    places = [Place(kind, enterprise.enterprise_id, unit_id, period) for unit_id in unit_ids]
    unfiled = [state for place in places if (state := states.get(place, "missing")) not in FILED]
    if unfiled:
        yield Due(enterprise.enterprise, kind, period, due_on, max(unfiled))
