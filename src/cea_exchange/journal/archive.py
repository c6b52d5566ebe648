"""The archive: a second name, or a copy, of every sealed segment that a snapshot covers.

    archive/00000000000000000001.seg    archive/manifest.jsonl: one line per segment, in order

Trading records are kept for at least 20 years (CEA-REC-01), so nothing here removes a file.
"""

import datetime
import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec

from cea_exchange.journal.errors import JournalError
from cea_exchange.journal.segment import segment_first_seq, segment_header_read, segment_paths
from cea_exchange.journal.storage import Storage, create_whole

MANIFEST_NAME = "manifest.jsonl"


class Archived(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of the manifest."""

    segment: str
    first_seq: int
    last_seq: int
    bytes: int
    sha256: str
    at: str
    """When it was archived, UTC."""


def manifest_read(archive: Path, *, storage: Storage) -> list[Archived]:
    """Return the manifest's lines; none without a manifest.

    Raises
    ------
    JournalError
        A whole line is none of a manifest. A torn last one means nothing.
    """
    if MANIFEST_NAME not in storage.names(archive):
        return []
    found = []
    data = storage.read(Path(archive) / MANIFEST_NAME)
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        try:
            found.append(msgspec.json.decode(line, type=Archived))
        except msgspec.MsgspecError as error:
            raise JournalError(f"{MANIFEST_NAME}, line {number}", 0, str(error)) from error
    return found


def archive_sealed(
    journal: Path,
    archive: Path,
    *,
    covered_seq: int,
    storage: Storage,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[str]:
    """Archive every sealed segment whose last sequence number is at most `covered_seq`.

    The last segment, sealed or not, waits for its successor, which has its SHA-256.

    Only one process may do it at a time. `is_wanted` is asked before each line of the manifest.

    Returns
    -------
    list of str
        The segments archived now.

    Raises
    ------
    JournalError
        A segment is not what its successor says, or what the archive has under its name. Neither
        it nor a later one is archived.
    OSError
        The archive can't be written. What was archived stays; the rest is for the next time.
    """
    storage.make_directory(archive)
    names = {line.segment for line in manifest_read(archive, storage=storage)}
    paths = segment_paths(journal, storage)
    done = []
    for path, successor in itertools.pairwise(paths):
        last_seq = segment_first_seq(successor) - 1
        if path.name in names or last_seq > covered_seq:
            continue
        sha256 = segment_header_read(successor, storage).previous_sha256.hex()
        line = _archive_one(path, last_seq, sha256, Path(archive), storage)
        if not is_wanted():
            break
        _manifest_append(Path(archive), line, storage)
        done.append(path.name)
    return done


def archive_check(journal: Path, archive: Path, *, storage: Storage) -> int:
    """Hold the manifest against the files, and return how many segments it has.

    Raises
    ------
    JournalError
        A file is missing, or is not as it was archived.
    """
    lines = manifest_read(archive, storage=storage)
    in_archive, in_journal = storage.names(archive), storage.names(journal)
    for line in lines:
        if line.segment not in in_archive:
            raise JournalError(line.segment, line.first_seq, "the archive has no such file")
        folders = [archive, *([journal] if line.segment in in_journal else [])]
        for folder in folders:
            path = Path(folder) / line.segment
            data = storage.read(path)
            found = hashlib.sha256(data).hexdigest()
            if (len(data), found) != (line.bytes, line.sha256):
                raise JournalError(
                    str(path),
                    line.first_seq,
                    f"expected {line.bytes} bytes of SHA-256 {line.sha256}, "
                    f"got {len(data)} of {found}",
                )
    return len(lines)


def _archive_one(
    path: Path, last_seq: int, sha256: str, archive: Path, storage: Storage
) -> Archived:
    target = archive / path.name
    data = storage.read(path)
    # Before it has a place in the archive: it would be taken there for good.
    _sha256_check(path, data, sha256)
    if path.name not in storage.names(archive) and not storage.link(path, target):
        create_whole(storage, target, data).close()
    storage.sync_directory(archive)
    _sha256_check(target, storage.read(target), sha256)
    return Archived(
        segment=path.name,
        first_seq=segment_first_seq(path),
        last_seq=last_seq,
        bytes=len(data),
        sha256=sha256,
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def _sha256_check(path: Path, data: bytes, expected: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        reason = f"SHA-256: expected {expected}, got {found}"
        raise JournalError(str(path), segment_first_seq(path), reason)


def _manifest_append(archive: Path, line: Archived, storage: Storage) -> None:
    path = archive / MANIFEST_NAME
    if MANIFEST_NAME not in storage.names(archive):
        create_whole(storage, path, b"").close()
    file = storage.open(path)
    try:
        whole = file.read(0, file.size())
        # What a crash left of a line without an end is written over.
        end = whole.rfind(b"\n") + 1
        file.truncate(end)
        file.write(end, msgspec.json.encode(line) + b"\n")
        file.sync()
    finally:
        file.close()
