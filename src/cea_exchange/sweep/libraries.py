"""Libraries that only a sweep needs, each of an extra."""

from importlib import import_module
from typing import Any


class LibraryMissing(Exception):
    """What is asked for needs a library that is missing; the message says which extra has it."""


def columnar() -> Any:
    """Return pyarrow, which writes Parquet."""
    return _loaded("pyarrow", "sweep", "pyarrow.parquet")


def toml_writer() -> Any:
    """Return tomli-w, which writes what tomllib reads."""
    return _loaded("tomli_w", "sweep")


def salib() -> Any:
    """Return SALib, which says what figures depend on."""
    return _loaded(
        *("SALib", "sweep", "SALib.sample.sobol", "SALib.sample.morris"),
        *("SALib.analyze.sobol", "SALib.analyze.morris"),
    )


def ray() -> Any:
    """Return Ray, which plays cells on many machines."""
    return _loaded("ray", "ray")


def _loaded(name: str, extra: str, *parts: str) -> Any:
    try:
        for part in parts:
            import_module(part)
        return import_module(name)
    except ImportError as error:
        raise LibraryMissing(f"needs {name}: pip install 'cea-exchange[{extra}]'") from error
