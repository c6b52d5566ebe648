"""Post what waited: the trades of a closed day one by one, gross, and failed ones when they can be.

::

    received ---- the day has closed, its totals agree ----> settled, or failed
    failed   ---- its cause is gone -----------------------> settled

A delivery is many transactions, each of some thousands of trades in the venue's order, so a kill
costs the last of them only. The last one confirms the day.
"""

from collections.abc import Callable, Iterable

import numpy as np

from cea_exchange.registry.failures import (
    Failure,
    FailureOf,
    Obstacles,
    default_end,
    default_open,
)
from cea_exchange.registry.holdings_hash import TRADE_COLUMNS
from cea_exchange.registry.ledger import LedgerError, Trade
from cea_exchange.registry.statement_days import statements_issue
from cea_exchange.registry.store import Store
from cea_exchange.registry.trade_posting import postponed_post, trade_post
from cea_exchange.registry.trade_runs import stretches, trades_post_late

DELIVERY_COUNT_MAX = 4_096
"""Trades in one transaction."""


_PARTIES = tuple(map(Trade._fields.index, ("buyer_index", "seller_index", "product_index")))


class DeliveryStopped(Exception):
    """A trade can't be delivered that the venue has made; nothing after it was."""


class Delivery:
    """Posts into a store what was received before.

    Parameters
    ----------
    store
        Open for writing.
    at_point
        Called with ``delivery_written`` and ``delivery_committed``; tests kill the process there.
    failure_of
        See `Settlement`.
    is_ready
        Asked whether a day may be delivered, trades up to a sequence; the bank may have to answer
        first.
    """

    def __init__(
        self,
        store: Store,
        at_point: Callable[[str], None] = lambda name: None,
        failure_of: FailureOf | None = None,
        is_ready: Callable[[int], bool] = lambda until_seq: True,
    ) -> None:
        self._store = store
        self._at_point = at_point
        self._obstacles = Obstacles(store, failure_of)
        self._is_ready = is_ready
        self._until, self._done_seq = 0, 0

    def some(self, count_max: int = DELIVERY_COUNT_MAX) -> bool:
        """Deliver some trades of the oldest day that is due, and confirm it behind its last.

        Returns
        -------
        bool
            Whether there is more to deliver.

        Raises
        ------
        DeliveryStopped
            A trade lacks what no other would bring. Nothing of this part was posted.

        Notes
        -----
        Rules: CEA-STL-03 (confirmed when all of it is settled or failed), CEA-STL-05.
        """
        store = self._store
        due = store.execute(
            "SELECT trading_date, settlement_seq FROM deliveries WHERE completed_seq = 0"
            " ORDER BY trading_date LIMIT 1"
        ).fetchone()
        if due is None:
            return False
        date, until = due
        if not self._is_ready(until):
            return False
        if until != self._until:
            self._until, self._done_seq = until, 0
        with store.transaction(act_id=0):
            self._obstacles.refresh()
            done_seq = self._part_post(until, count_max)
            if done_seq == until:
                store.execute(
                    "UPDATE deliveries SET completed_seq = ? WHERE trading_date = ?",
                    (store.last_seq, date),
                )
                store.execute("UPDATE meta SET confirmed_date = ?", (date,))
                statements_issue(store, date)
            self._at_point("delivery_written")
        self._done_seq = done_seq
        self._at_point("delivery_committed")
        return done_seq < until or self._is_due()

    def retry(self) -> list[int]:
        """Post failed trades, and what waits for them, whose cause is gone; one transaction.

        Returns
        -------
        list of int
            The ids of the trades that are settled now.

        Notes
        -----
        Rules: CEA-STL-07 (a failed trade is posted when it can be).
        """
        store = self._store
        settled = []
        with store.transaction():
            self._obstacles.refresh()
            trades = [
                Trade(*row)
                for row in store.execute(
                    f"SELECT {TRADE_COLUMNS} FROM trades WHERE failure <> '' AND state = 'failed'"
                ).fetchall()
            ]
            waiting: dict[int, Trade | None] = dict.fromkeys(self._postponed(store.last_seq))
            waiting |= {trade.settlement_seq: trade for trade in trades}
            for seq, trade in sorted(waiting.items()):
                if trade is None:
                    postponed_post(store, seq)
                elif self._post(trade) is None:
                    settled.append(trade.trade_id)
                    default_end(store, seq, "cured", trade.trading_date)
        return settled

    def post_covered(self, trade_seq: int) -> str:
        """Post a failed trade whose cash another has paid, within a transaction.

        Returns
        -------
        str
            What is lacking, of trades before it; empty if it is posted, or was.
        """
        *terms, posted_seq = self._store.one(
            f"SELECT {TRADE_COLUMNS}, posted_seq FROM trades WHERE settlement_seq = ?",
            (trade_seq,),
        )
        return "" if posted_seq else self._post_unhindered(Trade(*terms))

    def _is_due(self) -> bool:
        return self._store.one("SELECT 1 FROM deliveries WHERE completed_seq = 0") is not None

    def _part_post(self, until: int, count_max: int) -> int:
        """Post what comes next, trades and what was postponed; return up to where."""
        rows = self._store.execute(
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE settlement_seq > ? AND settlement_seq <= ?"
            " AND state = 'received' ORDER BY settlement_seq LIMIT ?",
            (self._done_seq, until, count_max),
        ).fetchall()
        trades = np.array(rows, np.int64).reshape(len(rows), len(Trade._fields))
        horizon = int(trades[-1, 0]) if len(rows) == count_max else until
        first = 0
        for seq in self._postponed(horizon, after=self._done_seq):
            end = int(np.searchsorted(trades[:, 0], seq))
            self._trades_post(trades[first:end])
            postponed_post(self._store, seq)
            first = end
        self._trades_post(trades[first:])
        return horizon

    def _postponed(self, until: int, *, after: int = 0) -> Iterable[int]:
        rows = self._store.execute(
            "SELECT DISTINCT settlement_seq FROM postponed WHERE posted_seq = 0"
            " AND settlement_seq > ? AND settlement_seq <= ? ORDER BY settlement_seq",
            (after, until),
        )
        return [seq for (seq,) in rows.fetchall()]

    def _trades_post(self, trades: np.ndarray) -> None:
        """Post trades at once, or where one is to be looked at by itself, one after the other."""
        if not len(trades):
            return
        is_clear = self._obstacles.are_clear(*(trades[:, column] for column in _PARTIES))
        for first, end in stretches(is_clear):
            is_plain = is_clear[first] and not self._obstacles.is_asked_of_all
            if not (is_plain and trades_post_late(self._store, trades[first:end])):
                self._one_by_one(trades[first:end])

    def _one_by_one(self, trades: np.ndarray) -> None:
        for row in trades.tolist():
            trade = Trade(*row)
            failure = self._post(trade)
            if failure is not None:
                self._store.execute(
                    "UPDATE trades SET state = 'failed', failure = ? WHERE settlement_seq = ?",
                    (failure.why, trade.settlement_seq),
                )
                default_open(self._store, trade, failure, trade.trading_date)

    def _post(self, trade: Trade) -> Failure | None:
        """Post one trade late; return why it can't be, None if it was."""
        failure = self._obstacles.of(trade)
        if failure is not None:
            return failure
        lacking = self._post_unhindered(trade)
        return Failure(lacking) if lacking else None

    def _post_unhindered(self, trade: Trade) -> str:
        seq, now = trade.settlement_seq, self._store.last_seq
        try:
            lacking = trade_post(self._store, trade, settlement_seq=now, reference=f"trade {seq}")
        except LedgerError as error:
            raise DeliveryStopped(f"delivery of trade {trade.trade_id}: {error}") from None
        if not lacking:
            self._store.unposted_changes += 1
            self._store.execute(
                "UPDATE trades SET state = 'settled', posted_seq = ? WHERE settlement_seq = ?",
                (now, seq),
            )
        return lacking
