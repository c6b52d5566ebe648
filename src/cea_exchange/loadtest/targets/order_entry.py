"""This project's venue, over its order gateway: ZeroMQ with CURVE, a session a participant.

What a session must remember through losses of its connection is `OrderSession`'s: missed reports
are replayed, unanswered commands are sent again with the same ids.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import zmq

from cea_exchange.client.connecting import Attempts
from cea_exchange.client.order_entry import HEARTBEAT_INTERVAL_S, SILENCE_S_MAX, order_socket
from cea_exchange.client.reports import Report as VenueReport
from cea_exchange.client.session import OrderSession, SessionEnded, SessionState
from cea_exchange.domain.records import EventKind, Method, Phase, Reason
from cea_exchange.loadtest.punctual import HELPER_PRIORITY, is_real_time_allowed
from cea_exchange.loadtest.sockets import SocketSet, refusal_passes
from cea_exchange.loadtest.targets.records import Ids, record_of
from cea_exchange.loadtest.targets.target import (
    Command,
    Outcome,
    Participants,
    Reconciliation,
    Report,
    Target,
    TargetError,
)
from cea_exchange.loadtest.targets.venue_log import VenueLog
from cea_exchange.protocol.connection import ConnectionMonitor
from cea_exchange.protocol.security import CurveKeys

LOGON_S_MAX = 60.0
LOGONS_AT_ONCE = 16
PARTIES_AT_ONCE = 32
"""Of which one connection asks; the venue lets 64 requests of one wait."""
DAY_S_MAX = 20.0
CATCH_UP_S_MAX = 30.0
LOOK_S = 0.05
SOCKETS_EACH = 12
"""Three are in use; those of connections before are taken away later, by another thread."""
_OPEN_PHASES = (Phase.LISTED, Phase.LISTED_AND_BLOCK)
_ENTRIES = (EventKind.ORDER_ACCEPTED, EventKind.BID_ACCEPTED)
_ENDS = (EventKind.ORDER_CANCELED, EventKind.ORDER_EXPIRED, EventKind.BID_CANCELED)


class _Seat:
    """A participant at its socket."""

    def __init__(self, index: int, keys: CurveKeys, *, report_seq: int | None) -> None:
        self.index = index
        self.keys = keys
        self.session = OrderSession(report_seq=report_seq)
        self.socket: zmq.Socket[bytes] | None = None
        self.monitor: ConnectionMonitor | None = None
        self.numbers: dict[int, int] = {}
        self.heard_at = 0.0
        self.beaten_at = 0.0
        self.again_at = 0.0
        self.attempts = Attempts(time.monotonic())
        self.was_lost = False
        self.gap_seen = 0
        self.venue_report_seq = -1


class OrderEntry(Target):
    """A venue's gateway.

    Parameters
    ----------
    endpoint, server_key : str
        Where it is, and its public key.
    keys : str
        Folder with the participants' key files, named for them.
    log : str, optional
        Folder into which all that was sent and reported is written, for an audit.
    """

    def __init__(self, endpoint: str, server_key: str, keys: str, log: str = "") -> None:
        self._endpoint = endpoint
        self._server_key = server_key
        self._keys = Path(keys)
        self._log = VenueLog(Path(log)) if log else None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
        if is_real_time_allowed():
            # What was sent has left when that thread has written it: it goes before this one.
            self._context.set(zmq.THREAD_SCHED_POLICY, os.SCHED_FIFO)
            self._context.set(zmq.THREAD_PRIORITY, HELPER_PRIORITY)
        self._sockets = SocketSet()
        self._seats: dict[int, _Seat] = {}
        self._ids = Ids()
        self._index_of: dict[str, int] = {}
        self._product_of: dict[str, int] = {}
        self._look: Iterator[_Seat] = iter(())
        self._look_at = 0.0
        self._reports: list[Report] = []

    def connect(self, participants: Participants) -> None:
        """Log every hosted participant on and wait for an open session."""
        self._context.max_sockets = SOCKETS_EACH * len(participants.hosted) + 16
        # An audit wants all reports there ever were; a load, what comes from now on.
        report_seq = None if self._log is None else 0
        waiting = [
            _Seat(
                index, CurveKeys.load(self._keys, participants.names[index]), report_seq=report_seq
            )
            for index in participants.hosted
        ]
        self._seats = {seat.index: seat for seat in waiting}
        busy: list[_Seat] = []
        deadline = time.monotonic() + LOGON_S_MAX
        while waiting or busy:
            if time.monotonic() > deadline:
                count = len(waiting) + len(busy)
                name = participants.names[(busy + waiting)[0].index]
                raise TargetError(f"no logon for {count} participants, first {name}")
            while waiting and len(busy) < LOGONS_AT_ONCE:
                self._sit_down(waiting.pop())
                busy = self._busy()
            self.poll(0.01)
            busy = self._busy()
        self._ids.products = self._product_indexes(participants.products)
        self._ask_parties_and_biddings(participants)
        self._await_day()
        self.gaps = self.reconnects = 0

    def _busy(self) -> list[_Seat]:
        return [
            seat
            for seat in self._seats.values()
            if seat.socket is not None and seat.session.state is not SessionState.READY
        ]

    def _product_indexes(self, names: list[str]) -> list[int]:
        session = next(iter(self._seats.values())).session
        try:
            return [session.product_index(name) for name in names]
        except LookupError as error:
            raise TargetError(str(error)) from error

    def _ask_parties_and_biddings(self, participants: Participants) -> None:
        """Learn what commands name: a block its counterparty's account, a bid its bidding."""
        seat = next(iter(self._seats.values()))
        self._product_of = {name: index for index, name in enumerate(participants.products)}
        self._index_of = {name: index for index, name in enumerate(participants.names)}
        deadline = time.monotonic() + LOGON_S_MAX
        seat.session.biddings()
        asked = 0
        while len(self._ids.accounts) < len(participants.names):
            if time.monotonic() > deadline:
                raise TargetError("the venue did not say the participants' accounts")
            # More at once would be too many that wait, for one connection.
            asking = participants.names[asked : len(self._ids.accounts) + PARTIES_AT_ONCE]
            for name in asking:
                seat.session.party(account=name)
            asked += len(asking)
            if asking:
                self._flush(seat)
            self._read(0.01)

    def _await_day(self) -> None:
        deadline = time.monotonic() + DAY_S_MAX
        while any(seat.session.phase not in _OPEN_PHASES for seat in self._seats.values()):
            if time.monotonic() > deadline:
                raise TargetError("expected a session that is open for orders, saw none")
            self._beat(every_s=1.0)
            self._read(0.01)

    # -- What is asked ----------------------------------------------------------------------------

    def send(self, commands: Sequence[Command]) -> None:
        """Hand over commands; those of one participant go in one message."""
        touched: dict[int, _Seat] = {}
        for command in commands:
            seat = self._seats[command.participant]
            session = seat.session
            client_order_id = session.next_client_order_id
            record = record_of(
                command,
                self._ids,
                client_order_id=client_order_id,
                trading_date=session.trading_date,
            )
            seat.numbers[client_order_id] = command.number
            session.submit_packed([(client_order_id, record)])
            if self._log is not None:
                self._log.sent(command.participant, record)
            touched[command.participant] = seat
        for seat in touched.values():
            self._flush(seat)

    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Return what was reported; keep the connections alive."""
        self._look_around()
        if not self._reports:
            self._read(min(timeout_s, LOOK_S))
        reports, self._reports = self._reports, []
        return reports

    def reconcile(self) -> Reconciliation:
        """See that every participant has all reports that the venue numbered for it."""
        for seat in self._seats.values():
            seat.venue_report_seq = -1
        deadline = time.monotonic() + CATCH_UP_S_MAX
        behind = list(self._seats.values())
        while behind and time.monotonic() < deadline:
            self._beat(every_s=1.0)
            self._read(0.02)
            behind = [seat for seat in behind if not _has_all(seat)]
        names = [str(seat.session.account) for seat in behind]
        if self._log is not None:
            accounts = {seat.index: seat.session.account_index for seat in self._seats.values()}
            self._log.write(accounts)
        return Reconciliation(
            {"participants with all their reports": len(self._seats) - len(behind)},
            [f"{len(names)} participants lack reports, first {names[0]}"] if names else [],
        )

    def close(self) -> None:
        """End the connections."""
        for seat in self._seats.values():
            if seat.monitor is not None:
                seat.monitor.close()
        self._sockets.close()
        self._context.destroy(linger=0)

    # -- The connections --------------------------------------------------------------------------

    def _sit_down(self, seat: _Seat) -> None:
        seat.socket = order_socket(self._context, seat.keys, self._server_key)
        seat.monitor = ConnectionMonitor(seat.socket)
        seat.socket.connect(self._endpoint)
        self._sockets.add(seat, seat.socket)
        seat.heard_at = time.monotonic()
        # Not all at the same time: that would be a stall each second.
        seat.beaten_at = seat.heard_at - seat.index * HEARTBEAT_INTERVAL_S / len(self._seats)
        seat.session.connected()
        self._flush(seat)

    def _stand_up(self, seat: _Seat) -> None:
        seat.session.disconnected()
        if seat.monitor is not None:
            seat.monitor.close()
            seat.monitor = None
        if seat.socket is not None:
            self._sockets.remove(seat, seat.socket)
            seat.socket.close(0)
            seat.socket = None

    def _look_around(self) -> None:
        """Look after the next seats, a few at a time: all of them at once would be a stall."""
        now = time.monotonic()
        behind = min((now - self._look_at) / LOOK_S, 1.0)
        for _ in range(int(behind * len(self._seats))):
            self._look_at = now
            seat = next(self._look, None)
            if seat is None:
                self._look = iter(list(self._seats.values()))
            else:
                self._keep(seat, now, HEARTBEAT_INTERVAL_S)

    def _beat(self, every_s: float) -> None:
        """Look after all of them."""
        now = time.monotonic()
        for seat in self._seats.values():
            self._keep(seat, now, every_s)

    def _keep(self, seat: _Seat, now: float, every_s: float) -> None:
        """Beat if it is due; connect anew if the connection is lost, or nothing is heard."""
        if seat.socket is None:
            return
        if seat.session.state is SessionState.ENDED:
            raise TargetError(str(SessionEnded(seat.session.end_reason)))
        if seat.session.state is SessionState.READY:
            seat.attempts.let_in(now)
            # Each session that came back counts, not each attempt.
            self.reconnects += seat.was_lost
            seat.was_lost = False
        if self._is_lost(seat, now):
            self._stand_up(seat)
            self._sit_down(seat)
            seat.was_lost = True
        elif now - seat.beaten_at > every_s:
            seat.beaten_at = now
            if seat.session.state is SessionState.READY:
                seat.session.heartbeat()
                self._flush(seat)

    def _is_lost(self, seat: _Seat, now: float) -> bool:
        if now - seat.heard_at > SILENCE_S_MAX:
            return True
        assert seat.monitor is not None
        if not seat.monitor.is_lost or now < seat.again_at:
            return False
        seat.again_at = now + seat.attempts.pause_s(now, seat.monitor.reached())
        return True

    def _flush(self, seat: _Seat) -> None:
        if seat.socket is None:
            return
        for message in seat.session.outgoing():
            try:
                seat.socket.send_multipart(message, zmq.NOBLOCK)
            except zmq.Again:
                # Nobody takes it: the session keeps it, and sends it again on the next connection.
                break
        self._sockets.touched(seat)

    # -- What comes -------------------------------------------------------------------------------

    def _read(self, timeout_s: float) -> None:
        for seat in self._sockets.ready(timeout_s):
            while seat.socket is not None:
                try:
                    frames = seat.socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._take(seat, frames)

    def _take(self, seat: _Seat, frames: list[bytes]) -> None:
        seat.heard_at = time.monotonic()
        session = seat.session
        for report in session.receive(frames):
            if self._log is not None:
                self._log.reported(seat.index, report)
            self._reports += self._translated(seat, report)
        if session.replayed_count > seat.gap_seen:
            self.gaps += 1
            seat.gap_seen = session.replayed_count
        while session.messages:
            self._listen(seat, session.messages.popleft())
        self._flush(seat)

    def _listen(self, seat: _Seat, message: dict[str, Any]) -> None:
        """Take an answer to a control message."""
        if message["op"] == "heartbeat":
            seat.venue_report_seq = message["report_seq"]
        elif message["op"] == "party" and message["account_index"] is not None:
            self._ids.accounts[self._index_of[message["account"]]] = message["account_index"]
        elif message["op"] == "biddings":
            self._ids.biddings = {
                self._product_of[each["product"]]: each["bidding_id"]
                for each in message["biddings"]
                if each["state"] == "open" and each["product"] in self._product_of
            }
        elif message["op"] == "refused" and not refusal_passes(message):
            raise TargetError(f"the venue refused a message of {seat.session.account}: {message}")

    def _translated(self, seat: _Seat, report: VenueReport) -> Iterator[Report]:
        """Yield what a report says in the harness's words."""
        account = seat.session.account_index
        kind = report.kind
        own = report.answers()
        number = 0
        if own and report.operator_index == seat.session.operator_index:
            number = seat.numbers.pop(own, 0)
        if kind == EventKind.BLOCK_OFFERED and report.account_index != account:
            yield Report(
                Outcome.ASKED,
                participant=seat.index,
                block=report.order_id,
                tonnes=report.tonnes,
            )
        if number and kind == EventKind.ORDER_REJECTED:
            yield Report(Outcome.REJECTED, number, code=Reason(report.reason).name)
            return
        if number:
            is_entry = kind in _ENTRIES
            if is_entry:
                self._ids.entered(number, report.order_id)
            yield Report(Outcome.ACCEPTED, number, report.tonnes if is_entry else 0)
        if kind == EventKind.TRADE:
            yield from self._traded(report, account, number)
        elif kind in _ENDS:
            yield Report(Outcome.ENDED, self._ids.ended(report.order_id))

    def _traded(self, report: VenueReport, account: int, number: int) -> Iterator[Report]:
        if report.method != Method.LISTED:
            yield Report(Outcome.TRADED, number, 0, trade=report.trade_id)
            return
        order_id = report.own_order_id(account)
        is_maker = report.is_maker(account)
        tonnes_open = report.counter_tonnes_open if is_maker else report.tonnes_open
        number = self._ids.traded(order_id, tonnes_open)
        yield Report(Outcome.TRADED, number, tonnes_open, trade=report.trade_id)


def _has_all(seat: _Seat) -> bool:
    known = seat.session.report_seq or 0
    return 0 <= seat.venue_report_seq <= known
