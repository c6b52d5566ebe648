"""The journal's second backend: on this machine's disk and in the log, before anything leaves.

    append  the frame is written here: it counts only once the log has it
    sync    on disk here and in the log: what depends on it may leave the venue

The two are waited for side by side. Where the log took another leader's message instead, or nobody
can say, nothing is released and the process ends.
"""

import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, NamedTuple

import structlog

from cea_exchange.cluster.endings import Fenced, OutcomeUnknown
from cea_exchange.cluster.log_message import (
    MESSAGE_BYTES_MAX,
    Chain,
    Head,
    LogMessage,
    MessageKind,
    message_encode,
    sha256_of,
)
from cea_exchange.cluster.replicated_log import Outcome, ReplicatedLog
from cea_exchange.journal.errors import JournalPoisoned
from cea_exchange.journal.journal import Journal
from cea_exchange.journal.segment import FrameKind, Identity, JournalPoint

if TYPE_CHECKING:
    from typing_extensions import Buffer

log = structlog.get_logger("cluster")


class _Appending(NamedTuple):
    """A message on its way."""

    outcome: "Future[Outcome]"
    head: Head
    sha256: bytes


class ReplicatedJournal:
    """A journal that this node writes as the leader of an epoch; as `Journal` to its writer.

    Parameters
    ----------
    local
        The journal here, whose last frame the log has.
    shared
        The log.
    chain
        At the log's last message, which is of this node's epoch.
    incarnation
        Of this process, as its epoch record has it.
    """

    def __init__(
        self, local: Journal, shared: ReplicatedLog, chain: Chain, incarnation: str
    ) -> None:
        assert chain.next_seq == local.next_seq, (chain.next_seq, local.next_seq)
        self._local = local
        self._shared = shared
        self._chain = chain
        self._writer = f"{shared.config.node}-{incarnation}"
        self._frames: list[tuple[bytes, int]] = []
        """Of each that the log has not: its bytes, and how many sequence numbers it takes."""
        self._begun: _Appending | None = None
        self._begun_frames = 0
        self._fault = ""
        self._disk_asked_s: float | None = None
        self.synced_seq = local.next_seq - 1

    @property
    def local(self) -> Journal:
        """The journal here."""
        return self._local

    @property
    def log_id(self) -> str:
        """As `Journal.log_id`."""
        return self._local.log_id

    @property
    def identity(self) -> Identity:
        """As `Journal.identity`."""
        return self._local.identity

    @property
    def next_seq(self) -> int:
        """As `Journal.next_seq`."""
        return self._local.next_seq

    @property
    def last_time_ns(self) -> int:
        """As `Journal.last_time_ns`."""
        return self._local.last_time_ns

    @property
    def is_poisoned(self) -> bool:
        """As `Journal.is_poisoned`."""
        return bool(self._fault) or self._local.is_poisoned

    @property
    def epoch(self) -> int:
        """The epoch that this node leads."""
        return self._chain.epoch

    @property
    def log_seq(self) -> int:
        """The log's last message that this node knows of."""
        return self._chain.log_seq

    @property
    def disk_waited_s(self) -> float:
        """For how long the disk here has not answered; for any thread."""
        asked_s = self._disk_asked_s
        return 0.0 if asked_s is None else time.monotonic() - asked_s

    def append(self, kind: FrameKind, count: int, time_ns: int, payload: "Buffer") -> int:
        """Write one frame and return its first sequence number, as `Journal.append` does.

        Raises
        ------
        JournalFull
            The disk here takes no more: nothing was appended, and nothing will be in the log.
        JournalPoisoned
            An earlier failure left the end unknown; or Fenced, OutcomeUnknown.
        """
        self._usable_check()
        if self._local.is_segment_full:
            # A sealed segment has only what the log has: what it has not could be cut no more.
            self.sync()
        data = self._local.frame(kind, count, time_ns, payload, synced_seq=self.synced_seq)
        seq = self._local.append_frame(data, count, time_ns)
        self._frames.append((data, count))
        return seq

    def sync_begin(self) -> None:
        """Let the log have what was appended, while the caller does something else."""
        if self._begun is None and self._frames:
            group = self._groups()[0]
            self._begun, self._begun_frames = self._frames_begin(group), len(group)

    def sync(self) -> int:
        """Return the last sequence number once it is on disk here and in the log.

        Raises
        ------
        Fenced
            Another node leads.
        OutcomeUnknown
            Nobody could say in time whether the log has it.
        JournalPoisoned
            The disk here failed.
        """
        self._usable_check()
        self.sync_begin()
        self._disk_asked_s = time.monotonic()
        try:
            self._local.sync()
        except JournalPoisoned as error:
            self._fault = str(error)
            raise
        finally:
            self._disk_asked_s = None
        while self._begun is not None:
            self._message_end(self._begun)
            del self._frames[: self._begun_frames]
            self._begun = None
            self.sync_begin()
        self.synced_seq = self._local.next_seq - 1
        return self.synced_seq

    def record(self, kind: MessageKind, payload: bytes) -> None:
        """Append a record of the log's own behind all that was written; raises as `sync`."""
        self.sync()
        self._message_end(self._message_begin(kind, 0, [payload]))

    def point(self) -> JournalPoint:
        """As `Journal.point`."""
        self._usable_check()
        return self._local.point()

    def close(self) -> None:
        """Seal the segment if the log has all of it; else leave it to be compared and cut."""
        if self._fault or self._frames:
            self._local.abandon()
        else:
            self._local.close()
        self._fault = self._fault or "the journal is closed"

    def _groups(self) -> list[list[tuple[bytes, int]]]:
        """Return the frames that the log has not, in as many parts as they are messages."""
        groups: list[list[tuple[bytes, int]]] = []
        bytes_left = 0
        for data, count in self._frames:
            if len(data) > bytes_left:
                groups.append([])
                bytes_left = MESSAGE_BYTES_MAX
            groups[-1].append((data, count))
            bytes_left -= len(data)
        return groups

    def _frames_begin(self, frames: list[tuple[bytes, int]]) -> _Appending:
        count = sum(count for _, count in frames)
        return self._message_begin(MessageKind.FRAMES, count, [data for data, _ in frames])

    def _message_begin(self, kind: MessageKind, count: int, parts: list[bytes]) -> _Appending:
        chain = self._chain
        head = Head(kind, chain.epoch, chain.epoch_log_seq, chain.next_seq, count, chain.sha256)
        data = message_encode(head, parts)
        message_id = f"{chain.epoch}-{self._writer}-{chain.log_seq}"
        outcome = self._shared.append_begin(chain.log_seq, message_id, data)
        return _Appending(outcome, head, sha256_of(data))

    def _message_end(self, appending: _Appending) -> None:
        chain, outcome = self._chain, appending.outcome.result()
        place = f"message {chain.log_seq + 1} of the log, sequence {chain.next_seq}"
        if outcome is Outcome.FENCED:
            self._fault = f"fenced: {place} is another leader's"
            raise Fenced(self._fault)
        if outcome is Outcome.UNKNOWN:
            self._fault = f"unknown: whether the log has {place} could not be found out"
            raise OutcomeUnknown(self._fault)
        chain.take(LogMessage(chain.log_seq + 1, appending.head, b"", appending.sha256))

    def _usable_check(self) -> None:
        if self._fault:
            raise JournalPoisoned(self._fault)
