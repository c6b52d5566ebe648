"""Changes in operation: what became of an entity and of its units in a year, as it is public.

Merged, split, renamed, moved; units that began, changed, went to another or stopped. No facts of a
unit and no document leave by it.
"""

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from cea_exchange.files.kinds import DAY, NAME, PROVINCE, YEAR, Words
from cea_exchange.files.layout import Column, Layout, Totals
from cea_exchange.ledger.database.interface import Row
from cea_exchange.platform.record import Record


class PublicChange(NamedTuple):
    """What changed of an entity, from which day on.

    Attributes
    ----------
    change
        ``merged``, ``split``, ``renamed``, ``moved``, ``code changed``, ``process changed``;
        ``unit added``, ``unit changed``, ``unit given over``, ``unit stopped``.
    subject
        The successor, the new name, code or process, or the unit.
    """

    year: int
    province: int
    enterprise: str
    changed_on: int
    change: str
    subject: str


CHANGES = Layout(
    title="changes in operation",
    row=PublicChange,
    columns=(
        Column("year", YEAR),
        Column("province", PROVINCE),
        Column("enterprise", NAME),
        Column("changed_on", DAY),
        Column("change", Words()),
        Column("subject", Words(), empty=""),
    ),
    totals=Totals(mark="enterprise", summed=()),
    once=("enterprise", "changed_on", "change", "subject"),
    same=("year",),
)
_FACTS = ("renamed", "moved", "code changed", "process changed")


class OperationChanges:
    """Reads what changed of the entities that are, or were, on a list."""

    def __init__(self, record: Record) -> None:
        self._store = record.store

    def of_year(self, year: int) -> list[PublicChange]:
        """Return the changes of a year, by province, entity and day.

        Notes
        -----
        Rules: CEA-ENT-17.
        """
        rows = self._store.execute(
            "SELECT enterprise_id, province, enterprise FROM enterprises WHERE enterprise_id IN"
            " (SELECT enterprise_id FROM list_changes WHERE change = 'entered')"
        )
        whose = {number: (province, name) for number, province, name in rows.fetchall()}
        first, last = 10_000 * year, 10_000 * year + 9_999
        found = {
            PublicChange(year, *whose[number], day, change, subject)
            for number, day, change, subject in (
                *self._successions(),
                *self._facts(),
                *self._units(),
            )
            if number in whose and first < day <= last
        }
        return sorted(found, key=lambda each: each[1:])

    def _successions(self) -> list[Row]:
        return self._store.execute(
            "SELECT successions.enterprise_id, decided_on, kind, enterprise FROM successions"
            " JOIN enterprises ON enterprises.enterprise_id = successions.successor_id"
        ).fetchall()

    def _facts(self) -> Iterator[tuple[int, int, str, str]]:
        rows = self._store.execute(
            "SELECT enterprise_id, valid_from, title, city, sector_code, sub_type"
            " FROM enterprise_facts ORDER BY enterprise_id, valid_from, fact_id"
        )
        for number, facts in groupby(rows.fetchall(), key=lambda row: row[0]):
            for (_, _, *before), (_, day, *now) in pairwise(facts):
                for change, old, new in zip(_FACTS, before, now, strict=True):
                    if old != new:
                        yield number, day, change, str(new)

    def _units(self) -> Iterator[tuple[int, int, str, str]]:
        rows = self._store.execute(
            "SELECT unit, valid_from, enterprise_id, facts FROM unit_facts"
            " JOIN units ON units.unit_id = unit_facts.unit_id"
            " ORDER BY unit_facts.unit_id, valid_from, fact_id"
        )
        for unit, facts in groupby(rows.fetchall(), key=lambda row: row[0]):
            owner, technical = 0, ""
            for _, day, number, now in facts:
                if owner and number != owner:
                    yield owner, day, "unit given over" if number else "unit stopped", unit
                if number and number != owner:
                    yield number, day, "unit added", unit
                elif number and now != technical:
                    yield number, day, "unit changed", unit
                owner, technical = number, now
