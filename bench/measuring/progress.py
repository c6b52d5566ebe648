"""Says on standard error how far a benchmark is."""

import sys
from time import monotonic

_last = 0.0


def say(text: str) -> None:
    """One line of progress."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)


def say_sometimes(text: str) -> None:
    """The same, at most every five seconds."""
    global _last  # noqa: PLW0603 - one line of progress a process
    if monotonic() - _last >= 5:
        _last = monotonic()
        say(text)
