"""What a run knows of the system beside its adapter: its processes, its metrics, its audit."""

import contextlib
import shlex
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from cea_exchange.loadtest.faults.proxy import Proxy
from cea_exchange.loadtest.flow.workload import Workload
from cea_exchange.loadtest.population import Participant
from cea_exchange.loadtest.targets.target import Reconciliation

METRICS_S_MAX = 0.3
START_S_MAX = 120.0
STOP_S_MAX = 10.0

Progress = Callable[[str], None]


class StandError(RuntimeError):
    """The system did not start, or can't do what was asked of it."""


class Stand:
    """A system that is already there: its metrics can be seen, its connections disturbed.

    Parameters
    ----------
    options : mapping
        The adapter's.
    metrics : sequence of str
        Addresses that answer with Prometheus's text.
    proxied : bool
        Let connections pass a proxy that can drop and delay: the adapter connects to it instead of
        to its option `endpoint`, or `host` and `port`.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        metrics: tuple[str, ...] = (),
        *,
        proxied: bool = False,
    ) -> None:
        self._options = dict(options)
        self._metrics = metrics
        self.proxy: Proxy | None = None
        if proxied:
            self.proxy_begin(_endpoint(self._options))

    def proxy_begin(self, endpoint: str) -> None:
        """Put a proxy before the system."""
        self.proxy = Proxy(endpoint)
        self.proxy.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, members: list[Participant], workload: Workload, progress: Progress) -> None:
        """Make it ready for these participants."""

    def options(self) -> dict[str, str]:
        """Return the adapter's options."""
        if self.proxy is None:
            return dict(self._options)
        place = urlsplit(self.proxy.endpoint)
        if "endpoint" in self._options:
            asked = urlsplit(self._options["endpoint"])
            return {**self._options, "endpoint": asked._replace(netloc=place.netloc).geturl()}
        host = {"host": str(place.hostname)} if "host" in self._options else {}
        return {**self._options, **host, "port": str(place.port)}

    def process_ids(self) -> dict[str, int]:
        """Return the system's processes by name."""
        return {}

    def metrics(self) -> dict[str, float]:
        """Return what the system says of itself now."""
        return metrics_read(self._metrics)

    def whole(self) -> None:
        """Wait until it is all there again, after what was done to it."""

    def settle(self) -> None:
        """Let what is open come to its end, while whoever is connected still hears of it."""

    def audit(self) -> Reconciliation | None:
        """Hold what it has against what it said; None where that can't be known."""
        return None

    def close(self) -> None:
        """End what was started."""
        if self.proxy is not None:
            self.proxy.close()

    def kill(self, name: str) -> None:
        """End a process as a crash would."""
        raise StandError(f"kill: expected a system that was started here, got {name}")

    def begin(self, name: str) -> None:
        """Start a process again, on its data."""
        raise StandError(f"start: expected a system that was started here, got {name}")

    def pause(self, name: str) -> None:
        """Stop a process where it stands."""
        raise StandError(f"pause: expected a system that was started here, got {name}")

    def resume(self, name: str) -> None:
        """Let it go on."""
        raise StandError(f"resume: expected a system that was started here, got {name}")


class Served(Stand):
    """A program that is started for the run.

    Parameters
    ----------
    command : str
        Its command line.
    port : int
        It is ready when this port of the loopback takes connections; 0 if it says nothing.
    log : Path
        Where its output goes.
    """

    def __init__(
        self,
        options: Mapping[str, str],
        metrics: tuple[str, ...],
        *,
        command: str,
        port: int,
        log: Path,
        proxied: bool = False,
    ) -> None:
        super().__init__(options, metrics, proxied=proxied)
        self._command = shlex.split(command)
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, members: list[Participant], workload: Workload, progress: Progress) -> None:
        """Start the program, and wait until it listens."""
        progress(f"starting {self._command[0]}")
        self.begin("server")
        self.whole()

    def process_ids(self) -> dict[str, int]:
        """Return its process."""
        return {} if self._process is None else {"server": self._process.pid}

    def whole(self) -> None:
        """Wait until it listens."""
        deadline = time.monotonic() + START_S_MAX
        while not self._listens():
            process = self._process
            if process is not None and process.poll() is not None:
                raise StandError(f"the server ended with {process.returncode}: {self._last_line()}")
            if time.monotonic() > deadline:
                raise StandError(f"the server does not listen at port {self._port}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        if not self._port:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _last_line(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it wrote nothing"

    def kill(self, name: str) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def begin(self, name: str) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def pause(self, name: str) -> None:
        """Stop it where it stands."""
        self._signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process is None:
            raise StandError("the server is not running")
        self._process.send_signal(number)

    def close(self) -> None:
        """Ask it to end, and end it if it does not."""
        super().close()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.kill("server")
        self._process = None


def _endpoint(options: Mapping[str, str]) -> str:
    """Return where an adapter connects by its options."""
    host = options.get("host", "127.0.0.1")
    bracketed = f"[{host}]" if ":" in host else host
    given = options.get("endpoint") or f"tcp://{bracketed}:{options.get('port')}"
    with contextlib.suppress(ValueError):
        place = urlsplit(given)
        if place.hostname and place.port:
            return given
    raise StandError(
        "drop, delay: expected an option endpoint (tcp://HOST:PORT) or port, for a proxy to take"
        f" its place, got {options.get('endpoint') or options.get('port') or 'neither'}"
    )


def metrics_read(addresses: tuple[str, ...]) -> dict[str, float]:
    """Return samples by name and labels; nothing of an address that does not answer now.

    Of histograms it is sum and count, of which the time between two looks can be made.
    """
    found: dict[str, float] = {}
    for address in addresses:
        try:
            with urllib.request.urlopen(address, timeout=METRICS_S_MAX) as answer:
                text = answer.read().decode()
        except (OSError, urllib.error.URLError, UnicodeDecodeError):
            continue
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.endswith(("_bucket", "_created")):
                    continue
                labels = ",".join(f"{key}={value}" for key, value in sample.labels.items())
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
