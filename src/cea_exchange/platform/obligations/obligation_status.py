"""Obligation status, from the registry's items: how much was missing when a day had passed."""

import msgspec

from cea_exchange.domain.refusals import PlatformRefusal
from cea_exchange.platform.checks import PlatformActError
from cea_exchange.platform.obligations.obligations import Obligation, Obligations
from cea_exchange.platform.record import Record


class ObligationStatus:
    """Reads what the registry has told of each obligation.

    Notes
    -----
    Rules: CEA-PLK-07.
    """

    def __init__(self, record: Record, obligations: Obligations) -> None:
        self._store = record.store
        self._obligations = obligations

    def missing_after(self, enterprise_id: int, year: int, day: int) -> int:
        """Return the tonnes of an obligation that were missing when a day had passed.

        Raises
        ------
        PlatformActError
            Nothing is owed of that year, or the registry has not told all until that day: what it
            has not told is never taken as missing.

        Notes
        -----
        Rules: CEA-PEN-07.
        """
        obligation = self._owed(enterprise_id, year)
        heard_until = self.heard_until()
        if heard_until <= day:
            self._await(f"all that was surrendered until {day}", f"it until {heard_until}")
        covered = self._covered(enterprise_id, year)
        return obligation.due_tonnes - sum(t for counted, t in covered if counted <= day)

    def missing_now(self, enterprise_id: int, year: int) -> int:
        """Return the tonnes of an obligation that are missing by what the registry told last."""
        return self._owed(enterprise_id, year).due_tonnes - self.covered_now(enterprise_id, year)

    def covered_now(self, enterprise_id: int, year: int) -> int:
        """Return the tonnes by which an entity has covered what it owes, as last reported here."""
        if not self.heard_until():
            self._await("what was surrendered", "nothing yet")
        return sum(tonnes for _, tonnes in self._covered(enterprise_id, year))

    def owed_now(self, enterprise_id: int, year: int) -> int:
        """Return the tonnes still to be surrendered: what is missing, and not deducted instead."""
        deducted: int = self._store.one(
            "SELECT coalesce((SELECT deducted FROM completions"
            " WHERE compliance_year = ? AND enterprise_id = ?"
            " ORDER BY completion_seq DESC LIMIT 1), 0)",
            (year, enterprise_id),
        )
        return self.missing_now(enterprise_id, year) - deducted

    def heard_until(self) -> int:
        """Return the registry's day up to which it has told all; 0 before it has told anything."""
        found: int = self._store.one("SELECT coalesce(max(business_date), 0) FROM registry_days")
        return found

    def _owed(self, enterprise_id: int, year: int) -> Obligation:
        obligation = self._obligations.of(enterprise_id, year)
        if obligation is None:
            raise PlatformActError(
                PlatformRefusal.NOTHING_SHORT,
                f"obligation of {year}: expected one that was set, got none",
            )
        return obligation

    def _covered(self, enterprise_id: int, year: int) -> list[tuple[int, int]]:
        row = self._store.one(
            "SELECT applied, covered FROM completions"
            " WHERE compliance_year = ? AND enterprise_id = ?"
            " ORDER BY completion_seq DESC LIMIT 1",
            (year, enterprise_id),
        )
        if row is None:
            return []
        applied, covered = row
        if applied:
            undecided = f"{applied} t that are not decided"
            self._await("what became of all applications", undecided)
        return msgspec.json.decode(covered, type=list[tuple[int, int]])

    def _await(self, expected: str, got: str) -> None:
        raise PlatformActError(
            PlatformRefusal.REGISTRY_AWAITED,
            f"registry: expected to have told {expected}, got {got}",
        )
