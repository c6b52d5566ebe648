"""Measures a venue daemon through its sockets: durable throughput, latency at a fixed rate, memory.

    python -m bench.venue [--part throughput|latency|memory] [--seconds N] [--json]
    python -m bench.venue --part throughput --batch 32
    python -m bench.venue --part throughput --settling   with the registry beside it

One venue process, this process as its client, CURVE on every connection, every report after its
fdatasync. Answers are checked one by one, and the journal is verified afterwards.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import zmq

from bench.measuring.calibration import calibrate
from bench.measuring.machine import machine
from bench.measuring.progress import say
from bench.sockets.durable_echo import echo_us as durable_echo_us
from bench.sockets.open_loop import open_loop
from bench.sockets.venue_client import BenchError, Client
from cea_exchange.domain.records import Side
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from cea_exchange.registry.store import RegistryStore

START = "2025-01-02T08:00:00+08:00"
LISTED = "2025-01-02T09:30:00+08:00"
CLOSED = "2025-01-02T15:00:00+08:00"
PRODUCTS = ("CEA19-20", "CEA21", "CEA22", "CEA23", "CEA24", "CCER1", "CCER2", "CCER3")
REFERENCE_PRICE = 97_49
CASH_FEN = 10**15
TONNES = 10**11
LAG_OFF = "[lag]\n" + "".join(
    f"{level} = [0, 0]\n" for level in ("warn", "throttle", "cancel_only", "halt")
)
"""The registry is stopped on purpose, or falls behind; the venue must not step in for it."""
BATCH = 256
BATCHES_OUTSTANDING = 16
SETTLE_S = 300.0
PARTS = ("throughput", "latency", "memory")


def traders(count: int) -> dict[str, Side]:
    """Names and sides: every other one buys."""
    return {f"t{i:04}": Side.SELL if i % 2 else Side.BUY for i in range(count)}


@contextlib.contextmanager
def listed_exchange(
    names: dict[str, Side], products: tuple[str, ...], *, settling: bool = False
) -> Iterator[LocalExchange]:
    """A venue in its listed phase, with the accounts funded; its registry is stopped or settles."""
    participants = [
        Participant(
            name,
            "dealer",
            dict.fromkeys(products, side),
            CASH_FEN // 100,
            {} if side == Side.BUY else dict.fromkeys(products, TONNES // 100),
        )
        for name, side in names.items()
    ]
    with tempfile.TemporaryDirectory() as folder, LocalExchange(Path(folder)) as exchange:
        prices = dict.fromkeys(products, REFERENCE_PRICE)
        exchange.prepare(participants, prices, start=START, relay=False)
        with (exchange.data / "venue.toml").open("a") as config:
            config.write(LAG_OFF)
        exchange.start()
        exchange.wait_until(
            lambda: not exchange.operate("status")["cancels_only"], "the registry's feed", 60
        )
        exchange.operate("clock", at=LISTED)
        if not settling:
            # What is measured is the venue: registry and relay would take one of the processors.
            exchange.stop("registry")
        yield exchange


def throughput_measured(
    seconds: float, seed: int, *, batch: int = BATCH, settling: bool = False
) -> dict[str, Any]:
    """Acknowledged commands a second in batches, durable, as many as the venue takes."""
    names = traders(8)
    with listed_exchange(names, PRODUCTS[:6], settling=settling) as exchange:
        client = Client(exchange, names, commands_max=20_000_000 // len(names), seed=seed)
        settled_before = _settled_seq(exchange) if settling else 0
        cpu_before = _cpu_s(exchange)
        own_before = time.process_time()
        began_s = time.monotonic()
        while time.monotonic() < began_s + seconds:
            for session in client.sessions:
                while session.outstanding < BATCH * BATCHES_OUTSTANDING // len(names):
                    session.send(session.batch(batch))
            client.receive(100)
        client.drain()
        took_s = time.monotonic() - began_s
        settled = _settled_seq(exchange) if settling else 0
        totals = client.totals()
        venue_cpu_s, own_cpu_s = _cpu_s(exchange) - cpu_before, time.process_time() - own_before
        client.close()
        status = exchange.operate("status")
        latency_us = np.concatenate(
            [
                (s.answered_ns - s.sent_ns)[s.sent_ns > 0] / 1000
                for s in client.sessions
            ]
        )
        shown = {
            "commands": totals.acknowledged,
            "per_s": totals.acknowledged / took_s,
            "rejected": totals.rejected,
            "trade_reports": totals.trades,
            "reports": totals.reports,
            "venue_cpu_us_per_command": venue_cpu_s / totals.acknowledged * 1e6,
            "client_cpu_us_per_command": own_cpu_s / totals.acknowledged * 1e6,
            "p50_ms": float(np.percentile(latency_us, 50)) / 1000,
            "p99_ms": float(np.percentile(latency_us, 99)) / 1000,
        }
        if settling:
            due = status["settlement_seq"]
            shown["settled_per_s"] = (settled - settled_before) / took_s
            shown["settled_later"] = due - settled
            shown["settled_later_s"] = _settle(exchange, due)
        _verify(exchange, status)
        return shown


def latency_measured(seconds: float, seed: int, rate: float = 5_000) -> dict[str, Any]:
    """Single orders, open loop: each leaves at its time, whether the last is answered or not.

    Before them the same is measured of a server that only appends, syncs and sends back.
    """
    names = traders(8)
    with listed_exchange(names, PRODUCTS[:6]) as exchange:
        client = Client(exchange, names, commands_max=int(rate * seconds) + 1_000, seed=seed)
        round_trip_us = _ipc_round_trip_us()
        sync_us = _fdatasync_us(exchange.data)
        echo_us = durable_echo_us(exchange.data, rate=rate, seconds=seconds, sockets=len(names))
        count = int(rate * seconds)
        senders = [client.sessions[number % len(client.sessions)] for number in range(count)]
        commands = [sender.batch(1) for sender in senders]
        payloads = [command.tobytes() for command in commands]
        sent = open_loop([session.socket for session in client.sessions], payloads, rate=rate)
        for sender, command, due in zip(senders, commands, sent.due_ns.tolist(), strict=True):
            sender.sent_ns[command["client_order_id"]] = due
            sender.outstanding += 1
        for heard in sent.heard:
            client.sessions[heard.socket].take(*heard.frames, heard.at_ns)
        client.drain()
        took_us = np.concatenate(
            [(s.answered_ns - s.sent_ns)[s.sent_ns > 0] / 1000 for s in client.sessions]
        )
        base_us = round_trip_us + sync_us
        percentiles = _percentiles(took_us)
        echo = _percentiles(echo_us)
        status = exchange.operate("status")
        client.close()
        shown = {
            "orders": count,
            "rate": rate,
            "ipc_round_trip_us": round_trip_us,
            "fdatasync_us": sync_us,
            **{f"{name}_us": value for name, value in percentiles.items()},
            "p50_ratio": percentiles["p50"] / base_us,
            "p99_ratio": percentiles["p99"] / base_us,
            "sender_late_p99_us": float(np.percentile(sent.late_ns, 99)) / 1000,
            **{f"durable_echo_{name}_us": value for name, value in echo.items()},
            "durable_echo_p50_ratio": echo["p50"] / base_us,
            "durable_echo_p99_ratio": echo["p99"] / base_us,
            "p50_to_durable_echo": percentiles["p50"] / echo["p50"],
            "p99_to_durable_echo": percentiles["p99"] / echo["p99"],
        }
        _verify(exchange, status)
        return shown


def memory_measured(orders: int, accounts: int, seed: int) -> dict[str, Any]:
    """The venue's resident memory with 4,000 accounts, 8 products and 1 million resting orders."""
    names = traders(accounts)
    with listed_exchange(names, PRODUCTS) as exchange:
        some = dict(list(names.items())[:64])
        client = Client(exchange, some, commands_max=orders, seed=seed)
        left = orders
        while left > 0:
            for session in client.sessions:
                while session.outstanding < BATCH * 8 and left > 0:
                    records = session.batch(BATCH)
                    session.resting = session.resting[:0]
                    away = session.rng.integers(1, 900, len(records))
                    records["price"] = REFERENCE_PRICE + (
                        away if session.side == Side.SELL else -away
                    )
                    session.send(records)
                    left -= len(records)
            client.receive(100)
            for session in client.sessions:
                session.resting = session.resting[:0]
        client.drain()
        status = exchange.operate("status")
        rss = _memory_mib(exchange)
        client.close()
        if status["orders_live"] < 0.99 * orders:
            raise BenchError(f"{status['orders_live']:,} orders rest, {orders:,} were sent")
        _verify(exchange, status)
        return {"orders_live": status["orders_live"], "accounts": accounts, "rss_mib": rss}


