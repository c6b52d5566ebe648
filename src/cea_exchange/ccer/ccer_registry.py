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
from collections.abc import Callable, Iterable
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.cancellation.cancellations import Cancellations
from cea_exchange.ccer.cancellation.link import Link
from cea_exchange.ccer.cancellation.proofs import Proofs
from cea_exchange.ccer.enforcement.freezes import Freezes
from cea_exchange.ccer.enforcement.supervision import Supervision
from cea_exchange.ccer.enforcement.transfers import Transfers
from cea_exchange.ccer.lots.pedigree import issue_of, pedigree, whereabouts
from cea_exchange.ccer.lots.serials import lots_asked, lots_shown
from cea_exchange.ccer.market.deliveries import Deliveries
from cea_exchange.ccer.market.keys import TradingKeys
from cea_exchange.ccer.market.transfers import MarketTransfers
from cea_exchange.ccer.participants.accounts import Accounts
from cea_exchange.ccer.participants.vvbs import Vvbs
from cea_exchange.ccer.programme.batches import Batches
from cea_exchange.ccer.programme.projects import Projects
from cea_exchange.ccer.roles import OVERSEERS, SCOPED
from cea_exchange.ccer.store import CcerStore
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.clock import GivenClock, InstitutionClock
from cea_exchange.institution.paging import ALL
from cea_exchange.institution.persons import Persons
from cea_exchange.institution.services import InstitutionServices

_DECISIONS_DUE = """SELECT 'registration' AS what, project, 0 AS batch_number, applied_on
FROM projects WHERE state = 'applied'
UNION ALL
SELECT 'issue', project, batch_number, b.applied_on
FROM batches AS b JOIN projects AS p ON p.project_id = b.project_id WHERE b.state = 'applied'"""

_COUNTS = {
    "accounts": "SELECT count(*) FROM accounts WHERE account_index >= 0",
    "projects": "SELECT count(*) FROM projects",
    "issued_tonnes": "SELECT coalesce(sum(tonnes), 0) FROM issues",
    "cancelled_tonnes": "SELECT coalesce(sum(tonnes), 0) FROM cancellations WHERE state = 'done'",
    "trades": "SELECT count(*) FROM trades",
    "trades_failed": "SELECT count(*) FROM deliveries WHERE entry_id = 0 AND state = 'failed'",
    "transfers_pending": "SELECT count(*) FROM market_transfers WHERE state = 'pending'",
}


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
        self.link = Link(books, self.proofs)
        self.cancellations = Cancellations(books, self.proofs)
        self.trading_keys, self.market_transfers = TradingKeys(books), MarketTransfers(books)
        self.deliveries = Deliveries(books)
        # Courts come before what is to be returned: each takes of what arrives in this order.
        self.freezes = Freezes(books, self.market_transfers)
        self.supervision = Supervision(
            *(books, self.projects, self.cancellations, self.market_transfers)
        )
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
        self, project: str, batch_number: int, first: int, last: int, *, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return where the serials of a range are now, lot by lot, so many at most."""
        issue = issue_of(self.store, project, batch_number)
        return whereabouts(self.store, Lot(issue, first, last), count)

    def what(self, instrument: str, tonnes: int | None, serials: str | None) -> int | list[Lot]:
        """Return what of an instrument is meant: tonnes, or ranges by `BATCH:FIRST-LAST`."""
        if (tonnes is None) == (serials is None):
            raise ProgrammeError(
                CcerRefusal.SERIALS_UNSOUND,
                "tonnes or serials: expected one of them, got both or none",
            )
        if tonnes is not None:
            return tonnes
        project = self.store.one(
            "SELECT p.project FROM products AS i JOIN projects AS p"
            " ON p.project_id = i.project_id WHERE i.product_index = ?",
            (self.books.instrument(instrument),),
        )
        return lots_asked(self.store, project, serials or "")

    def serials_shown(self, lots: Iterable[Lot]) -> list[str]:
        """Return ranges as `what` reads them."""
        return lots_shown(self.store, lots)

    def key_bodies(self, key: str) -> frozenset[str]:
        """Return the bodies of the account that a trading key acts for; empty for none."""
        account = self.trading_keys.account_of(key)
        return frozenset() if account is None else self.accounts.bodies(account)

    def owner_bodies(self, project: str) -> frozenset[str]:
        """Return the body that owns a project; empty for no project."""
        owner = self.projects.owner(project)
        return frozenset() if owner is None else self.accounts.bodies(owner)

    def decisions_due(self) -> list[dict[str, Any]]:
        """Return what the registry has to decide, and by which day; what is due first comes first.

        Notes
        -----
        Rules: CCER-PRJ-04, CCER-BAT-05, CEA-DAY-10.
        """
        today, rules = self.business_date(), self.books.rules
        days = {"registration": rules.registration_days.value, "issue": rules.issue_days.value}
        due: list[dict[str, Any]] = []
        for what, project, batch_number, applied_on in self.store.all(_DECISIONS_DUE):
            term = self.books.term(applied_on, days[what])
            due.append(
                {
                    "what": what,
                    "project": project,
                    "batch_number": batch_number,
                    "due_on": term.ends_on,
                    "is_overdue": term.is_overdue(today),
                }
            )
        return sorted(due, key=itemgetter("due_on", "what", "project", "batch_number"))

    def status(self) -> dict[str, Any]:
        """Return how far the CCER registry is, with its counts."""
        store = self.store
        return {
            "log_id": store.log_id,
            "last_seq": store.last_seq,
            "confirmed_date": store.confirmed_date,
            "proof_seq": self.proofs.last_seq(),
            "claim_seq": self.proofs.last_claim_seq(),
            "signing_key": "" if self.proofs.signer is None else self.proofs.signer.public,
            **{name: int(self.store.one(query)) for name, query in _COUNTS.items()},
            **super().status(),
        }
