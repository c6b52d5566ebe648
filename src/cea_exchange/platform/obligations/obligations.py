"""Obligations: of every verified tonne that is within the plan, by version."""

from collections.abc import Callable
from typing import NamedTuple

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.deadlines.calendar import due_day
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.allocation.allocations import Allocations
from cea_exchange.platform.allocation.computation import Line
from cea_exchange.platform.checks import PlatformActError, words_checked, year_checked
from cea_exchange.platform.entity_list.enterprises import Enterprises
from cea_exchange.platform.record import Acting, Record


class Obligation(NamedTuple):
    """A row of `obligations`."""

    obligation_id: int
    enterprise_id: int
    compliance_year: int
    version: int
    verified_tonnes: int
    due_tonnes: int
    due_on: int
    result_id: int
    mark: str
    reason: str
    set_by: str
    set_on: int


_ROW = ", ".join(Obligation._fields)
Set = Callable[[int, int, list[Obligation]], None]
"""Takes a province, a year and the obligations that were set."""


class Obligations:
    """The obligations of all entities.

    Attributes
    ----------
    after_setting : list of callable
        Each is called with what was set, in the same transaction.
    """

    def __init__(self, record: Record, enterprises: Enterprises, allocations: Allocations) -> None:
        self._record = record
        self._store = record.store
        self._enterprises = enterprises
        self._allocations = allocations
        self.after_setting: list[Set] = []

    def set_all(
        self, person: Acting, province: int, year: int, reason: str = ""
    ) -> list[Obligation]:
        """Set what a province's entities owe of a year, as its final allocation has it.

        What is owed already and has not changed is not set again.

        Parameters
        ----------
        reason
            Why some owe something else than before.

        Notes
        -----
        Rules: CEA-SUR-01.
        """
        year_checked(year)
        words_checked(reason, "reason", is_needed=False)
        with self._record.transaction():
            allocation = self._allocations.distributed(province, year)
            made = [
                self._set(person, year, line, reason)
                for line in self._allocations.lines(allocation.allocation_id)
                if self._is_new(line, year)
            ]
            if not made:
                raise PlatformActError(
                    PlatformRefusal.OBLIGATIONS_UNCHANGED,
                    f"{province} {year}: expected some that change, got what is owed already",
                )
            for follow in self.after_setting:
                follow(province, year, made)
        return made

    def of(self, enterprise_id: int, year: int) -> Obligation | None:
        """Return what an entity owes of a year; None if nothing is set."""
        row = self._store.one(
            f"SELECT {_ROW} FROM obligations WHERE enterprise_id = ? AND compliance_year = ?"
            " ORDER BY version DESC LIMIT 1",
            (enterprise_id, year),
        )
        return None if row is None else Obligation(*row)

    def _is_new(self, line: Line, year: int) -> bool:
        enterprise = self._enterprises.of(line.enterprise)
        before = self.of(enterprise.enterprise_id, year)
        figures = (line.emissions, line.duty, line.result_id)
        return before is None or figures != (
            before.verified_tonnes,
            before.due_tonnes,
            before.result_id,
        )

    def _set(self, person: Acting, year: int, line: Line, reason: str) -> Obligation:
        enterprise = self._enterprises.of(line.enterprise)
        before = self.of(enterprise.enterprise_id, year)
        if before is not None and not reason:
            raise PlatformActError(
                PlatformRefusal.REASON_MISSING,
                f"{line.enterprise}: expected the reason why it owes {line.duty} t and not"
                f" {before.due_tonnes} t, got none",
            )
        obligation = Obligation(
            self._store.next_id("obligations", "obligation_id"),
            enterprise.enterprise_id,
            year,
            version=1 if before is None else before.version + 1,
            verified_tonnes=line.emissions,
            due_tonnes=line.duty,
            due_on=date_number(due_day("surrender", year, enterprise.sector)),
            result_id=line.result_id,
            mark=line.mark,
            reason="" if before is None else reason,
            set_by=person.name,
            set_on=self._record.business_date(),
        )
        self._store.insert(f"obligations ({_ROW})", [obligation])
        return obligation
