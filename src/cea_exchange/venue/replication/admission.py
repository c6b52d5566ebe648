"""Whether a node may follow a log at all: everything that has to be the same is compared first."""

import asyncio
import time
import uuid
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog

from cea_exchange import __version__
from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import ClusterRefused, LogUnreachable
from cea_exchange.cluster.log_message import (
    CHAIN_START,
    EpochRecord,
    Head,
    LogMessage,
    MessageKind,
    epoch_record,
    message_encode,
    record_encode,
)
from cea_exchange.cluster.node_state import NodeState, node_states
from cea_exchange.cluster.presence import is_absent
from cea_exchange.cluster.replicated_log import LogInfo, Outcome, ReplicatedLog
from cea_exchange.domain.profile import Profile
from cea_exchange.domain.records import SCHEMA_VERSION
from cea_exchange.journal import Storage
from cea_exchange.journal.segment import segment_header_read, segment_paths
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.replication.folder_mark import FolderMark, mark_read
from cea_exchange.venue.replication.version_step import follow_fault

CLOCK_APART_S_MAX = 30.0
"""Between this node and the log's; beyond, its timer would open and close days at other times."""
SAME_NAME_S = 3.0
"""A node that said something within so long may be alive."""
NAME_S_MAX = 15.0
GONE_S, GONE_LOOKS = 0.3, 3
"""Whose connection to the log was lost is back sooner; one of a process that has ended is not."""

log = structlog.get_logger("cluster")


class Admitted(NamedTuple):
    """The log that a node may follow."""

    info: LogInfo
    base: LogMessage
    """The record that this journal's life in it began with."""
    record: EpochRecord
    """The same, decoded."""
    latest: EpochRecord
    """By which the last leader led."""
    mark: FolderMark | None
    """The folder's, as it was found."""


def admitted(
    shared: ReplicatedLog,
    data: Path,
    profile: Profile,
    *,
    storage: Storage,
    archive: Path | None,
) -> Admitted:
    """Return the log if this node belongs to it; an empty one is begun by an empty folder.

    Raises
    ------
    ClusterRefused
        The log was cut, or is of another journal, a newer version or another profile; the folder is
        of another cluster, or its journal was never given to this one; the clock is wrong.
    LogUnreachable
        The log does not answer.
    """
    config = shared.config
    try:
        shared.make()
    except LogUnreachable as error:
        if shared.connection.denied:
            raise ClusterRefused(str(error)) from error
        raise
    mark, own_log_id = mark_read(data, storage), _own_log_id(data, storage, archive)
    if mark is not None and mark.name != config.name:
        raise ClusterRefused(
            f"the data folder is of cluster {mark.name}, the settings are of {config.name}"
        )
    if mark is not None:
        mark.joined_check()
    info = info_checked(shared)
    if info.last_log_seq == 0:
        if mark is not None:
            raise ClusterRefused(
                f"the log of cluster {config.name} is empty, and the journal here was in it: "
                "it was lost, or these are other nodes"
            )
        if own_log_id is not None:
            raise ClusterRefused(
                "the log is empty, and there is a journal here: give it to the cluster with "
                "`cea-exchange cluster join`"
            )
        market = VenueStateMachine(profile)
        begin(shared, None, uuid.uuid4().hex, 1, market)
        info = info_checked(shared)
    last = shared.require(info.last_log_seq)
    base = _base(shared, info, last)
    record = epoch_record(base)
    if own_log_id is not None and own_log_id != record.log_id:
        raise ClusterRefused(
            f"log_id of the journal: the log's is {record.log_id}, the data folder's {own_log_id}: "
            "this node is of another log"
        )
    if mark is not None and mark.base_log_seq > base.log_seq:
        raise ClusterRefused(
            f"this journal began as message {mark.base_log_seq} of the log, which has it as "
            f"message {base.log_seq}: it is another log"
        )
    latest = epoch_record(shared.require(last.head.epoch_log_seq))
    _rules_check(latest, profile)
    return Admitted(info, base, record, latest, mark)


def begin(
    shared: ReplicatedLog,
    last: LogMessage | None,
    log_id: str,
    next_seq: int,
    market: VenueStateMachine,
) -> None:
    """Begin a journal's life in the log, unless another has just begun it; raises LogUnreachable.

    Parameters
    ----------
    shared, last
        The log, and its last message if there is one.
    log_id, next_seq
        The journal's, and the sequence number it goes on from.
    market
        Its state there.
    """
    epoch = 1 if last is None else last.head.epoch + 1
    last_log_seq = 0 if last is None else last.log_seq
    place = last_log_seq + 1
    record = epoch_of(shared.config, uuid.uuid4().hex, log_id, 0, market)
    previous = CHAIN_START if last is None else last.sha256
    head = Head(MessageKind.EPOCH, epoch, place, next_seq, 0, previous)
    data = message_encode(head, [record_encode(record)])
    message_id = epoch_id(record, epoch, last_log_seq)
    outcome = shared.append(last_log_seq, message_id, data)
    if outcome is Outcome.UNKNOWN:
        raise LogUnreachable("whether the log was begun could not be found out")
    log.info("log_begun", log_id=log_id, by_this_node=outcome is Outcome.ACKED)


