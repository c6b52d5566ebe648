"""Verdict on an attacked venue's folder."""

import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cea_exchange.cli.main import run
from support.ledger_attacks.venue_attacks import DERIVED_ONLY, NAMED
from support.ledger_attacks.verdicts import FOUND, MISSED, ran


def folder_verdict(data: Path, honest: Path) -> str:
    """Run the commands that a person has for a venue's folder; return what they say together.

    Parameters
    ----------
    data, honest
        The attacked folder, and the one that it is a copy of.
    """
    status, shown = ran("verify", data)
    if status or ran("registry", "verify", "--data", data, "--venue", data)[0]:
        return FOUND
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        if run(["venue", "case", "check", "--data", str(data)]):
            return FOUND
    lost = {*files_of(honest)} - {*files_of(data)}
    if lost and {*shown["missing"]} & lost:
        return NAMED
    changed = {
        name for name in files_of(data) if (data / name).read_bytes() != bytes_of(honest / name)
    }
    if lost and not changed and all(name.startswith(("events/", "snapshots/")) for name in lost):
        return DERIVED_ONLY
    return MISSED


def files_of(data: Path) -> list[str]:
    """Return the names of the venue's files in a folder."""
    folders = ("archive", "bulletins", "documents", "events", "journal", "profiles", "snapshots")
    paths = [path for folder in folders for path in (data / folder).glob("*")]
    return [path.relative_to(data).as_posix() for path in [*paths, *data.glob("looks.jsonl")]]


def bytes_of(path: Path) -> bytes:
    """Return a file's bytes; none if it does not exist."""
    return path.read_bytes() if path.exists() else b""
