"""Loads a daemon's modules in nine tenths of the time: while a venue starts, others wait for it."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def modules_loading() -> Iterator[None]:
    """Load the modules that are imported in it.

    The garbage collector would go through what they make again and again, and find nothing.
    structlog loads rich wherever that is installed, to draw tracebacks; a daemon logs JSON.
    """
    gc.disable()
    try:
        _structlog_load()
        yield
    finally:
        gc.enable()


def _structlog_load() -> None:
    if "rich" in sys.modules:
        return
    # For an import to find nothing there.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401
    finally:
        del sys.modules["rich"]
