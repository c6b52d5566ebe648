"""The venue daemon: sockets around the sequencer, in one thread and one loop.

    orders ROUTER --> Gateway --> Sequencer --> reports ROUTER, market data PUB, settlement PUB
    registry feed DEALER ------------^
    admin ROUTER, timer -------------^            replay ROUTER <-- event store

Every way in ends in the sequencer; every way out carries only what is on disk.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import structlog
import zmq

from cea_exchange.domain.calendar import TradingCalendar, date_number, date_parse
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, EventKind, Phase
from cea_exchange.domain.timetable import day_start, time_from_ns, time_parse, time_to_ns
from cea_exchange.journal import FolderLock, JournalFull
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TAG_MESSAGE,
    TAG_REPORTS,
    BookRequest,
    FrameError,
    Heartbeat,
    Logon,
    ReportReplay,
    reports_as_maker,
    reports_as_taker,
    settlement_header,
    settlement_request_decode,
)
from cea_exchange.protocol.security import (
    AllowList,
    CurveKeys,
    SecurityError,
    StrangerTest,
    sender_key,
    server_socket,
)
from cea_exchange.venue import admin
from cea_exchange.venue.clock import DayTimer, VenueClock
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.event_index import groups_of, operator_keys, report_places
from cea_exchange.venue.feed import FeedAnswer, RegistryFeed
from cea_exchange.venue.gateway import Answer, Asked, Gateway, Message
from cea_exchange.venue.publisher import Publisher, book
from cea_exchange.venue.sequencer import Sequencer
from cea_exchange.venue.sessions import Session, Sessions

POLL_MS = 10
HEARTBEAT_S = 0.1
FEED_PAUSE_S = 1.0
REPORT_ROWS_MAX = 5_000
MESSAGES_PER_TURN_MAX = 20_000
AWAITING_REGISTRY = "the registry has not answered since the start"

log = structlog.get_logger("venue")


class VenueError(RuntimeError):
    """The venue must not run on: acknowledged work would be contradicted."""


class VenueDaemon:
    """One running venue.

    Parameters
    ----------
    config
        The settings.
    data
        The data folder; locked until `close`.
    core_class
        The market core; the compiled one if left out.

    Raises
    ------
    FolderInUse, JournalError, StateDiverged, SecurityError
        Nothing starts; the message names the place.
    """

    def __init__(
        self, config: VenueConfig, data: Path | str, *, core_class: type | None = None
    ) -> None:
        self.config = config
        self.data = Path(data)
        self._stopping = False
        self._lock = FolderLock(self.data, "venue.lock")
        self._context = zmq.Context()
        try:
            self._open(core_class)
        except BaseException:
            self._context.destroy(linger=0)
            self._lock.release()
            raise

    def _open(self, core_class: type | None) -> None:
        config = self.config
        self._keys = CurveKeys.load(self.data / "keys", "venue")
        profile = load_profile(config.profile)
        self._timer = DayTimer(profile, TradingCalendar.load(profile.calendar))
        self._clock = VenueClock(config.clock)
        self.sequencer = Sequencer.open(
            self.data, profile, now_ns=self._clock.now_ns, core_class=core_class
        )
        self.machine = self.sequencer.machine
        self._clock.not_before(self.machine.time_ns)
        self._log_id = self.sequencer.journal.log_id
        # What the registry may know already; more than this, and the journal has lost something.
        self._settlement_seq_at_start = self.machine.core.settlement_seq
        self._sessions = Sessions()
        self._gateway = Gateway(
            self.machine,
            self.sequencer.index,
            self.sequencer.event_rows,
            self._sessions,
            throttle_per_second=config.throttle_per_second,
        )
        self._sockets_open()
        self._registry_wait(AWAITING_REGISTRY)
        self._publisher = Publisher(
            self.machine, self._log_id, self._sockets["market_data"], self._sockets["settlement"]
        )
        self._feed = RegistryFeed(self._context, config, self.data, self._keys)
        self._heartbeat_due_s = time.monotonic()
        self._endpoints_write()

    def _sockets_open(self) -> None:
        self._allow_list = AllowList(self._context)
        self._stranger_test = StrangerTest(self._keys.public)
        self._operators = operators = self.config.operators(self.data)
        registry = {self.config.registry_key(self.data), *self.config.settlement_keys}
        keys = self.machine.keys
        kinds = {
            "gateway": (zmq.ROUTER, keys.__contains__),
            "market_data": (zmq.PUB, lambda key: key in keys or key in registry | operators),
            "settlement": (zmq.PUB, registry.__contains__),
            "replay": (zmq.ROUTER, registry.__contains__),
            "admin": (zmq.ROUTER, operators.__contains__),
        }
        self._sockets: dict[str, zmq.Socket] = {}
        self.endpoints: dict[str, str] = {}
        self._poller = zmq.Poller()
        for name, (kind, allowed) in kinds.items():
            self._allow_list.allow(name, allowed)
            socket, self.endpoints[name] = server_socket(
                self._allow_list,
                self._context,
                kind,
                domain=name,
                keys=self._keys,
                address=getattr(self.config, name),
            )
            self._sockets[name] = socket
            if kind == zmq.ROUTER:
                # Without it a report to a slow peer would be lost in silence.
                socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
                self._poller.register(socket, zmq.POLLIN)
            self._stranger_test.add(self.endpoints[name], kind)

    def _endpoints_write(self) -> None:
        path = self.data / "venue" / "endpoints.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            **self.endpoints,
            "public_key": self._keys.public,
            "log_id": self._log_id,
            "pid": os.getpid(),
        }
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
        log.info("ready", data=str(self.data), **self.machine.summary())

    # -- The loop -----------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop`. Whatever it raises ends the venue; replay recovers it."""
        while not self._stopping:
            self.turn(POLL_MS)

    def stop(self) -> None:
        """Let `run` return after the turn it is in. Safe in a signal handler."""
        self._stopping = True

    def turn(self, timeout_ms: int) -> None:
        """Wait for something to arrive, take all that has, and do what is due."""
        ready = dict(self._poller.poll(0 if self._gateway.has_carried else timeout_ms))
        if self._sockets["gateway"] in ready or self._gateway.has_carried:
            self._gateway_turn()
        if self._sockets["replay"] in ready:
            self._replay_turn()
        if self._sockets["admin"] in ready:
            self._admin_turn()
        self._feed_turn()
        self._timer_turn()
        self._heartbeat_turn(time.monotonic())

    def close(self) -> None:
        """Seal the journal, close the sockets, give the folder back."""
        self._feed.close()
        self._stranger_test.close()
        self._allow_list.close()
        try:
            self.sequencer.close()
        finally:
            self._context.destroy(linger=200)
            self._lock.release()

    # -- Order entry --------------------------------------------------------------------------

    def _gateway_turn(self) -> None:
        socket = self._sockets["gateway"]
        messages, command_bytes = [], 0
        room = self.config.batch_count_max * COMMAND_DTYPE.itemsize
        while command_bytes < room and len(messages) < MESSAGES_PER_TURN_MAX:
            message = _receive(socket)
            if message is None:
                break
            messages.append(message)
            command_bytes += len(message.frames[-1]) if message.frames else 0
        intake = self._gateway.take(messages, time.monotonic())
        for answer in intake.answers:
            self._send(answer)
        for asked in intake.asked:
            self._request_answer(asked)
        for first in range(0, len(intake.records), self.config.batch_count_max):
            records = intake.records[first : first + self.config.batch_count_max]
            try:
                self._release(self.sequencer.run_records(records))
            except JournalFull as error:
                self._refuse_for_space(records, error)

    def _request_answer(self, asked: Asked) -> None:
        message, session = asked.message, asked.session
        match asked.request:
            case Logon():
                told = self._logon(message)
            case Heartbeat():
                told = {"op": "heartbeat", **self._place(session)}
            case ReportReplay(first=first, count=count):
                self._reports_replay(session, first, count)
                return
            case BookRequest(product=product):
                index = self.machine.product_index(product)
                if index >= len(self.machine.product_names):
                    error = FrameError(expected="a product", came=product, where="product")
                    self._send(self._gateway.refuse(message, error))
                    return
                told = book(self.machine, index)
        self._tell(message.routing_id, told)

    def _logon(self, message: Message) -> dict[str, Any]:
        holder = self.machine.keys[message.key]
        session = Session(
            message.routing_id,
            message.key,
            holder.account_index,
            holder.operator_index,
            time.monotonic(),
        )
        self._sessions.add(session)
        core = self.machine.core
        products = []
        for index, name in enumerate(self.machine.product_names):
            product = core.product(index)
            told = {field: int(product[field]) for field in _PRODUCT_FIELDS}
            products.append({"product": name, "product_index": index, **told})
        return {
            "op": "logon",
            "account": self.machine.account_names[holder.account_index],
            "account_index": holder.account_index,
            "operator_index": holder.operator_index,
            "role": holder.role,
            "products": products,
            "last_client_order_id": int(
                core.last_client_order_id(holder.account_index, holder.operator_index)
            ),
            "log_id": self._log_id,
            **self._place(session),
        }

    def _place(self, session: Session) -> dict[str, Any]:
        core = self.machine.core
        return {
            "trading_date": int(core.trading_date),
            "phase": Phase(core.phase).name.lower(),
            "report_seq": int(core.report_seq(session.account_index)),
        }

    def _reports_replay(self, session: Session, first: int, count: int) -> None:
        count = min(count, REPLAY_COUNT_MAX)
        seqs = self.sequencer.index.report_events(session.account_index, first, count)
        # A trade with oneself is there twice; the store is read by ascending sequence.
        events = self.sequencer.event_rows(np.unique(np.frombuffer(seqs, np.uint64)))
        for account, reports in reports_by_account(events):
            if account == session.account_index:
                self._send_reports(session, reports[: len(seqs)])

    def _refuse_for_space(self, records: np.ndarray, error: JournalFull) -> None:
        log.error("journal_full", error=str(error))
        refusal = FrameError(expected="room on the venue's disk", came="none", where="journal")
        keys = operator_keys(records)
        for key in np.unique(keys):
            mine = records[keys == key]
            ids = mine["client_order_id"].tolist()
            for session in self._sessions.of_account(int(mine["account_index"][0])):
                message = Message(session.routing_id, session.key, [])
                self._send(self._gateway.refuse(message, refusal, client_order_ids=ids))

    # -- Ways out -----------------------------------------------------------------------------

    def _release(self, events: np.ndarray) -> None:
        """Send what is on disk to whom it concerns."""
        if not len(events):
            return
        for account, reports in reports_by_account(events):
            for session in self._sessions.of_account(account):
                self._send_reports(session, reports)
        self._publisher.publish(events)
        if (events["kind"] == EventKind.PHASE_CHANGED).any():
            for session in self._sessions:
                self._tell(session.routing_id, {"op": "phase", **self._place(session)})
            log.info("phase", **self.machine.summary())

    def _send_reports(self, session: Session, reports: np.ndarray) -> None:
        for first in range(0, len(reports), REPORT_ROWS_MAX):
            payload = reports[first : first + REPORT_ROWS_MAX].tobytes()
            self._send(Answer(session.routing_id, TAG_REPORTS, payload))

    def _tell(self, routing_id: bytes, told: dict[str, Any]) -> None:
        self._send(Answer(routing_id, TAG_MESSAGE, msgspec.msgpack.encode(told)))

    def _send(self, answer: Answer) -> None:
        try:
            self._sockets["gateway"].send_multipart(answer, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # Gone, or too slow to read its reports: it may log on again and ask for a replay.
            if self._sessions.get(answer.routing_id) is not None:
                log.info("session_dropped", error=str(error))
            self._sessions.remove(answer.routing_id)

    # -- Settlement replay --------------------------------------------------------------------

    def _replay_turn(self) -> None:
        socket = self._sockets["replay"]
        while (message := _receive(socket)) is not None:
            if message.key is None or len(message.frames) != 1:
                continue
            try:
                request = settlement_request_decode(message.frames[0])
            except FrameError as error:
                log.warning("replay_refused", error=str(error))
                continue
            rows = np.zeros(0, EVENT_DTYPE)
            if request.first >= 1 and request.log_id in (None, self._log_id):
                first, count = request.first - 1, min(request.count, REPLAY_COUNT_MAX)
                seqs = self.sequencer.index.settlement[first : first + count]
                rows = self.sequencer.event_rows(seqs)
            payload = rows.tobytes()
            header = settlement_header(self._log_id, request.first, len(rows), payload)
            _send_or_drop(socket, [message.routing_id, header, payload])

    # -- The registry's feed ------------------------------------------------------------------

    def _registry_wait(self, reason: str) -> None:
        """Take only cancels from now on; without a reason, take everything again."""
        if reason != self._gateway.cancels_only:
            log.info("registry", cancels_only=reason)
        self._gateway.cancels_only = reason
        self.sequencer.checkpoints_on = reason != AWAITING_REGISTRY

    def _feed_turn(self) -> None:
        try:
            answer = self._feed.answer()
            if answer is not None:
                self._feed_take(answer)
        except control.ControlError as error:
            self._registry_wait(f"the registry's feed: {error}")
            self._feed.pause(FEED_PAUSE_S)
        self._feed.ask(last=self.machine.feed_seq, log_id=self._log_id)

    def _feed_take(self, answer: FeedAnswer) -> None:
        if answer.settled_seq > self.machine.core.settlement_seq:
            raise VenueError(
                f"the registry has settled sequence {answer.settled_seq}, the journal ends at "
                f"settlement sequence {self.machine.core.settlement_seq} "
                f"({self._settlement_seq_at_start} at the start): acknowledged work is missing "
                "from the journal"
            )
        if answer.last_seq < self.machine.feed_seq:
            raise VenueError(
                f"the registry's feed ends at item {answer.last_seq}, the journal has item "
                f"{self.machine.feed_seq}: work is missing from the registry"
            )
        items = answer.feed_items()
        for item in items:
            if item.transfer_seq == self.machine.feed_seq:
                self._feed_same(item)
        acts: list[control.Control] = [
            item for item in items if item.transfer_seq > self.machine.feed_seq
        ]
        if answer.confirmed_date > self.machine.confirmed_date:
            confirmed = control.SettlementConfirmed(
                settlement_seq=answer.settled_seq, trading_date=answer.confirmed_date
            )
            acts.append(confirmed)
        refusals = self._run_controls(acts)
        self._sessions_check()
        for refusal in refusals:
            if refusal is not None:
                raise control.ControlError(refusal)
        if answer.state != "ok":
            self._registry_wait(f"the registry says {answer.state}")
        elif self.machine.feed_seq >= answer.last_seq:
            self._registry_wait("")

    def _feed_same(self, item: control.FeedItem) -> None:
        """A registry that was restored from an older copy may have given a number once more."""
        if item.command != self.machine.feed_last:
            raise VenueError(
                f"the registry's feed item {item.transfer_seq} is {item.command}, the journal has "
                f"{self.machine.feed_last}: the registry is not the one that was followed"
            )

    def _sessions_check(self) -> None:
        """End the sessions of keys that were revoked, or act for another account now."""
        for session in self._sessions:
            holder = self.machine.keys.get(session.key)
            if holder is None or holder.account_index != session.account_index:
                self._sessions.remove(session.routing_id)

    # -- Operators and the timer --------------------------------------------------------------

    def _run_controls(self, acts: list[control.Control]) -> list[str | None]:
        if not acts:
            return []
        events, refusals = self.sequencer.run_controls(acts)
        self._release(events)
        return refusals

    def _may_open(self) -> str | None:
        """Say why the next day can't be opened yet; None if it can."""
        if self._gateway.cancels_only == AWAITING_REGISTRY:
            return AWAITING_REGISTRY
        core, last = self.machine.core, self.machine.core.trading_date
        waits = self.config.wait_for_confirmation and not core.day_is_open
        if waits and last > self.machine.confirmed_date:
            return f"the registry has not confirmed {last}"
        return None

    def _timer_turn(self) -> None:
        if self._gateway.cancels_only == AWAITING_REGISTRY:
            return
        if self._clock.kind == "manual":
            while (act := self._timer.queued()) is not None:
                if isinstance(act, control.DayOpen) and self._may_open() is not None:
                    return
                self._clock.not_before(self._timer.queued_done())
                self._run_controls([act])
            self._clock.not_before(self._timer.target_ns)
            return
        act = self._timer.due(self.machine, self._clock.now_ns())
        if act is None or (isinstance(act, control.DayOpen) and self._may_open() is not None):
            return
        self._run_controls([act])

    def _admin_turn(self) -> None:
        socket = self._sockets["admin"]
        while (message := _receive(socket)) is not None:
            try:
                if message.key not in self._operators:
                    raise FrameError(expected="an operator's key", came="another", where="key")
                if len(message.frames) != 1:
                    came = str(len(message.frames))
                    raise FrameError(expected="1 frame", came=came, where="message")
                request = admin.admin_request_decode(message.frames[0])
                answer = self._admin_answer(request)
            except FrameError as error:
                answer = {
                    "op": "refused",
                    "expected": error.expected,
                    "came": error.came,
                    "where": error.where,
                }
            except ValueError as error:
                answer = {"op": "refused", "expected": str(error), "came": "", "where": "payload"}
            _send_or_drop(socket, [message.routing_id, msgspec.msgpack.encode(answer)])

    def _admin_answer(self, request: admin.AnyAdminRequest) -> dict[str, Any]:
        act: control.Control | None = None
        match request:
            case admin.ClockMove(at=at):
                self._clock_move(at)
            case admin.Stop():
                self.stop()
            case admin.OpenDay(date=date):
                act = self._open_day(date)
            case admin.PhaseChange(phase=phase):
                if phase.upper() not in Phase.__members__:
                    names = ", ".join(member.name.lower() for member in Phase)
                    raise FrameError(expected=names, came=phase, where="phase")
                act = control.PhaseSet(phase=Phase[phase.upper()])
            case admin.CloseDay():
                # The registry must first say how much of the settlement stream it has seen.
                if self._gateway.cancels_only == AWAITING_REGISTRY:
                    came = AWAITING_REGISTRY
                    raise FrameError(expected="the registry's answer", came=came, where="registry")
                act = control.DayClose()
            case admin.Halt(product=product):
                act = control.Halt(product=product)
            case admin.Resume(product=product):
                act = control.Resume(product=product)
            case admin.Suspend(account=account):
                act = control.Suspend(account=account)
            case admin.Restore(account=account):
                act = control.Restore(account=account)
            case admin.ReferencePrice(product=product, price=price):
                act = control.ReferencePriceSet(product=product, price=price)
        for refusal in self._run_controls([] if act is None else [act]):
            if refusal is not None:
                raise FrameError(expected="an act that fits", came=refusal, where="market")
        op = request.__struct_config__.tag
        return {"op": op, **self.status()}

    def _open_day(self, text: str) -> control.DayOpen:
        date = date_parse(text)
        reason = self._may_open()
        if reason is not None:
            raise FrameError(expected="the registry's confirmation", came=reason, where="registry")
        act = control.DayOpen(date=date_number(date))
        if self._clock.kind == "manual":
            midnight_ns = time_to_ns(day_start(date))
            if not 0 <= midnight_ns <= control.TIME_NS_MAX:
                raise FrameError(expected="a date within 1970 and 2116", came=text, where="date")
            if self.machine.refusal(act) is None:
                self._clock.not_before(midnight_ns)
        return act

    def _clock_move(self, text: str) -> None:
        if self._clock.kind != "manual":
            raise FrameError(expected="a manual clock", came=self._clock.kind, where="clock")
        until = time_parse(text)
        if self._timer.pending_count:
            reason = self._may_open() or "changes"
            raise FrameError(expected="the last move to be done", came=reason, where="clock")
        self._timer.move(self.machine, self._clock.now_ns(), until)
        self._timer_turn()

    def status(self) -> dict[str, Any]:
        """Return where the venue stands, as ``venue status`` shows it."""
        return {
            "log_id": self._log_id,
            "time": time_from_ns(self._clock.now_ns()).isoformat(),
            "clock": self._clock.kind,
            "changes_pending": self._timer.pending_count,
            "cancels_only": self._gateway.cancels_only,
            "sessions": len(self._sessions),
            "refused": self._gateway.refused_count,
            **self.machine.summary(),
        }

    def _heartbeat_turn(self, now_s: float) -> None:
        if now_s < self._heartbeat_due_s:
            return
        self._heartbeat_due_s = now_s + HEARTBEAT_S
        self._publisher.settlement_heartbeat()
        self._publisher.market_data_heartbeat()
        self._publisher.publish_depth()
        self._sessions.expire(now_s - self.config.session_silence_s_max)
        if not self._allow_list.is_running:
            raise SecurityError("allow-list: its handler has stopped")
        trouble = self._stranger_test.turn(now_s)
        if trouble is not None:
            log.warning("stranger_test", error=str(trouble))


_PRODUCT_FIELDS = ("reference_price", "band_low", "band_high")


def reports_by_account(events: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Return, per account, the reports that the events are for it, in its own numbering."""
    accounts, positions, rows = report_places(events)
    if not len(rows):
        return []
    reports = reports_as_taker(events[rows])
    source = events[rows]
    is_maker = source["report_seq"] != positions
    is_maker |= source["account_index"] != accounts
    reports[is_maker] = reports_as_maker(source[is_maker])
    return [(account, reports[group]) for account, group in groups_of(accounts)]


def _receive(socket: zmq.Socket) -> Message | None:
    """Return one message of a ROUTER with the key of its connection; None if there is none."""
    try:
        frames = socket.recv_multipart(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    contents = [frame.bytes for frame in frames]
    return Message(contents[0], sender_key(frames[-1]), contents[1:])


def _send_or_drop(socket: zmq.Socket, frames: list[bytes]) -> None:
    try:
        socket.send_multipart(frames, zmq.NOBLOCK)
    except zmq.ZMQError as error:
        log.info("answer_dropped", error=str(error))
