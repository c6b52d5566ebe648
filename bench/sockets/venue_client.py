"""The client of the venue's benchmarks: sessions that send batches and check every answer."""

import time
from dataclasses import dataclass, field
from typing import Self

import msgspec
import numpy as np
import zmq

from cea_exchange.client.order_entry import order_socket
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, EventKind, Side
from cea_exchange.loadtest.local_exchange import LocalExchange

ANSWER_S_MAX = 20.0
CANCELS_SHARE = 0.33
CROSSING_SHARE = 0.27
_ANSWERS = (
    EventKind.ORDER_ACCEPTED,
    EventKind.ORDER_REJECTED,
    EventKind.ORDER_CANCELED,
    EventKind.ORDER_AMENDED,
)


class BenchError(RuntimeError):
    """An answer is missing, doubled or not what it must be: the figure would be worth nothing."""


@dataclass
class Answered:
    """What a session heard, added up."""

    acknowledged: int = 0
    rejected: int = 0
    trades: int = 0
    reports: int = 0


@dataclass
class Session:
    """One connection of one account, which stands on one side of every product.

    Attributes
    ----------
    sent_ns : ndarray
        When the command of each client_order_id left; 0 is not sent.
    answered_ns : ndarray
        When its answer came; 0 is none.
    """

    name: str
    side: Side
    socket: zmq.Socket
    trading_date: int
    products: list[dict]
    report_seq: int
    next_id: int
    rng: np.random.Generator
    sent_ns: np.ndarray
    answered_ns: np.ndarray
    resting: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    outstanding: int = 0
    totals: Answered = field(default_factory=Answered)

    @classmethod
    def begun(
        cls,
        name: str,
        side: Side,
        socket: zmq.Socket | None,
        shown: dict,
        *,
        commands_max: int,
        rng: np.random.Generator,
    ) -> Self:
        """A session as the answer to its logon shows it."""
        return cls(
            name,
            side,
            socket,
            shown["trading_date"],
            shown["products"],
            shown["report_seq"],
            shown["last_client_order_id"] + 1,
            rng,
            np.zeros(commands_max, np.int64),
            np.zeros(commands_max, np.int64),
        )

    def batch(self, count: int) -> np.ndarray:
        """Return `count` new commands: orders around the touch, and cancels of resting ones."""
        records = np.zeros(count, COMMAND_DTYPE)
        records["kind"] = CommandKind.ENTER
        records["side"] = self.side
        records["trading_date"] = self.trading_date
        records["client_order_id"] = np.arange(self.next_id, self.next_id + count)
        self.next_id += count
        product = self.rng.integers(len(self.products), size=count)
        reference = np.array([each["reference_price"] for each in self.products])[product]
        # Power-law distance from the middle; a part of the orders reaches over it.
        distance = np.minimum(self.rng.pareto(1.5, count) * 5, 700).astype(np.int64)
        crosses = self.rng.random(count) < CROSSING_SHARE
        away = np.where(crosses, -np.minimum(distance, 8), distance + 1)
        records["price"] = reference - away if self.side == Side.BUY else reference + away
        records["product_index"] = product
        records["tonnes"] = self.rng.integers(1, 200, size=count)
        cancels = np.flatnonzero(self.rng.random(count) < CANCELS_SHARE)[: len(self.resting)]
        targets, self.resting = self.resting[: len(cancels)], self.resting[len(cancels) :]
        for name in ("side", "price", "tonnes", "product_index"):
            records[name][cancels] = 0
        records["kind"][cancels] = CommandKind.CANCEL
        records["order_id"][cancels] = targets
        return records

    def send(self, records: np.ndarray) -> None:
        """Send one message of commands."""
        first = int(records["client_order_id"][0])
        self.sent_ns[first : first + len(records)] = time.monotonic_ns()
        self.outstanding += len(records)
        self.socket.send_multipart([b"C", records.tobytes()])

    def receive(self) -> bool:
        """Take one message and check it; False if there is none."""
        try:
            tag, payload = self.socket.recv_multipart(zmq.NOBLOCK)
        except zmq.Again:
            return False
        self.take(tag, payload, time.monotonic_ns())
        return True

    def take(self, tag: bytes, payload: bytes, now_ns: int) -> None:
        """Check one message that came at a time."""
        if tag == b"M":
            shown = msgspec.msgpack.decode(payload)
            if shown["op"] == "refused":
                raise BenchError(f"{self.name}: {shown}")
            return
        reports = np.frombuffer(payload, EVENT_DTYPE)
        maker = reports["account_index"] == 0xFFFFFFFF
        seqs = np.where(maker, reports["counter_report_seq"], reports["report_seq"])
        expected = np.arange(self.report_seq + 1, self.report_seq + 1 + len(seqs))
        if not np.array_equal(seqs, expected):
            raise BenchError(f"{self.name}: reports {seqs[0]}.. came after {self.report_seq}")
        self.report_seq = int(seqs[-1])
        self._answers(reports, now_ns)

    def _answers(self, reports: np.ndarray, now_ns: int) -> None:
        kind = reports["kind"]
        rested = reports[kind == EventKind.ORDER_RESTED]
        self.resting = np.concatenate((self.resting, rested["order_id"]))[-20_000:]
        requested = np.isin(kind, _ANSWERS)
        # What the market cancels by itself (a remainder) answers no command of its own.
        requested &= (kind != EventKind.ORDER_CANCELED) | (reports["reason"] == 101)
        ids = reports["client_order_id"][requested]
        if (self.answered_ns[ids] != 0).any() or (self.sent_ns[ids] == 0).any():
            raise BenchError(f"{self.name}: a command was answered twice, or never sent")
        self.answered_ns[ids] = now_ns
        self.outstanding -= len(ids)
        rejected = int((kind == EventKind.ORDER_REJECTED).sum())
        self.totals.rejected += rejected
        self.totals.acknowledged += len(ids)
        self.totals.trades += int((kind == EventKind.TRADE).sum())
        self.totals.reports += len(reports)


