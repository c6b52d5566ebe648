"""Errors of a command: one line on standard error, and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS_CHECK_FAILED = 1
STATUS_BAD_INPUT = 2
STATUS_START_AGAIN = 3


class CommandError(Exception):
    """Ends the command with a message of one line: what was expected, what came, where."""

    status = STATUS_BAD_INPUT


class CheckFailed(CommandError):
    """What the command checks does not hold."""

    status = STATUS_CHECK_FAILED


class StartAgain(CommandError):
    """A node of a cluster has ended in order, or was replaced: it comes back as a standby."""

    status = STATUS_START_AGAIN


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
def file_used(place: Path | str, says: str = "") -> Iterator[None]:
    """Let a file that can't be used end the command: what was expected of it."""
    try:
        yield
    except OSError as error:
        why = error.strerror or error
        words = f"{says}, {why}" if says else why
        raise CommandError(f"{error.filename or place}: {words}") from error


def _words(error: Exception) -> str:
    """Return what an error says, of a file its name and why, without the system's number."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
