"""A case's documents, before they are sent: alerts read, files kept, the gain computed, checks."""

from pathlib import Path
from typing import Any

import msgspec

from cea_exchange.cli.errors import CommandError, bad_input, check_failed, file_used
from cea_exchange.user_files.formats import JSON_BYTES_MAX, FormatError, json_parse, json_read
from cea_exchange.user_files.opening import bytes_read

DOCUMENT_BYTES_MAX = 64 << 20
"""Of a document that a case keeps: scanned contracts have some 10 MB."""


def alerts_of(file: Path, data: Path) -> list[dict[str, Any]]:
    """Return the alerts that `surveil --json` printed; their reproducers are kept.

    Raises CommandError: a line is none.
    """
    from cea_exchange.domain.documents.cases import AlertTaken

    found = []
    for number, line in enumerate(bytes_read(file, "alerts", JSON_BYTES_MAX).splitlines(), start=1):
        if not line.strip():
            continue
        says = f"{file}:{number}: expected an alert, "
        with bad_input(FormatError, msgspec.MsgspecError, TypeError, says=says):
            said = json_parse(line, dict[str, Any])
            if "not_examined" in said:
                # The last line of `surveil --json`: patterns, no alert.
                continue
            script = said.get("reproducer") or None
            said |= {"kind": "alert_taken", "reproducer": ""}
            msgspec.convert(said, AlertTaken)
        if script is not None:
            path = Path(script)
            said["reproducer"] = _kept(path, "a market script", data)[0]
        found.append({name: value for name, value in said.items() if name != "kind"})
    if not found:
        raise CommandError(f"{file}: expected alerts, there are none")
    return [{"kind": "alert_taken", **alert} for alert in found]


def document_of(file: Path, data: Path) -> dict[str, Any]:
    """Keep a file, and return what is entered of it."""
    digest, size = _kept(file, "a document", data)
    return {
        "kind": "document",
        "title": file.name,
        "sha256": digest,
        "size_bytes": size,
        "is_kept": True,
    }


def _kept(file: Path, kind: str, data: Path) -> tuple[str, int]:
    """Keep a file in a venue's folder; return its hash and how many bytes it has."""
    from cea_exchange.venue.cases.case_log import document_keep

    content = bytes_read(file, kind, DOCUMENT_BYTES_MAX)
    with file_used(data):
        return document_keep(data, content), len(content)


def gain_of_case(data: Path, case: str) -> dict[str, int]:
    """Return what a case's accounts gained in its window, by the journal.

    Notes
    -----
    Rules: CEA-ABU-04.
    """
    from cea_exchange.journal import JournalError
    from cea_exchange.venue.cases.case_log import case_files_read

    with file_used(data, "expected a journal"), check_failed(JournalError):
        files = case_files_read(data)
        if case not in files:
            raise CommandError(f"case {case}: expected one that was opened, there is none")
        found = _gains(data, None, {case: files[case]})[case]
    return msgspec.to_builtins(found)


def cases_checked(data: Path, archive: Path | None, exported: Path | None) -> dict[str, list[str]]:
    """Return of each case file what differs in it from the journal and from kept papers.

    Parameters
    ----------
    exported
        A case as it was written to a file; None: all that the journal has.

    Raises
    ------
    ValueError
        It is no case.
    """
    from cea_exchange.domain.documents.cases import PenaltyComputed
    from cea_exchange.venue.cases.case_log import case_files_read, papers_differing

    files = case_files_read(data, archive)
    found: dict[str, list[str]] = {}
    if exported is not None:
        name, differences = _exported_differing(exported, files)
        found[name] = differences
        files = {name: files[name]} if name in files else {}
    with_penalty = {
        name: file
        for name, file in files.items()
        if any(isinstance(entry.body, PenaltyComputed) for entry in file)
    }
    gains = _gains(data, archive, with_penalty) if with_penalty else {}
    for name, file in files.items():
        differences = found.setdefault(name, [])
        differences += papers_differing(data, file)
        for entry in file:
            if isinstance(entry.body, PenaltyComputed) and entry.body.gain_fen != gains[name]:
                said = f"{entry.body.gain_fen.total} fen gained"
                got = f"by the journal {gains[name].total} (CEA-ABU-04)"
                differences.append(f"entry {entry.entry}: {said}, {got}")
    return found


def _exported_differing(exported: Path, files: Any) -> tuple[str, list[str]]:
    from cea_exchange.venue.cases.case_files import file_of, heads

    said = json_read(exported, "a case", dict[str, Any])
    file = file_of(said)
    name, differences = said["case"], []
    for entry, head in zip(said["entries"], heads(file), strict=True):
        if entry["hash"] != head:
            differences.append(f"entry {entry['entry']}: expected hash {entry['hash']}, got {head}")
            break
    if list(files.get(name, ()))[: len(file)] != file:
        differences.append(f"{exported}: its entries are not those of the journal")
    return name, differences


def _gains(data: Path, archive: Path | None, files: Any) -> dict[str, Any]:
    """Return of each case what its accounts gained in its window."""
    from cea_exchange.domain.documents.cases import CaseGain
    from cea_exchange.supervision.columns.market import Columns
    from cea_exchange.supervision.gains import gain_of
    from cea_exchange.supervision.sources import VenueTape
    from cea_exchange.venue.cases.case_files import accounts_of, window_of

    follower = VenueTape(data, archive=archive)
    follower.take()
    columns = Columns(follower.tape())
    found = {}
    for name, file in files.items():
        gain = gain_of(columns, accounts_of(file), *window_of(file))
        found[name] = CaseGain(realised=gain.realised, marked=gain.marked)
    return found
