"""What waits to be posted, in the venue's order, and what has to stay where it will take it from.

To the venue a trade has happened when it is received. Here it may have failed, and what followed it
at the venue may spend what the ledger still holds for it. So whatever is posted ahead of what waits
leaves at each place (account, asset) what that will need, one after the other::

    bob's cash here: 100     waits: trade 1 takes 100, trade 2 brings 120
    withdrawal of 120   ->   waits behind them: it would take what trade 1 is owed
    withdrawal of 20    ->   waits: nothing is to spare before trade 1 is posted

Then the first of what waits needs nothing but its own cause to be gone, and after it the next: a
chain can always be freed from its beginning.
"""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    Compartment,
    Holding,
    Posting,
    Trade,
    trade_legs,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS

Place = tuple[int, int]
"""Account index and asset index, in the trading compartment."""

_RECEIVED_TAKE = """
WITH received AS (
    SELECT buyer_index, seller_index, product_index, tonnes, cash, buy_fee
    FROM trades WHERE settlement_seq > :since
        AND state <> 'settled' AND state = 'received'
)
SELECT account_index, asset_index, sum(amount) FROM (
    SELECT buyer_index AS account_index, :cash AS asset_index, cash + buy_fee AS amount
        FROM received
    UNION ALL SELECT seller_index, product_index, tonnes FROM received
) AS taken
GROUP BY account_index, asset_index
"""


class Lacking(NamedTuple):
    """What keeps something from being posted now: too little is there, or to spare."""

    account_index: int
    asset_index: int
    amount: int


class Waiting:
    """What trades that failed, and records that were postponed, will take and bring.

    Rules: CEA-STL-09 (what waits keeps its place).

    Attributes
    ----------
    changes : int
        How often something was added or taken away.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.changes = 0
        self._moves: dict[Place, list[tuple[int, int]]] = {}

    def refresh(self) -> None:
        """Look again; at the start of each transaction."""
        self._moves = {}
        rows = self._store.all(
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE state <> 'settled' AND state = 'failed'"
            " AND posted_seq = 0"
        )
        for row in rows:
            trade = Trade(*row)
            self.add(trade.settlement_seq, trade_legs(trade))
        rows = self._store.all(
            "SELECT settlement_seq, account_index, asset_index, compartment, amount"
            " FROM postponed WHERE posted_seq = 0"
        )
        for seq, *leg in rows:
            self.add(seq, [Posting(*leg)])

    def add(self, seq: int, legs: Iterable[Posting]) -> None:
        """Let the record of a sequence wait."""
        self.changes += 1
        for place, amount in at_places(legs).items():
            insort(self._moves.setdefault(place, []), (seq, amount))

    def remove(self, seq: int, legs: Iterable[Posting]) -> None:
        """Take away what was posted, or undone."""
        self.changes += 1
        for place, amount in at_places(legs).items():
            self._moves[place].remove((seq, amount))
            if not self._moves[place]:
                del self._moves[place]

    def places(self, before: int | None = None) -> set[Place]:
        """Return from which places something that waits will take; in front of a sequence only."""
        return {place for place in self._moves if self.needed(place, before)}

    def needed(self, place: Place, before: int | None = None) -> int:
        """Return what has to stay at a place, so that what waits can be posted in its order."""
        total = lowest = 0
        for seq, amount in self._moves.get(place, ()):
            if before is not None and seq >= before:
                break
            total += amount
            lowest = min(lowest, total)
        return -lowest

    def brings(self, place: Place, before: int) -> bool:
        """Tell whether something that waits in front of a sequence brings anything to a place."""
        return any(amount > 0 for seq, amount in self._moves.get(place, ()) if seq < before)

    def takers(self, place: Place) -> list[int]:
        """Return the sequences of what will take something there, in their order."""
        return [seq for seq, amount in self._moves.get(place, ()) if amount < 0]

    def lacking(
        self,
        legs: Sequence[Posting],
        before: int | None = None,
        also: "Received | None" = None,
    ) -> Lacking | None:
        """Return where some legs would leave less than is needed; None where they can be posted.

        Parameters
        ----------
        before
            Only what waits in front of this sequence counts.
        also
            Trades that were received, all of them in front of it.
        """
        for place, amount in at_places(legs).items():
            if amount >= 0:
                continue
            needed = self.needed(place, before) + (0 if also is None else also.takes(place))
            left = self._store.balance(Holding(*place, int(Compartment.TRADING))) + amount
            if left < needed:
                return Lacking(*place, needed - left)
        return None


class Received:
    """What trades that were received and wait for the close will take, by place.

    Summed as they come; when one is posted, fails or is undone, all are counted again. What they
    bring is left out: less than what is needed is never said.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since, self._changes = 0, store.unposted_changes
        self._sums: Counter[Place] = Counter()

    def takes(self, place: Place) -> int:
        """Return what all trades that were received take from a place."""
        last = self._store.one("SELECT coalesce(max(settlement_seq), 0) FROM trades")
        if last < self._since or self._changes != self._store.unposted_changes:
            self._since, self._sums = 0, Counter()
            self._changes = self._store.unposted_changes
        if last > self._since:
            values = {"since": self._since, "cash": CASH_ASSET}
            for account, asset, amount in self._store.all(_RECEIVED_TAKE, values):
                self._sums[account, asset] += amount
            self._since = last
        return self._sums[place]


def at_places(legs: Iterable[Posting]) -> dict[Place, int]:
    """Return what legs add to trading places; those to which they add nothing are left out."""
    sums: defaultdict[Place, int] = defaultdict(int)
    for account, asset, compartment, amount in legs:
        if compartment == Compartment.TRADING:
            sums[int(account), int(asset)] += amount
    return {place: amount for place, amount in sums.items() if amount}
