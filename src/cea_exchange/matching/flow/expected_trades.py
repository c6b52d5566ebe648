"""Compares the trades of a replay with those that it has to make.

Trades are compared in their order. Where they part, the nearest place is looked for from which on
they are the same again, so that one trade too many or too few is one difference.
"""

from collections.abc import Callable, Iterator

import numpy as np

from cea_exchange.domain.records import EventKind, Side
from cea_exchange.matching.flow.difference_kind import DifferenceKindBase
from cea_exchange.matching.flow.order_flow import Tick

TRADE_COLUMNS = tuple(
    "price tonnes side order_id owner counter_order_id counter_owner".split()
)
"""As `EVENT_COLUMNS` has them: what is compared, as far as the record has it; the first two it has.
"""
TRADE_COLUMNS_NEEDED = 2
AHEAD_MAX = 64
"""How many trades too many or too few at one place are still distinguished from others."""
SIDES = {"buy": int(Side.BUY), "sell": int(Side.SELL)}
_SIDE_NAMES = {number: name for name, number in SIDES.items()}
_FIELDS = {"owner": "account_index", "counter_owner": "counter_account_index"}
NUMBER_BITS = {"tonnes": 63, "order_id": 64, "counter_order_id": 64, "owner": 32}
NUMBER_BITS["counter_owner"] = 32

Trade = tuple[int, ...]
"""The values of a record's columns."""


class TradeDifferenceKind(DifferenceKindBase):
    """How the trades made and those expected part."""

    OTHER = "trade_other", "a trade is made in the place of the one expected"
    MISSING = "trade_missing", "a trade is expected that is not made"
    EXTRA = "trade_extra", "a trade is made that is not expected"


class ExpectedColumns:
    """The columns of a record of trades, and its lines as trades.

    Parameters
    ----------
    header : str
        The first line. Of a file of events its trades are taken.

    Raises
    ------
    ValueError
        Price or tonnes are missing, or a column is there twice.
    """

    def __init__(self, header: str, tick: Tick) -> None:
        self._names = [name.strip() for name in header.split(",")]
        self._tick = tick
        for name in (*TRADE_COLUMNS, "event"):
            if self._names.count(name) > 1:
                raise ValueError(f"expected each column once, got {name} twice")
        for name in TRADE_COLUMNS[:TRADE_COLUMNS_NEEDED]:
            if name not in self._names:
                raise ValueError(f"expected a column {name}, there is none")
        self.columns = tuple(name for name in TRADE_COLUMNS if name in self._names)
        self._places = [self._names.index(name) for name in self.columns]
        self._event_place = self._names.index("event") if "event" in self._names else None

    def trade(self, line: str) -> Trade | None:
        """Return the trade of a line, None if it is another event.

        Raises
        ------
        ValueError
            The line is not as it has to be.
        """
        fields = line.rstrip("\r").split(",")
        if len(fields) != len(self._names):
            raise ValueError(f"expected {len(self._names)} columns, got {len(fields)}")
        if self._event_place is not None and fields[self._event_place].strip() != "trade":
            return None
        return tuple(
            self._value(name, fields[place].strip(), place + 1)
            for name, place in zip(self.columns, self._places, strict=True)
        )

    def _value(self, name: str, text: str, column: int) -> int:
        if name == "price":
            try:
                return self._tick.ticks(text)
            except ValueError as error:
                raise ValueError(f"{error} in column {column}") from error
        if name == "side":
            if text not in SIDES:
                raise ValueError(f"expected buy or sell in column {column}, got {text[:40]!r}")
            return SIDES[text]
        if not (text.isascii() and text.isdigit() and len(text) <= 40) or (
            int(text) >> NUMBER_BITS[name]
        ):
            raise ValueError(
                f"expected a whole number of at most {NUMBER_BITS[name]} bits in column {column}, "
                f"got {text[:40]!r}"
            )
        return int(text)

    def made(self, events: np.ndarray) -> list[Trade]:
        """Return the trades among events, in these columns."""
        trades = events[events["kind"] == EventKind.TRADE]
        columns = [trades[_FIELDS.get(name, name)].tolist() for name in self.columns]
        return list(zip(*columns, strict=True))

    def text(self, trade: Trade) -> str:
        """Return a trade in words."""
        values = dict(zip(self.columns, trade, strict=True))
        words = [f"{values.pop('tonnes')} at {self._tick.text(values.pop('price'))}"]
        for name, value in values.items():
            words.append(f"{name} {_SIDE_NAMES[value] if name == 'side' else value}")
        return ", ".join(words)


