"""Check the whole ledger: against itself, against the records it settled, against the venue.

A sum of zero proves little: a trade settled twice sums to zero too. So every entry's legs are
compared with what caused it, every cause must have its entry exactly once, and the holdings hash at
each of the venue's checkpoints is computed anew from the postings up to it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from cea_exchange.domain.records import (
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    EventKind,
    Operation,
    Reason,
)
from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    Compartment,
    EntryKind,
    Holding,
    LedgerError,
    Trade,
    bust_claims,
    bust_legs,
    legs_of,
    trade_figures,
    trade_from_figures,
    trade_legs,
    unbalanced_assets,
)
from cea_exchange.ledger.history import LEGS_MAX, days_differing
from cea_exchange.ledger.institutions import CONTRA
from cea_exchange.ledger.store import StoreError, hash_text
from cea_exchange.protocol.control import (
    DECODE_ERRORS,
    AccountDeclared,
    AccountRestored,
    AccountSuspended,
    ControlError,
    FeedItem,
    KeyGranted,
    KeyRevoked,
    ProductDeclared,
    Seizure,
    TransferIn,
    TransferOut,
    control_decode,
)
from cea_exchange.registry.distribution.issue_reversals import issue_reversal_differences
from cea_exchange.registry.reconciliation.bank import bank_differences
from cea_exchange.registry.reconciliation.distribution import distribution_differences
from cea_exchange.registry.reconciliation.enforcement import enforcement_differences
from cea_exchange.registry.reconciliation.integrity import registry_integrity
from cea_exchange.registry.reconciliation.persons import persons_differences
from cea_exchange.registry.reconciliation.platform_link import platform_differences
from cea_exchange.registry.reconciliation.proposals import desk_differences
from cea_exchange.registry.reconciliation.surrender import surrender_differences
from cea_exchange.registry.reconciliation.waiting_chains import chain_differences
from cea_exchange.registry.settlement.claims import claim_differences
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS, holdings_hashes
from cea_exchange.registry.store import RegistryStore
from cea_exchange.registry.venue_link.settlement_records import records_from

DIFFERENCE_COUNT_MAX = 100
CHUNK_COUNT = 5_000
UNREADABLE = (*DECODE_ERRORS, ValueError, TypeError, OverflowError)
"""What rows that somebody has changed may lead to."""

_KINDS_OF_RECORDS = frozenset(
    {
        EntryKind.DEPOSITED,
        EntryKind.TRANSFER_RETURNED,
        EntryKind.WITHDRAWN,
        EntryKind.TRADE,
        EntryKind.BUST,
    }
)

# A refused withdrawal has no entry: nothing had moved.
_ENTRY_OF_RECORD = {
    (EventKind.DEPOSITED, Operation.NONE): EntryKind.DEPOSITED,
    (EventKind.WITHDRAWN, Operation.NONE): EntryKind.WITHDRAWN,
    (EventKind.TRANSFER_REJECTED, Operation.DEPOSIT): EntryKind.TRANSFER_RETURNED,
}

_STATE_OF_RECORD = {
    EventKind.DEPOSITED: "completed",
    EventKind.WITHDRAWN: "completed",
    EventKind.TRANSFER_REJECTED: "rejected",
}


class Reconciliation(msgspec.Struct, kw_only=True):
    """What a check of the ledger found.

    Attributes
    ----------
    last_seq
        Up to where the registry has settled.
    checkpoint_seq
        The last sequence at which the venue's hash is known; 0 if it never came.
    venue_hash, registry_hash
        Of the holdings at `checkpoint_seq`, 16 hexadecimal digits.
    trades, postings, checkpoints
        How many were checked.
    failed, busted, claims
        Trades that failed and stand, trades that were undone, claims booked where one could not be.
    cash
        Fen paid in, which is what all accounts hold and what went for fees.
    tonnes
        The same per product.
    differences
        A sentence each, naming the account; empty if all is well.
    """

    last_seq: int = 0
    checkpoint_seq: int = 0
    venue_hash: str = ""
    registry_hash: str = ""
    trades: int = 0
    failed: int = 0
    busted: int = 0
    claims: int = 0
    postings: int = 0
    checkpoints: int = 0
    cash: int = 0
    tonnes: dict[str, int] = msgspec.field(default_factory=dict)
    differences: list[str] = msgspec.field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def sentence(self) -> str:
        """Return the result as a line for a person."""
        if not self.agrees:
            return f"registry differs at {len(self.differences)} places: {self.differences[0]}"
        if self.checkpoint_seq == 0:
            return f"reconciled at seq {self.last_seq}: no checkpoint of the venue came yet"
        return f"reconciled at seq {self.checkpoint_seq}: venue hash = registry hash"


def check_ledger(data: Path | str, database: str | None = None) -> Reconciliation:
    """Check the registry in ``data/registry/``, at rest or at work.

    Parameters
    ----------
    data
        The data folder.
    database
        ``postgresql://...``; None takes the one that the folder speaks of.

    Returns
    -------
    Reconciliation
        With all that differs (at most 100 sentences).

    Raises
    ------
    StoreError
        There is no registry's database.
    """
    # One view of the database, whatever a daemon commits meanwhile.
    with RegistryStore.open_reader(data, database) as store, store.view():
        return check_store(store)


def check_store(store: RegistryStore) -> Reconciliation:
    """Check an open registry, within a transaction."""
    return _Check(store).run()


class _Check:
    """One check, on one view of the database."""

    def __init__(self, store: RegistryStore) -> None:
        self._store = store
        self._found = Reconciliation(last_seq=store.last_seq)
        self._pending: Counter[Holding] = Counter()
        self._held: dict[Holding, int] = {}
        # Per settlement sequence what should be posted: of trades, a flag whether it was; of busts
        # the trade; of answers to transfers kind, account, asset, amount, date.
        self._trades_seen = bytearray(self._found.last_seq + 1)
        self._busts_due: dict[int, Trade] = {}
        self._causes: dict[int, tuple[int, int, int, int, int]] = {}
        self._postponed_until: dict[int, int] = {}
        # Failed trades that were posted before the next record came: their entries say so.
        self._failed_at_last: set[int] = set()
        self._busts: list[tuple[int, int, int]] = []
        self._claims: list[tuple[int, ...]] = []
        self._answers: dict[int, tuple[str, int, int]] = {}
        self._closes: list[tuple[int, int, int]] = []
        self._checkpoints_told: dict[int, str] = {}

    def run(self) -> Reconciliation:
        """Run every check and return what was found."""
        try:
            for line in self._store.database.check():
                self._differs(f"database: {line}")
            self._feed()
            self._records()
            self._states()
            self._days()
            self._postponed()
            self._entries()
            self._balances()
            self._conservation()
            for sentence in days_differing(self._store.database):
                self._differs(sentence)
            self._defaults()
            for differences in (
                registry_integrity,
                desk_differences,
                persons_differences,
                distribution_differences,
                platform_differences,
                surrender_differences,
                enforcement_differences,
                bank_differences,
                claim_differences,
                chain_differences,
                issue_reversal_differences,
            ):
                for sentence in differences(self._store):
                    self._differs(sentence)
            self._checkpoints()
        except (DatabaseError, StoreError, *UNREADABLE) as error:
            self._differs(f"database can not be read as a ledger: {error}")
        return self._found

    def _differs(self, sentence: str) -> None:
        if len(self._found.differences) < DIFFERENCE_COUNT_MAX:
            self._found.differences.append(sentence)

    def _name(self, account_index: int) -> str:
        return self._store.account_name(account_index)

    # -- the feed: accounts, products and transfers are what the venue was told ---------------

    def _feed(self) -> None:
        accounts: list[tuple[Any, ...]] = []
        products: list[tuple[Any, ...]] = []
        keys: dict[str, tuple[Any, ...]] = {}
        suspended: set[str] = set()
        transfers: list[tuple[Any, ...]] = []
        rows = self._store.execute("SELECT transfer_seq, item FROM feed ORDER BY transfer_seq")
        for expected, (transfer_seq, payload) in enumerate(rows.fetchall(), start=1):
            try:
                item = control_decode(payload)
            except ControlError as error:
                self._differs(f"feed item {transfer_seq}: {error}")
                continue
            if transfer_seq != expected or not isinstance(item, FeedItem):
                self._differs(f"feed item {expected} is missing")
                return
            command = item.command
            if isinstance(command, AccountDeclared):
                accounts.append((len(accounts), command.account, command.group))
            elif isinstance(command, AccountSuspended):
                suspended.add(command.account)
            elif isinstance(command, AccountRestored):
                suspended.discard(command.account)
            elif isinstance(command, ProductDeclared):
                products.append((len(products), command.product, command.reference_price))
            elif isinstance(command, KeyGranted):
                grant = (command.account, command.operator_index, command.role)
                keys[command.key] = (command.key, *grant, int(command.cancel_on_disconnect), 0)
            elif isinstance(command, KeyRevoked):
                keys[command.key] = (*keys.get(command.key, ())[:-1], 1)
            elif isinstance(command, TransferIn | TransferOut | Seizure):
                transfers.append(self._transfer_told(transfer_seq, command))
        self._table_is(
            "account",
            accounts,
            "SELECT account_index, account, account_group FROM accounts"
            " WHERE account_index >= 0 ORDER BY account_index",
        )
        self._table_is(
            "suspension of account",
            [("suspended", account) for _, account, _ in accounts if account in suspended],
            "SELECT 'suspended', account FROM accounts"
            " WHERE account_index >= 0 AND state <> 'open' ORDER BY account_index",
        )
        self._table_is(
            "product",
            products,
            "SELECT product_index, product, reference_price FROM products ORDER BY product_index",
        )
        self._table_is(
            "key of account",
            [told for _key, told in sorted(keys.items())],
            "SELECT public_key, account, operator_index, role, cancel_on_disconnect, revoked"
            " FROM keys"
            " LEFT JOIN accounts USING (account_index) ORDER BY public_key",
        )
        self._table_is(
            "transfer",
            transfers,
            "SELECT transfer_seq, direction, account_index,"
            " asset_index, amount FROM transfers ORDER BY transfer_seq",
        )
        self._transfers_pending()

    def _transfer_told(self, transfer_seq: int, command: Any) -> tuple[Any, ...]:
        account = self._store.account_index(command.account)
        asset = CASH_ASSET
        if command.product is not None:
            asset = self._store.product_index(command.product)
        directions = {TransferIn: "in", TransferOut: "out"}
        direction = command.why if isinstance(command, Seizure) else directions[type(command)]
        return (transfer_seq, direction, account, asset, command.amount)

    def _table_is(self, what: str, told: list[tuple[Any, ...]], sql: str) -> None:
        stored = self._store.execute(sql).fetchall()
        for left, right in zip(told, stored, strict=False):
            if left != right:
                whose = ""
                if what == "transfer":
                    whose = f" of account {self._name(right[2])}"
                self._differs(f"{what} {right[1]!r}{whose}: venue was told {left}, is {right}")
        if len(told) != len(stored):
            self._differs(f"{what}s: venue was told of {len(told)}, there are {len(stored)}")

    def _transfers_pending(self) -> None:
        """What is in transit is what transfers are under way, transfer for transfer."""
        rows = self._store.execute(
            "SELECT account_index, asset_index, amount FROM transfers"
            " WHERE direction = 'in' AND state = 'pending'"
        )
        for account, asset, amount in rows.fetchall():
            self._pending[Holding(account, asset, int(Compartment.TRANSIT))] += amount

    # -- settlement records: each there once, each trade as its record says -----------------------

    def _records(self) -> None:
        stored = self._store.database.stream(
            f"SELECT {TRADE_COLUMNS}, failure FROM trades ORDER BY settlement_seq"
        )
        trade_row = next(stored, None)
        expected = 1
        for records in records_from(self._store):
            said = zip(records["settlement_seq"].tolist(), records["kind"].tolist(), strict=True)
            figures = trade_figures(records)
            for position, (seq, kind) in enumerate(said):
                if seq != expected:
                    self._differs(f"settlement record {expected} is missing, {seq} comes next")
                expected = seq + 1
                if kind == EventKind.TRADE:
                    while trade_row is not None and trade_row[0] < seq:
                        self._trade_without_record(trade_row)
                        trade_row = next(stored, None)
                    row = trade_row if trade_row is not None and trade_row[0] == seq else None
                    self._trade_record(seq, figures[position], row)
                    if row is not None:
                        trade_row = next(stored, None)
                elif kind == EventKind.TRADE_BUSTED:
                    self._bust_record(seq, figures[position], int(records[position]["reason"]))
                else:
                    self._other_record(seq, kind, records[position : position + 1])
        if expected != self._found.last_seq + 1:
            self._differs(f"last_seq is {self._found.last_seq}, the last record is {expected - 1}")
        while trade_row is not None:
            self._trade_without_record(trade_row)
            trade_row = next(stored, None)

    def _trade_without_record(self, row: tuple[Any, ...]) -> None:
        trade = Trade(*row[:-1])
        self._differs(
            f"trade {trade.trade_id} of accounts {self._name(trade.buyer_index)} and"
            f" {self._name(trade.seller_index)} has no settlement record"
        )

    def _trade_record(self, seq: int, figures: tuple[int, ...], stored: Any) -> None:
        try:
            trade = trade_from_figures(figures)
        except LedgerError as error:
            self._differs(f"settlement record {seq}: {error}")
            return
        self._found.trades += 1
        terms = None if stored is None else tuple(stored[:-1])
        if terms != trade:
            self._differs(
                f"trade {trade.trade_id} of accounts {self._name(trade.buyer_index)} and"
                f" {self._name(trade.seller_index)}: its record says {tuple(trade)},"
                f" stored is {terms}"
            )

    def _bust_record(self, seq: int, figures: tuple[int, ...], reason: int) -> None:
        trade_id = figures[1]
        row = self._store.one(
            f"SELECT {TRADE_COLUMNS}, posted_seq FROM trades WHERE trade_id = ?", (trade_id,)
        )
        trade = None if row is None else Trade(*row[:-1])
        try:
            says = trade_from_figures(figures)
        except LedgerError as error:
            self._differs(f"settlement record {seq}: {error}")
            return
        if trade is None or says != trade._replace(
            settlement_seq=seq, trading_date=says.trading_date
        ):
            self._differs(f"settlement record {seq}: bust of trade {trade_id} must repeat {trade}")
            return
        self._busts.append((seq, trade.settlement_seq, reason))
        if reason != Reason.NONE:
            self._claims += [(seq, trade_id, *map(int, claim)) for claim in bust_claims(trade)]
        elif row[-1]:
            self._busts_due[seq] = trade

    def _other_record(self, seq: int, kind: int, row: np.ndarray) -> None:
        if kind == EventKind.DAY_CLOSED:
            closed = row.view(DAY_CLOSED_DTYPE)[0]
            self._closes.append((int(closed["trading_date"]), int(closed["product_index"]), seq))
        elif kind == EventKind.CHECKPOINT:
            checkpoint = row.view(CHECKPOINT_DTYPE)[0]
            self._checkpoints_told[seq] = hash_text(int(checkpoint["holdings_hash"]))
        else:
            self._transfer_record(seq, row[0])

    def _transfer_record(self, seq: int, record: Any) -> None:
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
        self._causes[seq] = (kind, int(record["account_index"]), asset, amount, date)

    def _states(self) -> None:
        """Every trade and every transfer stands as the venue's records say."""
        self._trade_states()
        rows = self._store.execute(
            "SELECT transfer_seq, account_index, state, reason, settlement_seq FROM transfers"
        )
        for transfer_seq, account, *stored in rows.fetchall():
            told = self._answers.get(transfer_seq, ("pending", 0, 0))
            if tuple(stored) != told:
                self._differs(
                    f"transfer {transfer_seq} of account {self._name(account)}: the venue's answer"
                    f" gives {told}, stored is {tuple(stored)}"
                )

    def _trade_states(self) -> None:
        """A trade is settled, or failed for a reason, or busted if a record undid it."""
        undone = {trade_seq for _seq, trade_seq, reason in self._busts if reason == Reason.NONE}
        rows = self._store.execute(
            "SELECT settlement_seq, trade_id, buyer_index, seller_index, state, failure, posted_seq"
            " FROM trades WHERE state <> 'settled' OR posted_seq = 0 OR failure <> ''"
            " OR settlement_seq IN (SELECT trade_seq FROM busts)"
        )
        for seq, trade_id, buyer, seller, state, failure, posted_seq in rows.fetchall():
            unposted = "failed" if failure else "received"
            expected = "busted" if seq in undone else "settled" if posted_seq else unposted
            self._found.busted += state == "busted"
            self._found.failed += state == "failed"
            whose = f"trade {trade_id} of accounts {self._name(buyer)} and {self._name(seller)}"
            if state != expected:
                self._differs(f"{whose}: its state is {state}, not {expected}")
            if failure and posted_seq == seq:
                self._failed_at_last.add(seq)
        self._found.claims = len(self._claims)
        for what, told, sql in (
            (
                "busts",
                self._busts,
                "SELECT settlement_seq, trade_seq, reason FROM busts ORDER BY settlement_seq",
            ),
            (
                "claims",
                self._claims,
                "SELECT settlement_seq, trade_id, debtor_index, creditor_index, asset_index, amount"
                " FROM claims ORDER BY claim_id",
            ),
        ):
            stored = self._store.execute(sql).fetchall()
            if stored != told:
                odd = sorted({*stored} ^ {*told}) or stored
                self._differs(f"{what}: records and table differ in {odd}")

    def _days(self) -> None:
        """The closes that are kept are those received, and only such a day is confirmed."""
        told = sorted(self._closes)
        stored = self._store.execute(
            "SELECT trading_date, product_index, settlement_seq FROM day_closes ORDER BY 1, 2"
        ).fetchall()
        odd = sorted({*told} ^ {*stored})
        if odd:
            self._differs(f"day closes (date, product, seq): records and table differ in {odd}")
        confirmed = self._store.confirmed_date
        if confirmed and confirmed not in {date for date, *_ in told}:
            self._differs(f"confirmed_date is {confirmed}: no record closes that day")
        rows = self._store.execute(
            "SELECT trading_date, settlement_seq, completed_seq FROM deliveries"
        )
        for date, until, completed_seq in rows.fetchall():
            received = self._store.one(
                "SELECT count(*) FROM trades WHERE settlement_seq <= ?"
                " AND state <> 'settled' AND state = 'received'",
                (until,),
            )
            if completed_seq and received:
                self._differs(f"delivery of {date} is complete: {received} trades are not posted")
            if not completed_seq and date <= confirmed:
                self._differs(f"confirmed_date is {confirmed}: {date} is not delivered")

    def _postponed(self) -> None:
        """What waits has no entry yet; the legs that count meanwhile are those it will have."""
        rows = self._store.execute(
            "SELECT settlement_seq, kind, posted_seq, account_index, asset_index, compartment,"
            " amount FROM postponed ORDER BY settlement_seq, leg"
        ).fetchall()
        for (seq, kind, posted_seq), group in groupby(rows, key=lambda row: row[:3]):
            legs = [row[3:] for row in group]
            if kind == EntryKind.BUST and seq in self._busts_due:
                due = [leg for leg in bust_legs(self._busts_due[seq]) if leg.amount]
            elif kind == EntryKind.WITHDRAWN and self._causes.get(seq, (0,))[0] == kind:
                _kind, account, asset, amount, _date = self._causes[seq]
                due = list(legs_of(kind, account, account, asset, amount))
            else:
                self._differs(f"record {seq} is postponed: there is no such withdrawal or bust")
                continue
            if legs != due:
                self._legs_differ(f"record {seq}, postponed", 0, due, legs)
            if posted_seq:
                self._postponed_until[seq] = posted_seq
            else:
                self._busts_due.pop(seq, None)
                self._causes.pop(seq, None)

    # -- entries: each has a cause and exactly its legs -------------------------------------------

    def _entries(self) -> None:
        entries = self._entries_with_legs()
        expected_id = 1
        while chunk := list(islice(entries, CHUNK_COUNT)):
            trades = self._trades_of(entry for entry, _legs in chunk)
            for entry, legs in chunk:
                self._found.postings += len(legs)
                if entry.entry_id != expected_id:
                    self._differs(f"entry {expected_id} is missing, {entry.entry_id} comes next")
                expected_id = entry.entry_id + 1
                self._entry(entry, legs, trades)
        rows = self._store.database.stream(
            f"SELECT {TRADE_COLUMNS} FROM trades WHERE posted_seq <> 0 ORDER BY settlement_seq"
        )
        for row in rows:
            trade = Trade(*row)
            if not self._is_posted(trade.settlement_seq):
                names = self._names([(trade.buyer_index,), (trade.seller_index,)])
                self._differs(f"record {trade.settlement_seq} was never posted: accounts {names}")
        for seq, trade in self._busts_due.items():
            names = self._names([(trade.buyer_index,), (trade.seller_index,)])
            self._differs(f"record {seq} was never posted: accounts {names}")
        for seq, (_kind, account, *_rest) in self._causes.items():
            self._differs(f"record {seq} was never posted: accounts {self._name(account)}")

    def _entry(
        self, entry: "_Entry", legs: list[tuple[int, ...]], trades: dict[int, tuple[Any, ...]]
    ) -> None:
        """An entry has one cause, which no other entry has, and the legs that come of it."""
        expected = self._legs_due(entry, trades)
        if expected is None:
            self._differs(
                f"entry {entry.entry_id} at seq {entry.settlement_seq}: no such record, or it is"
                f" settled twice; accounts {self._names(legs)}"
            )
        elif legs != expected:
            what = f"{EntryKind(entry.kind).name.lower()} at seq {entry.settlement_seq}"
            self._legs_differ(what, entry.entry_id, expected, legs)

    def _legs_due(
        self, entry: "_Entry", trades: dict[int, tuple[Any, ...]]
    ) -> list[tuple[int, ...]] | None:
        """Return the legs that the cause of an entry gives; None if it has none."""
        if entry.kind == EntryKind.TRADE:
            seq = entry.cause_seq
            if seq not in trades or self._is_posted(seq):
                return None
            if seq in self._failed_at_last and not entry.reference:
                self._differs(f"trade at seq {seq} was posted when it came, yet failed")
            *terms, posted_seq = trades[seq]
            if posted_seq != entry.settlement_seq or seq > self._found.last_seq:
                return None
            trade = Trade(*terms)
            if entry.business_date != trade.trading_date:
                self._differs(
                    f"entry {entry.entry_id}: its day must be {trade.trading_date}, is"
                    f" {entry.business_date}"
                )
            self._trades_seen[seq] = 1
            return [leg for leg in trade_legs(trade) if leg.amount]
        seq = entry.settlement_seq
        if entry.kind in _KINDS_OF_RECORDS:
            seq = entry.cause_seq
            if self._postponed_until.get(seq, seq) != entry.settlement_seq:
                return None
        if entry.kind == EntryKind.BUST:
            busted = self._busts_due.pop(seq, None)
            return None if busted is None else [leg for leg in bust_legs(busted) if leg.amount]
        if entry.kind in _KINDS_OF_RECORDS:
            what = (entry.kind, entry.account_index, entry.asset_index, entry.amount)
            if self._causes.pop(seq, None) != (*what, entry.business_date):
                return None
        try:
            return list(
                legs_of(
                    entry.kind,
                    entry.account_index,
                    entry.counter_index,
                    entry.asset_index,
                    entry.amount,
                )
            )
        except (LedgerError, ValueError, KeyError):
            return None

    def _is_posted(self, trade_seq: int) -> bool:
        return trade_seq <= self._found.last_seq and bool(self._trades_seen[trade_seq])

    def _trades_of(self, entries: Iterable["_Entry"]) -> dict[int, tuple[Any, ...]]:
        """Return the trades that some entries post, with their `posted_seq`, by sequence."""
        wanted = [entry.cause_seq for entry in entries if entry.kind == EntryKind.TRADE]
        if not wanted:
            return {}
        rows = self._store.execute(
            f"SELECT {TRADE_COLUMNS}, posted_seq FROM trades"
            f" WHERE settlement_seq IN ({', '.join(map(str, wanted))})"
        )
        return {row[0]: row for row in rows.fetchall()}

    def _entries_with_legs(self) -> Iterator[tuple["_Entry", list[tuple[int, ...]]]]:
        """Yield every entry with its postings; report postings that belong to none."""
        postings = self._store.database.stream(
            "SELECT posting_id, account_index, asset_index, compartment, amount"
            " FROM postings ORDER BY posting_id"
        )
        by_entry = groupby(postings, key=lambda row: row[0] // LEGS_MAX)
        entry_id, group = next(by_entry, (None, iter(())))
        columns = ", ".join(_Entry._fields)
        for row in self._store.database.stream(f"SELECT {columns} FROM entries ORDER BY entry_id"):
            entry = _Entry(*row)
            while entry_id is not None and entry_id < entry.entry_id:
                self._stray(entry_id, group)
                entry_id, group = next(by_entry, (None, iter(())))
            legs: list[tuple[int, ...]] = []
            if entry_id == entry.entry_id:
                legs = [posting[1:] for posting in group]
                entry_id, group = next(by_entry, (None, iter(())))
            yield entry, legs
        while entry_id is not None:
            self._stray(entry_id, group)
            entry_id, group = next(by_entry, (None, iter(())))

    def _stray(self, entry_id: int, rows: Iterable[tuple[int, ...]]) -> None:
        for row in rows:
            self._differs(
                f"posting of account {self._name(row[1])} belongs to entry {entry_id},"
                " which is not there"
            )

    def _legs_differ(
        self, what: str, entry_id: int, expected: list[tuple[int, ...]], legs: list[Any]
    ) -> None:
        """Say how an entry's legs are wrong; those of a right one sum to zero."""
        for asset, total in unbalanced_assets(legs).items():
            self._differs(
                f"{what} (entry {entry_id}): {self._store.asset_name(asset)} sums to {total},"
                f" not to zero; accounts {self._names(legs)}"
            )
        odd = list((Counter(legs) - Counter(expected)) + (Counter(expected) - Counter(legs)))
        self._differs(
            f"{what} (entry {entry_id}): legs must be {[tuple(map(int, leg)) for leg in expected]},"
            f" are {legs}; accounts {self._names(odd or legs)}"
        )

    def _names(self, legs: Iterable[tuple[int, ...]]) -> str:
        return ", ".join(sorted({self._name(int(leg[0])) for leg in legs})) or "none"

    # -- balances and conservation ------------------------------------------------------------

    def _balances(self) -> None:
        """Balances are the sums of all postings: those that are kept, and those of now."""
        posted: Counter[Holding] = Counter()
        done = 0
        rows = self._store.execute("SELECT entry_id FROM snapshots ORDER BY entry_id").fetchall()
        for (snapshot,) in rows:
            self._postings_add(posted, done, snapshot)
            self._snapshot(snapshot, posted)
            done = snapshot
        self._postings_add(posted, done, self._store.entry_last)
        rows = self._store.execute(
            "SELECT DISTINCT entry_id FROM snapshot_balances"
            " WHERE entry_id NOT IN (SELECT entry_id FROM snapshots)"
        )
        for (snapshot,) in rows.fetchall():
            self._differs(f"balances are kept at entry {snapshot}, where no snapshot was made")
        self._held = {holding: amount for holding, amount in posted.items() if amount}
        for holding in sorted({*self._held, *self._pending}):
            balance, where = posted[holding], self._where(holding)
            if balance < 0 and holding.account_index not in CONTRA:
                self._differs(f"{where}: balance is {balance}, below zero")
            if holding.compartment == Compartment.TRANSIT and balance != self._pending[holding]:
                self._differs(
                    f"{where}: balance is {balance}, transfers under way are"
                    f" {self._pending[holding]}"
                )

    def _postings_add(self, posted: Counter[Holding], after: int, until: int) -> None:
        """Add what the entries behind one, up to another, posted."""
        rows = self._store.execute(
            "SELECT account_index, asset_index, compartment, sum(amount) FROM postings"
            " WHERE posting_id >= ? AND posting_id < ? GROUP BY 1, 2, 3",
            (LEGS_MAX * (after + 1), LEGS_MAX * (until + 1)),
        )
        for *holding, amount in rows.fetchall():
            posted[Holding(*holding)] += amount

    def _snapshot(self, entry_id: int, posted: Counter[Holding]) -> None:
        """Compare balances that were kept, which a start goes on from, with the postings."""
        rows = self._store.execute(
            "SELECT account_index, asset_index, compartment, amount FROM snapshot_balances"
            " WHERE entry_id = ?",
            (entry_id,),
        )
        kept = {Holding(*row[:3]): row[3] for row in rows.fetchall()}
        for holding in sorted({*kept, *posted}):
            if kept.get(holding, 0) != posted[holding]:
                self._differs(
                    f"{self._where(holding)}: balance kept at entry {entry_id} is"
                    f" {kept.get(holding, 0)}, its postings sum to {posted[holding]}"
                )

    def _where(self, holding: Holding) -> str:
        asset = self._store.asset_name(holding.asset_index)
        names = {int(member): member.name.lower() for member in Compartment}
        where = names.get(holding.compartment, f"compartment {holding.compartment}")
        return f"account {self._name(holding.account_index)}, {asset} in {where}"

    def _conservation(self) -> None:
        """What came from outside is what is held; for cash the fees taken count as held."""
        outside: Counter[int] = Counter()
        inside: Counter[int] = Counter()
        for holding, amount in self._held.items():
            if holding.account_index in CONTRA:
                outside[holding.asset_index] -= amount
            else:
                inside[holding.asset_index] += amount
        for asset in sorted({*outside, *inside}):
            name = self._store.asset_name(asset)
            if outside[asset] != inside[asset]:
                came = "paid in" if asset == CASH_ASSET else "issued"
                self._differs(f"{name}: {came} {outside[asset]}, held {inside[asset]}")
            if asset == CASH_ASSET:
                self._found.cash = inside[asset]
            else:
                self._found.tonnes[name] = inside[asset]

    def _defaults(self) -> None:
        """What the reserve paid and got back for each default is what its entries moved."""
        rows = self._store.execute(
            "SELECT default_id, reserve_cash, recovered_cash,"
            " (SELECT coalesce(sum(amount), 0) FROM entries"
            "  WHERE kind = :used AND reference = 'default ' || default_id),"
            " (SELECT coalesce(sum(amount), 0) FROM entries"
            "  WHERE kind = :recovered AND reference = 'default ' || default_id)"
            " FROM defaults WHERE reserve_cash > 0",
            {
                "used": int(EntryKind.RESERVE_USED),
                "recovered": int(EntryKind.RESERVE_RECOVERED),
            },
        )
        for default_id, paid, recovered, paid_posted, recovered_posted in rows.fetchall():
            if (paid, recovered) != (paid_posted, recovered_posted):
                self._differs(
                    f"default {default_id}: the reserve paid {paid} and got back {recovered},"
                    f" posted are {paid_posted} and {recovered_posted}"
                )

    # -- the venue ----------------------------------------------------------------------------

    def _checkpoints(self) -> None:
        rows = self._store.execute(
            "SELECT settlement_seq, venue_hash, registry_hash FROM checkpoints"
            " ORDER BY settlement_seq"
        ).fetchall()
        told = dict(self._checkpoints_told)
        hashes = holdings_hashes(self._store, [seq for seq, *_ in rows])
        for (seq, venue_hash, then), posted in zip(rows, hashes, strict=True):
            now = hash_text(posted)
            self._found.checkpoints += 1
            self._found.checkpoint_seq = seq
            self._found.venue_hash, self._found.registry_hash = venue_hash, now
            if told.pop(seq, None) != venue_hash:
                self._differs(f"checkpoint at seq {seq}: its record gives another venue hash")
            if venue_hash != now:
                self._differs(
                    f"checkpoint at seq {seq}: venue hash {venue_hash},"
                    f" registry hash {now} (was {then} when it came)"
                )
        for seq in told:
            self._differs(f"checkpoint at seq {seq} was received and is missing")
        state = self._store.state
        if state != "ok":
            self._differs(f"state is {state}")


class _Entry(NamedTuple):
    """A row of `entries`."""

    entry_id: int
    kind: int
    settlement_seq: int
    business_date: int
    account_index: int
    counter_index: int
    asset_index: int
    amount: int
    reference: str
    act_id: int

    @property
    def cause_seq(self) -> int:
        """Of the record that it posts: a late one is named, any other has come just then."""
        return int(self.reference.split()[-1]) if self.reference else self.settlement_seq
