"""Order entry over one socket: commands to the sequencer, and reports once they are on disk."""

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
import numpy as np
import structlog

from cea_exchange.control_plane.door import Doorway, Message
from cea_exchange.control_plane.fronts.fronts import FRONT_BYTES, Lost
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.journal import EventDamaged, JournalFull
from cea_exchange.protocol import control
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TAG_MESSAGE,
    TAG_REPORTS,
    BiddingsRequest,
    BlocksRequest,
    BookRequest,
    Heartbeat,
    HistoryRequest,
    Logoff,
    Logon,
    PartyRequest,
    ReportReplay,
    Request,
    SessionEnd,
    StatementRequest,
)
from cea_exchange.venue._reports import reports_by_account
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.durability.event_index import operator_keys
from cea_exchange.venue.durability.sequencer import Sequencer, damage_refusal
from cea_exchange.venue.market.bidding_applications import notices
from cea_exchange.venue.market.public_maps import book
from cea_exchange.venue.market.views import biddings, blocks, party
from cea_exchange.venue.order_entry.activity_statements import history, statement
from cea_exchange.venue.order_entry.gateway import (
    REPORT_FRAME_BYTES_MAX,
    REPORTS_PER_FRAME_MAX,
    Answer,
    Asked,
    Gateway,
)
from cea_exchange.venue.order_entry.log_summary import LogSummary
from cea_exchange.venue.order_entry.lost_sessions import LostSessions
from cea_exchange.venue.order_entry.sessions import Session, Sessions
from cea_exchange.venue.order_entry.throttle import Throttle
from cea_exchange.venue.order_entry.waiting_requests import (
    REQUESTS_WAITING_MAX,
    Replay,
    WaitingRequests,
)
from cea_exchange.venue.refusals import ActRefusal

REQUESTS_TURN_S = 0.002
"""How long a turn answers requests while orders may wait; the rest takes the next turns."""
MESSAGES_PER_TURN_MAX = 2_000
"""ZeroMQ takes from all peers in turn: one who sends thousands makes the others wait for few."""
LOOKS_PER_TURN_MAX = 1_000
AWAY_S_MAX = 2.0
"""The daemon itself did nothing for so long: nobody's silence meanwhile tells anything."""
_PRODUCT_FIELDS = ("reference_price", "band_low", "band_high", "block_band_low", "block_band_high")

log = structlog.get_logger("venue")


class SessionDoor(Doorway, Protocol):
    """Where participants come in: a front's door, which tells who is gone."""

    is_followed: bool
    lost: deque[Lost]

    def is_served(self, routing_id: bytes) -> bool:
        """Say whether the front of a connection is still there."""

    def reach(self, routing_id: bytes, then: Callable[[], None]) -> None:
        """Call something once all that was sent to a connection is on its way, or it has ended."""


