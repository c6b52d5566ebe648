"""Several log nodes on this machine, a process each: for the demo, and to try faults on."""

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from cea_exchange.cluster.log_nodes import rights
from cea_exchange.cluster.log_nodes.free_ports import free_ports
from cea_exchange.cluster.log_nodes.health import LogNodeHealth, log_node_health
from cea_exchange.cluster.log_nodes.server import server_program
from cea_exchange.cluster.log_nodes.settings import LogNodeSettings, server_file_write
from cea_exchange.control_plane.signals import end_with_parent

START_S_MAX = 30.0
STOP_S_MAX = 15.0
TURN_S = 0.05
PLACES_FILE = "places.json"
CLIENTS_PORT, ROUTES_PORT, MONITOR_PORT = 4222, 6222, 8222


Place = tuple[str, str, str]
"""Where a node's clients come in, the other nodes, and who asks how it is."""


class LogNodesError(RuntimeError):
    """A node did not start, or ended by itself."""


class Certificates(NamedTuple):
    """Files (PEM) of a node, with which it proves who it is."""

    ca: Path
    certificate: Path
    certificate_key: Path


class LogNodes:
    """Log nodes that are children of this process, numbered from 0.

    Parameters
    ----------
    folder
        A folder for each node is made in it, and one for the secrets. One that a former run has
        left is gone on with, at its places.
    count
        How many nodes.
    name
        Of the cluster.
    hosts
        An address for each node that is its own; on the loopback ports are drawn instead.
    certificates
        One for each node; without, nothing is encrypted.
    launch
        Makes a node's number and command the command that is run: to put it elsewhere.
    """

    def __init__(
        self,
        folder: Path,
        count: int = 3,
        *,
        name: str = "cea",
        hosts: Sequence[str] | None = None,
        certificates: Sequence[Certificates] | None = None,
        launch: Callable[[int, list[str]], list[str]] | None = None,
    ) -> None:
        # A settings file names the secrets, and relative paths in it begin at its own folder.
        self.folder = Path(folder).resolve()
        self.name = name
        self._launch = launch or (lambda _, command: command)
        self._program = server_program()
        self._certificates = certificates
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        rights.secrets_new(self.folder / "secrets")
        places = self._places(count, hosts)
        self.settings = [self._settings(number, places) for number in range(count)]

    def _places(self, count: int, hosts: Sequence[str] | None) -> list[Place]:
        """Return each node's addresses for clients, routes and its monitor."""
        if hosts is not None:
            ports = (CLIENTS_PORT, ROUTES_PORT, MONITOR_PORT)
            return [_place([f"{host}:{port}" for port in ports]) for host in hosts]
        file = self.folder / PLACES_FILE
        if file.exists():
            return msgspec.json.decode(file.read_bytes(), type=list[Place])
        drawn = iter(free_ports(3 * count))
        places = [_place([f"127.0.0.1:{next(drawn)}" for _ in range(3)]) for _ in range(count)]
        file.write_bytes(msgspec.json.encode(places))
        return places

    def _settings(self, number: int, places: list[Place]) -> LogNodeSettings:
        clients, routes, monitor = places[number]
        own = self._certificates[number] if self._certificates else None
        return LogNodeSettings(
            cluster=self.name,
            node=f"log-{number + 1}",
            clients=clients,
            routes=routes,
            monitor=monitor,
            peers=tuple(each[1] for each in places if each[1] != routes),
            secrets=str(self.folder / "secrets"),
            ca=str(own.ca) if own else None,
            certificate=str(own.certificate) if own else None,
            certificate_key=str(own.certificate_key) if own else None,
            unencrypted=own is None and not clients.startswith("127."),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def count(self) -> int:
        """How many nodes there are."""
        return len(self.settings)

    @property
    def addresses(self) -> list[str]:
        """Where venues come in, by node."""
        return [each.address for each in self.settings]

    def secret_file(self, holder: str) -> Path:
        """Return the file with the secret of a right's holder."""
        return self.folder / "secrets" / holder

    def cluster_settings(self, node: str, holder: str = rights.VENUE) -> dict[str, Any]:
        """Return the table ``[cluster]`` of somebody who uses these nodes."""
        table: dict[str, Any] = {
            "name": self.name,
            "node": node,
            "log_nodes": self.addresses,
            "user": holder,
            "secret_file": str(self.secret_file(holder)),
        }
        if self._certificates:
            table |= {name: str(value) for name, value in self._certificates[0]._asdict().items()}
        return table

    # -- Processes ---------------------------------------------------------------------------------

    def start(self, number: int | None = None) -> None:
        """Start a node; or all of them, and wait until they are one log."""
        if number is None:
            for each in range(self.count):
                self.start(each)
            self.wait_ready()
            return
        settings = self.settings[number]
        data = self.data(number)
        file = server_file_write(settings, self.folder, data)
        command = self._launch(number, [str(self._program), "-c", str(file)])
        with self.log(number).open("ab") as log:
            self._processes[number] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509
            )

    def wait_ready(self, timeout_s: float = START_S_MAX) -> None:
        """Wait until each node that runs is well.

        Raises
        ------
        LogNodesError
            One ended, or is not well by then.
        """
        deadline = time.monotonic() + timeout_s
        while faults := [
            f"{each.node}: {each.faults[0]}" for each in self.health() if not each.is_well
        ]:
            for number, process in self._processes.items():
                if process.poll() is not None:
                    raise LogNodesError(
                        f"log-{number + 1} ended with {process.returncode}:"
                        f" {self._last_line(number)}"
                    )
            if time.monotonic() > deadline:
                raise LogNodesError(f"waited {timeout_s:.0f} s: {faults[0]}")
            time.sleep(TURN_S)

    def health(self) -> list[LogNodeHealth]:
        """Ask each node that runs how it is."""
        return [self.node_health(number) for number in sorted(self._processes)]

    def node_health(self, number: int) -> LogNodeHealth:
        """Ask a node how it is."""
        settings = self.settings[number]
        running = len(self._processes) - (number in self._processes)
        return log_node_health(settings.node, settings.monitor, peers=running)

    def tend(self) -> list[int]:
        """Start again each node that has ended by itself; return their numbers."""
        again = [number for number, each in self._processes.items() if each.poll() is not None]
        for number in again:
            self.start(number)
        return again

    def mend(self, number: int) -> None:
        """Start a node again if it can't go on, as after a full disk."""
        if self.is_running(number) and self.node_health(number).needs_start:
            self.kill(number)
            self.start(number)

    def kill(self, number: int) -> None:
        """End a node with SIGKILL, as a crash would; it may be frozen."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def stop(self, number: int) -> None:
        """End a node in order: it hands over what it leads first."""
        process = self._processes.pop(number)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self, number: int) -> None:
        """Stop a node where it stands, until `thaw`."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def thaw(self, number: int) -> None:
        """Let a frozen node go on."""
        self._processes[number].send_signal(signal.SIGCONT)

    def is_running(self, number: int) -> bool:
        """Whether a node's process is there."""
        process = self._processes.get(number)
        return process is not None and process.poll() is None

    def process_id(self, number: int) -> int:
        """Return a node's process."""
        return self._processes[number].pid

    def data(self, number: int) -> Path:
        """Return a node's own folder."""
        return self.folder / self.settings[number].node

    def log(self, number: int) -> Path:
        """Return the file with a node's output."""
        return self.folder / f"{self.settings[number].node}.log"

    def close(self) -> None:
        """End whatever still runs."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)
        for number in list(self._processes):
            self.stop(number)

    def _last_line(self, number: int) -> str:
        lines = self.log(number).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"


def _place(addresses: Sequence[str]) -> Place:
    clients, routes, monitor = addresses
    return clients, routes, monitor
