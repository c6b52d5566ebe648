"""The life of a document: versions, who entered and reviewed each, and what the levels said to it.

    entered --> draft --reviewed by another person--> filed --passed, city and province--> accepted
                  ^                                     |                                      |
                  +------ a further version, and why ---+------- returned by any level <-------+

A version is never changed. While a further one is under way, the accepted one counts.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from cea_exchange.control_plane.maker_checker import is_another
from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError, period_checked, words_checked
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
    mark: str
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


class Known(NamedTuple):
    """Where a document stands, and which version is its latest."""

    filing_id: int
    state: str
    accepted_id: int
    version: int

    @property
    def counts(self) -> bool:
        """Whether the latest version is the one that counts."""
        return self.accepted_id == self.filing_id


class Entry(NamedTuple):
    """A version that is to be entered."""

    place: Place
    content: str
    due_on: int
    emission: str = ""
    mark: str = ""


STATES = ("draft", "filed", "returned", "accepted")
_FILING = ", ".join(Filing._fields)
_PLACE = "kind = ? AND enterprise_id = ? AND unit_id = ? AND period = ?"


class Documents:
    """All documents of all enterprises.

    Attributes
    ----------
    before_entering : list of callable
        Each takes the places of versions that are to be entered, and may refuse them.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store
        self.before_entering: list[Callable[[Sequence[Place]], None]] = []

    # -- the enterprise ---------------------------------------------------------------------------

    def enter(
        self,
        person: Acting,
        place: Place,
        content: str,
        *,
        due_on: int,
        emission: str = "",
        mark: str = "",
        reason: str = "",
    ) -> Filing:
        """Enter a version of a document; see `enter_all`."""
        (filing,) = self.enter_all(person, [Entry(place, content, due_on, emission, mark)], reason)
        return filing

    def enter_all(self, person: Acting, entries: Sequence[Entry], reason: str = "") -> list[Filing]:
        """Enter a version of each of some documents, of one enterprise and kind.

        Parameters
        ----------
        reason
            Why there is another version; of the first there is none.

        Notes
        -----
        Rules: CEA-MRV-08.
        """
        words_checked(reason, "reason", is_needed=False)
        places = [entry.place for entry in entries]
        self.entering_check(places)
        with self._record.transaction():
            known = self._known(places)
            for place in places:
                if (place in known) != bool(reason):
                    expected = "the reason for another version" if place in known else "no reason"
                    raise PlatformActError(
                        PlatformRefusal.REASON_MISSING,
                        f"reason: expected {expected} of {place.kind} {place.period}, got"
                        f" {reason!r}",
                    )
            first, today = self._store.next_id("filings", "filing_id"), self._record.business_date()
            filings = [
                Filing(
                    number,
                    *entry.place,
                    version=1 + (known[entry.place].version if entry.place in known else 0),
                    content=entry.content,
                    sha256=sha256(entry.content.encode()).hexdigest(),
                    emission=entry.emission,
                    mark=entry.mark,
                    reason=reason,
                    due_on=entry.due_on,
                    entered_on=today,
                    entered_by=person.name,
                    entered_key=person.key,
                )
                for number, entry in enumerate(entries, first)
            ]
            self._store.insert(f"filings ({_FILING})", filings)
            self._stand("draft", filings, known)
        return filings

    def entering_check(self, places: Sequence[Place]) -> None:
        """Raise where no further version may be entered."""
        for check in self.before_entering:
            check(places)

    def file(self, person: Acting, place: Place, *, seen: str | None = None) -> Filing:
        """File a draft, which another person entered; see `file_all`."""
        (filing,) = self.file_all(person, {place: seen})
        return filing

    def file_all(self, person: Acting, seen: Mapping[Place, str | None]) -> list[Filing]:
        """File drafts, of one enterprise and kind, which another person entered.

        Parameters
        ----------
        seen
            Of each the hash of the content that the person has seen; None: whatever is there.

        Notes
        -----
        Rules: CEA-ENT-14.
        """
        with self._record.transaction():
            known = self._known(seen, "draft")
            filings = self._latest(known)
            for filing in filings:
                if not is_another(filing.entered_by, filing.entered_key, person):
                    raise PlatformActError(
                        PlatformRefusal.SAME_PERSON,
                        f"{filing.kind} {filing.period}: expected another person than"
                        f" {filing.entered_by}, who entered it, got {person.name}",
                    )
                if seen[filing.place] not in (None, filing.sha256):
                    raise PlatformActError(
                        PlatformRefusal.FILING_DIFFERS,
                        f"{filing.kind} {filing.period}: expected sha256 {filing.sha256}, got"
                        f" {seen[filing.place]}",
                    )
            self._step("filed", "enterprise", filings, person)
            self._stand("filed", filings, known)
        return filings

    # -- the three levels -------------------------------------------------------------------------

    def pass_on(self, person: Acting, places: Collection[Place]) -> list[str]:
        """Note that a level has nothing against filed versions, of one enterprise and kind.

        Returns
        -------
        list of str
            The state of each then.

        Notes
        -----
        Rules: CEA-MRV-08.
        """
        level = LEVELS[person.role]
        with self._record.transaction():
            known = self._known(places, "filed", "accepted")
            filings = self._latest(known)
            self._step("passed", level, filings, person)
            passed = self._passed(filings)
            accepted = [
                filing
                for filing in filings
                if known[filing.place].state == "filed" and passed[filing.filing_id] >= ACCEPTING
            ]
            self._step("accepted", level, accepted, person)
            self._stand("accepted", accepted, known)
        now = {filing.place for filing in accepted}
        return ["accepted" if place in now else known[place].state for place in places]

    def give_back(self, person: Acting, places: Collection[Place], why: str) -> None:
        """Return versions to the enterprise, which has to enter others.

        Notes
        -----
        Rules: CEA-MRV-08.
        """
        words_checked(why, "why")
        with self._record.transaction():
            known = self._known(places, "filed", "accepted")
            filings = self._latest(known)
            self._step("returned", LEVELS[person.role], filings, person, why)
            # What was accepted and is returned does not count any more.
            left = {
                place: each._replace(accepted_id=0) if each.counts else each
                for place, each in known.items()
            }
            self._stand("returned", filings, left)

    def pass_all(
        self, person: Acting, enterprise_id: int, kind: str, period: int
    ) -> dict[str, int]:
        """Pass what an enterprise filed of a period, of all units; return how many are in which
        state then.
        """
        with self._record.transaction():
            places = self._some(enterprise_id, kind, period, "filed", "accepted")
            states = self.pass_on(person, places)
        return {state: states.count(state) for state in sorted(set(states))}

    def give_back_all(
        self, person: Acting, enterprise_id: int, kind: str, period: int, why: str
    ) -> None:
        """Return what an enterprise filed of a period, of all units."""
        with self._record.transaction():
            places = self._some(enterprise_id, kind, period, "filed", "accepted")
            self.give_back(person, places, why)

    def _some(self, enterprise_id: int, kind: str, period: int, *states: str) -> list[Place]:
        period_checked(period)
        found = self.in_state(enterprise_id, kind, period, *states)
        if not found:
            raise PlatformActError(
                PlatformRefusal.FILING_UNKNOWN,
                f"{kind} {period}: expected one that is {' or '.join(states)}, got none",
            )
        return found

    def _passed(self, filings: Sequence[Filing]) -> dict[int, set[str]]:
        """Return version -> the levels that passed it."""
        ids = tuple(filing.filing_id for filing in filings)
        rows = self._store.execute(
            "SELECT filing_id, level FROM filing_steps WHERE step = 'passed'"
            f" AND filing_id IN ({', '.join('?' * len(ids))})",
            ids,
        )
        passed: dict[int, set[str]] = {filing_id: set() for filing_id in ids}
        for filing_id, level in rows.fetchall():
            passed[filing_id].add(level)
        return passed

    # -- the nation -------------------------------------------------------------------------------

    def retrofit(
        self,
        person: Acting,
        place: Place,
        content: str,
        *,
        reason: str,
        emission: str = "",
        mark: str = "",
    ) -> Filing:
        """Put a further version in the place of one that was filed; it stands as that one did.

        Who passed the one before has not passed this one; what was accepted counts on.

        Notes
        -----
        Rules: CEA-MRV-08, CEA-MRV-13.
        """
        self.entering_check([place])
        with self._record.transaction():
            known = self._known([place], "filed", "accepted")
            (before,), state = self._latest(known), known[place].state
            filing = before._replace(
                filing_id=self._store.next_id("filings", "filing_id"),
                version=before.version + 1,
                content=content,
                sha256=sha256(content.encode()).hexdigest(),
                emission=emission,
                mark=mark,
                reason=reason,
                entered_on=self._record.business_date(),
                entered_by=person.name,
                entered_key=person.key,
            )
            self._store.insert(f"filings ({_FILING})", [filing])
            self._step("filed", "nation", [filing], person)
            if state == "accepted":
                self._step("accepted", "nation", [filing], person)
            self._stand(state, [filing], known)
        return filing

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
        if not filing_ids:
            return {}
        marks = ", ".join("?" * len(filing_ids))
        rows = self._store.execute(
            f"SELECT {_FILING} FROM filings WHERE filing_id IN ({marks})", tuple(filing_ids)
        )
        return {row[0]: Filing(*row) for row in rows.fetchall()}

    def latest(self, place: Place) -> Filing:
        """Return the latest version of a document."""
        return self._latest(self._known([place], *STATES))[0]

    def accepted(self, place: Place) -> Filing | None:
        """Return the version that counts; None if there is none."""
        standing = self.standing(place)
        if standing is None or not standing.accepted_id:
            return None
        return self.of_id(standing.accepted_id)

    def accepted_in(self, enterprise_id: int, kind: str, year: int) -> list[Filing]:
        """Return the versions that count, of an enterprise, a kind and the months of a year."""
        columns = ", ".join(f"filings.{name}" for name in Filing._fields)
        rows = self._store.execute(
            f"SELECT {columns} FROM documents"
            " JOIN filings ON filings.filing_id = documents.accepted_id"
            " WHERE documents.enterprise_id = ? AND documents.kind = ?"
            " AND documents.period BETWEEN ? AND ?",
            (enterprise_id, kind, 100 * year + 1, 100 * year + 12),
        )
        return [Filing(*row) for row in rows.fetchall()]

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

    def _known(self, places: Collection[Place], *states: str) -> dict[Place, Known]:
        """Return where documents of one enterprise and kind stand, of those that were entered.

        Parameters
        ----------
        states
            In one of which each of them has to be; none: they need not be there.
        """
        wanted = list(places)
        if not wanted:
            return {}
        kind, enterprise_id = wanted[0].kind, wanted[0].enterprise_id
        periods = [place.period for place in wanted]
        rows = self._store.execute(
            "SELECT documents.unit_id, documents.period, documents.filing_id, state, accepted_id,"
            " version FROM documents JOIN filings ON filings.filing_id = documents.filing_id"
            " WHERE documents.enterprise_id = ? AND documents.kind = ?"
            " AND documents.period BETWEEN ? AND ?",
            (enterprise_id, kind, min(periods), max(periods)),
        )
        there = {
            Place(kind, enterprise_id, unit_id, period): Known(*rest)
            for unit_id, period, *rest in rows.fetchall()
        }
        found = {place: there[place] for place in wanted if place in there}
        for place in wanted if states else ():
            if place not in found:
                raise PlatformActError(
                    PlatformRefusal.FILING_UNKNOWN,
                    f"{kind} {place.period}: expected one that was entered, got none",
                )
            if found[place].state not in states:
                raise PlatformActError(
                    PlatformRefusal.FILING_STATE,
                    f"{kind} {place.period}: expected {' or '.join(states)}, got"
                    f" {found[place].state}",
                )
        return found

    def _latest(self, known: Mapping[Place, Known]) -> list[Filing]:
        """Return the latest version of each document, in their order."""
        filings = self.of_ids([each.filing_id for each in known.values()])
        return [filings[each.filing_id] for each in known.values()]

    def _step(
        self, step: str, level: str, filings: Sequence[Filing], person: Acting, why: str = ""
    ) -> None:
        first, today = self._store.next_id("filing_steps", "step_id"), self._record.business_date()
        self._store.insert(
            "filing_steps (step_id, filing_id, step, level, person, person_key, why, day)",
            [
                (number, filing.filing_id, step, level, person.name, person.key, why, today)
                for number, filing in enumerate(filings, first)
            ],
        )

    def _stand(self, state: str, filings: Sequence[Filing], known: Mapping[Place, Known]) -> None:
        """Let versions be the latest of their documents, in a state."""
        rows = []
        for filing in filings:
            before = known.get(filing.place)
            counted = 0 if before is None else before.accepted_id
            rows.append((filing, filing.filing_id if state == "accepted" else counted))
        self._store.insert(
            "documents (kind, enterprise_id, unit_id, period, filing_id, state, accepted_id)",
            [
                (*filing.place, filing.filing_id, state, accepted_id)
                for filing, accepted_id in rows
                if filing.place not in known
            ],
        )
        self._store.database.execute_many(
            f"UPDATE documents SET filing_id = ?, state = ?, accepted_id = ? WHERE {_PLACE}",
            [
                (filing.filing_id, state, accepted_id, *filing.place)
                for filing, accepted_id in rows
                if filing.place in known
            ],
        )
