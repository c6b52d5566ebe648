"""Any system that takes orders over FIX 4.4 and TCP; the harness is the initiator.

    cea-exchange load --target fix --set port=9878 --set sender=LOAD{n} --set target=EXEC

A session a participant, unless `sender` has no ``{n}``: then one for all of a sending process.
Enter, cancel and replace are NewOrderSingle (D), OrderCancelRequest (F) and
OrderCancelReplaceRequest (G); reports are ExecutionReport (8), OrderCancelReject (9), Reject (3)
and BusinessMessageReject (j).
"""

import contextlib
import re
import select
import selectors
import socket
import time
from collections.abc import Iterator, Sequence

from cea_exchange.domain.records import CommandKind, OrderFlag, Side, Tif
from cea_exchange.loadtest.sockets import SystemSelector
from cea_exchange.loadtest.targets.fix_messages import Fields, FixError, encode, sending_time
from cea_exchange.loadtest.targets.fix_session import SILENCE_INTERVALS, Body, FixSession, Tag
from cea_exchange.loadtest.targets.target import (
    Command,
    Outcome,
    Participants,
    Reconciliation,
    Report,
    Target,
    TargetError,
)

CHUNK_BYTES = 1 << 18
LOGON_S_MAX = 20.0
RECONNECT_S = 0.05
LOOK_S = 0.05
TEST_S_MAX = 10.0
NUMBER = "{n}"

NEW_ORDER, CANCEL, REPLACE = b"D", b"F", b"G"
EXECUTION, CANCEL_REJECT, SESSION_REJECT, BUSINESS_REJECT = b"8", b"9", b"3", b"j"
_CL_ORD_ID, _ORIG_CL_ORD_ID, _SYMBOL, _SIDE, _TRANSACT_TIME = 11, 41, 55, 54, 60
_ORDER_QTY, _ORD_TYPE, _PRICE, _TIME_IN_FORCE = 38, 40, 44, 59
_HANDL_INST, _EXEC_INST, _ACCOUNT = 21, 18, 1
_EXEC_TYPE, _LEAVES_QTY, _ORD_REJ_REASON, _CXL_REJ_REASON = 150, 151, 103, 102
_SESSION_REJECT_REASON, _BUSINESS_REJECT_REASON, _BUSINESS_REJECT_REF_ID = 373, 380, 379
_TRADE_IDS = (880, 1003)
"""TrdMatchID and TradeID, which later versions have and many systems send."""
_SIDES = {Side.BUY: b"1", Side.SELL: b"2"}
_TIFS = {Tif.DAY: b"0", Tif.IOC: b"3", Tif.FOK: b"4"}
_TRADED = (b"F", b"1", b"2")
_DIGITS = re.compile(r"\d+")
_NOTHING = (0, b"", b"")
_PENDING = (b"6", b"A", b"E", b"I", b"D")


class _Seat:
    """A session at its connection."""

    def __init__(self, session: FixSession) -> None:
        self.session = session
        self.socket: socket.socket | None = None
        self.unsent = bytearray()
        self.heard_at = self.spoke_at = self.again_at = 0.0
        self.waits_to_write = False
        self.is_lost = False
        self.numbers: dict[int, int] = {}
        """Which command a message's number is of, as long as it is unanswered."""


