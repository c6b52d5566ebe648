r"""Snapshots of a running venue: taken between two batches, written by a child process.

    turn -> due? -> fork -> venue goes on
                       \-> child: encode, sync the event store, write, rename, archive, report, end

A fork costs a few milliseconds with a million resting orders; what the venue changes afterwards the
kernel copies page by page. The child keeps nothing of its parent open, above all not the folder's
lock, and touches no socket and no log.
"""

import gc
import os
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from cea_exchange.journal import (
    EVENT_FILE_NAME,
    SUM_FILE_NAME,
    Identity,
    JournalError,
    OsStorage,
    SnapshotHeader,
    Storage,
    archive_sealed,
    snapshot_write,
)
from cea_exchange.journal.storage import DRAFT_SUFFIX
from cea_exchange.venue.durability.event_index import INDEX_FILE_NAME

SNAPSHOT_S_MAX = 300.0
"""A child that takes longer is ended; the next snapshot is tried when it is due."""
RETRY_S = 60.0
"""How long after a failure the next is tried."""
CLOSE_S_MAX = 30.0
_REPORT_BYTES_MAX = 4_096
_PIPE = 3

log = structlog.get_logger("venue")


class SnapshotBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a snapshot file holds behind its header."""

    machine: bytes
    """`VenueStateMachine.snapshot`."""
    index: dict[str, Any]
    """`EventIndex.state`."""


Make = Callable[[], tuple[SnapshotHeader, SnapshotBody]]
"""Encodes the state as it is when called: at once, or in a child that has it to itself."""


class SnapshotPlan(NamedTuple):
    """When snapshots are taken, and where what they cover goes."""

    commands: int
    """After so many commands, and at each day's close; 0 is never."""
    archive: Path | None


class Written(msgspec.Struct):
    """What a child reports."""

    snapshot: str = ""
    archived: tuple[str, ...] = ()
    error: str = ""


def body_decode(data: bytes) -> SnapshotBody:
    """Read a snapshot's body; ValueError if it is none."""
    try:
        return msgspec.msgpack.decode(data, type=SnapshotBody)
    except msgspec.MsgspecError as error:
        raise ValueError(f"expected a snapshot's body, {error}") from error


