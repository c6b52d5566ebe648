"""Record arrays as tables of Arrow, pandas and polars, whole columns at a time.

    consumed, produced = book.process(commands, events)
    table = to_arrow(events[:produced])
    trades = to_pandas(events[:produced], columns=("seq", "price", "tonnes"))

Any array of `cea_exchange.domain.records` will do: events, commands, orders, levels, statistics.
A table has the record's columns in the record's order, without the reserved ones, and owns its
memory: the array may be filled anew at once. 64-bit numbers stay exact and are never null. What
says "none" is a number like others: `PRODUCT_NONE` in `product_index`, `ACCOUNT_NONE` in
`account_index` and `counter_account_index`, 0 in ids.

Rows of two kinds of event have a layout of their own, and mean something else under most of the
columns of EVENT_DTYPE. Look at them as what they are:

    closed = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    checkpoints = events[events["kind"] == EventKind.CHECKPOINT].view(CHECKPOINT_DTYPE)

None of the three libraries is needed before its function is called.
"""

from collections.abc import Sequence
from enum import IntEnum
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from cea_exchange.domain.records import (
    BID_DTYPE,
    BIDDING_DTYPE,
    BIDDING_OPENED_DTYPE,
    BLOCK_DTYPE,
    BOOK_CHANGE_DTYPE,
    CHECKPOINT_DTYPE,
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    LEVEL_DTYPE,
    MARKET_DATA_DTYPE,
    ORDER_DTYPE,
    BiddingState,
    BookChangeKind,
    CommandKind,
    EventKind,
    Method,
    Operation,
    Phase,
    Pricing,
    Reason,
    Side,
    Tif,
)

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

BLOCK_ROWS = 1_024
"""Rows copied at a time: so many of the longest record stay in the cache while their columns are
taken apart, which is three times as fast as one column of all rows after the other."""

CODE_NONE = -1
CODE_UNKNOWN = -2

Enums = dict[str, type[IntEnum]]

# Flags are no enumeration: their bits stay numbers.
_ENUMS: dict[np.dtype[np.void], Enums] = {
    COMMAND_DTYPE: {"kind": CommandKind, "side": Side, "tif": Tif},
    EVENT_DTYPE: {
        "kind": EventKind,
        "side": Side,
        "method": Method,
        "reason": Reason,
        "tif": Tif,
        "command": Operation,
        "phase": Phase,
    },
    DAY_CLOSED_DTYPE: {"kind": EventKind, "phase": Phase},
    CHECKPOINT_DTYPE: {"kind": EventKind, "phase": Phase},
    ORDER_DTYPE: {"side": Side},
    BLOCK_DTYPE: {"side": Side},
    BIDDING_DTYPE: {"side": Side, "pricing": Pricing, "state": BiddingState},
    BID_DTYPE: {},
    BIDDING_OPENED_DTYPE: {
        "kind": EventKind,
        "side": Side,
        "method": Method,
        "pricing": Pricing,
        "phase": Phase,
    },
    LEVEL_DTYPE: {},
    BOOK_CHANGE_DTYPE: {"kind": BookChangeKind, "side": Side},
    MARKET_DATA_DTYPE: {"kind": EventKind, "side": Side, "method": Method, "phase": Phase},
}


def to_arrow(
    records: np.ndarray, *, columns: Sequence[str] | None = None, names: bool = False
) -> "pyarrow.Table":
    """Return records as a pyarrow Table, which polars, pandas and DuckDB read without a copy.

    Parameters
    ----------
    records : ndarray
        One-dimensional, of a dtype of `cea_exchange.domain.records`; a slice will do.
    columns : sequence of str, optional
        These columns in this order; all of the record by default.
    names : bool
        Give enumerations by name (`TRADE`, `BUY`), dictionary-encoded; the dictionary has all
        names of the enumeration. Numbers by default. A kind, side or method of 0 is null then.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ModuleNotFoundError
        Without pyarrow, which the extra `arrow` brings.
    TypeError, ValueError
        An array of something else; an unknown column; with `names`, a number without a name.
    """
    arrow = library("pyarrow", "to_arrow", "cea-exchange[arrow]")
    table = {}
    for name, values in _columns(records, columns).items():
        enum = _ENUMS[records.dtype].get(name) if names else None
        if enum is None:
            table[name] = arrow.array(values)
        else:
            codes = _codes(name, values, enum)
            table[name] = arrow.DictionaryArray.from_arrays(
                arrow.array(codes, mask=codes == CODE_NONE), list(enum.__members__)
            )
    return arrow.table(table)