class Fix(Target):
    """A FIX 4.4 acceptor.

    Parameters
    ----------
    host, port : str
    sender, target : str
        CompIDs; ``{n}`` in the sender is the participant's number.
    heartbeat : str
        Seconds.
    price_decimals : str
        How many digits of a price stand behind the point.
    symbols : str
        What the products are called there, commas between; their own names if left out.
    username, password : str
        For the logon.
    prefix : str
        Before each ClOrdID, where they must differ from other runs'.
    """

    def __init__(
        self,
        port: str,
        host: str = "127.0.0.1",
        sender: str = "LOAD{n}",
        target: str = "EXEC",
        heartbeat: str = "5",
        price_decimals: str = "2",
        symbols: str = "",
        username: str = "",
        password: str = "",
        prefix: str = "",
    ) -> None:
        try:
            self._address = host, int(port)
            self._heartbeat_s = int(heartbeat)
            self._decimals = int(price_decimals)
        except ValueError as error:
            raise TargetError(f"fix: expected whole numbers: {error}") from error
        self._sender, self._their_id = sender, target.encode()
        self._symbols = [name.encode() for name in symbols.split(",")] if symbols else []
        self._logon: Body = []
        if username:
            self._logon += [(Tag.USERNAME, username.encode())]
        if password:
            self._logon += [(Tag.PASSWORD, password.encode())]
        self._prefix = prefix.encode()
        self._selector = SystemSelector()
        self._seats: list[_Seat] = []
        self._seat_of: dict[int, _Seat] = {}
        self._looked_at = 0.0
        self._reports: list[Report] = []
        self._prepared = _NOTHING
        """The number of a command, and what its message is."""
        self._unanswered: dict[int, Command] = {}
        self._order_of: dict[int, int] = {}
        """Which order a replacement is of."""
        self._latest: dict[int, int] = {}
        """The ClOrdID's number that an order has now."""

    def connect(self, participants: Participants) -> None:
        """Log all sessions on."""
        self._symbols = self._symbols or [name.encode() for name in participants.products]
        if len(self._symbols) != len(participants.products):
            raise TargetError(
                f"symbols: expected {len(participants.products)}, got {len(self._symbols)}"
            )
        shared: _Seat | None = None
        for index in participants.hosted:
            if NUMBER in self._sender or shared is None:
                shared = self._seat(index if NUMBER in self._sender else participants.hosted[0])
            self._seat_of[index] = shared
        deadline = time.monotonic() + LOGON_S_MAX
        while missing := [seat for seat in self._seats if not seat.session.is_ready]:
            ended = next((seat.session.ended for seat in missing if seat.session.ended), "")
            if ended or time.monotonic() > deadline:
                why = ended or f"no answer to the logon of {len(missing)} sessions"
                raise TargetError(f"fix: {self._address[0]}:{self._address[1]}: {why}")
            self.poll(0.02)
        self.reconnects = self.gaps = 0

    def _seat(self, index: int) -> _Seat:
        name = self._sender.replace(NUMBER, str(index))
        session = FixSession(
            name.encode(), self._their_id, heartbeat_s=self._heartbeat_s, logon=self._logon
        )
        seat = _Seat(session)
        self._seats.append(seat)
        self._sit_down(seat)
        return seat

    # -- What is asked ----------------------------------------------------------------------------

    def prepare(self, command: Command) -> None:
        """Encode its body; the head has the message's number and time."""
        self._prepared = command.number, *self._body(command)

    def send(self, commands: Sequence[Command]) -> int:
        """Write commands; those of one session go in one write."""
        touched: dict[int, _Seat] = {}
        for command in commands:
            seat = self._seat_of[command.participant]
            number, kind, body = self._prepared
            if number != command.number:
                kind, body = self._body(command)
            seat.numbers[seat.session.send(kind, body)] = command.number
            self._unanswered[command.number] = command
            touched[id(seat)] = seat
        for seat in touched.values():
            seat.unsent += seat.session.outgoing()
        written_ns = time.monotonic_ns()
        for seat in touched.values():
            written_ns = time.monotonic_ns()
            self._flush(seat)
        return written_ns

    def _body(self, command: Command) -> tuple[bytes, bytes]:
        kind, fields = self._fields(command, sending_time())
        return kind, encode(fields)

    def _fields(self, command: Command, at: bytes) -> tuple[bytes, Body]:
        body: Body = [
            (_CL_ORD_ID, self._id(command.number)),
            (_SYMBOL, self._symbols[command.product]),
            (_SIDE, _SIDES[Side(command.side)]),
            (_TRANSACT_TIME, at),
        ]
        if command.kind == CommandKind.CANCEL:
            orig = self._latest.get(command.order, command.order)
            body.insert(1, (_ORIG_CL_ORD_ID, self._id(orig)))
            body.append((_ORDER_QTY, b"%d" % max(command.tonnes, 1)))
            return CANCEL, body
        body += [
            (_HANDL_INST, b"1"),
            (_ORDER_QTY, b"%d" % command.tonnes),
            (_ORD_TYPE, b"2"),
            (_PRICE, self._price(command.price)),
            (_TIME_IN_FORCE, _TIFS[Tif(command.tif)]),
        ]
        if command.flags & OrderFlag.POST_ONLY:
            body.append((_EXEC_INST, b"6"))
        if command.kind == CommandKind.AMEND:
            self._order_of[command.number] = command.order
            orig = self._latest.get(command.order, command.order)
            body.insert(1, (_ORIG_CL_ORD_ID, self._id(orig)))
            return REPLACE, body
        if command.kind != CommandKind.ENTER:
            name = CommandKind(command.kind).name.lower()
            raise TargetError(f"fix: expected to enter, cancel or amend, got {name}")
        return NEW_ORDER, body

    def _id(self, number: int) -> bytes:
        return self._prefix + b"%d" % number

    def _price(self, price: int) -> bytes:
        if not self._decimals:
            return b"%d" % price
        whole, fraction = divmod(price, 10**self._decimals)
        return b"%d.%0*d" % (whole, self._decimals, fraction)

    def poll(self, timeout_s: float) -> Sequence[Report]:
        """Read what has come; keep the sessions alive."""
        now = time.monotonic()
        if now - self._looked_at > LOOK_S:
            self._looked_at = now
            for seat in self._seats:
                self._keep(seat, now)
        if not self._reports:
            wait_s = min(max(timeout_s, 0.0), LOOK_S)
            # The system's selector rounds up to the millisecond; `select` on it does not.
            if wait_s > 0:
                select.select([self._selector], [], [], wait_s)
            for key, events in self._selector.select(0):
                seat = key.data
                if events & selectors.EVENT_READ:
                    self._read(seat)
                if seat.socket is not None and (events & selectors.EVENT_WRITE):
                    self._flush(seat)
        self.gaps = sum(seat.session.gaps for seat in self._seats)
        reports, self._reports = self._reports, []
        return reports

    def reconcile(self) -> Reconciliation:
        """Let each session answer a test: nothing that it said before is missing then."""
        tests = [(seat, seat.session.test()) for seat in self._seats]
        for seat, _ in tests:
            self._flush(seat)
        deadline = time.monotonic() + TEST_S_MAX
        while silent := [seat for seat, name in tests if name not in seat.session.tests_answered]:
            if time.monotonic() > deadline:
                break
            self.poll(0.02)
        found = Reconciliation({"sessions without a gap": len(self._seats) - len(silent)})
        if silent:
            found.differences.append(f"{len(silent)} sessions did not answer a test request")
        return found

    def close(self) -> None:
        """Log out and close."""
        for seat in self._seats:
            if seat.session.is_ready:
                seat.session.logout()
                self._flush(seat)
            self._stand_up(seat)
        self._selector.close()

    # -- The connections --------------------------------------------------------------------------

    def _sit_down(self, seat: _Seat) -> None:
        seat.heard_at = seat.spoke_at = time.monotonic()
        seat.is_lost = False
        seat.unsent.clear()
        try:
            seat.socket = socket.create_connection(self._address, timeout=1.0)
        except OSError:
            seat.is_lost = True
            return
        seat.socket.setblocking(False)
        seat.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        seat.waits_to_write = False
        self._selector.register(seat.socket, selectors.EVENT_READ, seat)
        seat.session.connected()
        self._flush(seat)

    def _stand_up(self, seat: _Seat) -> None:
        seat.session.is_ready = False
        if seat.socket is not None:
            self._selector.unregister(seat.socket)
            seat.socket.close()
            seat.socket = None

    def _keep(self, seat: _Seat, now: float) -> None:
        """Beat if it is due; connect anew where the connection is lost, or nothing is heard."""
        if seat.is_lost or now - seat.heard_at > SILENCE_INTERVALS * self._heartbeat_s:
            if now < seat.again_at:
                return
            seat.again_at = now + RECONNECT_S
            self._stand_up(seat)
            self._sit_down(seat)
            if seat.socket is not None:
                self.reconnects += 1
        elif seat.session.is_ready and now - seat.spoke_at > self._heartbeat_s:
            seat.session.heartbeat()
            self._flush(seat)

    def _flush(self, seat: _Seat) -> None:
        seat.unsent += seat.session.outgoing()
        if seat.socket is None or not seat.unsent:
            return
        seat.spoke_at = time.monotonic()
        try:
            del seat.unsent[: seat.socket.send(seat.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            seat.is_lost = True
            return
        if bool(seat.unsent) != seat.waits_to_write:
            seat.waits_to_write = bool(seat.unsent)
            writes = selectors.EVENT_WRITE if seat.unsent else 0
            self._selector.modify(seat.socket, selectors.EVENT_READ | writes, seat)

    def _read(self, seat: _Seat) -> None:
        data = b""
        with contextlib.suppress(BlockingIOError):
            try:
                assert seat.socket is not None
                data = seat.socket.recv(CHUNK_BYTES)
                seat.is_lost = not data
            except ConnectionError:
                seat.is_lost = True
        if seat.is_lost:
            # What was heard last says more than the end of the connection does.
            self._stand_up(seat)
            return
        seat.heard_at = time.monotonic()
        try:
            for message in seat.session.receive(data):
                self._reports += self._translated(seat, message)
        except FixError as error:
            raise TargetError(f"fix: {error}") from error
        self._flush(seat)

    # -- What comes -------------------------------------------------------------------------------

    def _translated(self, seat: _Seat, message: Fields) -> Iterator[Report]:
        kind = message[Tag.MSG_TYPE]
        if kind == EXECUTION:
            yield from self._executed(message)
        elif kind == CANCEL_REJECT:
            yield from self._refused(self._number(message, _CL_ORD_ID), message, _CXL_REJ_REASON)
        elif kind in (SESSION_REJECT, BUSINESS_REJECT):
            number = seat.numbers.get(int(message.get(Tag.REF_SEQ_NUM, b"0")), 0)
            if not number and _BUSINESS_REJECT_REF_ID in message:
                number = self._number(message, _BUSINESS_REJECT_REF_ID)
            reason = _SESSION_REJECT_REASON if kind == SESSION_REJECT else _BUSINESS_REJECT_REASON
            yield from self._refused(number, message, reason)

    def _executed(self, message: Fields) -> Iterator[Report]:
        what = message.get(_EXEC_TYPE, b"")
        number = self._number(message, _CL_ORD_ID)
        leaves = int(float(message.get(_LEAVES_QTY, b"0")))
        if what in _PENDING:
            return
        if what == b"8":
            yield from self._refused(number, message, _ORD_REJ_REASON)
            return
        order = self._order_of.get(number, number)
        asked = self._unanswered.pop(number, None)
        if asked is not None:
            yield Report(Outcome.ACCEPTED, number, asked.tonnes if what in _TRADED else leaves)
        if what == b"5":
            self._latest[order] = number
            # It may name the order by what it was called until now.
            self._prepared = _NOTHING
        elif what in (b"4", b"C", b"3"):
            is_cancel = asked is not None and asked.kind == CommandKind.CANCEL
            ended = asked.order if asked is not None and is_cancel else order
            self._latest.pop(ended, None)
            yield Report(Outcome.ENDED, ended)
        elif what in _TRADED:
            trade = next((message[tag] for tag in _TRADE_IDS if tag in message), b"").decode()
            yield Report(Outcome.TRADED, order, leaves, trade=trade or 0)

    def _refused(self, number: int, message: Fields, reason: int) -> Iterator[Report]:
        asked = self._unanswered.pop(number, None)
        if asked is None and not number:
            raise TargetError(f"fix: a reject names no message of this run: {message}")
        code = message.get(reason, b"").decode()
        # Numbers in it are this order's, and would make each refusal one of its own.
        text = _DIGITS.sub("#", message.get(Tag.TEXT, b"").decode("utf-8", "replace"))
        yield Report(Outcome.REJECTED, number, code=f"{code} {text}".strip() or "none given")

    def _number(self, message: Fields, tag: int) -> int:
        value = message.get(tag, b"").removeprefix(self._prefix)
        return int(value) if value.isdigit() else 0
