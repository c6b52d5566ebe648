"""Compares the venue's settlement records with the tables made of them, record by record.

A record is bytes, which no query reads: what it says of trades, busts, closes, checkpoints and
transfers is taken from it here, and compared with the tables. Whether those are what was posted is
asked by the queries of `audit`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from cea_exchange.domain.records import (
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    EventKind,
    Operation,
    Reason,
)
from cea_exchange.institution.venue_link.settlement_records import records_from
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    Compartment,
    EntryKind,
    LedgerError,
    Trade,
    bust_claims,
    trade_figures,
    trade_from_figures,
)
from cea_exchange.ledger.store import Store, hash_text
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS

CHUNK_COUNT = 5_000

# A refused withdrawal has no entry: nothing had moved.
_ENTRY_OF_RECORD: dict[tuple[int, int], EntryKind] = {
    (EventKind.DEPOSITED, Operation.NONE): EntryKind.DEPOSITED,
    (EventKind.WITHDRAWN, Operation.NONE): EntryKind.WITHDRAWN,
    (EventKind.TRANSFER_REJECTED, Operation.DEPOSIT): EntryKind.TRANSFER_RETURNED,
}
_STATE_OF_RECORD: dict[int, str] = {
    EventKind.DEPOSITED: "completed",
    EventKind.WITHDRAWN: "completed",
    EventKind.TRANSFER_REJECTED: "rejected",
}
_TABLES = {
    "busts": "settlement_seq, trade_seq, reason",
    "claims": "settlement_seq, trade_id, debtor_index, creditor_index, asset_index, amount",
    "day_closes": "trading_date, product_index, settlement_seq",
    "checkpoints": "settlement_seq, venue_hash",
}


def record_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place where a table is not what the records say.

    Rules: CEA-STL-01, CEA-STL-02.
    """
    return _Records(store).differences()


