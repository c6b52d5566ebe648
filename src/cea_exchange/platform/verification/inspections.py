"""On-site inspections by an authority: who was there, what was looked at, what was found."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    TEXT_LENGTH_MAX,
    PlatformActError,
    words_checked,
)
from cea_exchange.platform.record import Acting, Record

OFFICERS_LEAST = 2


class Officer(NamedTuple):
    """Who inspects, and the number of the card that says so."""

    name: str
    card: str


class Inspections:
    """The inspections of all enterprises."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

    def note(
        self,
        person: Acting,
        enterprise_id: int,
        day: int,
        officers: Sequence[Officer],
        *,
        looked_at: str,
        found: str,
        document: str,
    ) -> int:
        """Note an inspection, and return its number.

        Parameters
        ----------
        looked_at
            Places, records and data systems.
        found
            What was found; "nothing" is said too.
        document
            Number of the record that the officers and the enterprise signed.

        Notes
        -----
        Rules: CEA-VER-09.
        """
        self._record.reached_check(day, "day", "CEA-VER-09")
        _officers_check(officers)
        words_checked(looked_at, "looked_at", TEXT_LENGTH_MAX)
        words_checked(found, "found", TEXT_LENGTH_MAX)
        words_checked(document, "document")
        with self._record.transaction():
            number = self._store.next_id("inspections", "inspection_id")
            self._store.insert(
                "inspections (inspection_id, enterprise_id, day, officers, looked_at, found,"
                " document, noted_by)",
                [
                    (number, enterprise_id, day, msgspec.json.encode(officers).decode())
                    + (looked_at, found, document, person.name)
                ],
            )
        return number

    def of(self, enterprise_id: int) -> list[dict[str, Any]]:
        """Return an enterprise's inspections, in the order in which they were noted."""
        names = ("inspection_id", "day", "officers", "looked_at", "found", "document", "noted_by")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM inspections WHERE enterprise_id = ?"
            " ORDER BY inspection_id",
            (enterprise_id,),
        )
        found = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
        return [
            {
                **each,
                "officers": ", ".join(
                    f"{officer.name} ({officer.card})"
                    for officer in msgspec.json.decode(each["officers"], type=list[Officer])
                ),
            }
            for each in found
        ]


def _officers_check(officers: Sequence[Officer]) -> None:
    for officer in officers:
        words_checked(officer.name, "officer")
        words_checked(officer.card, "card")
    cards, names = ({getattr(each, what) for each in officers} for what in Officer._fields)
    if min(len(cards), len(names)) < max(OFFICERS_LEAST, len(officers)):
        raise PlatformActError(
            PlatformRefusal.OFFICERS_TOO_FEW,
            f"officers: expected {OFFICERS_LEAST} or more, each once and with a card, got"
            f" {', '.join(each.name for each in officers) or 'none'} (CEA-VER-09)",
        )
