"""Verdict on an attack: what the commands of an auditor say about a folder that was changed."""

import io
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cea_exchange.cli.main import run
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.control import DECODE_ERRORS

FOUND, UNANCHORED, MISSED = "found", "unanchored", "missed"
CRASHED = -1
"""Exit status that stands for a command that ended in a traceback."""


class Attack(NamedTuple):
    """One change of a database, after which rows, log, chain and head agree with each other.

    Attributes
    ----------
    name
        What the attacker wants.
    sql
        The statements, separated by semicolons.
    verdict
        What the commands must say of it.
    """

    name: str
    sql: str
    verdict: str = FOUND

    def statements(self) -> list[str]:
        """Return the statements one by one."""
        return [each.strip() for each in self.sql.split(";") if each.strip()]


def by_day(attacks: Sequence[Any], names: Collection[str]) -> list[Any]:
    """Return attacks as parameters of a test; only those of these names run by day."""
    assert {*names} <= {each.name for each in attacks} or not attacks
    return [
        pytest.param(each, id=each.name, marks=() if each.name in names else pytest.mark.nightly)
        for each in attacks
    ]


def ran(*line: object) -> tuple[int, dict[str, Any]]:
    """Run a command in this process with ``--json``; return its exit status and what it shows."""
    out = io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(io.StringIO()):
            status = run([*map(str, line), "--json"])
    except DECODE_ERRORS:
        # A traceback names nothing that a person could follow up.
        return CRASHED, {}
    try:
        return status, json.loads(out.getvalue())
    except json.JSONDecodeError:
        assert status == 1, (line, status, out.getvalue())
        return status, {}


def heads_of(data: Path, kind: type[RecordStore]) -> dict[int, str]:
    """Return the head of each link of a chain."""
    with kind.open_reader(data) as store:
        return dict(store.all("SELECT link_id, head FROM chain"))


def verdict(
    commands: Sequence[Sequence[object]],
    whose: str,
    honest: Mapping[int, str],
    attacked: Mapping[int, str],
) -> str:
    """Run the commands on an attacked folder and return what they say together.

    Parameters
    ----------
    commands
        The command lines that a person has for this folder.
    whose
        Name of the institution whose database was changed.
    honest, attacked
        Heads of its chain before and after the attack.

    Returns
    -------
    str
        `FOUND` if a command ends with status 1. `UNANCHORED` if none does, and one reports links
        without an anchor that include the first changed link. `MISSED` otherwise.
    """
    last = max(attacked)
    links = {*honest, *attacked}
    first = min(link for link in links if honest.get(link) != attacked.get(link))
    is_covered = False
    for line in commands:
        status, shown = ran(*line)
        if status == 1:
            return FOUND
        if status == CRASHED:
            return MISSED
        assert status == 0, (line, shown)
        behind = shown.get("unanchored") or shown.get("heads", {}).get("unanchored", {}).get(whose)
        if behind:
            is_covered |= last - behind["links"] < first <= last
    return UNANCHORED if is_covered else MISSED
