"""One process that hosts many participants, each with its own key and session.

Started as ``python -m cea_exchange.loadtest.runner CONFIG``; the parent writes one JSON object a
line to its standard input and reads one back: ``logon``, ``run``, ``catch_up``, ``result``.

The schedule is an open loop: when a command is due does not depend on the answers before it.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec
import zmq

from cea_exchange.client.order_entry import order_socket
from cea_exchange.client.reports import Report
from cea_exchange.client.session import OrderSession, SessionState
from cea_exchange.domain.records import EventKind, Method, Phase, Reason, Side
from cea_exchange.loadtest.population import NOT_ORDERS, WORKLOADS, PricePath, Trader
from cea_exchange.loadtest.results.latency_histogram import LatencyHistogram
from cea_exchange.loadtest.sockets import SocketSet, refusal_passes
from cea_exchange.protocol.security import CurveKeys

HEARTBEAT_INTERVAL_S = 5.0
POLL_S = 0.002
"""Longest wait between two looks at the schedule; what it adds is part of the latency."""

LOGONS_AT_ONCE = 16
ANSWERS_WAIT_S = 60.0
OUTAGE_NS_MIN = 250_000_000
"""Nanoseconds without an answer to any waiting command before it is an outage: a busy machine
pauses for less, and a change of leader takes longer."""

_STDIN = "stdin"
_BLOCK_TALK = (EventKind.BLOCK_ENQUIRED, EventKind.BLOCK_OFFERED, EventKind.BLOCK_COUNTERED)


class RunnerMember(msgspec.Struct, forbid_unknown_fields=True):
    """A hosted participant: its name, and its side (`buy`, `sell`) by product."""

    name: str
    sides: dict[str, str]


class RunnerConfig(msgspec.Struct, forbid_unknown_fields=True):
    """What a runner process is configured with.

    Attributes
    ----------
    endpoint, server_key
        The venue's order gateway and public key.
    keys
        Directory with the participants' key files.
    reference_prices
        Fen per tonne by product name.
    process_index, process_count
        Which runner of how many this is; the prices' path runs by the commands of all.
    """

    endpoint: str
    server_key: str
    keys: str
    members: list[RunnerMember]
    reference_prices: dict[str, int]
    workload: str
    seed: int
    process_index: int
    process_count: int


class Seat:
    """A participant at its socket, with what the runner must know to judge the answers."""

    def __init__(self, member: RunnerMember):
        self.member = member
        self.session = OrderSession()
        self.socket: zmq.Socket | None = None
        self.trader: Trader | None = None
        self.due: dict[int, int] = {}
        self.kinds: dict[int, str] = {}
        self.answered: set[int] = set()
        self.pick_product: int | None = None
        self.heartbeat_report_seq = -1


class Tally:
    """What a runner counted."""

    def __init__(self) -> None:
        self.latency = LatencyHistogram()
        self.sent: Counter = Counter()
        self.refused: Counter = Counter()
        self.refused_kinds: Counter = Counter()
        self.answered = 0
        self.answered_twice = 0
        self.entered = 0
        self.trades_taken = 0
        self.tonnes_taken = 0
        self.reports = 0
        self.orders_traded: set[int] = set()

    def as_dict(self) -> dict:
        """Return plain values that go through JSON."""
        return {
            "sent": dict(self.sent),
            "refused": dict(self.refused),
            "refused_kinds": dict(self.refused_kinds),
            "answered": self.answered,
            "answered_twice": self.answered_twice,
            "entered": self.entered,
            "trades": self.trades_taken,
            "tonnes": self.tonnes_taken,
            "reports": self.reports,
            "orders_traded": len(self.orders_traded),
            "latency": self.latency.encode(),
        }


class Runner:
    """Hosts the seats and does what the parent asks."""

    def __init__(self, config: RunnerConfig):
        self.config = config
        self.seats = [Seat(member) for member in config.members]
        self.tally = Tally()
        self._context = zmq.Context(io_threads=1)
        self._context.max_sockets = 2 * len(self.seats) + 16
        self._sockets = SocketSet()
        self._draw = random.Random(f"runner {config.seed} {config.process_index}")
        self._beat_at = 0.0
        self._input = b""
        self._is_running = False
        self._answered_ns = 0
        self._outages_ns: list[tuple[int, int]] = []
        self._asked: list[tuple[Seat, Report]] = []

    # -- What the parent asks ----------------------------------------------------------------------

    def serve(self) -> None:
        """Answer the parent until it has the result."""
        self._sockets.add_stdin(_STDIN)
        while True:
            request = self._request()
            answer = getattr(self, f"do_{request.pop('do')}")(**request)
            print(json.dumps(answer), flush=True)
            if "result" in answer:
                return

    def do_logon(self) -> dict:
        """Connect every seat and log it on, a few at a time."""
        waiting = list(self.seats)
        busy: list[Seat] = []
        deadline = time.monotonic() + ANSWERS_WAIT_S
        while waiting or busy:
            if time.monotonic() > deadline:
                names = [seat.member.name for seat in busy + waiting]
                return {"error": f"no logon for {len(names)} participants, first {names[0]}"}
            while waiting and len(busy) < LOGONS_AT_ONCE:
                busy.append(self._sit_down(waiting.pop()))
            self._read(0.01)
            busy = [seat for seat in busy if seat.session.state is not SessionState.READY]
        for seat in self.seats:
            self._prepare(seat)
        return {"ready": len(self.seats)}

    def do_await_day(self, *, trading_date: int, timeout_s: float = 20.0) -> dict:
        """Wait until every seat knows that this day is open for orders."""
        deadline = time.monotonic() + timeout_s
        asked_at = 0.0
        waiting = list(self.seats)
        while waiting:
            now = time.monotonic()
            if now > deadline:
                return {"error": f"{len(waiting)} participants saw no session of {trading_date}"}
            if now - asked_at > 2.0:
                asked_at = now
                self._beat(waiting)
            self._read(0.01)
            waiting = [
                seat for seat in waiting
                if seat.session.trading_date != trading_date
                or seat.session.phase not in (Phase.LISTED, Phase.LISTED_AND_BLOCK)
            ]  # fmt: skip
        return {}

    def do_run(self, *, rate: float, orders: int | None = None, seconds: float = 0.0) -> dict:
        """Send commands at a rate until so many orders were entered, or for so many seconds.

        Ends when every command is answered; returns what was sent, the time it took, and each
        outage: the second in which it began, and its length.
        """
        step_ns = round(1e9 / rate)
        entered_goal = None if orders is None else self.tally.entered + orders
        start = time.monotonic_ns()
        due, end = start, start + round(seconds * 1e9)
        answered_before = self.tally.answered
        self._answered_ns, self._outages_ns = start, []
        self._is_running = True
        while self.tally.entered < entered_goal if entered_goal is not None else due < end:
            now = time.monotonic_ns()
            while due <= now and (entered_goal is None or self.tally.entered < entered_goal):
                self._act(self._draw.choice(self.seats), due)
                due += step_ns
            self._read(min(POLL_S, max(0.0, (due - time.monotonic_ns()) / 1e9)))
        sent_ns = time.monotonic_ns() - start
        unanswered = self._await_answers()
        if unanswered:
            self._outage_note(time.monotonic_ns())
        # What is negotiated still lapses at the close.
        self._is_running = False
        return {
            "sent_s": sent_ns / 1e9,
            "done_s": (time.monotonic_ns() - start) / 1e9,
            "answered": self.tally.answered - answered_before,
            "unanswered": unanswered,
            "outages": [
                {"start_s": (began - start) / 1e9, "length_s": length / 1e9}
                for began, length in self._outages_ns
            ],
        }

    def do_catch_up(self, *, timeout_s: float = 30.0) -> dict:
        """Wait until every seat has all reports that the venue says it has numbered for it."""
        deadline = time.monotonic() + timeout_s
        for seat in self.seats:
            seat.heartbeat_report_seq = -1
        self._beat(self.seats)
        behind = list(self.seats)
        asked_at = time.monotonic()
        while behind and time.monotonic() < deadline:
            self._read(0.02)
            behind = [
                seat for seat in behind
                if seat.heartbeat_report_seq < 0
                or seat.session.report_seq < seat.heartbeat_report_seq
            ]  # fmt: skip
            if behind and time.monotonic() - asked_at > 1.0:
                asked_at = time.monotonic()
                self._beat(behind)
        return {"behind": [seat.member.name for seat in behind]}

    def do_result(self) -> dict:
        """Return all counts and close the sockets."""
        result = self.tally.as_dict()
        result["unanswered"] = sum(len(seat.session.unacknowledged) for seat in self.seats)
        result["report_seqs"] = {
            seat.member.name: seat.session.report_seq or 0 for seat in self.seats
        }
        self.close()
        return {"result": result}

    def close(self) -> None:
        """Close every socket."""
        self._sockets.close()
        self._context.destroy(linger=0)

    # -- Sessions ----------------------------------------------------------------------------------

    def _sit_down(self, seat: Seat) -> Seat:
        keys = CurveKeys.load(self.config.keys, seat.member.name)
        seat.socket = order_socket(self._context, keys, self.config.server_key)
        seat.socket.connect(self.config.endpoint)
        self._sockets.add(seat, seat.socket)
        seat.session.connected()
        self._flush(seat)
        return seat

    def _prepare(self, seat: Seat) -> None:
        session, config = seat.session, self.config
        paths = {
            session.product_index(name): PricePath(name, price, seed=config.seed)
            for name, price in config.reference_prices.items()
        }
        sides = {
            session.product_index(name): Side[side.upper()]
            for name, side in seat.member.sides.items()
        }
        seat.trader = Trader(
            seat.member.name, sides, paths, WORKLOADS[config.workload], config.seed
        )

    def _flush(self, seat: Seat) -> None:
        for message in seat.session.outgoing():
            seat.socket.send_multipart(message, zmq.NOBLOCK)
        self._sockets.touched(seat)

    def _read(self, timeout_s: float) -> None:
        now = time.monotonic()
        if now - self._beat_at > HEARTBEAT_INTERVAL_S:
            self._beat_at = now
            self._beat(self.seats)
        for seat in self._sockets.ready(timeout_s):
            if seat is _STDIN:
                self._read_input()
                continue
            while True:
                try:
                    frames = seat.socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    break
                self._take(seat, frames)

    def _beat(self, seats: list[Seat]) -> None:
        for seat in seats:
            if seat.session.state is SessionState.READY:
                seat.session.heartbeat()
                self._flush(seat)

    # -- Commands ----------------------------------------------------------------------------------

    def _act(self, seat: Seat, due_ns: int) -> None:
        name = seat.trader.intention()
        if name == "pick":
            # The order to take must be looked up first; the order goes when the book is there.
            seat.pick_product = seat.trader.product()
            seat.session.book(seat.session.product_name(seat.pick_product))
            self._flush(seat)
            return
        session = seat.session
        if name in ("block_offer", "block_enquiry"):
            if self._block_begin(seat, name, due_ns):
                return
            name = "passive"
        client_order_id = session.next_client_order_id
        record = seat.trader.command(name, client_order_id, session.trading_date, self._count())
        self._send(seat, name, client_order_id, record, due_ns)

    def _block_begin(self, seat: Seat, name: str, due_ns: int) -> bool:
        """Begin a block with somebody on the other side; False if it can't be now."""
        session, product_index = seat.session, seat.trader.product()
        others = [
            other
            for other in self.seats
            if other.trader.sides[product_index] != seat.trader.sides[product_index]
        ]
        if session.phase != Phase.LISTED_AND_BLOCK or not others:
            return False
        if not seat.trader.begins_block(session.trading_date):
            return False
        client_order_id = session.next_client_order_id
        record = seat.trader.block(
            name,
            product_index,
            client_order_id,
            session.trading_date,
            counterparty=self._draw.choice(others).session.account_index,
            count=self._count(),
        )
        self._send(seat, name, client_order_id, record, due_ns)
        return True

    def _block_answer(self, seat: Seat, report: Report) -> None:
        session = seat.session
        client_order_id = session.next_client_order_id
        name, record = seat.trader.block_answer(
            report, client_order_id, session.trading_date, self._count()
        )
        self._send(seat, name, client_order_id, record, time.monotonic_ns())

    def _count(self) -> int:
        return sum(self.tally.sent.values()) * self.config.process_count

    def _send(
        self, seat: Seat, name: str, client_order_id: int, record: bytes, due_ns: int
    ) -> None:
        seat.due[client_order_id] = due_ns
        seat.kinds[client_order_id] = name
        seat.session.submit_packed([(client_order_id, record)])
        self.tally.sent[name] += 1
        if name not in NOT_ORDERS:
            self.tally.entered += 1
        self._flush(seat)

    def _pick(self, seat: Seat, book: dict) -> None:
        product_index, seat.pick_product = seat.pick_product, None
        if product_index is None:
            return
        found = best_order(book, seat.trader.sides[product_index])
        if found is None:
            return
        order_id, price, tonnes = found
        session = seat.session
        client_order_id = session.next_client_order_id
        record = seat.trader.pick(
            product_index,
            client_order_id,
            session.trading_date,
            order_id=order_id,
            price=price,
            tonnes=tonnes,
        )
        self._send(seat, "pick", client_order_id, record, time.monotonic_ns())

    # -- Answers -----------------------------------------------------------------------------------

    def _take(self, seat: Seat, frames: list[bytes]) -> None:
        now = time.monotonic_ns()
        for report in seat.session.receive(frames):
            self._judge(seat, report, now)
        asked, self._asked = self._asked, []
        for one in asked:
            self._block_answer(*one)
        while seat.session.messages:
            message = seat.session.messages.popleft()
            if message["op"] == "book":
                self._pick(seat, message)
            elif message["op"] == "heartbeat":
                seat.heartbeat_report_seq = message["report_seq"]
            elif message["op"] == "refused" and not refusal_passes(message):
                raise RuntimeError(f"the venue refused a message of {seat.member.name}: {message}")
        self._flush(seat)

    def _judge(self, seat: Seat, report: Report, now_ns: int) -> None:
        tally = self.tally
        tally.reports += 1
        if seat.trader is not None:
            seat.trader.take(report, seat.session.account_index)
        if report.kind in _BLOCK_TALK and report.account_index != seat.session.account_index:
            if self._is_running:
                self._asked.append((seat, report))
        elif report.kind == EventKind.TRADE:
            if report.method == Method.LISTED:
                tally.orders_traded.add(report.own_order_id(seat.session.account_index))
            if not report.is_maker(seat.session.account_index):
                tally.trades_taken += 1
                tally.tonnes_taken += report.tonnes
        client_order_id = report.answers()
        if not client_order_id or report.operator_index != seat.session.operator_index:
            return
        if client_order_id in seat.answered:
            tally.answered_twice += 1
            return
        if client_order_id not in seat.due:
            return
        self._outage_note(now_ns)
        self._answered_ns = now_ns
        due = seat.due.pop(client_order_id)
        seat.answered.add(client_order_id)
        tally.answered += 1
        tally.latency.record(now_ns - due)
        kind = seat.kinds.pop(client_order_id)
        if report.kind == EventKind.ORDER_REJECTED:
            tally.refused[Reason(report.reason).name] += 1
            tally.refused_kinds[kind] += 1

    def _outage_note(self, now_ns: int) -> None:
        """Note the time without an answer until now, if commands waited for long enough."""
        if now_ns - self._answered_ns < OUTAGE_NS_MIN:
            return
        first_due_ns = min(next(iter(seat.due.values())) for seat in self.seats if seat.due)
        began_ns = max(self._answered_ns, first_due_ns)
        if now_ns - began_ns >= OUTAGE_NS_MIN:
            self._outages_ns.append((began_ns, now_ns - began_ns))

    def _await_answers(self) -> int:
        deadline = time.monotonic() + ANSWERS_WAIT_S
        while time.monotonic() < deadline:
            self._read(0.01)
            if not any(seat.due for seat in self.seats):
                return 0
        return sum(len(seat.due) for seat in self.seats)

    def _request(self) -> dict:
        """Return the parent's next request."""
        while b"\n" not in self._input:
            self._read(0.2)
        line, _, self._input = self._input.partition(b"\n")
        return json.loads(line)

    def _read_input(self) -> None:
        """Take in what the parent wrote; end with it, at once, when it is gone."""
        # Past the buffer of `sys.stdin`, which the selector does not know of.
        chunk = os.read(sys.stdin.fileno(), 65536)
        if not chunk:
            sys.exit("the parent is gone")
        self._input += chunk


def best_order(book: dict, side: Side) -> tuple[int, int, int] | None:
    """Return (order_id, price, tonnes) of the oldest order at the best opposite level.

    Parameters
    ----------
    book : dict
        The venue's answer to a `book` request.
    side : Side
        The taker's side.
    """
    levels = book["asks" if side == Side.BUY else "bids"]
    if not levels:
        return None
    order_id, tonnes = levels[0]["orders"][0]
    return order_id, levels[0]["price"], tonnes


def main(path: str) -> None:
    """Run one runner process."""
    config = msgspec.json.decode(Path(path).read_bytes(), type=RunnerConfig)
    runner = Runner(config)
    try:
        runner.serve()
    finally:
        runner.close()


if __name__ == "__main__":
    main(sys.argv[1])
