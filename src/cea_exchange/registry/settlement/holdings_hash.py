"""The hash of what trading accounts hold: now, in memory or by SQL, and at many sequences past.

To the venue a trade has happened when it is received, whenever it is posted here, and until a bust
undoes it. So what is not posted yet counts too, and what was posted late counts from its own
sequence on::

    postings ------------------------+
    trades not posted at once -------+--> holdings, as they move --> hash at each sequence asked
    withdrawals, busts not posted so-+
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter

import numpy as np

from cea_exchange.domain.naming import CASH_NAME
from cea_exchange.institution.venue_link.holding_hash import holding_hash, holdings_hash_sum
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind, Trade, trade_legs
from cea_exchange.ledger.history import LEGS_MAX
from cea_exchange.ledger.store import Store

HASH_MASK = (1 << 64) - 1
TRADE_COLUMNS = (
    "settlement_seq, trade_id, trading_date, method, buyer_index, seller_index, product_index,"
    " price, tonnes, cash, buy_fee, sell_fee"
)

_POSTED_LATE = frozenset({EntryKind.TRADE, EntryKind.WITHDRAWN, EntryKind.BUST})
"""Kinds of entries that name what they post, where that came before."""

_Move = tuple[int, int, int, int]
"""Settlement sequence, account, asset, and what is added to that holding."""

_UNPOSTED = """
WITH unposted AS (
    SELECT buyer_index, seller_index, product_index, tonnes, cash, buy_fee, sell_fee
    FROM trades WHERE settlement_seq > :since
        AND state <> 'settled' AND state <> 'busted' AND posted_seq = 0
)
SELECT account_index, asset_index, sum(amount) FROM (
    SELECT buyer_index AS account_index, :cash AS asset_index, -(cash + buy_fee) AS amount
        FROM unposted
    UNION ALL SELECT seller_index, :cash, cash - sell_fee FROM unposted
    UNION ALL SELECT seller_index, product_index, -tonnes FROM unposted
    UNION ALL SELECT buyer_index, product_index, tonnes FROM unposted
) AS counted
GROUP BY account_index, asset_index
"""
_HELD = "SELECT account_index, asset_index, amount FROM balances WHERE compartment = :trading"
_POSTPONED = """
SELECT account_index, asset_index, amount FROM postponed
    WHERE posted_seq = 0 AND compartment = :trading
"""


class Unposted:
    """What trades that are not posted moved at the venue, by account and asset.

    Summed as they come, so that each checkpoint of a long day reads only the trades since the one
    before it. When one that was counted is posted or undone, all are counted again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since, self._changes = 0, store.unposted_changes
        self._sums: Counter[tuple[int, int]] = Counter()

    def sums(self) -> Counter[tuple[int, int]]:
        """Return the sums up to the last trade there is."""
        last = self._store.one("SELECT coalesce(max(settlement_seq), 0) FROM trades")
        # Less than was counted: the transaction that brought it was taken back.
        if last < self._since or self._changes != self._store.unposted_changes:
            self._since, self._sums = 0, Counter()
            self._changes = self._store.unposted_changes
        rows = self._store.all(_UNPOSTED, {"since": self._since, "cash": CASH_ASSET})
        for account, asset, amount in rows:
            self._sums[account, asset] += amount
        self._since = last
        return self._sums


def holdings_hash(store: Store, unposted: Unposted | None = None) -> int:
    """Compute the holdings hash of the trading accounts as they stand, by SQL over the postings.

    It equals the venue's hash at `last_seq` if both hold the same.

    Parameters
    ----------
    unposted
        One that has counted before, to go on from; left out, all is counted.
    """
    held = store.all(_HELD, {"trading": int(Compartment.TRADING)})
    return _hash(store, unposted or Unposted(store), np.array(held, np.int64).reshape(-1, 3))


def holdings_hash_in_memory(store: Store, unposted: Unposted) -> int:
    """Compute the same of the writer's balances, which change with each posting."""
    return _hash(store, unposted, store.balances.trading())


def _hash(store: Store, unposted: Unposted, held: np.ndarray) -> int:
    moved = [(*holding, amount) for holding, amount in unposted.sums().items()]
    moved += store.all(_POSTPONED, {"trading": int(Compartment.TRADING)})
    return holdings_hash_sum(
        np.concatenate((held, np.array(moved, np.int64).reshape(-1, 3))),
        dict(store.all("SELECT account_index, account FROM accounts")),
        dict(store.all("SELECT product_index, product FROM products")),
    )


