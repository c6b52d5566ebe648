"""One log node as a service: its server, started again where it fails, and stopped in order.

The server is a child of this process. A server whose disk was full keeps no log any more, and says
so to nobody but its monitor: here it is started again once there is room. One that the other nodes
don't let in, by its secret or certificate, ends with the reason, as does one on another's folder.
"""

import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import structlog

from cea_exchange.cluster.log_nodes.health import LogNodeHealth, log_node_health
from cea_exchange.cluster.log_nodes.server import server_program
from cea_exchange.cluster.log_nodes.settings import LogNodeSettings, server_file_write
from cea_exchange.control_plane.signals import end_with_parent
from cea_exchange.protocol.pulse import Pulse

NODE_FILE = "node"
LOOK_S = 2.0
TURN_S = 0.2
STOP_S_MAX = 45.0
ROOM_BYTES_MIN = 64 << 20
"""So much must be free before a server whose disk was full is started again."""
_REFUSED = re.compile(
    r"\[ERR\] (.* rid:\d+ - (Route Error '[^']*Authorization Violation|TLS .*(tls|x509): ).*)",
    re.IGNORECASE,
)
"""Of a route to another node; a venue or a stranger whom this node refuses is not meant."""

log = structlog.get_logger("log_node")


class LogNodeError(RuntimeError):
    """The node can't be one of this log: the message says why. To start it again would not help."""


class LogNodeEnded(RuntimeError):
    """The server ended by itself; a start may help."""


class LogNodeService:
    """The server of one node, and what is done for it while it runs.

    Parameters
    ----------
    settings
        See `LogNodeSettings`.
    beside
        The folder that relative places in the settings are in.
    data
        The node's own folder, which nobody else uses.

    Raises
    ------
    LogNodeError
        The folder is another node's, or another log's.
    SecretError
        A secret is missing or none.
    ServerMissing
        There is no server's program, or it is of another release.
    """

    def __init__(self, settings: LogNodeSettings, beside: Path, data: Path) -> None:
        self._settings = settings
        self._data = data
        self._program = server_program()
        self._own_folder(data / NODE_FILE)
        self._file = server_file_write(settings, beside, data)
        self._refused = ""
        self._is_let_in = False
        """Whether it was ever connected with another node: from then on it waits for them."""
        self._last_line = "it said nothing"
        self._is_stopped = False
        self._pulse = Pulse()
        self._health = LogNodeHealth(node=settings.node)

    def _own_folder(self, file: Path) -> None:
        """Let nobody take a folder for its own that another node's messages are in."""
        own = f"{self._settings.cluster} {self._settings.node}"
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_text(own + "\n", encoding="utf-8")
        found = file.read_text(encoding="utf-8").strip()
        if found != own:
            raise LogNodeError(f"{file}: expected the folder of {own}, got that of {found}")

    def stop(self) -> None:
        """End it; from a signal's handler."""
        self._is_stopped = True

    def run(self) -> None:
        """Serve until stopped.

        Raises
        ------
        LogNodeError
            The other nodes don't let it in.
        LogNodeEnded
            The server ended by itself.
        """
        server = self._begin()
        looked_s = float("-inf")
        try:
            while not self._is_stopped:
                now_s = time.monotonic()
                if now_s - looked_s >= LOOK_S:
                    looked_s = now_s
                    self._look()
                if self._health.needs_start and self._has_room():
                    log.warning("log_node_started_again", node=self._settings.node)
                    self._end(server)
                    server = self._begin()
                    self._health = LogNodeHealth(node=self._settings.node)
                if self._refused and not self._is_let_in and self._health.version:
                    raise LogNodeError(f"the other nodes don't let it in: {self._refused}")
                if server.poll() is not None:
                    raise LogNodeEnded(
                        f"the server ended with {server.returncode}: {self._last_line}"
                    )
                self._pulse.beat(now_s, next(iter(self._health.faults), ""))
                time.sleep(TURN_S)
        finally:
            self._pulse.close()
            self._end(server)

    def _look(self) -> None:
        """Ask it how it is; log what has changed."""
        settings = self._settings
        health = log_node_health(settings.node, settings.monitor, peers=len(settings.peers))
        for fault in set(health.faults) - set(self._health.faults):
            log.warning("log_node_fault", node=settings.node, fault=fault)
        if health.warnings and not self._health.warnings:
            # Once: its numbers change with each look, and the disk has little room.
            log.warning("log_node_warning", node=settings.node, warning="; ".join(health.warnings))
        if health.is_well and not self._health.is_well:
            log.info("log_node_well", node=settings.node)
        self._is_let_in = self._is_let_in or health.routes > 0
        self._health = health

    def _has_room(self) -> bool:
        return shutil.disk_usage(self._data).free >= ROOM_BYTES_MIN

    def _begin(self) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [str(self._program), "-c", str(self._file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # Its end is this process's to decide: a terminal's signal goes to all of a session.
            start_new_session=True,
            preexec_fn=end_with_parent,  # noqa: PLW1509
        )
        threading.Thread(target=self._listen, args=(server,), daemon=True).start()
        return server

    def _listen(self, server: subprocess.Popen[str]) -> None:
        """Pass on what it says, and note why others refuse it."""
        assert server.stderr is not None
        for line in server.stderr:
            sys.stderr.write(line)
            self._last_line = line.strip()
            if refused := _REFUSED.search(line):
                self._refused = refused[1]

    def _end(self, server: subprocess.Popen[str]) -> None:
        """Let it hand over what it leads, and end; a disk that hangs is not waited for."""
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
