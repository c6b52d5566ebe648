"""Case files as the journal has them, and their papers: of any data folder, running or not."""

import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cea_exchange.domain.documents.cases import AlertTaken, Document
from cea_exchange.journal import FrameKind, OsStorage, SegmentReader
from cea_exchange.journal.storage import DRAFT_SUFFIX
from cea_exchange.protocol import control
from cea_exchange.venue.cases.case_files import CaseFile

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
    directory = Path(data) / "journal"
    if not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is none", str(directory))
    reader = SegmentReader(
        directory, storage=OsStorage(), cut_torn_tail=True, archive=archive or data / "archive"
    )
    files: dict[str, list[control.CaseEntered]] = {}
    for frame in reader.frames():
        if frame.kind == FrameKind.CONTROL:
            message = control.control_decode(frame.payload)
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
