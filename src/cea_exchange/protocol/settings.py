"""Daemons' settings: a TOML file, read once, strict."""

import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

# ZeroMQ would take a greater port for what is left of it in 16 bits.
_PORT = r"([0-9]{1,4}|[1-5][0-9]{4}|6([0-4][0-9]{3}|5([0-4][0-9]{2}|5([0-2][0-9]|3[0-5]))))"
Address = Annotated[str, msgspec.Meta(pattern=rf"^(tcp://.+:{_PORT}|ipc://.+)$")]
TcpAddress = Annotated[str, msgspec.Meta(pattern=rf"^tcp://.+:{_PORT}$")]
"""Of a socket that processes of the daemon's share."""
MetricsAddress = Annotated[str, msgspec.Meta(pattern=rf"^127(\.[0-9]{{1,3}}){{3}}:{_PORT}$")]
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
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        for name, value in table.items():
            # msgspec takes a real that is whole for an integer.
            if isinstance(value, float):
                raise ConfigError(f"{path}: Expected `int`, got `float` - at `$.{name}`")
        return msgspec.convert(table, settings_type)
    except OSError as error:
        raise ConfigError(f"{path}: expected a config file, {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from None
