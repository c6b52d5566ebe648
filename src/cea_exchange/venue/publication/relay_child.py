"""The venue's own relay: a child process, started again whenever it ends.

The parent holds the listening sockets and hands them on, so the public's addresses stay and who
comes between two relays waits in the kernel. The child's standard input is its lifeline: its first
line has the settings, and when it ends, be the parent killed, the child ends too. Its standard
output is its pulse: one whose pulse stops is ended, for whatever reason it hangs.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from cea_exchange.control_plane.fronts.listening import address_of, listen
from cea_exchange.control_plane.signals import module_command
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.publication.relay import (
    KEYS_NAME,
    ChildSettings,
    KeysChange,
    RelayConfig,
    Upstream,
)

RESTART_S_MIN = 0.25
RESTART_S_MAX = 8.0
STEADY_S = 60.0
"""One that has run for so long is begun again at once; each that has not waits twice as long."""
PULSE_S_MAX = 30.0
CLOSE_S_MAX = 5.0
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
        Its settings.
    now_s
        The time (monotonic).
    is_public
        Whether anybody may come; else who `admit` says.

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

    program = module_command("cea_exchange.cli.main", "venue", "relay")

    def __init__(
        self,
        data: Path,
        upstream: Upstream,
        config: RelayConfig,
        now_s: float,
        *,
        is_public: bool = True,
    ) -> None:
        self.endpoints: dict[str, str] = {}
        self._keys: frozenset[str] = frozenset()
        self._keys_reported: frozenset[str] = frozenset()
        self._unsaid = b""
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
        self._settings = ChildSettings(upstream, config, descriptors, is_public)
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
        self._say()

    def admit(self, keys: Iterable[str]) -> None:
        """Let these keys come from now on, and no others."""
        self._keys = frozenset(keys)
        self._say()

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
        one = self._sockets[name] = listen(name, address)
        self.endpoints[name] = address_of(one)

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
        os.set_blocking(process.stdin.fileno(), False)
        self._keys_reported, self._unsaid = frozenset(), msgspec.json.encode(self._settings) + b"\n"
        self._say()
        log.info("relay_begun", process_id=process.pid, **self.endpoints)

    def _pulse_take(self, process: subprocess.Popen, now_s: float) -> None:
        with contextlib.suppress(BlockingIOError):
            if os.read(process.stdout.fileno(), PULSE_BYTES_MAX):
                self._pulse_s = now_s
        if now_s - self._pulse_s > PULSE_S_MAX:
            log.warning("relay_hangs", process_id=process.pid)
            self._pulse_s = now_s
            process.kill()

    def _say(self) -> None:
        """Tell the child whose keys may come, as far as its pipe has room."""
        if self._process is None:
            return
        if self._keys != self._keys_reported:
            added, removed = self._keys - self._keys_reported, self._keys_reported - self._keys
            self._keys_reported = self._keys
            self._unsaid += msgspec.json.encode(KeysChange([*added], [*removed])) + b"\n"
        with contextlib.suppress(OSError):
            while self._unsaid:
                self._unsaid = self._unsaid[os.write(self._process.stdin.fileno(), self._unsaid) :]

    def _lifeline_cut(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process = None
