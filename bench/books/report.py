"""The tables that `python -m bench` prints, and the raw results that it keeps."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from bench.books.latency import LatencyRun
from bench.books.scaling import SizeCost
from bench.books.throughput import Throughput
from bench.measuring.calibration import Calibration
from bench.peers.calls import Calls

HEADER = ("what", "at least", "beyond", "measured", "met", "to the bare ladder", "calibration")
COUNT = 1_000_000


@dataclass
class Results:
    """Everything that a run measured; what it left out is empty."""

    machine: dict[str, str]
    options: dict[str, object]
    throughput: list[Throughput] = field(default_factory=list)
    market: Throughput | None = None
    costs: list[SizeCost] = field(default_factory=list)
    memory: dict[str, dict[str, float | Calibration]] = field(default_factory=dict)
    memory_orders: int = 0
    calls: list[Calls] = field(default_factory=list)
    latency: dict[str, list[LatencyRun]] = field(default_factory=dict)
    """By workload, the best run first."""

    def of(self, workload: str, engine: str, ids: str = "dense") -> Throughput | None:
        """An engine on a workload, if it was measured."""
        for found in self.throughput:
            if (found.workload, found.engine, found.ids) == (workload, engine, ids):
                return found
        return None


def rate_row(what: str, least: float, beyond: str, found: Throughput | None,
             ladder: Throughput | None = None) -> tuple[str, ...] | None:
    """A line of the table about commands a second; `least` in millions."""
    if found is None:
        return None
    slowest, fastest = 1e3 / max(found.rounds_ns), 1e3 / min(found.rounds_ns)
    measured = f"{found.millions:.1f} M/s ({found.ns:.1f} ns; {slowest:.1f} to {fastest:.1f})"
    ratio = f"{found.millions / ladder.millions:.2f} of {ladder.millions:.1f} M/s" if ladder else ""
    return (
        what, f"{least:g} M/s", beyond, measured, met(found.millions >= least), ratio,
        str(found.calibration),
    )


def met(holds: bool) -> str:
    """A mark."""
    return "yes" if holds else "NO"


def goal_rows(results: Results) -> list[tuple[str, ...]]:
    """The issue's table."""
    of = results.of
    rows = [
        rate_row(
            "OrderBook, trades only, steady mix, dense ids", 35, "the ladder's 60 M/s",
            of("steady", "book"), of("steady", "ladder"),
        ),
        rate_row(
            "the same, arbitrary 64-bit ids", 25, "the ladder's 33 M/s",
            of("steady", "book", "arbitrary"), of("steady", "ladder", "arbitrary"),
        ),
        rate_row(
            "OrderBook, trades only, deep, dense ids", 20, "the ladder's 35 M/s",
            of("deep", "book"), of("deep", "ladder"),
        ),
        rate_row(
            "OrderBook, all events, steady mix", 20, "memory bandwidth",
            of("steady", "book, all events"), of("steady", "ladder"),
        ),
        cost_row(results.costs),
        rate_row("Market, all rules, all events", 12, "20 M/s", results.market),
        call_row(results.calls),
        *memory_rows(results),
        latency_row(results.latency.get("steady", [])),
    ]
    return [row for row in rows if row]


def cost_row(costs: list[SizeCost]) -> tuple[str, ...] | None:
    """The largest book against that of 200,000."""
    by_size = {cost.resting: cost for cost in costs}
    if 200_000 not in by_size or max(by_size) == 200_000:
        return None
    small, large = by_size[200_000], by_size[max(by_size)]
    ratio = large.book_ns / small.book_ns
    return (
        f"{large.resting:,} resting orders against 200,000", "at most 2x", "",
        f"{ratio:.2f}x ({large.book_ns:.1f} ns to {small.book_ns:.1f} ns)",
        met(ratio <= 2), f"the ladder: {large.ladder_ns / small.ladder_ns:.2f}x",
        str(large.calibration),
    )


def call_row(calls: list[Calls]) -> tuple[str, ...] | None:
    """Our calls against those of the best peer whose trades match."""
    if not calls or calls[0].ns is None:
        return None
    ours, rivals = calls[0], [peer for peer in calls[1:] if peer.gives_matching_trades]
    rate = 1e9 / ours.ns
    if not rivals:
        return ("one call an order from Python", "5x the best peer", "5 M/s",
                f"{rate / COUNT:.2f} M/s, no peer to compare with", "", "", str(ours.calibration))
    best = min(rivals, key=lambda peer: peer.ns)
    return (
        "one call an order from Python", "5x the best peer", "5 M/s",
        f"{rate / COUNT:.2f} M/s ({ours.ns:.0f} ns), {best.ns / ours.ns:.1f}x {best.name}",
        met(best.ns >= 5 * ours.ns), "", str(ours.calibration),
    )


