"""The bare C ladder (bare_ladder.c) behind the same `process` as the order book."""

import ctypes

import numpy as np

from bench.books.tally import TRADE_DTYPE
from bench.measuring.native import library


class BareLadder:
    """A ladder of at most 4,096 ticks from `price_min`.

    Parameters
    ----------
    order_limit : int
        Orders that may rest at once.
    id_limit : int or None
        Ids lie below it; None: any 64-bit ids, through a hash table.
    """

    def __init__(self, *, order_limit: int, id_limit: int | None, price_min: int):
        definitions = ["HASHED_IDS"] if id_limit is None else []
        self._library = library("books/bare_ladder.c", *definitions)
        self._library.ladder_open.restype = ctypes.c_void_p
        self._process = self._library.ladder_process
        self._process.restype = ctypes.c_int64
        self._process.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
        self._ladder = ctypes.c_void_p(
            self._library.ladder_open(
                ctypes.c_int64(price_min), ctypes.c_uint32(order_limit),
                ctypes.c_uint64(id_limit or 0), ctypes.c_uint32(0),
            )
        )
        if not self._ladder:
            raise MemoryError(f"no memory for a ladder of {order_limit} orders")

    @property
    def handle(self) -> ctypes.c_void_p:
        """The C struct, for other C files of this folder."""
        return self._ladder

    def process(self, commands: np.ndarray, trades: np.ndarray) -> int:
        """Apply commands; write their trades, for which there must be room; return how many."""
        assert trades.dtype == TRADE_DTYPE
        return self._process(self._ladder, commands.ctypes.data, len(commands), trades.ctypes.data)

    def __len__(self) -> int:
        self._library.ladder_live.restype = ctypes.c_int64
        return self._library.ladder_live(self._ladder)

    def __del__(self) -> None:
        if getattr(self, "_ladder", None):
            self._library.ladder_close(self._ladder)
            self._ladder = None
