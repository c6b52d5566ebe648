"""A venue with its relay, and a process that trades there at a steady rate."""

import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

import numpy as np

from bench.sockets.venue_client import Client
from bench.venue import CASH_FEN, LAG_OFF, LISTED, REFERENCE_PRICE, START, TONNES
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant

PRODUCT = "CEA24"
TRADERS = {"buyer": Side.BUY, "seller": Side.SELL}
PROBES = {"probe": Side.BUY, "other": Side.BUY}
"""Two whose single orders are timed: one at a screen, one without."""
TURN_S = 0.01


@contextmanager
def market() -> Iterator[LocalExchange]:
    """Open a venue in its listed phase; its registry has been stopped, for it is not measured."""
    people = [
        Participant(
            name,
            "dealer",
            {PRODUCT: side},
            CASH_FEN // 100,
            {} if side == Side.BUY else {PRODUCT: TONNES // 100},
        )
        for name, side in (TRADERS | PROBES).items()
    ]
    with tempfile.TemporaryDirectory() as folder, LocalExchange(Path(folder)) as exchange:
        exchange.prepare(people, {PRODUCT: REFERENCE_PRICE}, start=START)
        with (exchange.data / "venue.toml").open("a") as config:
            config.write(LAG_OFF)
        exchange.start()
        exchange.wait_until(
            lambda: not exchange.operate("status")["cancels_only"], "the registry's feed", 60
        )
        exchange.operate("clock", at=LISTED)
        exchange.stop("registry")
        yield exchange


class Trading:
    """A process with a buyer and a seller, who send what falls due every 10 ms.

    Parameters
    ----------
    exchange
        Where they trade.
    rate
        Commands a second, of both.
    seconds
        For how long in all, at most.
    """

    def __init__(self, exchange: LocalExchange, rate: float, seconds: float) -> None:
        self._exchange = exchange
        self._here, there = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(
            target=_trade,
            args=(exchange.data, rate, int(rate * seconds) + 10_000, there),
            daemon=True,
        )
        self._process.start()

    def begin(self, seconds: float) -> None:
        """Let them trade."""
        self._events, self._began_s = self._event_seq(), time.monotonic()
        self._here.send(seconds)

    def ended(self) -> dict[str, Any]:
        """Wait until all is answered; return the outcome."""
        found: dict[str, Any] = self._here.recv()
        took_s = time.monotonic() - self._began_s
        return found | {"events_per_s": round((self._event_seq() - self._events) / took_s)}

    def run(self, seconds: float) -> dict[str, Any]:
        """Let them trade, and wait for it."""
        self.begin(seconds)
        return self.ended()

    def _event_seq(self) -> int:
        return int(self._exchange.operate("status")["event_seq"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._here.send(0.0)
        self._process.join()


def _trade(data: Path, rate: float, commands_max: int, there: Connection) -> None:
    with LocalExchange(data) as exchange:
        client = Client(exchange, TRADERS, commands_max=commands_max, seed=1)
        while seconds := there.recv():
            there.send(_traded(client, rate, seconds))
        client.close()


def _traded(client: Client, rate: float, seconds: float) -> dict[str, Any]:
    """Send at the rate whether the last are answered or not; every command must be, once."""
    firsts = [session.next_id for session in client.sessions]
    before = client.totals()
    count, began_s = int(rate * TURN_S), time.monotonic()
    for turn in range(int(seconds / TURN_S)):
        due_s = began_s + turn * TURN_S
        while (left_s := due_s - time.monotonic()) > 0:
            client.receive(max(1.0, 1_000 * left_s))
        session = client.sessions[turn % len(client.sessions)]
        session.send(session.batch(count))
    client.drain()
    took_s = time.monotonic() - began_s
    totals = client.totals()
    waited_ms = np.concatenate(
        [
            (session.answered_ns - session.sent_ns)[first : session.next_id] / 1e6
            for session, first in zip(client.sessions, firsts, strict=True)
        ]
    )
    return {
        "commands_per_s": round((totals.acknowledged - before.acknowledged) / took_s),
        "rejected": totals.rejected - before.rejected,
        "answer_ms_p50": round(float(np.percentile(waited_ms, 50)), 2),
        "answer_ms_p99": round(float(np.percentile(waited_ms, 99)), 2),
    }
