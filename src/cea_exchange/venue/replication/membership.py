"""Gives a venue's journal to a log, takes it back, and compares the two. No venue runs meanwhile.

    join:   local journal, day closed -> mark -> the log's next message says where it goes on
    leave:  followed to the log's end, day closed -> its last message says who has it -> no mark

What was journaled before `join` is not in the log: other nodes begin with a backup of this one.
"""

import itertools
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import ClusterRefused
from cea_exchange.cluster.log_message import (
    Chain,
    EndRecord,
    LogMessage,
    MessageKind,
    epoch_record,
    record_decode,
)
from cea_exchange.cluster.log_reader import LogReader
from cea_exchange.cluster.replicated_log import LogInfo, ReplicatedLog
from cea_exchange.domain.profile import load_profile
from cea_exchange.journal import Frame, OsStorage, SegmentReader
from cea_exchange.journal.frame_bytes import frames_split
from cea_exchange.protocol.clock import Clock
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.replication.admission import begin, info_checked
from cea_exchange.venue.replication.folder_mark import (
    FolderMark,
    mark_read,
    mark_remove,
    mark_write,
)
from cea_exchange.venue.replication.member import ClusterMember

LOG_WAIT_S = 2.0


class Joined(NamedTuple):
    """Where a journal and a log came together, or parted."""

    log_id: str
    next_seq: int
    log_seq: int
    state_hash: str


class Compared(NamedTuple):
    """What the log and a folder's journal have in common."""

    log_id: str
    messages: int
    epochs: int
    frames: int
    next_seq: int
    frames_compared: int
    """Those that the folder's journal has, too; byte for byte."""
    frames_behind: int
    """Those that the log has beyond it."""


def join(config: VenueConfig, data: Path) -> Joined:
    """Give the journal of a data folder to its cluster's log, between two days.

    The folder is marked before the log has it, so that nobody goes on with it alone; where this was
    cut short, it is called again.

    Parameters
    ----------
    config, data
        The venue's settings, and the folder, whose lock the caller holds.

    Raises
    ------
    ClusterRefused
        A day is open, the folder or the log is in a cluster already, or the log has more.
    JournalError, StateDiverged, LogUnreachable
        The journal is damaged; the log does not answer.
    """
    cluster, storage = _cluster(config), OsStorage()
    mark = mark_read(data, storage)
    if mark is not None and not (mark.is_joining and mark.name == cluster.name):
        raise ClusterRefused(f"the journal here is shared by cluster {mark.name} already")
    with LogConnection(cluster, data) as connection:
        shared = ReplicatedLog(connection)
        shared.make()
        info = info_checked(shared)
        if mark is not None and (base := shared.read(mark.base_log_seq)) is not None:
            return _joined(mark, base, data)
        last = shared.require(info.last_log_seq) if info.last_log_seq else None
        sequencer = Sequencer.open(data, load_profile(config.profile), **_opening(config, data))
        try:
            _between_days_check(sequencer)
            log_id, next_seq = sequencer.journal.log_id, sequencer.journal.next_seq
            _space_check(shared, last, log_id, next_seq)
            mark = FolderMark(
                name=cluster.name,
                node=cluster.node,
                log_id=log_id,
                base_log_seq=1 if last is None else last.log_seq + 1,
                is_joining=True,
            )
            mark_write(data, mark, storage)
            begin(shared, last, log_id, next_seq, sequencer.machine)
        finally:
            sequencer.close()
        return _joined(mark, shared.require(mark.base_log_seq), data)


def _joined(mark: FolderMark, base: LogMessage, data: Path) -> Joined:
    """Mark a folder by what the log has where its journal was to begin."""
    taken, storage = epoch_record(base), OsStorage()
    if (taken.node, taken.log_id) != (mark.node, mark.log_id):
        mark_remove(data, storage)
        raise ClusterRefused(f"node {taken.node} has just begun log {taken.log_id} there")
    mark_write(data, msgspec.structs.replace(mark, is_joining=False), storage)
    return Joined(mark.log_id, base.head.first_seq, base.log_seq, f"{taken.state_hash:016x}")


def leave(config: VenueConfig, data: Path) -> Joined:
    """Take the journal out of the log: this folder has it alone from now on.

    Parameters
    ----------
    config, data
        The venue's settings, and the folder, whose lock the caller holds.

    Raises
    ------
    ClusterRefused
        A day is open, somebody leads, or the folder is in no cluster.
    Halted, JournalError, StateDiverged, LogUnreachable
        The journal here does not come to the log's end; the log does not answer.
    """
    cluster, storage = _cluster(config), OsStorage()
    mark = mark_read(data, storage)
    if mark is None:
        raise ClusterRefused("the journal here is in no cluster")
    profile = load_profile(config.profile)
    with LogConnection(cluster, data) as connection:
        last = _last(ReplicatedLog(connection))
    if last is not None and _is_own_end(last, mark):
        # It was killed after the log had its record, or did not wait until it had.
        mark_remove(data, storage)
        return Joined(mark.log_id, last.head.next_seq, last.log_seq, "")
    member = ClusterMember.open(cluster, data, profile, **_opening(config, data))
    sequencer = member.sequencer
    try:
        while member.lag:
            member.follow(LOG_WAIT_S)
        _between_days_check(sequencer)
        # Drawn anew each time: a copy of the folder may have one of before.
        leaving = uuid.uuid4().hex
        mark_write(data, mark.leaving_anew(leaving), storage)
        log_seq = member.take_out(leaving)
        mark_remove(data, storage)
        state_hash = f"{sequencer.machine.core.state_hash():016x}"
        return Joined(mark.log_id, sequencer.journal.next_seq, log_seq, state_hash)
    finally:
        member.close()
        sequencer.close()


