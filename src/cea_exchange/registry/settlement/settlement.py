"""Apply the venue's settlement records to the registry's accounts; see `StreamSettlement`.

Trades are posted as they come, or received and posted when the day has closed (`batch_settlement`).
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from cea_exchange.domain.documents.day_totals import day_amount, day_volume
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    PRODUCT_NONE,
    EventKind,
    Method,
    Operation,
    Phase,
    Reason,
    Side,
)
from cea_exchange.institution.venue_link.checkpoints import checkpoint_compare
from cea_exchange.institution.venue_link.settlement_records import record_at, records_keep
from cea_exchange.institution.venue_link.stream_settlement import (
    SEQ_LIMIT,
    Diverged,
    PoisonRecord,
    SettlementStopped,
    StreamSettlement,
)
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    EntryKind,
    LedgerError,
    Posting,
    Trade,
    bust_claims,
    bust_legs,
    legs_of,
    trade_figures,
    trade_from_figures,
    trade_legs,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.enforcement.arrivals import SEIZED, Arrivals
from cea_exchange.registry.enforcement.freezes import Place
from cea_exchange.registry.settlement.batch_settlement import (
    BATCH_TRADES_MAX,
    BatchSettlement,
    BatchStopped,
)
from cea_exchange.registry.settlement.bulk_posting import stretch_end, trades_post, trades_receive
from cea_exchange.registry.settlement.failures import (
    Failure,
    FailureOf,
    Obstacles,
    default_end,
    default_open,
)
from cea_exchange.registry.settlement.holdings_hash import (
    TRADE_COLUMNS,
    Unposted,
    holdings_hash,
    holdings_hash_in_memory,
)
from cea_exchange.registry.settlement.statement_days import statements_accept, statements_issue
from cea_exchange.registry.settlement.trade_posting import possible_check, postpone, trade_post
from cea_exchange.registry.settlement.waiting import Received

SettlementMode = Literal["realtime", "end_of_day"]
"""When trades are posted: as they come, or after the close."""


class Settlement(StreamSettlement):
    """Settles into a store.

    Parameters
    ----------
    at_point
        Called with the name of each point at which a crash is of interest: ``postings_written``,
        ``last_seq_written``, ``committed``, ``batch_written``, ``batch_committed``. Tests
        kill the process there.
    failure_of
        Says why a trade's cash can't be had (the bank refuses), or None; courts' orders are looked
        at in any case. Such a trade is received and failed; it goes the default path.
    mode
        ``realtime`` posts a trade when it is received, ``end_of_day`` in `settle_batch`. Where
        trades are still to be settled, those that come after them wait too, whatever the mode.
    is_ready
        Asked in `settle_batch` whether the trades up to a sequence may be: the bank has answered.
    """

    def __init__(
        self,
        store: Store,
        at_point: Callable[[str], None] = lambda name: None,
        failure_of: FailureOf | None = None,
        mode: SettlementMode = "realtime",
        is_ready: Callable[[int], bool] = lambda until_seq: True,
    ) -> None:
        super().__init__(store, at_point)
        self.batches = BatchSettlement(store, at_point, failure_of, is_ready)
        self._obstacles = Obstacles(store, failure_of)
        self._unposted = Unposted(store)
        self._received = Received(store)
        self._mode = mode

    def settle_batch(self, count_max: int = BATCH_TRADES_MAX) -> bool:
        """Post some of the trades of closed days that wait; say whether there are more.

        Raises SettlementStopped: one of them can't be; nothing of this part was posted.
        """
        try:
            return self.batches.some(count_max)
        except BatchStopped as error:
            raise SettlementStopped(str(error)) from None

    def _records_post(self, records: np.ndarray) -> tuple[int, SettlementStopped | None]:
        """Write what the records say; return how many were applied, and what stopped the rest."""
        run = self._run()
        stopped: SettlementStopped | None = None
        plain, first = run.are_plain_trades(records), 0
        while first < len(records) and stopped is None:
            end = stretch_end(plain, first)
            stretch = records[first:end]
            if not (plain[first] and run.take_trades(stretch)):
                changes = self._obstacles.waiting.changes
                stopped = self._one_by_one(run, stretch)
                if changes != self._obstacles.waiting.changes:
                    plain[end:] = run.are_plain_trades(records[end:])
            first = end
        records_keep(self.store, records[: run.count])
        return run.count, stopped

    def _one_by_one(self, run: "_Run", records: np.ndarray) -> SettlementStopped | None:
        """Take records in until one can't be."""
        kinds, figures = records["kind"].tolist(), trade_figures(records)
        for position, kind in enumerate(kinds):
            try:
                run.take(kind, figures[position], records[position : position + 1])
            except LedgerError as error:
                return PoisonRecord(int(records[position]["settlement_seq"]), str(error))
            if run.diverged is not None:
                return run.diverged
        return None

    def reconsider(self) -> str:
        """Look at a divergence again, after somebody mended its cause; return the state.

        The record that showed it is compared anew. Only if it agrees now does the line go on.
        """
        if self.store.state == "ok":
            return "ok"
        with self.store.transaction(act_id=0):
            seq = self.store.last_seq
            row = record_at(self.store, seq)
            if row is None:
                return self.store.state
            kind = int(row[0]["kind"])
            if kind in (EventKind.CHECKPOINT, EventKind.DAY_CLOSED):
                self.store.execute("DELETE FROM checkpoints WHERE settlement_seq = ?", (seq,))
                self.store.execute("UPDATE meta SET state = 'ok'")
                self._run(reads_postings=True).take(kind, (), row)
        return self.store.state

    def _run(self, *, reads_postings: bool = False) -> "_Run":
        return _Run(
            self.store,
            self._obstacles,
            self._unposted,
            self._received,
            self._mode,
            reads_postings=reads_postings,
        )


