"""The hash of holdings by name, by which an institution and the venue compare what both have.

Neither side's indexes mean anything to the other, so holdings are hashed by name. The sum of the
hashes of all holdings does not depend on their order: each side can keep or compute it its own way.
"""

from collections.abc import Iterable

import numpy as np

from cea_exchange.domain.naming import name_key

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
    account_keys: np.ndarray, asset_keys: np.ndarray, amounts: np.ndarray
) -> int:
    """Return the sum of many holdings' terms, modulo 2^64; see `holding_hash`.

    Parameters
    ----------
    account_keys, asset_keys : uint64[count]
        `name_key` of whose they are, and of what.
    amounts : int64[count]
        Tonnes, or fen of cash.
    """
    if len(amounts) == 0:
        return 0
    with np.errstate(over="ignore"):
        h = np.full(len(amounts), mix(KIND_HOLDING), np.uint64)
        for words in (account_keys, asset_keys, amounts.view(np.uint64)):
            h = _mix_each(h ^ words)
        return int(h[amounts != 0].sum(dtype=np.uint64))


def _mix_each(x: np.ndarray) -> np.ndarray:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
