"""A process or thread that waits to be a front, and how one ends."""

import contextlib
import os
import signal
import socket
import subprocess
from typing import NamedTuple

from cea_exchange.control_plane.front import FrontThread

CLOSE_S_MAX = 2.0
STATUS_S_MAX = 0.05


class Started(NamedTuple):
    """A process or thread that waits to be a front."""

    end: socket.socket
    notes: int
    process: subprocess.Popen | None
    thread: FrontThread | None

    def close(self) -> None:
        """End it."""
        self.end.close()
        os.close(self.notes)
        if self.process is not None:
            process_end(self.process, CLOSE_S_MAX)

    @property
    def is_there(self) -> bool:
        """Whether it still waits."""
        return self.process is None or self.process.poll() is None



def process_end(process: subprocess.Popen, wait_s: float) -> int:
    """Return how a process ended that has ended, or is made to after a while."""
    try:
        return process.wait(max(wait_s, 0.05))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        return process.wait()


def status_of(process: subprocess.Popen) -> int | None:
    """Return how a process has ended; None for one that has closed its link and is still there."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        # One that was aborted is gone once its link is.
        return process.wait(STATUS_S_MAX)
    return None