class _Run:
    """One transaction's worth of records, being taken in one after the other."""

    def __init__(
        self,
        store: Store,
        obstacles: Obstacles,
        unposted: Unposted,
        received: Received,
        mode: SettlementMode,
        *,
        reads_postings: bool,
    ) -> None:
        self.count = 0
        self.diverged: Diverged | None = None
        self._store = store
        self._obstacles = obstacles
        self._unposted = unposted
        self._reads_postings = reads_postings
        self._arrivals = Arrivals(store)
        self._wanted: set[Place] = set()
        obstacles.refresh()
        self._look_again()
        self._account_count = 1 + store.one(
            "SELECT coalesce(max(account_index), -1) FROM accounts WHERE account_index >= 0"
        )
        self._product_count = store.one("SELECT count(*) FROM products")
        self._is_at_once = mode == "realtime" and not _is_any_received(store)
        self._received = None if self._is_at_once else received
        self._takers: dict[int, Callable[[Any, np.ndarray], None]] = {
            EventKind.DEPOSITED: self._deposited,
            EventKind.WITHDRAWN: self._withdrawn,
            EventKind.TRANSFER_REJECTED: self._transfer_rejected,
            EventKind.DAY_OPENED: self._day_opened,
            EventKind.DAY_CLOSED: self._day_closed,
            EventKind.CHECKPOINT: self._checkpoint,
        }

    def take(self, kind: int, figures: Sequence[int], row: np.ndarray) -> None:
        """Take a record in.

        Raises LedgerError: it can't be; nothing of it was taken in.

        Parameters
        ----------
        kind
            Its `EventKind`.
        figures
            What `trade_figures` says of it; only looked at if it is a trade or its bust.
        row : Event[1]
            The record itself, as an array for other views of it.
        """
        if kind == EventKind.TRADE:
            self._trade(trade_from_figures(figures))
        elif kind == EventKind.TRADE_BUSTED:
            self._trade_busted(trade_from_figures(figures), int(row["reason"][0]))
        elif kind in self._takers:
            self._takers[kind](row[0], row)
        else:
            raise LedgerError(f"kind: expected one of the settlement stream's, got {kind}")
        self.count += 1

    def are_plain_trades(self, records: np.ndarray) -> np.ndarray:
        """Tell which records are trades that no freeze could keep from settling.

        Within a run freezes come to ask for less, never for more.
        """
        takers, makers = records["account_index"], records["counter_account_index"]
        buys = records["side"] == Side.BUY
        buyers, sellers = np.where(buys, takers, makers), np.where(buys, makers, takers)
        is_clear = self._obstacles.are_clear(buyers, sellers, records["product_index"])
        return (records["kind"] == EventKind.TRADE) & is_clear

    def take_trades(self, records: np.ndarray) -> bool:
        """Take a stretch of trades in at once, if each of them can be posted as it is.

        Returns False, and nothing was done, where one is to be looked at by itself.
        """
        take = trades_post if self._is_at_once else trades_receive
        if self._is_at_once and self._obstacles.is_asked_of_all:
            return False
        if not take(self._store, records, self._account_count, self._product_count):
            return False
        self.count += len(records)
        return True

    def _post(
        self,
        kind: EntryKind,
        legs: Sequence[Posting],
        record: Any,
        subject: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> bool:
        """Post an entry; or let it wait, if it takes what unposted trades bring or need: False.

        Rules: CEA-STL-06, CEA-STL-09.
        """
        seq, date = int(record["settlement_seq"]), int(record["trading_date"])
        waiting = self._obstacles.waiting
        may_wait = kind in (EntryKind.WITHDRAWN, EntryKind.BUST)
        if may_wait and waiting.lacking(legs, also=self._received) is not None:
            possible_check(self._store, legs, seq)
            postpone(self._store, kind, legs, seq, date)
            waiting.add(seq, legs)
            return False
        self._store.entry_add(kind, legs, subject, settlement_seq=seq, business_date=date)
        return True

    def _trade(self, trade: Trade) -> None:
        self._account_check(trade.buyer_index)
        self._account_check(trade.seller_index)
        if trade.product_index >= self._product_count:
            raise LedgerError(f"product_index: expected a declared one, got {trade.product_index}")
        state, failure, posted_seq = "received", None, 0
        if self._is_at_once:
            failure = self._post_at_once(trade)
            state, posted_seq = ("failed", 0) if failure else ("settled", trade.settlement_seq)
        self._store.insert(
            "trades (settlement_seq, trade_id, trading_date, method, buyer_index, seller_index,"
            " product_index, price, tonnes, cash, buy_fee, sell_fee, state, failure, posted_seq)",
            [(*trade, state, "", posted_seq)],
        )
        if failure is not None:
            # By a change: only that is logged (`LOGGED_FROM_CHANGES_ON`).
            self._store.change(
                "trades", {"settlement_seq": trade.settlement_seq}, failure=failure.why
            )
            default_open(self._store, trade, failure, trade.trading_date)

    def _post_at_once(self, trade: Trade) -> Failure | None:
        """Post a trade with its record, or let it wait; return what keeps it from being posted."""
        failure, seq = self._obstacles.of(trade), trade.settlement_seq
        if failure is None:
            lacking = trade_post(self._store, trade, self._obstacles.waiting, settlement_seq=seq)
            if lacking is None:
                return None
            failure = self._obstacles.lack(lacking, trade)
        self._obstacles.waiting.add(seq, trade_legs(trade))
        return failure

    def _trade_busted(self, busted: Trade, reason: int) -> None:
        """Undo a trade that was posted, end one that was not, or book who owes whom what.

        Rules: CEA-STL-04 (bust).
        """
        row = self._store.one(
            f"SELECT {TRADE_COLUMNS}, posted_seq FROM trades WHERE trade_id = ?",
            (busted.trade_id,),
        )
        if row is None:
            raise LedgerError(f"trade_id: expected that of a trade, got {busted.trade_id}")
        *terms, posted_seq = row
        trade, seq = Trade(*terms), busted.settlement_seq
        if busted._replace(trading_date=trade.trading_date) != trade._replace(settlement_seq=seq):
            raise LedgerError(f"bust of trade {trade.trade_id}: expected {terms}, got {busted}")
        if self._store.has("busts", trade_seq=trade.settlement_seq):
            raise LedgerError(f"trade {trade.trade_id} was busted already")
        self._store.insert(
            "busts (settlement_seq, trade_seq, reason)",
            [(seq, trade.settlement_seq, reason)],
        )
        if reason == Reason.NONE:
            self._store.unposted_changes += 1
            if posted_seq:
                self._post(EntryKind.BUST, bust_legs(trade), busted._asdict())
            self._undone(trade)
            default_end(self._store, trade.settlement_seq, "busted", busted.trading_date)
        else:
            first = self._store.next_id("claims", "claim_id")
            self._store.insert(
                "claims (claim_id, settlement_seq, trade_id, debtor_index, creditor_index,"
                " asset_index, amount)",
                [
                    (claim_id, seq, trade.trade_id, *map(int, claim))
                    for claim_id, claim in enumerate(bust_claims(trade), first)
                ],
            )
        self._ask((trade.seller_index, trade.product_index))
        self._ask((trade.buyer_index, CASH_ASSET))

    def _undone(self, trade: Trade) -> None:
        """End a trade; one that waited waits no more."""
        state = self._store.find("trades", "state", settlement_seq=trade.settlement_seq)
        if state == "failed":
            self._obstacles.waiting.remove(trade.settlement_seq, trade_legs(trade))
        self._store.change("trades", {"settlement_seq": trade.settlement_seq}, state="busted")

    def _account_check(self, account_index: int) -> None:
        if account_index >= self._account_count:
            raise LedgerError(f"account_index: expected a declared account, got {account_index}")

    # -- transfers ----------------------------------------------------------------------------

    def _deposited(self, record: Any, _row: np.ndarray) -> None:
        place, _amount = self._transfer_answered(record, ("in",), EntryKind.DEPOSITED)
        self._ask(place)

    def _withdrawn(self, record: Any, _row: np.ndarray) -> None:
        arrived = self._transfer_answered(record, ("out", *SEIZED), EntryKind.WITHDRAWN)
        self._share_out(*arrived, record)

    def _transfer_rejected(self, record: Any, _row: np.ndarray) -> None:
        operation = int(record["command"])
        if operation == Operation.DEPOSIT:
            arrived = self._transfer_answered(record, ("in",), EntryKind.TRANSFER_RETURNED)
            self._share_out(*arrived, record)
        elif operation == Operation.WITHDRAW:
            self._transfer_answered(record, ("out", *SEIZED), None)
        else:
            raise LedgerError(f"command: expected deposit or withdraw, got {operation}")

    def _share_out(self, place: Place, amount: int, record: Any) -> None:
        """What has come into a registration account is first for courts and recalls."""
        if place in self._wanted:
            seq, date = int(record["settlement_seq"]), int(record["trading_date"])
            self._arrivals.take(place, seq, date, amount)
            self._look_again()

    def _look_again(self) -> None:
        """Note what courts ask for, and from which places they or recalls want something."""
        self._obstacles.asked_refresh()
        self._wanted = {*self._obstacles.asked, *self._arrivals.recalls.owed()}

    def _ask(self, place: Place) -> None:
        """Ask the venue for what may have become available there, if it is wanted."""
        if place in self._wanted:
            self._arrivals.ask(place)

    def _transfer_answered(
        self, record: Any, directions: tuple[str, ...], kind: EntryKind | None
    ) -> tuple[Place, int]:
        """Complete or take back a transfer; without a `kind` nothing had moved.

        Returns whose it is, of what, and how much has moved: nothing yet if it was postponed.
        """
        transfer_seq, seq = int(record["client_order_id"]), int(record["settlement_seq"])
        if transfer_seq >= SEQ_LIMIT:
            raise LedgerError(f"transfer_seq: expected below 2^62, got {transfer_seq}")
        row = self._store.one(
            "SELECT direction, account_index, asset_index, amount, state FROM transfers"
            " WHERE transfer_seq = ?",
            (transfer_seq,),
        )
        if row is None:
            raise LedgerError(f"transfer_seq: expected that of a transfer, got {transfer_seq}")
        asked_direction, account, asset, amount, state = row
        if asked_direction not in directions or state != "pending":
            raise LedgerError(
                f"transfer {transfer_seq}: expected pending and {' or '.join(directions)},"
                f" got {state} and {asked_direction}"
            )
        rejected = int(record["kind"]) == EventKind.TRANSFER_REJECTED
        if not rejected or int(record["account_index"]) != ACCOUNT_NONE:
            less_will_do = asked_direction in SEIZED
            amount = _amount_as_asked(record, account, asset, amount, less_will_do)
        if kind is not None:
            legs = legs_of(kind, account, account, asset, amount)
            if not self._post(kind, legs, record, (account, account, asset, amount)):
                amount = 0
        self._store.execute(
            "UPDATE transfers SET state = ?, reason = ?, settlement_seq = ? WHERE transfer_seq = ?",
            ("rejected" if rejected else "completed", int(record["reason"]), seq, transfer_seq),
        )
        return (account, asset), amount

    # -- days and checkpoints -----------------------------------------------------------------

    def _day_opened(self, record: Any, _row: np.ndarray) -> None:
        date, confirmed = int(record["trading_date"]), self._store.confirmed_date
        if date <= confirmed:
            raise LedgerError(f"trading_date: expected one after {confirmed}, got {date}")
        statements_accept(self._store, int(record["settlement_seq"]))
        # Nothing is locked yet, and what was bought or earned the day before may leave.
        for place in sorted(self._wanted):
            self._ask(place)

    def _day_closed(self, _record: Any, row: np.ndarray) -> None:
        """Compare a product's totals of the day with what was settled.

        Rules: CEA-STL-03 (the registry confirms a day it has settled and compared).
        """
        closed = row.view(DAY_CLOSED_DTYPE)[0]
        seq, date = int(closed["settlement_seq"]), int(closed["trading_date"])
        product = int(closed["product_index"])
        if product >= self._product_count:
            raise LedgerError(f"product_index: expected a declared product, got {product}")
        for method in Method:
            venue = day_volume(closed, method), day_amount(closed, method)
            settled = self._settled_totals(date, product, method)
            if venue != settled:
                self._diverge(
                    f"at seq {seq} of {date} in {self._store.asset_name(product)}"
                    f" {method.name.lower()}: venue traded {venue[0]} t for {venue[1]} fen,"
                    f" registry settled {settled[0]} t for {settled[1]} fen"
                )
                return
        into = "day_closes (trading_date, product_index, settlement_seq)"
        self._store.insert(into, [(date, product, seq)])
        closes = self._store.one("SELECT count(*) FROM day_closes WHERE trading_date = ?", (date,))
        # Where trades wait, the day's last checkpoint leads to their settlement.
        if closes == self._product_count and not self._is_batch_due():
            self._confirm(date)

    def _settled_totals(self, date: int, product: int, method: int) -> tuple[int, int]:
        # Trades have no index by day: those of days before would all be read again at each close.
        before = "SELECT coalesce(max(settlement_seq), 0) FROM day_closes WHERE trading_date < ?"
        # In halves: a day's amount may exceed 64 bits, where SQLite's sum() fails.
        tonnes, high, low = self._store.one(
            "SELECT coalesce(sum(tonnes), 0), coalesce(sum(cash >> 32), 0),"
            f" coalesce(sum(cash & 0xFFFFFFFF), 0) FROM trades WHERE settlement_seq > ({before})"
            " AND trading_date = ? AND product_index = ? AND method = ? AND state <> 'busted'",
            (date, date, product, int(method)),
        )
        return tonnes, (high << 32) + low

    def _checkpoint(self, _record: Any, row: np.ndarray) -> None:
        """Compare the venue's holdings hash with ours at this same sequence.

        Within a day ours is of the balances in memory, which change with each posting; while the
        market is closed, and after a divergence, of the postings as the database has them.

        Rules: CEA-REG-05 (each keeps the other's hashes).
        """
        checkpoint = row.view(CHECKPOINT_DTYPE)[0]
        is_closed = int(checkpoint["phase"]) == Phase.CLOSED
        store = self._store
        reads_postings = is_closed or self._reads_postings
        hashed = holdings_hash if reads_postings else holdings_hash_in_memory
        why = checkpoint_compare(store, checkpoint, hashed(store, self._unposted))
        if why:
            self._diverge(why)
            return
        if is_closed:
            self._day_ended(int(checkpoint["trading_date"]), int(checkpoint["settlement_seq"]))

    def _day_ended(self, date: int, seq: int) -> None:
        """Confirm the day that closed before a checkpoint, or let its batch begin.

        The checkpoint's own date is 0 once no day is open. Also where a product is so new that the
        venue closed the day without it.
        """
        closed = self._store.one("SELECT coalesce(max(trading_date), 0) FROM day_closes")
        if date not in (0, closed) or closed <= self._store.confirmed_date:
            return
        if not self._is_batch_due():
            self._confirm(closed)
        elif not self._store.has("deliveries", trading_date=closed):
            into = "deliveries (trading_date, settlement_seq, completed_seq)"
            self._store.insert(into, [(closed, seq, 0)])

    def _is_batch_due(self) -> bool:
        """Whether trades wait, or a day that comes first."""
        undone = self._store.one("SELECT 1 FROM deliveries WHERE completed_seq = 0")
        return undone is not None or _is_any_received(self._store)

    def _confirm(self, date: int) -> None:
        self._store.execute("UPDATE meta SET confirmed_date = ?", (date,))
        statements_issue(self._store, date)

    def _diverge(self, why: str) -> None:
        state = f"diverged: {why}"
        self._store.execute("UPDATE meta SET state = ?", (state,))
        self.diverged = Diverged(state)


def _is_any_received(store: Store) -> bool:
    return (
        store.one("SELECT 1 FROM trades WHERE state <> 'settled' AND state = 'received' LIMIT 1")
        is not None
    )


def _amount_as_asked(record: Any, account: int, asset: int, amount: int, less_will_do: bool) -> int:
    """Return what the venue's answer moves; it must be about what the registry asked."""
    if int(record["account_index"]) != account:
        raise LedgerError(f"account_index: expected {account}, got {record['account_index']}")
    if int(record["product_index"]) != asset:
        raise LedgerError(f"product_index: expected {asset}, got {record['product_index']}")
    moved = int(record["cash"] if asset == CASH_ASSET else record["tonnes"])
    if moved != amount and not (less_will_do and 0 < moved < amount):
        raise LedgerError(f"amount: expected {amount}, got {moved}")
    return moved


if CASH_ASSET != PRODUCT_NONE:
    raise AssertionError("a transfer record without a product is one of cash")
