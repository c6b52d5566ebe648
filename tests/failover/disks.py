"""A node's disk: a file system of its own that can be full, and a process whose syncs can be slow.

A full disk is full: what else is free of the node's small file system is taken by a file. A slow
one is the system's word too: each sync of the process takes so long more, which strace holds back.
"""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

DISK_BYTES = 16 << 30
"""Of a sparse file: a ledger of 1,000 faults, its log and the audit's sorts take over 4 GB."""
BALLAST = "ballast"
FREE_BYTES = 4 * 1024
"""Left free on a full one: less than a batch takes."""


class Disk:
    """A file system of its own, mounted in this process's namespace."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        if os.access("/dev/loop-control", os.W_OK):
            with image.open("wb") as file:
                file.truncate(DISK_BYTES)
            _run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", str(image)])
            _run(["mount", "-o", "loop", str(image), str(folder)])
            (folder / "lost+found").rmdir()
        else:
            _run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)])

    def fill(self) -> None:
        """Leave no room for anything, though others write meanwhile."""
        taken, part = 0, self._free()
        with (self.folder / BALLAST).open("wb") as file:
            while part >= FREE_BYTES:
                try:
                    os.posix_fallocate(file.fileno(), taken, part)
                    taken += part
                    part = self._free()
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    # What the file system needs for itself is among what it calls free.
                    part //= 2

    def _free(self) -> int:
        state = os.statvfs(self.folder)
        return int(state.f_bavail * state.f_frsize - FREE_BYTES)

    def empty(self) -> None:
        """Give the room back."""
        (self.folder / BALLAST).unlink(missing_ok=True)

    def close(self) -> None:
        """Take it away."""
        _run(["umount", "-l", str(self.folder)])


class SlowSyncs:
    """Every sync of some processes takes longer, until `close`."""

    def __init__(self, process_ids: Sequence[int], milliseconds: int) -> None:
        calls = "fsync,fdatasync"
        whose = [f"-p{process_id}" for process_id in process_ids]
        self._tracer = subprocess.Popen(
            [
                *("strace", "-f", "-qq", "-o", "/dev/null", *whose),
                *("-e", f"trace={calls}"),
                *("-e", f"inject={calls}:delay_exit={milliseconds * 1000}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        """Let it be as fast as it is."""
        self._tracer.send_signal(signal.SIGINT)
        try:
            self._tracer.wait(5.0)
        except subprocess.TimeoutExpired:
            self._tracer.kill()
            self._tracer.wait()


def can_be_slow() -> bool:
    """Whether there is a strace."""
    return shutil.which("strace") is not None


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: expected it to be done, got {done.stderr.strip()}")
