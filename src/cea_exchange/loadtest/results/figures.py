"""Figures of a run, made of what its sending processes noted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from cea_exchange.loadtest.flow.workload import DEPTH, LABELS
from cea_exchange.loadtest.results.latency_histogram import (
    LATENCY_NS_MAX,
    LATENCY_NS_MIN,
    LatencyHistogram,
)
from cea_exchange.loadtest.sending.notes import COLUMNS, Counts
from cea_exchange.loadtest.targets.target import Outcome

Numbers = NDArray[np.int64]

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)
LATENESS_PART = 10
"""A run is void whose sending lateness p99 passes this part of the p99 that it reports."""


class Latency(msgspec.Struct, kw_only=True):
    """Nanoseconds from when a command was due to its answer.

    Attributes
    ----------
    histogram : str
        All of it, in HdrHistogram's own text form.
    """

    count: int
    mean: float
    p50: int
    p90: int
    p99: int
    p99_9: int = msgspec.field(name="p99.9")
    p99_99: int = msgspec.field(name="p99.99")
    max: int
    histogram: str

    @classmethod
    def of(cls, values: Numbers) -> "Latency":
        """Return the figures of some latencies."""
        histogram = LatencyHistogram()
        histogram.record_all(values)
        clipped = np.clip(values, LATENCY_NS_MIN, LATENCY_NS_MAX)
        at = np.percentile(clipped, PERCENTILES, method="higher") if len(values) else [0] * 5
        p50, p90, p99, p99_9, p99_99 = (int(value) for value in at)
        return cls(
            count=len(values),
            mean=round(float(values.mean()), 1) if len(values) else 0.0,
            p50=p50,
            p90=p90,
            p99=p99,
            p99_9=p99_9,
            p99_99=p99_99,
            max=int(values.max()) if len(values) else 0,
            histogram=histogram.encode(),
        )

    def at(self, name: str) -> int:
        """Return a percentile by its name, such as ``p99.9``, or ``max``."""
        return int(getattr(self, name.replace(".", "_")))


class Columns:
    """What all sending processes noted, in one array a name."""

    def __init__(self, paths: Iterable[Path]) -> None:
        parts = []
        for path in paths:
            with np.load(path) as stored:
                parts.append({name: stored[name] for name in COLUMNS})
        self._columns: dict[str, Numbers] = {
            name: np.concatenate([part[name] for part in parts]) for name in COLUMNS
        }

    def __getitem__(self, name: str) -> Numbers:
        return self._columns[name]

    def __len__(self) -> int:
        return len(self._columns["due_ns"])

    def measured(self, after_ns: int) -> NDArray[np.bool_]:
        """Mark the commands that count: behind the depth and the warm-up."""
        in_time = self["due_ns"] >= after_ns
        return np.asarray(in_time & (self["label"] != LABELS.index(DEPTH)))


class Figures(msgspec.Struct, kw_only=True):
    """The figures of a run.

    Attributes
    ----------
    latency, lateness : Latency
        Of the measured commands, answered; and of all measured ones, until they left.
    by_kind : dict
        Latency by kind of command.
    commands, answered : int
        Of all, the depth and the warm-up included.
    refused : dict
        Refusals by the system's code, of all.
    """

    latency: Latency
    lateness: Latency
    by_kind: dict[str, Latency]
    commands: int
    measured: int
    answered: int
    answered_twice: int
    answered_unknown: int
    refused: dict[str, int]
    refused_by_kind: dict[str, int]
    sent_by_kind: dict[str, int]
    trades: int
    trades_one_sided: int

    @property
    def unanswered(self) -> int:
        """Commands without an answer."""
        return self.commands - self.answered

    def losses(self) -> list[str]:
        """Return what was lost or doubled, in words; empty if every command has one answer."""
        found = []
        if self.unanswered:
            found.append(f"{self.unanswered} of {self.commands} commands have no answer")
        if self.answered_twice:
            found.append(f"{self.answered_twice} commands were answered twice")
        if self.answered_unknown:
            found.append(f"{self.answered_unknown} answers were to no command that was sent")
        if self.trades_one_sided:
            found.append(f"{self.trades_one_sided} trades were reported to one side only")
        return found


def figures_of(columns: Columns, counts: Sequence[Counts], *, measured_after_ns: int) -> Figures:
    """Return the figures of a run.

    Parameters
    ----------
    measured_after_ns
        When the warm-up was over.
    """
    measured = columns.measured(measured_after_ns)
    answered = columns["answered_ns"] > 0
    latencies = columns["answered_ns"] - columns["due_ns"]
    lateness = columns["left_ns"] - columns["due_ns"]
    labels = columns["label"]
    refused = columns["outcome"] == Outcome.REJECTED
    kinds = {index: name for index, name in enumerate(LABELS) if (labels == index).any()}
    trades: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    for each in counts:
        trades.update(each.trades)
        codes.update(each.codes)
    return Figures(
        latency=Latency.of(latencies[measured & answered]),
        lateness=Latency.of(np.maximum(lateness[measured], 0)),
        by_kind={
            name: Latency.of(latencies[measured & answered & (labels == index)])
            for index, name in kinds.items()
            if name != DEPTH
        },
        commands=len(columns),
        measured=int(measured.sum()),
        answered=int(answered.sum()),
        answered_twice=sum(each.answered_twice for each in counts),
        answered_unknown=sum(each.answered_unknown for each in counts),
        refused=dict(codes.most_common()),
        refused_by_kind={
            name: int((refused & (labels == index)).sum())
            for index, name in kinds.items()
            if (refused & (labels == index)).any()
        },
        sent_by_kind={name: int((labels == index).sum()) for index, name in kinds.items()},
        trades=len(trades) + sum(each.trades_unnamed for each in counts) // 2,
        trades_one_sided=sum(count != 2 for count in trades.values()),
    )


def p99_of_due(columns: Columns, edges_ns: Sequence[int]) -> list[float | None]:
    """Return, of what was due between two moments and the next, the p99; None where nothing was.

    The first moment has none before it. A command is counted where it was due and not where it was
    answered, so an outage is seen where it was.
    """
    answered = columns["answered_ns"] > 0
    due = columns["due_ns"][answered]
    latencies = columns["answered_ns"][answered] - due
    places = np.searchsorted(np.asarray(edges_ns, np.int64), due)
    found: list[float | None] = []
    for place in range(len(edges_ns)):
        within = latencies[places == place]
        found.append(float(np.percentile(within, 99, method="higher")) if len(within) else None)
    return found


def void_reason(figures: Figures) -> str:
    """Say why the figures are worth nothing; empty if they are."""
    late, reported = figures.lateness.p99, figures.latency.p99
    if figures.latency.count == 0:
        return "nothing was measured"
    if late * LATENESS_PART > reported:
        return (
            f"expected a sending lateness p99 of at most a tenth of the p99 reported,"
            f" {reported / LATENESS_PART / 1e6:.3f} ms, got {late / 1e6:.3f} ms"
        )
    return ""
