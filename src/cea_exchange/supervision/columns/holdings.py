"""What accounts hold, and would hold with their open buys, as it changes."""

import numpy as np

from cea_exchange.domain.records import PRODUCT_NONE, EventKind, Side
from cea_exchange.supervision.columns.market import Columns

CHANGE_DTYPE = np.dtype(
    [
        *(("row", np.int64), ("account", np.int64), ("product", np.int64)),
        *(("tonnes", np.int64), ("is_open", bool)),
    ]
)
"""`is_open`: an open buy comes or goes, the holding does not change."""


def holding_changes(columns: Columns, *, with_open_buys: bool = False) -> np.ndarray:
    """Return every change of a holding, in order: `CHANGE_DTYPE`."""
    events, trades = columns.events, columns.trades
    moved = columns.rows(EventKind.DEPOSITED, EventKind.WITHDRAWN)
    moved = moved[events["product_index"][moved] != PRODUCT_NONE]
    sign = np.where(events["kind"][moved] == EventKind.DEPOSITED, 1, -1)
    parts = [
        _changes(
            moved,
            events["account_index"][moved],
            events["product_index"][moved],
            events["tonnes"][moved] * sign,
        ),
        _changes(trades["row"], trades["buyer"], trades["product"], trades["tonnes"]),
        _changes(trades["row"], trades["seller"], trades["product"], -trades["tonnes"]),
    ]
    if with_open_buys:
        steps = columns.steps[columns.steps["side"] == Side.BUY]
        opened = _changes(steps["row"], steps["account"], steps["product"], steps["tonnes"])
        opened["is_open"] = True
        parts.append(opened)
    changes = np.concatenate(parts)
    return changes[np.argsort(changes["row"], kind="stable")]


def _changes(
    rows: np.ndarray, accounts: np.ndarray, products: np.ndarray, tonnes: np.ndarray
) -> np.ndarray:
    changes = np.zeros(len(rows), CHANGE_DTYPE)
    changes["row"], changes["account"] = rows, accounts
    changes["product"], changes["tonnes"] = products, tonnes
    return changes
