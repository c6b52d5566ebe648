"""What passes between an institution and the venue, as messages and the time: no socket, no clock.

    venue's records, published or replayed --->  settlement  ---> RecordsAsked, ConnectionDropped
    venue's questions for the feed         --->  feed        ---> FeedAnswered

The published stream is a hint, the replay is the truth: whatever is missing, by a gap or by what a
heartbeat says, is asked for again. While an answer is awaited what is published is not taken, so
that it is still there to follow the answer.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import msgspec
import numpy as np
import structlog

from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.venue_link.feed import VENUE, FeedRequest, feed_answer, feed_lacking
from cea_exchange.institution.venue_link.stream import (
    Heartbeat,
    RunHeader,
    StreamError,
    heartbeat_decode,
    run_decode,
)
from cea_exchange.institution.venue_link.stream_settlement import (
    RUN_COUNT_MAX,
    SettlementGap,
    SettlementStopped,
    StreamSettlement,
)
from cea_exchange.ledger.database.interface import (
    DatabaseError,
    DatabaseFull,
    DatabaseLost,
    DatabaseUnreadable,
)
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import DECODE_ERRORS

FEED_WAIT_NS = 100_000_000
REPLAY_WAIT_NS = 1_000_000_000
REPLAY_PAUSE_NS = 50_000_000
FULL_PAUSE_NS = 1_000_000_000
BEHIND_NS_MAX = 1_000_000_000
"""A venue's heartbeats that were on their way while it was asked tell of less than it has answered;
one that goes on so is behind what is settled."""
WAITING_COUNT_MAX = 64
"""Feed requests that wait, of as many connections; the venue has one."""

Measured = Callable[[np.ndarray], AbstractContextManager[None]]
"""Goes around the work on a run of records, to count and time it."""

log = structlog.get_logger()
_request_decoder = msgspec.msgpack.Decoder(FeedRequest)


class RecordsAsked(NamedTuple):
    """The venue is to be asked for records from a number on."""

    log_id: str | None
    first_seq: int


class ConnectionDropped(NamedTuple):
    """The venue has not answered for too long: what it still says is to be heard no more."""


class VenueRefused(NamedTuple):
    """Who publishes there is not the venue that leads: nothing of it is taken."""

    why: str


class FeedAnswered(NamedTuple):
    """An answer to the venue over the connection that asked."""

    connection: bytes
    content: bytes


VenueOutput = RecordsAsked | ConnectionDropped | VenueRefused | FeedAnswered


class _Waiting(msgspec.Struct):
    """A feed request that is held until there is news, for a moment at most."""

    request: FeedRequest
    until_ns: int


class VenueTurns:
    """Follows the venue's records into a settlement, and answers its questions for the feed.

    Parameters
    ----------
    store
        Open for writing; the caller's to close.
    clock
        Follows the days of the records.
    settlement
        Where records go.
    measured
        See `Measured`.

    Attributes
    ----------
    last_seq : int
        The last settlement record that is applied.
    stopped : str
        Why nothing more is settled in this process's life; empty if it is.
    is_settling : bool
        Whether there may be a batch to settle.
    """

    def __init__(
        self,
        store: Store,
        clock: InstitutionClock,
        settlement: StreamSettlement,
        *,
        measured: Measured = lambda records: nullcontext(),
    ) -> None:
        self._store = store
        self._clock = clock
        self._settlement = settlement
        self._measured = measured
        self.stopped = ""
        self.is_settling = True
        self.last_seq = store.last_seq
        self._reported: tuple[int, str] = (-1, "")
        self._venue_last_seq = 0
        self._is_connected = False
        self._asked_at_ns: int | None = None
        self._ask_from_ns = 0
        self._behind_since_ns: int | None = None
        self._waiting: dict[bytes, _Waiting] = {}
        self._outputs: list[VenueOutput] = []
        store.partners.stops.append(lambda: self.stopped)
        if store.log_id is not None:
            # A ledger from an older copy of its folder would give numbers that the venue has.
            store.partners.await_word(VENUE)

    @property
    def state(self) -> str:
        """``ok``, ``diverged: ...`` or ``stopped: ...``: whether the line moves."""
        try:
            return self._store.partners.stopped() or "ok"
        except DatabaseLost:
            raise
        except DatabaseError as error:
            # A disk that can't be read now; nobody is to take it for a line that moves.
            return f"stopped: the database can't be read: {error}"

    @property
    def lag_records(self) -> int:
        """How many records the venue has announced that are not applied."""
        return max(0, self._venue_last_seq - self.last_seq)

    @property
    def is_listening(self) -> bool:
        """Whether what is published is taken now."""
        return self._is_connected and self._asked_at_ns is None

    def outputs(self) -> list[VenueOutput]:
        """Return what is to be said since the last time, in order."""
        said, self._outputs = self._outputs, []
        return said

    def resume(self) -> None:
        """Go on with what a database that was lost has."""
        self.last_seq = self._store.last_seq

    # -- the venue's records ------------------------------------------------------------------

    def connected(self, now_ns: int) -> None:
        """Hear of a fresh connection to the venue, and ask over it."""
        self._is_connected, self._asked_at_ns, self._behind_since_ns = True, None, None
        # What another one has announced, this one may not have yet.
        self._venue_last_seq = self.last_seq
        self._ask(now_ns)

    def disconnected(self) -> None:
        """Hear that there is no connection."""
        self._is_connected, self._asked_at_ns = False, None

    def published(self, messages: Iterable[list[bytes]], now_ns: int) -> None:
        """Take what was published, as one run as long as it is contiguous.

        Parameters
        ----------
        messages
            As they came, frame by frame; no more of them is taken than a transaction should have.
        now_ns
            The time.
        """
        runs: list[np.ndarray] = []
        count, log_id = 0, ""
        for frames in messages:
            try:
                records = self._published_read(frames, now_ns)
            except StreamError as error:
                self.stop_line(str(error))
                return
            if records is None or len(records[1]) == 0:
                continue
            log_id, rows = records
            self._venue_last_seq = max(self._venue_last_seq, int(rows[-1]["settlement_seq"]))
            if runs and int(rows[0]["settlement_seq"]) != 1 + int(runs[-1][-1]["settlement_seq"]):
                self._apply(log_id, np.concatenate(runs), now_ns)
                runs, count = [], 0
            runs.append(rows)
            count += len(rows)
            if count >= RUN_COUNT_MAX:
                break
        if runs:
            self._apply(log_id, np.concatenate(runs), now_ns)

    def _published_read(
        self, frames: list[bytes], now_ns: int
    ) -> tuple[str, np.ndarray] | None:
        """Return a run and of which journal; None for a heartbeat, which is noted."""
        if frames[0] == b"H" and len(frames) == 2:
            self._beat_note(heartbeat_decode(frames[1]), now_ns)
            return None
        if frames[0] != b"S" or len(frames) != 3:
            raise StreamError(f"settlement message: expected S or H, got {frames[0][:8]!r}")
        run, records = run_decode(frames[1], frames[2])
        return run.log_id, records

    def _beat_note(self, beat: Heartbeat, now_ns: int) -> None:
        """Note how far a venue is; refuse one of another log, and one that went back."""
        self._venue_last_seq = max(self._venue_last_seq, beat.last_seq)
        known = self._store.log_id
        if known not in (None, beat.log_id):
            self._outputs.append(VenueRefused(f"log_id: expected {known}, got {beat.log_id}"))
        elif beat.last_seq >= self.last_seq:
            self._behind_since_ns = None
        elif self._behind_since_ns is None:
            self._behind_since_ns = now_ns
        elif now_ns - self._behind_since_ns > BEHIND_NS_MAX:
            self._behind_since_ns = now_ns
            expected = f"{self.last_seq} or more, as settled here, got {beat.last_seq}"
            self._outputs.append(VenueRefused(f"settlement_seq: expected {expected}"))

    def replayed(self, frames: list[bytes], now_ns: int) -> None:
        """Take the venue's answer to a question for records."""
        self._asked_at_ns = None
        try:
            if len(frames) != 2:
                raise StreamError(f"replay answer: expected 2 frames, got {len(frames)}")
            run, records = run_decode(frames[0], frames[1])
        except StreamError as error:
            self.stop_line(str(error))
            return
        self._feed_compare(run)
        self._ask_from_ns = now_ns + (0 if len(records) else REPLAY_PAUSE_NS)
        self._apply(run.log_id, records, now_ns)

    def _feed_compare(self, run: RunHeader) -> None:
        """Note whether the venue has items of the feed that the ledger lacks.

        Notes
        -----
        Rules: CEA-REG-09.
        """
        if self._store.log_id not in (None, run.log_id):
            return
        lacks = "" if run.feed_seq is None else feed_lacking(
            self._store, run.feed_seq, run.feed_hash
        )
        if self._store.partners.heard(VENUE, lacks) and lacks:
            log.error("ledger_lacks_records", why=lacks)

    def _apply(self, log_id: str, records: np.ndarray, now_ns: int) -> None:
        """Settle records, or say why not."""
        if self.stopped:
            return
        if self._store.partners.lacking:
            # What follows would be settled upon, and numbered for the venue, by another ledger.
            self._ask_from_ns = now_ns + FULL_PAUSE_NS
            return
        try:
            with self._measured(records):
                self.last_seq = self._settlement.apply(log_id, records)
            if len(records):
                self._clock.follow(int(records["trading_date"].max()))
            self.is_settling = True
        except SettlementGap as gap:
            log.info("settlement_gap", expected=gap.expected, got=gap.got)
            self._venue_last_seq = max(self._venue_last_seq, gap.got)
        except SettlementStopped as error:
            self.stop_line(str(error))
        except DatabaseFull as error:
            # Nothing was committed; the records are asked for again when there may be space.
            log.error("disk_full", error=str(error))
            self._ask_from_ns = now_ns + FULL_PAUSE_NS
        except (DatabaseLost, MemoryError):
            raise
        except DatabaseUnreadable:
            self._ask_from_ns = now_ns + FULL_PAUSE_NS
            raise
        except Exception as error:
            self._broken_line_stop(error)
        finally:
            self.last_seq = self._store.last_seq

    def missing_ask(self, now_ns: int) -> None:
        if self._asked_at_ns is not None and now_ns - self._asked_at_ns >= REPLAY_WAIT_NS:
            self._asked_at_ns, self._ask_from_ns = None, now_ns
            self._outputs.append(ConnectionDropped())
        behind = self._venue_last_seq > self.last_seq
        if behind and not self.stopped and now_ns >= self._ask_from_ns:
            self._ask(now_ns)

    def _ask(self, now_ns: int) -> None:
        """Ask for records, unless an answer is awaited."""
        if self._is_connected and self._asked_at_ns is None:
            self._asked_at_ns = now_ns
            self._outputs.append(RecordsAsked(self._store.log_id, self.last_seq + 1))

    def _broken_line_stop(self, error: Exception) -> None:
        """Stop in front of what can't be applied for a reason nobody foresaw; nothing of it was."""
        log.error("settlement_broke", exc_info=True)  # noqa: LOG014 - its caller handles one
        self.stop_line(f"{type(error).__name__}: {error}")

    def stop_line(self, why: str) -> None:
        """Nothing more is settled in this process's life; everything else goes on."""
        if not self.stopped:
            self.stopped = f"stopped: {why}"
            log.error("settlement_stopped", why=why, last_seq=self.last_seq)

    def settle_batch(self) -> None:
        """Post some of what waits for the close, while everything else goes on."""
        if not self.is_settling:
            return
        if self.stopped or self._store.partners.lacking:
            self.is_settling = False
            return
        try:
            self.is_settling = self._settlement.settle_batch()
        except SettlementStopped as error:
            self.stop_line(str(error))
        except DatabaseFull as error:
            log.error("disk_full", error=str(error))
            self.is_settling = False
        except (DatabaseLost, DatabaseUnreadable, MemoryError):
            raise
        except Exception as error:
            self._broken_line_stop(error)

    # -- the feed -----------------------------------------------------------------------------

    def feed_question(self, connection: bytes, payload: bytes, now_ns: int) -> str:
        """Take a question of the venue; return why it is none, empty if it is one."""
        try:
            request = _request_decoder.decode(payload)
        except DECODE_ERRORS as error:
            return str(error)
        self._waiting.pop(connection, None)
        if len(self._waiting) >= WAITING_COUNT_MAX:
            del self._waiting[next(iter(self._waiting))]
        self._waiting[connection] = _Waiting(request, now_ns + FEED_WAIT_NS)
        return ""

    def feed_answer(self, now_ns: int) -> None:
        """Answer the questions for which there is news, or that have waited long enough."""
        if not self._waiting:
            return
        state = self.state
        news = (self.last_seq, state)
        for connection, waiting in list(self._waiting.items()):
            # Whatever an answer runs into, it is asked for again.
            del self._waiting[connection]
            request = waiting.request
            known = self._store.log_id
            if known is not None and request.log_id not in (None, known):
                # Another market's indexes mean other accounts; it gets nothing.
                why = f"stopped: log_id: expected {known}, got {request.log_id}"
                request = FeedRequest(first=1, count=0)
                answer = feed_answer(self._store, request, why)
            else:
                answer = feed_answer(self._store, request, state)
                quiet = not answer["items"] and news == self._reported
                if quiet and now_ns < waiting.until_ns:
                    self._waiting[connection] = waiting
                    continue
            self._reported = news
            self._outputs.append(FeedAnswered(connection, msgspec.msgpack.encode(answer)))
