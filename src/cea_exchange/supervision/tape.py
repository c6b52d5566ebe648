"""The tape: a market's events as columns, each with the time of the command that caused it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import EVENT_DTYPE

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS


class Tape(NamedTuple):
    """What a market said between two moments.

    Attributes
    ----------
    events
        Rows of `EVENT_DTYPE` in order.
    time_ns
        Of each row: nanoseconds since 1970 (UTC), never less than of the row before.
    products, accounts
        Names by index.
    groups
        Of each account its group, "" where it has none.
    declared_prices
        Of each product, in fen: what its first band is measured from.
    profile
        The rules.
    """

    events: np.ndarray
    time_ns: np.ndarray
    products: tuple[str, ...]
    accounts: tuple[str, ...]
    groups: tuple[str, ...]
    declared_prices: tuple[int, ...]
    profile: Profile

    def between(self, first: int, last: int) -> "Tape":
        """Return the same of the trading days from one to another (yyyymmdd), both included."""
        dates = self.events["trading_date"]
        kept = (dates >= first) & (dates <= last)
        return self._replace(events=self.events[kept], time_ns=self.time_ns[kept])


class TapeRows:
    """Collects the rows of a tape, some at a time; what is given is copied."""

    def __init__(self) -> None:
        self._events = np.zeros(4096, EVENT_DTYPE)
        self._time_ns = np.zeros(4096, np.int64)
        self.count = 0

    def add(self, events: np.ndarray, time_ns: int) -> None:
        """Add the events of one moment."""
        end = self.count + len(events)
        if end > len(self._events):
            rows = max(end, 2 * len(self._events))
            self._events = np.concatenate(
                (self._events[: self.count], np.zeros(rows - self.count, EVENT_DTYPE))
            )
            self._time_ns = np.concatenate(
                (self._time_ns[: self.count], np.zeros(rows - self.count, np.int64))
            )
        self._events[self.count : end] = events
        self._time_ns[self.count : end] = time_ns
        self.count = end

    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows so far, and their times, for reading only."""
        events, time_ns = self._events[: self.count], self._time_ns[: self.count]
        events.setflags(write=False)
        time_ns.setflags(write=False)
        return events, time_ns


def control_groups(
    accounts: Sequence[str], groups: Sequence[str], links: Iterable[tuple[str, str]] = ()
) -> np.ndarray:
    """Return a number for each account, the same for all that one will controls.

    Accounts of one declared group are, and those that a link names: one owner, operator, key, bank
    account or known control.

    Raises
    ------
    ValueError
        A link names no account.

    Notes
    -----
    Rules: CEA-SVL-02.
    """
    place = {name: index for index, name in enumerate(accounts)}
    number = np.arange(len(accounts))
    first_of: dict[str, int] = {}
    pairs = [
        (first_of.setdefault(group, index), index) for index, group in enumerate(groups) if group
    ]
    for names in links:
        for name in names:
            if name not in place:
                raise ValueError(f"link: expected accounts of this market, got {name!r}")
        pairs.append((place[names[0]], place[names[1]]))
    for one, other in pairs:
        low, high = sorted((number[one], number[other]))
        number[number == high] = low
    return number
