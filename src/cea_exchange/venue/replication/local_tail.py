"""Where this node's journal and the log agree: what a leader wrote that the log never took is cut.

A leader writes a frame here and in the log side by side. If it dies, or is fenced, in between, its
journal may end with frames that never counted: nothing of them has left the venue. They are set
aside and cut before the node follows the log again. A frame that has counted is never cut: that
the log has lost it is an error.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from cea_exchange.cluster.errors import ClusterRefused
from cea_exchange.cluster.log_message import LogMessage, MessageKind
from cea_exchange.cluster.replicated_log import ReplicatedLog
from cea_exchange.journal import Frame, FrameKind, Storage, TailCut
from cea_exchange.journal.frame_bytes import frames_last, frames_split
from cea_exchange.journal.segment import (
    FRAME_HEADER_BYTES,
    SEGMENT_HEADER_BYTES,
    frame_parse,
    segment_paths,
)
from cea_exchange.journal.storage import create_whole

SET_ASIDE_FOLDER = "set_aside"
REASON = "the log never took it"
TORN = "a crash tore it, and the log has it"

log = structlog.get_logger("cluster")


class Agreement(NamedTuple):
    """Up to where this node's journal is the log's."""

    last: LogMessage
    """The message behind which it has to follow."""
    cut: TailCut | None


class _Local(NamedTuple):
    """The end of the journal here."""

    path: Path
    data: bytes
    frames: list[tuple[int, Frame]]

    @property
    def first_seq(self) -> int:
        return self.frames[0][1].first_seq

    @property
    def next_seq(self) -> int:
        last = self.frames[-1][1]
        return last.first_seq + last.count


def agreement(
    directory: Path,
    shared: ReplicatedLog,
    base: LogMessage,
    last_log_seq: int,
    *,
    storage: Storage,
    archive: Path | None,
) -> Agreement:
    """Compare the end of the journal in a data folder with the log. Changes nothing.

    Parameters
    ----------
    directory
        The data folder.
    shared, base, last_log_seq
        The log, the record that this journal's life in it began with, and its last message.
    storage, archive
        As in `Sequencer.open`.

    Raises
    ------
    ClusterRefused
        The journal here ends before the log begins; or it has what counted, and the log has not.
    LogUnreachable, LogDamaged, JournalError
        The log does not answer; it or the journal is damaged.
    """
    local = _local_end(directory, storage, archive)

    def torn_cut() -> TailCut | None:
        last = shared.require(last_log_seq)
        return _torn(directory, next_seq, last.head.next_seq, storage)

    first_seq = base.head.first_seq
    next_seq = 1 if local is None else local.next_seq
    if next_seq < first_seq:
        raise ClusterRefused(
            f"the journal here ends at sequence {next_seq - 1}, the log begins at {first_seq}: "
            "restore a backup of a node of this cluster"
        )
    if local is None or next_seq == first_seq:
        return Agreement(base, torn_cut())
    last = shared.find(next_seq - 1, base.log_seq, last_log_seq)
    known = {frame.first_seq: frame for _, frame in local.frames}
    while last.log_seq > base.log_seq and not _is_here(last, known, local.first_seq):
        last = shared.require(last.log_seq - 1)
    if last.head.next_seq < local.first_seq:
        raise ClusterRefused(
            f"{local.path.name}: all of it differs from the log, which has sequence "
            f"{local.first_seq} from another leader"
        )
    agreed_seq = max(last.head.next_seq, first_seq)
    for frame in _frames_after(shared, last.log_seq, last_log_seq):
        if known.get(frame.first_seq) != frame or frame.first_seq != agreed_seq:
            break
        agreed_seq += frame.count
    return Agreement(last, _cut(local, agreed_seq) or torn_cut())


def set_aside(directory: Path, cut: TailCut, storage: Storage) -> Path:
    """Keep a copy of what is about to be cut, and return where it is."""
    folder = directory / SET_ASIDE_FOLDER
    storage.make_directory(folder)
    path = folder / f"{cut.path.stem}-{cut.offset}.frames"
    data = storage.read(cut.path)[cut.offset :].rstrip(b"\0")
    create_whole(storage, path, data).close()
    log.warning("tail_set_aside", file=str(path), bytes=len(data), reason=cut.reason)
    return path


def _local_end(directory: Path, storage: Storage, archive: Path | None) -> _Local | None:
    """Return the last segment that has a frame."""
    for path in reversed(segment_paths(directory / "journal", storage, archive=archive)):
        data = storage.read(path)
        frames = frames_last(path, data)
        if frames:
            return _Local(path, data, frames)
    return None


def _is_here(message: LogMessage, known: dict[int, Frame], first_seq: int) -> bool:
    """Whether the journal here has a message's frames, all of them; what lies before it has."""
    if message.head.kind != MessageKind.FRAMES:
        return False
    frames = [frame for frame, _ in frames_split(message.payload)]
    return all(frame.first_seq < first_seq or known.get(frame.first_seq) == frame for frame in frames)


def _frames_after(shared: ReplicatedLog, log_seq: int, last_log_seq: int) -> Iterator[Frame]:
    for number in range(log_seq + 1, last_log_seq + 1):
        message = shared.require(number)
        if message.head.kind == MessageKind.FRAMES:
            for frame, _ in frames_split(message.payload):
                yield frame


def _cut(local: _Local, agreed_seq: int) -> TailCut | None:
    beyond = [(offset, frame) for offset, frame in local.frames if frame.first_seq >= agreed_seq]
    if not beyond:
        return None
    counted = max(frame.synced_seq for _, frame in local.frames)
    if counted >= agreed_seq:
        raise ClusterRefused(
            f"acknowledged work is missing from the log: the journal here knows that sequence "
            f"{counted} was in it, and they agree up to {agreed_seq - 1} only"
        )
    return TailCut(local.path, beyond[0][0], REASON)


def _torn(directory: Path, next_seq: int, log_next_seq: int, storage: Storage) -> TailCut | None:
    """Cut what a crash left of frames that were followed and not yet synced: the log has them."""
    paths = segment_paths(directory / "journal", storage)
    if not paths or log_next_seq <= next_seq:
        return None
    data, end = storage.read(paths[-1]), SEGMENT_HEADER_BYTES
    for offset, frame in frames_last(paths[-1], data):
        end = offset + FRAME_HEADER_BYTES + len(frame.payload)
    seal, _ = frame_parse(data, end)
    is_sealed = seal is not None and seal.kind is FrameKind.SEAL
    is_torn = bool(data[end:].strip(b"\0")) and not is_sealed
    return TailCut(paths[-1], end, TORN) if is_torn else None
