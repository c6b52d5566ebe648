"""TOML, JSON and CSV that a person wrote: whatever is in them, one error in a sentence."""

import time
from typing import Any

import msgspec
import pytest

from cea_exchange.user_files.csv_rows import CsvRows
from cea_exchange.user_files.formats import (
    DEPTH_MAX,
    JSON_PARTS_MAX,
    FormatError,
    json_parse,
    json_read,
    toml_parse,
    toml_read,
)
from cea_exchange.user_files.opening import UserFileError

pytestmark = pytest.mark.unit
SECONDS_MAX = 2.0
"""Processor time of this process: what else the machine does makes no difference."""
TOO_DEEP = f"expected at most {DEPTH_MAX} levels of tables and lists, got more"
DEEP_TOML = {
    "lists": "a = " + "[" * 10_000,
    "tables": "a = " + "{a = " * 10_000,
    "keys": "a" + ".a" * 400_000 + " = 1",
    "heads": "[" + "a." * 400_000 + "a]",
    "behind a text": 'a = """' + '\\"[' * 10 + '"""\nb = ' + "[" * 10_000,
}
WIDE_TOML = {
    "lists": "a = [" + "[]," * 300_000 + "]",
    "tables": "[[a]]\n" * 150_000,
    "comments": "#[[[[\n" * 150_000,
    "texts": "a = [" + "'[[[[.....'," * 80_000 + "]",
    "lines": 'a = """' + "[.\n" * 300_000 + '"""',
}


def test_what_nests_is_read_as_deep_as_it_may():
    deep = "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)
    assert toml_parse(f"a = {deep}\nb.c.d = 1.5\n['x.y'.z]\nw = '[[['") == {
        "a": json_parse(deep.encode(), list),
        "b": {"c": {"d": 1.5}},
        "x.y": {"z": {"w": "[[["}},
    }
    with pytest.raises(FormatError) as raised:
        json_parse(b"[" * 40 + b"]" * 40, Any)
    assert str(raised.value) == TOO_DEEP


@pytest.mark.parametrize("name", DEEP_TOML)
def test_what_nests_too_deep_is_refused_before_it_is_parsed(name):
    began = time.process_time()
    with pytest.raises(FormatError) as raised:
        toml_parse(DEEP_TOML[name])
    assert str(raised.value) == TOO_DEEP
    assert time.process_time() - began < SECONDS_MAX


@pytest.mark.parametrize("name", WIDE_TOML)
def test_what_only_looks_deep_is_read(name):
    began = time.process_time()
    toml_parse(WIDE_TOML[name])
    assert time.process_time() - began < 2 * SECONDS_MAX


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = " + "9" * 5_000, "expected TOML, Exceeds the limit"),
        ("a = 0x" + "f" * 100_000, "expected whole numbers of at most 64 bits, got one of 400000"),
        ("a = 18446744073709551616", "expected whole numbers of at most 64 bits, got one of 65"),
        ("a = \x00", "expected TOML, "),
        ('a = """' + '\\"""' * 100_000, "expected TOML, Unterminated string"),
        ('a = """' + "x" * 900_000 + "\\", "expected TOML, Unescaped"),
        ('"' * 900_000, "expected TOML, "),
        ("a = 2026-13-45", "expected TOML, "),
    ],
)
def test_wrong_toml_is_a_sentence(text, says):
    began = time.process_time()
    with pytest.raises(FormatError) as raised:
        toml_parse(text)
    assert str(raised.value).startswith(says) and "\n" not in str(raised.value)
    assert time.process_time() - began < SECONDS_MAX


class Shape(msgspec.Struct, forbid_unknown_fields=True):
    """What is read below."""

    a: int = 0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[" * 10_000, TOO_DEEP),
        (b'{"a":' * 10_000, TOO_DEEP),
        (b"9" * 5_000, "Integer value out of range"),
        (b"99999999999999999999", "expected whole numbers of at most 64 bits, got one of 67 bits"),
        (b"[]" * (JSON_PARTS_MAX + 1), f"expected at most {JSON_PARTS_MAX} lists and objects"),
        (b"", "Input data was truncated"),
        (b"\xff", "JSON is malformed"),
        (b'{"a": NaN}', "JSON is malformed"),
    ],
)
def test_wrong_json_is_a_sentence(data, says):
    with pytest.raises(FormatError) as raised:
        json_parse(data, Any)
    assert str(raised.value).startswith(says)


def test_a_file_is_named_in_what_is_wrong_with_it(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"\xef\xbb\xbf" + b'{"a": 1}')
    assert json_read(file, "a shape", Shape) == Shape(1)
    with pytest.raises(UserFileError, match=f"{file}: expected TOML, "):
        toml_read(file, "a shape")
    file.write_bytes(b"{}}")
    with pytest.raises(UserFileError, match=f"{file}: expected a shape, JSON is malformed"):
        json_read(file, "a shape", Shape)
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert toml_read(file, "a shape") == {"a": 1}


# -- CSV -------------------------------------------------------------------------------------------


def rows_of(text, **settings):
    rows = CsvRows(text.splitlines(keepends=True), **settings)
    with rows.errors_placed("x:"):
        return rows.columns, list(rows)


def test_rows_are_read_by_their_columns():
    columns, rows = rows_of('a,b\r\n1,"x\ny"\r\n\r\n3,4')
    assert columns == ("a", "b")
    assert rows == [{"a": "1", "b": "x\ny"}, {"a": "3", "b": "4"}]
    assert rows_of("a,b\n1\n", may_be_short=True)[1] == [{"a": "1", "b": ""}]
    assert rows_of("") == ((), [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('a,b\n1,"2\n', "x:2: expected CSV, unexpected end of data"),
        ('a,b\n1,"2"3\n', "x:2: expected CSV, "),
        ("a,b\n1,2,3\n", "x:2: expected 2 fields, got 3"),
        ("a,b\n1\n", "x:2: expected 2 fields, got 1"),
        ("a,b,a\n", "x:1: expected each column once, got 'a' twice"),
        ("a\n" + "1\n" * 6, "x:7: expected at most 5 rows, got more"),
        ('a\n"' + "1\n" * 2_000, "x:1001: expected at most 1000 lines in a row, got more"),
        ("a\n" + "x" * 140_000, "x:2: expected CSV, field larger than field limit (131072)"),
    ],
)
def test_wrong_csv_is_a_sentence_with_its_line(text, says):
    with pytest.raises(FormatError) as raised:
        rows_of(text, rows_max=5)
    assert str(raised.value).startswith(says)


def test_many_columns_are_compared_in_time():
    began = time.process_time()
    columns, _ = rows_of(",".join(f"c{number}" for number in range(100_000)))
    assert len(columns) == 100_000 and time.process_time() - began < SECONDS_MAX
