"""Applies the exchange's settlement records to the CCER registry: tonnes only.

A day's trades are received as they come, and delivered after the close, one by one, gross, in the
venue's order. A day is confirmed once its totals agree, its last checkpoint has been compared, and
each of its trades is delivered, or failed and named. Cash and fees are the exchange's.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cea_exchange.ccer.books import Books, RecordCause
from cea_exchange.ccer.market.deliveries import DELIVERY_COUNT_MAX, Deliveries
from cea_exchange.ccer.market.holdings import holdings_hash
from cea_exchange.ccer.market.transfers import SEIZED
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.documents.day_totals import day_amount, day_volume
from cea_exchange.domain.records import (
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Operation,
    Phase,
    Reason,
)
from cea_exchange.institution.venue_link.checkpoints import checkpoint_compare
from cea_exchange.institution.venue_link.settlement_records import record_at, records_keep
from cea_exchange.institution.venue_link.stream_settlement import (
    Diverged,
    PoisonRecord,
    SettlementStopped,
    StreamSettlement,
)
from cea_exchange.ledger.double_entry import (
    EntryKind,
    LedgerError,
    Trade,
    trade_figures,
    trade_from_figures,
)

_TRADE_COLUMNS = (
    "settlement_seq, trade_id, trading_date, method, buyer_index, seller_index, asset_index, price,"
    " tonnes, cash, buy_fee, sell_fee"
)
_TRANSFER_KINDS = frozenset({EventKind.DEPOSITED, EventKind.WITHDRAWN, EventKind.TRANSFER_REJECTED})


class _Transfer(NamedTuple):
    """A row of `market_transfers`, as far as its answer needs it."""

    direction: str
    account_index: int
    asset_index: int
    tonnes: int
    entry_id: int
    state: str


class MarketSettlement(StreamSettlement):
    """Settles the tonnes of the exchange's market; see `StreamSettlement`.

    Parameters
    ----------
    books
        The CCER registry's.
    at_point
        As of `StreamSettlement`, and ``delivery_written``, ``delivery_committed``.

    Notes
    -----
    Rules: CCER-STL-01.
    """

    def __init__(self, books: Books, at_point: Callable[[str], None] = lambda name: None) -> None:
        super().__init__(books.store, at_point)
        self._books = books
        self._deliveries = Deliveries(books)
        self._diverged: Diverged | None = None
        self._takers: dict[int, Callable[[Any, np.ndarray], None]] = {
            EventKind.DEPOSITED: self._transfer_answered,
            EventKind.WITHDRAWN: self._transfer_answered,
            EventKind.TRANSFER_REJECTED: self._transfer_answered,
            EventKind.DAY_OPENED: self._day_opened,
            EventKind.DAY_CLOSED: self._day_closed,
            EventKind.CHECKPOINT: self._checkpoint,
        }

    def _records_post(self, records: np.ndarray) -> tuple[int, SettlementStopped | None]:
        """Take records in, one after the other, until one can't be or shows a difference."""
        self._diverged, count = None, 0
        stopped: SettlementStopped | None = None
        figures = trade_figures(records)
        for position, kind in enumerate(records["kind"].tolist()):
            try:
                with self.store.transaction():
                    self._take(kind, figures[position], records[position : position + 1])
            except (LedgerError, ProgrammeError) as error:
                seq = int(records[position]["settlement_seq"])
                stopped = PoisonRecord(seq, str(error))
                break
            count += 1
            if (stopped := self._diverged) is not None:
                break
        self._deliveries.retry()
        records_keep(self.store, records[:count])
        return count, stopped

    def _take(self, kind: int, figures: Sequence[int], row: np.ndarray) -> None:
        if kind == EventKind.TRADE:
            self._trade(trade_from_figures(figures))
        elif kind == EventKind.TRADE_BUSTED:
            self._trade_busted(trade_from_figures(figures), int(row["reason"][0]))
        elif kind in _TRANSFER_KINDS and int(row["product_index"][0]) == PRODUCT_NONE:
            return  # cash, which is the exchange's
        elif kind in self._takers:
            self._takers[kind](row[0], row)
        else:
            raise LedgerError(f"kind: expected one of the settlement stream's, got {kind}")

    # -- trades -------------------------------------------------------------------------------

    def _trade(self, trade: Trade) -> None:
        """Keep a trade, whose delivery waits for the close."""
        cause = RecordCause(trade.settlement_seq, trade.trading_date)
        for account in (trade.buyer_index, trade.seller_index):
            self._account_check(account)
        trade = trade._replace(product_index=self._asset(trade.product_index))
        self.store.insert(f"trades ({_TRADE_COLUMNS})", [trade])
        ends = (trade.seller_index, trade.buyer_index, trade.product_index)
        self._deliveries.due("trade", cause, *ends, trade.tonnes)

    def _trade_busted(self, busted: Trade, reason: int) -> None:
        """Let a delivery not happen, or go back; one that the venue could not undo is kept only."""
        row = self.store.execute(
            f"SELECT {_TRADE_COLUMNS} FROM trades WHERE trade_id = ?", (busted.trade_id,)
        ).fetchone()
        if row is None:
            raise LedgerError(f"trade_id: expected that of a trade, got {busted.trade_id}")
        trade, seq = Trade(*row), busted.settlement_seq
        repeated = trade._replace(
            settlement_seq=seq, trading_date=busted.trading_date, product_index=-1
        )
        if busted._replace(product_index=-1) != repeated:
            raise LedgerError(f"bust of trade {trade.trade_id}: expected {trade}, got {busted}")
        if self.store.one("SELECT 1 FROM busts WHERE trade_seq = ?", (trade.settlement_seq,)):
            raise LedgerError(f"trade {trade.trade_id} was busted already")
        self.store.insert(
            "busts (settlement_seq, trade_seq, reason)", [(seq, trade.settlement_seq, reason)]
        )
        if reason != Reason.NONE or self._deliveries.undo(trade.settlement_seq):
            return
        ends = (trade.buyer_index, trade.seller_index, trade.product_index)
        cause = RecordCause(seq, busted.trading_date)
        self._deliveries.due("bust", cause, *ends, trade.tonnes)

    def _account_check(self, account_index: int) -> None:
        if self.store.one("SELECT 1 FROM accounts WHERE account_index = ?", (account_index,)):
            return
        raise LedgerError(f"account_index: expected a declared account, got {account_index}")

    def _asset(self, market_index: int) -> int:
        """Return the instrument that the venue has under a number."""
        asset: int | None = self.store.one(
            "SELECT asset_index FROM listings WHERE market_index = ?", (market_index,)
        )
        if asset is None:
            raise LedgerError(f"product_index: expected a declared one, got {market_index}")
        return asset

    # -- transfers ----------------------------------------------------------------------------

    def _transfer_answered(self, record: Any, _row: np.ndarray) -> None:
        """Complete or take back a transfer of tonnes."""
        transfer_seq, seq = int(record["client_order_id"]), int(record["settlement_seq"])
        row = self.store.execute(
            "SELECT direction, account_index, asset_index, tonnes, entry_id, state"
            " FROM market_transfers WHERE transfer_seq = ?",
            (transfer_seq,),
        ).fetchone()
        if row is None:
            raise LedgerError(f"transfer_seq: expected that of a transfer, got {transfer_seq}")
        asked, kind = _Transfer(*row), int(record["kind"])
        is_rejected = kind == EventKind.TRANSFER_REJECTED
        self._answer_check(asked, record, transfer_seq)
        cause = RecordCause(seq, int(record["trading_date"]))
        self.store.execute(
            "UPDATE market_transfers SET state = ?, reason = ?, settlement_seq = ?"
            " WHERE transfer_seq = ?",
            ("rejected" if is_rejected else "completed", int(record["reason"]), seq, transfer_seq),
        )
        if asked.direction == "in":
            back = EntryKind.TRANSFER_RETURNED if is_rejected else EntryKind.DEPOSITED
            ends = (asked.account_index, asked.account_index, asked.asset_index)
            reference = f"transfer {transfer_seq}"
            with self._books.caused_by(cause):
                self._books.move(back, *ends, self._in_transit(asked), reference)
        elif not is_rejected:
            ends = (asked.account_index, asked.account_index, asked.asset_index)
            self._deliveries.due("withdrawn", cause, *ends, int(record["tonnes"]))
        if kind == EventKind.DEPOSITED:
            for follow in self._books.after_trading:
                follow(asked.account_index, asked.asset_index)

    def _answer_check(self, asked: _Transfer, record: Any, transfer_seq: int) -> None:
        """Refuse an answer that is not about what was asked."""
        kind = int(record["kind"])
        is_in = asked.direction == "in"
        operation = Operation.DEPOSIT if is_in else Operation.WITHDRAW
        expected_kinds = (EventKind.DEPOSITED if is_in else EventKind.WITHDRAWN,)
        if kind == EventKind.TRANSFER_REJECTED:
            expected_kinds = (EventKind.TRANSFER_REJECTED,)
            if int(record["command"]) != operation:
                raise LedgerError(f"command: expected {operation}, got {record['command']}")
        if kind not in expected_kinds or asked.state != "pending":
            raise LedgerError(
                f"transfer {transfer_seq}: expected an answer to one that is pending and"
                f" {asked.direction}, got kind {kind} to one that is {asked.state}"
            )
        if kind == EventKind.TRANSFER_REJECTED:
            return
        asset, tonnes = self._asset(int(record["product_index"])), int(record["tonnes"])
        less_will_do = asked.direction in SEIZED and 0 < tonnes < asked.tonnes
        got = (int(record["account_index"]), asset)
        if got != (asked.account_index, asked.asset_index) or not (
            tonnes == asked.tonnes or less_will_do
        ):
            raise LedgerError(
                f"transfer {transfer_seq}: expected {asked.tonnes} t of account"
                f" {asked.account_index}, instrument {asked.asset_index}; got {tonnes} of {got}"
            )

    def _in_transit(self, asked: _Transfer) -> list[Lot]:
        """Return the serials that a transfer set out with; nobody else takes them."""
        rows = self.store.execute(
            "SELECT issue_number, serial_first, serial_last FROM lot_moves WHERE entry_id = ?"
            " ORDER BY move_id",
            (asked.entry_id,),
        )
        return [Lot(*row) for row in rows.fetchall()]

    # -- days and checkpoints -----------------------------------------------------------------

    def _day_opened(self, record: Any, _row: np.ndarray) -> None:
        date, confirmed = int(record["trading_date"]), self.store.confirmed_date
        if date <= confirmed:
            raise LedgerError(f"trading_date: expected one after {confirmed}, got {date}")
        self.store.insert(
            "market_days (trading_date, opened_seq, closed_seq, completed_seq)",
            [(date, int(record["settlement_seq"]), 0, 0)],
        )
        # Nothing is locked yet, and what was bought the day before may leave.
        for follow in self._books.after_opening:
            follow()

    def _day_closed(self, _record: Any, row: np.ndarray) -> None:
        """Compare an instrument's totals of the day with its trades."""
        closed = row.view(DAY_CLOSED_DTYPE)[0]
        seq, date = int(closed["settlement_seq"]), int(closed["trading_date"])
        market_index = int(closed["product_index"])
        asset = self._asset(market_index)
        for method in Method:
            venue = day_volume(closed, method), day_amount(closed, method)
            own = self._totals(date, asset, method)
            if venue != own:
                self._diverge(
                    f"at seq {seq} of {date} in {self.store.asset_name(asset)}"
                    f" {method.name.lower()}: venue traded {venue[0]} t for {venue[1]} fen,"
                    f" its trades are {own[0]} t for {own[1]} fen"
                )
                return
        self.store.insert(
            "day_closes (trading_date, market_index, settlement_seq)", [(date, market_index, seq)]
        )

    def _totals(self, date: int, asset: int, method: int) -> tuple[int, int]:
        # In halves: a day's amount may exceed 64 bits, where SQLite's sum() fails.
        tonnes, high, low = self.store.one(
            "SELECT coalesce(sum(t.tonnes), 0), coalesce(sum(t.cash >> 32), 0),"
            " coalesce(sum(t.cash & 4294967295), 0) FROM trades AS t"
            " LEFT JOIN busts AS b ON b.trade_seq = t.settlement_seq AND b.reason = 0"
            " WHERE t.trading_date = ? AND t.asset_index = ? AND t.method = ?"
            " AND b.trade_seq IS NULL",
            (date, asset, int(method)),
        )
        return int(tonnes), (int(high) << 32) + int(low)

    def _checkpoint(self, _record: Any, row: np.ndarray) -> None:
        """Compare the venue's hash with that of the tonnes here, at this same sequence."""
        checkpoint = row.view(CHECKPOINT_DTYPE)[0]
        held = holdings_hash(self.store, self._deliveries)
        why = checkpoint_compare(self.store, checkpoint, held)
        if why:
            self._diverge(why)
            return
        if int(checkpoint["phase"]) == Phase.CLOSED and int(checkpoint["trading_date"]) == 0:
            self._day_over(int(checkpoint["settlement_seq"]))

    def _day_over(self, seq: int) -> None:
        """Begin to deliver the trades before a checkpoint between two days."""
        self.store.execute("UPDATE market_days SET closed_seq = ? WHERE closed_seq = 0", (seq,))

    def _diverge(self, why: str) -> None:
        state = f"diverged: {why}"
        self.store.execute("UPDATE meta SET state = ?", (state,))
        self._diverged = Diverged(state)

    def reconsider(self) -> str:
        """Look at a divergence again, after somebody mended its cause; return the state."""
        if self.store.state == "ok":
            return "ok"
        with self.store.transaction(act_id=0):
            seq = self.store.last_seq
            row = record_at(self.store, seq)
            if row is not None and int(row[0]["kind"]) in (
                EventKind.CHECKPOINT,
                EventKind.DAY_CLOSED,
            ):
                self.store.execute("DELETE FROM checkpoints WHERE settlement_seq = ?", (seq,))
                self.store.execute("UPDATE meta SET state = 'ok'")
                self._take(int(row[0]["kind"]), (), row)
        return self.store.state

    # -- delivery -----------------------------------------------------------------------------

    def settle_batch(self, count_max: int = DELIVERY_COUNT_MAX) -> bool:
        """Post some of the trades of days that are over; confirm a day behind its last."""
        store = self.store
        due = store.execute(
            "SELECT trading_date, closed_seq FROM market_days"
            " WHERE closed_seq > 0 AND completed_seq = 0 ORDER BY trading_date LIMIT 1"
        ).fetchone()
        if due is None or store.state != "ok":
            return False
        date, until_seq = due
        with store.transaction(act_id=0):
            if self._deliveries.some(until_seq, count_max):
                store.execute(
                    "UPDATE market_days SET completed_seq = ? WHERE trading_date = ?",
                    (store.last_seq, date),
                )
                store.execute("UPDATE meta SET confirmed_date = ?", (date,))
            self._at_point("delivery_written")
        self._at_point("delivery_committed")
        return True
