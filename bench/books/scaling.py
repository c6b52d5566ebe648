"""What a command costs and an order takes in memory, with a thousand to ten million resting.

Each size is a book filled with so many orders, then five segments of the steady mix over it; the
segments alone are timed, and the book keeps its size. Trades of the segments must be those of the
bare ladder, which the reference market has confirmed on the named workloads.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import numpy as np

from bench.books.engines import BATCH, batches, tally_events
from bench.books.flow import Flow
from bench.books.ladder import BareLadder
from bench.books.tally import TRADE_DTYPE, TradeTally, id_mixed
from bench.books.workloads import LADDER, OPENING, STEADY, flow_of
from bench.measuring.calibration import Calibration, calibrate
from bench.measuring.native import BENCH
from bench.measuring.progress import say
from cea_exchange import OrderBook
from cea_exchange.domain.records import EVENT_DTYPE

SIZES = (1_000, 10_000, 100_000, 200_000, 1_000_000, 10_000_000)
SEGMENTS = 5
FILL = 100_000
MEMORY_STEP = 50_000


@dataclass(frozen=True)
class SizeCost:
    """ns a command over a book of `resting` orders, the median segment."""

    resting: int
    book_ns: float
    mixed_ns: float
    """The book with arbitrary ids."""
    ladder_ns: float
    calibration: Calibration


class Timed:
    """An engine fed with commands, its `process` timed, its trades added up."""

    def __init__(
        self, engine: BareLadder | OrderBook, order_limit: int, *, mixed: bool = False
    ) -> None:
        self.engine, self.mixed = engine, mixed
        self.bare = isinstance(engine, BareLadder)
        if self.bare:   # It writes without looking: room for the worst batch, mostly untouched.
            self.rows = np.zeros(order_limit + 2 * BATCH, TRADE_DTYPE)
        else:
            self.rows = np.ones(BATCH * 32, EVENT_DTYPE)
        self.tally = TradeTally()

    def play(self, commands: np.ndarray) -> float:
        """Apply commands; return ns a command."""
        if self.mixed:
            commands = commands.copy()
            commands["order_id"] = id_mixed(commands["order_id"])
        seconds = 0.0
        for batch in batches(commands, BATCH):
            start = perf_counter()
            if self.bare:
                produced = self.engine.process(batch, self.rows)
            else:
                consumed, produced = self.engine.process(batch, self.rows, True)
                assert consumed == len(batch), "the batch's trades must fit"
            seconds += perf_counter() - start
            self._add(self.rows[:produced])
        return 1e9 * seconds / len(commands)

    def _add(self, rows: np.ndarray) -> None:
        if self.bare:
            self.tally.add(rows["maker"], rows["taker"], rows["price"], rows["tonnes"])
        else:
            tally_events(self.tally, rows)


def size_cost(seed: int, resting: int, segment: int) -> SizeCost:
    """Measure one size."""
    order_limit = resting + resting // 8 + 20_000
    id_limit = resting + SEGMENTS * segment + 1
    flow = flow_of(seed, id_limit, order_limit)
    book, mixed = (OrderBook(*LADDER, order_count_max=order_limit) for _ in range(2))
    ladder = BareLadder(order_limit=order_limit, id_limit=id_limit, price_min=LADDER[0])
    timed = [
        Timed(book, order_limit), Timed(mixed, order_limit, mixed=True), Timed(ladder, order_limit),
    ]
    for commands in opening(flow, resting):
        for engine in timed:
            engine.play(commands)
    calibration = calibrate()
    mix = replace(STEADY, live_target=resting)
    costs: list[list[float]] = [[], [], []]
    for _ in range(SEGMENTS):
        commands = flow.draw(segment, mix)
        for engine, cost in zip(timed, costs, strict=True):
            cost.append(engine.play(commands))
    if timed[0].tally.totals() != timed[2].tally.totals() or len(book) != len(mixed):
        sys.exit(f"{resting:,} resting orders: the book's trades are not the ladder's")
    return SizeCost(resting, *map(median, costs), calibration)


def opening(flow: Flow, resting: int) -> Iterator[np.ndarray]:
    """New orders that fill a book, in parts: ten million commands at once take 640 MB."""
    for start in range(0, resting, FILL):
        yield flow.draw(min(FILL, resting - start), OPENING)


def costs_measured(seed: int, sizes: tuple[int, ...], segment: int) -> list[SizeCost]:
    """All sizes."""
    costs = []
    for resting in sizes:
        say(f"cost a command over {resting:,} resting orders")
        costs.append(size_cost(seed, resting, segment))
    return costs


# -- Memory ----------------------------------------------------------------------------------------


def resident_bytes() -> int:
    """What the process has in memory now, or the most it had where only that is known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_grown(resting: int, mixed: bool) -> list[tuple[int, float]]:
    """Fill a book in this process; (orders, bytes an order) along the way.

    All arrays, and what mixing ids takes, are there before the first measurement.
    """
    template = flow_of(1, MEMORY_STEP, MEMORY_STEP + 1).draw(MEMORY_STEP, OPENING)
    commands, events = template.copy(), np.ones(BATCH, EVENT_DTYPE)
    id_mixed(template["order_id"])
    book = OrderBook(*LADDER, order_count_max=resting)
    before = resident_bytes()
    points = []
    for done in range(0, resting, MEMORY_STEP):
        ids = template["order_id"] + np.uint64(done)
        commands["order_id"] = id_mixed(ids) if mixed else ids
        for batch in batches(commands, BATCH):
            book.process(batch, events, True)
        points.append((len(book), (resident_bytes() - before) / len(book)))
    return points


def memory_measured(resting: int) -> dict[str, dict[str, float | Calibration]]:
    """Bytes a resting order when the book is full, and at worst on the way from a tenth of that.

    Each in a process of its own, so that nothing else's memory is in the difference.
    """
    found = {}
    for ids in ("dense", "arbitrary"):
        say(f"memory of {resting:,} resting orders, {ids} ids")
        calibration = calibrate()
        code = (
            "import json; from bench.books.scaling import memory_grown;"
            f"print(json.dumps(memory_grown({resting}, {ids == 'arbitrary'})))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True,
            cwd=BENCH.parent, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        points = json.loads(done.stdout)
        worst = max(size for orders, size in points if orders >= resting // 10)
        found[ids] = {"full": points[-1][1], "worst": worst, "calibration": calibration}
    return found
