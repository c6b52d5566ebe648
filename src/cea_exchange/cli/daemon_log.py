"""Where the daemons log: events with fields on standard error, where a supervisor looks for them.

A log that can't be written, on a disk that is full, must not end a daemon that can still refuse.
"""

import contextlib
import sys


def log_to_standard_error() -> None:
    """Let structlog write there."""
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        logger_factory=structlog.PrintLoggerFactory(_StandardError()),
    )


class _StandardError:
    """Standard error, whose failures lose a line and nothing else."""

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
