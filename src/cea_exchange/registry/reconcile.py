"""Check the whole ledger: against itself, against the records it settled, against the venue.

A sum of zero proves little: a trade settled twice sums to zero too. So every entry's legs are
compared with what caused it, every cause must have its entry exactly once, and the holdings hash at
each of the venue's checkpoints is computed anew from the postings up to it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import apsw
import msgspec
import numpy as np

from cea_exchange.domain.records import (
    CHECKPOINT_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    EventKind,
    Operation,
    Reason,
)
from cea_exchange.protocol.control import (
    AccountDeclared,
    ControlError,
    FeedItem,
    KeyGranted,
    KeyRevoked,
    ProductDeclared,
    TransferIn,
    TransferOut,
    control_decode,
)
from cea_exchange.registry.ledger import (
    CASH_ASSET,
    Compartment,
    Contra,
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
from cea_exchange.registry.posted_hashes import posted_hashes
from cea_exchange.registry.store import Store, StoreError, hash_text

DIFFERENCE_COUNT_MAX = 100
CHUNK_COUNT = 5_000

_KINDS_OF_ACTS = (EntryKind.ISSUE, EntryKind.PAY_IN, EntryKind.TRANSFER_BEGUN)

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


class _Bust(msgspec.Struct, frozen=True):
    """Cause of an entry: the bust of a trade that was posted."""

    trade: Trade


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


def check_ledger(data: Path | str) -> Reconciliation:
    """Check the registry in ``data/registry/``, at rest or at work.

    Returns
    -------
    Reconciliation
        With all that differs (at most 100 sentences).

    Raises
    ------
    StoreError
        There is no registry's database.
    """
    with Store.open_reader(data) as store:
        store.execute("BEGIN")  # one view of the database, whatever a daemon commits meanwhile
        return _Check(store).run()


class _Check:
    """One check, on one view of the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found = Reconciliation(last_seq=store.last_seq)
        self._pending: Counter[Holding] = Counter()
        self._held: dict[Holding, int] = {}
        # Per settlement sequence what should be posted: a trade, the bust of one, or kind, account,
        # asset, amount.
        self._causes: dict[int, Trade | _Bust | tuple[int, int, int, int]] = {}
        self._trades: dict[int, Trade] = {}  # by trade_id, as their records say
        self._busts: list[tuple[int, int, int]] = []
        self._claims: list[tuple[int, ...]] = []
        self._answers: dict[int, tuple[str, int, int]] = {}

    def run(self) -> Reconciliation:
        """Run every check and return what was found."""
        try:
            for (line,) in self._store.execute("PRAGMA quick_check(10)").fetchall():
                if line != "ok":
                    self._differs(f"database file: {line}")
            self._feed()
            self._records()
            self._states()
            self._days()
            self._entries()
            self._balances()
            self._conservation()
            self._checkpoints()
        except (apsw.Error, ValueError, TypeError, OverflowError) as error:
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
            elif isinstance(command, ProductDeclared):
                products.append((len(products), command.product, command.reference_price))
            elif isinstance(command, KeyGranted):
                grant = (command.account, command.operator_index, command.role)
                keys[command.key] = (command.key, *grant, int(command.cancel_on_disconnect), 0)
            elif isinstance(command, KeyRevoked):
                keys[command.key] = (*keys.get(command.key, ())[:-1], 1)
            elif isinstance(command, TransferIn | TransferOut):
                transfers.append(self._transfer_told(transfer_seq, command))
        self._table_is(
            "account",
            accounts,
            "SELECT account_index, account, account_group FROM accounts"
            " WHERE account_index >= 0 ORDER BY account_index",
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
        direction = "in" if isinstance(command, TransferIn) else "out"
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
        trades = {row[0]: row for row in self._store.execute("SELECT * FROM trades")}
        rows = self._store.execute(
            "SELECT settlement_seq, kind, record FROM settlement_records ORDER BY settlement_seq"
        )
        expected = 1
        while chunk := list(islice(rows, CHUNK_COUNT)):
            records = np.frombuffer(b"".join(payload for *_, payload in chunk), EVENT_DTYPE)
            said = zip(records["settlement_seq"].tolist(), records["kind"].tolist(), strict=True)
            figures = trade_figures(records)
            for position, ((seq, kind, _payload), says) in enumerate(zip(chunk, said, strict=True)):
                if seq != expected:
                    self._differs(f"settlement record {expected} is missing, {seq} comes next")
                expected = seq + 1
                if says != (seq, kind):
                    self._differs(f"settlement record {seq} says that it is another one")
                elif kind == EventKind.TRADE:
                    self._trade_record(seq, figures[position], trades.pop(seq, None))
                elif kind == EventKind.TRADE_BUSTED:
                    self._bust_record(seq, figures[position], int(records[position]["reason"]))
                else:
                    self._transfer_record(seq, records[position])
        if expected != self._found.last_seq + 1:
            self._differs(f"last_seq is {self._found.last_seq}, the last record is {expected - 1}")
        for row in trades.values():
            trade = Trade(*row[:-2])
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
        *terms, _state, failure = stored or (None, None)
        self._trades[trade.trade_id] = trade
        if not failure:
            self._causes[seq] = trade
        self._found.trades += 1
        if tuple(terms) != trade:
            self._differs(
                f"trade {trade.trade_id} of accounts {self._name(trade.buyer_index)} and"
                f" {self._name(trade.seller_index)}: its record says {tuple(trade)},"
                f" stored is {tuple(terms)}"
            )

    def _bust_record(self, seq: int, figures: tuple[int, ...], reason: int) -> None:
        trade_id = figures[1]
        trade = self._trades.get(trade_id)
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
            self._claims += [(seq, trade_id, *claim) for claim in bust_claims(trade)]
        elif not self._store.one("SELECT failure FROM trades WHERE trade_id = ?", (trade_id,)):
            self._causes[seq] = _Bust(trade)

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
        self._causes[seq] = (kind, int(record["account_index"]), asset, amount)

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
            "SELECT settlement_seq, trade_id, buyer_index, seller_index, state, failure FROM trades"
            " WHERE state <> 'settled' OR failure <> '' OR settlement_seq IN"
            " (SELECT trade_seq FROM busts)"
        )
        for seq, trade_id, buyer, seller, state, failure in rows.fetchall():
            expected = "busted" if seq in undone else "failed" if failure else "settled"
            self._found.busted += state == "busted"
            self._found.failed += state == "failed"
            if state != expected:
                names = f"{self._name(buyer)} and {self._name(seller)}"
                self._differs(
                    f"trade {trade_id} of accounts {names}: its state is {state}, not {expected}"
                )
        self._found.claims = len(self._claims)
        for what, told, sql in (
            ("busts", self._busts, "SELECT * FROM busts ORDER BY settlement_seq"),
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
        rows = self._store.execute(
            "SELECT record FROM settlement_records WHERE kind = ?", (int(EventKind.DAY_CLOSED),)
        )
        records = np.frombuffer(b"".join(payload for (payload,) in rows), DAY_CLOSED_DTYPE)
        fields = ("trading_date", "product_index", "settlement_seq")
        told = sorted(zip(*(records[field].tolist() for field in fields), strict=True))
        stored = self._store.execute(
            "SELECT trading_date, product_index, settlement_seq FROM day_closes ORDER BY 1, 2"
        ).fetchall()
        odd = sorted({*told} ^ {*stored})
        if odd:
            self._differs(f"day closes (date, product, seq): records and table differ in {odd}")
        confirmed = self._store.confirmed_date
        if confirmed and confirmed not in {date for date, *_ in told}:
            self._differs(f"confirmed_date is {confirmed}: no record closes that day")

    # -- entries: each has a cause and exactly its legs -------------------------------------------

    def _entries(self) -> None:
        for entry, legs in self._entries_with_legs():
            entry_id, kind, seq, *subject = entry
            self._found.postings += len(legs)
            cause: Any = None
            if seq != 0:
                cause = self._causes.pop(seq, None)
            elif kind in _KINDS_OF_ACTS:
                cause = (kind, *subject)
            caused_kind, expected = self._legs_of(cause)
            if caused_kind != kind:
                self._differs(
                    f"entry {entry_id} at seq {seq}: no such record, or it is settled twice;"
                    f" accounts {self._names(legs)}"
                )
            elif legs != expected:
                self._legs_differ(
                    f"{EntryKind(kind).name.lower()} at seq {seq}", entry_id, expected, legs
                )
        for seq, cause in self._causes.items():
            kind, legs = self._legs_of(cause)
            self._differs(f"record {seq} was never posted: accounts {self._names(legs)}")

    def _legs_of(self, cause: Any) -> tuple[int | None, list[tuple[int, ...]]]:
        """Return kind and legs of what should have been posted for a record or an act."""
        if cause is None:
            return None, []
        if isinstance(cause, Trade):
            return EntryKind.TRADE, [leg for leg in trade_legs(cause) if leg.amount]
        if isinstance(cause, _Bust):
            return EntryKind.BUST, [leg for leg in bust_legs(cause.trade) if leg.amount]
        try:
            return EntryKind(cause[0]), list(legs_of(*cause))
        except (LedgerError, ValueError, KeyError):
            return None, []

    def _entries_with_legs(self) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]]]]:
        """Yield every entry with its postings; report postings that belong to none."""
        postings = self._store.execute(
            "SELECT entry_id, settlement_seq, account_index, asset_index, compartment, amount"
            " FROM postings ORDER BY entry_id, posting_id"
        )
        by_entry = groupby(postings, key=itemgetter(0))
        entry_id, group = next(by_entry, (None, iter(())))
        for entry in self._store.execute(
            "SELECT entry_id, kind, settlement_seq, account_index, asset_index, amount"
            " FROM entries ORDER BY entry_id"
        ):
            while entry_id is not None and entry_id < entry[0]:
                self._stray(entry_id, group)
                entry_id, group = next(by_entry, (None, iter(())))
            legs: list[tuple[int, ...]] = []
            if entry_id == entry[0]:
                for row in group:
                    legs.append(row[2:])
                    if row[1] != entry[2]:
                        self._differs(
                            f"posting of account {self._name(row[2])} in entry {entry_id}"
                            f" is at seq {row[1]}, its entry at {entry[2]}"
                        )
                entry_id, group = next(by_entry, (None, iter(())))
            yield entry, legs
        while entry_id is not None:
            self._stray(entry_id, group)
            entry_id, group = next(by_entry, (None, iter(())))

    def _stray(self, entry_id: int, rows: Iterable[tuple[int, ...]]) -> None:
        for row in rows:
            self._differs(
                f"posting of account {self._name(row[2])} belongs to entry {entry_id},"
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
        posted: Counter[Holding] = Counter()
        summed: Counter[Holding] = Counter()
        posting_id, seq = self._store.summed
        for *holding, amount, amount_summed in self._store.execute(
            "SELECT account_index, asset_index, compartment, sum(amount),"
            " sum(iif(posting_id <= ?, amount, 0)) FROM postings GROUP BY 1, 2, 3",
            (posting_id,),
        ):
            posted[Holding(*holding)], summed[Holding(*holding)] = amount, amount_summed
        self._sums(summed, seq)
        held = {Holding(*row[:3]): row[3] for row in self._store.execute("SELECT * FROM balances")}
        for holding in sorted({*held, *posted, *self._pending}):
            balance, total = held.get(holding, 0), posted[holding]
            where = self._where(holding)
            if balance != total:
                self._differs(f"{where}: balance is {balance}, its postings sum to {total}")
            if balance < 0 <= holding.account_index:
                self._differs(f"{where}: balance is {balance}, below zero")
            if holding.compartment == Compartment.TRANSIT and balance != self._pending[holding]:
                self._differs(
                    f"{where}: balance is {balance}, transfers under way are"
                    f" {self._pending[holding]}"
                )
        self._held = held

    def _sums(self, summed: Counter[Holding], seq: int) -> None:
        """Compare the sums that starts and checkpoints go on from with the postings up to there."""
        rows = self._store.execute("SELECT * FROM posted_sums")
        kept = {Holding(*row[:3]): row[3] for row in rows}
        for holding in sorted({*kept, *summed}):
            if kept.get(holding, 0) != summed[holding]:
                self._differs(
                    f"{self._where(holding)}: sum kept at seq {seq} is {kept.get(holding, 0)},"
                    f" its postings sum to {summed[holding]}"
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
            if holding.account_index in (Contra.ISSUANCE, Contra.BANK):
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

    # -- the venue ----------------------------------------------------------------------------

    def _checkpoints(self) -> None:
        rows = self._store.execute(
            "SELECT settlement_seq, venue_hash, registry_hash FROM checkpoints"
            " ORDER BY settlement_seq"
        ).fetchall()
        told = self._checkpoints_told()
        hashes = posted_hashes(self._store, [seq for seq, *_ in rows])
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

    def _checkpoints_told(self) -> dict[int, str]:
        rows = self._store.execute(
            "SELECT settlement_seq, record FROM settlement_records WHERE kind = ?",
            (int(EventKind.CHECKPOINT),),
        )
        return {
            seq: hash_text(int(np.frombuffer(payload, CHECKPOINT_DTYPE)[0]["holdings_hash"]))
            for seq, payload in rows.fetchall()
        }


def settled_records(store: Store, after_seq: int = 0) -> Iterator[np.ndarray]:
    """Yield the settlement records behind a sequence, some thousand at a time.

    Each time is a look of its own, so that no view of the database is held in between.

    Yields
    ------
    Event[count], oldest first
        As they were received; `verify` compares them with those of the journal.

    Raises
    ------
    StoreError
        They are no Event records.
    """
    while rows := store.execute(
        "SELECT settlement_seq, record FROM settlement_records WHERE settlement_seq > ?"
        " ORDER BY settlement_seq LIMIT ?",
        (after_seq, CHUNK_COUNT),
    ).fetchall():
        recorded = b"".join(record for _seq, record in rows)
        if len(recorded) != len(rows) * EVENT_DTYPE.itemsize:
            raise StoreError("sequence 1: the registry's settlement records are no Event records")
        yield np.frombuffer(recorded, EVENT_DTYPE)
        after_seq = rows[-1][0]
