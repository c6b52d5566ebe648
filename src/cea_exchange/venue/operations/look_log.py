"""What regulators and operators looked at: a line each in DIR/looks.jsonl, beside the journal.

A look changes nothing and is no part of the market's history, so it is not journaled; whose key
saw whose positions is kept all the same (CEA-OPR-04), but not the status, which monitors ask for
each second.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.protocol.operators import Operator
from cea_exchange.venue.requests.base import AdminRequest
from cea_exchange.venue.requests.looks import Status

LOOKS_NAME = "looks.jsonl"
TAIL_BYTES = 64 * 1024

log = structlog.get_logger("venue")


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look.

    Attributes
    ----------
    at
        The venue's time, ISO 8601.
    by, role
        Whose key it was.
    what, fields
        What was asked.
    """

    at: str
    by: str
    role: str
    what: str
    fields: dict[str, Any]

    def sentence(self) -> str:
        """Return the look as a line for a person."""
        said = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return f"{self.at}  {self.by} ({self.role})  {self.what} {said}".rstrip()


class LookLog:
    """Appends looks to a data folder's file.

    Parameters
    ----------
    directory
        The data folder.
    now_ns
        The venue's clock.

    Notes
    -----
    Rules: CEA-OPR-04.
    """

    def __init__(self, directory: Path, now_ns: Callable[[], int]) -> None:
        self._path = Path(directory) / LOOKS_NAME
        self._now_ns = now_ns
        _torn_cut(self._path)

    def take(self, person: Operator, request: AdminRequest) -> None:
        """Keep that a person looked; a disk that is full does not keep the look from its answer."""
        if isinstance(request, Status):
            return
        fields = msgspec.to_builtins(request)
        look = Look(
            at=time_from_ns(self._now_ns()).isoformat(),
            by=person.name,
            role=person.role,
            what=fields.pop("op"),
            fields={name: value for name, value in fields.items() if value is not None},
        )
        look_keep(self._path.parent, look)


def look_keep(directory: Path, look: Look) -> None:
    """Append a look to a data folder's file, in one write; a disk that is full is no hindrance."""
    try:
        with (directory / LOOKS_NAME).open("ab", buffering=0) as file:
            file.write(msgspec.json.encode(look) + b"\n")
    except OSError as error:
        log.warning("look_not_kept", look=look.sentence(), error=str(error))


def _torn_cut(path: Path) -> None:
    """Cut what a crash left of a line: the next one would be written behind it.

    A file that can't be read or changed is no hindrance.
    """
    if not path.exists():
        return
    try:
        with path.open("r+b") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                begin = max(end - TAIL_BYTES, 0)
                file.seek(begin)
                line_end = file.read(end - begin).rfind(b"\n") + 1
                if line_end:
                    file.truncate(begin + line_end)
                    return
                end = begin
            file.truncate(0)
    except OSError as error:
        log.warning("looks_not_mended", path=str(path), error=str(error))


def looks_read(data: Path | str) -> Iterator[Look]:
    """Yield all looks, oldest first; a line that a crash cut is left out."""
    path = Path(data) / LOOKS_NAME
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield msgspec.json.decode(line, type=Look)
