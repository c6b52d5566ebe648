"""Where the daemons log: one JSON object a line on standard error, where a supervisor looks for it.

Every line has `timestamp` (ISO 8601, UTC), `level` and `event`; what else it has is the event's. A
log that can't be written, on a disk that is full, must not end a daemon that can still refuse, and
an event that comes a thousand times in ten seconds is logged no more for the rest of them.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator, MutableMapping
from enum import Enum
from typing import Annotated, Any

import typer

from cea_exchange.cli.errors import CommandError

ALIKE_S = 10.0
ALIKE_COUNT_MAX = 1_000
STATUS_CRASHED = 1


class LogLevel(Enum):
    """What is worth a line."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


LogLevelOption = Annotated[LogLevel, typer.Option("--log-level", help="What is logged.")]


def log_to_standard_error(level: LogLevel = LogLevel.info) -> None:
    """Let structlog write there, and what a thread dies of too."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _Alike(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _heads_first,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),
    )
    threading.excepthook = _thread_died


@contextlib.contextmanager
def crash_logged() -> Iterator[None]:
    """Make whatever ends a daemon one event with its traceback, and the exit status 1.

    What is wrong with the command itself stays the command's one line.
    """
    import structlog

    try:
        yield
    except CommandError:
        raise
    except Exception as error:
        structlog.get_logger().critical(
            "crash", error=str(error), kind=type(error).__name__, exc_info=True
        )
        raise typer.Exit(STATUS_CRASHED) from None


def _thread_died(found: threading.ExceptHookArgs) -> None:
    import structlog

    thread = found.thread.name if found.thread is not None else ""
    failure = (found.exc_type, found.exc_value, found.exc_traceback)
    structlog.get_logger().critical("thread_died", thread=thread, exc_info=failure)


def _heads_first(_logger: object, _name: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    heads = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    return {**heads, **event}


class _Alike:
    """Leaves out what comes too often, and says how much that was.

    A venue on a full disk refuses a thousand batches a second.
    """

    def __init__(self) -> None:
        self._began_s: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def __call__(
        self, _logger: object, _name: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        import structlog

        name, now_s = event["event"], time.monotonic()
        if now_s - self._began_s.get(name, -ALIKE_S) >= ALIKE_S:
            left_out = self._counts.get(name, 0) - ALIKE_COUNT_MAX
            if left_out > 0:
                event["left_out"] = left_out
            self._began_s[name], self._counts[name] = now_s, 0
        self._counts[name] += 1
        if self._counts[name] > ALIKE_COUNT_MAX:
            raise structlog.DropEvent
        return event


class _StandardError:
    """Standard error, whose failures lose a line and nothing else."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
