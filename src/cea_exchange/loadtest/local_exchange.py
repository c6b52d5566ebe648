"""A venue and a registry of one's own, as real processes on this machine, in one data folder.

For the demo, the load harness and the tests. The registry is filled by its library before the
daemons start; everything else goes over their sockets.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import msgspec
import zmq

from cea_exchange.cluster.log_nodes.free_ports import free_ports
from cea_exchange.control_plane.signals import end_with_parent, module_command
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.security import CurveKeys, client_socket
from cea_exchange.registry.registry import Registry

START_S_MAX = 120.0
STOP_S_MAX = 15.0
ADMIN_S_MAX = 30.0
ADMIN, SECOND = "admin", "second"
"""The venue's operators."""

PROGRAM = module_command("cea_exchange.cli.main")
_UNTHROTTLED = {
    f"throttle_{whose}per_second": 0 for whose in ("", "cancels_", "account_", "account_cancels_")
}
_VENUE_SOCKETS = ("gateway", "market_data", "snapshot", "settlement", "replay", "admin")
_REGISTRY_SOCKETS = ("feed", "admin")


class ExchangeError(RuntimeError):
    """A daemon did not start, did not answer, or refused an operator's act."""


class LocalExchange:
    """Two daemons on one data folder.

    Parameters
    ----------
    data : Path
        The folder; `prepare` fills an empty one.
    programs : dict, optional
        Command lines to run instead of `cea-exchange venue` or `registry`, by those names.
    database : str, optional
        Where the registry keeps its ledger, as `Store.open` takes it; SQLite if left out.

    Notes
    -----
    The ports are chosen once and written into the configs, so a daemon that is started again is
    found at its old address.
    """

    def __init__(
        self,
        data: Path,
        *,
        programs: Mapping[str, Sequence[str]] | None = None,
        database: str | None = None,
    ):
        self.data = Path(data)
        self._database = database
        self._programs: dict[str, Sequence[str]] = {
            name: (*PROGRAM, name) for name in ("venue", "registry")
        }
        self._programs |= programs or {}
        self._processes: dict[str, subprocess.Popen] = {}
        self._context = zmq.Context()
        self._operators: dict[str, zmq.Socket] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    # -- Preparing ---------------------------------------------------------------------------------

    def prepare(
        self,
        participants: list[Participant],
        reference_prices: dict[str, int],
        *,
        start: str,
        profile: str = "cea",
        has_second: bool = False,
        **venue_settings: int | bool | str,
    ) -> None:
        """Make keys and configs, and fill the registry.

        Parameters
        ----------
        participants : list of Participant
            Each gets an account, a key, and what it is given, in transit to the venue.
        reference_prices : dict
            Fen per tonne by product name.
        start : str
            Where the venue's clock begins: ISO 8601 with offset.
        profile : str
            Of the venue.
        has_second : bool
            Whether the venue has a second operator, who agrees in `operate_by_two`.
        **venue_settings
            Further settings of the venue's config; `fronts` is the registry's too. Nobody is
            throttled, unless they say so: load is what most of these venues are for.
        """
        for name in ("venue", "registry", ADMIN):
            CurveKeys.new().save(self.keys_directory, name)
        self._fill_registry(participants, reference_prices)
        addresses = [f"tcp://127.0.0.1:{port}" for port in free_ports(8)]
        venue = dict(zip(_VENUE_SOCKETS, addresses[:6], strict=True))
        registry = dict(zip(_REGISTRY_SOCKETS, addresses[6:], strict=True))
        settings = {"profile": profile, **_UNTHROTTLED, **venue_settings}
        self._write_configs(venue, registry, start, settings)
        if has_second:
            CurveKeys.new().save(self.keys_directory, SECOND)
            tables = "".join(
                f'[[operators]]\nname = "{name}"\nkey = "{self.keys(name).public}"\n'
                for name in (ADMIN, SECOND)
            )
            for file in self.data.rglob("venue.toml"):
                file.write_text(file.read_text() + tables)

    @property
    def keys_directory(self) -> Path:
        """Where the key files are."""
        return self.data / "keys"

    def keys(self, name: str) -> CurveKeys:
        """Return the key pair of a participant, daemon or operator."""
        return CurveKeys.load(self.keys_directory, name)

    def _fill_registry(
        self, participants: list[Participant], reference_prices: dict[str, int]
    ) -> None:
        registry = Registry.open(self.data, self._database, admission="open")
        with registry, registry.transaction():
            for product, price in reference_prices.items():
                registry.product_declare(product, price)
            for member in participants:
                keys = CurveKeys.new()
                keys.save(self.keys_directory, member.name)
                registry.account_open(member.name)
                registry.key_grant(keys.public, member.name)
                registry.pay_in(member.name, member.cash)
                registry.transfer_in(member.name, None, member.cash)
                for product, tonnes in member.holdings.items():
                    registry.issue(member.name, product, tonnes)
                    registry.transfer_in(member.name, product, tonnes)

    def _write_configs(self, venue: dict, registry: dict, start: str, settings: dict) -> None:
        # JSON's text, numbers and booleans are TOML's.
        lines = [f"{name} = {json.dumps(value)}" for name, value in {**settings, **venue}.items()]
        lines += ["[clock]", 'kind = "manual"', f'start = "{start}"']
        (self.data / "venue.toml").write_text("\n".join(lines) + "\n")
        lines = [f'{name} = "{address}"' for name, address in registry.items()]
        # One operator runs all of it, whom nobody could second.
        lines.append("second_person = []")
        if "fronts" in settings:
            lines.append(f"fronts = {settings['fronts']}")
        (self.data / "registry.toml").write_text("\n".join(lines) + "\n")

    # -- Processes ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start both daemons and wait until they are ready and know the same."""
        self.start_registry(wait=False)
        self.start_venue(wait=False)
        self.wait_ready("registry")
        self.wait_ready("venue")

    def start_venue(self, *, wait: bool = True) -> None:
        """Start the venue's daemon."""
        self._start("venue", wait)

    def start_registry(self, *, wait: bool = True) -> None:
        """Start the registry's daemon."""
        self._start("registry", wait)

    def kill(self, name: str) -> None:
        """End a daemon (`venue` or `registry`) with SIGKILL, as a crash would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        if name == "venue":
            self._drop_operators()

    def pause(self, name: str) -> None:
        """Stop a daemon where it stands (SIGSTOP), until `resume`."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused daemon go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def process_id(self, name: str) -> int:
        """Return the process id of a daemon that was started."""
        return self._processes[name].pid

    def stop(self, name: str) -> int:
        """Ask a daemon to end; return its exit status."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            if name == "venue":
                self._drop_operators()

    def close(self) -> None:
        """End whatever still runs."""
        self._drop_operators()
        for name in list(self._processes):
            self.stop(name)
        self._context.destroy(linger=0)

    def endpoint(self, daemon: str, name: str) -> str:
        """Return the address of a daemon's socket, or what else it tells by that name."""
        endpoints = msgspec.json.decode(self._endpoints_file(daemon).read_bytes())
        return endpoints[name]

    def log(self, daemon: str) -> Path:
        """Return the file with a daemon's output."""
        return self.data / f"{daemon}.log"

    def is_running(self, daemon: str) -> bool:
        """Whether the daemon's process is there."""
        process = self._processes.get(daemon)
        return process is not None and process.poll() is None

    def wait_ready(self, name: str) -> None:
        """Wait until a started daemon has published its addresses."""
        file = self._endpoints_file(name)
        self.wait_until(file.exists, f"the {name} to be ready", START_S_MAX)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait for a condition; fail if a daemon ends before, or it takes too long."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise ExchangeError(
                        f"the {name} ended with {process.returncode} while waiting for {what}: "
                        f"{self._last_line(name)}"
                    )
            if time.monotonic() > deadline:
                raise ExchangeError(f"waited {timeout_s:.0f} s for {what}")
            time.sleep(0.01)

    def _start(self, name: str, wait: bool) -> None:
        self._endpoints_file(name).unlink(missing_ok=True)
        config = self.data / f"{name}.toml"
        command = [*self._programs[name], "serve", "--config", str(config)]
        command += ["--data", str(self.data)]
        self._spawn(name, command)
        if wait:
            self.wait_ready(name)

    def _spawn(self, name: str, command: list[str]) -> None:
        with self.log(name).open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ),
                # ZeroMQ's threads run no Python, so none of them can hold what this call needs.
                preexec_fn=end_with_parent,  # noqa: PLW1509
            )

    def _endpoints_file(self, name: str) -> Path:
        return self.data / name / "endpoints.json"

    def _last_line(self, name: str) -> str:
        lines = self.log(name).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

    # -- The venue's operator ----------------------------------------------------------------------

    def operate(self, op: str, **fields) -> dict:
        """Ask the venue's admin socket and return the answer.

        Raises
        ------
        ExchangeError
            If the venue refuses, or does not answer.
        """
        return self._ask(ADMIN, {"op": op, **fields})

    def operate_by_two(self, op: str, **fields) -> dict:
        """Propose what takes two persons, let the second one agree, and return that answer.

        Raises
        ------
        ExchangeError
            If the venue refuses one or the other, or does not answer.
        """
        proposal = self.operate(op, **fields)["proposal"]
        return self._ask(SECOND, {"op": "approve", "number": proposal})

    def _ask(self, operator: str, request: dict) -> dict:
        op = request["op"]
        if operator not in self._operators:
            self._operators[operator] = client_socket(
                self._context,
                zmq.DEALER,
                keys=self.keys(operator),
                server_key=self.keys("venue").public,
            )
            self._operators[operator].connect(self.endpoint("venue", "admin"))
        socket = self._operators[operator]
        socket.send(msgspec.msgpack.encode(request))
        if not socket.poll(int(ADMIN_S_MAX * 1000)):
            self._drop_operators()
            raise ExchangeError(f"the venue did not answer {op} in {ADMIN_S_MAX:.0f} s")
        answer = msgspec.msgpack.decode(socket.recv())
        if answer.get("error") or answer.get("op") == "refused":
            raise ExchangeError(f"the venue refused {op}: {answer}")
        return answer

    def _drop_operators(self) -> None:
        while self._operators:
            self._operators.popitem()[1].close(0)


def prepare_process() -> None:
    """Make this program fit to start daemons and many sessions.

    SIGTERM unwinds it, so that whatever it started is ended too; and as many files as the system
    allows may be open, here and in its children: each session is a connection.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
