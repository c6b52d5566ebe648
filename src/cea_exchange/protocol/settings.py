"""Daemons' settings: a TOML file, read once, strict."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect as info

from cea_exchange.user_files.formats import toml_read
from cea_exchange.user_files.opening import UserFileError

# ZeroMQ would take a greater port for what is left of it in 16 bits.
_PORT = r"([0-9]{1,4}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
Address = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(tcp://.+:{_PORT}|ipc://.+)$",
        examples=["tcp://127.0.0.1:5501", "ipc:///run/cea-exchange/feed"],
    ),
]
TcpAddress = Annotated[
    str, msgspec.Meta(pattern=rf"^tcp://.+:{_PORT}$", examples=["tcp://127.0.0.1:5501"])
]
"""Of a socket that processes of the daemon's share."""
MetricsAddress = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^127(\.[0-9]{{1,3}}){{3}}:{_PORT}$", examples=["127.0.0.1:9464"]
    ),
]
"""On the loopback only: whoever can ask needs no key."""
Settings = TypeVar("Settings")


class ConfigError(ValueError):
    """The file can't be read, or says what no setting is: where, what was expected, what came."""


def settings_read(path: Path | str, settings_type: type[Settings]) -> Settings:
    """Read a config file into a strict struct.

    Raises
    ------
    ConfigError
        It can't be read, is no TOML, has an unknown key or a value of a wrong type.
    """
    try:
        table = toml_read(path, "a config file")
        for name, value in table.items():
            # msgspec takes a real that is whole for an integer.
            if isinstance(value, float):
                raise ConfigError(f"{path}: {name}: expected `int`, got `float`")
        return msgspec.convert(table, settings_type)
    except UserFileError as error:
        raise ConfigError(str(error)) from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_explained(str(error), table, settings_type)}") from None


def mode_check(path: Path, mode_max: int) -> None:
    """Refuse a file with a secret in it that lets in more than its owner, or his group as well.

    Parameters
    ----------
    path
        The file.
    mode_max
        0o600, or 0o640 where the group may read it.

    Raises
    ------
    ConfigError
        Others may do more, or there is no such file.
    """
    try:
        mode = path.stat().st_mode & 0o777
    except OSError as error:
        raise ConfigError(f"{path}: expected a file, {error.strerror}") from None
    if mode & 0o077 & ~mode_max:
        raise ConfigError(f"{path}: expected mode {mode_max:04o}, got {mode:04o}")


# -- What a mistake should have been --------------------------------------------------------------

_PLACED = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>.*)`)?", re.DOTALL)
_STEP = re.compile(r"[A-Za-z_0-9]+")


def _explained(said: str, table: Any, settings_type: Any) -> str:
    """Return what is wrong, where, and what would be right: a name, the choices, or an example."""
    placed = _PLACED.fullmatch(said)
    assert placed is not None, said
    what, where = placed["what"], placed["where"] or ""
    expected, got = info.type_info(settings_type), table
    for step in _STEP.findall(where):
        expected = _below(expected, step)
        got = got[int(step) if isinstance(got, list) else step]
    if what.startswith("Object contains unknown field"):
        name = what.split("`")[1]
        full = f"{where}.{name}" if where else name
        return f"{full}: {_names_said(name, expected)}"
    if what.startswith("Invalid enum value"):
        choices = ", ".join(f'"{choice}"' for choice in _choices(expected))
        what = f"expected one of {choices}, got {got!r}"
    elif "matching regex" in what:
        examples = " or ".join(f'"{example}"' for example in _examples(expected))
        what = f"expected one such as {examples}, got {got!r}"
    else:
        what = what[:1].lower() + what[1:]
    return f"{where}: {what}" if where else what


def _names_said(name: str, expected: info.Type) -> str:
    names = [field.name for part in _parts(expected) for field in getattr(part, "fields", ())]
    close = difflib.get_close_matches(name, names, n=1)
    there = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(names))}"
    return f"no such setting; {there}"


def _parts(expected: info.Type) -> list[info.Type]:
    """Return what a value may be: the parts of a union, each without its metadata."""
    if isinstance(expected, info.Metadata):
        return _parts(expected.type)
    if isinstance(expected, info.UnionType):
        return [part for each in expected.types for part in _parts(each)]
    return [expected]


def _below(expected: info.Type, step: str) -> info.Type:
    """Return what a field, or an element, of a value may be."""
    for part in _parts(expected):
        if isinstance(part, info.TupleType):
            return part.item_types[int(step)] if step.isdigit() else part.item_types[0]
        if isinstance(part, info.VarTupleType | info.ListType):
            return part.item_type
        for field in getattr(part, "fields", ()):
            if field.name == step:
                return field.type
    return info.AnyType()


def _choices(expected: info.Type) -> list[Any]:
    return [
        value
        for part in _parts(expected)
        if isinstance(part, info.LiteralType)
        for value in part.values
    ]


def _examples(expected: info.Type) -> list[Any]:
    if isinstance(expected, info.UnionType):
        return [example for each in expected.types for example in _examples(each)]
    if isinstance(expected, info.Metadata):
        return list((expected.extra_json_schema or {}).get("examples", ()))
    return []