def memory_rows(results: Results) -> list[tuple[str, ...]]:
    """Bytes a resting order."""
    return [
        (
            f"memory of {results.memory_orders:,} resting orders, {ids} ids", "64 + 16 bytes", "",
            f"{sizes['full']:.1f} bytes an order (at worst {sizes['worst']:.1f})",
            met(sizes["full"] <= 80), "", str(sizes["calibration"]),
        )
        for ids, sizes in results.memory.items()
    ]


def latency_row(runs: list[LatencyRun]) -> tuple[str, ...] | None:
    """The best run."""
    if not runs:
        return None
    best = runs[0]
    above = best.above_spin_ns
    return (
        f"p99.99 of {best.book[0].count:,} single commands, sweeps aside",
        "probe + 5,000 ns", "",
        f"{best.book[0].p9999:,.0f} ns, the probe {best.spin.p9999:,.0f} ns, above it {above:,.0f}",
        met(above <= 5_000), f"the ladder: {best.ladder[0].p9999:,.0f} ns", str(best.calibration),
    )


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, its columns in line."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = tuple("-" * width for width in widths)
    return "\n".join(
        f"| {' | '.join(map(str.ljust, line, widths))} |" for line in [header, rule, *rows]
    )


def throughput_table(found: list[Throughput]) -> str:
    """Every workload and engine."""
    rows = [
        (
            one.workload, one.engine, one.ids, f"{one.millions:.1f}", f"{one.ns:.1f}",
            f"{one.commands:,}", f"{one.totals.trades:,}", str(one.calibration),
        )
        for one in found
    ]
    header = ("workload", "engine", "ids", "M/s", "ns", "commands", "trades", "calibration")
    return table(header, rows)


def calls_table(calls: list[Calls]) -> str:
    """Ours and the peers."""
    rows = []
    for one in calls:
        if one.ns is None:
            rows.append((one.name, "", "", "", "", one.verdict, ""))
            continue
        rows.append((
            one.name, f"{1e9 / one.ns:,.0f}", f"{one.ns:,.0f}",
            f"{one.spread[0]:,.0f} to {one.spread[1]:,.0f}", f"{one.rows:,} over {one.book_size:,}",
            one.verdict, str(one.calibration),
        ))
    header = ("book", "calls/s", "ns", "rounds, ns", "rows over resting", "trades", "calibration")
    return table(header, rows)


def costs_table(costs: list[SizeCost]) -> str:
    """Cost over size."""
    rows = [
        (
            f"{cost.resting:,}", f"{cost.book_ns:.1f}", f"{cost.mixed_ns:.1f}",
            f"{cost.ladder_ns:.1f}", str(cost.calibration),
        )
        for cost in costs
    ]
    header = ("resting orders", "book, ns", "arbitrary ids, ns", "ladder, ns", "calibration")
    return table(header, rows)


def latency_table(run: LatencyRun) -> str:
    """Percentiles of the best run."""
    lines = [("probe", run.spin), *(("book", one) for one in run.book)]
    lines += [("ladder", one) for one in run.ladder]
    rows = [
        (engine, one.what, f"{one.count:,}", *(f"{value:,.0f}" for value in one.ns.values()))
        for engine, one in lines
    ]
    return table(("engine", "commands", "count", *run.spin.ns), rows)


def text_of(results: Results) -> str:
    """All that is printed."""
    parts = ["# " + ", ".join(f"{key} {value}" for key, value in results.machine.items())]
    parts.append(
        "calibration: ns a step of an integer loop / of a random pointer chase through 64 MiB, "
        "measured just before the figure."
    )
    parts.append(table(HEADER, goal_rows(results)))
    if results.throughput:
        parts += ["All workloads, verified against the reference market:",
                  throughput_table([*results.throughput, *filter(None, [results.market])])]
    if results.calls:
        parts += ["One call an order from Python, the driver's loop subtracted:",
                  calls_table(results.calls)]
    if results.costs:
        parts += ["Cost a command of the steady mix over resting orders, trades only:",
                  costs_table(results.costs)]
    for name, runs in results.latency.items():
        parts += [
            f"Time of single commands in ns, {name}, best run (calibration {runs[0].calibration}):",
            latency_table(runs[0]),
        ]
    parts.append(busy_line(results))
    return "\n\n".join(filter(None, parts))


def busy_line(results: Results) -> str:
    """How many figures come from a moment when the core was shared."""
    loops = [one.calibration.loop_ns for one in (*results.throughput, *results.costs)]
    loops += [one.calibration.loop_ns for one in results.calls if one.calibration]
    if not loops:
        return ""
    busy = sum(loop > 1.2 * min(loops) for loop in loops)
    return (
        f"{busy} of {len(loops)} figures were measured while the integer loop took more than 1.2 "
        f"times its best ({min(loops):.2f} ns): at such moments somebody else was on the core."
    )


def save(results: Results, path: Path) -> None:
    """Write the raw results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def plain(value: object) -> object:
        if isinstance(value, Calibration) or dataclasses.is_dataclass(value):
            return dataclasses.asdict(value)
        raise TypeError(f"{type(value).__name__} is no result")

    text = json.dumps(vars(results), default=plain, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
