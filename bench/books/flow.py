"""Command flows drawn by flow.c: the mixes, the quantile tables and the handle."""

import ctypes
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from bench.measuring.native import library
from cea_exchange.domain.records import COMMAND_DTYPE

TABLE_SIZE = 1 << 12
TONNES_MAX = 2_000
OWNER_COUNT = 3_600


@dataclass(frozen=True)
class FlowMix:
    """Shares of the commands in thousandths, and what steers the book's size.

    Crossing orders are `crossing_size` thousandths of an ordinary order's tonnes, a third more
    while more than `live_target` orders rest and a third less while fewer do: that holds the number
    of live orders without touching the shares of the mix.
    """

    enters: int = 620
    cancels: int = 330
    crossing: int = 270
    live_target: int = 17_000
    crossing_size: int = 1_000
    distance_max: int = 1_000
    through: int = 7

    def fields(self) -> tuple[int, ...]:
        """In the order of the C struct."""
        return (
            self.enters, self.cancels, self.crossing, self.live_target, self.crossing_size,
            self.distance_max, self.through,
        )


def distance_table() -> np.ndarray:
    """Quantiles of 1 + a power law: P(distance > d) = 8 / (d + 8), in ticks from the touch."""
    scale = 8
    return np.array(
        [1 + scale * TABLE_SIZE // (TABLE_SIZE - rank) - scale for rank in range(TABLE_SIZE)],
        dtype=np.uint32,
    )


def size_table() -> np.ndarray:
    """Quantiles of a log-normal (median 55 t, sigma 1), at least 1 and at most 2,000 t."""
    normal = NormalDist(mu=4, sigma=1)
    sizes = [math.exp(normal.inv_cdf((rank + 0.5) / TABLE_SIZE)) for rank in range(TABLE_SIZE)]
    return np.array([min(max(round(size), 1), TONNES_MAX) for size in sizes], dtype=np.uint32)


class Flow:
    """A book's worth of random order flow; every draw goes on where the last one ended.

    Parameters
    ----------
    seed : int
        The same seed and draws give the same bytes on any machine.
    price_min, price_max : int
        The ladder, at most 4,096 ticks.
    order_limit, id_limit : int
        Orders that may rest at once; ids that may be drawn.
    levels_per_taker : int
        Price levels an order may take before its remainder is cancelled; 0 is no limit.
    """

    def __init__(
        self, seed: int, *, price_min: int, price_max: int, order_limit: int, id_limit: int,
        levels_per_taker: int = 0,
    ) -> None:
        self._distances, self._sizes = distance_table(), size_table()
        self._library = library("books/flow.c")
        self._library.flow_open.restype = ctypes.c_void_p
        self._library.flow_live.restype = ctypes.c_int64
        self._flow = ctypes.c_void_p(
            self._library.flow_open(
                ctypes.c_uint64(seed), ctypes.c_int64(price_min), ctypes.c_int64(price_max),
                ctypes.c_uint32(order_limit), ctypes.c_uint64(id_limit + 1),
                ctypes.c_uint32(levels_per_taker), ctypes.c_void_p(self._distances.ctypes.data),
                ctypes.c_void_p(self._sizes.ctypes.data),
            )
        )
        if not self._flow:
            raise MemoryError(f"no memory for a flow of {order_limit} orders")

    def draw(self, count: int, mix: FlowMix) -> np.ndarray:
        """Return the next `count` commands of a mix, as COMMAND_DTYPE."""
        commands = np.zeros(count, COMMAND_DTYPE)
        self._library.flow_draw.restype = ctypes.c_int64
        drawn = self._library.flow_draw(
            self._flow, (ctypes.c_int64 * 7)(*mix.fields()),
            ctypes.c_void_p(commands.ctypes.data), ctypes.c_int64(count),
            ctypes.c_uint32(OWNER_COUNT),
        )
        if drawn != count:
            raise ValueError(f"the flow has room for {drawn} commands of this mix, not {count}")
        return commands

    @property
    def live(self) -> int:
        """How many orders rest now."""
        return self._library.flow_live(self._flow)

    def __del__(self) -> None:
        if getattr(self, "_flow", None):
            self._library.flow_close(self._flow)
            self._flow = None
