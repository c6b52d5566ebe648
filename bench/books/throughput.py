"""Commands a second of each engine on each workload, verified first.

The engines take turns, round by round, so that a busy moment of the machine meets all of them.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median

from bench.books.engines import play_book, play_ladder, play_market, totals_of
from bench.books.expected import expected_totals
from bench.books.tally import Totals
from bench.books.workloads import BOOK_WORKLOADS, Workload, market_steady, with_arbitrary_ids
from bench.measuring.calibration import Calibration, calibrate
from bench.measuring.progress import say


@dataclass(frozen=True)
class Throughput:
    """An engine on a workload."""

    workload: str
    engine: str
    """`ladder`, `book` (trades only), `book, all events`, `market, all events`."""
    ids: str
    commands: int
    totals: Totals
    rounds_ns: list[float]
    """ns a command, each round."""
    calibration: Calibration

    @property
    def ns(self) -> float:
        """The median round."""
        return median(self.rounds_ns)

    @property
    def millions(self) -> float:
        """Million commands a second."""
        return 1e3 / self.ns


Entry = tuple[str, str, Workload, Callable]
"""Engine, ids, workload, its `play`."""


def measure(entries: list[Entry], expected: dict[str, Totals], rounds: int) -> list[Throughput]:
    """Verify every engine, then time them in turns."""
    for engine, ids, workload, play in entries:
        totals = totals_of(play, workload)
        if totals != expected[ids]:
            sys.exit(
                f"{workload.name}, {engine}, {ids} ids: {totals} is not what the reference market "
                f"gives, {expected[ids]}: no figure is printed"
            )
    times: list[list[float]] = [[] for _ in entries]
    calibrations = [calibrate() for _ in entries]
    for _ in range(rounds):
        for index, (_, _, workload, play) in enumerate(entries):
            calibrations[index] = calibrate()
            seconds, _ = play(workload)
            times[index].append(1e9 * seconds / len(workload.commands))
    return [
        Throughput(
            workload.name, engine, "arbitrary" if ids == "mixed" else ids,
            len(workload.commands), expected[ids], found, calibration,
        )
        for (engine, ids, workload, _), found, calibration in zip(
            entries, times, calibrations, strict=True
        )
    ]


def book_throughputs(seed: int, scale: float, rounds: int) -> list[Throughput]:
    """Ladder and book on every named workload."""
    found = []
    for name, make in BOOK_WORKLOADS.items():
        say(f"throughput: {name}")
        dense = make(seed, scale)
        mixed = with_arbitrary_ids(dense)
        entries = [
            ("ladder", "dense", dense, play_ladder),
            ("book", "dense", dense, play_book),
            ("book, all events", "dense", dense, partial(play_book, trades_only=False)),
            ("ladder", "mixed", mixed, play_ladder),
            ("book", "mixed", mixed, play_book),
        ]
        found += measure(entries, expected_totals(dense), rounds)
    return found


def market_throughput(seed: int, scale: float, rounds: int) -> Throughput:
    """The market of all rules."""
    say("throughput: market, all rules")
    workload = market_steady(seed, scale)
    entries = [("market, all events", "dense", workload, play_market)]
    return measure(entries, expected_totals(workload, "cea"), rounds)[0]
