"""Events as one table, and that as the table of the library one works with.

    table = events_table(market.enter("alice", "CEA23", "buy", price="97.50", ...))
    table.to_pandas().groupby("account")["price_fen"].max()

Each amount of money is in two columns: `price_fen`, exact, and `price_yuan`, a float to look at and
to plot; the text that an event has in `price` is a column too.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE, EventKind
from cea_exchange.matching import tables
from cea_exchange.matching.events import Event, columns_of, events_html

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

MONEY = ("price", "cash", "buy_fee", "sell_fee")
"""The columns of event records that are fen."""
OTHER_LAYOUTS = (EventKind.DAY_CLOSED, EventKind.CHECKPOINT, EventKind.BIDDING_OPENED)
_INT64_LIMIT = 1 << 63
_PANDAS = {bool: "boolean", int: "Int64"}
"""Of columns where something is absent; text and yuan can say so by themselves."""
_POLARS = {bool: "Boolean", int: "Int64", str: "String", float: "Float64"}
_ARROW = {bool: "bool", int: "int64", str: "string", float: "double"}


def events_table(events: Iterable[Event] | np.ndarray) -> "EventsTable":
    """Return events as a table.

    Parameters
    ----------
    events
        Named events, as a market's methods give them; or event records, as `process` writes them.
        Records must be a market's, whose prices are fen: an `OrderBook` has ticks, for which
        `to_pandas(records)` is there.

    Raises
    ------
    TypeError
        Something else.
    ValueError
        A record of a layout of its own, as a day's close is: `Market.events_named` reads all; a
        sum of a day's money that no table's 64-bit column holds.
    """
    if isinstance(events, np.ndarray):
        return RecordsTable(events)
    return NamedTable(events)


class EventsTable(ABC):
    """Events, a row each, in order; see `events_table`."""

    @abstractmethod
    def __len__(self) -> int:
        """Return how many events there are."""

    @abstractmethod
    def to_pandas(self) -> "pandas.DataFrame":
        """Return a pandas DataFrame; what is absent is NA, and whole numbers stay whole.

        Raises
        ------
        ModuleNotFoundError
            Without pandas: ``pip install pandas``.
        """

    @abstractmethod
    def to_polars(self) -> "polars.DataFrame":
        """Return a polars DataFrame.

        Raises
        ------
        ModuleNotFoundError
            Without polars: ``pip install polars``.
        """

    @abstractmethod
    def to_arrow(self) -> "pyarrow.Table":
        """Return a pyarrow Table.

        Raises
        ------
        ModuleNotFoundError
            Without pyarrow: ``pip install 'cea-exchange[arrow]'``.
        """


class NamedTable(EventsTable):
    """Of named events: the columns that any of them has."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = list(events)
        types: dict[str, type] = {"event": str, "seq": int}
        for place, event in enumerate(self._events):
            if not isinstance(event, Event):
                got = type(event).__name__
                raise TypeError(f"events: expected named events or records, got {got} at {place}")
            types |= {name: column.type for name, column in columns_of(type(event)).items()}
        self._types = types
        self._columns: dict[str, list[Any]] = {name: [] for name in types}
        for event in self._events:
            columns = columns_of(type(event))
            for name, values in self._columns.items():
                values.append(columns[name].get(event) if name in columns else None)
        self._ints_check()

    def _ints_check(self) -> None:
        for name, kind in self._types.items():
            for value in self._columns[name] if kind is int else ():
                if value is not None and abs(value) >= _INT64_LIMIT:
                    raise ValueError(f"{name}: expected at most 64 bits, got {value}")

    def __len__(self) -> int:
        return len(self._events)

    def to_pandas(self) -> "pandas.DataFrame":
        pandas = tables.library("pandas", "to_pandas", "pandas")
        series = {}
        for name, values in self._columns.items():
            kind = self._types[name]
            dtype: Any = _PANDAS.get(kind, object) if None in values else kind
            series[name] = pandas.Series(values, dtype=kind if kind not in _PANDAS else dtype)
        return pandas.DataFrame(series)

    def to_polars(self) -> "polars.DataFrame":
        polars = tables.library("polars", "to_polars", "polars")
        schema = {name: getattr(polars, _POLARS[kind]) for name, kind in self._types.items()}
        return polars.DataFrame(self._columns, schema=schema)

    def to_arrow(self) -> "pyarrow.Table":
        arrow = tables.library("pyarrow", "to_arrow", "cea-exchange[arrow]")
        kinds = {name: arrow.type_for_alias(_ARROW[kind]) for name, kind in self._types.items()}
        return arrow.table(self._columns, schema=arrow.schema(kinds))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self):,} events, {len(self._columns)} columns>"

    def _repr_html_(self) -> str:
        return events_html(self._events)


class RecordsTable(EventsTable):
    """Of event records: the record's columns, enumerations by name."""

    def __init__(self, records: np.ndarray) -> None:
        if records.dtype != EVENT_DTYPE:
            raise TypeError(f"events: expected records of EVENT_DTYPE, got {records.dtype}")
        others = np.flatnonzero(np.isin(records["kind"], OTHER_LAYOUTS))
        if len(others):
            row = int(others[0])
            kind = EventKind(records["kind"][row]).name
            raise ValueError(
                f"events: expected none of {kind}, which has a layout of its own, got one in row"
                f" {row}; `Market.events_named` gives events of all kinds"
            )
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def to_pandas(self) -> "pandas.DataFrame":
        frame = tables.to_pandas(self._records, names=True)
        for name in MONEY:
            fen = frame.pop(name)
            frame[f"{name}_fen"], frame[f"{name}_yuan"] = fen, fen / 100
        return frame

    def to_polars(self) -> "polars.DataFrame":
        frame = tables.to_polars(self._records, names=True)
        yuan = [(frame[name] / 100).alias(f"{name}_yuan") for name in MONEY]
        return frame.rename({name: f"{name}_fen" for name in MONEY}).with_columns(yuan)

    def to_arrow(self) -> "pyarrow.Table":
        table = tables.to_arrow(self._records, names=True)
        for name in MONEY:
            table = table.append_column(f"{name}_yuan", [self._records[name] / 100])
        names = [f"{name}_fen" if name in MONEY else name for name in table.column_names]
        return table.rename_columns(names)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self):,} events>"