def to_pandas(
    records: np.ndarray, *, columns: Sequence[str] | None = None, names: bool = False
) -> "pandas.DataFrame":
    """Return records as a pandas DataFrame; with `names`, enumerations are categories.

    Parameters and errors are those of `to_arrow`; pandas is the user's own.

    Returns
    -------
    pandas.DataFrame
    """
    pandas = library("pandas", "to_pandas", "pandas")
    table: dict[str, Any] = {}
    for name, values in _columns(records, columns).items():
        enum = _ENUMS[records.dtype].get(name) if names else None
        table[name] = values
        if enum is not None:
            table[name] = pandas.Categorical.from_codes(
                _codes(name, values, enum), categories=list(enum.__members__)
            )
    # The columns are nobody else's: a copy would only take time.
    return pandas.DataFrame(table, copy=False)


def to_polars(
    records: np.ndarray, *, columns: Sequence[str] | None = None, names: bool = False
) -> "polars.DataFrame":
    """Return records as a polars DataFrame; with `names`, enumerations are of type Enum.

    Parameters and errors are those of `to_arrow`; polars is the user's own.

    Returns
    -------
    polars.DataFrame
    """
    polars = library("polars", "to_polars", "polars")
    table = {}
    for name, values in _columns(records, columns).items():
        enum = _ENUMS[records.dtype].get(name) if names else None
        table[name] = polars.Series(name, values)
        if enum is not None:
            members = list(enum.__members__)
            codes = _codes(name, values, enum)
            codes[codes == CODE_NONE] = len(members)
            choices = polars.Series(name, [*members, None], dtype=polars.Enum(members))
            table[name] = choices.gather(codes)
    return polars.DataFrame(table)


def library(module: str, function: str, requirement: str) -> Any:
    """Return an optional library; ModuleNotFoundError says how to get it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ModuleNotFoundError(
            f"{function} needs {module}: pip install '{requirement}'", name=module
        ) from None


def _columns(records: np.ndarray, wanted: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Return contiguous copies of the columns, by name."""
    if not isinstance(records, np.ndarray) or records.dtype not in _ENUMS:
        was = getattr(records, "dtype", type(records).__name__)
        raise TypeError(f"records: expected an array of the project's records, got {was}")
    if records.ndim != 1:
        raise TypeError(f"records: expected one dimension, got {records.ndim}")
    known = [name for name in records.dtype.names or () if not name.startswith("reserved")]
    if wanted is None:
        wanted = known
    for name in wanted:
        if name not in known:
            raise ValueError(f"columns: expected some of {', '.join(known)}, got {name!r}")
    taken = {name: np.empty(len(records), records.dtype[name]) for name in wanted}
    pairs = [(column, records[name]) for name, column in taken.items()]
    for start in range(0, len(records), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        for column, source in pairs:
            column[rows] = source[rows]
    return taken


def _codes(name: str, values: np.ndarray, enum: type[IntEnum]) -> np.ndarray:
    """Return each value's place in its enumeration; 0 is `CODE_NONE` where it has no name."""
    places = np.full(256, CODE_UNKNOWN, np.int8)
    places[0] = CODE_NONE
    for place, member in enumerate(enum):
        places[member] = place
    codes: np.ndarray = places[values]
    unknown = np.flatnonzero(codes == CODE_UNKNOWN)
    if len(unknown):
        row = int(unknown[0])
        raise ValueError(f"{name}: expected one of {enum.__name__}, got {values[row]} in row {row}")
    return codes
