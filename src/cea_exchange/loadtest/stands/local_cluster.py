"""A venue of several nodes, its log, a registry and a way in, as real processes on this machine.

For the demo of the cluster, and to try faults on. Each node has a folder of its own, as on a
machine of its own; who starts them may put each elsewhere: in a network, or on a disk, of its own.
"""

import contextlib
import json
import os
import shutil
import signal
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import LogUnreachable
from cea_exchange.cluster.leader import LeaderRecord
from cea_exchange.cluster.lease import leader_read
from cea_exchange.cluster.log_nodes.free_ports import free_ports
from cea_exchange.cluster.log_nodes.local import Certificates, LogNodes
from cea_exchange.cluster.log_nodes.rights import WATCHER
from cea_exchange.cluster.node_state import NodeState, node_states
from cea_exchange.cluster.replicated_log import log_info
from cea_exchange.loadtest.local_exchange import PROGRAM, ExchangeError, LocalExchange
from cea_exchange.loadtest.stands.database import children_of
from cea_exchange.protocol.security import CurveKeys

VENUES = 3
CLUSTER = "cea"
REGISTRY, WAY_IN = "registry", "way-in"
WAY_IN_KEYS = "way_in"
VENUE_SOCKETS = ("gateway", "market_data", "snapshot", "settlement", "replay", "admin", "way_in")
LEADER_S_MAX = 60.0
AGAIN_S = 0.2
ASK_S_MAX = 6.0
Launch = Callable[[str, list[str]], list[str]]


