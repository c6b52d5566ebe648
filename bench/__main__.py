"""Measures the matching core and prints the table of its goals; see README.md."""

import argparse
import datetime
from collections.abc import Iterator
from pathlib import Path

from bench.books.expected import confirm, expected_totals
from bench.books.latency import latency_measured
from bench.books.plot import plot
from bench.books.report import Results, save, text_of
from bench.books.scaling import SIZES, costs_measured, memory_measured
from bench.books.throughput import book_throughputs, market_throughput
from bench.books.workloads import BOOK_WORKLOADS, Workload, deep, market_steady, steady
from bench.measuring.machine import machine, machine_slug
from bench.measuring.native import BENCH, BUILD
from bench.measuring.progress import say
from bench.peers.calls import calls_measured

PARTS = ("throughput", "market", "calls", "costs", "memory", "latency")
PEERS_PYTHON = BUILD / "peers" / "bin" / "python"
QUICK_SCALE = 0.1


def options_parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it, under a minute")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", choices=PARTS, action="append", help="this part; may be given several times"
    )
    parser.add_argument("--peers", help="interpreter that has the peers (bench/peers/peers.txt)")
    parser.add_argument("--results", type=Path, help="folder for the raw results and the plot")
    parser.add_argument(
        "--reference", action="store_true", help="play the workloads through the reference market"
    )
    return parser.parse_args()


def all_workloads(seed: int, scale: float) -> Iterator[tuple[Workload, str]]:
    """Every workload and the profile of its market."""
    for make in BOOK_WORKLOADS.values():
        yield make(seed, scale), "open"
    yield market_steady(seed, scale), "cea"


def expectations_made(seed: int) -> None:
    """Play everything through the reference market and keep its answers; takes a quarter hour."""
    for scale in (QUICK_SCALE, 1.0):
        for workload, profile in all_workloads(seed, scale):
            expected_totals(workload, profile, again=True)


def expectations_confirmed(seed: int) -> None:
    """Play the tenth-size workloads through the reference market again."""
    for workload, profile in all_workloads(seed, QUICK_SCALE):
        say(f"reference market, played again: {workload.name}, {len(workload.commands):,} commands")
        confirm(workload, profile)


def results_measured(options: argparse.Namespace) -> Results:
    """Run the parts that were asked for."""
    quick, seed = options.quick, options.seed
    parts = options.only or PARTS
    scale, rounds = (QUICK_SCALE, 3) if quick else (1.0, 7)
    results = Results(machine(), {"quick": quick, "seed": seed, "parts": list(parts)})
    if "throughput" in parts:
        if not quick:
            expectations_confirmed(seed)
        results.throughput = book_throughputs(seed, scale, rounds)
    if "market" in parts:
        results.market = market_throughput(seed, scale, rounds)
    if "calls" in parts:
        python = options.peers or (str(PEERS_PYTHON) if PEERS_PYTHON.exists() else None)
        results.calls = calls_measured(
            seed=seed, live=2_000 if quick else 17_000, count=20_000 if quick else 200_000,
            seconds=0.1 if quick else 1.0, peers_python=python,
        )
    if "costs" in parts:
        sizes = tuple(size for size in SIZES if not quick or size <= 200_000)
        results.costs = costs_measured(seed, sizes, 20_000 if quick else 200_000)
    if "memory" in parts:
        results.memory_orders = 1_000_000 if quick else 10_000_000
        results.memory = memory_measured(results.memory_orders)
    if "latency" in parts:
        results.latency = {
            "steady": latency_measured(steady(seed, scale), 2 if quick else 5),
            "deep": latency_measured(deep(seed, scale), 1),
        }
    return results


def main() -> None:
    options = options_parsed()
    if options.reference:
        expectations_made(options.seed)
        return
    results = results_measured(options)
    print(text_of(results))
    folder = options.results or (BUILD if options.quick else BENCH) / "results"
    # With the commit: a later run of the same day must not take the place of a better or worse one.
    today = datetime.datetime.now(datetime.UTC)
    stem = f"{today:%Y-%m-%d}-{machine_slug()}-{results.machine['commit'].rstrip('+')[:7]}"
    save(results, folder / f"{stem}.json")
    if not plot(results, folder / f"{stem}.svg"):
        say("no plot: matplotlib is not installed")


if __name__ == "__main__":
    main()
