"""Post what waited: the trades of a closed day one by one, gross, and failed ones when they can be.

::

    received ---- the day has closed, its totals agree ----> settled, or failed
    failed   ---- its cause is gone -----------------------> settled

A batch is settled in many transactions, each of some thousands of trades in the venue's order, so
a kill costs the last of them only. The last one confirms the day.
"""

from collections.abc import Callable, Iterable
from operator import itemgetter

import numpy as np

from cea_exchange.ledger.double_entry import LedgerError, Trade, trade_legs
from cea_exchange.ledger.store import Store
from cea_exchange.registry.settlement.bulk_posting import stretch_end, trades_post_late
from cea_exchange.registry.settlement.failures import (
    Failure,
    FailureOf,
    Obstacles,
    default_end,
    default_open,
)
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS
from cea_exchange.registry.settlement.statement_days import statements_issue
from cea_exchange.registry.settlement.trade_posting import postponed_post, trade_post

BATCH_TRADES_MAX = 4_096
"""Trades in one transaction."""


_PARTIES = tuple(map(Trade._fields.index, ("buyer_index", "seller_index", "product_index")))


class BatchStopped(Exception):
    """A trade of the venue can't be settled; nothing after it was."""


class BatchSettlement:
    """Posts into a store what was received before.

    Parameters
    ----------
    at_point
        Called with ``batch_written`` and ``batch_committed``; tests kill the process there.
    failure_of
        See `Settlement`.
    is_ready
        Asked whether a day may be settled, trades up to a sequence; the bank may have to answer
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

    def some(self, count_max: int = BATCH_TRADES_MAX) -> bool:
        """Deliver some trades of the oldest day that is due, and confirm it behind its last.

        Returns whether there is more to settle.

        Raises BatchStopped: a trade lacks what no other would bring. Nothing of this part was
        posted.

        Rules: CEA-STL-03 (confirmed when all of it is settled or failed), CEA-STL-05.
        """
        store = self._store
        due = store.one(
            "SELECT trading_date, settlement_seq FROM deliveries WHERE completed_seq = 0"
            " ORDER BY trading_date LIMIT 1"
        )
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
                store.change("deliveries", {"trading_date": date}, completed_seq=store.last_seq)
                store.execute("UPDATE meta SET confirmed_date = ?", (date,))
                statements_issue(store, date)
            self._at_point("batch_written")
        self._done_seq = done_seq
        self._at_point("batch_committed")
        return done_seq < until or self._is_due()

    def retry(self) -> list[int]:
        """Post failed trades, and what waits for them, whose cause is gone; one transaction.

        Returns the ids of the trades that are settled now.

        Rules: CEA-STL-07 (a failed trade is posted when it can be).
        """
        settled: list[int] = []
        # Where no act asks for it, it is their records that cause the entries.
        with self._store.transaction(act_id=0 if self._store.act_id is None else None):
            self._obstacles.refresh()
            # What comes later may bring what an earlier one waits for.
            while any([self._again(*each, settled) for each in self._waiting()]):  # noqa: C419
                pass
        return settled

    def _waiting(self) -> list[tuple[int, Trade | None, str]]:
        """Return what waits, in its order: failed trades with their failure, what was postponed.

        What lies behind trades that are still to be settled is looked at in its turn.
        """
        store = self._store
        first_received = store.one(
            "SELECT min(settlement_seq) FROM trades WHERE state <> 'settled' AND state = 'received'"
        )
        until = store.last_seq if first_received is None else first_received - 1
        rows = store.all(
            f"SELECT {TRADE_COLUMNS}, failure FROM trades"
            " WHERE state <> 'settled' AND state = 'failed' AND settlement_seq <= ?",
            (until,),
        )
        failed = [(seq, Trade(seq, *terms), failure) for seq, *terms, failure in rows]
        postponed = [(seq, None, "") for seq in self._postponed(until)]
        return sorted([*failed, *postponed], key=itemgetter(0))

    def _again(self, seq: int, trade: Trade | None, why: str, settled: list[int]) -> bool:
        """Post what waited, if it can be; say whether it was."""
        if trade is None:
            return self._postponed_post(seq)
        failure = self._post(trade)
        if failure is not None:
            if failure.why != why:
                self._fails_otherwise(trade, failure)
            return False
        settled.append(trade.trade_id)
        default_end(self._store, seq, "cured", trade.trading_date)
        return True

    def _fails_otherwise(self, trade: Trade, failure: Failure) -> None:
        """Say why a trade fails now; who has to make it good gets to know, if nobody had to."""
        store, seq = self._store, trade.settlement_seq
        store.change("trades", {"settlement_seq": seq}, failure=failure.why)
        if not store.has("defaults", trade_seq=seq):
            default_open(store, trade, failure, max(trade.trading_date, store.confirmed_date))

    def _postponed_post(self, seq: int) -> bool:
        if not postponed_post(self._store, seq, self._obstacles.waiting):
            return False
        # A court may have taken what has arrived.
        self._obstacles.asked_refresh()
        return True

    def post_covered(self, trade_seq: int) -> str:
        """Post a failed trade whose cash another has paid, within a transaction.

        Returns what is lacking, of trades before it; empty if it is posted, or was.
        """
        *terms, posted_seq = self._store.one(
            f"SELECT {TRADE_COLUMNS}, posted_seq FROM trades WHERE settlement_seq = ?",
            (trade_seq,),
        )
        if posted_seq:
            return ""
        self._obstacles.refresh()
        failure = self._post_unhindered(Trade(*terms))
        return "" if failure is None else failure.why

    def _is_due(self) -> bool:
        return self._store.one("SELECT 1 FROM deliveries WHERE completed_seq = 0") is not None

    def _part_post(self, until: int, count_max: int) -> int:
        """Post what comes next, trades and what was postponed; return up to where."""
        rows = self._store.all(
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE settlement_seq > ? AND settlement_seq <= ?"
            " AND state = 'received' ORDER BY settlement_seq LIMIT ?",
            (self._done_seq, until, count_max),
        )
        trades = np.array(rows, np.int64).reshape(len(rows), len(Trade._fields))
        horizon = int(trades[-1, 0]) if len(rows) == count_max else until
        first = 0
        for seq in self._postponed(horizon, after=self._done_seq):
            end = int(np.searchsorted(trades[:, 0], seq))
            self._trades_post(trades[first:end])
            self._postponed_post(seq)
            first = end
        self._trades_post(trades[first:])
        return horizon

    def _postponed(self, until: int, *, after: int = 0) -> Iterable[int]:
        return self._store.column(
            "SELECT DISTINCT settlement_seq FROM postponed WHERE posted_seq = 0"
            " AND settlement_seq > ? AND settlement_seq <= ? ORDER BY settlement_seq",
            (after, until),
        )

    def _trades_post(self, trades: np.ndarray) -> None:
        """Post trades at once, or where one is to be looked at by itself, one after the other."""
        first, waiting = 0, self._obstacles.waiting
        is_clear = self._are_clear(trades)
        while first < len(trades):
            end = stretch_end(is_clear, first)
            is_plain = is_clear[first] and not self._obstacles.is_asked_of_all
            if not (is_plain and trades_post_late(self._store, trades[first:end])):
                changes = waiting.changes
                self._one_by_one(trades[first:end])
                if changes != waiting.changes:
                    is_clear[end:] = self._are_clear(trades[end:])
            first = end

    def _are_clear(self, trades: np.ndarray) -> np.ndarray:
        buyers, sellers, products = (trades[:, column] for column in _PARTIES)
        before = int(trades[-1, 0]) if len(trades) else None
        return self._obstacles.are_clear(buyers, sellers, products, before)

    def _one_by_one(self, trades: np.ndarray) -> None:
        for row in trades.tolist():
            trade = Trade(*row)
            failure = self._post(trade)
            if failure is not None:
                self._store.execute(
                    "UPDATE trades SET state = 'failed', failure = ? WHERE settlement_seq = ?",
                    (failure.why, trade.settlement_seq),
                )
                self._store.unposted_changes += 1
                self._obstacles.waiting.add(trade.settlement_seq, trade_legs(trade))
                default_open(self._store, trade, failure, trade.trading_date)

    def _post(self, trade: Trade) -> Failure | None:
        """Post one trade late; return why it can't be, None if it was."""
        failure = self._obstacles.of(trade)
        if failure is not None:
            return failure
        return self._post_unhindered(trade)

    def _post_unhindered(self, trade: Trade) -> Failure | None:
        """Post one trade late, whatever courts and the bank say; return what it lacks."""
        seq, now = trade.settlement_seq, self._store.last_seq
        waiting, reference = self._obstacles.waiting, f"trade {seq}"
        try:
            lacking = trade_post(
                self._store, trade, waiting, settlement_seq=now, reference=reference
            )
        except LedgerError as error:
            raise BatchStopped(f"settlement of trade {trade.trade_id}: {error}") from None
        if lacking is not None:
            return self._obstacles.lack(lacking, trade)
        state = self._store.find("trades", "state", settlement_seq=seq)
        if state == "failed":
            waiting.remove(seq, trade_legs(trade))
        self._store.unposted_changes += 1
        self._store.change("trades", {"settlement_seq": seq}, state="settled", posted_seq=now)
        return None
