"""The result of a run, as it is written and read again: one JSON object."""

from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.loadtest.results.figures import Figures, Latency
from cea_exchange.loadtest.timeline import Timeline
from cea_exchange.user_files.formats import json_read
from cea_exchange.user_files.opening import UserFileError

FORM = "cea-exchange load 1"


class ResultError(ValueError):
    """No result of a run; the message says where, and what was expected."""


class Floor(msgspec.Struct, kw_only=True):
    """What the harness itself takes: the same schedule, answered by somebody who does nothing."""

    latency: Latency
    lateness: Latency


class Act(msgspec.Struct):
    """A fault that was brought about, or that ended."""

    at_s: float
    what: str


class Audit(msgspec.Struct, kw_only=True):
    """What was held against each other at the end, and what differs."""

    checked: dict[str, int] = {}
    differences: list[str] = []


class Result(msgspec.Struct, kw_only=True):
    """A run, with all that is needed to make it again.

    Attributes
    ----------
    settings : dict
        Target, workload, arrivals, seed, and all else that was given.
    void : str
        Why the figures are worth nothing; empty if they are.
    losses : list of str
        What was lost, doubled or differs; empty if nothing was. A run that loses anything fails.
    """

    form: str = FORM
    began: str
    settings: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    figures: Figures
    floor: Floor | None = None
    sent_s: float
    done_s: float
    answered_per_second: float
    stopped: str = ""
    reconnects: int = 0
    gaps: int = 0
    void: str = ""
    losses: list[str] = []
    audit: Audit = msgspec.field(default_factory=Audit)
    acts: list[Act] = []
    timeline: Timeline = msgspec.field(default_factory=Timeline)

    @property
    def name(self) -> str:
        """Return what it is called where several are shown."""
        settings = self.settings
        return f"{settings.get('target')} {settings.get('workload', {}).get('name', '')}".strip()


def result_write(result: Result, path: Path) -> None:
    """Write a result."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")


def result_read(path: Path) -> Result:
    """Read a result, or the one in a folder.

    Raises
    ------
    ResultError
        There is none.
    """
    path = path / "report.json" if path.is_dir() else path
    try:
        result = json_read(path, "a result", Result)
    except UserFileError as error:
        raise ResultError(str(error)) from error
    if result.form != FORM:
        raise ResultError(f"{path}: expected {FORM!r}, got {result.form!r}")
    return result
