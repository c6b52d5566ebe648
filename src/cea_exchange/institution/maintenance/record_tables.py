"""Compares the venue's settlement records with the tables made of them, record by record.

A record is bytes, which no query reads: what it says of trades, busts, closes, checkpoints and
transfers is taken from it here, and compared with the tables. An institution adds what it alone
makes of records. The queries of its ``audit`` compare the tables with the entries.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from cea_exchange.domain.records import CHECKPOINT_DTYPE, DAY_CLOSED_DTYPE, EventKind
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.ledger.double_entry import LedgerError, Trade, trade_figures, trade_from_figures
from cea_exchange.ledger.store import Store, hash_text

CHUNK_COUNT = 5_000

STATE_OF_RECORD: dict[int, str] = {
    EventKind.DEPOSITED: "completed",
    EventKind.WITHDRAWN: "completed",
    EventKind.TRANSFER_REJECTED: "rejected",
}
"""State of a transfer after the venue's answer, by the kind of the answer."""


class RecordTables(ABC):
    """Rows of each table that the records give, and their differences from the table.

    Attributes
    ----------
    trade_columns
        Of the table `trades`, as fields of `Trade`.
    transfers
        The table of the transfers that the venue answers.
    tables
        Table -> columns that records alone give; all rows of it are compared.
    """

    trade_columns: ClassVar[str]
    transfers: ClassVar[str]
    tables: ClassVar[dict[str, str]]

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in self.tables}
        # Transfer -> its state, reason and settlement sequence.
        self._answers: dict[int, tuple[str, int, int]] = {}

    def differences(self) -> Iterator[str]:
        """Yield a sentence for each place where a table is not what the records say."""
        done = 0
        for records in _chunks(records_from(self._store)):
            last = int(records["settlement_seq"][-1])
            trades = self._trades(done + 1, last)
            said = zip(records["settlement_seq"].tolist(), records["kind"].tolist(), strict=True)
            figures = trade_figures(records)
            for position, (seq, kind) in enumerate(said):
                if seq != done + 1:
                    yield f"settlement record {done + 1} is missing, {seq} comes next"
                done = seq
                if kind == EventKind.TRADE:
                    yield from self._trade(figures[position], trades.pop(seq, None))
                elif kind == EventKind.TRADE_BUSTED:
                    reason = int(records[position]["reason"])
                    yield from self._bust(seq, figures[position], reason)
                else:
                    self._other(seq, kind, records[position : position + 1])
            yield from map(self._without_record, trades.values())
        yield from map(self._without_record, self._trades(done + 1, 2**62).values())
        yield from self._tables_differ()
        yield from self._transfers_differ()
        yield from self._entries_differ()

    # -- what an institution adds -----------------------------------------------------------------

    @abstractmethod
    def _asset(self, product_index: int) -> int:
        """Return the asset that the venue has under a number."""

    @abstractmethod
    def _busted(self, seq: int, trade: Trade, date: int, reason: int) -> None:
        """Keep what a bust of a trade makes, beside its row of `busts`."""

    @abstractmethod
    def _moved(self, seq: int, record: Any) -> None:
        """Keep what another record moves: the answer to a transfer, above all."""

    @abstractmethod
    def _entries_differ(self) -> Iterator[str]:
        """Yield where an entry is not what the records cause."""

    # -- what a record says -----------------------------------------------------------------------

    def _trades(self, first: int, last: int) -> dict[int, Trade]:
        rows = self._store.all(
            f"SELECT {self.trade_columns} FROM trades WHERE settlement_seq BETWEEN ? AND ?",
            (first, last),
        )
        return {row[0]: Trade(*row) for row in rows}

    def _whose(self, trade: Trade) -> str:
        name = self._store.account_name
        parties = f"{name(trade.buyer_index)} and {name(trade.seller_index)}"
        return f"trade {trade.trade_id} of accounts {parties}"

    def _without_record(self, trade: Trade) -> str:
        return f"{self._whose(trade)} has no settlement record"

    def _said(self, figures: tuple[int, ...]) -> Trade:
        """Return the trade of a record; LedgerError: its figures contradict each other."""
        trade = trade_from_figures(figures)
        return trade._replace(product_index=self._asset(trade.product_index))

    def _trade(self, figures: tuple[int, ...], stored: Trade | None) -> Iterator[str]:
        try:
            trade = self._said(figures)
        except LedgerError as error:
            yield f"settlement record {figures[0]}: {error}"
            return
        if trade != stored:
            kept = None if stored is None else tuple(stored)
            yield f"{self._whose(trade)}: its record says {tuple(trade)}, stored is {kept}"

    def _bust(self, seq: int, figures: tuple[int, ...], reason: int) -> Iterator[str]:
        trade_id = figures[1]
        row = self._store.one(
            f"SELECT {self.trade_columns} FROM trades WHERE trade_id = ?", (trade_id,)
        )
        trade = None if row is None else Trade(*row)
        try:
            says = self._said(figures)
        except LedgerError as error:
            yield f"settlement record {seq}: {error}"
            return
        if trade is None or says != trade._replace(
            settlement_seq=seq, trading_date=says.trading_date
        ):
            yield f"settlement record {seq}: bust of trade {trade_id}: expected {trade}, got {says}"
            return
        self._rows["busts"].append((seq, trade.settlement_seq, reason))
        self._busted(seq, trade, says.trading_date, reason)

    def _other(self, seq: int, kind: int, row: np.ndarray) -> None:
        if kind == EventKind.DAY_CLOSED:
            closed = row.view(DAY_CLOSED_DTYPE)[0]
            of_day = (int(closed["trading_date"]), int(closed["product_index"]))
            self._rows["day_closes"].append((*of_day, seq))
        elif kind == EventKind.CHECKPOINT:
            checkpoint = row.view(CHECKPOINT_DTYPE)[0]
            venue_hash = hash_text(int(checkpoint["holdings_hash"]))
            date = int(checkpoint["trading_date"])
            self._rows["checkpoints"].append((seq, date, venue_hash))
        else:
            self._moved(seq, row[0])

    def _answered(self, seq: int, record: Any) -> None:
        """Keep the venue's answer to a transfer, if the record is one."""
        state = STATE_OF_RECORD.get(int(record["kind"]))
        if state is not None:
            transfer_seq = int(record["client_order_id"])
            self._answers[transfer_seq] = (state, int(record["reason"]), seq)

    # -- what the tables say ----------------------------------------------------------------------

    def _tables_differ(self) -> Iterator[str]:
        for table, columns in self.tables.items():
            stored = self._store.all(f"SELECT {columns} FROM {table}")
            odd = sorted({*stored} ^ {*self._rows[table]})
            if odd or len(stored) != len(self._rows[table]):
                yield f"{table} ({columns}): records and table differ in {odd or stored}"

    def _transfers_differ(self) -> Iterator[str]:
        rows = self._store.all(
            "SELECT transfer_seq, account_index, state, reason, settlement_seq"
            f" FROM {self.transfers}"
        )
        for transfer_seq, account, *stored in rows:
            answer = self._answers.get(transfer_seq, ("pending", 0, 0))
            if tuple(stored) != answer:
                yield (
                    f"transfer {transfer_seq} of account {self._store.account_name(account)}: the"
                    f" venue's answer gives {answer}, stored is {tuple(stored)}"
                )


def _chunks(runs: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield records in larger arrays: many runs have one record."""
    waiting: list[np.ndarray] = []
    for run in runs:
        waiting.append(run)
        if sum(map(len, waiting)) >= CHUNK_COUNT:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