class TradeComparison:
    """Holds trades, as they are made, against those expected.

    Parameters
    ----------
    columns : ExpectedColumns
        What is compared.
    expected : iterator of list of Trade
        The record, some at a time.
    found : callable
        Takes each difference: the record's trade, from 1, at which it is, kind, and text.

    Attributes
    ----------
    equal : int
        Trades made as expected.
    """

    def __init__(
        self,
        columns: ExpectedColumns,
        expected: Iterator[list[Trade]],
        found: Callable[[int, str, str], None],
    ) -> None:
        self.equal = 0
        self._columns = columns
        self._source = expected
        self._found = found
        self._made: list[Trade] = []
        self._expected: list[Trade] = []
        self._number = 1

    def take(self, events: np.ndarray) -> None:
        """Compare the trades among the next events, as far as what comes behind is known."""
        self._made += self._columns.made(events)
        self._advance(AHEAD_MAX)

    def finish(self) -> None:
        """Compare what is left."""
        self._advance(0)
        self._replace(len(self._made), self._fill(0) or len(self._expected))
        while self._fill(AHEAD_MAX):
            self._replace(0, len(self._expected))

    def _advance(self, ahead: int) -> None:
        """Compare until no more than so many trades made are left, or all expected are used up."""
        while self._made and self._fill(len(self._made) + AHEAD_MAX):
            same = _same_ahead(self._made, self._expected)
            self._drop(same, same)
            self.equal += same
            if len(self._made) <= ahead or not self._expected:
                return
            self._replace(*_nearest(self._made, self._expected))

    def _fill(self, count: int) -> int:
        """Have so many expected trades, or all that are left; return how many there are."""
        while len(self._expected) < count:
            more = next(self._source, None)
            if more is None:
                break
            self._expected += more
        return len(self._expected)

    def _drop(self, made: int, expected: int) -> None:
        del self._made[:made]
        del self._expected[:expected]
        self._number += expected

    def _replace(self, made: int, expected: int) -> None:
        """Tell that so many trades were made where so many others are expected."""
        text = self._columns.text
        kinds = TradeDifferenceKind
        both = min(made, expected)
        for place in range(max(made, expected)):
            number = self._number + min(place, expected)
            if place < both:
                fault = f"expected {text(self._expected[place])}; made {text(self._made[place])}"
                self._found(number, kinds.OTHER, fault)
            elif place < expected:
                self._found(number, kinds.MISSING, f"expected {text(self._expected[place])}")
            else:
                self._found(number, kinds.EXTRA, f"made {text(self._made[place])}")
        self._drop(made, expected)


def _same_ahead(one: list[Trade], other: list[Trade]) -> int:
    """How many trades are the same from the start."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(place for place in range(length) if one[place] != other[place])


def _nearest(made: list[Trade], expected: list[Trade]) -> tuple[int, int]:
    """How many of each to pass over until both go on alike: as few as possible."""
    for most in range(1, AHEAD_MAX):
        less = [(most, fewer) for fewer in range(most - 1, -1, -1)]
        for skip_made, skip_expected in [(most, most), *less, *((b, a) for a, b in less)]:
            if _goes_on(made, skip_made, expected, skip_expected):
                return skip_made, skip_expected
    return 1, 1


def _goes_on(made: list[Trade], skip_made: int, expected: list[Trade], skip_expected: int) -> bool:
    """Whether both are the same from there on, for two trades or to the end."""
    one = made[skip_made : skip_made + 2]
    other = expected[skip_expected : skip_expected + 2]
    return bool(one) and one == other
