"""The holdings hash at many sequences, in one pass over the postings.

    postings ---+
                +--> holdings, as they move --> hash at each sequence asked for
    failed -----+

`Store.holdings_hash` says the same of one sequence by SQL over everything up to it.
"""

from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter

from cea_exchange.domain.naming import CASH_NAME, holding_hash
from cea_exchange.registry.ledger import Compartment, Trade, trade_legs
from cea_exchange.registry.store import Store

HASH_MASK = (1 << 64) - 1

_Move = tuple[int, int, int, int]
"""Settlement sequence, account, asset, and what is added to that holding."""


class _Disorder(Exception):
    """A posting lies behind one of a later sequence."""


def posted_hashes(store: Store, sequences: Sequence[int]) -> list[int]:
    """Return the holdings hash of the trading accounts at each of some sequences.

    Parameters
    ----------
    sequences
        In ascending order.

    Returns
    -------
    list of int
        Each equal to `Store.holdings_hash`. Memory grows with holdings, not with postings.
    """
    if not sequences:
        return []
    try:
        return list(_hashes(store, sequences, "posting_id"))
    except _Disorder:
        # No registry writes so, but what it wrote may have been changed; sorting takes memory.
        return list(_hashes(store, sequences, "settlement_seq"))


def _hashes(store: Store, sequences: Sequence[int], order: str) -> Iterator[int]:
    """Yield the hash at each sequence; raise `_Disorder` if a posting came too late for its own."""
    rows = store.execute(
        "SELECT settlement_seq, account_index, asset_index, amount FROM postings"
        f" WHERE compartment = ? ORDER BY {order}",
        (int(Compartment.TRADING),),
    )
    moves = merge(rows, _trades_failed(store), key=itemgetter(0))
    holdings = _Holdings(store)
    done_seq = -1
    move = next(moves, None)
    for seq in sequences:
        while move is not None and move[0] <= seq:
            if move[0] <= done_seq:
                raise _Disorder
            holdings.add(*move[1:])
            move = next(moves, None)
        yield holdings.hash()
        done_seq = seq
    if move is not None and any(seq <= done_seq for seq, *_ in moves):
        raise _Disorder


def _trades_failed(store: Store) -> list[_Move]:
    """Return what failed trades moved at the venue, and what their busts took back."""
    moves: list[_Move] = []
    rows = store.execute(
        "SELECT b.settlement_seq, t.* FROM trades t"
        " LEFT JOIN busts b ON b.trade_seq = t.settlement_seq AND b.reason = 0"
        " WHERE t.state <> 'settled' AND t.failure <> ''"
    )
    for bust_seq, *terms, _state, _failure in rows:
        trade = Trade(*terms)
        for account, asset, compartment, amount in trade_legs(trade):
            if compartment == Compartment.TRADING:
                moves.append((trade.settlement_seq, account, asset, amount))
                if bust_seq is not None:
                    moves.append((max(bust_seq, trade.settlement_seq), account, asset, -amount))
    return sorted(moves)


class _Holdings:
    """What trading accounts hold, and the hash of it: only what moved is hashed again."""

    def __init__(self, store: Store) -> None:
        self._accounts = dict(store.execute("SELECT account_index, account FROM accounts"))
        self._products = dict(store.execute("SELECT product_index, product FROM products"))
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
