"""Files that another process has read before the act that needs them.

A daemon has one thread. What takes long to read, a process of its own reads: its standard input is
the file, its standard output the result. The act then finds the result here and reads nothing.
"""

import os
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import NamedTuple

OUT_OF_MEMORY = 3
"""Exit status of a process that needed more memory than it may take."""
NICENESS = 5
"""The daemon comes first where there is too little processor for both."""


class ReadLimits(NamedTuple):
    """Resources that the process of one file may take."""

    cpu_s: int
    memory_bytes: int
    """Of address space."""
    result_bytes: int

    def set(self) -> None:
        """Hold this process to them; the kernel ends one that takes more processor time.

        SIGXCPU comes a second before SIGKILL, so that the reason is known.
        """
        os.nice(NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (self.memory_bytes, self.memory_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (self.cpu_s, self.cpu_s + 1))
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.result_bytes, self.result_bytes))


class Reading(NamedTuple):
    """A file to read: the module that reads it, its arguments, and the file's bytes.

    Attributes
    ----------
    limits
        Resources to which the module holds itself.
    is_needed
        Whether the act is refused if the process ends for a reason that is not the file's.
    """

    module: str
    arguments: tuple[str, ...]
    content: bytes
    limits: ReadLimits
    is_needed: bool = True

    @property
    def key(self) -> str:
        """Return the name of its result: the same bytes read the same way have the same."""
        return " ".join((self.module, *self.arguments, sha256(self.content).hexdigest()))


class ReadResult(NamedTuple):
    """What a process wrote, or why it wrote nothing: one of the two is empty."""

    written: bytes
    failure: str
    """Expected what, got what."""


Results = Mapping[str, ReadResult]
"""Results by `Reading.key`."""

_RESULTS: ContextVar[Results | None] = ContextVar("read_results", default=None)


@contextmanager
def results_used(results: Results) -> Iterator[None]:
    """Let those who read files find the results of other processes."""
    token = _RESULTS.set(results)
    try:
        yield
    finally:
        _RESULTS.reset(token)


def result_of(reading: Reading) -> ReadResult | None:
    """Return the result of a file that was read before; None: it has to be read now."""
    results = _RESULTS.get()
    return results.get(reading.key) if results else None
