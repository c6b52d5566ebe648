"""Two ways of doing it, held against each other: rounds in turns, and how sure the difference is.

A round of one and a round of the other, one after the other, see the same machine; what differs
within such a pair is theirs, what differs from pair to pair is the machine's. So the ratio is taken
pair by pair, and its interval is Student's of the logarithms.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cea_exchange.loadtest.results.result import Result, ResultError, result_read

MEASURES = ("p50", "p90", "p99", "p99.9", "mean")
STUDENT_95 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179),
    *(2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064),
    *(2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
"""Of 1 to 30 degrees of freedom, both sides together 5 %; beyond, the normal distribution's."""
NORMAL_95 = 1.960


class Ratio(msgspec.Struct, kw_only=True):
    """One measure of both.

    Attributes
    ----------
    a, b : float
        The geometric means over the rounds; latencies in nanoseconds.
    ratio : float
        B to A.
    low, high : float or None
        The 95 % interval of the ratio; None of a single round, which says nothing of chance.
    """

    name: str
    a: float
    b: float
    ratio: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Say what the interval says."""
        if self.low is None or self.high is None:
            return "one round: nobody can say"
        if self.low <= 1 <= self.high:
            return "no difference shown"
        return "B is more" if self.low > 1 else "B is less"


class Comparison(msgspec.Struct, kw_only=True):
    """Both sides of all measures."""

    rounds: int
    void: list[str]
    ratios: list[Ratio]


def rounds_read(path: Path) -> list[Result]:
    """Read the rounds of a folder, in order of their names, or a single result.

    Raises
    ------
    ResultError
        There is none.
    """
    if path.is_dir() and not (path / "report.json").exists():
        files = sorted(path.glob("*/report.json")) or sorted(path.glob("*.json"))
        if not files:
            raise ResultError(f"{path}: expected a report.json, or a folder for each round")
        return [result_read(file) for file in files]
    return [result_read(path)]


def compare(a: Sequence[Result], b: Sequence[Result]) -> Comparison:
    """Hold rounds against each other, the first against the first, and so on.

    Raises
    ------
    ResultError
        They are not as many, or something was lost in one: how fast it was is of no interest then.
    """
    if len(a) != len(b):
        raise ResultError(f"expected as many rounds of A as of B, got {len(a)} and {len(b)}")
    for name, side in (("A", a), ("B", b)):
        for number, each in enumerate(side, 1):
            if each.losses:
                raise ResultError(f"round {number} of {name} has lost something: {each.losses[0]}")
    void = [
        f"round {number} of {name}: {each.void}"
        for name, side in (("A", a), ("B", b))
        for number, each in enumerate(side, 1)
        if each.void
    ]
    ratios = [
        ratio_of(
            name,
            [float(each.figures.latency.at(name)) for each in a],
            [float(each.figures.latency.at(name)) for each in b],
        )
        for name in MEASURES
    ]
    answered = [[each.answered_per_second for each in side] for side in (a, b)]
    ratios.append(ratio_of("answered", *answered))
    return Comparison(rounds=len(a), void=void, ratios=ratios)


def ratio_of(name: str, a: Sequence[float], b: Sequence[float]) -> Ratio:
    """Return the ratio of pairs, with its interval."""
    logs = [math.log(max(y, 1e-9) / max(x, 1e-9)) for x, y in zip(a, b, strict=True)]
    count = len(logs)
    mean = sum(logs) / count
    low = high = None
    if count > 1:
        variance = sum((each - mean) ** 2 for each in logs) / (count - 1)
        student = STUDENT_95[count - 2] if count - 2 < len(STUDENT_95) else NORMAL_95
        half = student * math.sqrt(variance / count)
        low, high = math.exp(mean - half), math.exp(mean + half)
    return Ratio(
        name=name,
        a=_geometric(a),
        b=_geometric(b),
        ratio=math.exp(mean),
        low=low,
        high=high,
    )


def _geometric(values: Sequence[float]) -> float:
    return math.exp(sum(math.log(max(value, 1e-9)) for value in values) / len(values))
