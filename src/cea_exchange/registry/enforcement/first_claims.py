"""Puts courts and recalls first, whatever is posted to or from a registration account."""

from collections.abc import Sequence

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Movement, legs_of
from cea_exchange.registry.enforcement.arrivals import Arrivals
from cea_exchange.registry.enforcement.recalls import RECALL_WAITS_FOR
from cea_exchange.registry.general_ledger import Ledger

FOR_A_PURPOSE = frozenset({EntryKind.RESERVE_USED})
"""What comes into a registration account to settle a trade, and is not the account's to lose."""


class FirstClaims:
    """Has its say before each posting of a ledger, and takes its share after.

    Parameters
    ----------
    ledger
        Whose postings.
    arrivals
        Who wants what.
    """

    def __init__(self, ledger: Ledger, arrivals: Arrivals) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._arrivals = arrivals
        ledger.before_posting.append(self._recalls_first)
        ledger.after_posting.append(self._share_out)

    def _recalls_first(self, movements: Sequence[Movement]) -> None:
        """Refuse that what was applied for leaves an account which owes a recall of it.

        Rules: CEA-DIS-11.
        """
        ending = [moved for moved in movements if moved.kind in RECALL_WAITS_FOR]
        owed = self._arrivals.recalls.owed() if ending else {}
        for moved in ending:
            tonnes = owed.get((moved.account_index, moved.asset_index), 0)
            if tonnes:
                raise ActError(
                    RegistryRefusal.RECALL_OWED,
                    f"{moved.kind.name.lower()}: expected"
                    f" {self._store.account_name(moved.account_index)} to owe no recall of"
                    f" {self._store.asset_name(moved.asset_index)}, got {tonnes} owed"
                    " (CEA-DIS-11)",
                )

    def _share_out(self, movements: Sequence[Movement], _ids: range) -> None:
        """What comes into a registration account is first for courts and recalls that want it."""
        wanted = self._arrivals.wanted()
        now = (self._store.last_seq, self._ledger.business_date()) if wanted else (0, 0)
        for moved in movements if wanted else ():
            place = (moved.counter_index, moved.asset_index)
            arrives = legs_of(*moved)[1].compartment == Compartment.REGISTRATION
            if arrives and place in wanted and moved.kind not in FOR_A_PURPOSE:
                self._arrivals.take(place, *now, moved.amount)
