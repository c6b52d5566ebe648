"""Case files as the journal has them, and their papers: of any data folder, running or not."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cea_exchange.domain.documents.cases import AlertTaken, Document
from cea_exchange.journal import OsStorage
from cea_exchange.journal.storage import DRAFT_SUFFIX
from cea_exchange.protocol import control
from cea_exchange.venue.cases.case_files import CaseFile
from cea_exchange.venue.control_log import controls_read

DOCUMENTS = "documents"
"""In the data folder: kept papers, each under its SHA-256."""


def case_files_read(
    data: Path, archive: Path | None = None
) -> dict[str, list[control.CaseEntered]]:
    """Return all case files of a venue's journal, by name. Changes nothing.

    Raises
    ------
    JournalError
        The journal is damaged.
    OSError
        There is none.
    """
    files: dict[str, list[control.CaseEntered]] = {}
    for _, message in controls_read(data, archive):
        if isinstance(message, control.CaseEntered):
            files.setdefault(message.case, []).append(message)
    return files


def document_keep(data: Path, content: bytes) -> str:
    """Keep a paper under its hash, which is returned; one that is there stays as it is."""
    digest = sha256(content).hexdigest()
    folder, storage = data / DOCUMENTS, OsStorage()
    path = folder / digest
    if not path.exists():
        storage.make_directory(folder)
        draft = folder / f"{digest}{DRAFT_SUFFIX}"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        storage.rename(draft, path)
        storage.sync_directory(folder)
    return digest


def papers_differing(data: Path, file: CaseFile) -> Iterator[str]:
    """Yield in a sentence each kept paper of a case that is not there as it was entered.

    Notes
    -----
    Rules: CEA-CAS-03.
    """
    for entry in file:
        body = entry.body
        if isinstance(body, AlertTaken) and body.reproducer:
            digest = body.reproducer
        elif isinstance(body, Document) and body.is_kept:
            digest = body.sha256
        else:
            continue
        path, where = data / DOCUMENTS / digest, f"entry {entry.entry}"
        if not path.exists():
            yield f"{where}: expected {path}, there is none"
        elif sha256(path.read_bytes()).hexdigest() != digest:
            yield f"{where}: {path}: its bytes are not those of its name"
