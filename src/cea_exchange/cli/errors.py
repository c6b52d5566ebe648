"""Errors of a command: one line on standard error, and an exit status."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG

from cea_exchange.cli.one_line import CONSIDERED_MAX, LINE_CHARACTERS_MAX

STATUS_CHECK_FAILED = 1
STATUS_BAD_INPUT = 2
STATUS_START_AGAIN = 3
STATUS_HALTED = 4


class CommandError(Exception):
    """Ends the command with a message of one line: what was expected, what came, where."""

    status = STATUS_BAD_INPUT
    characters_max = LINE_CHARACTERS_MAX


class DaemonRefused(CommandError):
    """A daemon refused what the command asked.

    Its answer may name many lines of a file, each of which the person has to correct.
    """

    characters_max = CONSIDERED_MAX


class CheckFailed(CommandError):
    """What the command checks does not hold."""

    status = STATUS_CHECK_FAILED


class StartAgain(CommandError):
    """A node of a cluster has ended in order, or was replaced: it comes back as a standby."""

    status = STATUS_START_AGAIN


class StayDown(CommandError):
    """A node of a cluster can't go on with the log: a person must look before it is started."""

    status = STATUS_HALTED


@contextmanager
def bad_input(*kinds: type[Exception], says: str = "", ends: str = "") -> Iterator[None]:
    """Let errors of some kinds end the command: what it was given is wrong."""
    try:
        yield
    except kinds as error:
        raise CommandError(f"{says}{_words(error)}{ends}") from error


@contextmanager
def check_failed(*kinds: type[Exception], says: str = "") -> Iterator[None]:
    """Let errors of some kinds end the command: what it looked at is wrong."""
    try:
        yield
    except kinds as error:
        raise CheckFailed(f"{says}{_words(error)}") from error


@contextmanager
def nothing_starts(data: Path) -> Iterator[None]:
    """Let a file or disk that can't be used end a daemon's start, with its path and the reason."""
    try:
        yield
    except OSError as error:
        place = error.filename or data
        raise CheckFailed(f"nothing starts: {place}: {error.strerror or error}") from error


@contextmanager
def file_used(place: Path | str, says: str = "") -> Iterator[None]:
    """Let a file that can't be used end the command: what was expected of it."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        words = f"{says}, {why}" if says else why
        raise CommandError(f"{error.filename or place}: {words}") from error


def files_differ(read: Iterable[Path | None], written: Iterable[Path | None]) -> None:
    """End the command before it opens a file to write that it reads, or that it writes twice.

    Parameters
    ----------
    read, written
        Of the command; None where an option was left out.
    """
    before = {_identity(path) for path in read if path is not None}
    for path in written:
        if path is None:
            continue
        identity = _identity(path)
        if identity in before:
            raise CommandError(f"{path}: expected files that differ, got one twice")
        before.add(identity)


def _identity(path: Path) -> object:
    """Return what two names of one file have in common; a link's are those of what it leads to."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    is_file = S_ISREG(status.st_mode)
    return (status.st_dev, status.st_ino) if is_file else os.path.realpath(path)


def _words(error: Exception) -> str:
    """Return what an error says, of a file its name and why, without the system's number."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
