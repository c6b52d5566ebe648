"""A database with double entry: names, postings, balances, how far settlement is.

Balances are in the writer's memory, changed with the postings and taken back with them; a reader
asks the database.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.ledger.balances import Balances
from cea_exchange.ledger.database.interface import Database
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    EntryKind,
    Holding,
    LedgerError,
    Posting,
    post,
)
from cea_exchange.ledger.history import (
    LEGS_MAX,
    SNAPSHOT_ENTRY_COUNT,
    balance_as_of,
    balances_load,
    snapshot_write,
)
from cea_exchange.ledger.record_store import DatabaseAway, RecordStore, StoreError

__all__ = ["DatabaseAway", "Store", "StoreError", "hash_text"]


class Store(RecordStore):
    """An open database of an institution that keeps double entry.

    Attributes
    ----------
    entry_last : int
        The last entry.
    unposted_changes : int
        How often a trade that was received or failed was posted or undone, in this process's life.
    """

    entry_last: int
    _balances: Balances | None = None
    _snapshot_last: int
    _day_last: int | None
    unposted_changes = 0

    def _numbers_read(self) -> None:
        super()._numbers_read()
        self.entry_last = self.one("SELECT coalesce(max(entry_id), 0) FROM entries")
        self._snapshot_last = self.one("SELECT coalesce(max(entry_id), 0) FROM snapshots")
        self._day_last = self.one(
            "SELECT business_date FROM entry_days ORDER BY first_entry DESC LIMIT 1"
        )

    def _memory_read(self, database: Database) -> None:
        if self.is_writer:
            self._balances = balances_load(database)
            self.partners.stops = [self._divergence, *self.partners.stops]

    def _divergence(self) -> str:
        return "" if self.state == "ok" else self.state

    def _level_begin(self) -> Callable[[], None]:
        kept = self.entry_last, self._snapshot_last, self._day_last
        self.balances.level_begin()

        def undo() -> None:
            self.balances.level_undo()
            self.entry_last, self._snapshot_last, self._day_last = kept

        return undo

    def _level_keep(self) -> None:
        self.balances.level_keep()

    def _commit_prepare(self) -> None:
        if self.entry_last - self._snapshot_last >= SNAPSHOT_ENTRY_COUNT:
            self.snapshot()

    # -- what it knows --------------------------------------------------------------

    @property
    def log_id(self) -> str | None:
        """Identity of the venue's stream that is settled here; None before its first record."""
        return self.one("SELECT log_id FROM meta")

    @property
    def last_seq(self) -> int:
        """Last settlement sequence that is applied and committed."""
        return self.one("SELECT last_seq FROM meta")

    @property
    def confirmed_date(self) -> int:
        """Last trading day (yyyymmdd) settled and agreed with the venue's totals; 0 is none."""
        return self.one("SELECT confirmed_date FROM meta")

    @property
    def state(self) -> str:
        """``ok``, or ``diverged: ...`` with what differs."""
        return self.one("SELECT state FROM meta")

    def last_seq_set(self, log_id: str | None, last_seq: int) -> None:
        """Store how far settlement is; belongs in the transaction of the postings."""
        self.execute("UPDATE meta SET log_id = ?, last_seq = ?", (log_id, last_seq))

    def account_index(self, account: str) -> int | None:
        """Return a participant's index, None if there is no such account."""
        return self.one(
            "SELECT account_index FROM accounts WHERE account = ? AND account_index >= 0",
            (account,),
        )

    def product_index(self, product: str) -> int | None:
        """Return a product's index, None if there is no such product."""
        return self.one("SELECT product_index FROM products WHERE product = ?", (product,))

    def account_name(self, account_index: int) -> str:
        """Return an account's name, institutions included, for a message to a person."""
        name = self.one("SELECT account FROM accounts WHERE account_index = ?", (account_index,))
        return name if name is not None else f"account {account_index}, which is not declared"

    def asset_name(self, asset_index: int) -> str:
        """Return an asset's name, for a message to a person."""
        if asset_index == CASH_ASSET:
            return CASH_NAME
        name = self.one("SELECT product FROM products WHERE product_index = ?", (asset_index,))
        return name if name is not None else f"product {asset_index}, which is not declared"

    def named(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a row with names in place of indexes: ``debtor_index`` becomes ``debtor``."""
        names = {"asset_index": self.asset_name, "product_index": self.asset_name}
        return {
            column.removesuffix("_index"): names.get(column, self.account_name)(value)
            if column.endswith("_index")
            else value
            for column, value in row.items()
        }

    # -- holdings and entries -----------------------------------------------------------------

    @property
    def balances(self) -> Balances:
        """What everybody holds now; a writer's only."""
        if self._balances is None:
            raise StoreError(f"{self.database.name}: expected a writer, is open for reading")
        return self._balances

    def balance(self, holding: Holding) -> int:
        """Return what is held, in tonnes or fen; 0 where nothing ever was."""
        if self._balances is not None:
            return self._balances[holding]
        return balance_as_of(self.database, holding, self.entry_last)

    def entry_add(
        self,
        kind: EntryKind,
        postings: Sequence[Posting],
        subject: tuple[int, int, int, int] = (0, 0, 0, 0),
        *,
        settlement_seq: int,
        business_date: int,
        reference: str = "",
    ) -> int:
        """Post an entry, within a transaction.

        Parameters
        ----------
        kind, postings
            Why, and the legs.
        subject
            From which account to which, which asset and how much; zeros for a trade.
        settlement_seq
            That settlement has reached: of the record that caused it, if one did.
        business_date
            As yyyymmdd.
        reference
            Which act or late trade caused it.

        Returns
        -------
        int
            Its id, the ledger's sequence.

        Raises
        ------
        LedgerError
            It can't be; then nothing of it was posted.
        """
        (entry_id,) = self.entries_add(
            [(kind, postings, subject)],
            settlement_seq=settlement_seq,
            business_date=business_date,
            reference=reference,
        )
        return entry_id

    def entries_add(
        self,
        entries: Iterable[tuple[EntryKind, Sequence[Posting], tuple[int, int, int, int]]],
        *,
        settlement_seq: int,
        business_date: int,
        reference: str = "",
    ) -> range:
        """Post entries that belong together, one after the other, and write them at once.

        Parameters
        ----------
        entries
            Of each the kind, the postings and the subject, as `entry_add` takes them.

        Returns
        -------
        range
            Their ids.

        Raises
        ------
        LedgerError
            One can't be. Those before it are posted and not written, so that a transaction that
            has more than one of them must be taken back.
        ActsStopped
            An act causes them, and nothing of value may move now; nothing was posted.
        """
        if self._depth == 0:
            raise LedgerError("an entry must be posted within a transaction")
        if self.act_id != 0:
            self.partners.value_check()
        if self.act_id is None:
            self.act_id = self.act_missing()
        rows: list[tuple[Any, ...]] = []
        legs: list[tuple[int, ...]] = []
        first = self.entry_last + 1
        for entry_id, (kind, postings, subject) in enumerate(entries, first):
            post(self.balances, postings)
            rows.append(
                (
                    *(entry_id, int(kind), settlement_seq, business_date),
                    *(*map(int, subject), reference, self.act_id),
                )
            )
            legs += [
                (LEGS_MAX * entry_id + leg, int(account), asset, int(compartment), amount)
                for leg, (account, asset, compartment, amount) in enumerate(postings)
                # A seller whose fee eats the whole proceeds gets a leg of nothing.
                if amount
            ]
        self.insert(
            "entries (entry_id, kind, settlement_seq, business_date, account_index, counter_index,"
            " asset_index, amount, reference, act_id)",
            rows,
        )
        if rows:
            self.day_note(first, business_date)
        self.insert("postings (posting_id, account_index, asset_index, compartment, amount)", legs)
        self.entry_last += len(rows)
        return range(first, first + len(rows))

    def day_note(self, first_entry: int, business_date: int) -> None:
        """Keep that entries from one on are of a day, if those before are not; after them."""
        if business_date != self._day_last:
            self.insert("entry_days (first_entry, business_date)", [(first_entry, business_date)])
            self._day_last = business_date

    def snapshot(self) -> None:
        """Keep all balances as they are now, so that less is read from here on."""
        if self.entry_last > self._snapshot_last:
            date = self.one(
                "SELECT business_date FROM entries WHERE entry_id = ?", (self.entry_last,)
            )
            snapshot_write(self.database, self.balances, self.entry_last, self.last_seq, date)
            self._snapshot_last = self.entry_last


def hash_text(value: int) -> str:
    """Return a 64-bit hash as 16 hexadecimal digits."""
    return f"{value:016x}"
