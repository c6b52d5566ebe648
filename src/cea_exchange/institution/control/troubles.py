"""Errors that a daemon went on from: counted, logged once, shown until they are over.

A daemon's turn has parts: the venue, the bank, the admin socket, the day. None of them may end the
daemon, or keep the others from their turn, whatever a peer, a file or the clock says to it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from cea_exchange.ledger.database.interface import DatabaseFull, DatabaseLost

LOG_AGAIN_NS = 60_000_000_000
TEXT_LENGTH_MAX = 300

log = structlog.get_logger("registry")


class Troubles:
    """The troubles of one process.

    Parameters
    ----------
    fatal
        What else is for the whole daemon to deal with.

    Attributes
    ----------
    count : int
        How often a part of a turn was given up since the start.
    """

    def __init__(self, fatal: tuple[type[Exception], ...] = ()) -> None:
        self.count = 0
        self._fatal: tuple[type[Exception], ...] = (DatabaseLost, MemoryError, *fatal)
        self._now: dict[str, str] = {}
        self._logged_ns: dict[tuple[str, str], int] = {}

    @contextmanager
    def noted(self, part: str, now_ns: int) -> Iterator[None]:
        """Go on behind a part of a turn, whatever it runs into.

        Parameters
        ----------
        now_ns
            The time (monotonic), by which it is logged again.

        Raises
        ------
        DatabaseLost, MemoryError
            These are for the whole daemon to deal with, and so is what was named `fatal`.
        """
        try:
            yield
        except self._fatal:
            raise
        except DatabaseFull as error:
            self._note(part, "disk_full", str(error), now_ns, is_known=True)
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            self._note(part, "turn_broke", text, now_ns, is_known=False)
        else:
            self._now.pop(part, None)

    def shown(self) -> dict[str, str]:
        """Return by part what keeps it from being done now."""
        return dict(self._now)

    def _note(self, part: str, event: str, text: str, now_ns: int, *, is_known: bool) -> None:
        self.count += 1
        text = text[:TEXT_LENGTH_MAX]
        self._now[part] = text
        if now_ns >= self._logged_ns.get((part, event), 0):
            self._logged_ns[part, event] = now_ns + LOG_AGAIN_NS
            log.error(event, part=part, error=text, exc_info=not is_known)
