"""What a province has to do by a day: its clocks, what the calendar has, and messages of both."""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from cea_exchange.domain.calendar import TermEnd, date_number, date_of_number
from cea_exchange.domain.compliance.deadlines.calendar import due_day
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.messages import (
    REMIND_DAYS,
    Message,
    Messages,
    calendar_messages,
)
from cea_exchange.platform.record import Record
from cea_exchange.platform.roles import OWN_BODIES, province_body


class Clock(NamedTuple):
    """Something that a province has to do, and has not done.

    Attributes
    ----------
    step
        ``result``: to notify a verified result; ``allocation``: to allocate anew after a changed
        one; ``objection``: to decide it.
    subject
        What it is about: an enterprise and year, or an objection.
    is_provisional
        Its day lies behind the days that the calendar knows: nothing is late by it.
    """

    step: str
    subject: str
    due_on: int
    rule: str
    is_provisional: bool

    def is_late(self, today: int) -> bool:
        """Tell whether its term has passed on a day (yyyymmdd).

        Notes
        -----
        Rules: CEA-DAY-10.
        """
        return TermEnd(date_of_number(self.due_on), self.is_provisional).is_over(today)


class Clocks:
    """The clocks of all provinces."""

    def __init__(self, record: Record, enterprises: Enterprises, messages: Messages) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._messages = messages

    def open(self, province: int, until: int) -> list[Clock]:
        """Return what a province has to do by a day, the earliest first.

        Notes
        -----
        Rules: CEA-VER-12, CEA-VER-13, CEA-PLN-26.
        """
        found = (
            *self._results(province),
            *self._anew(province),
            *self._left_out(province),
            *self._objections(province),
        )
        due = [each for each in found if each.due_on <= until]
        return sorted(due, key=lambda each: (each.due_on, each.step, each.subject))

    def feedback_due(self, concluded_on: int, year: int, sector: str) -> TermEnd:
        """Return the last day to notify a result: 7 working days, and the year's day at most.

        Notes
        -----
        Rules: CEA-VER-12.
        """
        of_term = self._record.term("verification_feedback", concluded_on)
        of_year = _year_day(year, sector)
        return of_term if of_year is None else min(of_term, TermEnd.of(of_year))

    def remind(self, province: int) -> int:
        """Tell a province what is due soon or late, each once; return how much is new.

        Notes
        -----
        Rules: CEA-CAL-02, CEA-CAL-05.
        """
        today = self._record.business_date()
        soon = date_number(date_of_number(today) + timedelta(days=REMIND_DAYS))
        body = province_body(province)
        clocks = [
            Message(
                body,
                f"{clock.step} {clock.subject}",
                f"{_WORDS[clock.step]} ({clock.rule}): {clock.subject}",
                clock.due_on,
                clock.is_late(today),
            )
            for clock in self.open(province, soon)
        ]
        return self._messages.tell([*clocks, *calendar_messages(body, "province", today, soon)])

    def authority_remind(self) -> int:
        """Tell the authority what the calendar has for it soon."""
        today = self._record.business_date()
        soon = date_number(date_of_number(today) + timedelta(days=REMIND_DAYS))
        body = OWN_BODIES["authority"]
        return self._messages.tell(calendar_messages(body, "authority", today, soon))

    def provinces(self) -> list[int]:
        """Return the provinces that have enterprises."""
        rows = self._store.execute("SELECT DISTINCT province FROM enterprises ORDER BY province")
        return [province for (province,) in rows.fetchall()]

    def _results(self, province: int) -> Iterator[Clock]:
        rows = self._store.execute(
            "SELECT enterprise, sector, compliance_year, concluded_on FROM verifications"
            " JOIN enterprises ON enterprises.enterprise_id = verifications.enterprise_id"
            " JOIN conclusions ON conclusion_id = (SELECT max(conclusion_id) FROM conclusions"
            "  AS last WHERE last.verification_id = verifications.verification_id)"
            " WHERE province = ? AND state = 'concluded'",
            (province,),
        )
        for enterprise, sector, year, concluded_on in rows.fetchall():
            end = self.feedback_due(concluded_on, year, sector)
            yield _clock("result", f"{enterprise} {year}", end, "CEA-VER-12")

    def _anew(self, province: int) -> Iterator[Clock]:
        """Yield the changed results on which what was distributed last does not rest yet."""
        rows = self._store.execute(
            "SELECT enterprise, result.compliance_year, result.notified_on"
            " FROM verified_results AS result"
            " JOIN enterprises ON enterprises.enterprise_id = result.enterprise_id"
            " JOIN allocations ON allocations.allocation_id = (SELECT max(last.allocation_id)"
            "  FROM allocations"
            "  AS last WHERE last.province = enterprises.province AND last.state = 'distributed'"
            "  AND last.stage <> 'pre' AND last.compliance_year = result.compliance_year)"
            " JOIN allocation_lines AS line ON line.allocation_id = allocations.allocation_id"
            "  AND line.enterprise_id = result.enterprise_id"
            " WHERE enterprises.province = ? AND result.result_id > line.result_id"
            " AND version = (SELECT max(version) FROM verified_results AS later"
            "  WHERE later.enterprise_id = result.enterprise_id"
            "  AND later.compliance_year = result.compliance_year)",
            (province,),
        )
        for enterprise, year, notified_on in rows.fetchall():
            end = self._record.term("allocate_anew", notified_on)
            yield _clock("allocation", f"{enterprise} {year}", end, "CEA-PLN-26")

    def _left_out(self, province: int) -> Iterator[Clock]:
        """Yield whom what was distributed last leaves out: to be verified anew, and allocated."""
        rows = self._store.execute(
            "SELECT enterprise, compliance_year, distributed_on"
            " FROM allocation_left_out AS left_out"
            " JOIN enterprises ON enterprises.enterprise_id = left_out.enterprise_id"
            " JOIN allocations ON allocations.allocation_id = left_out.allocation_id"
            " WHERE allocations.province = ? AND left_out.allocation_id ="
            " (SELECT max(last.allocation_id) FROM allocations AS last"
            "  WHERE last.province = allocations.province AND last.state = 'distributed'"
            "  AND last.stage <> 'pre' AND last.compliance_year = allocations.compliance_year)",
            (province,),
        )
        for enterprise, year, distributed_on in rows.fetchall():
            end = self._record.term("allocate_anew", distributed_on)
            yield _clock("allocation", f"{enterprise} {year}", end, "CEA-PLN-26")

    def _objections(self, province: int) -> Iterator[Clock]:
        rows = self._store.execute(
            "SELECT objection_id, enterprise, compliance_year, made_on FROM objections"
            " JOIN enterprises ON enterprises.enterprise_id = objections.enterprise_id"
            " WHERE province = ? AND state = 'open'",
            (province,),
        )
        for number, enterprise, year, made_on in rows.fetchall():
            end = self._record.term("decide_objection", made_on)
            yield _clock("objection", f"{number} {enterprise} {year}", end, "CEA-VER-13")


def _clock(step: str, subject: str, end: TermEnd, rule: str) -> Clock:
    return Clock(step, subject, end.number, rule, end.is_provisional)


_WORDS = {
    "result": "Notify a verified result",
    "allocation": "Allocate anew after a changed result",
    "objection": "Decide an objection",
}


def _year_day(year: int, sector: str) -> int | None:
    """Return the day by which a year's results are to be known, where one is dated."""
    try:
        return date_number(due_day("verify", year, sector))  # type: ignore[arg-type]
    except ValueError:
        return None
