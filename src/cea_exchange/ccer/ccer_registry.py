"""The CCER registry, wired: its services upon one database.

Usable without a daemon: open the data folder, act, close::

    with CcerRegistry.open(data) as ccer, ccer.transaction():
        ccer.accounts.open("SEAWIND", "owner")
        ccer.accounts.open("CQC", "vvb")
        ccer.vvbs.accredit("CQC", 1, from_date=20240611, document="notice 1")
        ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", design)
        ccer.projects.publish("WIND-1", "CQC", design_hash)
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.cancellation.cancellations import Cancellations
from cea_exchange.ccer.cancellation.proofs import Proofs
from cea_exchange.ccer.enforcement.freezes import Freezes
from cea_exchange.ccer.enforcement.supervision import Supervision
from cea_exchange.ccer.enforcement.transfers import Transfers
from cea_exchange.ccer.lots.pedigree import issue_of, pedigree, whereabouts
from cea_exchange.ccer.participants.accounts import Accounts
from cea_exchange.ccer.participants.vvbs import Vvbs
from cea_exchange.ccer.programme.batches import Batches
from cea_exchange.ccer.programme.projects import Projects
from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.institution.clock import GivenClock, InstitutionClock
from cea_exchange.institution.persons import Persons
from cea_exchange.institution.services import InstitutionServices

SCOPED = frozenset({"province", "initiator", "approver"})
"""Roles that see and touch only what is their own."""
OVERSEERS = frozenset({"ccer", "regulator"})
"""Bodies whose persons see all proposals."""


class CcerRegistry(InstitutionServices):
    """The CCER registry upon its database.

    Parameters
    ----------
    store
        Open for writing.
    clock
        Gives the time and the day.
    """

    store: CcerStore

    def __init__(self, store: CcerStore, clock: InstitutionClock) -> None:
        self.books = books = Books(store, clock)
        super().__init__(books, Persons(books), scoped=SCOPED, overseers=OVERSEERS)
        self.accounts, self.vvbs = Accounts(books), Vvbs(books)
        self.projects = Projects(books, self.vvbs)
        self.batches = Batches(books, self.vvbs, self.projects)
        self.proofs = Proofs(books)
        self.cancellations = Cancellations(books, self.proofs)
        # Courts come before what is to be returned: each takes of what arrives in this order.
        self.freezes = Freezes(books)
        self.supervision = Supervision(books, self.projects, self.cancellations)
        self.transfers = Transfers(books)

    @classmethod
    def open(
        cls,
        data: Path | str,
        clock_ns: Callable[[], int] = time.time_ns,
        database: str | None = None,
    ) -> Self:
        """Open the CCER registry in ``data/ccer/``, which no other process may have open.

        Parameters
        ----------
        clock_ns
            Gives the time (nanoseconds since 1970), whatever it is; left out, the system's.
        database
            ``postgresql://...`` for a registry in PostgreSQL; see `Store.open`.
        """
        return cls(CcerStore.open(data, database), GivenClock(clock_ns))

    def pedigree(self, project: str, batch_number: int, serial: int) -> list[dict[str, Any]]:
        """Return all moves of a serial number, the first its issue (CCER-LOT-04)."""
        return pedigree(self.store, issue_of(self.store, project, batch_number), serial)

    def whereabouts(
        self, project: str, batch_number: int, first: int, last: int
    ) -> list[dict[str, Any]]:
        """Return where the serials of a range are now."""
        issue = issue_of(self.store, project, batch_number)
        return whereabouts(self.store, Lot(issue, first, last))