class OrderEntry:
    """The participants' door.

    Parameters
    ----------
    door
        Where they come in.
    sequencer, config
        Where commands go, and the settings.
    release
        Called with the events of each batch once they may leave.
    run_acts
        Journals acts, releases their events, and returns these and the refusals.
    now_s
        A clock that never goes back.

    Attributes
    ----------
    gateway : Gateway
        What checks the messages.
    sessions : Sessions
        Who is logged on.
    slow_count : int
        Sessions that ended because they did not take their reports.
    """

    def __init__(
        self,
        door: SessionDoor,
        sequencer: Sequencer,
        config: VenueConfig,
        *,
        release: Callable[[np.ndarray], None],
        run_acts: Callable[[list[control.Control]], tuple[np.ndarray, list[ActRefusal]]],
        now_s: Callable[[], float],
    ) -> None:
        self._now_s = now_s
        self.sessions = Sessions()
        self.slow_count = 0
        self.gateway = Gateway(
            sequencer.machine,
            sequencer.index,
            sequencer.event_rows,
            self.sessions,
            key_throttle=Throttle(config.throttle_per_second, config.throttle_cancels_per_second),
            account_throttle=Throttle(
                config.throttle_account_per_second, config.throttle_account_cancels_per_second
            ),
        )
        self._lost = LostSessions(sequencer.machine, self.sessions, run_acts=run_acts, now_s=now_s)
        self._waiting = WaitingRequests()
        self._looks: deque[Session] = deque()
        self._watched_s = self._now_s()
        self._logons = LogSummary(log, "logon")
        self._ends = LogSummary(log, "session_ended")
        self._absent_due_s: float | None = None
        self._absent_are_known = False
        self._door = door
        door.is_followed = True
        self._reached: set[bytes] = set()
        self._sequencer = sequencer
        self._machine = sequencer.machine
        self._config = config
        self._release = release

    @property
    def has_work(self) -> bool:
        """Whether a turn would do something though nothing arrives."""
        gateway = self.gateway
        is_due = gateway.has_carried or gateway.held.is_due(self._now_s())
        return is_due or bool(self._waiting) or self._lost.has_work

    def turn(self) -> int:
        """Take what has arrived, up to one batch, and answer it; cancel for lost sessions.

        Returns
        -------
        int
            How many messages had arrived.
        """
        self._lost_turn()
        messages, command_bytes = [], 0
        room = self._config.batch_count_max * COMMAND_DTYPE.itemsize
        while command_bytes < room and len(messages) < MESSAGES_PER_TURN_MAX:
            message = self._door.receive()
            if message is None:
                break
            messages.append(message)
            command_bytes += len(message.frames[-1]) if message.frames else 0
        if not messages and not self.has_work:
            return 0
        intake = self.gateway.take(messages, self._now_s())
        for answer in intake.answers:
            self._send(answer)
        for routing_id in self.gateway.ending:
            self._door.end(routing_id, "it sends too much that can't be taken")
        self.gateway.ending.clear()
        for first in range(0, len(intake.records), self._config.batch_count_max):
            records = intake.records[first : first + self._config.batch_count_max]
            try:
                self._sequencer.run_records(records, self._release)
            except JournalFull as error:
                self._refuse_for_space(records, error)
        # After the commands: who logs off in the same breath gets their reports first.
        if intake.asked or self._waiting:
            self._requests_turn(intake.asked)
        self._lost.turn()
        return len(messages)

    def send_reports(self, events: np.ndarray) -> None:
        """Send each account its reports among events that are on disk."""
        for account, reports in reports_by_account(events):
            for session in self.sessions.of_account(account):
                self._send_reports(session, reports)

    def tell_phase(self) -> None:
        """Say to every session which phase it is now."""
        for session in self.sessions.connected():
            self._tell(session.routing_id, {"op": "phase", **self._place(session)})

    def tell_stopping(self) -> None:
        """Say to every session that the venue is about to end; it may come back and log on."""
        self._log_turn(math.inf)
        for session in self.sessions.connected():
            self._tell(session.routing_id, {"op": "stopping"})

    def sessions_check(self) -> None:
        """End the sessions of keys that were revoked, or act for another account now."""
        for session in self.sessions:
            holder = self._machine.keys.get(session.key)
            if holder is not session.holder and holder != session.holder:
                self._end(session, SessionEnd.REVOKED)

    def disconnect(self, who: str) -> int:
        """End the sessions of a public key or an account, as an operator wants; return how many."""
        account_index = self._machine.account_index(who)
        ended = [
            session
            for session in self.sessions
            if who == session.key or account_index == session.holder.account_index
        ]
        for session in ended:
            self._end(session, SessionEnd.OPERATOR)
        return len(ended)

    def monitor(self, now_s: float, *, registry_answers: bool) -> None:
        """Send heartbeats that are due, and end the sessions that are silent for too long.

        Sessions of before this venue's start are lost as well, when their time is over: it begins
        with the registry's first answer, because until then the venue is not open to anybody.
        """
        self._log_turn(now_s)
        away_s, self._watched_s = now_s - self._watched_s, now_s
        if away_s > AWAY_S_MAX:
            self._forgive(away_s)
        for _ in range(min(len(self._looks), LOOKS_PER_TURN_MAX)):
            if self._looks[0].look_s > now_s:
                break
            session = self._looks.popleft()
            if self.sessions.of_key(session.key) is session:
                self._look(session, now_s)
        if self._absent_are_known or not registry_answers:
            return
        if self._absent_due_s is None:
            self._absent_due_s = now_s + self._config.session_silence_s_max
        elif now_s >= self._absent_due_s:
            self._absent_are_known = True
            self._lost.note_absent()

    def _log_turn(self, now_s: float) -> None:
        for summary in (self._logons, self._ends):
            summary.turn(now_s)

    def _forgive(self, away_s: float) -> None:
        for session in self.sessions:
            session.seen_s += away_s
        if self._absent_due_s is not None:
            self._absent_due_s += away_s

    def _look(self, session: Session, now_s: float) -> None:
        if now_s - session.seen_s > self._config.session_silence_s_max:
            self._end(session, SessionEnd.SILENT)
            return
        half_s = self._config.heartbeat_s / 2
        if session.is_connected and now_s - session.sent_s >= half_s:
            self._beat(session)
        session.look_s = now_s + half_s
        self._looks.append(session)

    # -- Requests -----------------------------------------------------------------------------

    def _requests_turn(self, got: list[Asked]) -> None:
        for asked in got:
            if not self._waiting.ask(asked):
                expected = f"at most {REQUESTS_WAITING_MAX} requests that wait"
                error = FrameError(
                    VenueRefusal.BUSY, expected=expected, got="another", where="message"
                )
                self._send(self.gateway.refuse(asked.message, error))
        end_s = self._now_s() + REQUESTS_TURN_S
        for item in self._waiting.taken():
            if isinstance(item, Replay):
                self._replay_page(item)
            else:
                self._answer(item)
            if self._now_s() >= end_s:
                return

    def _answer(self, asked: Asked) -> None:
        message, session = asked.message, asked.session
        if session is not None and self.sessions.of_key(session.key) is not session:
            # It ended since the message was taken.
            error = FrameError(
                VenueRefusal.NOT_LOGGED_ON,
                expected="a logon first",
                got="a request",
                where="session",
            )
            self._send(self.gateway.refuse(message, error))
            return
        match asked.request:
            case Logon() as logon:
                if self._is_wanted(message, logon) and not self._is_put_off(asked):
                    self._logon(message, logon)
                return
            case Logoff(keep_orders=keep_orders):
                self._end(session, SessionEnd.LOGGED_OFF, keep_orders=keep_orders)
                return
            case Heartbeat():
                self._beat(session)
                return
            case ReportReplay(first=first, count=count):
                base = self._machine.report_base(session.holder.account_index)
                if first <= base:
                    # They are in the folder that was put aside, and of another log_id.
                    error = FrameError(
                        VenueRefusal.REPORTS_NOT_HELD,
                        expected=f"reports from {base + 1} on, with which this log_id begins",
                        got=str(first),
                        where="replay",
                    )
                    self._send(self.gateway.refuse(message, error))
                    return
                self._waiting.replay(Replay(session, first, min(count, REPLAY_COUNT_MAX)))
                return
            case wanted:
                try:
                    reply = self._looked_up(wanted, session.holder.account_index)
                except FrameError as error:
                    self._send(self.gateway.refuse(message, error))
                    return
                except EventDamaged as error:
                    self._send(self.gateway.refuse(message, damage_refusal(error)))
                    return
        self._tell(message.routing_id, reply)

    def _looked_up(self, request: Request, account_index: int) -> dict[str, Any]:
        """Answer what only looks; FrameError if it asks for what there is not."""
        match request:
            case BookRequest(product=product):
                index = self._machine.product_index(product)
                if index >= len(self._machine.product_names):
                    raise FrameError(
                        VenueRefusal.PRODUCT_UNKNOWN,
                        expected="a product",
                        got=product,
                        where="product",
                    )
                return book(self._machine, index)
            case PartyRequest():
                return party(self._machine, request)
            case BlocksRequest(first=first):
                return blocks(self._machine, account_index, first)
            case StatementRequest(date=date):
                return statement(self._sequencer, account_index, date)
            case HistoryRequest(first=first, count=count):
                return history(self._sequencer, account_index, first, count)
            case BiddingsRequest():
                return {
                    "op": "biddings",
                    "biddings": biddings(self._machine),
                    "notices": notices(self._machine),
                }
        raise AssertionError(f"no such request: {request}")

    def _is_put_off(self, asked: Asked) -> bool:
        """Let a logon wait until it is known whether its key's earlier connection is still there.

        It may be gone without anybody having noticed; only what is sent shows it.
        """
        message = asked.message
        earlier = self.sessions.of_key(message.key)
        if (
            self._config.second_logon != "refuse"
            or earlier is None
            or not earlier.is_connected
            or message.routing_id in (earlier.routing_id, *self._reached)
        ):
            self._reached.discard(message.routing_id)
            return False

        def again() -> None:
            self._lost_turn()
            if self._door.is_served(message.routing_id) and self._waiting.ask(asked):
                self._reached.add(message.routing_id)

        self._beat(earlier)
        self._door.reach(earlier.routing_id, again)
        return True

    def _is_wanted(self, message: Message, logon: Logon) -> bool:
        """Say whether the front is still there, and its client has not logged on by another since.

        Two fronts may bring a client's logons in another order than they were sent.
        """
        earlier = self.sessions.of_key(message.key)
        return self._door.is_served(message.routing_id) and not (
            earlier is not None and earlier.is_later_than(logon)
        )

    def _logon(self, message: Message, logon: Logon) -> None:
        holder = self._machine.keys[message.key]
        hindrance = self._logon_hindrance(message)
        if hindrance is not None:
            self._send(self.gateway.refuse(message, hindrance))
            return
        now_s = self._now_s()
        session = Session(
            message.routing_id,
            message.key,
            holder,
            now_s,
            look_s=now_s,
            client=logon.client,
            attempt=logon.attempt,
        )
        self.sessions.add(session)
        self._logons.note(
            now_s,
            account=self._machine.account_names[holder.account_index],
            operator=holder.operator_index,
            role=holder.role,
            sessions=len(self.sessions),
        )
        self._looks.append(session)
        reply = self._logon_answer(session)
        self._tell(session.routing_id, reply)
        first = reply["report_seq"] if logon.report_seq is None else logon.report_seq
        first = max(first, reply["report_base"]) + 1
        if first <= reply["report_seq"]:
            self._waiting.replay(Replay(session, first, REPLAY_COUNT_MAX))

    def _logon_hindrance(self, message: Message) -> FrameError | None:
        """End the key's earlier session, or say why there can't be another one."""
        holder = self._machine.keys[message.key]
        if not self._lost.cancel_before_logon(holder.operator):
            return FrameError(
                VenueRefusal.NO_SPACE,
                expected="room on the venue's disk",
                got="none",
                where="journal",
            )
        earlier = self.sessions.of_key(message.key)
        if earlier is None:
            return None
        if earlier.routing_id == message.routing_id:
            self.sessions.end(earlier, SessionEnd.TAKEN_OVER)
            return None
        if self._config.second_logon == "refuse" and earlier.is_connected:
            return FrameError(
                VenueRefusal.SECOND_LOGON,
                expected="one session a key",
                got="a second",
                where="logon",
            )
        self._end(earlier, SessionEnd.TAKEN_OVER)
        return None

    def _logon_answer(self, session: Session) -> dict[str, Any]:
        holder, core = session.holder, self._machine.core
        products = []
        for index, name in enumerate(self._machine.product_names):
            product = core.product(index)
            reply = {field: int(product[field]) for field in _PRODUCT_FIELDS}
            reply["listed"] = bool(product["listed"])
            products.append({"product": name, "product_index": index, **reply})
        return {
            "op": "logon",
            "account": self._machine.account_names[holder.account_index],
            "account_index": holder.account_index,
            "operator_index": holder.operator_index,
            "role": holder.role,
            "products": products,
            "last_client_order_id": int(
                core.last_client_order_id(holder.account_index, holder.operator_index)
            ),
            "log_id": self._sequencer.journal.log_id,
            "report_base": self._machine.report_base(holder.account_index),
            "heartbeat_s": self._config.heartbeat_s,
            "session_silence_s_max": self._config.session_silence_s_max,
            "cancel_on_disconnect": holder.cancel_on_disconnect,
            **self._place(session),
        }

    def _place(self, session: Session) -> dict[str, Any]:
        core = self._machine.core
        return {
            "trading_date": int(core.trading_date),
            "phase": Phase(core.phase).name.lower(),
            "report_seq": int(core.report_seq(session.holder.account_index)),
        }

    def _replay_page(self, replay: Replay) -> None:
        session, first, count = replay
        if self.sessions.of_key(session.key) is not session:
            return
        page = min(count, REPORTS_PER_FRAME_MAX)
        account_index = session.holder.account_index
        seqs = self._sequencer.index.report_events(account_index, first, page)
        # A trade with oneself is there twice; the store is read by ascending sequence.
        try:
            events = self._sequencer.event_rows(np.unique(seqs))
        except EventDamaged as error:
            message = Message(session.routing_id, session.key, [])
            self._send(self.gateway.refuse(message, damage_refusal(error, where="replay")))
            return
        for account, reports in reports_by_account(events):
            if account == account_index:
                self._send_reports(session, reports[: len(seqs) * EVENT_DTYPE.itemsize])
        if len(seqs) == page:
            self._waiting.replay(Replay(session, first + page, count - page))

    def _refuse_for_space(self, records: np.ndarray, error: JournalFull) -> None:
        log.error("journal_full", error=str(error))
        refusal = FrameError(
            VenueRefusal.NO_SPACE, expected="room on the venue's disk", got="none", where="journal"
        )
        keys = operator_keys(records)
        for key in np.unique(keys):
            mine = records[keys == key]
            ids = mine["client_order_id"].tolist()
            for session in self.sessions.of_account(int(mine["account_index"][0])):
                if session.holder.operator_index != int(mine["operator_index"][0]):
                    continue
                message = Message(session.routing_id, session.key, [])
                self._send(self.gateway.refuse(message, refusal, client_order_ids=ids))

    # -- Sending ------------------------------------------------------------------------------

    def _send_reports(self, session: Session, reports: bytes) -> None:
        if not session.is_connected:
            return
        whole = memoryview(reports)
        for first in range(0, len(whole), REPORT_FRAME_BYTES_MAX):
            payload = whole[first : first + REPORT_FRAME_BYTES_MAX]
            self._door.answer(session.routing_id, TAG_REPORTS, payload)
        session.sent_s = self._now_s()

    def _beat(self, session: Session) -> None:
        self._tell(session.routing_id, {"op": "heartbeat", **self._place(session)})

    def _tell(self, routing_id: bytes, reply: dict[str, Any]) -> None:
        self._send(Answer(routing_id, TAG_MESSAGE, msgspec.msgpack.encode(reply)))

    def _send(self, answer: Answer) -> None:
        self._send_to(self.sessions.get(answer.routing_id), answer)

    def _send_to(self, session: Session | None, answer: Answer) -> None:
        self._door.answer(*answer)
        if session is not None:
            session.sent_s = self._now_s()

    def _lost_turn(self) -> None:
        """Send nothing more to who is gone, and end the sessions of who does not read."""
        lost = self._door.lost
        while lost:
            routing_id, is_slow = lost.popleft()
            if len(routing_id) == FRONT_BYTES:
                for session in self.sessions.connected():
                    if session.routing_id.startswith(routing_id):
                        self.sessions.disconnect(session)
            elif (session := self.sessions.get(routing_id)) is not None:
                if is_slow:
                    # It learns why from the answer to its next message, and may come back; what it
                    # missed is replayed.
                    self.slow_count += 1
                    self._end(session, SessionEnd.SLOW)
                else:
                    self.sessions.disconnect(session)

    def _end(self, session: Session, why: SessionEnd, *, keep_orders: bool = False) -> None:
        was_connected = session.is_connected
        self.sessions.end(session, why)
        holder = session.holder
        self._ends.note(
            self._now_s(),
            account=self._machine.account_names[holder.account_index],
            operator=holder.operator_index,
            reason=why,
        )
        # Where another session of the key goes on, or its holder asks for it, nothing is lost.
        if why != SessionEnd.TAKEN_OVER and not keep_orders:
            self._lost.note(holder)
        if was_connected and why != SessionEnd.SLOW:
            self._tell(session.routing_id, {"op": "session_ended", "reason": why})
