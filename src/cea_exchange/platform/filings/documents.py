"""The life of a document: versions, who entered and reviewed each, and what the levels said to it.

    entered --> draft --reviewed by another person--> filed --passed, city and province--> accepted
                  ^                                     |                                      |
                  +------ a further version, and why ---+------- returned by any level <-------+

A version is never changed. While a further one is under way, the accepted one counts.
"""

from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Any, NamedTuple

from cea_exchange.control_plane.maker_checker import is_another
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, words_checked
from cea_exchange.platform.record import Acting, Record
from cea_exchange.platform.roles import AUTHORITY, CITY, PROVINCE

LEVELS = {CITY: "city", PROVINCE: "province", AUTHORITY: "nation"}
"""Role -> the level whose word it has."""
ACCEPTING = frozenset({"city", "province"})
"""Whose pass a version needs; the nation looks at what it chooses, and may return it."""


class Place(NamedTuple):
    """Which document: its kind, whose, of which unit (0: of none) and period."""

    kind: str
    enterprise_id: int
    unit_id: int
    period: int


class Filing(NamedTuple):
    """A version of a document; see the table `filings`."""

    filing_id: int
    kind: str
    enterprise_id: int
    unit_id: int
    period: int
    version: int
    content: str
    sha256: str
    emission: str
    reason: str
    due_on: int
    entered_on: int
    entered_by: str
    entered_key: str

    @property
    def place(self) -> Place:
        """Which document it is a version of."""
        return Place(self.kind, self.enterprise_id, self.unit_id, self.period)


class Standing(NamedTuple):
    """Where a document stands: its latest version, that one's state, and the one that counts."""

    filing_id: int
    state: str
    accepted_id: int


_FILING = ", ".join(Filing._fields)
_PLACE = "kind = ? AND enterprise_id = ? AND unit_id = ? AND period = ?"


