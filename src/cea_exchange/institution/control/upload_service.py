"""Files of requests, read by processes of their own before the act: the daemon goes on meanwhile.

    request with a file --> waits, by key --> a process for each file --> the act, with the results
                                                |
                                                +-- over a limit: the act finds that instead

A key has one such request at a time, and its later requests wait for that. The process holds itself
to limits on processor time and memory (`Reading.limits`), and here it is ended after `READ_S`.
"""

import os
import signal
import subprocess
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from cea_exchange.control_plane.door import Message
from cea_exchange.control_plane.service import Asked
from cea_exchange.control_plane.signals import module_command
from cea_exchange.domain.refusals import InstitutionRefusal
from cea_exchange.domain.refusals.answers import refused
from cea_exchange.institution.control.fair_queue import FairQueue, QueueLimits
from cea_exchange.institution.control.request import REQUEST_BYTES_MAX
from cea_exchange.user_files.read_ahead import OUT_OF_MEMORY, Reading, ReadResult, Results

PROCESSES_MAX = 2
READ_S = 60
"""Seconds for one file, its process's start included; a busy machine takes that long."""
WAIT_S = 60
"""Seconds that a request may wait for a process."""
CLOSE_S = 5
LIMITS = QueueLimits(
    key_count_max=1, key_bytes_max=2 * REQUEST_BYTES_MAX, bytes_max=16 * REQUEST_BYTES_MAX
)
MIB = 1 << 20
STANDARD_ERROR_BYTES_MAX = 2_000

log = structlog.get_logger("institution")


class Upload(NamedTuple):
    """A request whose files are read first."""

    message: Message
    asked: Asked[Any, Any]
    readings: tuple[Reading, ...]
    arrived_s: float


class UploadRead(NamedTuple):
    """A request whose files were read, or the refusal of one that could not be."""

    message: Message
    asked: Asked[Any, Any]
    results: Results
    refusal: dict[str, Any] | None = None


class _Process:
    """A process that reads one file."""

    def __init__(self, upload: Upload, reading: Reading, now_s: float) -> None:
        self.upload = upload
        self.reading = reading
        self.until_s = now_s + READ_S
        # Files in memory: a pipe's reader that stands still would block the daemon.
        self._output = os.memfd_create("result")
        self._errors = os.memfd_create("errors")
        try:
            source = os.memfd_create("upload")
            try:
                _write_all(source, reading.content)
                self.process = subprocess.Popen(
                    module_command(reading.module, *reading.arguments),
                    stdin=source,
                    stdout=self._output,
                    stderr=self._errors,
                )
            finally:
                os.close(source)
        except BaseException:
            self.close()
            raise

    def written(self) -> bytes:
        """Return what it has written."""
        return os.pread(self._output, os.fstat(self._output).st_size, 0)

    def error(self) -> str:
        """Return the last line that it wrote about an error."""
        size = os.fstat(self._errors).st_size
        first = max(0, size - STANDARD_ERROR_BYTES_MAX)
        text = os.pread(self._errors, size - first, first)
        return text.decode(errors="replace").strip().rpartition("\n")[2]

    def close(self) -> None:
        """Release what it wrote."""
        os.close(self._output)
        os.close(self._errors)


