"""Named events as rows of tables: dicts, pandas, polars; money as numbers in fen and in yuan."""

import re
from collections.abc import Mapping
from functools import reduce
from operator import or_

import msgspec
import pandas
import polars
import pytest

from cea_exchange.domain.units import cash_format
from cea_exchange.matching import events as named
from support.market.market_scripts import SCRIPTS

KINDS = [
    kind
    for kind in vars(named).values()
    # What several kinds share has its class's name for a tag.
    if isinstance(kind, type)
    and issubclass(kind, named.Event)
    and kind.__struct_config__.tag.islower()
]
MONEY = re.compile(r"-?\d+\.\d\d")


@pytest.fixture(scope="module")
def events() -> list[named.Event]:
    """What the scripts make happen: every kind of event that there is."""
    of_any_kind = msgspec.json.Decoder(reduce(or_, KINDS))
    lines = [
        line
        for path in sorted(SCRIPTS.rglob("*.events.jsonl"))
        for line in path.read_bytes().splitlines()
    ]
    said = [of_any_kind.decode(line) for line in lines]
    assert {type(event) for event in said} == set(KINDS)
    return said


def test_a_dict_of_an_event_has_its_json_and_money_as_numbers(events: list[named.Event]) -> None:
    for event in events:
        row, shown = dict(event), event.to_dict()
        assert isinstance(event, Mapping) and list(row) == list(event) == list(event.keys())
        assert len(row) == len(event) and next(iter(row)) == "event"
        parts = {name for name, value in shown.items() if isinstance(value, (dict, list))}
        numbers = {name for name in row if re.search("_(fen|yuan)$", name)}
        for name in set(shown) - parts:
            assert row[name] == event[name] == shown[name] and name in event
            is_money = MONEY.fullmatch(str(shown[name])) is not None
            # What is absent is absent as a number too.
            assert is_money <= {f"{name}_fen", f"{name}_yuan"}.issubset(numbers)
        for name in numbers:
            field = name.rpartition("_")[0]
            if field in shown:
                assert (row[name] is None) == (shown[field] is None)
            if name.endswith("_fen") and row[name] is not None:
                assert type(row[name]) is int
                assert row[f"{field}_yuan"] == float(cash_format(row[name]))
            if field in shown and row[name] is not None and name.endswith("_fen"):
                assert cash_format(row[name]) == shown[field]


def test_a_days_figures_have_a_column_by_method(events: list[named.Event]) -> None:
    closed = [event for event in events if isinstance(event, named.DayClosed)]
    assert {event.volume.block > 0 for event in closed} == {True, False}
    for event in closed:
        row = dict(event)
        assert not {"volume", "amount"} & set(row)
        for method in ("listed", "block", "bidding"):
            assert row[f"volume_{method}"] == event["volume"][method]
            assert cash_format(row[f"amount_{method}_fen"]) == event["amount"][method]


def test_pandas_takes_events_of_all_kinds(events: list[named.Event]) -> None:
    frame = pandas.DataFrame(events)
    assert len(frame) == len(events) and list(frame.columns[:2]) == ["event", "seq"]
    for name in frame.columns:
        if name.endswith(("_fen", "_yuan")):
            assert pandas.api.types.is_numeric_dtype(frame[name]), name
    trades = pandas.DataFrame([event for event in events if event["event"] == "trade"])
    assert trades["price_fen"].dtype == trades["tonnes"].dtype == "int64"
    worth = sum(event["price_fen"] * event.tonnes for event in events if "aggressor" in event)
    assert (trades["price_fen"] * trades["tonnes"]).sum() == worth > 0
    assert trades["price_yuan"].max() == trades["price_fen"].max() / 100


def test_polars_takes_events_of_all_kinds(events: list[named.Event]) -> None:
    frame = polars.DataFrame(events, infer_schema_length=None)
    assert frame.height == len(events) and frame.columns[:2] == ["event", "seq"]
    for name, dtype in frame.schema.items():
        if name.endswith("_fen"):
            assert dtype == polars.Int64, name
        if name.endswith("_yuan"):
            assert dtype == polars.Float64, name
    prices = frame.filter(polars.col("event") == "trade")["price_fen"].to_list()
    assert prices == [event["price_fen"] for event in events if event["event"] == "trade"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_column_is_a_key_error(events: list[named.Event], kind: type) -> None:
    event = next(event for event in events if type(event) is kind)
    for name in ("price_dollars", "__class__", "keys", 1):
        assert name not in event
        with pytest.raises(KeyError):
            event[name]