class Documents:
    """All documents of all enterprises.

    Attributes
    ----------
    before_entering : list of callable
        Each takes the place of a version that is to be entered, and may refuse it.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store
        self.before_entering: list[Callable[[Place], None]] = []

    # -- the enterprise ---------------------------------------------------------------------------

    def enter(
        self,
        person: Acting,
        place: Place,
        content: str,
        *,
        due_on: int,
        emission: str = "",
        reason: str = "",
    ) -> Filing:
        """Enter a version of a document.

        Parameters
        ----------
        reason
            Why there is another version; of the first there is none.

        Notes
        -----
        Rules: CEA-MRV-08.
        """
        words_checked(reason, "reason", is_needed=False)
        for check in self.before_entering:
            check(place)
        with self._record.transaction():
            standing = self.standing(place)
            version = 1 if standing is None else self.of_id(standing.filing_id).version + 1
            if (version > 1) != bool(reason):
                expected = "the reason for another version" if version > 1 else "no reason"
                raise PlatformActError(
                    PlatformRefusal.REASON_MISSING,
                    f"reason: expected {expected} of {place.kind} {place.period}, got {reason!r}",
                )
            filing = Filing(
                self._store.next_id("filings", "filing_id"),
                *place,
                version=version,
                content=content,
                sha256=sha256(content.encode()).hexdigest(),
                emission=emission,
                reason=reason,
                due_on=due_on,
                entered_on=self._record.business_date(),
                entered_by=person.name,
                entered_key=person.key,
            )
            self._store.insert(f"filings ({_FILING})", [filing])
            self._stand(filing, "draft", standing)
        return filing

    def file(self, person: Acting, place: Place, *, seen: str | None = None) -> Filing:
        """File a draft, which another person entered.

        Parameters
        ----------
        seen
            Hash of the content that the person has seen; None: whatever is there.

        Notes
        -----
        Rules: CEA-ENT-14.
        """
        with self._record.transaction():
            filing, standing = self._latest(place, "draft")
            if not is_another(filing.entered_by, filing.entered_key, person):
                raise PlatformActError(
                    PlatformRefusal.SAME_PERSON,
                    f"{place.kind} {place.period}: expected another person than"
                    f" {filing.entered_by}, who entered it, got {person.name}",
                )
            if seen not in (None, filing.sha256):
                raise PlatformActError(
                    PlatformRefusal.FILING_DIFFERS,
                    f"{place.kind} {place.period}: expected sha256 {filing.sha256}, got {seen}",
                )
            self._step(filing, "filed", "enterprise", person)
            self._stand(filing, "filed", standing)
        return filing

    # -- the three levels -------------------------------------------------------------------------

    def pass_on(self, person: Acting, place: Place) -> str:
        """Note that a level has nothing against a filed version; return the state it has then.

        Notes
        -----
        Rules: CEA-MRV-08.
        """
        with self._record.transaction():
            filing, standing = self._latest(place, "filed", "accepted")
            self._step(filing, "passed", LEVELS[person.role], person)
            if standing.state == "accepted" or not self._passed(filing) >= ACCEPTING:
                return standing.state
            self._step(filing, "accepted", LEVELS[person.role], person)
            self._stand(filing, "accepted", standing)
        return "accepted"

    def give_back(self, person: Acting, place: Place, why: str) -> None:
        """Return a version to the enterprise, which has to enter another one.

        Notes
        -----
        Rules: CEA-MRV-08.
        """
        words_checked(why, "why")
        with self._record.transaction():
            filing, standing = self._latest(place, "filed", "accepted")
            self._step(filing, "returned", LEVELS[person.role], person, why)
            accepted = 0 if standing.accepted_id == filing.filing_id else standing.accepted_id
            self._stand(filing, "returned", standing._replace(accepted_id=accepted))

    def pass_all(
        self, person: Acting, enterprise_id: int, kind: str, period: int
    ) -> dict[str, int]:
        """Pass what an enterprise filed of a period, of all units; return how many are in which
        state then.
        """
        with self._record.transaction():
            places = self._some(enterprise_id, kind, period, "filed", "accepted")
            states = [self.pass_on(person, place) for place in places]
        return {state: states.count(state) for state in sorted(set(states))}

    def give_back_all(
        self, person: Acting, enterprise_id: int, kind: str, period: int, why: str
    ) -> None:
        """Return what an enterprise filed of a period, of all units."""
        with self._record.transaction():
            for place in self._some(enterprise_id, kind, period, "filed", "accepted"):
                self.give_back(person, place, why)

    def _some(self, enterprise_id: int, kind: str, period: int, *states: str) -> list[Place]:
        found = self.in_state(enterprise_id, kind, period, *states)
        if not found:
            raise PlatformActError(
                PlatformRefusal.FILING_UNKNOWN,
                f"{kind} {period}: expected one that is {' or '.join(states)}, got none",
            )
        return found

    def _passed(self, filing: Filing) -> set[str]:
        rows = self._store.execute(
            "SELECT level FROM filing_steps WHERE filing_id = ? AND step = 'passed'",
            (filing.filing_id,),
        )
        return {level for (level,) in rows.fetchall()}

    # -- what there is ----------------------------------------------------------------------------

    def standing(self, place: Place) -> Standing | None:
        """Return where a document stands; None if it was never entered."""
        row = self._store.one(
            f"SELECT filing_id, state, accepted_id FROM documents WHERE {_PLACE}", place
        )
        return None if row is None else Standing(*row)

    def states_of(self, enterprise_id: int) -> dict[Place, str]:
        """Return where all documents of an enterprise stand."""
        rows = self._store.execute(
            "SELECT kind, enterprise_id, unit_id, period, state FROM documents"
            " WHERE enterprise_id = ?",
            (enterprise_id,),
        )
        return {Place(*row[:-1]): row[-1] for row in rows.fetchall()}

    def of_id(self, filing_id: int) -> Filing:
        """Return a version there is."""
        return Filing(
            *self._store.one(f"SELECT {_FILING} FROM filings WHERE filing_id = ?", (filing_id,))
        )

    def of_ids(self, filing_ids: Collection[int]) -> dict[int, Filing]:
        """Return versions there are, by id."""
        marks = ", ".join("?" * len(filing_ids))
        rows = self._store.execute(
            f"SELECT {_FILING} FROM filings WHERE filing_id IN ({marks})", tuple(filing_ids)
        )
        return {row[0]: Filing(*row) for row in rows.fetchall()}

    def latest(self, place: Place) -> Filing:
        """Return the latest version of a document."""
        return self._latest(place)[0]

    def accepted(self, place: Place) -> Filing | None:
        """Return the version that counts; None if there is none."""
        standing = self.standing(place)
        if standing is None or not standing.accepted_id:
            return None
        return self.of_id(standing.accepted_id)

    def in_state(self, enterprise_id: int, kind: str, period: int, *states: str) -> list[Place]:
        """Return the documents of an enterprise, a kind and a period that are in some state.

        A year has those of all its months, where the kind is a month's.
        """
        rows = self._store.execute(
            "SELECT unit_id, period, state FROM documents WHERE enterprise_id = ? AND kind = ?"
            " AND (period = ? OR period BETWEEN ? AND ?) ORDER BY period, unit_id",
            (enterprise_id, kind, period, 100 * period + 1, 100 * period + 12),
        )
        return [
            Place(kind, enterprise_id, unit_id, each)
            for unit_id, each, state in rows.fetchall()
            if state in states
        ]

    def steps(self, filing_id: int) -> list[dict[str, Any]]:
        """Return what was done with a version, in order."""
        names = ("step", "level", "person", "why", "day")
        rows = self._store.execute(
            f"SELECT {', '.join(names)} FROM filing_steps WHERE filing_id = ? ORDER BY step_id",
            (filing_id,),
        )
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]

    def versions(self, place: Place) -> list[Filing]:
        """Return all versions of a document, the first one first."""
        rows = self._store.execute(
            f"SELECT {_FILING} FROM filings WHERE {_PLACE} ORDER BY version", place
        )
        return [Filing(*row) for row in rows.fetchall()]

    # -- how it is kept ---------------------------------------------------------------------------

    def _latest(self, place: Place, *states: str) -> tuple[Filing, Standing]:
        """Return the latest version, which must be in one of some states where any are named."""
        standing = self.standing(place)
        if standing is None:
            raise PlatformActError(
                PlatformRefusal.FILING_UNKNOWN,
                f"{place.kind} {place.period}: expected one that was entered, got none",
            )
        if states and standing.state not in states:
            raise PlatformActError(
                PlatformRefusal.FILING_STATE,
                f"{place.kind} {place.period}: expected {' or '.join(states)}, got"
                f" {standing.state}",
            )
        return self.of_id(standing.filing_id), standing

    def _step(self, filing: Filing, step: str, level: str, person: Acting, why: str = "") -> None:
        number = self._store.next_id("filing_steps", "step_id")
        self._store.insert(
            "filing_steps (step_id, filing_id, step, level, person, person_key, why, day)",
            [
                (number, filing.filing_id, step, level, person.name, person.key, why)
                + (self._record.business_date(),)
            ],
        )

    def _stand(self, filing: Filing, state: str, before: Standing | None) -> None:
        accepted = filing.filing_id if state == "accepted" else 0
        if before is None:
            self._store.insert(
                "documents (kind, enterprise_id, unit_id, period, filing_id, state, accepted_id)",
                [(*filing.place, filing.filing_id, state, accepted)],
            )
            return
        self._store.execute(
            f"UPDATE documents SET filing_id = ?, state = ?, accepted_id = ? WHERE {_PLACE}",
            (filing.filing_id, state, accepted or before.accepted_id, *filing.place),
        )