def _verify(exchange: LocalExchange, status: dict[str, Any]) -> None:
    """Replay the journal and compare: a figure of a venue that lost something is worth nothing."""
    if exchange.stop("venue") != 0:
        raise BenchError(f"the venue ended badly: {exchange.log('venue')}")
    command = [sys.executable, "-m", "cea_exchange.cli.main", "verify", str(exchange.data)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        raise BenchError(f"verify: {asked.stderr.strip() or asked.stdout.strip()}")
    say(f"verified: {status['command_seq']:,} commands, state hash {status['state_hash']}")


def _settled_seq(exchange: LocalExchange) -> int:
    with RegistryStore.open_reader(exchange.data) as store:
        return store.last_seq


def _settle(exchange: LocalExchange, due: int) -> float:
    """Wait until the registry has all records, and reconcile it; return for how long it took."""
    began_s = time.monotonic()
    exchange.wait_until(lambda: _settled_seq(exchange) >= due, "the registry's records", SETTLE_S)
    took_s = time.monotonic() - began_s
    if exchange.stop("registry") != 0:
        raise BenchError(f"the registry ended badly: {exchange.log('registry')}")
    found = check_ledger(exchange.data)
    if found.differences:
        raise BenchError(f"reconcile: {found.differences[0]}")
    say(f"reconciled: {due:,} settlement records")
    return took_s


def _ipc_round_trip_us(count: int = 5_000) -> float:
    """The median of a plain ipc echo between this process and another."""
    with tempfile.TemporaryDirectory() as folder, zmq.Context() as context:
        address = f"ipc://{folder}/echo"
        code = (
            "import sys, zmq\ns = zmq.Context().socket(zmq.REP)\ns.bind(sys.argv[1])\n"
            "while (m := s.recv()):\n    s.send(m)\ns.send(m)\n"
        )
        process = subprocess.Popen([sys.executable, "-c", code, address])
        socket = context.socket(zmq.REQ)
        socket.connect(address)
        took = np.zeros(count)
        for number in range(count):
            began_ns = time.perf_counter_ns()
            socket.send(b"x" * 64)
            socket.recv()
            took[number] = time.perf_counter_ns() - began_ns
        socket.send(b"")
        socket.recv()
        socket.close(0)
        process.wait(10)
    return float(np.median(took)) / 1000


def _fdatasync_us(folder: Path, count: int = 1_000) -> float:
    """The median of appending 64 bytes and syncing them."""
    took = np.zeros(count)
    path = folder / "sync.probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, bytes(64 * count), 0)
        os.fdatasync(descriptor)
        for number in range(count):
            began_ns = time.perf_counter_ns()
            os.pwrite(descriptor, b"x" * 64, 64 * number)
            os.fdatasync(descriptor)
            took[number] = time.perf_counter_ns() - began_ns
    finally:
        os.close(descriptor)
        path.unlink()
    return float(np.median(took)) / 1000


def _percentiles(values: np.ndarray) -> dict[str, float]:
    return {f"p{q}": float(np.percentile(values, q)) for q in (50, 90, 99, 99.9)}


def _cpu_s(exchange: LocalExchange) -> float:
    """Return the processor time of the venue and of its fronts."""
    venue = psutil.Process(_venue_pid(exchange))
    times = [each.cpu_times() for each in (venue, *venue.children())]
    return sum(each.user + each.system for each in times)


def _memory_mib(exchange: LocalExchange) -> float:
    for line in Path(f"/proc/{_venue_pid(exchange)}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchError("no VmRSS")


def _venue_pid(exchange: LocalExchange) -> int:
    return json.loads((exchange.data / "venue" / "endpoints.json").read_text())["pid"]


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.venue", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=1_000_000, help="resting, for memory")
    parser.add_argument("--accounts", type=int, default=4_000, help="for memory")
    parser.add_argument("--batch", type=int, default=BATCH, help="commands a message, throughput")
    parser.add_argument("--settling", action="store_true", help="with the registry, throughput")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine()}
    for part in options.part or PARTS:
        say(part)
        before = calibrate()
        if part == "throughput":
            results[part] = throughput_measured(
                options.seconds, options.seed, batch=options.batch, settling=options.settling
            )
        elif part == "latency":
            results[part] = latency_measured(options.seconds, options.seed)
        else:
            results[part] = memory_measured(options.orders, options.accounts, options.seed)
        results[part]["calibration"] = f"{before}; {calibrate()}"
        if not options.json:
            for name, value in results[part].items():
                print(f"{part:11} {name:26} {value:,.2f}" if isinstance(value, float) else
                      f"{part:11} {name:26} {value}")
    if options.json:
        print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
