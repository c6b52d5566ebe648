"""Comparison of the exchange's settlement records with the tables that follow from them.

Tonnes only: cash that the exchange moves leaves no row here.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np

from cea_exchange.ccer.market.transfers import SEIZED
from cea_exchange.domain.documents.day_totals import day_amount, day_volume
from cea_exchange.domain.records import (
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Phase,
    Reason,
)
from cea_exchange.institution.maintenance.record_tables import STATE_OF_RECORD, RecordTables
from cea_exchange.ledger.double_entry import EntryKind, LedgerError, Trade
from cea_exchange.ledger.store import Store

_NO_TRADES = "deliveries WHERE kind <> 'trade'"
"""Those of trades may be millions; the query `deliveries_once` compares them with the trades."""


def record_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place where a table is not what the records say.

    Notes
    -----
    Rules: CCER-STL-01.
    """
    return _Records(store).differences()


class _Answer(NamedTuple):
    """The venue's answer to a transfer."""

    kind: int
    account_index: int
    asset_index: int
    tonnes: int
    business_date: int
    settlement_seq: int


class _Records(RecordTables):
    """The CCER registry's tables, and the entries of transfers to the exchange."""

    trade_columns = (
        "settlement_seq, trade_id, trading_date, method, buyer_index, seller_index, asset_index,"
        " price, tonnes, cash, buy_fee, sell_fee"
    )
    transfers = "market_transfers"
    tables: ClassVar[dict[str, str]] = {
        "busts": "settlement_seq, trade_seq, reason",
        "day_closes": "trading_date, market_index, settlement_seq",
        "checkpoints": "settlement_seq, trading_date, venue_hash",
        "market_days": "trading_date, opened_seq, closed_seq",
        _NO_TRADES: (
            "settlement_seq, kind, business_date, account_index, counter_index, asset_index, tonnes"
        ),
    }

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        listed = store.all("SELECT market_index, asset_index FROM listings")
        self._listed: dict[int, int] = dict(listed)
        # The record that shows a divergence is kept, and has not closed anything.
        self._diverged_at = 0 if store.state == "ok" else store.last_seq
        self._records: dict[int, _Answer] = {}
        # Day, asset and method -> tonnes and fen of the trades that stand.
        self._tonnes: Counter[tuple[int, ...]] = Counter()
        self._cash: Counter[tuple[int, ...]] = Counter()
        self._totals_wrong: list[str] = []

    def _asset(self, product_index: int) -> int:
        if product_index not in self._listed:
            raise LedgerError(f"product_index: expected a declared one, got {product_index}")
        return self._listed[product_index]

    def _trade(self, figures: tuple[int, ...], stored: Trade | None) -> Iterator[str]:
        yield from super()._trade(figures, stored)
        if stored is not None:
            self._count(stored, 1)

    def _count(self, trade: Trade, sign: int) -> None:
        place = (trade.trading_date, trade.product_index, trade.method)
        self._tonnes[place] += sign * trade.tonnes
        self._cash[place] += sign * trade.cash

    def _busted(self, seq: int, trade: Trade, date: int, reason: int) -> None:
        if reason != Reason.NONE:
            return
        self._count(trade, -1)
        sql = "SELECT state FROM deliveries WHERE settlement_seq = ?"
        if self._store.one(sql, (trade.settlement_seq,)) != "undone":
            ends = (trade.buyer_index, trade.seller_index)
            self._due(seq, "bust", date, *ends, trade.product_index, trade.tonnes)

    def _due(self, *row: Any) -> None:
        self._rows[_NO_TRADES].append(row)

    def _other(self, seq: int, kind: int, row: np.ndarray) -> None:
        if kind == EventKind.DAY_CLOSED:
            if seq == self._diverged_at:
                return
            self._totals(row.view(DAY_CLOSED_DTYPE)[0])
        super()._other(seq, kind, row)
        if kind == EventKind.CHECKPOINT and seq != self._diverged_at:
            checkpoint = row.view(CHECKPOINT_DTYPE)[0]
            if (checkpoint["phase"], checkpoint["trading_date"]) == (Phase.CLOSED, 0):
                days = self._rows["market_days"]
                days[:] = [(date, opened, closed or seq) for date, opened, closed in days]

    def _totals(self, closed: Any) -> None:
        """Compare an instrument's totals of a day with the trades before its close."""
        date = int(closed["trading_date"])
        asset = self._listed.get(int(closed["product_index"]), -1)
        for method in Method:
            venue = day_volume(closed, method), day_amount(closed, method)
            own = self._tonnes[date, asset, method], self._cash[date, asset, method]
            if venue != own:
                self._totals_wrong.append(
                    f"day {date}, {method.name.lower()}: the venue closed with {venue[0]} t for"
                    f" {venue[1]} fen, the trades are {own[0]} t for {own[1]} fen"
                )

    def _moved(self, seq: int, record: Any) -> None:
        kind, date = int(record["kind"]), int(record["trading_date"])
        if kind == EventKind.DAY_OPENED:
            self._rows["market_days"].append((date, seq, 0))
        product = int(record["product_index"])
        if kind not in STATE_OF_RECORD or product == PRODUCT_NONE:
            return  # Cash is the exchange's.
        account, tonnes = int(record["account_index"]), int(record["tonnes"])
        asset = self._listed.get(product, -1)
        answer = _Answer(kind, account, asset, tonnes, date, seq)
        self._answered(seq, record)
        self._records[int(record["client_order_id"])] = answer
        if kind == EventKind.WITHDRAWN:
            self._due(seq, "withdrawn", date, account, account, asset, tonnes)

    def _entries_differ(self) -> Iterator[str]:
        """Yield totals and answers that differ, and entries that no answer caused."""
        yield from self._totals_wrong
        caused = set()
        rows = self._store.all(
            "SELECT transfer_seq, direction, account_index, asset_index, tonnes"
            " FROM market_transfers ORDER BY transfer_seq"
        )
        for transfer_seq, direction, account, asset, tonnes in rows:
            answer = self._records.get(transfer_seq)
            if answer is None:
                continue
            is_rejected = answer.kind == EventKind.TRANSFER_REJECTED
            less_will_do = direction in SEIZED and 0 < answer.tonnes < tonnes
            is_as_asked = answer[1:4] == (account, asset, tonnes) or (
                less_will_do and answer[1:3] == (account, asset)
            )
            if not (is_rejected or is_as_asked):
                name = self._store.account_name
                yield (
                    f"transfer {transfer_seq} of account {name(account)}: the request is for"
                    f" {tonnes} t, the venue's answer says {answer.tonnes} t of account"
                    f" {name(answer.account_index)}"
                )
            if direction == "in":
                kind = EntryKind.TRANSFER_RETURNED if is_rejected else EntryKind.DEPOSITED
                when = (answer.settlement_seq, answer.business_date)
                what = (account, account, asset, tonnes)
                caused.add((f"transfer {transfer_seq}", int(kind), *when, *what))
        posted = self._store.all(
            "SELECT reference, kind, settlement_seq, business_date, account_index, counter_index,"
            " asset_index, amount FROM entries WHERE kind IN (?, ?)",
            (int(EntryKind.DEPOSITED), int(EntryKind.TRANSFER_RETURNED)),
        )
        for row in sorted({*posted} - caused):
            yield f"entry {row}: no answer of the venue caused it"
        for row in sorted(caused - {*posted}):
            yield f"entry {row}: the venue's answer causes it, and it is missing"
