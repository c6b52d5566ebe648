"""Objections to a verified result or an allocation, with their clocks in working days."""

from typing import Any

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import (
    TEXT_LENGTH_MAX,
    PlatformActError,
    choice_checked,
    words_checked,
)
from cea_exchange.platform.record import Acting, Record


class Objections:
    """The objections of enterprises."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._store = record.store

    def make(
        self,
        person: Acting,
        enterprise_id: int,
        year: int,
        *,
        against: str,
        subject_id: int,
        notified_on: int,
        words: str,
    ) -> dict[str, Any]:
        """Object to a decision, and return the number and the province's last day.

        Parameters
        ----------
        against, subject_id
            ``verification`` and the result, or ``allocation`` and the allocation.
        notified_on
            When the enterprise was notified of it.

        Notes
        -----
        Rules: CEA-VER-13.
        """
        choice_checked(against, ("verification", "allocation"), "against")
        words_checked(words, "words", TEXT_LENGTH_MAX)
        today = self._record.business_date()
        last = self._record.term("object", notified_on)
        self._record.in_time_check("objection", last, "CEA-VER-13", PlatformRefusal.OBJECTION_LATE)
        with self._record.transaction():
            is_open = self._store.one(
                "SELECT objection_id FROM objections WHERE enterprise_id = ?"
                " AND compliance_year = ? AND against = ? AND state = 'open'",
                (enterprise_id, year, against),
            )
            if is_open is not None:
                raise PlatformActError(
                    PlatformRefusal.OBJECTION_STATE,
                    f"objection: expected none that is open, got {is_open}",
                )
            number = self._store.next_id("objections", "objection_id")
            end = self._record.term("decide_objection", today)
            self._store.insert(
                "objections (objection_id, enterprise_id, compliance_year, against, subject_id,"
                " words, made_by, made_on, state, answer, decided_by, decided_on)",
                [
                    (number, enterprise_id, year, against, subject_id, words, person.name, today)
                    + ("open", "", "", 0)
                ],
            )
        return {
            "objection": number,
            "decide_by": end.number,
            "is_provisional": end.is_provisional,
        }

    def decide(self, person: Acting, number: int, state: str, answer: str) -> None:
        """Uphold an objection or dismiss it.

        Notes
        -----
        Rules: CEA-VER-13.
        """
        choice_checked(state, ("upheld", "dismissed"), "state")
        words_checked(answer, "answer", TEXT_LENGTH_MAX)
        with self._record.transaction():
            before = self.state(number)
            if before != "open":
                raise PlatformActError(
                    PlatformRefusal.OBJECTION_STATE,
                    f"objection {number}: expected an open one, got {before}",
                )
            self._store.execute(
                "UPDATE objections SET state = ?, answer = ?, decided_by = ?, decided_on = ?"
                " WHERE objection_id = ?",
                (state, answer, person.name, self._record.business_date(), number),
            )

    def state(self, number: int) -> str:
        """Return an objection's state."""
        state: str | None = self._store.one(
            "SELECT state FROM objections WHERE objection_id = ?", (number,)
        )
        if state is None:
            raise PlatformActError(
                PlatformRefusal.OBJECTION_UNKNOWN,
                f"objection: expected one that was made, got {number}",
            )
        return state

    def enterprise_of(self, number: int) -> int:
        """Return whose objection it is."""
        self.state(number)
        enterprise_id: int = self._store.one(
            "SELECT enterprise_id FROM objections WHERE objection_id = ?", (number,)
        )
        return enterprise_id