def written(
    directory: Path,
    archive: Path | None,
    make: Make,
    storage: Storage,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Written:
    """Write a snapshot and archive what it covers; say how it went instead of raising.

    It counts only once the events it goes on from are on disk, so these are synced first. Once it
    is not wanted any more the folder is another venue's, perhaps, and nothing more is written.
    """
    written = Written()
    header, body = make()
    try:
        for name in (SUM_FILE_NAME, EVENT_FILE_NAME, INDEX_FILE_NAME):
            file = storage.open(directory / "events" / name)
            file.sync()
            file.close()
        data = msgspec.msgpack.encode(body)
        if not is_wanted():
            return Written(error="its venue has ended")
        written.snapshot = snapshot_write(
            directory / "snapshots", header, data, storage=storage
        ).name
        if archive is not None:
            covered_seq = header.point.next_seq - 1
            archived = archive_sealed(
                directory / "journal",
                archive,
                covered_seq=covered_seq,
                storage=storage,
                is_wanted=is_wanted,
            )
            written.archived = tuple(archived)
    except (OSError, JournalError) as error:
        written.error = str(error)
    return written


class SnapshotWriter:
    """Takes one snapshot at a time.

    Parameters
    ----------
    directory
        The data folder.
    plan
        When and where to.
    identity
        Who writes.
    storage
        The file system; another than the operating system's is written to without a child.
    command_seq
        Commands that the newest snapshot has.
    now_s
        A clock that never goes back.
    """

    def __init__(
        self,
        directory: Path,
        plan: SnapshotPlan,
        identity: Identity,
        *,
        storage: Storage,
        command_seq: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._plan = plan
        self._identity = identity
        self._storage = storage
        self._command_seq = command_seq
        self._now_s = now_s
        self._day_closed = False
        self._not_before_s = 0.0
        self._child: _Child | None = None
        _drafts_remove(directory / "snapshots", storage)

    def day_closed(self) -> None:
        """Let the next turn take a snapshot."""
        self._day_closed = True

    def turn(self, command_seq: int, take: Callable[[], Make]) -> None:
        """Hear of the child that writes, or take a snapshot if one is due.

        Parameters
        ----------
        command_seq
            Commands the market has seen.
        take
            Called when one is due; gives what encodes the state.
        """
        now_s = self._now_s()
        if self._child is not None:
            written = self._child.written(now_s)
            if written is not None:
                self._child = None
                self._report(written, now_s)
            return
        due = self._day_closed or command_seq - self._command_seq >= self._plan.commands
        if not (self._plan.commands and due) or now_s < self._not_before_s:
            return
        make = take()
        venue = os.getpid()
        self._day_closed, self._command_seq = False, command_seq
        if isinstance(self._storage, OsStorage):
            try:
                self._child = _Child(
                    lambda: self._written(make, lambda: os.getppid() == venue), now_s
                )
            except OSError as error:
                # No descriptor or no memory left for a child. The journal needs neither.
                self._report(Written(error=f"no process to write it: {error}"), now_s)
                return
            pause_ms = round(1e3 * (self._now_s() - now_s), 1)
            log.info("snapshot_begun", command_seq=command_seq, pause_ms=pause_ms)
        else:
            self._report(self._written(make), now_s)

    def take(self, make: Make) -> None:
        """Write one now, in this process: at a start nothing waits."""
        self._report(self._written(make), self._now_s())

    def close(self) -> None:
        """Wait for a child that still writes; end it if that takes long."""
        if self._child is not None:
            written = self._child.wait(CLOSE_S_MAX)
            self._child = None
            self._report(written, self._now_s())

    def _written(self, make: Make, is_wanted: Callable[[], bool] = lambda: True) -> Written:
        return written(self._directory, self._plan.archive, make, self._storage, is_wanted)

    def _report(self, written: Written, now_s: float) -> None:
        fields = {"snapshot": written.snapshot, "archived": list(written.archived)}
        if not written.error:
            log.info("snapshot_written", **fields)
            return
        log.error("snapshot_failed", **fields, error=written.error)
        if not written.snapshot:
            self._day_closed, self._not_before_s = True, now_s + RETRY_S


class _Child:
    """A process that writes and reports through a pipe."""

    def __init__(self, work: Callable[[], Written], now_s: float) -> None:
        self._end_s = now_s + SNAPSHOT_S_MAX
        self._pipe, theirs = os.pipe()
        os.set_blocking(self._pipe, False)
        with warnings.catch_warnings():
            # Python warns of locks that other threads hold: the child takes none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                self._pid = os.fork()
            except OSError:
                os.close(self._pipe)
                os.close(theirs)
                raise
        if self._pid == 0:
            _child_run(work, theirs)
        os.close(theirs)

    def written(self, now_s: float) -> Written | None:
        """Return what it reported once it has ended; None while it works."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            if now_s < self._end_s:
                return None
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._pipe)
            return Written(error=f"not done after {SNAPSHOT_S_MAX:.0f} s: ended")
        try:
            report = os.read(self._pipe, _REPORT_BYTES_MAX)
            return msgspec.msgpack.decode(report, type=Written)
        except (BlockingIOError, msgspec.MsgspecError):
            code = os.waitstatus_to_exitcode(status)
            return Written(error=f"the process that wrote it ended with {code}")
        finally:
            os.close(self._pipe)

    def wait(self, seconds_max: float) -> Written:
        self._end_s = min(self._end_s, time.monotonic() + seconds_max)
        while (written := self.written(time.monotonic())) is None:
            time.sleep(0.01)
        return written


def _child_run(work: Callable[[], Written], pipe: int) -> None:
    """Do the work and end the process, whatever happens; nothing of the parent is cleaned up."""
    code = 1
    try:
        gc.disable()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        if pipe != _PIPE:
            os.dup2(pipe, _PIPE)
        os.closerange(_PIPE + 1, os.sysconf("SC_OPEN_MAX"))
        os.nice(5)
        written = work()
        written.error = written.error[:1_000]
        # Few enough to fit a pipe's buffer; the manifest has them all.
        written.archived = written.archived[-20:]
        os.write(_PIPE, msgspec.msgpack.encode(written))
        code = 0
    finally:
        os._exit(code)


def _drafts_remove(directory: Path, storage: Storage) -> None:
    for name in storage.names(directory):
        if name.endswith(DRAFT_SUFFIX):
            storage.remove(directory / name)
