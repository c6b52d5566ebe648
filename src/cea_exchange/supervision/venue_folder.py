"""Reads a venue's data folder beside the running daemon: files with sizes, the last acts."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cea_exchange.journal import JournalError
from cea_exchange.venue.market.state_machine import StateDiverged
from cea_exchange.venue.operations.act_log import LoggedAct, acts_read

DAMAGED = (JournalError, StateDiverged)
"""What reading a venue's record raises where the record is damaged."""
ACTS_JOURNAL_BYTES_MAX = 256 << 20
"""A journal with more is not read through for a page."""


class KeptFile(NamedTuple):
    """A file of the venue's record."""

    name: str
    size: int
    changed_ns: int


class VenueFolder(NamedTuple):
    """What is there.

    Attributes
    ----------
    segments, archived, snapshots
        Newest first.
    acts
        The operators' last acts, newest first.
    acts_fault
        Why these are not shown; "" where they are: `large`, `damaged`.
    """

    segments: tuple[KeptFile, ...]
    archived: tuple[KeptFile, ...]
    snapshots: tuple[KeptFile, ...]
    acts: tuple[LoggedAct, ...]
    acts_fault: str


def folder_read(directory: Path, *, acts_max: int) -> VenueFolder | None:
    """Return what is in a data folder; None where there is no journal."""
    if not (directory / "journal").is_dir():
        return None
    segments = _files((directory / "journal").glob("*.seg"))
    archived = _files((directory / "archive").glob("*.seg"))
    snapshots = _files((directory / "snapshots").glob("*.snapshot"))
    acts: tuple[LoggedAct, ...] = ()
    fault = ""
    if sum(file.size for file in (*segments, *archived)) > ACTS_JOURNAL_BYTES_MAX:
        fault = "large"
    else:
        try:
            acts = tuple(deque(acts_read(directory), maxlen=acts_max))[::-1]
        except (JournalError, OSError):
            fault = "damaged"
    return VenueFolder(segments, archived, snapshots, acts, fault)


def _files(paths: Iterable[Path]) -> tuple[KeptFile, ...]:
    found = []
    for path in paths:
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # it was archived just now
        found.append(KeptFile(path.name, stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(found, reverse=True))
