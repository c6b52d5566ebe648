"""Sums over columns: running sums by key, and what they were at a row."""

from typing import NamedTuple

import numpy as np


class RunningSums(NamedTuple):
    """Running sums of values by key, found by the row they stood at.

    Made by `running_sums`. A row is any number that ascends with time.
    """

    places: np.ndarray
    sums: np.ndarray
    stride: int

    def before(self, keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return each key's sum of what came before a row."""
        return self._up_to(keys * self.stride + rows - 1, keys)

    def at(self, keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return each key's sum of what came up to a row, that row included."""
        return self._up_to(keys * self.stride + rows, keys)

    def between(self, keys: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return each key's sum of what came from one row to another, both included."""
        return self.at(keys, last) - self.before(keys, first)

    def _up_to(self, places: np.ndarray, keys: np.ndarray) -> np.ndarray:
        found = np.searchsorted(self.places, places, side="right")
        first = np.searchsorted(self.places, keys * self.stride, side="left")
        return self.sums[found] - self.sums[first]


def running_sums(keys: np.ndarray, rows: np.ndarray, values: np.ndarray) -> RunningSums:
    """Return the running sums of values by key (0, 1, ...), in the order of rows (0, 1, ...)."""
    stride = int(rows.max()) + 2 if len(rows) else 1
    # A look may be at a row behind the last one.
    stride = max(stride, 2) * 2
    places = keys.astype(np.int64) * stride + rows
    order = np.argsort(places, kind="stable")
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values[order], out=sums[1:])
    return RunningSums(places[order], sums, stride)


def runs_of(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where runs of equal values begin, and where they end."""
    if not len(values):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    return starts, np.append(starts[1:], len(values))


def sums_by(keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct keys, ascending, and of each the sum of its values."""
    found, places = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(found), np.int64)
    np.add.at(sums, places, values)
    return found, sums


def per_mille_up(part: int, whole: int) -> int:
    """Return a share per mille, rounded up; 0 of nothing.

    For a threshold that must be exceeded, or may not be: rounded down, 300.5 would be 300, which
    is not more than 300, and 10.5 would be 10, which is not over a most of 10.
    """
    return -(-int(part) * 1000 // int(whole)) if whole else 0


def per_mille(part: int, whole: int) -> int:
    """Return a share per mille, rounded down; 0 of nothing."""
    return int(part) * 1000 // int(whole) if whole else 0
