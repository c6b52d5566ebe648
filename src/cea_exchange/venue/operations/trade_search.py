"""Finds a trade's record in the event store by its number."""

import numpy as np

from cea_exchange.domain.records import EventKind
from cea_exchange.venue.durability.sequencer import Sequencer

ROWS_READ = 1_024


def trade_event(sequencer: Sequencer, trade_id: int) -> np.void | None:
    """Return the TRADE event of a `trade_id`; None if there is none.

    Notes
    -----
    Trade ids ascend along the settlement stream, so it is searched by halves; records of other
    kinds in between are passed over.
    """
    low, high = sequencer.machine.settlement_base + 1, sequencer.machine.core.settlement_seq + 1
    while low < high:
        middle = (low + high) // 2
        end, trades = _next_trades(sequencer, middle, high)
        if not len(trades) or trade_id < trades["trade_id"][0]:
            high = middle
        elif trade_id > trades["trade_id"][-1]:
            low = end
        else:
            match = trades[trades["trade_id"] == trade_id]
            return match[0] if len(match) else None
    return None


def _next_trades(sequencer: Sequencer, first: int, last: int) -> tuple[int, np.ndarray]:
    """Return trades of the stream from number `first` on, and the number behind what was read."""
    trades = np.zeros(0)
    while first < last and not len(trades):
        end = min(first + ROWS_READ, last)
        rows = sequencer.event_rows(sequencer.index.settlement_events(first, end - first))
        trades, first = rows[rows["kind"] == EventKind.TRADE], end
    return first, trades
