"""Units: whose each is from which day on, and what is true of it."""

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    PlatformActError,
    name_checked,
    words_checked,
)
from cea_exchange.platform.entity_list.enterprises import Enterprise
from cea_exchange.platform.entity_list.unit_facts import UnitFacts
from cea_exchange.platform.periods import month_end, months_of
from cea_exchange.platform.record import FACTS_AHEAD_DAYS, Record

_facts_decode = msgspec.json.Decoder(UnitFacts).decode


class Unit(NamedTuple):
    """A unit as it is on a day.

    Attributes
    ----------
    enterprise_id
        Whose it is; 0: it has stopped for good.
    """

    unit_id: int
    unit: str
    valid_from: int
    enterprise_id: int
    facts: UnitFacts


class Units:
    """The units of enterprises."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

    def add(
        self,
        enterprise: Enterprise,
        unit: str,
        facts: UnitFacts,
        *,
        valid_from: int,
        document: str,
    ) -> int:
        """Register a unit of an enterprise, and return its id."""
        name_checked(unit, "unit")
        with self._record.transaction():
            if self._store.one("SELECT 1 FROM units WHERE unit = ?", (unit,)):
                raise PlatformActError(
                    PlatformRefusal.UNIT_TAKEN, f"unit: expected a new name, got {unit}"
                )
            number = self._store.next_id("units", "unit_id")
            self._store.insert("units (unit_id, unit)", [(number, unit)])
            self._facts_add(number, enterprise.enterprise_id, facts, valid_from, document)
        return number

    def change(
        self,
        unit: str,
        enterprise_id: int,
        facts: UnitFacts,
        *,
        valid_from: int,
        document: str,
    ) -> None:
        """Note what is true of a unit from a day on: other facts, another owner, or its end.

        Parameters
        ----------
        enterprise_id
            Whose it is from then on; 0: it has stopped for good.
        """
        with self._record.transaction():
            unit_id = self.id_of(unit)
            latest = self._store.one(
                "SELECT max(valid_from) FROM unit_facts WHERE unit_id = ?", (unit_id,)
            )
            if valid_from < latest:
                raise PlatformActError(
                    PlatformRefusal.FACT_OUTDATED,
                    f"valid_from: expected {latest} or later, got {valid_from}",
                )
            self._facts_add(unit_id, enterprise_id, facts, valid_from, document)

    def hand_over(
        self,
        enterprise_id: int,
        successor_id: int,
        *,
        valid_from: int,
        document: str,
        only: frozenset[str] | None = None,
    ) -> None:
        """Give units of an enterprise to its successor, as they are: all, or only some."""
        with self._record.transaction():
            had = self.of(enterprise_id, valid_from)
            for name in sorted(had if only is None else only):
                unit = self._owned(had, name)
                self.change(
                    unit.unit,
                    successor_id,
                    unit.facts,
                    valid_from=valid_from,
                    document=document,
                )

    def owned(self, enterprise_id: int, unit: str, day: int) -> Unit:
        """Return a unit that is an enterprise's on a day."""
        return self._owned(self.of(enterprise_id, day), unit)

    def _owned(self, had: dict[str, Unit], name: str) -> Unit:
        if name not in had:
            raise PlatformActError(
                PlatformRefusal.UNIT_UNKNOWN,
                f"unit: expected one of {', '.join(had) or 'none'}, got {name!r}",
            )
        return had[name]

    # -- what there is ----------------------------------------------------------------------------

    def of(self, enterprise_id: int, day: int) -> dict[str, Unit]:
        """Return the units that an enterprise has on a day, by name."""
        return {
            unit.unit: unit
            for unit in self._ever_of(enterprise_id, day)
            if unit.enterprise_id == enterprise_id
        }

    def on(self, names: Collection[str], day: int) -> dict[str, Unit]:
        """Return units as they are on a day, by name; of which nothing was known then is none."""
        marks = ", ".join("?" * len(names))
        rows = self._store.execute(
            "SELECT units.unit_id, unit, valid_from, enterprise_id, facts"
            " FROM unit_facts JOIN units ON units.unit_id = unit_facts.unit_id"
            f" WHERE unit IN ({marks}) AND valid_from <= ? ORDER BY unit, valid_from, fact_id",
            (*names, day),
        )
        latest = {row[1]: row for row in rows.fetchall()}
        return {
            name: Unit._make((*row[:-1], _facts_decode(row[-1]))) for name, row in latest.items()
        }

    def name_of(self, unit_id: int) -> str:
        """Return the name of a unit there is."""
        name: str = self._store.one("SELECT unit FROM units WHERE unit_id = ?", (unit_id,))
        return name

    def of_year(self, enterprise_id: int, year: int) -> dict[str, tuple[int, ...]]:
        """Return the units that an enterprise had at the end of some month of a year.

        Returns
        -------
        dict
            Unit -> those months, as yyyymm.
        """
        months: dict[str, list[int]] = {}
        for month, units in self.ids_at(enterprise_id, months_of(year)).items():
            for unit in units:
                months.setdefault(unit, []).append(month)
        return {unit: tuple(had) for unit, had in months.items()}

    def ids_by_month(self, enterprise_id: int, year: int) -> dict[int, frozenset[int]]:
        """Return month (yyyymm) -> the ids of the units that an enterprise had at its end."""
        return {
            month: frozenset(units.values())
            for month, units in self.ids_at(enterprise_id, months_of(year)).items()
        }

    def ids_at(self, enterprise_id: int, months: Collection[int]) -> dict[int, dict[str, int]]:
        """Return month (yyyymm) -> unit -> its id, of those that an enterprise had at its end."""
        rows = self._facts_until(enterprise_id, month_end(max(months)))
        found = {}
        for month in months:
            latest = {row[0]: row for row in rows if row[2] <= month_end(month)}
            found[month] = {row[1]: row[0] for row in latest.values() if row[3] == enterprise_id}
        return found

    def _ever_of(self, enterprise_id: int, day: int) -> list[Unit]:
        """Return the units that were ever an enterprise's, as they are on a day."""
        latest = {row[0]: row for row in self._facts_until(enterprise_id, day)}
        return [Unit._make((*row[:-1], _facts_decode(row[-1]))) for row in latest.values()]

    def _facts_until(self, enterprise_id: int, day: int) -> list[tuple[Any, ...]]:
        """Return what was noted until a day of units that were ever an enterprise's, in order."""
        rows = self._store.execute(
            "SELECT units.unit_id, unit, valid_from, enterprise_id, facts"
            " FROM unit_facts JOIN units ON units.unit_id = unit_facts.unit_id"
            " WHERE unit_facts.unit_id IN"
            " (SELECT unit_id FROM unit_facts WHERE enterprise_id = ?) AND valid_from <= ?"
            " ORDER BY unit, valid_from, fact_id",
            (enterprise_id, day),
        )
        return [tuple(row) for row in rows.fetchall()]

    def last_fact(self) -> int:
        """Return the number of the last fact that was noted of any unit."""
        found: int = self._store.one("SELECT coalesce(max(fact_id), 0) FROM unit_facts")
        return found

    def id_of(self, unit: str) -> int:
        """Return the id of a unit there is."""
        number: int | None = self._store.one("SELECT unit_id FROM units WHERE unit = ?", (unit,))
        if number is None:
            raise PlatformActError(
                PlatformRefusal.UNIT_UNKNOWN, f"unit: expected a registered one, got {unit!r}"
            )
        return number

    def _facts_add(
        self,
        unit_id: int,
        enterprise_id: int,
        facts: UnitFacts,
        valid_from: int,
        document: str,
    ) -> None:
        self._record.reached_check(valid_from, "valid_from", ahead_days=FACTS_AHEAD_DAYS)
        words_checked(document, "document")
        number = self._store.next_id("unit_facts", "fact_id")
        text = msgspec.json.encode(facts, order="sorted").decode()
        self._store.insert(
            "unit_facts (fact_id, unit_id, valid_from, enterprise_id, facts, document)",
            [(number, unit_id, valid_from, enterprise_id, text, document)],
        )
