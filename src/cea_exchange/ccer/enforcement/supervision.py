"""The supervisor: CCERs that are kept by order, and those that false papers brought.

An owner of false CCERs returns as many. What it holds is taken at once, its project's first: what
is withheld, then what is in registration, then what it has applied to cancel. The rest is taken as
it comes, and the exchange is asked for what the trading account has; buyers keep what they bought.
"""

from collections.abc import Sequence
from typing import Any

from cea_exchange.ccer.books import Books
from cea_exchange.ccer.cancellation.cancellations import Cancellations
from cea_exchange.ccer.lots.places import Place
from cea_exchange.ccer.market.transfers import MarketTransfers
from cea_exchange.ccer.programme.projects import Project, Projects
from cea_exchange.domain.ccer.false_credits import Restitution, restitution
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, amount_checked, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding


class Supervision:
    """Carries out the supervisor's and the ministry's orders.

    Notes
    -----
    Rules: CCER-FRZ-03, CCER-REV-01.
    """

    def __init__(
        self,
        books: Books,
        projects: Projects,
        cancellations: Cancellations,
        transfers: MarketTransfers,
    ) -> None:
        self._books = books
        self._store = books.store
        self._projects = projects
        self._cancellations = cancellations
        self._transfers = transfers
        books.after_arrival.append(self._arrived)
        books.after_trading.append(self._traded)
        books.after_opening.append(self._ask_all)

    def withhold(
        self, account: str, instrument: str, what: int | Sequence[Lot], document: str
    ) -> list[Lot]:
        """Keep CCERs from being moved, until they are given back or forfeited (CCER-FRZ-03)."""
        index, asset = self._books.account(account), self._books.instrument(instrument)
        words_checked(document, "document", WHY_LENGTH_MAX)
        reference = f"order {document}"
        return self._books.move(EntryKind.WITHHELD, index, index, asset, what, reference)

    def give_back(
        self, account: str, instrument: str, what: int | Sequence[Lot], document: str
    ) -> list[Lot]:
        """Let them be moved again (CCER-FRZ-03)."""
        index, asset = self._books.account(account), self._books.instrument(instrument)
        words_checked(document, "document", WHY_LENGTH_MAX)
        reference = f"order {document}"
        return self._books.move(EntryKind.GIVEN_BACK, index, index, asset, what, reference)

    def restitution_order(self, project: str, tonnes: int, document: str) -> Restitution:
        """Let a project's owner return as many CCERs as false papers brought it.

        No more than the project was issued, all orders together. Applications for a cancellation
        are turned down while something is missing, the project's first, each whole.

        Returns
        -------
        Restitution
            What was cancelled now, and what is still to return.

        Notes
        -----
        Rules: CCER-REV-01.
        """
        amount_checked(tonnes, "tonnes")
        words_checked(document, "document", WHY_LENGTH_MAX)
        found, store = self._projects.found(project), self._store
        with store.transaction():
            self._issued_check(found, tonnes)
            number = store.next_id("restitutions", "restitution_id")
            store.insert(
                "restitutions (restitution_id, project_id, owner_index, tonnes, cancelled,"
                " document, ordered_on)",
                [
                    (
                        *(number, found.project_id, found.owner_index, tonnes, 0, document),
                        self._books.business_date(),
                    )
                ],
            )
            for place in (Compartment.SUPERVISORY, Compartment.REGISTRATION):
                for asset in self._instruments(found.owner_index, found.project_id, place):
                    self._take(found.owner_index, asset, place)
            self._applications_refuse(found, f"restitution {number}")
            self._ask(found.owner_index)
            cancelled = store.one(
                "SELECT cancelled FROM restitutions WHERE restitution_id = ?", (number,)
            )
        return Restitution(cancelled, tonnes - cancelled)

    def restitutions(self, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return what owners have to return, in the order of the orders, from an id on."""
        return self._store.records(
            "SELECT r.restitution_id, p.project, a.account, r.tonnes, r.cancelled, r.document,"
            " r.ordered_on FROM restitutions AS r"
            " JOIN projects AS p ON p.project_id = r.project_id"
            " JOIN accounts AS a ON a.account_index = r.owner_index"
            " WHERE r.restitution_id >= ? ORDER BY r.restitution_id LIMIT ?",
            (first, count),
        )

    def _instruments(
        self, account_index: int, project_id: int, compartment: Compartment
    ) -> list[int]:
        """Return which instruments an account has in a compartment, those of a project first."""
        rows = self._store.execute(
            "SELECT DISTINCT l.asset_index, CASE WHEN p.project_id = ? THEN 0 ELSE 1 END AS place"
            " FROM lots AS l JOIN products AS p ON p.product_index = l.asset_index"
            " WHERE l.account_index = ? AND l.compartment = ? ORDER BY place, l.asset_index",
            (project_id, account_index, int(compartment)),
        )
        return [asset for asset, _place in rows.fetchall()]

    def _issued_check(self, found: Project, tonnes: int) -> None:
        """Refuse to have more returned than a project was issued.

        Notes
        -----
        Rules: CCER-REV-01.
        """
        issued, ordered = self._store.one(
            "SELECT (SELECT coalesce(sum(i.tonnes), 0) FROM issues AS i"
            " JOIN batches AS b ON b.batch_id = i.batch_id WHERE b.project_id = :project),"
            " (SELECT coalesce(sum(tonnes), 0) FROM restitutions WHERE project_id = :project)",
            {"project": found.project_id},
        )
        if tonnes > issued - ordered:
            raise ProgrammeError(
                CcerRefusal.AMOUNT_UNSOUND,
                f"tonnes: expected at most the {issued} t issued of {found.project}, less"
                f" {ordered} t ordered before, got {tonnes}",
            )

    def _applications_refuse(self, found: Project, why: str) -> None:
        """Turn down an owner's applications for a cancellation until nothing is missing.

        What they set free arrives in registration, and is taken there.
        """
        store = self._store
        rows = store.execute(
            "SELECT c.cancellation_id, CASE WHEN p.project_id = ? THEN 0 ELSE 1 END AS place"
            " FROM cancellations AS c JOIN products AS p ON p.product_index = c.asset_index"
            " WHERE c.account_index = ? AND c.state = 'applied' ORDER BY place, c.cancellation_id",
            (found.project_id, found.owner_index),
        ).fetchall()
        for cancellation_id, _place in rows:
            if not self._owed(found.owner_index):
                return
            self._cancellations.refuse(cancellation_id, why)

    def _owed(self, owner_index: int) -> int:
        """Return what an owner still has to return, by all orders."""
        owed: int = self._store.one(
            "SELECT coalesce(sum(tonnes - cancelled), 0) FROM restitutions"
            " WHERE owner_index = ? AND cancelled < tonnes",
            (owner_index,),
        )
        return int(owed)

    def _arrived(self, account_index: int, asset_index: int) -> None:
        self._take(account_index, asset_index, Compartment.REGISTRATION)

    def _take(self, account_index: int, asset_index: int, compartment: Compartment) -> None:
        """Take what an owner has in a compartment for what it still has to return.

        What is withheld is forfeited as it is; what is in registration is withheld first.

        Notes
        -----
        Rules: CCER-FRZ-03, CCER-REV-01.
        """
        store, place = self._store, Place(asset_index, account_index, int(compartment))
        rows = store.execute(
            "SELECT restitution_id, tonnes, cancelled, document FROM restitutions"
            " WHERE owner_index = ? AND cancelled < tonnes ORDER BY restitution_id",
            (account_index,),
        ).fetchall()
        for restitution_id, tonnes, before, document in rows:
            held = store.balance(Holding(account_index, asset_index, compartment))
            cancelled = restitution(tonnes, held, before).cancelled
            if not cancelled:
                return
            lots = self._books.places.oldest(place, cancelled)
            if compartment == Compartment.REGISTRATION:
                self._books.move(
                    *(EntryKind.WITHHELD, account_index, account_index, asset_index),
                    *(lots, f"restitution {restitution_id}"),
                )
            self._cancellations.forfeit(account_index, asset_index, lots, document)
            store.execute(
                "UPDATE restitutions SET cancelled = cancelled + ? WHERE restitution_id = ?",
                (cancelled, restitution_id),
            )

    def _traded(self, account_index: int, _asset_index: int) -> None:
        self._ask(account_index)

    def _ask_all(self) -> None:
        rows = self._store.execute(
            "SELECT DISTINCT owner_index FROM restitutions WHERE cancelled < tonnes ORDER BY 1"
        ).fetchall()
        for (owner_index,) in rows:
            self._ask(owner_index)

    def _ask(self, owner_index: int) -> None:
        """Ask the exchange for what an owner still has to return, its project's first.

        Whatever it has will do; what was asked for already, or is on its way, counts.

        Notes
        -----
        Rules: CCER-REV-01.
        """
        owed = self._owed(owner_index)
        if not owed:
            return
        project_id = self._store.one(
            "SELECT min(project_id) FROM restitutions WHERE owner_index = ? AND cancelled < tonnes",
            (owner_index,),
        )
        left = owed - self._transfers.coming("recall", owner_index)
        for asset in self._instruments(owner_index, project_id, Compartment.TRADING):
            left -= self._transfers.seize("recall", owner_index, asset, left)
