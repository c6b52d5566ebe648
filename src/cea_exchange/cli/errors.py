"""Errors of a command: one line on standard error, and an exit status."""

STATUS_CHECK_FAILED = 1
STATUS_BAD_INPUT = 2


class CommandError(Exception):
    """Ends the command with a message of one line: what was expected, what came, where."""

    status = STATUS_BAD_INPUT


class CheckFailed(CommandError):
    """What the command checks does not hold."""

    status = STATUS_CHECK_FAILED
