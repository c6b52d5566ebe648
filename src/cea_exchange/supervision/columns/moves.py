"""How much a price moves on a day by itself, so that a push is held against its own market."""

import numpy as np

from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.tape import SECOND_NS


def unusual_move(columns: Columns, day: int, product: int, window_s: int, times: int) -> int:
    """Return the move per mille that is so many times the mean of a day, rounded up.

    The day is cut into windows of a length; the move of each that has a listed trade is from the
    last price before it (of the first: its first price) to its own last one.
    """
    listed = columns.listed
    mine = listed[(listed["product"] == product) & (listed["day"] == day)]
    if not len(mine):
        return 0
    window = mine["time_ns"] // (window_s * SECOND_NS)
    is_last = np.append(window[1:] != window[:-1], True)
    ends = mine["price"][is_last]
    before = np.concatenate((mine["price"][:1], ends[:-1]))
    total = int((np.abs(ends - before) * 1_000_000 // before).sum())
    return -(-total * times // (1000 * len(ends)))
