"""Percentiles of the time a single command takes, beside a probe that only reads the clock.

The probe and the book run one after the other on the same core; commands, results and the book's
memory are touched beforehand. Ten million commands are five passes over the steady mix, each with a
new book. Commands that trade more than `SWEEP_TRADES` times are sweeps, counted apart: what they
take is the time of their trades.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from bench.books.engines import book_open
from bench.books.expected import expected_totals
from bench.books.ladder import BareLadder
from bench.books.tally import TRADE_DTYPE
from bench.books.workloads import LADDER, Workload
from bench.measuring.calibration import Calibration, calibrate
from bench.measuring.native import extension, library
from bench.measuring.progress import say
from cea_exchange.domain.records import EVENT_DTYPE, CommandKind

SWEEP_TRADES = 10
RUNS = 3
PERCENTILES = (50.0, 99.0, 99.9, 99.99)

Probe = Callable[[np.ndarray, np.ndarray], None]
"""Applies all commands to a new engine; fills the ticks and the trades of each command."""


@dataclass(frozen=True)
class Latency:
    """Percentiles in ns of one kind of commands, and how many there were."""

    what: str
    count: int
    ns: dict[str, float]

    @property
    def p9999(self) -> float:
        """The last of them."""
        return self.ns["p99.99"]


@dataclass(frozen=True)
class LatencyRun:
    """The probe, then the book, then the bare ladder; of each kind of commands a row."""

    spin: Latency
    book: list[Latency]
    ladder: list[Latency]
    calibration: Calibration

    @property
    def above_spin_ns(self) -> float:
        """How far the book's p99.99, sweeps aside, lies above the probe's."""
        return self.book[0].p9999 - self.spin.p9999


@contextmanager
def pinned() -> Iterator[None]:
    """Stay on one core, where the system lets us choose."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def latency_of(what: str, ticks: np.ndarray, ticks_per_ns: float) -> Latency:
    """Percentiles of some commands."""
    values = np.percentile(ticks, PERCENTILES, method="higher") if len(ticks) else [0.0] * 4
    names = (f"p{percent:g}" for percent in PERCENTILES)
    ns = {name: float(value) / ticks_per_ns for name, value in zip(names, values, strict=True)}
    return Latency(what, len(ticks), ns)


def latencies(
    commands: np.ndarray, ticks: np.ndarray, trades: np.ndarray, ticks_per_ns: float
) -> list[Latency]:
    """All but sweeps first, then by what the command did."""
    kind = np.resize(commands["kind"], len(ticks))
    sweep = trades > SWEEP_TRADES
    enters = kind == CommandKind.ENTER
    chosen = {
        "all but sweeps": ~sweep,
        "new, trades": enters & (trades > 0) & ~sweep,
        "new, rests": enters & (trades == 0),
        "cancel": kind == CommandKind.CANCEL,
        "amend": (kind == CommandKind.AMEND) & ~sweep,
        "sweeps": sweep,
    }
    return [latency_of(what, ticks[rows], ticks_per_ns) for what, rows in chosen.items()]


def book_probe(workload: Workload) -> Probe:
    """Our book through its C interface, trades only."""
    probe = extension("books/latency_probe.pyx").book_probe
    commands = workload.commands.view(np.uint8)
    events = np.zeros(workload.order_limit, EVENT_DTYPE).view(np.uint8)
    events[:] = 1

    def play(ticks: np.ndarray, trades: np.ndarray) -> None:
        book = book_open(workload, touch_memory=True)
        done = probe(book, commands, events, ticks, trades, True)
        assert done == len(workload.commands), f"stopped at command {done}"

    return play


def ladder_probe(workload: Workload) -> Probe:
    """The bare ladder."""
    probe = library("books/latency.c").ladder_probe
    commands = workload.commands
    rows = np.ones(workload.order_limit, TRADE_DTYPE)

    def play(ticks: np.ndarray, trades: np.ndarray) -> None:
        ladder = BareLadder(
            order_limit=workload.order_limit, id_limit=workload.id_limit, price_min=LADDER[0]
        )
        pointers = (commands.ctypes.data, rows.ctypes.data, ticks.ctypes.data, trades.ctypes.data)
        command_rows, trade_rows, tick_row, count_row = map(ctypes.c_void_p, pointers)
        probe(
            ladder.handle, command_rows, ctypes.c_int64(len(commands)), trade_rows, tick_row,
            count_row,
        )

    return play


def passes(probe: Probe, workload: Workload, ticks: np.ndarray, trades: np.ndarray) -> None:
    """Fill the results with as many passes over the workload as they have room for."""
    size, expected = len(workload.commands), expected_totals(workload)["dense"].trades
    for start in range(0, len(ticks), size):
        counted = trades[start : start + size]
        probe(ticks[start : start + size], counted)
        if counted.sum() != expected:
            sys.exit(f"{workload.name}: {counted.sum():,} trades, not {expected:,}")


def latency_run(workload: Workload, pass_count: int) -> LatencyRun:
    """Probe, book and ladder, on one core."""
    native = library("books/latency.c")
    native.ticks_per_us.restype = ctypes.c_double
    count = pass_count * len(workload.commands)
    ticks, trades = np.ones(count, np.uint32), np.ones(count, np.uint32)
    assert workload.commands["kind"].min() > 0, "reads, and so touches, every command"
    with pinned():
        calibration = calibrate()
        ticks_per_ns = native.ticks_per_us() / 1000
        native.spin_probe(ctypes.c_int64(count), ctypes.c_void_p(ticks.ctypes.data))
        spin = latency_of("spinning probe", ticks, ticks_per_ns)
        passes(book_probe(workload), workload, ticks, trades)
        book = latencies(workload.commands, ticks, trades, ticks_per_ns)
        passes(ladder_probe(workload), workload, ticks, trades)
        ladder = latencies(workload.commands, ticks, trades, ticks_per_ns)
    return LatencyRun(spin, book, ladder, calibration)


def latency_measured(workload: Workload, pass_count: int) -> list[LatencyRun]:
    """Several runs, the best first: that with the lowest p99.99 of the book."""
    runs = []
    for number in range(RUNS):
        say(f"latency of single commands, {workload.name}, run {number + 1} of {RUNS}")
        runs.append(latency_run(workload, pass_count))
    return sorted(runs, key=lambda run: run.book[0].p9999)
