"""The recent part of a tape that grows: its last events, and the orders that stand since before.

What a look at it takes depends on neither how long the day is nor how many days there were.
"""

import numpy as np

from cea_exchange.domain.records import EventKind, Method
from cea_exchange.supervision.tape import Tape

EVENTS = 100_000
"""Of the recent part: two seconds at 50,000 a second, an hour of an ordinary day."""
PATTERNS_RECENT = (
    *("spoofing", "layering", "limit_queue"),
    *("dense_entry", "ramping", "matched_orders"),
)
"""Patterns that lie within minutes. What is a share of a day needs the whole of it."""

_ENDS = (EventKind.ORDER_CANCELED, EventKind.ORDER_EXPIRED)
_DAYS = (EventKind.DAY_OPENED, EventKind.DAY_CLOSED, EventKind.PHASE_CHANGED)


class RecentTape:
    """Takes a growing tape, and gives its recent part.

    Parameters
    ----------
    events
        How many of the last are in it.
    """

    def __init__(self, events: int = EVENTS) -> None:
        self._count = events
        self._cut = 0
        self._kept = np.zeros(0, np.int64)

    def of(self, tape: Tape) -> Tape:
        """Return the recent part of a tape, which has all that one before had, and perhaps more.

        In it the book is what it is on the whole tape.
        """
        rows = len(tape.events)
        cut = max(rows - self._count, self._cut)
        if cut > self._cut:
            candidates = np.concatenate((self._kept, np.arange(self._cut, cut)))
            self._kept, self._cut = _standing(tape.events, candidates), cut
        if not self._cut:
            return tape
        wanted = np.concatenate((self._kept, np.arange(self._cut, rows)))
        return tape._replace(events=tape.events[wanted], time_ns=tape.time_ns[wanted])


def _standing(events: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return of some rows those of orders that still stand behind them, and those of the day."""
    found = events[rows]
    kinds = found["kind"]
    is_trade = (kinds == EventKind.TRADE) & (found["method"] == Method.LISTED)
    traded_away = (
        found["order_id"][is_trade & (found["tonnes_open"] == 0)],
        found["counter_order_id"][is_trade & (found["counter_tonnes_open"] == 0)],
    )
    ended = np.concatenate((found["order_id"][np.isin(kinds, _ENDS)], *traded_away))
    accepted = found["order_id"][kinds == EventKind.ORDER_ACCEPTED]
    standing = np.setdiff1d(accepted, ended)
    is_kept = np.isin(found["order_id"], standing)
    is_kept |= is_trade & np.isin(found["counter_order_id"], standing)
    is_kept |= np.isin(kinds, _DAYS)
    return rows[is_kept]
