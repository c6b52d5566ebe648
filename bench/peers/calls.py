"""One call an order from Python: our book and its peers, side by side in the same run."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from bench.books.engines import play_ladder, totals_of
from bench.books.flow import FlowMix
from bench.books.tally import Totals
from bench.books.workloads import LADDER, OPENING, STEADY, Workload, flow_of
from bench.measuring.calibration import Calibration, calibrate
from bench.measuring.native import BENCH, BUILD
from bench.measuring.progress import say
from bench.peers.peers import PEER_ROW_DTYPE, PEERS, REDUCE, REPLACE
from cea_exchange import OrderBook
from cea_exchange.domain.records import CommandKind

TIMEOUT_SECONDS = 120
SMALL_BOOK = 500
FIELDS = ("kind", "order_id", "side", "price", "tonnes")


@dataclass(frozen=True)
class Calls:
    """One book's result."""

    name: str
    verdict: str
    """`match`, `trades differ`, `volume matches`, `gives no trades`, `not installed` ..."""
    ns: float | None = None
    """A call, the driver's loop subtracted; the median round."""
    spread: tuple[float, float] = (0.0, 0.0)
    """The fastest and the slowest round."""
    loop_ns: float = 0.0
    rows: int = 0
    book_size: int = 0
    calibration: Calibration | None = None

    @property
    def gives_matching_trades(self) -> bool:
        """Whether it counts for the comparison."""
        return self.verdict == "match"


def call_rows(workload: Workload) -> np.ndarray:
    """The rows for the peers: amends told apart, with what a reduction takes away."""
    commands = workload.commands
    book = OrderBook(*LADDER, order_count_max=workload.order_limit)
    rows = np.zeros(len(commands), PEER_ROW_DTYPE)
    for field in FIELDS:
        rows[field] = commands[field]
    columns = [commands[field].tolist() for field in FIELDS]
    for index, (kind, order_id, side, price, tonnes) in enumerate(zip(*columns, strict=True)):
        if kind == CommandKind.ENTER:
            book.enter(order_id, side, price, tonnes)
        elif kind == CommandKind.CANCEL:
            book.cancel(order_id)
        else:
            order = book.order(order_id)
            by = order["tonnes_open"] - tonnes if order["price"] == price else 0
            rows[index]["kind"] = REDUCE if by > 0 else REPLACE
            rows[index]["by"] = max(by, 0)
            rows[index]["side"] = order["side"]
            book.amend(order_id, price, tonnes)
    return rows


def call_workload(seed: int, live: int, count: int) -> Workload:
    """The steady mix over a book of `live` orders."""
    flow = flow_of(seed, live + count, 2 * live + 20_000)
    mix: FlowMix = replace(STEADY, live_target=live)
    commands = np.concatenate([flow.draw(live, OPENING), flow.draw(count, mix)])
    return Workload("calls", commands, 2 * live + 20_000, live)


def verdict_of(result: dict, expected: Totals) -> str:
    """What its trades are worth, next to ours."""
    totals = Totals(**result["totals"])
    if result["gives"] == "nothing":
        return "gives no trades"
    if result["gives"] == "volume":
        same = totals.volume == expected.volume
        return "volume matches, no makers" if same else "volume differs, no makers"
    if totals == expected:
        return "match"
    if totals.checksum == expected.checksum:
        return "match but for prices"
    counted = "" if totals.trades == expected.trades else ", their number too"
    return f"trades differ{counted}"


def run_peer(name: str, python: str, path: Path, opening: int, seconds: float) -> dict:
    """One book in a process of its own."""
    command = [python, "-m", "bench.peers.peer_run", name, str(path), str(opening), str(seconds)]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    if python != sys.executable:
        env.pop("PYTHONPATH", None)     # It may lead to packages of this interpreter.
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=BENCH.parent, env=env,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {"failed": f"no result within {TIMEOUT_SECONDS} s"}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"failed": f"ended with {done.returncode}: {last}"[:100]}
    return json.loads(done.stdout.splitlines()[-1])


def calls_measured(
    *, seed: int, live: int, count: int, seconds: float, peers_python: str | None
) -> list[Calls]:
    """Every book's calls a second over `live` orders, ours first, then the fastest peers."""
    BUILD.mkdir(parents=True, exist_ok=True)
    workloads, paths = {}, {}
    for size, resting in (("steady", live), ("small", SMALL_BOOK)):
        workloads[size] = call_workload(seed, resting, count)
        paths[size] = BUILD / f"calls-{size}.npy"
        np.save(paths[size], call_rows(workloads[size]))
    results = []
    for name, kind in PEERS.items():
        say(f"one call an order: {name}")
        workload = workloads[kind.book_size]
        calibration = calibrate()
        python = sys.executable if kind.module == "cea_exchange" else peers_python
        if python is None:
            results.append(Calls(name, "not installed"))
            continue
        result = run_peer(name, python, paths[kind.book_size], workload.opening, seconds)
        results.append(calls_of(name, result, workload, calibration))
    ours, peers = results[0], results[1:]
    if not ours.gives_matching_trades:
        sys.exit(f"one call an order: our trades are not the ladder's: {ours.verdict}")
    return [ours, *sorted(peers, key=lambda calls: calls.ns or float("inf"))]


def calls_of(name: str, result: dict, workload: Workload, calibration: Calibration) -> Calls:
    """A worker's answer as a result, compared with what the bare ladder gives for its rows."""
    if "missing" in result:
        return Calls(name, "not installed")
    if "failed" in result:
        return Calls(name, result["failed"])
    played = replace(workload, commands=workload.commands[: workload.opening + result["rows"]])
    loop = result["loop_ns"]
    rounds = sorted(result["rounds_ns"])
    return Calls(
        name, verdict_of(result, totals_of(play_ladder, played)), median(rounds) - loop,
        (rounds[0] - loop, rounds[-1] - loop), loop, result["rows"], workload.opening, calibration,
    )