def epoch_of(
    config: ClusterConfig,
    incarnation: str,
    log_id: str,
    base_log_seq: int,
    market: VenueStateMachine,
) -> EpochRecord:
    """Return the record by which this process leads, from a state of the market on."""
    return EpochRecord(
        node=config.node,
        incarnation=incarnation,
        log_id=log_id,
        base_log_seq=base_log_seq,
        state_hash=market.core.state_hash(),
        code_version=__version__,
        schema_version=SCHEMA_VERSION,
        profile_hash=market.profile.profile_hash(),
    )


def epoch_id(record: EpochRecord, epoch: int, last_log_seq: int) -> str:
    """Return the id by which the log knows an epoch's record behind a message again."""
    return f"E{epoch}-{record.node}-{record.incarnation}-{last_log_seq}"


def info_checked(shared: ReplicatedLog) -> LogInfo:
    """Return where a log stands that a journal may be given to, or followed in.

    Raises
    ------
    ClusterRefused
        It is not set up as a journal's is, this node may not write it, its beginning was cut off,
        or its clock is another.
    LogUnreachable
        It does not answer.
    """
    info = shared.info()
    if info is None:
        raise LogUnreachable(f"stream {shared.config.stream} is not there")
    shared.settings_check()
    shared.rights_check()
    if info.last_log_seq and info.first_log_seq != 1:
        raise ClusterRefused(
            f"the log begins with message {info.first_log_seq}: what was before it was cut"
        )
    _clock_check(info)
    return info


def name_check(shared: ReplicatedLog) -> None:
    """Refuse to be the second node of one name, where the first is heard of.

    It spares an operator a surprise, and no more: of two that are not found out the log still takes
    one's epoch, as their records differ.

    Raises
    ------
    ClusterRefused
        Another process says under this node's name where it stands.
    LogUnreachable
        What the nodes say can't be read.
    """
    shared.connection.call(_name_check(shared.connection), NAME_S_MAX)


async def _name_check(connection: LogConnection) -> None:
    first = await _namesake(connection)
    if first is None or first.state == "ended":
        return
    if time.time_ns() - first.now_ns > SAME_NAME_S * 1e9:
        return
    if await _is_gone(connection, first):
        return
    await asyncio.sleep(SAME_NAME_S / 2)
    second = await _namesake(connection)
    if second is not None and second.now_ns != first.now_ns:
        raise ClusterRefused(
            f"node {connection.config.node} is running already, from another data folder or on "
            "another machine: each node has a name of its own"
        )


def mark_of(config: ClusterConfig, found: Admitted) -> FolderMark:
    """Return the mark of a folder that follows this log.

    An END that it once sent may still be under way: the folder goes on knowing its own.
    """
    mark = FolderMark(
        name=config.name,
        node=config.node,
        log_id=found.record.log_id,
        base_log_seq=found.base.log_seq,
    )
    before = found.mark
    if before is None or before.base_log_seq != mark.base_log_seq:
        return mark
    return msgspec.structs.replace(
        mark, leaving=before.leaving, leaving_before=before.leaving_before
    )


async def _is_gone(connection: LogConnection, said: NodeState) -> bool:
    """Whether the process that said this has no connection to the log, and does not come back."""
    subject = connection.config.process_presence(said.incarnation)
    for _ in range(GONE_LOOKS):
        if not await is_absent(connection, subject, GONE_S / GONE_LOOKS):
            return False
        await asyncio.sleep(GONE_S / GONE_LOOKS)
    return True


async def _namesake(connection: LogConnection) -> NodeState | None:
    states = await node_states(connection)
    return next((state for state in states if state.node == connection.config.node), None)


def _base(shared: ReplicatedLog, info: LogInfo, last: LogMessage) -> LogMessage:
    if last.head.kind == MessageKind.END:
        raise ClusterRefused(
            f"the journal was taken out of the log after sequence {last.head.next_seq - 1}: "
            "it goes on alone, or is given back with `cea-exchange cluster join`"
        )
    epoch = shared.require(last.head.epoch_log_seq)
    base_log_seq = epoch_record(epoch).base_log_seq
    return epoch if base_log_seq == 0 else shared.require(base_log_seq)


def _rules_check(latest: EpochRecord, profile: Profile) -> None:
    fault = follow_fault(latest)
    if fault:
        raise ClusterRefused(fault)
    if latest.profile_hash != profile.profile_hash():
        raise ClusterRefused(
            f"the log goes by profile {latest.profile_hash}, this node's {profile.name} is "
            f"{profile.profile_hash()}"
        )


def _clock_check(info: LogInfo) -> None:
    apart_s = (time.time_ns() - info.now_ns) / 1e9
    if abs(apart_s) > CLOCK_APART_S_MAX:
        raise ClusterRefused(
            f"this machine's clock is {apart_s:+.0f} s from the log's node; up to "
            f"{CLOCK_APART_S_MAX:g} s is allowed"
        )


def _own_log_id(data: Path, storage: Storage, archive: Path | None) -> str | None:
    paths = segment_paths(data / "journal", storage, archive=archive)
    return segment_header_read(paths[-1], storage).log_id if paths else None
