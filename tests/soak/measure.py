"""What processes hold: memory, files, threads, disk; and whether that grows with the work done."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WARM_UP_SHARE = 0.2
"""So much of the run is not judged: pools are touched, caches and pages fill."""

SAMPLES_MIN = 8
RSS_SLOPE_MAX = 1.0
COUNT_SLOPE_MAX = 0.2

BOUNDS = {"rss_mib": RSS_SLOPE_MAX, "fds": COUNT_SLOPE_MAX, "threads": COUNT_SLOPE_MAX}
"""Greatest growth per unit of work of what must stay flat. The rest may grow, and is shown."""

COMMANDS_UNIT = 1_000_000
ENTERPRISE_YEARS_UNIT = 100
"""What is a unit of work: a million commands, or a hundred enterprises' whole years."""

COUNT_STEP = 2.0
"""Files and threads may come this often in all: a timer's first turn is no leak."""

_MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """What a process holds at one moment.

    Attributes
    ----------
    done
        Commands answered so far, of the whole market; or enterprises' years.
    values
        By measure: `rss_mib`, `anonymous_mib` (no file behind it), `pss_mib` (shared pages by
        share), `fds`, `threads`, `cpu_s`, and `disk_mib_NAME` of the folders it writes.
    """

    done: int
    values: dict[str, float]


def sample_process(pid: int, done: int, folders: dict[str, Path]) -> Sample:
    """Read what a process holds from /proc, and what lies in its folders."""
    status = _fields(Path(f"/proc/{pid}/status"))
    rollup = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    values = {
        "rss_mib": status["VmRSS"] / 1024,
        "anonymous_mib": (status["RssAnon"] + status["RssShmem"]) / 1024,
        "pss_mib": rollup["Pss"] / 1024,
        "fds": float(len(os.listdir(f"/proc/{pid}/fd"))),
        "threads": float(status["Threads"]),
        "cpu_s": _cpu_s(pid),
    }
    for name, folder in folders.items():
        values[f"disk_mib_{name}"] = folder_bytes(folder) / _MIB
    return Sample(done, values)


def folder_bytes(folder: Path) -> int:
    """Return what the files below a folder take up; those that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total


@dataclass(frozen=True)
class Trend:
    """How a measure went after the warm-up.

    Attributes
    ----------
    first, last
        Its value at the end of the warm-up and of the run.
    slope, error
        Growth per unit of work, fitted by least squares, and the fit's standard error.
    units
        Of work, from `first` to `last`.
    bound
        What the slope may be; None if the measure may grow.
    step
        What it may grow in all, whatever the slope.
    """

    first: float
    last: float
    slope: float
    error: float
    units: float
    bound: float | None
    step: float = 0.0

    @property
    def is_flat(self) -> bool:
        """Whether the slope lies within its bound, or comes to no more than the step."""
        if self.bound is None or self.slope <= self.bound:
            return True
        return self.slope * self.units <= self.step


def trends(
    samples: list[Sample], bounds: dict[str, float] = BOUNDS, unit: int = COMMANDS_UNIT
) -> dict[str, Trend]:
    """Fit every measure of a process over the work done, without the warm-up.

    Raises
    ------
    ValueError
        If too few samples are left to tell.
    """
    start = samples[-1].done * WARM_UP_SHARE if samples else 0
    judged = [sample for sample in samples if sample.done >= start]
    if len(judged) < SAMPLES_MIN:
        raise ValueError(
            f"a trend needs {SAMPLES_MIN} samples after the warm-up, had {len(judged)}"
        )
    units = np.array([sample.done for sample in judged]) / unit
    found = {}
    for name in judged[0].values:
        values = np.array([sample.values[name] for sample in judged])
        (slope, _), (variance, _) = _line(units, values)
        found[name] = Trend(
            first=float(values[0]),
            last=float(values[-1]),
            slope=float(slope),
            error=float(np.sqrt(variance)),
            units=float(units[-1] - units[0]),
            bound=bounds.get(name),
            step=COUNT_STEP if name in ("fds", "threads") else 0.0,
        )
    return found


def _line(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a line; return (slope, offset) and their variances."""
    line, covariance = np.polyfit(x, y, 1, cov=True)
    return line, np.diagonal(covariance)


def _fields(path: Path) -> dict[str, int]:
    """Read a file of `name: number ...` lines; lines without a number are left out."""
    fields = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            fields[name] = int(words[0])
    return fields


def _cpu_s(pid: int) -> float:
    # Behind the name, which is in brackets and may hold blanks: fields 14 and 15 of proc(5).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
