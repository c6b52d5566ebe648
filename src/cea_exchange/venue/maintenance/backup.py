"""A copy of a running venue's data, and a folder to start from made of it.

    bulletins | newest snapshot, the events and blocks it goes on from | sealed segments, the open
    one as far as it is whole | profiles | keys, if asked for | manifest.json, written last:
    without it there is no backup

The venue is not asked and not stopped: its files only grow, and what is read of the open segment is
synced before it counts: it is what the venue would find itself after a crash. What is restored is
played through the market before it counts.
"""

import datetime
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import msgspec

from cea_exchange import __version__
from cea_exchange.domain.profile import Profile
from cea_exchange.journal import (
    EVENT_FILE_NAME,
    EVENT_ROW_BYTES,
    SUM_FILE_NAME,
    SUM_ROW_BYTES,
    JournalError,
    OsStorage,
    SegmentReader,
    Snapshot,
    event_rows_read,
    snapshot_paths,
    snapshot_read,
)
from cea_exchange.journal.frame_bytes import whole_prefix
from cea_exchange.journal.row_file import HEADER_BYTES
from cea_exchange.journal.segment import segment_paths
from cea_exchange.journal.storage import DRAFT_SUFFIX
from cea_exchange.venue.cases.case_log import DOCUMENTS
from cea_exchange.venue.durability.event_index import INDEX_FILE_NAME, INDEX_ROW_BYTES
from cea_exchange.venue.durability.profile_shelf import PROFILES_FOLDER
from cea_exchange.venue.durability.snapshots import body_decode
from cea_exchange.venue.maintenance.verify import VerifyResult, verify_data
from cea_exchange.venue.publication.bulletins import FOLDER as BULLETINS_FOLDER
from cea_exchange.venue.publication.bulletins import OPENING_NAME
from cea_exchange.venue.publication.bulletins import SUFFIXES as BULLETIN_SUFFIXES

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
_CHUNK_BYTES = 8 << 20
_STORAGE = OsStorage()


class BackupError(ValueError):
    """There is nothing to copy, or no place to copy to."""


class BackupDamaged(Exception):
    """A file of a backup is not as it was written, or replay gives something else."""


class BackupFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of a backup."""

    path: str
    """From the backup's folder."""
    bytes: int
    sha256: str


class BackupManifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a backup holds; its presence says that it is whole."""

    format_version: int
    code_version: str
    log_id: str
    last_seq: int
    """The journal's last sequence number in it."""
    snapshot: str | None
    event_count: int
    """Events in it; those after it come of replay."""
    with_keys: bool
    made_at: str
    files: tuple[BackupFile, ...]


def backup(
    data: Path, destination: Path, *, archive: Path | None = None, with_keys: bool = False
) -> BackupManifest:
    """Copy a venue's data, running or not.

    Parameters
    ----------
    data, destination
        The venue's folder, and one that is empty or not there.
    archive
        The journal's archive, if it is not in the data folder.
    with_keys
        Copy the secret keys too: whoever has the copy can then pass for the venue.

    Raises
    ------
    BackupError
        The destination is in use or inside the data folder, or there is no journal.
    JournalError
        The journal is damaged: a copy would be too.

    Notes
    -----
    One that fails takes away what it has copied, so that it can be begun again. One that is killed
    leaves a folder without a manifest.
    """
    folder_empty_check(destination)
    if destination.resolve().is_relative_to(data.resolve()):
        # Beside segments or snapshots it would stop the venue's next start.
        raise BackupError(f"{destination}: expected a folder outside {data}")
    archive = data / "archive" if archive is None else archive
    _segments(data, archive)
    was_there = destination.exists()
    try:
        return _backup(data, destination, archive, with_keys=with_keys)
    except BaseException:
        # It was empty, so all that is in it is the copy's.
        for path in destination.iterdir() if destination.exists() else ():
            shutil.rmtree(path, ignore_errors=True)
        if not was_there:
            shutil.rmtree(destination, ignore_errors=True)
        raise


