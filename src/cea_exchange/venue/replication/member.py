"""One node of a cluster: follows the log through its own journal and market, stands, and leads.

    admitted -> agreement -> Sequencer.open -> follow ... -> stand -> epoch record taken -> lead

The same market is fed by the log while it is a standby and by orders when it leads, so taking over
is: apply what is left, have the log take the epoch record, open the doors.
"""

import contextlib
import shutil
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any

import structlog

from cea_exchange import __version__
from cea_exchange.cluster.config import ClusterConfig
from cea_exchange.cluster.connection import LogConnection
from cea_exchange.cluster.errors import ClusterRefused, Halted, LogDamaged, LogUnreachable
from cea_exchange.cluster.leader import LeaderRecord
from cea_exchange.cluster.lease import Lease
from cea_exchange.cluster.log_message import (
    Chain,
    EndRecord,
    EpochRecord,
    HandoverRecord,
    Head,
    LogMessage,
    MessageKind,
    epoch_record,
    message_decode,
    message_encode,
    record_decode,
    record_encode,
)
from cea_exchange.cluster.log_reader import LogReader
from cea_exchange.cluster.node_state import (
    SAID_EACH_S,
    NodeState,
    node_state_say,
    node_states,
)
from cea_exchange.cluster.presence import listen
from cea_exchange.cluster.replicated_journal import ReplicatedJournal
from cea_exchange.cluster.replicated_log import Outcome, ReplicatedLog
from cea_exchange.domain.profile import Profile
from cea_exchange.journal import Journal, JournalError, JournalFull, Storage
from cea_exchange.venue.durability.sequencer import Sequencer
from cea_exchange.venue.market.state_machine import StateDiverged
from cea_exchange.venue.replication.admission import (
    Admitted,
    admitted,
    epoch_id,
    epoch_of,
    mark_of,
    name_check,
)
from cea_exchange.venue.replication.folder_mark import mark_write
from cea_exchange.venue.replication.local_tail import agreement, set_aside
from cea_exchange.venue.replication.version_step import follow_fault, lead_fault

STATES_S_MAX = 2.0
SILENT_S_MAX = 5.0
LAG_MAX = 1_000
"""Messages that a successor may be behind: it applies them in a fraction of a second."""
DISK_S_MAX = 5.0
"""A leader whose disk has not answered for so long lets another lead."""
HANDOVER_LEASES = 3
"""After a handover the others leave its successor alone for so many leases."""

log = structlog.get_logger("cluster")


