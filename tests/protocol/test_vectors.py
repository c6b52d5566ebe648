"""The golden vectors of the records, in both directions: bytes to fields, fields to bytes."""

import json
import tomllib
from enum import IntFlag

import numpy as np
import pytest

from cea_exchange.domain import records
from support.places import ROOT

PROTOCOL = ROOT / "protocol"
VECTORS = PROTOCOL / "vectors"
SCHEMA = tomllib.loads((PROTOCOL / "schema" / "records.toml").read_text(encoding="utf-8"))
UNITS = {r["name"]: {field[0]: field[2] for field in r["fields"]} for r in SCHEMA["record"]}
DTYPES = {
    "Command": records.COMMAND_DTYPE,
    "Event": records.EVENT_DTYPE,
    "DayClosed": records.DAY_CLOSED_DTYPE,
    "Checkpoint": records.CHECKPOINT_DTYPE,
    "Order": records.ORDER_DTYPE,
    "Block": records.BLOCK_DTYPE,
    "BiddingOpened": records.BIDDING_OPENED_DTYPE,
    "Bidding": records.BIDDING_DTYPE,
    "Bid": records.BID_DTYPE,
    "Level": records.LEVEL_DTYPE,
    "MarketData": records.MARKET_DATA_DTYPE,
    "BookChange": records.BOOK_CHANGE_DTYPE,
}
FOLDERS = ("command", "event", "day_closed", "checkpoint", "order", "block", "level")
FOLDERS += ("market_data", "book_change", "bidding_opened", "bidding", "bid")
CASES = sorted(path for folder in FOLDERS for path in (VECTORS / folder).glob("*.json"))
GOOD = [path for path in CASES if "error" not in json.loads(path.read_text(encoding="utf-8"))]
BAD = [path for path in CASES if path not in GOOD]


def case_name(path):
    return f"{path.parent.name}/{path.stem}"


def hex_bytes(path):
    lines = path.with_suffix(".hex").read_text(encoding="utf-8").splitlines()
    return bytes.fromhex("".join(line.partition("#")[0] for line in lines))


def as_number(record, field, value):
    """Return the number of an enum member's name, the bits of a list of flags."""
    enum = getattr(records, UNITS[record][field], None)
    if enum is not None and issubclass(enum, IntFlag):
        # A field's flags are an order's or a block's, as the kind says; their names differ.
        flags = records.OrderFlag.__members__ | records.BlockFlag.__members__
        return sum(flags[name] for name in value)
    return int(enum[value]) if isinstance(value, str) else value


def as_plain(value):
    return value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value


@pytest.mark.parametrize("path", GOOD, ids=case_name)
def test_bytes_decode_to_the_fields(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    record = case["record"]
    (row,) = np.frombuffer(hex_bytes(path), dtype=DTYPES[record])
    decoded = {name: as_plain(row[name]) for name in DTYPES[record].names}
    assert decoded == {n: as_number(record, n, value) for n, value in case["fields"].items()}


@pytest.mark.parametrize("path", GOOD, ids=case_name)
def test_fields_encode_to_the_bytes(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    record = case["record"]
    rows = np.zeros(1, dtype=DTYPES[record])
    for name, value in case["fields"].items():
        rows[0][name] = as_number(record, name, value)
    assert rows.tobytes().hex(" ", 8) == hex_bytes(path).hex(" ", 8)


@pytest.mark.parametrize("path", BAD, ids=case_name)
def test_other_lengths_are_refused(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    data = hex_bytes(path)
    size = DTYPES[case["record"]].itemsize
    assert case["error"] == f"{len(data)} is no multiple of {size}"
    with pytest.raises(ValueError, match="multiple"):
        np.frombuffer(data, dtype=DTYPES[case["record"]])


def test_every_record_has_vectors_and_every_file_its_partner():
    covered = {json.loads(path.read_text(encoding="utf-8"))["record"] for path in GOOD}
    assert covered == set(DTYPES) == {record["name"] for record in SCHEMA["record"]}
    hex_files = [path for folder in FOLDERS for path in (VECTORS / folder).glob("*.hex")]
    assert {path.with_suffix(".json") for path in hex_files} == set(CASES)


def test_every_number_of_every_enum_is_as_written_down():
    """Numbers are never reused or moved: this list only grows."""
    written = json.loads((VECTORS / "enums.json").read_text(encoding="utf-8"))
    assert set(written) == set(SCHEMA["enum"])
    for name, members in written.items():
        assert {member.name: int(member) for member in getattr(records, name)} == members, name


def test_day_closed_and_checkpoint_lie_over_event():
    """What the stream's readers need of any event lies at one place in all of them."""
    for dtype in (records.DAY_CLOSED_DTYPE, records.CHECKPOINT_DTYPE):
        assert dtype.itemsize == records.EVENT_DTYPE.itemsize
        for name in ("kind", "seq", "settlement_seq", "trading_date", "phase"):
            assert dtype.fields[name] == records.EVENT_DTYPE.fields[name]
    for name in ("product_index", "market_data_seq"):
        assert records.DAY_CLOSED_DTYPE.fields[name] == records.EVENT_DTYPE.fields[name]


@pytest.mark.parametrize("record", sorted(DTYPES))
def test_records_are_little_endian_and_without_gaps(record):
    end = 0
    for name in DTYPES[record].names:
        kind, offset = DTYPES[record].fields[name][:2]
        assert offset == end, name
        assert kind.base.str[0] in "<|", name
        end += kind.itemsize
    assert end == DTYPES[record].itemsize