class Uploads:
    """Requests whose files are being read.

    Attributes
    ----------
    ended_count : int
        Processes that ended without a result.
    """

    def __init__(self) -> None:
        self._waiting: FairQueue[Upload] = FairQueue(LIMITS)
        self._keys: set[str] = set()
        self._running: dict[str, _Process] = {}
        self._results: dict[str, dict[str, ReadResult]] = {}
        self._ending: list[subprocess.Popen[bytes]] = []
        self.ended_count = 0

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys that have a request here: their later ones wait for it."""
        return frozenset(self._keys)

    def ask(self, upload: Upload) -> dict[str, Any] | None:
        """Let a request wait for its files to be read; return the refusal where it may not."""
        key, size = upload.message.key, len(upload.message.payload)
        refusal = (
            "expected one request with a file of a key at a time, got another"
            if key in self._keys
            else self._waiting.put(key, upload, size)
        )
        if refusal:
            return _busy(refusal)
        self._keys.add(key)
        return None

    def turn(self, now_s: float) -> list[UploadRead]:
        """Return the requests whose files were read, and begin to read those of others."""
        self._ending = [process for process in self._ending if process.poll() is None]
        done = []
        for key, running in list(self._running.items()):
            found = self._collect(running, now_s)
            if found is not None:
                del self._running[key]
                done += self._next_file(key, running.upload, found, now_s)
        while len(self._running) + len(self._ending) < PROCESSES_MAX:
            waiting = self._waiting.take()
            if waiting is None:
                break
            key, upload = waiting
            self._results[key] = {}
            if now_s - upload.arrived_s > WAIT_S:
                why = f"the file waited {WAIT_S} s for those of others to be read"
                done.append(self._refused(key, upload, _busy(why)))
            else:
                done += self._begin(key, upload, now_s)
        return done

    def close(self) -> None:
        """End the processes: they only read, so nothing is lost."""
        for running in self._running.values():
            running.process.kill()
            running.close()
        processes = [running.process for running in self._running.values()]
        for process in (*self._ending, *processes):
            with suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_S)
        self._running, self._ending = {}, []

    def _begin(self, key: str, upload: Upload, now_s: float) -> list[UploadRead]:
        """Begin to read the next file; return the request if every file is read."""
        results = self._results[key]
        left = [each for each in upload.readings if each.key not in results]
        if not left:
            return [self._done(key, UploadRead(upload.message, upload.asked, results))]
        try:
            self._running[key] = _Process(upload, left[0], now_s)
        except OSError as error:
            log.error("upload_process_not_started", error=str(error))
            return [self._refused(key, upload, _busy("no process to read the file could start"))]
        return []

    def _next_file(
        self, key: str, upload: Upload, found: ReadResult | dict[str, Any], now_s: float
    ) -> list[UploadRead]:
        if isinstance(found, dict):
            return [self._refused(key, upload, found)]
        reading = next(each for each in upload.readings if each.key not in self._results[key])
        self._results[key][reading.key] = found
        return self._begin(key, upload, now_s)

    def _collect(self, running: _Process, now_s: float) -> ReadResult | dict[str, Any] | None:
        """Return what a process has read, a refusal where it could not; None if it still reads."""
        status = running.process.poll()
        if status is None and now_s < running.until_s:
            return None
        if status is None:
            running.process.kill()
            self._ending.append(running.process)
        written, error = running.written(), running.error()
        running.close()
        if status == 0:
            return ReadResult(written, "")
        self.ended_count += 1
        asked = running.upload.asked
        log.warning(
            "upload_process_ended",
            status=status,
            op=asked.request.op,
            by=asked.by,
            module=running.reading.module,
            error=error,
        )
        limits = running.reading.limits
        if status == -signal.SIGXCPU:
            return _over(f"{limits.cpu_s} s of processor time")
        if status == OUT_OF_MEMORY:
            return _over(f"{limits.memory_bytes // MIB} MiB of memory")
        why = (
            f"the file was not read within {READ_S} s"
            if status is None
            else f"the process that reads the file ended (status {status}): {error}"
        )
        if not running.reading.is_needed:
            return ReadResult(b"", why)
        if status is None:
            return _busy(why)
        return refused(InstitutionRefusal.INTERNAL, f"nothing was done: {why}")

    def _refused(self, key: str, upload: Upload, refusal: dict[str, Any]) -> UploadRead:
        return self._done(key, UploadRead(upload.message, upload.asked, {}, refusal))

    def _done(self, key: str, read: UploadRead) -> UploadRead:
        self._keys.discard(key)
        self._results.pop(key, None)
        return read


def _over(most: str) -> ReadResult:
    return ReadResult(b"", f"expected a file that is read with at most {most}, got another")


def _busy(why: str) -> dict[str, Any]:
    return refused(InstitutionRefusal.BUSY, f"busy, nothing was done: {why}")


def _write_all(descriptor: int, content: bytes) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
