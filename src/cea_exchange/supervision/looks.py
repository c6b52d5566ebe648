"""Who looked at what: the venue's own log of looks, and looks past the venue (CEA-OPR-04).

A day that is stepped through, or an alert, is read off the venue's disk: the venue is not asked, so
whoever shows it writes the line that the venue would have.
"""

from pathlib import Path

from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.venue.operations.look_log import Look, look_keep, looks_read

__all__ = ["Look", "look_note", "looks_last"]


def look_note(
    directory: Path, now_ns: int, by: str, role: str, what: str, **fields: str | int
) -> None:
    """Keep that a person looked at what is on a venue's disk.

    Parameters
    ----------
    directory
        The venue's data folder.
    now_ns
        The time it is noted with.
    by, role
        Whose key it was.
    what, fields
        What was looked at.

    Notes
    -----
    Rules: CEA-OPR-04.
    """
    at = time_from_ns(now_ns).isoformat()
    look_keep(directory, Look(at=at, by=by, role=role, what=what, fields=dict(fields)))


def looks_last(directory: Path, count: int) -> list[Look]:
    """Return the last looks, newest first."""
    return list(looks_read(directory))[-count:][::-1]
