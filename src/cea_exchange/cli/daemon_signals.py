"""What a daemon does at signals."""

import signal
from collections.abc import Callable


def stop_on_signals(stop: Callable[[], None]) -> None:
    """End in order on SIGTERM and SIGINT, however often they come; let SIGHUP pass.

    There is nothing to read anew: a daemon's settings are those it was started with.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