class LocalCluster(LocalExchange):
    """Venues ``venue-1`` to ``-3``, log nodes ``log-1`` to ``-3``, ``registry`` and ``way-in``.

    More ways in are ``way-in-2`` and so on.

    Parameters
    ----------
    data
        A folder for each is made in it, or used if it is there.
    hosts
        By name, an address that is the process's own; the loopback without.
    launch
        Makes a process's name and command the command that is run.
    venue_program
        Run instead of ``cea-exchange venue``.
    ways_in
        How many.
    certificates
        One for each log node, of one authority; without, what goes to them and between them is in
        the clear.
    database
        Where the registry keeps its ledger, as `Store.open` takes it; SQLite if left out.

    Attributes
    ----------
    ended
        Who ended by itself, and with which status.
    """

    def __init__(
        self,
        data: Path,
        *,
        hosts: dict[str, str] | None = None,
        launch: Launch | None = None,
        venue_program: Sequence[str] = (*PROGRAM, "venue"),
        ways_in: int = 1,
        certificates: Sequence[Certificates] | None = None,
        database: str | None = None,
    ) -> None:
        super().__init__(data, database=database)
        self._hosts = hosts or {}
        self._launch = launch or (lambda _, command: command)
        self._venue_program = list(venue_program)
        self.venue_names = [f"venue-{number}" for number in range(1, VENUES + 1)]
        self.way_in_names = [WAY_IN, *(f"{WAY_IN}-{each}" for each in range(2, ways_in + 1))]
        log_hosts = [self._hosts[f"log-{number}"] for number in (1, 2, 3)] if hosts else None
        self.log_nodes = LogNodes(
            self.data / "log",
            name=CLUSTER,
            hosts=log_hosts,
            certificates=certificates,
            launch=lambda number, command: self._launch(f"log-{number + 1}", command),
        )
        self._watching: LogConnection | None = None
        self._operated = ""
        self.ended: list[tuple[str, int]] = []
        self._frozen: dict[str, list[int]] = {}

    # -- Preparing ---------------------------------------------------------------------------------

    def _write_configs(
        self,
        venue: dict[str, str],
        registry: dict[str, str],
        start: str,
        settings: dict[str, int | bool | str],
    ) -> None:
        """Write each node's settings into its own folder; called by `prepare`."""
        CurveKeys.new().save(self.keys_directory, WAY_IN_KEYS)
        way_in_key = CurveKeys.load(self.keys_directory, WAY_IN_KEYS).public
        registry = {name: self._place(REGISTRY, address) for name, address in registry.items()}
        super()._write_configs(venue, registry, start, settings)
        ports = iter(free_ports(len(VENUE_SOCKETS) * VENUES + len(self.way_in_names)))
        for name in self.venue_names:
            folder = self.folder(name)
            folder.mkdir(exist_ok=True)
            shutil.copytree(self.keys_directory, folder / "keys", dirs_exist_ok=True)
            own = {
                each: self._place(name, f"tcp://127.0.0.1:{next(ports)}") for each in VENUE_SOCKETS
            }
            table = {
                **settings,
                **own,
                "registry_feed": registry["feed"],
                "way_in_keys": [way_in_key],
                "clock": {"kind": "manual", "start": start},
                "cluster": self.log_nodes.cluster_settings(name),
            }
            _toml_write(folder / "venue.toml", table)
        watched = {"cluster": self.log_nodes.cluster_settings(WAY_IN, WATCHER)}
        for name in self.way_in_names:
            folder = self.folder(name)
            folder.mkdir(exist_ok=True)
            shutil.copytree(self.keys_directory, folder / "keys", dirs_exist_ok=True)
            gateway = self._place(name, f"tcp://127.0.0.1:{next(ports)}")
            _toml_write(folder / "way_in.toml", {"gateway": gateway, **watched})
        follows = tomllib.loads((self.data / "registry.toml").read_text())
        _toml_write(self.data / "registry.toml", {**follows, "venue_cluster": watched["cluster"]})

    def _place(self, name: str, address: str) -> str:
        """Return an address at the host of a process."""
        return address.replace("127.0.0.1", self._hosts.get(name, "127.0.0.1"))

    def folder(self, name: str) -> Path:
        """Return the data folder of a venue, the registry or the way in."""
        return self.data if name == REGISTRY else self.data / name

    # -- Processes ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all, and wait until a venue leads and the registry knows the same."""
        self.log_nodes.start()
        for name in (*self.venue_names, REGISTRY, *self.way_in_names):
            self.begin(name)
        self.await_leader()
        for name in (REGISTRY, *self.way_in_names):
            self.wait_ready(name)

    def begin(self, name: str) -> None:
        """Start a process that does not run."""
        if name.startswith("log-"):
            self.log_nodes.start(self._log_number(name))
        else:
            self._start(name, wait=False)

    def kill(self, name: str) -> None:
        """End a process with SIGKILL, as a crash would; it may be frozen."""
        if name.startswith("log-"):
            self.log_nodes.kill(self._log_number(name))
        else:
            super().kill(name)
            self._drop_operators()

    def freeze(self, name: str) -> None:
        """Stop a process where it stands, with what it has started, until `thaw`."""
        self._frozen[name] = self.process_ids(name)
        for process_id in self._frozen[name]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen process go on, or what it had started, if it was killed meanwhile.

        That ends then: frozen, it would keep the addresses of the process that is to come.
        """
        for process_id in self._frozen.pop(name, ()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGCONT)

    def process_ids(self, name: str) -> list[int]:
        """Return a process, and those that it has started."""
        if name.startswith("log-"):
            return [self.log_nodes.process_id(self._log_number(name))]
        own = self.process_id(name)
        return [own, *children_of(own)]

    def is_running(self, name: str) -> bool:
        """Whether a process is there."""
        if name.startswith("log-"):
            return self.log_nodes.is_running(self._log_number(name))
        return super().is_running(name)

    def tend(self) -> list[str]:
        """Start again whoever has ended by itself, as a service manager would; return the names."""
        again = [
            name for name in (*self.venue_names, REGISTRY, *self.way_in_names)
            if name in self._processes and not self.is_running(name)
        ]
        for name in again:
            self.ended.append((name, self._processes[name].returncode))
            self.begin(name)
        return [*again, *(f"log-{number + 1}" for number in self.log_nodes.tend())]

    def stop(self, name: str) -> int:
        """Ask a process to end; return its exit status."""
        if name.startswith("log-"):
            self.log_nodes.stop(self._log_number(name))
            return 0
        return super().stop(name)

    def close(self) -> None:
        """End whatever still runs, the log last."""
        for name in [*self._frozen]:
            self.thaw(name)
        if self._watching is not None:
            self._watching.close()
            self._watching = None
        super().close()
        self.log_nodes.close()

    @staticmethod
    def _log_number(name: str) -> int:
        return int(name.removeprefix("log-")) - 1

    def _start(self, name: str, wait: bool) -> None:
        self._endpoints_file(name).unlink(missing_ok=True)
        folder = self.folder(name)
        if name in self.venue_names:
            program, config = self._venue_program, "venue.toml"
        elif name in self.way_in_names:
            program, config = [*PROGRAM, "cluster", "way-in"], "way_in.toml"
        else:
            program, config = [*PROGRAM, name], f"{name}.toml"
        command = [*program, *([] if name in self.way_in_names else ["serve"])]
        command += ["--config", str(folder / config), "--data", str(folder)]
        self._spawn(name, self._launch(name, command))
        if wait:
            self.wait_ready(name)

    def _endpoints_file(self, name: str) -> Path:
        kind = "venue" if name in self.venue_names else name
        if name in self.way_in_names:
            kind = WAY_IN_KEYS
        return self.folder(name) / kind / "endpoints.json"

    # -- Who leads ---------------------------------------------------------------------------------

    def _watcher(self) -> LogConnection:
        if self._watching is None:
            table = self.log_nodes.cluster_settings("watcher", WATCHER)
            self._watching = LogConnection(msgspec.convert(table, ClusterConfig), self.data)
        return self._watching

    def leader(self) -> LeaderRecord | None:
        """Return who leads, as the lease says; None while nobody does, or nobody can be asked."""
        try:
            record = leader_read(self._watcher())
        except LogUnreachable:
            return None
        return record if record is not None and record.endpoints else None

    def leader_names(self) -> tuple[str, str]:
        """Return the venue that leads and the log node that does; empty where it isn't known."""
        record = self.leader()
        try:
            watcher = self._watcher()
            info = watcher.call(log_info(watcher), ASK_S_MAX)
        except LogUnreachable:
            info = None
        return record.node if record else "", info.leader if info else ""

    def states(self) -> dict[str, NodeState]:
        """Return what each venue says of itself; empty while nobody can be asked."""
        try:
            watcher = self._watcher()
            found = watcher.call(node_states(watcher), ASK_S_MAX)
        except LogUnreachable:
            return {}
        return {state.node: state for state in found}

    def is_level(self) -> bool:
        """Whether each venue has the whole log, and found the same where it looked last.

        One that began with a snapshot from behind the last checkpoint has looked nowhere yet.
        """
        states = self.states().values()
        have = {each.log_seq for each in states}
        found = {(each.checkpoint_seq, each.checkpoint_hash) for each in states}
        looked = {each for each in found if each[0]}
        is_whole = len(have) == 1 and not any(each.lag for each in states)
        return len(states) == len(self.venue_names) and is_whole and len(looked) <= 1

    def is_led_since(self, since_ns: int) -> bool:
        """Whether a venue leads that has said so after a moment, since 1970."""
        record, states = self.leader(), self.states()
        state = None if record is None else states.get(record.node)
        return state is not None and state.state == "leader" and state.now_ns > since_ns

    def await_well(self, name: str, timeout_s: float = LEADER_S_MAX) -> None:
        """Wait until a process that was begun anew has all that the others have.

        Raises
        ------
        ExchangeError
            It has not by then.
        """
        began_ns, deadline = time.time_ns(), time.monotonic() + timeout_s
        while not self._is_well(name, began_ns):
            if time.monotonic() > deadline:
                raise ExchangeError(f"waited {timeout_s:.0f} s for {name} to be well")
            time.sleep(AGAIN_S)

    def _is_well(self, name: str, since_ns: int) -> bool:
        if name.startswith("log-"):
            return self.log_nodes.node_health(self._log_number(name)).is_well
        state = self.states().get(name)
        return (
            state is not None
            and state.now_ns > since_ns
            and state.state in ("leader", "standby")
            and state.lag == 0
        )

    def await_leader(self, timeout_s: float = LEADER_S_MAX) -> LeaderRecord:
        """Wait until a venue leads and can be come to.

        Raises
        ------
        ExchangeError
            None does by then.
        """
        deadline = time.monotonic() + timeout_s
        while (record := self.leader()) is None:
            if time.monotonic() > deadline:
                raise ExchangeError(f"waited {timeout_s:.0f} s for a venue that leads")
            time.sleep(AGAIN_S)
        return record

    def operate(self, op: str, **fields: Any) -> dict[str, Any]:
        """Ask the admin socket of the venue that leads; see `LocalExchange`."""
        address = self.endpoint("venue", "admin")
        if address != self._operated:
            self._drop_operators()
            self._operated = address
        return super().operate(op, **fields)

    def endpoint(self, daemon: str, name: str) -> str:
        """Return the address of a process's socket; the venue is the one that leads."""
        if daemon == "venue":
            return str(self.await_leader().endpoints[name])
        return super().endpoint(daemon, name)


def _toml_write(file: Path, table: dict[str, Any]) -> None:
    """Write settings; JSON's text, numbers, booleans and lists are TOML's."""
    file.write_text("\n".join(_table_lines("", table)) + "\n", encoding="utf-8")


def _table_lines(name: str, table: dict[str, Any]) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"[{name}]"] if name else []
    lines += [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _table_lines(f"{name}.{key}" if name else key, value)
    return lines
