"""The venue's own relay: a child process, begun again whenever it ends, and gone with its parent.

The parent holds the listening sockets and hands them on, so the public's addresses stay and who
comes between two relays waits in the kernel. The child's standard input is its lifeline: its first
line has the settings, and when it ends, be the parent killed, the child ends too. Its standard
output is its pulse: one whose pulse stops is ended, for whatever reason it hangs.
"""

import contextlib
import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import structlog

from cea_exchange.protocol.security import BACKLOG_COUNT, CurveKeys, SecurityError
from cea_exchange.venue.relay import KEYS_NAME, ChildSettings, RelayConfig, Upstream

RESTART_S_MIN = 0.25
RESTART_S_MAX = 8.0
STEADY_S = 60.0
"""One that has run for so long is begun again at once; each that has not waits twice as long."""
PULSE_S_MAX = 30.0
CLOSE_S_MAX = 5.0
TAKEN_S_MAX = 5.0
"""The relay of a venue that was killed lets go of its addresses once it notices."""
PULSE_BYTES_MAX = 65_536
PUBLIC = ("market_data", "snapshot")

log = structlog.get_logger("venue")


def relay_keys_load(data: Path) -> CurveKeys:
    """Return the relay's key pair in ``DIR/keys``; the first time it is made."""
    directory = data / "keys"
    if not (directory / f"{KEYS_NAME}.public").exists():
        with contextlib.suppress(FileExistsError):
            CurveKeys.new().save(directory, KEYS_NAME)
    return CurveKeys.load(directory, KEYS_NAME)


class RelayChild:
    """The relay of a running venue.

    Parameters
    ----------
    data
        The data folder, with the relay's keys.
    upstream
        The venue's sockets for it.
    config
        What it is told.
    now_s
        The time (monotonic).

    Attributes
    ----------
    endpoints : dict
        Where the public comes to.
    process_id : int or None
        Of the one that runs.
    begun_count : int
        How many were begun.

    Raises
    ------
    SecurityError
        An address can't be taken.
    """

    program = (sys.executable, "-m", "cea_exchange.cli.main", "venue", "relay")

    def __init__(self, data: Path, upstream: Upstream, config: RelayConfig, now_s: float) -> None:
        self.endpoints: dict[str, str] = {}
        self._sockets: dict[str, socket.socket] = {}
        self._process: subprocess.Popen | None = None
        self._began_s = self._due_s = self._pulse_s = now_s
        self._pause_s = RESTART_S_MIN
        self.begun_count = 0
        try:
            for name in PUBLIC:
                self._listen(name, getattr(config, name))
        except BaseException:
            self.close()
            raise
        descriptors = {name: one.fileno() for name, one in self._sockets.items()}
        self._settings = ChildSettings(upstream, config, descriptors)
        arguments = ("--config", "-", "--data", str(data), "--log-level", "warning")
        self._command = [*self.program, *arguments]
        self._start(now_s)

    @property
    def process_id(self) -> int | None:
        """Which process it is; None while there is none."""
        return None if self._process is None else self._process.pid

    def turn(self, now_s: float) -> None:
        """Notice that it has ended or hangs, and begin it again when it is time to."""
        if self._process is not None:
            self._pulse_take(self._process, now_s)
        if self._process is not None and self._process.poll() is not None:
            ran_s = now_s - self._began_s
            self._pause_s = RESTART_S_MIN if ran_s >= STEADY_S else self._pause_s
            self._due_s = now_s + self._pause_s
            log.warning(
                "relay_ended",
                status=self._process.returncode,
                ran_s=round(ran_s, 1),
                again_in_s=self._pause_s,
            )
            self._pause_s = min(2 * self._pause_s, RESTART_S_MAX)
            self._lifeline_cut()
        if self._process is None and now_s >= self._due_s:
            self._start(now_s)

    def close(self) -> None:
        """End it, after it has passed on what was sent to it."""
        if self._process is not None:
            process = self._process
            self._lifeline_cut()
            try:
                process.wait(CLOSE_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for one in self._sockets.values():
            one.close()

    def _listen(self, name: str, address: str) -> None:
        """Take a TCP address; another kind the child takes itself."""
        if not address.startswith("tcp://"):
            self.endpoints[name] = address
            return
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        one = self._sockets[name] = socket.socket()
        try:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(one, ("" if host == "*" else host, int(port)))
            one.listen(BACKLOG_COUNT)
            one.setblocking(False)
        except (OSError, OverflowError) as error:
            raise SecurityError(f"{name}: can not bind {address}: {error}") from None
        taken_host, taken_port = one.getsockname()
        self.endpoints[name] = f"tcp://{taken_host}:{taken_port}"

    def _start(self, now_s: float) -> None:
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=tuple(self._settings.descriptors.values()),
            )
        except OSError as error:
            # No process or descriptor left for it. The venue needs neither.
            self._due_s = now_s + RESTART_S_MAX
            log.error("relay_not_begun", error=str(error))
            return
        self._process, self._began_s, self._pulse_s = process, now_s, now_s
        self.begun_count += 1
        os.set_blocking(process.stdout.fileno(), False)
        with contextlib.suppress(OSError):
            # Less than a pipe holds, so nothing waits for the child.
            os.write(process.stdin.fileno(), msgspec.json.encode(self._settings) + b"\n")
        log.info("relay_begun", process_id=process.pid, **self.endpoints)

    def _pulse_take(self, process: subprocess.Popen, now_s: float) -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(process.stdout.fileno(), PULSE_BYTES_MAX):
                self._pulse_s = now_s
        if now_s - self._pulse_s > PULSE_S_MAX:
            log.warning("relay_hangs", process_id=process.pid)
            self._pulse_s = now_s
            process.kill()

    def _lifeline_cut(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process = None


def _bind(one: socket.socket, address: tuple[str, int]) -> None:
    end_s = time.monotonic() + TAKEN_S_MAX
    while True:
        try:
            one.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= end_s:
                raise
            time.sleep(0.05)
        else:
            return
