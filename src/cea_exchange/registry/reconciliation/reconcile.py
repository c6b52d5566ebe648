"""Check the whole ledger: against itself, against the records it settled, against the venue.

A sum of zero proves little: a trade settled twice sums to zero too. So every entry's legs are
compared with what caused it, every cause must have its entry exactly once, and the holdings hash at
each of the venue's checkpoints is computed anew from the postings up to it.

Whatever a query can say is a query of `audit`, which an auditor runs by hand too. Here is the rest:
bytes to be read, hashes to be computed, rules of the year to be looked up.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from cea_exchange.institution.maintenance.store_check import UNREADABLE
from cea_exchange.ledger.audit import ROWS_AS_LOGGED
from cea_exchange.ledger.database.interface import DatabaseError
from cea_exchange.ledger.double_entry import CASH_ASSET
from cea_exchange.ledger.store import Store, hash_text
from cea_exchange.registry.reconciliation.audit import checks, findings
from cea_exchange.registry.reconciliation.feed import feed_differences
from cea_exchange.registry.reconciliation.integrity import CAUSES, registry_integrity
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from cea_exchange.registry.reconciliation.persons import persons_differences
from cea_exchange.registry.reconciliation.platform_link import platform_differences
from cea_exchange.registry.reconciliation.records import record_differences
from cea_exchange.registry.reconciliation.waiting_chains import chain_differences
from cea_exchange.registry.settlement.holdings_hash import holdings_hashes
from cea_exchange.registry.store import RegistryStore

DIFFERENCE_COUNT_MAX = 100


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

    Returns with all that differs (at most 100 sentences).

    Raises StoreError: there is no registry's database.

    Parameters
    ----------
    database
        ``postgresql://...``; None takes the one that the folder speaks of.
    """
    # One view of the database, whatever a daemon commits meanwhile.
    with RegistryStore.open_reader(data, database) as store, store.view():
        return check_store(store)


def check_store(store: RegistryStore) -> Reconciliation:
    """Check an open registry, within a transaction."""
    found = Reconciliation(last_seq=store.last_seq)
    try:
        for sentence in islice(_differences(store, found), DIFFERENCE_COUNT_MAX):
            found.differences.append(sentence)
        _figures(store, found)
    except (DatabaseError, *UNREADABLE) as error:
        found.differences.append(f"database can not be read as a ledger: {error}")
    return found


def _differences(store: Store, found: Reconciliation) -> Iterator[str]:
    """Yield all that differs; those come first that say the most."""
    yield from (f"database: {line}" for line in store.database.check())
    yield from feed_differences(store)
    yield from record_differences(store)
    yield from registry_integrity(store)
    others = [check for name, check in checks().items() if name not in (ROWS_AS_LOGGED, CAUSES)]
    # The first is what a person reads: whose it is, before sums of all.
    others.sort(key=lambda check: "{account_index}" not in check.says)
    yield from findings(store, *(check.name for check in others))
    yield from persons_differences(store)
    yield from obligation_differences(store)
    yield from platform_differences(store)
    yield from chain_differences(store)
    yield from _checkpoints_differ(store, found)


def _checkpoints_differ(store: Store, found: Reconciliation) -> Iterator[str]:
    rows = store.all(
        "SELECT settlement_seq, venue_hash, registry_hash FROM checkpoints ORDER BY settlement_seq"
    )
    hashes = holdings_hashes(store, [seq for seq, *_ in rows])
    for (seq, venue_hash, then), posted in zip(rows, hashes, strict=True):
        now = hash_text(posted)
        found.checkpoints += 1
        found.checkpoint_seq = seq
        found.venue_hash, found.registry_hash = venue_hash, now
        if venue_hash != now:
            yield (
                f"checkpoint at seq {seq}: venue hash {venue_hash},"
                f" registry hash {now} (was {then} when it came)"
            )


def _figures(store: Store, found: Reconciliation) -> None:
    """Note how much there is."""
    found.trades, found.busted, found.failed = store.one(
        "SELECT count(*), count(CASE state WHEN 'busted' THEN 1 END),"
        " count(CASE state WHEN 'failed' THEN 1 END) FROM trades"
    )
    found.claims = store.one("SELECT count(*) FROM claims")
    found.postings = store.one("SELECT count(*) FROM postings")
    rows = store.all(
        "SELECT asset_index, sum(amount) FROM postings WHERE account_index NOT IN (-1, -2)"
        " GROUP BY asset_index ORDER BY asset_index"
    )
    for asset, held in rows:
        if asset == CASH_ASSET:
            found.cash = int(held)
        else:
            found.tonnes[store.asset_name(asset)] = int(held)
