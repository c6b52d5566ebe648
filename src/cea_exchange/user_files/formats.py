"""TOML and JSON that a person wrote: of bounded depth, with numbers of bounded size."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cea_exchange.user_files.opening import TEXT_BYTES_MAX, UserFileError, bytes_read, text_read

DEPTH_MAX = 32
"""Levels of tables and lists: the deepest file of ours has six."""
NUMBER_LIMIT = 1 << 63
JSON_BYTES_MAX = 8 << 20
JSON_PARTS_MAX = 500_000
"""Lists and objects: an empty one takes 27 times as much memory as it has bytes in the file."""

Shape = TypeVar("Shape")

_TOKENS = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5})?+'
    r"|'''(?:[^']++|'(?!''))*+(?:'{3,5})?+"
    r'|"(?:[^"\\\n]++|\\.)*+"?+'
    r"|'[^'\n]*+'?+"
    r"|#[^\n]*+"
    r"|[\[\]{}.=,\n]",
    re.DOTALL,
)
"""What nests in TOML, and what only looks like it: texts and comments, even without their end."""


class FormatError(ValueError):
    """A text is not TOML or JSON within bounds; the message does not name its place."""


def toml_parse(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text.

    Raises
    ------
    FormatError
        It is not TOML, nests deeper than `DEPTH_MAX`, or has a number of more than 64 bits.
    """
    _toml_depth_check(text)
    try:
        tables = tomllib.loads(text)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        # A number of thousands of digits is a ValueError that is no TOMLDecodeError.
        raise FormatError(f"expected TOML, {error}") from None
    _values_check(tables)
    return tables


def toml_read(path: Path | str, kind: str, bytes_max: int = TEXT_BYTES_MAX) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Raises
    ------
    UserFileError
        It can't be read, or is not TOML; parameters and errors are those of `text_read`.
    """
    text = text_read(path, kind, bytes_max)
    try:
        return toml_parse(text)
    except FormatError as error:
        raise UserFileError(f"{path}: {error}") from None


def json_parse(data: bytes, shape: type[Shape]) -> Shape:
    """Return what a JSON text says, in a shape.

    Raises
    ------
    FormatError
        It is not JSON, does not fit the shape, nests deeper than `DEPTH_MAX`, or has a number of
        more than 64 bits.
    """
    if data.count(b"[") + data.count(b"{") > JSON_PARTS_MAX:
        raise FormatError(f"expected at most {JSON_PARTS_MAX} lists and objects, got more")
    try:
        value = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=shape)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise FormatError(str(error)) from None
    _values_check(value)
    return value


def json_read(
    path: Path | str, kind: str, shape: type[Shape], bytes_max: int = JSON_BYTES_MAX
) -> Shape:
    """Return what a JSON file says, in a shape.

    Raises
    ------
    UserFileError
        It can't be read, or `json_parse` refuses it.
    """
    data = bytes_read(path, kind, bytes_max)
    try:
        return json_parse(data, shape)
    except FormatError as error:
        raise UserFileError(f"{path}: expected {kind}, {error}") from None


def _toml_depth_check(text: str) -> None:
    """Refuse what nests too deep before it is parsed: of long keys that takes hours."""
    brackets = dots = 0
    for match in _TOKENS.finditer(text):
        match match[0][0]:
            case "[" | "{":
                brackets += 1
                dots = 0
            case "]" | "}":
                brackets -= 1
                dots = 0
            case ".":
                dots += 1
            case "=" | "," | "\n":
                dots = 0
        if brackets + dots > DEPTH_MAX:
            raise _too_deep()


def _values_check(value: Any) -> None:
    left = [(value, 0)]
    while left:
        each, depth = left.pop()
        if isinstance(each, dict | list):
            if depth > DEPTH_MAX:
                raise _too_deep()
            inner = each.values() if isinstance(each, dict) else each
            left += ((one, depth + 1) for one in inner)
        elif isinstance(each, int) and not -NUMBER_LIMIT <= each < 2 * NUMBER_LIMIT:
            bits = each.bit_length()
            raise FormatError(f"expected whole numbers of at most 64 bits, got one of {bits} bits")


def _too_deep() -> FormatError:
    return FormatError(f"expected at most {DEPTH_MAX} levels of tables and lists, got more")