def holdings_hashes(store: Store, sequences: Sequence[int]) -> list[int]:
    """Return the holdings hash of the trading accounts at each of some settlement sequences.

    Memory grows with holdings, not with postings.

    Parameters
    ----------
    sequences
        In ascending order.
    """
    hashes: list[int] = []
    holdings = _Holdings(store)
    postponed = store.all(
        "SELECT settlement_seq, account_index, asset_index, amount FROM postponed"
        " WHERE compartment = ? ORDER BY settlement_seq",
        (int(Compartment.TRADING),),
    )
    moves = merge(_posted_at_once(store), _not_posted_at_once(store), postponed, key=itemgetter(0))
    move = next(moves, None)
    for seq in sequences:
        while move is not None and move[0] <= seq:
            holdings.add(*move[1:])
            move = next(moves, None)
        hashes.append(holdings.hash())
    return hashes


def _posted_at_once(store: Store) -> Iterator[_Move]:
    """Yield what entries moved in trading accounts, but those of trades that were posted late."""
    entries = store.database.stream(
        "SELECT entry_id, kind, settlement_seq, reference FROM entries ORDER BY entry_id"
    )
    postings = store.database.stream(
        "SELECT posting_id, account_index, asset_index, amount FROM postings"
        " WHERE compartment = ? ORDER BY posting_id",
        (int(Compartment.TRADING),),
    )
    entry = next(entries, None)
    for entry_id, legs in groupby(postings, key=lambda row: row[0] // LEGS_MAX):
        while entry is not None and entry[0] < entry_id:
            entry = next(entries, None)
        if entry is None or entry[0] != entry_id:
            continue  # a posting without an entry moves nothing at the venue
        _entry_id, kind, seq, reference = entry
        if kind in _POSTED_LATE and reference:
            continue
        for _posting_id, account, asset, amount in legs:
            yield seq, account, asset, amount


def _not_posted_at_once(store: Store) -> Iterator[_Move]:
    """Yield what late, waiting and failed trades moved at the venue, and busts of unposted ones.

    A failed trade that was posted before the next record came has its own sequence as
    `posted_seq`; it is late all the same.
    """
    rows = store.database.stream(
        f"SELECT {TRADE_COLUMNS} FROM trades WHERE posted_seq <> settlement_seq OR failure <> ''"
        " ORDER BY settlement_seq"
    )
    trades = ((trade.settlement_seq, trade, 1) for trade in (Trade(*row) for row in rows))
    columns = ", ".join(f"t.{name.strip()}" for name in TRADE_COLUMNS.split(","))
    undone = store.all(
        f"SELECT b.settlement_seq, {columns} FROM busts b"
        " JOIN trades t ON t.settlement_seq = b.trade_seq"
        " WHERE b.reason = 0 AND t.posted_seq = 0 ORDER BY b.settlement_seq"
    )
    busts = ((seq, Trade(*terms), -1) for seq, *terms in undone)
    for seq, trade, sign in merge(trades, busts, key=itemgetter(0)):
        for account, asset, compartment, amount in trade_legs(trade):
            if compartment == Compartment.TRADING:
                yield seq, account, asset, sign * amount


class _Holdings:
    """What trading accounts hold, and the hash of it: only what moved is hashed again."""

    def __init__(self, store: Store) -> None:
        self._accounts: dict[int, str] = dict(
            store.execute("SELECT account_index, account FROM accounts")
        )
        self._products: dict[int, str] = dict(
            store.execute("SELECT product_index, product FROM products")
        )
        self._amounts: dict[tuple[int, int], int] = {}
        self._terms: dict[tuple[int, int], int] = {}
        self._moved: set[tuple[int, int]] = set()
        self._total = 0

    def add(self, account_index: int, asset_index: int, amount: int) -> None:
        holding = (account_index, asset_index)
        self._amounts[holding] = self._amounts.get(holding, 0) + amount
        self._moved.add(holding)

    def hash(self) -> int:
        for holding in self._moved:
            account, asset = holding
            name = self._accounts.get(account)
            if name is not None:
                asset_name = self._products.get(asset, CASH_NAME)
                term = holding_hash(name, asset_name, self._amounts[holding])
                self._total += term - self._terms.get(holding, 0)
                self._terms[holding] = term
        self._moved.clear()
        return self._total & HASH_MASK