class Client:
    """All sessions of one process.

    Parameters
    ----------
    exchange
        A running one in the listed phase.
    names
        Participants by name, with the side each stands on.
    commands_max
        How many commands a session may send.
    seed
        Of what they do.
    """

    def __init__(
        self, exchange: LocalExchange, names: dict[str, Side], *, commands_max: int, seed: int
    ) -> None:
        self._context = zmq.Context()
        self._poller = zmq.Poller()
        self.sessions: list[Session] = []
        for number, (name, side) in enumerate(names.items()):
            socket = order_socket(
                self._context, exchange.keys(name), exchange.keys("venue").public
            )
            socket.connect(exchange.endpoint("venue", "gateway"))
            socket.send_multipart([b"M", msgspec.msgpack.encode({"op": "logon"})])
            if not socket.poll(int(ANSWER_S_MAX * 1000)):
                raise BenchError(f"{name}: no answer to the logon")
            shown = msgspec.msgpack.decode(socket.recv_multipart()[1])
            self._poller.register(socket, zmq.POLLIN)
            self.sessions.append(
                Session.begun(
                    name,
                    side,
                    socket,
                    shown,
                    commands_max=commands_max,
                    rng=np.random.default_rng([seed, number]),
                )
            )
        self._by_socket = {session.socket: session for session in self.sessions}

    def receive(self, timeout_ms: float) -> None:
        """Wait for answers and take all there are."""
        for socket, _ in self._poller.poll(timeout_ms):
            session = self._by_socket[socket]
            while session.receive():
                pass

    def drain(self) -> None:
        """Wait until every command is answered."""
        end_s = time.monotonic() + ANSWER_S_MAX
        while any(session.outstanding for session in self.sessions):
            if time.monotonic() > end_s:
                missing = sum(session.outstanding for session in self.sessions)
                raise BenchError(f"{missing} commands were not answered in {ANSWER_S_MAX:g} s")
            self.receive(100)

    def totals(self) -> Answered:
        """What all sessions heard."""
        total = Answered()
        for session in self.sessions:
            for name, value in vars(session.totals).items():
                setattr(total, name, getattr(total, name) + value)
        return total

    def close(self) -> None:
        """End the connections."""
        self._context.destroy(linger=0)
