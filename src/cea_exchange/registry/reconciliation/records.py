"""What the registry makes of the venue's settlement records, compared with them one by one."""

from collections.abc import Iterator
from typing import Any, ClassVar

from cea_exchange.domain.records import EventKind, Operation, Reason
from cea_exchange.institution.maintenance.record_tables import RecordTables
from cea_exchange.ledger.double_entry import (
    CASH_ASSET,
    Compartment,
    EntryKind,
    Trade,
    bust_claims,
)
from cea_exchange.ledger.store import Store
from cea_exchange.registry.settlement.holdings_hash import TRADE_COLUMNS

# A refused withdrawal has no entry: nothing had moved.
_ENTRY_OF_RECORD: dict[tuple[int, int], EntryKind] = {
    (EventKind.DEPOSITED, Operation.NONE): EntryKind.DEPOSITED,
    (EventKind.WITHDRAWN, Operation.NONE): EntryKind.WITHDRAWN,
    (EventKind.TRANSFER_REJECTED, Operation.DEPOSIT): EntryKind.TRANSFER_RETURNED,
}


def record_differences(store: Store) -> Iterator[str]:
    """Yield a sentence for each place where a table is not what the records say.

    Rules: CEA-STL-01, CEA-STL-02.
    """
    return _Records(store).differences()


class _Records(RecordTables):
    """The registry's tables, its claims, and the entries of transfers."""

    trade_columns = TRADE_COLUMNS
    transfers = "transfers"
    tables: ClassVar[dict[str, str]] = {
        "busts": "settlement_seq, trade_seq, reason",
        "claims": "settlement_seq, trade_id, debtor_index, creditor_index, asset_index, amount",
        "day_closes": "trading_date, product_index, settlement_seq",
        "checkpoints": "settlement_seq, trading_date, venue_hash",
    }

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        # Settlement sequence -> kind, account, asset, amount and day of the entry that it causes.
        self._causes: dict[int, tuple[int, ...]] = {}

    def _asset(self, product_index: int) -> int:
        return product_index

    def _busted(self, seq: int, trade: Trade, date: int, reason: int) -> None:
        if reason != Reason.NONE:
            claims = bust_claims(trade)
            self._rows["claims"] += [(seq, trade.trade_id, *map(int, claim)) for claim in claims]

    def _moved(self, seq: int, record: Any) -> None:
        self._answered(seq, record)
        kind = _ENTRY_OF_RECORD.get((int(record["kind"]), int(record["command"])))
        if kind is None:
            return
        asset = int(record["product_index"])
        amount = int(record["cash"] if asset == CASH_ASSET else record["tonnes"])
        date = int(record["trading_date"])
        self._causes[seq] = (int(kind), int(record["account_index"]), asset, amount, date)

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
