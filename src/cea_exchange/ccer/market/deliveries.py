"""Deliveries: the tonnes that the exchange moved or let go, each posted once, in the venue's order.

::

    trade      waiting --- the day is over ---------------> posted, or failed
    bust       waiting --- at once, unless others wait ---> posted
    withdrawn  waiting --- at once, unless others wait ---> posted
                                            failed -------> posted, when the tonnes are there
               waiting, failed --- the trade is busted ---> undone

Until it is posted it counts in the compared hash as if it were.
"""

from collections import Counter
from typing import Any, Literal, NamedTuple

from cea_exchange.ccer.books import Books, RecordCause
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding

DELIVERY_COUNT_MAX = 1_024
"""Deliveries in one transaction."""

DeliveryKind = Literal["trade", "bust", "withdrawn"]

_UNPOSTED = "entry_id = 0 AND state <> 'undone'"


class Delivery(NamedTuple):
    """A row of `deliveries`."""

    settlement_seq: int
    kind: str
    business_date: int
    account_index: int
    counter_index: int
    asset_index: int
    tonnes: int
    state: str
    entry_id: int

    @property
    def reference(self) -> str:
        """Of its entry in the ledger."""
        return f"{self.kind} {self.settlement_seq}"


_COLUMNS = ", ".join(Delivery._fields)


class Deliveries:
    """Posts what the exchange's records move.

    Notes
    -----
    Rules: CCER-STL-01, CCER-LOT-03.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store

    def due(
        self,
        kind: DeliveryKind,
        cause: RecordCause,
        account_index: int,
        counter_index: int,
        asset_index: int,
        tonnes: int,
    ) -> None:
        """Keep what a record moves; what is no trade is posted at once, if nothing before waits."""
        ends = (account_index, counter_index, asset_index)
        found = Delivery(
            cause.settlement_seq, kind, cause.business_date, *ends, tonnes, "waiting", 0
        )
        self._store.insert(f"deliveries ({_COLUMNS})", [found])
        if kind != "trade":
            self._post_if_there(found, cause)

    def undo(self, settlement_seq: int) -> bool:
        """End a trade's delivery that is not posted; say if it was not."""
        if self.found(settlement_seq).state == "posted":
            return False
        self._store.execute(
            "UPDATE deliveries SET state = 'undone' WHERE settlement_seq = ?", (settlement_seq,)
        )
        return True

    def found(self, settlement_seq: int) -> Delivery:
        """Return the delivery of a record, which there is."""
        row = self._store.execute(
            f"SELECT {_COLUMNS} FROM deliveries WHERE settlement_seq = ?", (settlement_seq,)
        ).fetchone()
        assert row is not None
        return Delivery(*row)

    def some(self, until_seq: int, count_max: int = DELIVERY_COUNT_MAX) -> bool:
        """Post the next that wait up to a sequence, within a transaction; say if that was all."""
        rows = self._store.execute(
            f"SELECT {_COLUMNS} FROM deliveries WHERE entry_id = 0 AND state = 'waiting'"
            " AND settlement_seq <= ?"
            " ORDER BY settlement_seq LIMIT ?",
            (until_seq, count_max),
        ).fetchall()
        for row in rows:
            found = Delivery(*row)
            if not self._post_if_there(found):
                self._store.execute(
                    "UPDATE deliveries SET state = 'failed' WHERE settlement_seq = ?",
                    (found.settlement_seq,),
                )
        self.retry()
        return len(rows) < count_max

    def retry(self) -> None:
        """Post failed ones for which the tonnes are there now, in their order."""
        is_more = True
        while is_more:
            is_more = any([self._post_if_there(each) for each in self._failed()])  # noqa: C419

    def unposted(self) -> Counter[tuple[int, int]]:
        """Return what is not posted moved at the venue, by account and instrument."""
        sums: Counter[tuple[int, int]] = Counter()
        rows = self._store.execute(
            "SELECT kind, account_index, counter_index, asset_index, sum(tonnes) FROM deliveries"
            f" WHERE {_UNPOSTED} GROUP BY kind, account_index, counter_index, asset_index"
        )
        for kind, account, counter, asset, tonnes in rows.fetchall():
            sums[account, asset] -= int(tonnes)
            if kind != "withdrawn":
                sums[counter, asset] += int(tonnes)
        return sums

    def _failed(self) -> list[Delivery]:
        rows = self._store.execute(
            f"SELECT {_COLUMNS} FROM deliveries WHERE entry_id = 0 AND state = 'failed'"
            " ORDER BY settlement_seq"
        )
        return [Delivery(*row) for row in rows.fetchall()]

    def _post_if_there(self, found: Delivery, cause: RecordCause | None = None) -> bool:
        """Post a delivery if the tonnes are there, also for those before it; say if it was."""
        books, store = self._books, self._store
        holding = Holding(found.account_index, found.asset_index, Compartment.TRADING)
        if store.balance(holding) - self._needed_before(found) < found.tonnes:
            return False
        kind = EntryKind.WITHDRAWN if found.kind == "withdrawn" else EntryKind.DELIVERED
        ends = (found.account_index, found.counter_index, found.asset_index)
        late = RecordCause(store.last_seq, found.business_date)
        # What arrives may be frozen at once, by entries behind this one.
        entry_id = store.entry_last + 1
        with books.caused_by(cause or late):
            books.move(kind, *ends, found.tonnes, found.reference)
        store.execute(
            "UPDATE deliveries SET state = 'posted', entry_id = ? WHERE settlement_seq = ?",
            (entry_id, found.settlement_seq),
        )
        for follow in books.after_trading:
            follow(found.counter_index, found.asset_index)
        return True

    def _needed_before(self, found: Delivery) -> int:
        """Return what those before it will take from the same place."""
        needed: int = self._store.one(
            f"SELECT coalesce(sum(tonnes), 0) FROM deliveries WHERE {_UNPOSTED}"
            " AND settlement_seq < ? AND account_index = ? AND asset_index = ?",
            (found.settlement_seq, found.account_index, found.asset_index),
        )
        return needed

    def listed(self, first: int = 1, count: int = ALL) -> list[dict[str, Any]]:
        """Return deliveries from a sequence on."""
        rows = self._store.execute(
            "SELECT d.settlement_seq, d.kind, d.business_date, a.account, c.account, p.product,"
            " d.tonnes, d.state FROM deliveries AS d"
            " JOIN accounts AS a ON a.account_index = d.account_index"
            " JOIN accounts AS c ON c.account_index = d.counter_index"
            " JOIN products AS p ON p.product_index = d.asset_index"
            " WHERE d.settlement_seq >= ? ORDER BY d.settlement_seq LIMIT ?",
            (first, count),
        )
        names = ("settlement_seq", "kind", "date", "account", "to", "instrument", "tonnes", "state")
        return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
