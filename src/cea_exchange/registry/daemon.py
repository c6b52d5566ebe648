"""The registry daemon: follows the venue's settlement stream, feeds the venue, takes acts.

One thread, one writer::

    venue PUB ---records, heartbeat---> SUB     \\
    venue ROUTER <--ask / records--->   DEALER   +-- Settlement -- Store (SQLite)
    venue DEALER ---from n--->          ROUTER  /
                 <--items, watermark---
    operators DEALER <--acts-->         ROUTER

The PUB stream is a hint, the replay is the truth: whatever is missing, by a gap or by what a
heartbeat says, is asked for again. While an answer is awaited the SUB socket is not read, so that
what was published meanwhile is still there to follow the answer.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
import structlog
import zmq

from cea_exchange.control_plane.door import HIGH_WATER_MARK, Message, UnreadableCount
from cea_exchange.control_plane.fronts import DoorLimits
from cea_exchange.control_plane.host import DaemonHost
from cea_exchange.control_plane.service import Asked, Reply
from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.ledger.balances_check import accounts_differing
from cea_exchange.ledger.database.interface import DatabaseError, DatabaseFull, DatabaseLost
from cea_exchange.ledger.store import DatabaseAway, Store
from cea_exchange.protocol.clock import Clock
from cea_exchange.protocol.control import DECODE_ERRORS
from cea_exchange.protocol.metrics_http import MetricsServer
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.registry.bank.client import BankClient
from cea_exchange.registry.bank.courier import BankCourier
from cea_exchange.registry.bank.payments import BATCH_COUNT_MAX
from cea_exchange.registry.bank.schedule import StatementSchedule
from cea_exchange.registry.bank.service import BankService
from cea_exchange.registry.clock import GuardedClock, noted_ns
from cea_exchange.registry.config import RegistryConfig
from cea_exchange.registry.control.admin import Status, Stop
from cea_exchange.registry.control.admin_door import AdminDoor, answer_encoded
from cea_exchange.registry.control.metrics import RegistryMetrics
from cea_exchange.registry.control.query_service import Looks
from cea_exchange.registry.control.query_worker import LookSettings
from cea_exchange.registry.control.requests.request import REQUEST_BYTES_MAX
from cea_exchange.registry.control.service import Desk, outcome_unknown
from cea_exchange.registry.control.troubles import Troubles
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.settlement import (
    RUN_COUNT_MAX,
    Settlement,
    SettlementGap,
    SettlementStopped,
)
from cea_exchange.registry.venue_link.connection import VenueLine, venue_endpoints_read
from cea_exchange.registry.venue_link.feed import FeedRequest, feed_answer
from cea_exchange.registry.venue_link.stream import (
    StreamError,
    heartbeat_decode,
    run_decode,
)

POLL_MS = 20
FEED_WAIT_NS = 100_000_000
REPLAY_PAUSE_NS = 50_000_000
ENDPOINTS_LOOK_NS = 200_000_000
FULL_PAUSE_NS = 1_000_000_000
BANK_LOOK_NS = 500_000_000
BANK_RETRY_NS = 10_000_000_000
WAITING_LOOK_NS = 1_000_000_000
FRONTS_LOOK_S = 0.1
RECONNECT_FIRST_S = 0.05
RECONNECT_LAST_S = 2.0
MESSAGES_PER_TURN_MAX = 100
ACTS_S = 0.02
"""So long acts are taken one after the other, before settlement, feed and bank have their turn."""
FEED_REQUEST_BYTES_MAX = 4_096
WAITING_COUNT_MAX = 64
"""Feed requests that wait, of as many connections; the venue has one."""

log = structlog.get_logger()
_request_decoder = msgspec.msgpack.Decoder(FeedRequest)


class _Waiting(msgspec.Struct):
    """A feed request that is held until there is news, for a moment at most."""

    message: Message
    request: FeedRequest
    until_ns: int


class RegistryDaemon:
    """A running registry.

    Parameters
    ----------
    config
        Its settings.
    data
        The data folder, with ``keys/``.
    settlement_class
        For tests that put a faulty one in its place.
    is_stopping
        Asked while the database's server is waited for.

    Raises
    ------
    DatabaseAway
        Its server did not come within `RegistryConfig.database_wait_s`.
    StoreError, SecurityError
        Nothing was bound: the folder is in use, a key is missing, an address can't be had.
    """

    def __init__(
        self,
        config: RegistryConfig,
        data: Path | str,
        settlement_class: Callable[..., Settlement] = Settlement,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config = config
        self._data = Path(data)
        keys = CurveKeys.load(self._data / "keys", "registry")
        self._venue_key = config.venue_key(self._data)
        operators = config.persons_by_key(self._data)
        self._store = store_awaited(
            self._data, config.database, config.database_wait_s, is_stopping
        )
        self._clock = GuardedClock(Clock(config.clock), noted_ns(self._store))
        self._clock.follow(self._store.confirmed_date)
        self._registry = Registry(self._store, clock=self._clock, admission=config.admission)
        self._registry.persons.operators = operators
        self._registry.bank.setting = config.bank
        self._registry.bank_files.folder = self._data / "registry" / "bank"
        self._settlement = settlement_class(
            self._store,
            mode=config.settlement_mode,
            **({} if config.bank is None else {"is_ready": self._registry.bank.is_ready}),
        )
        self._courier = self._courier_made(keys)
        self._bank_at_ns = self._retry_at_ns = 0
        self._waiting_at_ns, self._retried_date = 0, self._store.confirmed_date
        self._troubles = Troubles()
        self._stopped = ""
        self._is_delivering = True
        self._last_seq = self._store.last_seq
        self._told: tuple[int, str] = (-1, "")
        self._venue_last_seq = 0
        self._waiting: dict[bytes, _Waiting] = {}
        self._ask_from_ns = 0
        self._look_at_ns = 0
        self._nowhere: tuple[str, str] | None = None
        self._date = 0
        self._began_s = time.monotonic()
        self._desk = Desk(
            self._registry,
            second_person=config.second_person,
            proposal_s=config.proposal_s,
            place=self._place,
        )
        self._desk.settings_keep()
        self._looks = Looks(LookSettings(str(self._data), config.database, operators, config.bank))
        self._feed_unreadable = UnreadableCount("feed", log.warning)
        self._fronts_due_s = 0.0
        self._metrics = RegistryMetrics(self._store)
        self._metrics_server: MetricsServer | None = None
        self._host = DaemonHost(keys, log)
        try:
            self._line = VenueLine(self._host.context, keys, self._venue_key)
            self._bind(self._host)
        except BaseException:
            self.close()
            raise

    def _courier_made(self, keys: CurveKeys) -> BankCourier | None:
        """Return who carries what goes to the bank; None where files are carried by hand."""
        setting = self._config.bank
        if setting is None or setting.data is None:
            return None
        schedule = StatementSchedule(self._store, setting.statement_time())
        self._registry.bank.schedule = schedule
        return BankCourier(BankClient(setting.data, keys))

    def _bind(self, host: DaemonHost) -> None:
        self._feed_door = host.door(
            "feed",
            self._config.feed,
            frozenset({self._venue_key}).__contains__,
            FEED_REQUEST_BYTES_MAX,
            domain="registry_feed",
        )
        self._admin_open(host)
        state = self._settlement.reconsider()
        # A ledger that contradicts itself must not be settled upon.
        odd = accounts_differing(self._store)
        if odd:
            self._stop_line(f"balances are not the sum of the postings: {', '.join(odd[:10])}")
        log.info("registry_ready", last_seq=self._last_seq, state=state, **host.endpoints)
        if self._config.metrics is not None:
            self._metrics_server = self._metrics.serve(self._config.metrics, host.pulse.health)
            host.endpoints["metrics"] = self._metrics_server.address
        host.endpoints_write(self._data / "registry" / "endpoints.json", pid=os.getpid())

    def _admin_open(self, host: DaemonHost) -> None:
        """Let persons come to processes of their own."""
        config = self._config
        limits = DoorLimits(HIGH_WATER_MARK, REQUEST_BYTES_MAX)
        self._fronts = host.fronts_open(
            {"admin": (config.admin, limits)},
            count=config.fronts,
            memory_mib_max=config.front_memory_mib_max,
        )
        door = self._fronts.doors["admin"]
        door.admit(self._registry.persons.keys())
        host.fronts_prove()
        self._door = AdminDoor(door)

    def close(self) -> None:
        """Close sockets and database."""
        if self._metrics_server is not None:
            self._metrics_server.close()
        if self._courier is not None:
            self._courier.close()
        if hasattr(self, "_line"):
            self._line.close()
        self._looks.close()
        self._host.close()
        self._store.close()
        log.info("registry_stopped", last_seq=self._last_seq)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def stop(self) -> None:
        """Make `run` return after its current turn; safe in a signal handler."""
        self._host.stop()

    @property
    def state(self) -> str:
        """``ok``, ``diverged: ...`` or ``stopped: ...``: whether the line moves."""
        state = self._store.state
        return self._stopped if state == "ok" and self._stopped else state

    def run(self) -> None:
        """Serve until `stop`.

        Raises
        ------
        SecurityError
            The handler of the allow-list died, or a stranger was admitted; better to end.
        """
        self._host.run(self._watched_turn)

    def _watched_turn(self) -> None:
        self._host.watch(time.monotonic())
        try:
            self._turn()
        except DatabaseLost as error:
            self._database_wait(error)

    def _database_wait(self, lost: DatabaseLost) -> None:
        """Wait until the database is back, and go on with what it says was committed."""
        log.error("database_lost", error=str(lost), last_seq=self._last_seq)
        pause_s = RECONNECT_FIRST_S
        while not self._host.is_stopping:
            self._host.pulse.beat(time.monotonic(), f"database lost: {lost}")
            try:
                self._store.reconnect()
                odd = accounts_differing(self._store)
                self._last_seq = self._store.last_seq
                self._fronts.doors["admin"].admit(self._registry.persons.keys())
            except DatabaseError as error:
                log.warning("database_waited_for", error=str(error))
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RECONNECT_LAST_S)
                continue
            if odd:
                self._stop_line(f"balances are not the sum of the postings: {', '.join(odd[:10])}")
            log.info("database_back", last_seq=self._last_seq)
            return

    def _turn(self) -> None:
        now_ns = time.monotonic_ns()
        told = self._troubles.told
        with told("date"):
            self._date_look()
        with told("venue"):
            self._venue_look(now_ns)
        poller = zmq.Poller()
        for socket, events in self._host.poller.sockets:
            poller.register(socket, events)
        if self._line.dealer is not None:
            poller.register(self._line.dealer, zmq.POLLIN)
        listening = self._line.sub is not None and self._line.asked_at_ns is None
        if listening:
            poller.register(self._line.sub, zmq.POLLIN)
        self._looks.register(poller)
        is_waiting = not self._is_delivering and not len(self._door)
        ready = dict(poller.poll(POLL_MS if is_waiting else 0))
        with told("admin"):
            self._admin_turn(time.monotonic())
        with told("feed"):
            self._feed_take(time.monotonic_ns())
        with told("stream"):
            if self._line.dealer in ready:
                self._replay_take()
            elif listening and self._line.sub in ready:
                self._stream_take()
        self._bank_turn(time.monotonic_ns())
        with told("delivery"):
            self._deliver()
        with told("waiting"):
            self._waiting_look(time.monotonic_ns())
        with told("replay"):
            self._missing_ask(time.monotonic_ns())
        with told("feed_answer"):
            self._feed_answer(time.monotonic_ns())
        state = self.state
        self._host.pulse.beat(time.monotonic(), "" if state == "ok" else state)
        with told("metrics"):
            lag_records = max(0, self._venue_last_seq - self._last_seq)
            self._metrics.turn(
                now_ns,
                lag_records,
                state,
                self._troubles.count,
                is_clock_right=self._clock.warning is None,
            )

    def _date_look(self) -> None:
        """End what ends with a day, once the next one has begun; not by a doubted clock.

        Notes
        -----
        Rules: CEA-REG-08.
        """
        self._registry.clock_take()
        self._clock.now_ns()
        if not self._clock.is_known or (date := self._registry.business_date()) == self._date:
            return
        try:
            expired = self._registry.day_begin()
        except DatabaseFull as error:
            log.error("disk_full", error=str(error))
            return
        self._date = date
        if expired:
            log.info("freezes_expired", freeze_ids=expired)
        for duty in self._registry.duties.open():
            if duty.is_overdue:
                log.warning("duty_overdue", **duty._asdict())

    # -- towards the venue --------------------------------------------------------------------

    def _venue_look(self, now_ns: int) -> None:
        """Connect to where the venue is, which may have changed with its restart."""
        if now_ns < self._look_at_ns:
            return
        self._look_at_ns = now_ns + ENDPOINTS_LOOK_NS
        where = (self._config.settlement, self._config.replay)
        if where[0] is None:
            where = venue_endpoints_read(self._config.endpoints_file(self._data))
        if where is not None and where != self._nowhere:
            self._venue_connect(where, now_ns)

    def _venue_connect(self, where: tuple[str, str], now_ns: int) -> None:
        """Connect, if not there already; what is no address is tried once."""
        try:
            is_new = self._line.connect(*where)
        except (zmq.ZMQError, ValueError) as error:
            self._line.close()
            self._nowhere = where
            log.warning("venue_unreachable", settlement=where[0], replay=where[1], error=str(error))
            return
        self._nowhere = None
        if is_new:
            log.info("venue_connected", settlement=where[0], replay=where[1])
            self._line.ask(self._store.log_id, self._last_seq + 1, now_ns)

    def _stream_take(self) -> None:
        """Take what was published, as one run as long as it is contiguous."""
        runs: list[np.ndarray] = []
        count, log_id = 0, ""
        for _ in range(MESSAGES_PER_TURN_MAX):
            try:
                parts = self._line.sub.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            try:
                if parts[0] == b"H" and len(parts) == 2:
                    beat = heartbeat_decode(parts[1])
                    self._venue_last_seq = max(self._venue_last_seq, beat.last_seq)
                    continue
                if parts[0] != b"S" or len(parts) != 3:
                    raise StreamError(f"settlement message: expected S or H, got {parts[0][:8]!r}")
                log_id, records = run_decode(parts[1], parts[2])
            except StreamError as error:
                self._stop_line(str(error))
                return
            if len(records) == 0:
                continue
            self._venue_last_seq = max(self._venue_last_seq, int(records[-1]["settlement_seq"]))
            if runs and int(records[0]["settlement_seq"]) != 1 + int(
                runs[-1][-1]["settlement_seq"]
            ):
                self._apply(log_id, np.concatenate(runs))
                runs, count = [], 0
            runs.append(records)
            count += len(records)
            if count >= RUN_COUNT_MAX:
                break
        if runs:
            self._apply(log_id, np.concatenate(runs))

    def _replay_take(self) -> None:
        parts = self._line.dealer.recv_multipart()
        self._line.asked_at_ns = None
        try:
            if len(parts) != 2:
                raise StreamError(f"replay answer: expected 2 frames, got {len(parts)}")
            log_id, records = run_decode(parts[0], parts[1])
        except StreamError as error:
            self._stop_line(str(error))
            return
        self._ask_from_ns = time.monotonic_ns() + (0 if len(records) else REPLAY_PAUSE_NS)
        self._apply(log_id, records)

    def _apply(self, log_id: str, records: np.ndarray) -> None:
        """Settle records, or say why not."""
        if self._stopped:
            return
        try:
            with self._metrics.batch(records):
                self._last_seq = self._settlement.apply(log_id, records)
            if len(records):
                self._clock.follow(int(records["trading_date"].max()))
            self._is_delivering = True
        except SettlementGap as gap:
            log.info("settlement_gap", expected=gap.expected, came=gap.came)
            self._venue_last_seq = max(self._venue_last_seq, gap.came)
        except SettlementStopped as error:
            self._stop_line(str(error))
        except DatabaseFull as error:
            # Nothing was committed; the records are asked for again when there may be space.
            log.error("disk_full", error=str(error))
            self._ask_from_ns = time.monotonic_ns() + FULL_PAUSE_NS
        except (DatabaseLost, MemoryError):
            raise
        except Exception as error:
            self._broken_line_stop(error)
        finally:
            self._last_seq = self._store.last_seq

    def _bank_turn(self, now_ns: int) -> None:
        """Make what the bank is to be told, let it be carried, and take what came back."""
        if self._courier is None or now_ns < self._bank_at_ns or self._stopped:
            return
        if not self._clock.is_known:
            # What the bank is told to do, and what comes of it, is of a day.
            return
        self._bank_at_ns = now_ns + BANK_LOOK_NS
        with self._troubles.told("bank"):
            if self._bank_instruct(self._courier):
                self._bank_at_ns = now_ns
        with self._troubles.told("bank_answers"):
            self._bank_answers_take(self._courier, now_ns)
        with self._troubles.told("bank_statements"):
            self._bank_statements_take(self._courier, self._registry.bank)
        self._is_delivering = True

    def _bank_instruct(self, courier: BankCourier) -> bool:
        """Make instructions and let batches be carried; say whether there is more to make."""
        bank = self._registry.bank
        is_more = bank.instruct()
        busy = courier.busy()
        room = BATCH_COUNT_MAX - courier.count
        for batch in bank.batches(room, but=busy):
            courier.carry(batch, is_sent=False)
        for batch in bank.batches_pending(room, but=busy):
            courier.carry(batch, is_sent=True)
        return is_more

    def _bank_answers_take(self, courier: BankCourier, now_ns: int) -> None:
        """Take each answer by itself: what one can't be taken for, another may."""
        for batch, content in courier.answers():
            with self._troubles.told("bank_answer"):
                self._registry.bank.reports.answer_take(batch, content)
        if now_ns >= self._retry_at_ns:
            self._retry_at_ns = now_ns + BANK_RETRY_NS
            self._registry.bank.reports.retry_some()

    def _bank_statements_take(self, courier: BankCourier, bank: BankService) -> None:
        """Let the statement that is due be fetched, and read what came, whole or not at all."""
        for asked, content in courier.statements():
            why = content if isinstance(content, str) else bank.statement_take(asked, content)
            bank.schedule.end(asked, why)
            if why:
                log.warning("bank_statement_refused", **asked._asdict(), error=why)
            else:
                log.info("bank_statement", **asked._asdict())
        due = bank.schedule.due(self._registry.now_ns())
        if due is not None:
            courier.fetch(due)

    def _deliver(self) -> None:
        """Post some of what waits for the close, while everything else goes on."""
        if self._stopped or not self._is_delivering:
            return
        try:
            self._is_delivering = self._settlement.deliver()
        except SettlementStopped as error:
            self._stop_line(str(error))
        except DatabaseFull as error:
            log.error("disk_full", error=str(error))
            self._is_delivering = False
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
            self._registry.defaults.retry()
            self._retried_date = date

    def _broken_line_stop(self, error: Exception) -> None:
        """Stop in front of what can't be applied for a reason nobody foresaw; nothing of it was."""
        log.error("settlement_broke", exc_info=True)  # noqa: LOG014 - its caller handles one
        self._stop_line(f"{type(error).__name__}: {error}")

    def _stop_line(self, why: str) -> None:
        """Nothing more is settled in this process's life; everything else goes on."""
        if not self._stopped:
            self._stopped = f"stopped: {why}"
            log.error("settlement_stopped", why=why, last_seq=self._last_seq)

    def _missing_ask(self, now_ns: int) -> None:
        if self._line.give_up_waiting(now_ns):
            self._ask_from_ns = now_ns
        behind = self._venue_last_seq > self._last_seq
        if behind and not self._stopped and now_ns >= self._ask_from_ns:
            self._line.ask(self._store.log_id, self._last_seq + 1, now_ns)

    # -- the feed -----------------------------------------------------------------------------

    def _feed_take(self, now_ns: int) -> None:
        self._feed_door.turn(now_ns / 1e9)
        self._feed_unreadable.turn(now_ns / 1e9)
        for _ in range(MESSAGES_PER_TURN_MAX):
            message = self._feed_door.receive()
            if message is None:
                break
            if message.key != self._venue_key or len(message.frames) != 1:
                self._feed_unreadable.note(message.key, "request must be the venue's, one frame")
                continue
            try:
                request = _request_decoder.decode(message.payload)
            except DECODE_ERRORS as error:
                self._feed_unreadable.note(message.key, str(error))
                continue
            self._waiting.pop(message.routing_id, None)
            if len(self._waiting) >= WAITING_COUNT_MAX:
                del self._waiting[next(iter(self._waiting))]
            self._waiting[message.routing_id] = _Waiting(message, request, now_ns + FEED_WAIT_NS)

    def _feed_answer(self, now_ns: int) -> None:
        """Answer the requests for which there is news, or that have waited long enough."""
        if not self._waiting:
            return
        state = self.state
        news = (self._last_seq, state)
        for waiting in list(self._waiting.values()):
            # Whatever an answer runs into, it is asked for again.
            del self._waiting[waiting.message.routing_id]
            request = waiting.request
            known = self._store.log_id
            if known is not None and request.log_id not in (None, known):
                # Another market's indexes mean other accounts; it gets nothing.
                why = f"stopped: log_id must be {known}, was {request.log_id}"
                request = FeedRequest(first=1, count=0)
                answer = feed_answer(self._store, request, why)
            else:
                answer = feed_answer(self._store, request, state)
                quiet = not answer["items"] and news == self._told
                if quiet and now_ns < waiting.until_ns:
                    self._waiting[waiting.message.routing_id] = waiting
                    continue
            self._told = news
            self._feed_door.answer(waiting.message.routing_id, msgspec.msgpack.encode(answer))

    # -- operators ----------------------------------------------------------------------------

    def _admin_turn(self, now_s: float) -> None:
        """Take what has arrived, answer looks that are done, and act for some tens of ms."""
        self._door.turn(now_s)
        if now_s >= self._fronts_due_s:
            self._fronts_due_s = now_s + FRONTS_LOOK_S
            self._fronts.turn(now_s)
        for message, asked, answer in self._looks.turn(now_s):
            if isinstance(asked.request, Status) and answer["ok"]:
                answer |= self._place()
            # Looking is no act, and who watches looks often.
            log.debug("act", op=asked.request.op, by=asked.by, answer=answer)
            self._door.answer(message, msgspec.msgpack.encode(answer))
        until_s = now_s + ACTS_S
        while not self._host.is_stopping and time.monotonic() < until_s:
            message = self._door.next()
            if message is None:
                break
            self._admin_take(message)
        self._fronts.flush()

    def _admin_take(self, message: Message) -> None:
        try:
            asked = self._desk.asked(message.key, message.payload)
            if isinstance(asked, Asked) and asked.request.is_look:
                self._look_take(message, asked)
                return
            reply = asked if isinstance(asked, Reply) else self._desk.carry_out(asked)
        except DatabaseLost as error:
            self._door.answer(message, msgspec.msgpack.encode(outcome_unknown(error)))
            raise
        answer = reply.answer.by_ok()
        if reply.request is None:
            self._door.unreadable.note(message.key, answer["error"])
        else:
            write = log.debug if reply.is_look else log.info
            write("act", op=reply.request.op, by=reply.by, answer=answer)
        if self._registry.persons.is_changed:
            # Before who came is told so.
            self._fronts.doors["admin"].admit(self._registry.persons.keys())
            self._registry.persons.is_changed = False
        self._door.answer(message, answer_encoded(answer))
        if isinstance(reply.request, Stop) and reply.answer.is_done:
            self.stop()

    def _look_take(self, message: Message, asked: Asked) -> None:
        now_ns = self._registry.now_ns()
        refusal = self._looks.ask(message, asked, now_ns=now_ns, now_s=time.monotonic())
        if refusal is not None:
            self._door.answer(message, msgspec.msgpack.encode(refusal))

    def _troubles_shown(self) -> dict[str, str]:
        schedule = self._registry.bank.schedule
        told = "" if schedule is None else schedule.trouble
        return self._troubles.shown() | ({"bank_statement": told} if told else {})

    def _place(self) -> dict[str, Any]:
        folder, server = self._data / "registry", self._metrics_server
        return {
            "state": self.state,
            "time": time_from_ns(self._clock.now_ns()).isoformat(),
            "clock": self._clock.kind,
            "clock_warning": self._clock.warning,
            "uptime_s": int(time.monotonic() - self._began_s),
            "lag_records": max(0, self._venue_last_seq - self._last_seq),
            "database_bytes": self._store.database.bytes_used(),
            "disk_free_bytes": shutil.disk_usage(folder).free,
            "metrics": None if server is None else server.address,
            "troubles": self._troubles_shown(),
            "fronts": self._fronts.process_ids,
            "fronts_ended": self._fronts.ended_count,
            "keys_cut_off": sorted(self._fronts.suspects.cut_off),
        }


def store_awaited(
    data: Path, database: str | None, wait_s: int, is_stopping: Callable[[], bool]
) -> Store:
    """Open the registry's database; where its server is away, wait for it, but not for ever.

    Raises
    ------
    DatabaseAway
        It did not come, or somebody wants no more of it.
    """
    until_s, pause_s = time.monotonic() + wait_s, RECONNECT_FIRST_S
    while True:
        try:
            return Store.open(data, database)
        except DatabaseAway as error:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or is_stopping():
                told = f"waited {wait_s} s for the database's server (database_wait_s)"
                raise DatabaseAway(f"{told}: {error}") from error
            log.warning("database_waited_for", error=str(error), seconds_left=int(left_s))
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, RECONNECT_LAST_S)