def _backup(data: Path, destination: Path, archive: Path, *, with_keys: bool) -> BackupManifest:
    for name in ("journal", "events", "snapshots"):
        _STORAGE.make_directory(destination / name)
    copy = _Copy(data, destination)
    # Bulletins before all else: of each that is copied the journal then has the day.
    for path in sorted((data / BULLETINS_FOLDER).glob("????-??-??.*")):
        if path.suffix in BULLETIN_SUFFIXES:
            copy.file(path.relative_to(data))
    if (data / BULLETINS_FOLDER / OPENING_NAME).exists():
        copy.file(Path(BULLETINS_FOLDER) / OPENING_NAME)
    # The snapshot first: the journal that is copied after it is ahead of it.
    snapshot, name = _newest_snapshot(data)
    event_count = 0
    if snapshot is not None and name is not None:
        event_count = _snapshot_copy(copy, snapshot, name)
    log_id, next_seq = _journal_copy(copy, data, archive)
    # After the journal: of whatever rules its segments speak, they are there.
    for path in sorted((data / PROFILES_FOLDER).glob("*.toml")):
        copy.file(path.relative_to(data))
    # Likewise the papers of cases, which are kept before they are entered.
    for path in sorted((data / DOCUMENTS).glob("*")):
        if path.suffix != DRAFT_SUFFIX:
            copy.file(path.relative_to(data))
    if with_keys:
        for path in sorted((data / "keys").iterdir()):
            copy.file(path.relative_to(data))
    manifest = BackupManifest(
        format_version=FORMAT_VERSION,
        code_version=__version__,
        log_id=log_id,
        last_seq=next_seq - 1,
        snapshot=name,
        event_count=event_count,
        with_keys=with_keys,
        made_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        files=tuple(copy.files),
    )
    text = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    copy.write(Path(MANIFEST_NAME), text)
    return manifest


def restore(
    source: Path, data: Path, *, profile: Profile | None = None
) -> tuple[BackupManifest, VerifyResult]:
    """Make a data folder of a backup: copied, compared with the manifest, and replayed.

    Parameters
    ----------
    source, data
        The backup, and a folder that is empty or not there.
    profile
        The rules it began under, if they are neither in the backup nor the package's.

    Raises
    ------
    BackupError
        The folder is in use, or there is no backup.
    BackupDamaged
        The backup is not what its manifest says.
    JournalError
        Replay does not give what was recorded.

    Notes
    -----
    One that fails makes no `data`, and takes away what it has copied. One that is killed leaves a
    folder ``NAME.restoring-...`` beside `data`.
    """
    folder_empty_check(data)
    manifest = manifest_read(source)
    data.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder it becomes: a rename makes it count, all at once.
    room = Path(tempfile.mkdtemp(prefix=f"{data.name}.restoring-", dir=data.parent))
    try:
        # Nobody else sees into the room; who may into the folder, the umask says.
        draft = room / data.name
        draft.mkdir()
        result = _restore(source, draft, manifest, profile)
        draft.replace(data)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    _STORAGE.sync_directory(data.parent)
    return manifest, result


def _restore(
    source: Path, draft: Path, manifest: BackupManifest, profile: Profile | None
) -> VerifyResult:
    """Copy a backup into a folder, and replay it there."""
    copy = _Copy(source, draft)
    for file in manifest.files:
        if not (source / file.path).exists():
            raise BackupDamaged(f"{source / file.path}: expected a file, there is none")
        found = copy.file(Path(file.path))
        if found != file:
            raise BackupDamaged(
                f"{source / file.path}: expected {file.bytes} bytes of SHA-256 {file.sha256}, "
                f"got {found.bytes} of {found.sha256}"
            )
    result = verify_data(draft, profile=profile)
    if (result.log_id, result.next_seq - 1) != (manifest.log_id, manifest.last_seq):
        raise BackupDamaged(
            f"{source}: expected log {manifest.log_id} up to sequence {manifest.last_seq}, "
            f"got {result.log_id} up to {result.next_seq - 1} by replay"
        )
    return result


def manifest_read(source: Path) -> BackupManifest:
    """Return a backup's manifest; BackupError if there is none, or of another format.

    Its files lie in the backup: another's path would be written to as well as read.
    """
    path = source / MANIFEST_NAME
    try:
        data = path.read_bytes()
        version = msgspec.json.decode(data, type=dict).get("format_version")
        if version == FORMAT_VERSION:
            manifest = msgspec.json.decode(data, type=BackupManifest)
            for file in manifest.files:
                if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
                    raise BackupError(f"{path}: expected paths in the backup, got {file.path!r}")
            return manifest
    except FileNotFoundError as error:
        what = "there is none: no backup, or one that was not finished"
        raise BackupError(f"{path}: expected a backup's manifest, {what}") from error
    except msgspec.MsgspecError as error:
        raise BackupError(f"{path}: expected a backup's manifest, {error}") from error
    raise BackupError(f"{path}: expected backup format {FORMAT_VERSION}, got {version}")