class _Records:
    """What the records say of each table, and what of it is otherwise."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _TABLES}
        # Transfer -> its state, reason and settlement sequence.
        self._answers: dict[int, tuple[str, int, int]] = {}
        # Settlement sequence -> kind, account, asset, amount and day of the entry that it causes.
        self._causes: dict[int, tuple[int, ...]] = {}

    def differences(self) -> Iterator[str]:
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

    def _trades(self, first: int, last: int) -> dict[int, Trade]:
        rows = self._store.all(
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE settlement_seq BETWEEN ? AND ?",
            (first, last),
        )
        return {row[0]: Trade(*row) for row in rows}

    def _whose(self, trade: Trade) -> str:
        name = self._store.account_name
        parties = f"{name(trade.buyer_index)} and {name(trade.seller_index)}"
        return f"trade {trade.trade_id} of accounts {parties}"

    def _without_record(self, trade: Trade) -> str:
        return f"{self._whose(trade)} has no settlement record"

    # -- what a record says -----------------------------------------------------------------------

    def _trade(self, figures: tuple[int, ...], stored: Trade | None) -> Iterator[str]:
        try:
            trade = trade_from_figures(figures)
        except LedgerError as error:
            yield f"settlement record {figures[0]}: {error}"
            return
        if trade != stored:
            kept = None if stored is None else tuple(stored)
            yield f"{self._whose(trade)}: its record says {tuple(trade)}, stored is {kept}"

    def _bust(self, seq: int, figures: tuple[int, ...], reason: int) -> Iterator[str]:
        trade_id = figures[1]
        row = self._store.one(f"SELECT {TRADE_COLUMNS} FROM trades WHERE trade_id = ?", (trade_id,))
        trade = None if row is None else Trade(*row)
        try:
            says = trade_from_figures(figures)
        except LedgerError as error:
            yield f"settlement record {seq}: {error}"
            return
        if trade is None or says != trade._replace(
            settlement_seq=seq, trading_date=says.trading_date
        ):
            yield f"settlement record {seq}: bust of trade {trade_id}: expected {trade}, got {says}"
            return
        self._rows["busts"].append((seq, trade.settlement_seq, reason))
        if reason != Reason.NONE:
            claims = bust_claims(trade)
            self._rows["claims"] += [(seq, trade_id, *map(int, claim)) for claim in claims]

    def _other(self, seq: int, kind: int, row: np.ndarray) -> None:
        if kind == EventKind.DAY_CLOSED:
            closed = row.view(DAY_CLOSED_DTYPE)[0]
            of_day = (int(closed["trading_date"]), int(closed["product_index"]))
            self._rows["day_closes"].append((*of_day, seq))
        elif kind == EventKind.CHECKPOINT:
            checkpoint = row.view(CHECKPOINT_DTYPE)[0]
            self._rows["checkpoints"].append((seq, hash_text(int(checkpoint["holdings_hash"]))))
        else:
            self._transfer(seq, row[0])

    def _transfer(self, seq: int, record: Any) -> None:
        state = _STATE_OF_RECORD.get(int(record["kind"]))
        if state is not None:
            transfer_seq = int(record["client_order_id"])
            self._answers[transfer_seq] = (state, int(record["reason"]), seq)
        kind = _ENTRY_OF_RECORD.get((int(record["kind"]), int(record["command"])))
        if kind is None:
            return
        asset = int(record["product_index"])
        amount = int(record["cash"] if asset == CASH_ASSET else record["tonnes"])
        date = int(record["trading_date"])
        self._causes[seq] = (int(kind), int(record["account_index"]), asset, amount, date)

    # -- what the tables say ----------------------------------------------------------------------

    def _tables_differ(self) -> Iterator[str]:
        for table, columns in _TABLES.items():
            stored = self._store.all(f"SELECT {columns} FROM {table}")
            odd = sorted({*stored} ^ {*self._rows[table]})
            if odd or len(stored) != len(self._rows[table]):
                yield f"{table} ({columns}): records and table differ in {odd or stored}"

    def _transfers_differ(self) -> Iterator[str]:
        rows = self._store.all(
            "SELECT transfer_seq, account_index, state, reason, settlement_seq FROM transfers"
        )
        for transfer_seq, account, *stored in rows:
            answer = self._answers.get(transfer_seq, ("pending", 0, 0))
            if tuple(stored) != answer:
                yield (
                    f"transfer {transfer_seq} of account {self._store.account_name(account)}: the"
                    f" venue's answer gives {answer}, stored is {tuple(stored)}"
                )

    def _entries_differ(self) -> Iterator[str]:
        """Each deposit, return and withdrawal has its entry: at once, or once it need not wait."""
        waits: dict[int, int] = dict(
            self._store.all(
                "SELECT settlement_seq, max(posted_seq) FROM postponed WHERE kind = ?"
                " GROUP BY settlement_seq",
                (int(EntryKind.WITHDRAWN),),
            )
        )
        rows = self._store.all(
            "SELECT settlement_seq, account_index, asset_index, amount FROM postponed"
            " WHERE kind = ? AND compartment = ?",
            (int(EntryKind.WITHDRAWN), int(Compartment.REGISTRATION)),
        )
        for seq, account, *what in rows:
            if self._causes.get(seq, ())[:4] != (EntryKind.WITHDRAWN, account, *what):
                name = self._store.account_name(account)
                yield f"record {seq} is postponed: there is no such withdrawal of account {name}"
        kinds = ", ".join(str(int(kind)) for kind in _ENTRY_OF_RECORD.values())
        entries = self._store.database.stream(
            "SELECT entry_id, settlement_seq, reference, kind, account_index, asset_index, amount,"
            f" business_date FROM entries WHERE kind IN ({kinds}) ORDER BY entry_id"
        )
        for entry_id, settlement_seq, reference, *entry in entries:
            seq = int(reference.split()[-1]) if reference else settlement_seq
            is_due = waits.get(seq, seq) == settlement_seq
            if self._causes.pop(seq, None) != tuple(entry) or not is_due:
                yield (
                    f"entry {entry_id} at seq {settlement_seq}: no such record, or it is settled"
                    f" twice; account {self._store.account_name(entry[1])}"
                )
        for seq, (_kind, account, *_rest) in self._causes.items():
            if waits.get(seq) != 0:
                name = self._store.account_name(account)
                yield f"record {seq} was never posted: account {name}"


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
