"""Records come out of pyarrow, pandas and polars as they went in, to the last bit of 64."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from cea_exchange._book import OrderBook
from cea_exchange.domain import records as schema
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    LEVEL_DTYPE,
    ORDER_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Operation,
    Reason,
    Side,
)
from cea_exchange.matching import tables
from cea_exchange.matching.tables import to_arrow, to_pandas, to_polars

DTYPES = sorted(name for name in dir(schema) if name.endswith("_DTYPE"))
LIBRARIES = {"pyarrow": to_arrow, "pandas": to_pandas, "polars": to_polars}
INSTALLED = [name for name in LIBRARIES if find_spec(name) is not None]


@pytest.fixture(params=INSTALLED)
def convert(request: pytest.FixtureRequest):
    """Each of the functions whose library is installed."""
    return LIBRARIES[request.param]


@pytest.mark.parametrize("library", LIBRARIES)
def test_conversions_are_tested_with_the_library(library: str) -> None:
    if library not in INSTALLED:
        pytest.skip(f"{library} is not installed, and no dependency: its function is not tested")


def column(table: object, name: str) -> list:
    """A column as Python values, None for null, from any of the three."""
    values = table[name]
    if hasattr(values, "to_pylist"):
        return values.to_pylist()
    if hasattr(values, "to_list") and not hasattr(values, "isna"):
        return values.to_list()
    return [None if value != value else value for value in values.tolist()]


def column_type(table: object, name: str) -> str:
    values = table[name]
    return str(getattr(values, "type", None) or values.dtype).lower()


def records_of(dtype: np.dtype, count: int, seed: int = 1) -> np.ndarray:
    """Records with any bit set or not in every field."""
    drawn = np.random.default_rng(seed).bytes(count * dtype.itemsize)
    return np.frombuffer(drawn, dtype).copy()


def test_every_record_of_the_schema_has_its_enumerations_said() -> None:
    assert {getattr(schema, name) for name in DTYPES} == set(tables._ENUMS)
    for dtype, enums in tables._ENUMS.items():
        assert set(enums) <= set(dtype.names)
        assert all(max(enum) < 256 and len(enum) < 127 for enum in enums.values())


@pytest.mark.parametrize("count", [0, 1, tables.BLOCK_ROWS, 2 * tables.BLOCK_ROWS + 1])
@pytest.mark.parametrize("name", DTYPES)
def test_columns_are_the_records_own_in_order_and_exact(name: str, count: int, convert) -> None:
    array = records_of(getattr(schema, name), count)
    table = convert(array)
    expected = [field for field in array.dtype.names if not field.startswith("reserved")]
    assert list(getattr(table, "column_names", None) or table.columns) == expected
    for field in expected:
        assert column(table, field) == array[field].tolist()
        kind = array.dtype[field]
        assert column_type(table, field) == kind.name


def test_the_edges_of_64_bits_and_what_says_none_are_plain_numbers(convert) -> None:
    events = np.zeros(2, EVENT_DTYPE)
    events["order_id"] = [2**64 - 1, 2**53 + 1]
    events["price"] = [-(2**63), 2**63 - 1]
    events["product_index"] = PRODUCT_NONE
    events["counter_account_index"] = ACCOUNT_NONE
    table = convert(events)
    assert column(table, "order_id") == [2**64 - 1, 2**53 + 1]
    assert column(table, "price") == [-(2**63), 2**63 - 1]
    assert column(table, "product_index") == [PRODUCT_NONE] * 2
    assert column(table, "counter_account_index") == [ACCOUNT_NONE] * 2


def test_slices_and_strides_are_read_as_they_are(convert) -> None:
    events = records_of(EVENT_DTYPE, 50)
    assert column(convert(events[10:40:3]), "seq") == events["seq"][10:40:3].tolist()
    assert column(convert(events[::-1]), "seq") == events["seq"][::-1].tolist()


def test_a_table_keeps_its_values_when_the_array_is_filled_anew(convert) -> None:
    for count in (1, 5):
        levels = records_of(LEVEL_DTYPE, count)
        prices = levels["price"].tolist()
        table = convert(levels)
        levels[:] = 0
        assert column(table, "price") == prices


def test_names_of_enumerations_are_asked_for(convert) -> None:
    events = np.zeros(3, EVENT_DTYPE)
    events["kind"] = [EventKind.TRADE, EventKind.ORDER_REJECTED, EventKind.DAY_OPENED]
    events["side"] = [Side.BUY, Side.SELL, 0]
    events["reason"] = [Reason.NONE, Reason.SELF_TRADE, Reason.NONE]
    events["command"] = [Operation.NONE, Operation.AMEND, Operation.NONE]
    events["seq"] = [1, 2, 3]
    table = convert(events, names=True)
    assert column(table, "kind") == ["TRADE", "ORDER_REJECTED", "DAY_OPENED"]
    assert column(table, "side") == ["BUY", "SELL", None]
    assert column(table, "method") == [None] * 3
    assert column(table, "reason") == ["NONE", "SELF_TRADE", "NONE"]
    assert column(table, "command") == ["NONE", "AMEND", "NONE"]
    assert column(table, "phase") == ["CLOSED"] * 3
    assert column(table, "seq") == [1, 2, 3]
    assert column_type(table, "kind").startswith(("dictionary", "category", "enum"))
    assert column(convert(events), "kind") == events["kind"].tolist()


def test_a_commands_kind_is_no_events_kind(convert) -> None:
    commands = np.zeros(3, COMMAND_DTYPE)
    commands["kind"] = [CommandKind.ENTER, CommandKind.CANCEL, CommandKind.BLOCK_OFFER]
    commands["side"] = [Side.SELL, 0, 0]
    table = convert(commands, names=True)
    assert column(table, "kind") == ["ENTER", "CANCEL", "BLOCK_OFFER"]
    assert column(table, "side") == ["SELL", None, None]
    assert column(table, "tif") == ["DAY"] * 3


def test_every_name_is_in_the_type_whichever_rows_there_are(convert) -> None:
    orders = np.zeros(0, ORDER_DTYPE)
    sides = convert(orders, names=True)["side"]
    if convert is to_arrow:
        assert sides.combine_chunks().dictionary.to_pylist() == ["BUY", "SELL"]
    elif convert is to_pandas:
        assert list(sides.cat.categories) == ["BUY", "SELL"]
    else:
        assert sides.dtype.categories.to_list() == ["BUY", "SELL"]


def test_columns_are_chosen_by_name_and_order(convert) -> None:
    events = records_of(EVENT_DTYPE, 4)
    events["kind"] = EventKind.TRADE
    table = convert(events, columns=("tonnes", "kind"), names=True)
    assert list(getattr(table, "column_names", None) or table.columns) == ["tonnes", "kind"]
    assert column(table, "kind") == ["TRADE"] * 4
    with pytest.raises(ValueError, match="columns: expected some of kind, .*, got 'weight'"):
        convert(events, columns=("price", "weight"))
    with pytest.raises(ValueError, match="got 'reserved'"):
        convert(np.zeros(1, COMMAND_DTYPE), columns=("reserved",))


def test_a_number_without_a_name_is_refused_not_hidden(convert) -> None:
    events = np.zeros(2, EVENT_DTYPE)
    events["kind"] = [EventKind.TRADE, 200]
    assert column(convert(events), "kind") == [EventKind.TRADE, 200]
    with pytest.raises(ValueError, match="kind: expected one of EventKind, got 200 in row 1"):
        convert(events, names=True)


def test_days_statistics_are_seen_through_their_own_record(convert) -> None:
    events = np.zeros(3, EVENT_DTYPE)
    events["kind"] = [EventKind.TRADE, EventKind.DAY_CLOSED, EventKind.TRADE]
    events[1:2].view(DAY_CLOSED_DTYPE)["volume_listed"] = 2**62
    closed = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    table = convert(closed, names=True)
    assert column(table, "kind") == ["DAY_CLOSED"]
    assert column(table, "volume_listed") == [2**62]


def test_views_of_a_book_become_tables(convert) -> None:
    book = OrderBook(1, 100, order_count_max=10)
    for order_id, side, price in ((7, Side.BUY, 50), (8, Side.BUY, 51), (2**63, Side.SELL, 60)):
        book.enter(order_id, side, price, tonnes=5, owner=3)
    levels = np.zeros(10, LEVEL_DTYPE)
    bids = convert(levels[: book.depth_into(Side.BUY, levels)])
    assert [column(bids, name) for name in ("price", "tonnes", "order_count")] == [
        [51, 50],
        [5, 5],
        [1, 1],
    ]
    orders = np.zeros(len(book), ORDER_DTYPE)
    resting = convert(orders[: book.orders_into(orders)], names=True)
    assert column(resting, "order_id") == [8, 7, 2**63]
    assert column(resting, "side") == ["BUY", "BUY", "SELL"]
    assert column(resting, "account_index") == [3, 3, 3]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([1, 2], "records: expected an array of the project's records, got list"),
        (np.zeros(3), "records: expected an array of the project's records, got float64"),
        (np.zeros(1, EVENT_DTYPE)[["seq", "price"]], "got {'names'"),
        (np.zeros((2, 2), EVENT_DTYPE), "records: expected one dimension, got 2"),
    ],
)
def test_what_is_no_array_of_records_is_refused(array: object, message: str, convert) -> None:
    with pytest.raises(TypeError, match=message):
        convert(array)


@pytest.mark.parametrize(
    ("library", "function", "requirement"),
    [
        ("pyarrow", "to_arrow", "cea-exchange\\[arrow\\]"),
        ("pandas", "to_pandas", "pandas"),
        ("polars", "to_polars", "polars"),
    ],
)
def test_without_the_library_the_error_says_what_to_install(
    library: str, function: str, requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=f"needs {library}: pip install '{requirement}'"):
        getattr(tables, function)(np.zeros(1, LEVEL_DTYPE))


def test_the_module_loads_none_of_the_libraries() -> None:
    code = (
        "import sys, cea_exchange.matching.tables;"
        " print(*sorted({'pyarrow', 'pandas', 'polars'} & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.strip() == ""


def test_many_events_take_no_loop_over_rows(convert) -> None:
    """Rows are copied a block at a time: the number of Python calls shows it."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    events = np.zeros(100_000, EVENT_DTYPE)
    convert(events[:1])  # Imports are not counted.
    sys.setprofile(count)
    try:
        convert(events)
    finally:
        sys.setprofile(None)
    assert calls < 10_000
