"""Decides who takes what arrives on a registration account before its holder may use it.

Courts' freezes (`freezes`) and recalls (`recalls`) queue up for one account's asset: the earlier
takes all it wants before a later one takes anything. Of one day the court's comes first. What they
want and is at the venue is asked for there, each by a seizure of its own that says why; what comes
is shared out by the queue, whoever asked.
"""

from collections import Counter
from typing import Literal

from cea_exchange.institution.venue_link.feed import feed_append
from cea_exchange.ledger.double_entry import (
    AMOUNT_LIMIT,
    CASH_ASSET,
    Compartment,
    EntryKind,
    Holding,
)
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import Seizure
from cea_exchange.registry.enforcement.freezes import Freezes, Place
from cea_exchange.registry.enforcement.recalls import Recalls

SEIZED = ("court", "recall")
"""Directions of transfers that nobody but a court or the authority asks for."""


class Arrivals:
    """The queue for what arrives, in a store's database.

    Rules: CEA-ENF-01 to CEA-ENF-03, CEA-DIS-11.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.freezes = Freezes(store)
        self.recalls = Recalls(store)

    def wanted(self) -> Counter[Place]:
        """Return all places of which something is still wanted, and how much."""
        return Counter(self.freezes.asked()) + self.recalls.owed()

    def take(
        self,
        place: Place,
        settlement_seq: int,
        business_date: int,
        amount: int = AMOUNT_LIMIT,
    ) -> None:
        """Share out what lies in a registration account, as far as it is wanted.

        Within the transaction of what brought it there.

        Parameters
        ----------
        amount
            What has arrived: no more is taken. What lay there before was left for a reason.
        """
        now = (settlement_seq, business_date)
        for owed in self.recalls.of_place(place):
            amount -= self.freezes.take(place, *now, amount, until=owed.since)
            held = self._store.balance(Holding(*place, Compartment.REGISTRATION))
            tonnes = min(owed.tonnes, amount, held)
            if tonnes:
                self.recalls.take(
                    owed, tonnes, settlement_seq=settlement_seq, business_date=business_date
                )
                amount -= tonnes
        self.freezes.take(place, *now, amount)

    def ask(self, place: Place, at_ns: int = 0) -> None:
        """Ask the venue for what is wanted of a trading account, if it has any.

        What is under way already is not asked for again; what the venue can't give today, for it
        was bought or earned today, is at the next opening.

        Rules: CEA-ENF-02 (a freeze reaches the venue), CEA-DIS-11 (and so does a recall).

        Parameters
        ----------
        at_ns
            The time noted in the feed.
        """
        under_way, waiting = self.called(place), self._waiting(place)
        # Never more than is posted there: what failed trades brought can't be let go.
        free = self._store.balance(Holding(*place, Compartment.TRADING))
        free -= under_way.total() + waiting
        amount = min(self.freezes.wanted(place) - under_way["court"] - waiting, free)
        if amount > 0:
            self._seize("court", place, amount, at_ns)
            free -= amount
        owed = sum(each.tonnes for each in self.recalls.of_place(place))
        amount = min(owed - under_way["recall"] - waiting, free)
        if amount > 0:
            self._seize("recall", place, amount, at_ns)

    def called(self, place: Place) -> Counter[str]:
        """Return what the venue was asked for and has not answered: by whom, and how much."""
        account, asset = place
        rows = self._store.all(
            "SELECT direction, sum(amount) FROM transfers WHERE state = 'pending'"
            " AND direction IN ('court', 'recall') AND account_index = ? AND asset_index = ?"
            " GROUP BY direction",
            (account, asset),
        )
        return Counter(dict(rows))

    def _waiting(self, place: Place) -> int:
        """Return what has left the venue and waits to be posted: it is taken when it arrives."""
        account, asset = place
        amount: int = self._store.one(
            "SELECT coalesce(sum(-amount), 0) FROM postponed WHERE posted_seq = 0"
            " AND kind = ? AND compartment = ? AND account_index = ? AND asset_index = ?",
            (int(EntryKind.WITHDRAWN), int(Compartment.TRADING), account, asset),
        )
        return amount

    def _seize(
        self, why: Literal["court", "recall"], place: Place, amount: int, at_ns: int
    ) -> None:
        account, asset = place
        product = None if asset == CASH_ASSET else self._store.asset_name(asset)
        name = self._store.account_name(account)
        command = Seizure(account=name, product=product, amount=amount, why=why)
        transfer_seq = feed_append(self._store, command, at_ns)
        row = (transfer_seq, why, account, asset, amount, "pending", 0, 0)
        self._store.insert(
            "transfers (transfer_seq, direction, account_index, asset_index, amount, state,"
            " reason, settlement_seq)",
            [row],
        )
