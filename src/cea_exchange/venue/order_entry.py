"""Order entry over one socket: what arrives goes to the sequencer, what is on disk goes back."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import structlog
import zmq

from cea_exchange._reports import reports_masked, reports_place
from cea_exchange.domain.records import COMMAND_DTYPE, EventKind, Phase
from cea_exchange.journal import JournalFull
from cea_exchange.protocol.framing import (
    REPLAY_COUNT_MAX,
    TAG_MESSAGE,
    TAG_REPORTS,
    BookRequest,
    FrameError,
    Heartbeat,
    Logon,
    ReportReplay,
)
from cea_exchange.venue.config import VenueConfig
from cea_exchange.venue.event_index import operator_keys
from cea_exchange.venue.gateway import Answer, Asked, Gateway, Message
from cea_exchange.venue.public_maps import book
from cea_exchange.venue.router import receive
from cea_exchange.venue.sequencer import Sequencer
from cea_exchange.venue.sessions import Session, Sessions

REPORT_ROWS_MAX = 5_000
MESSAGES_PER_TURN_MAX = 20_000
_PRODUCT_FIELDS = ("reference_price", "band_low", "band_high")

log = structlog.get_logger("venue")


class OrderEntry:
    """The participants' door.

    Parameters
    ----------
    socket
        A bound ROUTER.
    sequencer, config
        Where commands go, and the settings.
    release
        Called with the events of each batch once they are on disk.

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
        socket: zmq.Socket,
        sequencer: Sequencer,
        config: VenueConfig,
        *,
        release: Callable[[np.ndarray], None],
    ) -> None:
        self.sessions = Sessions()
        self.slow_count = 0
        self.gateway = Gateway(
            sequencer.machine,
            sequencer.index,
            sequencer.event_rows,
            self.sessions,
            throttle_per_second=config.throttle_per_second,
        )
        self._socket = socket
        self._sequencer = sequencer
        self._machine = sequencer.machine
        self._config = config
        self._release = release

    def turn(self) -> None:
        """Take what has arrived, up to one batch, and answer it."""
        messages, command_bytes = [], 0
        room = self._config.batch_count_max * COMMAND_DTYPE.itemsize
        while command_bytes < room and len(messages) < MESSAGES_PER_TURN_MAX:
            message = receive(self._socket)
            if message is None:
                break
            messages.append(message)
            command_bytes += len(message.frames[-1]) if message.frames else 0
        intake = self.gateway.take(messages, time.monotonic())
        for answer in intake.answers:
            self._send(answer)
        for asked in intake.asked:
            self._answer(asked)
        for first in range(0, len(intake.records), self._config.batch_count_max):
            records = intake.records[first : first + self._config.batch_count_max]
            try:
                self._release(self._sequencer.run_records(records))
            except JournalFull as error:
                self._refuse_for_space(records, error)

    def send_reports(self, events: np.ndarray) -> None:
        """Send each account its reports among events that are on disk."""
        for account, reports in reports_by_account(events):
            for session in self.sessions.of_account(account):
                self._send_reports(session, reports)
        if (events["kind"] == EventKind.PHASE_CHANGED).any():
            for session in self.sessions:
                self._tell(session.routing_id, {"op": "phase", **self._place(session)})

    def tell_stopping(self) -> None:
        """Say to every session that the venue is about to end; it may come back and log on."""
        for session in self.sessions:
            self._tell(session.routing_id, {"op": "stopping"})

    def sessions_check(self) -> None:
        """End the sessions of keys that were revoked, or act for another account now."""
        for session in self.sessions:
            holder = self._machine.keys.get(session.key)
            if holder is None or holder.account_index != session.account_index:
                self.sessions.remove(session.routing_id)

    def expire(self, now_s: float) -> None:
        """End the sessions that have been silent for too long."""
        self.sessions.expire(now_s - self._config.session_silence_s_max)

    # -- Requests -----------------------------------------------------------------------------

    def _answer(self, asked: Asked) -> None:
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
                index = self._machine.product_index(product)
                if index >= len(self._machine.product_names):
                    error = FrameError(expected="a product", came=product, where="product")
                    self._send(self.gateway.refuse(message, error))
                    return
                told = book(self._machine, index)
        self._tell(message.routing_id, told)

    def _logon(self, message: Message) -> dict[str, Any]:
        holder = self._machine.keys[message.key]
        session = Session(
            message.routing_id,
            message.key,
            holder.account_index,
            holder.operator_index,
            time.monotonic(),
        )
        self.sessions.add(session)
        log.info(
            "logon",
            account=self._machine.account_names[holder.account_index],
            operator=holder.operator_index,
            role=holder.role,
            sessions=len(self.sessions),
        )
        core = self._machine.core
        products = []
        for index, name in enumerate(self._machine.product_names):
            product = core.product(index)
            told = {field: int(product[field]) for field in _PRODUCT_FIELDS}
            products.append({"product": name, "product_index": index, **told})
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
            **self._place(session),
        }

    def _place(self, session: Session) -> dict[str, Any]:
        core = self._machine.core
        return {
            "trading_date": int(core.trading_date),
            "phase": Phase(core.phase).name.lower(),
            "report_seq": int(core.report_seq(session.account_index)),
        }

    def _reports_replay(self, session: Session, first: int, count: int) -> None:
        count = min(count, REPLAY_COUNT_MAX)
        seqs = self._sequencer.index.report_events(session.account_index, first, count)
        # A trade with oneself is there twice; the store is read by ascending sequence.
        events = self._sequencer.event_rows(np.unique(seqs))
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
            for session in self.sessions.of_account(int(mine["account_index"][0])):
                message = Message(session.routing_id, session.key, [])
                self._send(self.gateway.refuse(message, refusal, client_order_ids=ids))

    # -- Sending ------------------------------------------------------------------------------

    def _send_reports(self, session: Session, reports: np.ndarray) -> None:
        for first in range(0, len(reports), REPORT_ROWS_MAX):
            payload = reports[first : first + REPORT_ROWS_MAX].view(np.uint8).data
            self._send(Answer(session.routing_id, TAG_REPORTS, payload))

    def _tell(self, routing_id: bytes, told: dict[str, Any]) -> None:
        self._send(Answer(routing_id, TAG_MESSAGE, msgspec.msgpack.encode(told)))

    def _send(self, answer: Answer) -> None:
        try:
            self._socket.send_multipart(answer, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            # Gone, or too slow to read its reports: it may log on again and ask for a replay.
            if self.sessions.get(answer.routing_id) is not None:
                self.slow_count += 1
                log.info("session_dropped", error=str(error))
            self.sessions.remove(answer.routing_id)


def reports_by_account(events: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Give, per account, the reports that the events are for it, in its own numbering."""
    accounts, ends, rows, as_maker = reports_place(events)
    reports, first = reports_masked(events, rows, as_maker), 0
    for account, end in zip(accounts.tolist(), ends.tolist(), strict=True):
        yield account, reports[first:end]
        first = end
