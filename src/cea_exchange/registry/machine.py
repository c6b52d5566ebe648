"""The registry as a state machine: messages and the time go in, messages to send come out.

    venue's records, published or replayed --->  settlement  ---> RecordsAsked, ConnectionDropped
    venue's questions for the feed         --->  feed        ---> FeedAnswered
    what the bank has said                 --->  bank        ---> Errand
    persons' requests                      --->  service     ---> replies
    what platform and CCER registry answer --->  links       ---> LinkAsked, LinkDropped

The published stream is a hint, the replay is the truth: whatever is missing, by a gap or by what a
heartbeat says, is asked for again. While an answer is awaited what is published is not taken, so
that it is still there to follow the answer.

It knows no socket, thread or clock; all that it keeps is in the database. Times called `now_ns` are
of a clock that never goes back; the time and day of acts are those of the registry's own clock.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import msgspec
import numpy as np
import structlog

from cea_exchange.institution.clock import InstitutionClock
from cea_exchange.institution.links.turns import LinkAsked, LinkDropped, LinkTurns
from cea_exchange.institution.machine import InstitutionMachine
from cea_exchange.institution.persons import Person
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.database.interface import DatabaseFull, DatabaseLost
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.registry.bank.errands import Brought, Errand, Errands
from cea_exchange.registry.bank.payments import BATCH_COUNT_MAX
from cea_exchange.registry.bank.schedule import StatementSchedule
from cea_exchange.registry.bank.service import BankService
from cea_exchange.registry.ccer_link.turns import CcerTurns
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.service import RegistryService
from cea_exchange.registry.platform_link.turns import PlatformTurns
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import (
    RUN_COUNT_MAX,
    Settlement,
    SettlementGap,
    SettlementStopped,
)
from cea_exchange.registry.venue_link.feed import FeedRequest, feed_answer
from cea_exchange.registry.venue_link.stream import StreamError, heartbeat_decode, run_decode

FEED_WAIT_NS = 100_000_000
REPLAY_WAIT_NS = 1_000_000_000
REPLAY_PAUSE_NS = 50_000_000
FULL_PAUSE_NS = 1_000_000_000
BANK_LOOK_NS = 500_000_000
BANK_RETRY_NS = 10_000_000_000
WAITING_LOOK_NS = 1_000_000_000
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


class FeedAnswered(NamedTuple):
    """An answer to the venue over the connection that asked."""

    connection: bytes
    content: bytes


Output = RecordsAsked | ConnectionDropped | FeedAnswered | LinkAsked | LinkDropped | Errand


class _Waiting(msgspec.Struct):
    """A feed request that is held until there is news, for a moment at most."""

    request: FeedRequest
    until_ns: int


class RegistryMachine(InstitutionMachine):
    """A registry without its sockets.

    Parameters
    ----------
    store
        Open for writing; the caller's to close.
    clock
        The time and day of acts.
    config
        The settings.
    operators
        The registry's own persons and the regulators, by public key.
    settlement_class
        For tests that put a faulty one in its place.
    measured
        See `Measured`.
    place
        Tells what only the daemon knows, for `Status`.
    fatal
        What no part of a turn may go on from, see `Troubles`.

    Attributes
    ----------
    registry : Registry
        What is acted upon.
    links : dict of str to LinkTurns
        What is asked of other institutions and what comes, by their names.
    last_seq : int
        The last settlement record that is applied.
    """

    def __init__(
        self,
        store: Store,
        clock: InstitutionClock,
        config: RegistryConfig,
        operators: dict[str, Person],
        *,
        settlement_class: Callable[..., Settlement] = Settlement,
        measured: Measured = lambda records: nullcontext(),
        place: Callable[[], dict[str, Any]] = dict,
        fatal: tuple[type[Exception], ...] = (),
    ) -> None:
        self._store = store
        clock.follow(store.confirmed_date)
        self.registry = Registry(store, clock=clock, admission=config.admission)
        self.registry.persons.operators = operators
        self.registry.bank.setting = config.bank
        self.links: dict[str, LinkTurns] = {
            "platform": PlatformTurns(self.registry.platform_stream),
            "ccer": CcerTurns(self.registry.ccer_proofs),
        }
        if config.platform is not None:
            self.registry.platform_follow(acts_by_hand=config.platform.acts_by_hand)
        self.registry.offsets.by_link_only = config.ccer is not None
        self._settlement = settlement_class(
            store,
            mode=config.settlement_mode,
            **({} if config.bank is None else {"is_ready": self.registry.bank.is_ready}),
        )
        self._errands = self._errands_made(config)
        self._measured = measured
        self._bank_at_ns = self._retry_at_ns = 0
        self._waiting_at_ns, self._retried_date = 0, store.confirmed_date
        self._stopped = ""
        self._is_settling = True
        self.last_seq = store.last_seq
        self._reported: tuple[int, str] = (-1, "")
        self._venue_last_seq = 0
        self._is_connected = False
        self._asked_at_ns: int | None = None
        self._ask_from_ns = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._outputs: list[Output] = []
        service = RegistryService(
            self.registry,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self.place,
        )
        super().__init__(service, clock, place=place, fatal=fatal)
        self._settlement.reconsider()
        self._balances_check()

    def _errands_made(self, config: RegistryConfig) -> Errands | None:
        """Return what is under way to the bank; None where files are carried by hand."""
        if config.bank is None or config.bank.data is None:
            return None
        schedule = StatementSchedule(self._store, config.bank.statement_time())
        self.registry.bank.schedule = schedule
        return Errands()

    def _balances_check(self) -> None:
        """Stop the line on a ledger that contradicts itself: it must not be settled upon."""
        odd = accounts_differing(self._store)
        if odd:
            self._stop_line(f"balances are not the sum of the postings: {', '.join(odd[:10])}")

    def resume(self) -> None:
        """Go on with what a database that was lost has; DatabaseError if it is away again."""
        self._balances_check()
        self.registry.platform_stream.resume()
        self.last_seq = self._store.last_seq

    # -- how it stands ------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``ok``, ``diverged: ...`` or ``stopped: ...``: whether the line moves."""
        state = self._store.state
        return self._stopped if state == "ok" and self._stopped else state

    @property
    def lag_records(self) -> int:
        """How many records the venue has told of that are not applied."""
        return max(0, self._venue_last_seq - self.last_seq)

    @property
    def has_work(self) -> bool:
        """Whether a turn would do something though nothing has come."""
        return self._is_settling

    @property
    def is_listening(self) -> bool:
        """Whether what is published is taken now."""
        return self._is_connected and self._asked_at_ns is None

    def own_place(self) -> dict[str, Any]:
        """Return how far it is behind the venue."""
        return {"lag_records": self.lag_records}

    def log_fields(self) -> dict[str, Any]:
        """Return what the log says of it as it begins and ends, without the database."""
        return {"last_seq": self.last_seq}

    def troubles_shown(self) -> dict[str, str]:
        """Return by part what keeps it from being done now."""
        schedule = self.registry.bank.schedule
        statement = "" if schedule is None else schedule.trouble
        others = {"bank_statement": statement}
        others |= {name: link.stopped for name, link in self.links.items()}
        return self.troubles.shown() | {part: text for part, text in others.items() if text}

    # -- its turn -----------------------------------------------------------------------------

    def outputs(self) -> list[Output]:
        """Return what is to be said since the last time, in order."""
        said, self._outputs = self._outputs, []
        if self._errands is not None:
            said += self._errands.taken_out()
        return said

    def turn(self, now_ns: int) -> None:
        """Do what is due: the bank, what waits, the venue's questions."""
        noted = self.troubles.noted
        self._bank_turn(now_ns)
        with noted("batch_settlement", now_ns):
            self._batch_settle()
        with noted("waiting", now_ns):
            self._waiting_look(now_ns)
        with noted("replay", now_ns):
            self._missing_ask(now_ns)
        with noted("feed_answer", now_ns):
            self._feed_answer(now_ns)
        for name, link in self.links.items():
            with noted(name, now_ns):
                self._outputs += link.turn(now_ns)

    def day_log(self) -> None:
        """Tell the log which duties are overdue."""
        for duty in self.registry.duties.open():
            if duty.is_overdue:
                log.warning("duty_overdue", **duty._asdict())

    # -- the venue's records ------------------------------------------------------------------

    def venue_connected(self, now_ns: int) -> None:
        """Hear of a fresh connection to the venue, and ask over it."""
        self._is_connected, self._asked_at_ns = True, None
        self._ask(now_ns)

    def venue_disconnected(self) -> None:
        """Hear that there is no connection."""
        self._is_connected, self._asked_at_ns = False, None

    def published(self, messages: Iterable[list[bytes]], now_ns: int) -> None:
        """Take what was published, as one run as long as it is contiguous.

        Parameters
        ----------
        messages
            As they came, frame by frame; no more of them is taken than a transaction should have.
        """
        runs: list[np.ndarray] = []
        count, log_id = 0, ""
        for frames in messages:
            try:
                records = self._published_read(frames)
            except StreamError as error:
                self._stop_line(str(error))
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

    def _published_read(self, frames: list[bytes]) -> tuple[str, np.ndarray] | None:
        """Return a run and of which journal; None for a heartbeat, which is noted."""
        if frames[0] == b"H" and len(frames) == 2:
            beat = heartbeat_decode(frames[1])
            self._venue_last_seq = max(self._venue_last_seq, beat.last_seq)
            return None
        if frames[0] != b"S" or len(frames) != 3:
            raise StreamError(f"settlement message: expected S or H, got {frames[0][:8]!r}")
        return run_decode(frames[1], frames[2])

    def replayed(self, frames: list[bytes], now_ns: int) -> None:
        """Take the venue's answer to a question for records."""
        self._asked_at_ns = None
        try:
            if len(frames) != 2:
                raise StreamError(f"replay answer: expected 2 frames, got {len(frames)}")
            log_id, records = run_decode(frames[0], frames[1])
        except StreamError as error:
            self._stop_line(str(error))
            return
        self._ask_from_ns = now_ns + (0 if len(records) else REPLAY_PAUSE_NS)
        self._apply(log_id, records, now_ns)

    def _apply(self, log_id: str, records: np.ndarray, now_ns: int) -> None:
        """Settle records, or say why not."""
        if self._stopped:
            return
        try:
            with self._measured(records):
                self.last_seq = self._settlement.apply(log_id, records)
            if len(records):
                self._clock.follow(int(records["trading_date"].max()))
            self._is_settling = True
        except SettlementGap as gap:
            log.info("settlement_gap", expected=gap.expected, got=gap.got)
            self._venue_last_seq = max(self._venue_last_seq, gap.got)
        except SettlementStopped as error:
            self._stop_line(str(error))
        except DatabaseFull as error:
            # Nothing was committed; the records are asked for again when there may be space.
            log.error("disk_full", error=str(error))
            self._ask_from_ns = now_ns + FULL_PAUSE_NS
        except (DatabaseLost, MemoryError):
            raise
        except Exception as error:
            self._broken_line_stop(error)
        finally:
            self.last_seq = self._store.last_seq

    def _missing_ask(self, now_ns: int) -> None:
        if self._asked_at_ns is not None and now_ns - self._asked_at_ns >= REPLAY_WAIT_NS:
            self._asked_at_ns, self._ask_from_ns = None, now_ns
            self._outputs.append(ConnectionDropped())
        behind = self._venue_last_seq > self.last_seq
        if behind and not self._stopped and now_ns >= self._ask_from_ns:
            self._ask(now_ns)

    def _ask(self, now_ns: int) -> None:
        """Ask for records, unless an answer is awaited."""
        if self._is_connected and self._asked_at_ns is None:
            self._asked_at_ns = now_ns
            self._outputs.append(RecordsAsked(self._store.log_id, self.last_seq + 1))

    def _broken_line_stop(self, error: Exception) -> None:
        """Stop in front of what can't be applied for a reason nobody foresaw; nothing of it was."""
        log.error("settlement_broke", exc_info=True)  # noqa: LOG014 - its caller handles one
        self._stop_line(f"{type(error).__name__}: {error}")

    def _stop_line(self, why: str) -> None:
        """Nothing more is settled in this process's life; everything else goes on."""
        if not self._stopped:
            self._stopped = f"stopped: {why}"
            log.error("settlement_stopped", why=why, last_seq=self.last_seq)

    # -- what waits ---------------------------------------------------------------------------

    def _batch_settle(self) -> None:
        """Post some of what waits for the close, while everything else goes on."""
        if self._stopped or not self._is_settling:
            return
        try:
            self._is_settling = self._settlement.settle_batch()
        except SettlementStopped as error:
            self._stop_line(str(error))
        except DatabaseFull as error:
            log.error("disk_full", error=str(error))
            self._is_settling = False
        except (DatabaseLost, MemoryError):
            raise
        except Exception as error:
            self._broken_line_stop(error)

    def _waiting_look(self, now_ns: int) -> None:
        """Try again what waits, once a day is confirmed: it may have waited for its trades."""
        if self._stopped or now_ns < self._waiting_at_ns:
            return
        self._waiting_at_ns = now_ns + WAITING_LOOK_NS
        date = self._store.confirmed_date
        if date != self._retried_date:
            self.registry.defaults.retry()
            self._retried_date = date

    # -- the bank -----------------------------------------------------------------------------

    def brought_back(self, brought: Brought) -> None:
        """Take what came of an errand to the bank; what is in it is read in a turn."""
        if self._errands is not None:
            self._errands.brought_back(brought)

    def _bank_turn(self, now_ns: int) -> None:
        """Make what the bank is to be told, let it be carried, and take what came back."""
        if self._errands is None or now_ns < self._bank_at_ns or self._stopped:
            return
        if not self._clock.is_known:
            # What the bank is told to do, and what comes of it, is of a day.
            return
        self._bank_at_ns = now_ns + BANK_LOOK_NS
        with self.troubles.noted("bank", now_ns):
            if self._bank_instruct(self._errands, now_ns):
                self._bank_at_ns = now_ns
        with self.troubles.noted("bank_answers", now_ns):
            self._bank_answers_take(self._errands, now_ns)
        with self.troubles.noted("bank_statements", now_ns):
            self._bank_statements_take(self._errands, self.registry.bank, now_ns)
        self._is_settling = True

    def _bank_instruct(self, errands: Errands, now_ns: int) -> bool:
        """Make instructions and let batches be carried; say whether there is more to make."""
        bank = self.registry.bank
        is_more = bank.instruct()
        busy = errands.busy(now_ns)
        room = BATCH_COUNT_MAX - errands.count
        for batch in bank.batches(room, but=busy):
            errands.carry(batch, now_ns, is_sent=False)
        for batch in bank.batches_pending(room, but=busy):
            errands.carry(batch, now_ns, is_sent=True)
        return is_more

    def _bank_answers_take(self, errands: Errands, now_ns: int) -> None:
        """Take each answer by itself: what one can't be taken for, another may."""
        for batch, content in errands.answers():
            with self.troubles.noted("bank_answer", now_ns):
                self.registry.bank.reports.answer_take(batch, content)
        if now_ns >= self._retry_at_ns:
            self._retry_at_ns = now_ns + BANK_RETRY_NS
            self.registry.bank.reports.retry_some()

    def _bank_statements_take(self, errands: Errands, bank: BankService, now_ns: int) -> None:
        """Let the statement that is due be fetched, and read what came, whole or not at all."""
        schedule = bank.schedule
        assert schedule is not None
        for asked, content in errands.statements():
            why = content if isinstance(content, str) else bank.statement_take(asked, content)
            schedule.end(asked, why)
            if why:
                log.warning("bank_statement_refused", **asked._asdict(), error=why)
            else:
                log.info("bank_statement", **asked._asdict())
        due = schedule.due(self.registry.now_ns())
        if due is not None:
            errands.fetch(due, now_ns)

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

    def _feed_answer(self, now_ns: int) -> None:
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
