"""Daemons as processes of this program's: started, and started again where one ends by itself."""

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from cea_exchange.control_plane.signals import end_with_parent, module_command
from cea_exchange.year.daemons import with_plan
from cea_exchange.year.daemons.with_plan import PROGRAM
from cea_exchange.year.institutions.market import YearFailed

START_S_MAX = 120.0
STOP_S_MAX = 60.0
WAIT_S_MAX = 300.0
STARTS_MAX = 20
"""Of one daemon; who ends more often does not run."""
LOOK_S = 0.01


class Processes(AbstractContextManager["Processes"]):
    """The daemons on a data folder, as a service manager has them.

    Parameters
    ----------
    data
        With the keys and settings of each.
    names
        As `cea-exchange NAME serve` has them, but for those that are `apart`.
    apart
        Name -> what it is: that one's data are in a folder of its name.
    plan
        An allocation plan of one's own, by which all of them compute; None: the packaged ones.
    """

    def __init__(
        self,
        data: Path,
        names: Iterable[str],
        apart: Mapping[str, str] | None = None,
        *,
        plan: Path | None = None,
    ) -> None:
        self._data, self._apart = data, apart or {}
        self._program = [PROGRAM] if plan is None else [with_plan.__name__, str(plan)]
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starts = dict.fromkeys(names, 0)

    def __enter__(self) -> Self:
        try:
            for name in self._starts:
                self._start(name)
            for name in self._starts:
                self._wait_ready(name)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ask all to end, and wait until they have; what does not is ended."""
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def process_id(self, name: str) -> int:
        """Return a daemon's process id."""
        return self._running[name].pid

    def life(self, name: str) -> int:
        """Return how often a daemon was started, after starting it again if it has ended."""
        if self._running[name].poll() is not None:
            self._start(name)
            self._wait_ready(name)
        return self._starts[name]

    def look(self) -> None:
        """Start again whoever has ended."""
        for name in self._starts:
            self.life(name)

    def endpoints(self, name: str) -> dict[str, Any]:
        """Return where a daemon listens, and what else it says of itself."""
        self.life(name)
        found: dict[str, Any] = msgspec.json.decode(self._endpoints_file(name).read_bytes())
        return found

    def _start(self, name: str) -> None:
        if self._starts[name] == STARTS_MAX:
            often = f"it ended {STARTS_MAX} times"
            raise YearFailed(f"{name}: expected it to run, {often}: {self._log(name)}")
        self._starts[name] += 1
        self._endpoints_file(name).unlink(missing_ok=True)
        kind, data = self._apart.get(name, name), self.folder(name)
        command = [*module_command(*self._program, kind, "serve"), "--data", str(data)]
        command += ["--log-level", "warning"]
        settings = self._data / f"{name}.toml"
        if settings.exists():
            command += ["--config", str(settings)]
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # What stops this program at a terminal is no request to each of them.
                start_new_session=True,
                # ZeroMQ's threads run no Python, so none of them can hold what this call needs.
                preexec_fn=end_with_parent,  # noqa: PLW1509
            )

    def _wait_ready(self, name: str) -> None:
        """Wait until a daemon serves; one that is killed before that is started again."""
        until_s = time.monotonic() + START_S_MAX
        while not self._endpoints_file(name).exists():
            status = self._running[name].poll()
            if status is not None and status < 0:
                # By a signal. One that ends by itself has a reason, which does not pass.
                self._start(name)
                until_s = time.monotonic() + START_S_MAX
            elif status is not None or time.monotonic() > until_s:
                raise YearFailed(f"{name}: expected it to start, it did not: {self._log(name)}")
            time.sleep(LOOK_S)

    def folder(self, name: str) -> Path:
        """Return a daemon's data folder."""
        return self._data / name if name in self._apart else self._data

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that the daemons bring about among themselves."""
        until_s = time.monotonic() + WAIT_S_MAX
        while not condition():
            if time.monotonic() > until_s:
                raise YearFailed(f"waited {WAIT_S_MAX:g} s until {what}")
            self.look()
            time.sleep(LOOK_S)

    def _endpoints_file(self, name: str) -> Path:
        return self.folder(name) / self._apart.get(name, name) / "endpoints.json"

    def _log(self, name: str) -> Path:
        return self._data / f"{name}.log"