class ClusterMember:
    """This node of the cluster. Made by `ClusterMember.open`.

    Attributes
    ----------
    sequencer : Sequencer
        The market; read it freely. It follows until `lead_if_due` says that it leads.
    """

    def __init__(
        self,
        config: ClusterConfig,
        data: Path,
        connection: LogConnection,
        sequencer: Sequencer,
        found: Admitted,
        last: LogMessage,
    ) -> None:
        assert isinstance(sequencer.journal, Journal)
        self.sequencer = sequencer
        self._config = config
        self._data = data
        self._connection = connection
        self._shared = ReplicatedLog(connection)
        self._local: Journal = sequencer.journal
        self._base_log_seq = found.base.log_seq
        self._led = found.latest
        self._why_not_said = ""
        self._chain = Chain(last)
        self._reader = LogReader(connection, last.log_seq + 1)
        self._reader.last_log_seq = found.info.last_log_seq
        self._leading: ReplicatedJournal | None = None
        self._lease = Lease(connection, is_stuck=self._is_stuck)
        self._lease.led(self._led.node)
        self._successor = ""
        self._patient_until_s = 0.0
        self._incarnation = uuid.uuid4().hex
        # Before it says where it stands: who starts under its name looks for it then.
        connection.begin(listen(connection, config.process_presence(self._incarnation)))
        self._state_due_s = 0.0
        self._why = ""
        self._waiting: deque[LogMessage] = deque()
        self._is_halted = False

    @classmethod
    def open(
        cls,
        config: ClusterConfig,
        data: Path,
        profile: Profile,
        *,
        storage: Storage,
        archive: Path | None,
        **named: Any,
    ) -> "ClusterMember":
        """Join the cluster with a data folder, whose lock the caller holds.

        Parameters
        ----------
        config, data
            The cluster, and the folder.
        profile, storage, archive, named
            As `Sequencer.open` takes them.

        Raises
        ------
        ClusterRefused
            This node does not belong to that log, or has what the log has lost.
        LogUnreachable
            The log does not answer.
        JournalError, StateDiverged
            As `Sequencer.open`.
        """
        connection = LogConnection(config, data)
        try:
            shared = ReplicatedLog(connection)
            found = admitted(shared, data, profile, storage=storage, archive=archive)
            name_check(shared)
            agreed = agreement(
                *(data, shared, found.base, found.info.last_log_seq),
                storage=storage,
                archive=archive,
            )
            if agreed.cut is not None:
                set_aside(data, agreed.cut, storage)
            mark_write(data, mark_of(config, found), storage)
            sequencer = Sequencer.open(
                *(data, profile),
                storage=storage,
                archive=archive,
                log_id=found.record.log_id,
                cut=agreed.cut,
                **named,
            )
            return cls(config, data, connection, sequencer, found, agreed.last)
        except BaseException:
            connection.close()
            raise

    @property
    def leads(self) -> bool:
        """Whether this node writes the log."""
        return self._leading is not None

    @property
    def epoch(self) -> int:
        """Of the last message that is known here."""
        return self._chain.epoch

    @property
    def log_seq(self) -> int:
        """The last message of the log that is known here."""
        return self._chain.log_seq

    @property
    def is_connected(self) -> bool:
        """Whether a node of the log answers now."""
        return self._connection.is_connected

    @property
    def lag(self) -> int:
        """How many messages the log has beyond those that were followed."""
        return 0 if self.leads else max(0, self._reader.last_log_seq - self._chain.log_seq)

    @property
    def disk_free_bytes(self) -> int:
        """Room on the disk of its folder."""
        return shutil.disk_usage(self._data).free

    @property
    def why(self) -> str:
        """What keeps this node from following or leading; empty if nothing does."""
        return self._why or self._lead_fault()

    @property
    def is_lost(self) -> bool:
        """Whether another node holds the lease of this one, which leads."""
        return self._lease.is_lost

    # -- A standby ------------------------------------------------------------------------------

    def follow(self, wait_s: float) -> None:
        """Apply what the log has; wait for it no longer than `wait_s`.

        Raises
        ------
        Halted
            What comes does not fit what is here, another state was reached at a checkpoint, or an
            event from before the snapshot is not as it was written.
        """
        try:
            self._waiting.extend(self._reader.take(0.0 if self._waiting else wait_s))
        except LogUnreachable as error:
            log.warning("log_unreachable", error=str(error))
            time.sleep(wait_s)
            return
        except LogDamaged as error:
            raise self._halted(error) from error
        try:
            try:
                while self._waiting:
                    self._apply(self._waiting[0])
                    self._waiting.popleft()
            finally:
                self.sequencer.followed(self._local)
        except JournalFull as error:
            # It stays behind until there is room, and says so; the log has it.
            log.error("no_room", error=str(error))
            self._why = str(error)
            time.sleep(wait_s)
            return
        self._why = ""
        try:
            self.sequencer.turn()
        except JournalError as error:
            raise self._halted(error) from error

    def lead_if_due(self) -> bool:
        """Stand for the next epoch if nobody leads, or its turn has come; say whether it leads."""
        if self.lag or self._is_unfit() or not (self._is_successor() or self._may_stand()):
            return False
        if self._epoch_taken():
            return True
        log.info("epoch_not_taken", log_seq=self._chain.log_seq)
        self._lease.give_up()
        return False

    def _is_unfit(self) -> bool:
        """Whether this node can't lead whoever else there is; its log says so once."""
        fault = self._lead_fault()
        if fault and fault != self._why_not_said:
            log.warning("can_not_lead", why=fault)
        self._why_not_said = fault
        return bool(fault)

    def _lead_fault(self) -> str:
        return "" if self.leads else lead_fault(self._led, self.sequencer.machine)

    def _is_successor(self) -> bool:
        """Whether the last leader has ended and named this node: it need not wait for the lease."""
        is_handed_over = self._chain.kind is MessageKind.HANDOVER
        return is_handed_over and self._successor == self._config.node

    def _may_stand(self) -> bool:
        is_free = self._lease.is_free() and time.monotonic() >= self._patient_until_s
        return is_free and self._lease.stand()

    def _epoch_taken(self) -> bool:
        """Have the log take this node's epoch record behind the last message that was applied."""
        chain, market = self._chain, self.sequencer.machine
        record = epoch_of(
            *(self._config, self._incarnation, self._local.log_id, self._base_log_seq, market)
        )
        epoch, place = chain.epoch + 1, chain.log_seq + 1
        head = Head(MessageKind.EPOCH, epoch, place, self._local.next_seq, 0, chain.sha256)
        data = message_encode(head, [record_encode(record)])
        message_id = epoch_id(record, epoch, chain.log_seq)
        if self._shared.append(chain.log_seq, message_id, data) is not Outcome.ACKED:
            return False
        # The others have read it, too, and soon take a leader for gone whom they don't hear.
        self._lease.hold(LeaderRecord(node=self._config.node, epoch=epoch))
        chain.follow(message_decode(place, data))
        self._led = record
        self._leading = ReplicatedJournal(
            self._local, self._shared, chain, self._incarnation
        )
        self.sequencer.lead(self._leading)
        self._reader.close()
        log.info("leads", epoch=epoch, log_seq=place, next_seq=self._local.next_seq)
        return True

    def _apply(self, message: LogMessage) -> None:
        try:
            self._chain.check(message)
            if message.head.kind is MessageKind.FRAMES:
                self._frames_apply(message)
            else:
                self._record_take(message)
            self._chain.take(message)
        except (LogDamaged, JournalError, StateDiverged) as error:
            raise self._halted(error) from error

    def _frames_apply(self, message: LogMessage) -> None:
        self.sequencer.follow(self._local, message.payload)
        if self._local.next_seq != message.head.next_seq:
            what = f"its frames end before sequence {self._local.next_seq}, its head says "
            raise LogDamaged(message.log_seq, f"{what}{message.head.next_seq}")

    def _record_take(self, message: LogMessage) -> None:
        if message.head.kind is MessageKind.EPOCH:
            record = epoch_record(message)
            found = self.sequencer.machine.core.state_hash()
            is_here = message.head.first_seq == self._local.next_seq
            if is_here and record.state_hash != found:
                raise StateDiverged(
                    f"epoch {message.head.epoch} of {record.node} begins at state "
                    f"{record.state_hash:016x}, this node is at {found:016x}"
                )
            self._led = self._followed(record)
            self._lease.led(record.node)
            self._patient_until_s = 0.0
            log.info("epoch_begun", epoch=message.head.epoch, leader=record.node)
            return
        said = record_decode(message)
        if isinstance(said, EndRecord):
            raise LogDamaged(
                message.log_seq, f"the journal was taken out of the log, {said.node} has it alone"
            )
        if isinstance(said, HandoverRecord):
            self._successor = said.successor
            self._patient_until_s = (
                time.monotonic() + HANDOVER_LEASES * self._config.lease_s
            )
            log.info("handover", leader=said.node, successor=said.successor)

    def _followed(self, record: EpochRecord) -> EpochRecord:
        """Return the record of a new leader whom this node can follow; else it halts."""
        fault = follow_fault(record)
        if fault:
            raise self._halted(ClusterRefused(fault))
        return record

    def _halted(self, error: Exception) -> Halted:
        self._why, self._is_halted = str(error), True
        log.error("halted", error=str(error))
        self.say(state="halted", why=str(error))
        return Halted(str(error))

    # -- The leader -----------------------------------------------------------------------------

    def endpoints_say(self, endpoints: dict[str, Any]) -> None:
        """Tell everybody, by the lease, where this leader is to be found."""
        self._lease.hold(
            LeaderRecord(node=self._config.node, epoch=self.epoch, endpoints=endpoints)
        )

    def _is_stuck(self) -> bool:
        leading = self._leading
        return leading is not None and leading.disk_waited_s > DISK_S_MAX

    def successor_fault(self, node: str) -> str:
        """Say why a node can't lead now; empty if it can."""
        try:
            states = self._connection.call(node_states(self._connection), STATES_S_MAX)
        except LogUnreachable as error:
            return str(error)
        found = next((state for state in states if state.node == node), None)
        if found is None or node == self._config.node:
            return f"{node}, which is {'the leader itself' if found else 'no node of it'}"
        if time.time_ns() - found.now_ns > SILENT_S_MAX * 1e9 or found.state != "standby":
            return f"{node}, which is {found.state} and does not follow"
        if found.lag > LAG_MAX:
            return f"{node}, {found.lag} messages behind: {found.why or 'it catches up'}"
        return f"{node}: {found.why}" if found.why else ""

    def hand_over(self, successor: str) -> None:
        """Write nothing more, and let one node follow; the caller ends.

        Raises
        ------
        Fenced, OutcomeUnknown
            As the journal's `sync`.
        """
        assert self._leading is not None
        record = HandoverRecord(node=self._config.node, successor=successor)
        self._leading.record(MessageKind.HANDOVER, record_encode(record))
        self._lease.give_up()
        log.info("handed_over", successor=successor, log_seq=self._leading.log_seq)

    # -- Between two days -----------------------------------------------------------------------

    def take_out(self, leaving: str) -> int:
        """End the journal's life in the log, of which all was followed; return its last message.

        Parameters
        ----------
        leaving
            The folder's own, as its mark has it.

        Raises
        ------
        ClusterRefused
            Somebody leads, or has just written.
        LogUnreachable
            It could not be found out whether the log took it.
        """
        deadline_s = time.monotonic() + 2 * self._config.lease_s
        while not self._lease.is_free():
            leader = self._lease.leader
            if leader is not None and time.monotonic() > deadline_s:
                raise ClusterRefused(f"node {leader.node} leads: end all nodes first")
            time.sleep(0.05)
        chain = self._chain
        head = Head(
            *(MessageKind.END, chain.epoch, chain.epoch_log_seq),
            *(chain.next_seq, 0, chain.sha256),
        )
        record = EndRecord(node=self._config.node, leaving=leaving)
        data = message_encode(head, [record_encode(record)])
        outcome = self._shared.append(
            chain.log_seq, f"X{chain.epoch}-{self._config.node}-{chain.log_seq}", data
        )
        if outcome is Outcome.UNKNOWN:
            raise LogUnreachable("whether the log took the journal's end could not be found out")
        if outcome is Outcome.FENCED:
            raise ClusterRefused("another node has just written to the log: end all nodes first")
        return chain.log_seq + 1

    # -- Both -----------------------------------------------------------------------------------

    def log_bytes(self) -> int:
        """Return how much the log holds on each of its nodes; LogUnreachable if nobody answers."""
        info = self._shared.info()
        return 0 if info is None else info.bytes

    def turn(self) -> None:
        """Say once a second where this node stands."""
        if time.monotonic() >= self._state_due_s:
            self.say(why=self.why)

    def say(self, *, state: str = "", why: str = "") -> None:
        """Say now where this node stands."""
        self._state_due_s = time.monotonic() + SAID_EACH_S
        said = state or ("leader" if self.leads else "standby")
        with contextlib.suppress(LogUnreachable):
            self._connection.begin(node_state_say(self._connection, self.state(said, why)))

    def state(self, state: str, why: str = "") -> NodeState:
        """Return where this node stands."""
        machine = self.sequencer.machine
        return NodeState(
            node=self._config.node,
            incarnation=self._incarnation,
            state=state,
            epoch=self._chain.epoch,
            log_seq=self._chain.log_seq,
            next_seq=self._local.next_seq,
            lag=self.lag,
            checkpoint_seq=machine.checkpoint_event_seq,
            checkpoint_hash=f"{machine.checkpoint_hash:016x}",
            code_version=__version__,
            profile_hash=machine.profile.profile_hash(),
            disk_free_bytes=self.disk_free_bytes,
            now_ns=time.time_ns(),
            why=why,
        )

    def close(self) -> None:
        """Let the lease go if it is held, and end the connection; the sequencer is the caller's."""
        if self.leads and not self.sequencer.journal.is_poisoned:
            self._lease.give_up()
        self._lease.close()
        if not self._is_halted:
            self.say(state="ended")
        self._connection.close()
