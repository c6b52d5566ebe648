"""The cost of the harness itself: the same schedule against a target that only answers.

A result is worth something where the system takes much longer than this.
"""

import select
import socket
import struct
import subprocess
import time
from collections.abc import Sequence

from cea_exchange.domain.records import CommandKind
from cea_exchange.loadtest.targets.target import (
    Command,
    Outcome,
    Participants,
    Report,
    Target,
    TargetError,
)

_NUMBER = struct.Struct("<Q")
CHUNK_BYTES = 1 << 16


class EchoProcess(Target):
    """Another process that sends back each command's number: `cat`, over a socket.

    The floor of every system that is reached by a socket: the loop, the system's calls, and the
    other process's being woken.
    """

    def __init__(self) -> None:
        self._unsent = bytearray()
        self._unread = b""
        self._commands: dict[int, Command] = {}

    def connect(self, participants: Participants) -> None:
        """Start it."""
        self._socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(["cat"], stdin=theirs.fileno(), stdout=theirs.fileno())
        except OSError as error:
            self._socket.close()
            raise TargetError(f"expected the program `cat` for the floor: {error}") from error
        finally:
            theirs.close()
        self._socket.setblocking(False)

    def send(self, commands: Sequence[Command]) -> int:
        """Write the numbers."""
        for command in commands:
            self._commands[command.number] = command
            self._unsent += _NUMBER.pack(command.number)
        written_ns = time.monotonic_ns()
        self._flush()
        return written_ns

    def _flush(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            return

    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Read numbers."""
        if self._unsent:
            self._flush()
        ready, _, _ = select.select([self._socket], [], [], max(timeout_s, 0.0))
        if not ready:
            return ()
        data = self._unread + self._socket.recv(CHUNK_BYTES)
        whole = len(data) - len(data) % _NUMBER.size
        self._unread = data[whole:]
        return [self._report(number) for (number,) in _NUMBER.iter_unpack(data[:whole])]

    def _report(self, number: int) -> Report:
        return echo_report(self._commands.pop(number))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()


class EchoCall(Target):
    """An answer in the same call: the floor of what is embedded."""

    def __init__(self) -> None:
        self._reports: list[Report] = []

    def connect(self, participants: Participants) -> None:
        """Nothing is needed."""

    def send(self, commands: Sequence[Command]) -> None:
        """Answer them."""
        self._reports += map(echo_report, commands)

    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Return the answers; where there are none, let the time pass."""
        if not self._reports and timeout_s > 0:
            select.select([], [], [], timeout_s)
        reports, self._reports = self._reports, []
        return reports

    def close(self) -> None:
        """Nothing is open."""


def echo_report(command: Command) -> Report:
    """Accept a command; an order stays open, so that there is one to cancel."""
    is_order = command.kind == CommandKind.ENTER
    return Report(Outcome.ACCEPTED, command.number, command.tonnes if is_order else 0)
