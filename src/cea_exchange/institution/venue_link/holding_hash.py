"""The hash of holdings by name, by which an institution and the venue compare what both have.

Neither side's indexes mean anything to the other, so holdings are hashed by name. The sum of the
hashes of all holdings does not depend on their order: each side can keep or compute it its own way.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from cea_exchange.domain.naming import CASH_KEY, name_key

KIND_HOLDING = 1

_MASK = (1 << 64) - 1


def mix(x: int) -> int:
    """Scramble 64 bits (the finalizer of splitmix64)."""
    x = (x + 0x9E3779B97F4A7C15) & _MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
    return x ^ (x >> 31)


def fold(words: Iterable[int]) -> int:
    """Hash a sequence of 64-bit words; a negative word counts as its two's complement."""
    h = 0
    for word in words:
        h = mix(h ^ (word & _MASK))
    return h


def holding_hash(account_name: str, asset_name: str, amount: int) -> int:
    """Return one holding's term in the holdings hash.

    Parameters
    ----------
    account_name : str
        Whose.
    asset_name : str
        A product, or `CASH_NAME`.
    amount : int
        Tonnes, or fen of cash; all that is held, locked or not.

    Returns
    -------
    int
        To be added up modulo 2^64. A holding of nothing gives 0: it is no holding.
    """
    if amount == 0:
        return 0
    return fold((KIND_HOLDING, name_key(account_name), name_key(asset_name), amount))


def holdings_hash_sum(
    moves: np.ndarray, accounts: Mapping[int, str], assets: Mapping[int, str]
) -> int:
    """Return the sum of many holdings' terms, modulo 2^64; see `holding_hash`.

    Parameters
    ----------
    moves : int64[count, 3]
        Account index, asset index, and tonnes or fen; those of one holding are added up.
    accounts, assets : mapping of int to str
        Names by index. What is of no account that has a name is left out; what is of no asset that
        has one counts as cash.
    """
    if len(moves) == 0:
        return 0
    moves = moves[np.lexsort((moves[:, 1], moves[:, 0]))]
    holdings = moves[:, :2]
    first = np.flatnonzero(np.r_[True, (holdings[1:] != holdings[:-1]).any(axis=1)])
    amounts = np.add.reduceat(moves[:, 2], first)
    account_keys, are_named = _name_keys(holdings[first, 0], accounts)
    asset_keys, are_assets = _name_keys(holdings[first, 1], assets)
    asset_keys[~are_assets] = CASH_KEY
    with np.errstate(over="ignore"):
        h = np.full(len(amounts), mix(KIND_HOLDING), np.uint64)
        for words in (account_keys, asset_keys, amounts.view(np.uint64)):
            h = _mix_each(h ^ words)
        return int(h[are_named & (amounts != 0)].sum(dtype=np.uint64))


def _name_keys(indexes: np.ndarray, names: Mapping[int, str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the key of each index's name, and whether it has one."""
    known = np.array(sorted(names), np.int64)
    keys = np.array([name_key(names[index]) for index in known.tolist()] or [0], np.uint64)
    places = np.searchsorted(known, indexes)
    has_name = places < len(known)
    has_name[has_name] = known[places[has_name]] == indexes[has_name]
    return keys[np.where(has_name, places, 0)], has_name


def _mix_each(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