def folder_empty_check(folder: Path) -> None:
    """Refuse a folder that has anything in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BackupError(f"{folder}: expected an empty folder, or none")


class _Copy:
    """Copies files of one folder to another, synced, and keeps their hashes."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source = source
        self.target = target
        self.files: list[BackupFile] = []

    def file(
        self, path: Path, *, source: Path | None = None, size: int | None = None
    ) -> BackupFile:
        """Copy a file, or its first `size` bytes."""
        origin = source or self.source / path
        total = left = origin.stat().st_size if size is None else size
        sha256 = hashlib.sha256()
        target = self._created(path)
        with origin.open("rb") as reader, target.open("wb") as writer:
            shutil.copymode(origin, target)
            while left:
                chunk = reader.read(min(left, _CHUNK_BYTES))
                if not chunk:
                    raise BackupError(f"{origin}: expected {total} bytes, got {left} less")
                sha256.update(chunk)
                writer.write(chunk)
                left -= len(chunk)
            writer.flush()
            os.fdatasync(writer.fileno())
        return self._done(path, total, sha256.hexdigest())

    def write(self, path: Path, data: bytes) -> BackupFile:
        """Write a file of these bytes."""
        with self._created(path).open("wb") as writer:
            writer.write(data)
            writer.flush()
            os.fdatasync(writer.fileno())
        return self._done(path, len(data), hashlib.sha256(data).hexdigest())

    def _created(self, path: Path) -> Path:
        target = self.target / path
        _STORAGE.make_directory(target.parent)
        return target

    def _done(self, path: Path, size: int, sha256: str) -> BackupFile:
        _STORAGE.sync_directory((self.target / path).parent)
        self.files.append(BackupFile(path.as_posix(), size, sha256))
        return self.files[-1]


def _newest_snapshot(data: Path) -> tuple[Snapshot | None, str | None]:
    for path in snapshot_paths(data / "snapshots"):
        try:
            return snapshot_read(path), path.name
        except JournalError:
            # The one before will do; `verify` names this one.
            continue
    return None, None


def _snapshot_copy(copy: _Copy, snapshot: Snapshot, name: str) -> int:
    """Copy a snapshot, and of events and blocks what it goes on from."""
    copy.file(Path("snapshots") / name)
    event_count = snapshot.header.event_count
    block_count = body_decode(snapshot.body).index["block_count"]
    rows = event_rows_read(copy.source / "events", log_id=snapshot.header.log_id)
    # A copy of a damaged row would be as good as none.
    rows.check(event_count)
    for file_name, count, width in (
        (EVENT_FILE_NAME, event_count - rows.base, EVENT_ROW_BYTES),
        (SUM_FILE_NAME, event_count - rows.base, SUM_ROW_BYTES),
        (INDEX_FILE_NAME, block_count, INDEX_ROW_BYTES),
    ):
        copy.file(Path("events") / file_name, size=HEADER_BYTES + count * width)
    return event_count


def _segments(data: Path, archive: Path) -> list[Path]:
    paths = segment_paths(data / "journal", _STORAGE, archive=archive)
    if not paths:
        raise BackupError(f"{data}: expected a data folder with a journal, there is none")
    return paths


def _journal_copy(copy: _Copy, data: Path, archive: Path) -> tuple[str, int]:
    """Copy the journal, all of it on disk at its source; return its log_id and next sequence."""
    paths = _segments(data, archive)
    for path in paths[:-1]:
        copy.file(Path("journal") / path.name, source=path)
    # Whatever was acknowledged before is in it: the venue writes a frame before it answers.
    with paths[-1].open("rb") as source:
        prefix, _ = whole_prefix(paths[-1], source.read())
        os.fdatasync(source.fileno())
    copy.write(Path("journal") / paths[-1].name, prefix)
    reader = SegmentReader(copy.target / "journal", storage=_STORAGE)
    for _ in reader.frames():
        pass
    return reader.headers[0].log_id, reader.tail.next_seq
