"""Lists what must be done by a day and is not: by the registry, the authority, the provinces.

Nothing lapses by it: an entity does not lose what others are late with. It is named, so that nobody
can say he did not know.
"""

from collections.abc import Iterator
from typing import NamedTuple

from cea_exchange.domain.calendar import CalendarError, date_number, date_of_number
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.vintages import product_vintages


class Duty(NamedTuple):
    """Something that is still to be done."""

    duty: str
    """``carryover notice``, ``carryover run`` or ``redetermination``."""
    whose: str
    """The body: ``registry``, ``authority``, ``province 11``."""
    subject: str
    """``run 1``, ``P1 of 2024``; empty where there is one only."""
    rule: str
    """Which sets its term."""
    due_by: int | None
    """The last day (yyyymmdd); None where the calendar does not reach it."""
    is_overdue: bool


class Duties:
    """Looks for what is still to be done.

    Rules: CEA-CRY-05, CEA-CRY-06, CEA-ALC-12.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._store = ledger.store

    def open(self, province: int | None = None) -> list[Duty]:
        """Return what is still to be done, by a province or by anybody."""
        if province is not None:
            return list(self._redeterminations(province))
        return [*self._notice(), *self._runs(), *self._redeterminations()]

    def _duty(
        self, duty: str, rule: str, due_by: int | None, *, whose: str, subject: str = ""
    ) -> Duty:
        is_overdue = due_by is not None and self._ledger.business_date() > due_by
        return Duty(duty, whose, subject, rule, due_by, is_overdue)

    def _notice(self) -> Iterator[Duty]:
        """The notice, once the window is over in which somebody held closed vintages."""
        rules, store = self._ledger.rules.carryover, self._store
        last = rules.position_on.number
        if self._ledger.business_date() <= last:
            return
        vintages = product_vintages(store, self._ledger.rules.vintages)
        closed = [each for each, year in vintages.items() if year <= rules.last_vintage.value]
        held = closed and store.one(
            f"SELECT 1 FROM entries WHERE asset_index IN ({', '.join(map(str, closed))})"
            " AND business_date BETWEEN 1 AND ? LIMIT 1",
            (last,),
        )
        if held and not store.one("SELECT 1 FROM carryover_notices LIMIT 1"):
            term = rules.notice_by
            yield self._duty("carryover notice", term.rule, term.number, whose="registry")

    def _runs(self) -> Iterator[Duty]:
        """The runs for which there are applications."""
        waiting = set(
            self._store.column("SELECT DISTINCT run_number FROM carryovers WHERE state = 'applied'")
        )
        for number, run in enumerate(self._ledger.rules.carryover.run, 1):
            if number in waiting:
                term = date_number(run.processed_by)
                yield self._duty(
                    "carryover run", run.rule, term, whose="authority", subject=f"run {number}"
                )

    def _redeterminations(self, province: int | None = None) -> Iterator[Duty]:
        """Corrections of what was verified after which nothing was distributed anew."""
        rule = self._ledger.rules.adjustment.redetermine_days
        if rule is None:
            return
        rows = self._store.all(
            "SELECT account, province, entry.compliance_year, taken_on"
            " FROM obligation_entries AS entry JOIN obligation_files AS file"
            " ON file.file_id = entry.file_id JOIN accounts"
            " ON accounts.account_index = entry.account_index"
            " WHERE file.why <> '' AND (accounts.province = ? OR ?)"
            " AND entry.due_tonnes > 0 AND entry.verified_tonnes <> (SELECT before.verified_tonnes"
            "  FROM obligation_entries AS before"
            "  WHERE before.compliance_year = entry.compliance_year"
            "  AND before.account_index = entry.account_index AND before.file_id < entry.file_id"
            "  AND before.due_tonnes > 0"
            "  ORDER BY before.file_id DESC LIMIT 1)"
            " AND NOT EXISTS (SELECT 1 FROM distributions JOIN distribution_lines"
            "  ON distribution_lines.distribution_id = distributions.distribution_id"
            "  WHERE distributions.compliance_year = entry.compliance_year"
            "  AND distribution_lines.account_index = entry.account_index"
            "  AND stage <> 'pre' AND business_date >= taken_on)"
            " ORDER BY taken_on, entry.file_id, account",
            (province or 0, province is None),
        )
        for account, code, year, taken_on in rows:
            yield self._duty(
                "redetermination",
                rule.rule,
                self._working_day_after(taken_on, rule.value),
                whose=f"province {code}",
                subject=f"{account} of {year}",
            )

    def _working_day_after(self, date: int, count: int) -> int | None:
        """Return when a term of working days ends, None where the calendar ends before.

        Rules: CEA-DAY-09.
        """
        try:
            end = self._ledger.calendar.working_day_after(date_of_number(date), count)
        except CalendarError:
            return None
        return date_number(end)