def _is_own_end(last: LogMessage, mark: FolderMark) -> bool:
    """Say whether the log ends because this folder left: not another one of its node's name."""
    ended = record_decode(last)
    return isinstance(ended, EndRecord) and mark.is_own(ended.leaving)


def compare(config: VenueConfig, data: Path) -> Compared:
    """Read the whole log, its chain of hashes, and compare it with a folder's journal.

    Changes nothing, and the venue may run.

    Parameters
    ----------
    config, data
        The venue's settings, and the folder.

    Raises
    ------
    LogDamaged, ClusterRefused
        A message is not as it was written or does not follow; or the two differ: where.
    JournalError, LogUnreachable
        The journal is damaged; the log does not answer.
    """
    with LogConnection(_cluster(config), data) as connection:
        shared = ReplicatedLog(connection)
        info = shared.info()
        if info is None or info.last_log_seq == 0:
            raise ClusterRefused("the log is empty")
        here = _frames_here(data, config.archive_folder(data))
        return _compared(shared, info, here)


def _compared(shared: ReplicatedLog, info: LogInfo, here: Iterator[Frame]) -> Compared:
    chain, epochs, frames, same, behind = Chain(), 0, 0, 0, 0
    own, log_id = next(here, None), ""
    for message in _messages(shared.connection, info):
        chain.follow(message)
        if message.head.kind is MessageKind.EPOCH:
            epochs, log_id = epochs + 1, epoch_record(message).log_id
        if message.head.kind is not MessageKind.FRAMES:
            continue
        for frame, _ in frames_split(message.payload):
            frames += 1
            while own is not None and own.first_seq < frame.first_seq:
                own = next(here, None)
            if own is None:
                behind += 1
            elif own != frame:
                raise ClusterRefused(
                    f"message {message.log_seq} of the log: the frame at sequence "
                    f"{frame.first_seq} is not the one of the journal here"
                )
            else:
                same += 1
    _rest_check(shared, chain, here if own is None else itertools.chain([own], here))
    return Compared(log_id, chain.log_seq, epochs, frames, chain.next_seq, same, behind)


def _rest_check(shared: ReplicatedLog, chain: Chain, here: Iterable[Frame]) -> None:
    """Refuse a log that ends before what it once had, as the folder's journal knows.

    A journal goes on while the log is read, and alone behind an END.
    """
    synced_seq = max((frame.synced_seq for frame in here), default=0)
    if chain.kind is MessageKind.END or synced_seq < chain.next_seq:
        return
    last = _last(shared)
    next_seq = chain.next_seq if last is None else last.head.next_seq
    if synced_seq >= next_seq:
        raise ClusterRefused(
            f"acknowledged work is missing from the log: it ends before sequence {next_seq}, the"
            f" journal here knows that it had {synced_seq}"
        )


def _messages(connection: LogConnection, info: LogInfo) -> Iterator[LogMessage]:
    reader, next_log_seq = LogReader(connection, 1), 1
    try:
        while next_log_seq <= info.last_log_seq:
            for message in reader.take(LOG_WAIT_S):
                if message.log_seq > info.last_log_seq:
                    return
                yield message
                next_log_seq = message.log_seq + 1
    finally:
        reader.close()


def _frames_here(data: Path, archive: Path) -> Iterator[Frame]:
    reader = SegmentReader(
        data / "journal", storage=OsStorage(), cut_torn_tail=True, archive=archive
    )
    return reader.frames()


def _cluster(config: VenueConfig) -> ClusterConfig:
    if config.cluster is None:
        raise ClusterRefused("settings: expected a table [cluster], got none")
    return config.cluster


def _opening(config: VenueConfig, data: Path) -> dict[str, Any]:
    return {
        "now_ns": Clock(config.clock).now_ns,
        "storage": OsStorage(),
        "archive": config.archive_folder(data),
    }


def _last(shared: ReplicatedLog) -> LogMessage | None:
    info = shared.info()
    return shared.require(info.last_log_seq) if info is not None and info.last_log_seq else None


def _between_days_check(sequencer: Sequencer) -> None:
    core = sequencer.machine.core
    if core.day_is_open:
        raise ClusterRefused(f"day {core.trading_date} is open: close it first")


def _space_check(
    shared: ReplicatedLog, last: LogMessage | None, log_id: str, next_seq: int
) -> None:
    """Refuse a log that has another journal, or this one with somebody on it, or more of it."""
    if last is None:
        return
    there = epoch_record(shared.require(last.head.epoch_log_seq)).log_id
    if there != log_id:
        raise ClusterRefused(f"log_id of the journal: the log has {there}, the folder {log_id}")
    if last.head.kind is not MessageKind.END:
        raise ClusterRefused(
            "the log has this journal already: a copy of a node's folder follows by itself"
        )
    if last.head.next_seq > next_seq:
        raise ClusterRefused(
            f"the log has this journal up to sequence {last.head.next_seq - 1}, the folder ends at "
            f"{next_seq - 1}: it is an old copy"
        )

