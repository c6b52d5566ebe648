"""What all engines must agree on: how many trades, how much, and a checksum over all of them.

Needs numpy only: the peers' interpreter has no exchange installed.
"""

from dataclasses import dataclass

import numpy as np

TRADE_DTYPE = np.dtype([("taker", "<u8"), ("maker", "<u8"), ("price", "<u4"), ("tonnes", "<u4")])
"""A trade as the bare ladder writes it (bare_ladder.c)."""


def id_mixed(order_ids: np.ndarray) -> np.ndarray:
    """Turn dense ids into arbitrary 64-bit ones, one to one (the finalizer of splitmix64)."""
    z = order_ids.astype(np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True)
class Totals:
    """A run's result: `price_checksum` covers the price too, `checksum` maker, taker, tonnes."""

    trades: int
    volume: int
    checksum: int
    price_checksum: int


class TradeTally:
    """Adds up trades in the order they come; the checksum depends on that order.

    checksum = sum over trades, numbered 0, 1, ..., of hash(maker, taker, tonnes) x (2 number + 1),
    modulo 2^64.
    """

    def __init__(self) -> None:
        self.trades = 0
        self.volume = 0
        self._checksum = 0
        self._price_checksum = 0

    def add(
        self, maker: np.ndarray, taker: np.ndarray, price: np.ndarray, tonnes: np.ndarray
    ) -> None:
        """Add the next trades, a number for each in every array."""
        number = np.arange(self.trades, self.trades + len(maker), dtype=np.uint64)
        weight = number * np.uint64(2) + np.uint64(1)
        mixed = id_mixed(maker) + np.uint64(3) * id_mixed(taker)
        mixed = id_mixed(mixed + np.uint64(5) * id_mixed(tonnes))
        self._checksum += int((mixed * weight).sum(dtype=np.uint64))
        mixed = id_mixed(mixed + id_mixed(price))
        self._price_checksum += int((mixed * weight).sum(dtype=np.uint64))
        self.trades += len(maker)
        self.volume += int(tonnes.sum())

    def totals(self) -> Totals:
        """What has come so far."""
        word = (1 << 64) - 1
        return Totals(
            self.trades, self.volume, self._checksum & word, self._price_checksum & word
        )
