"""How much faster a sweep is on two processes than on one; both must come to the same bytes.

    python -m bench.sweep                               100 years of 200 firms: about an hour
    python -m bench.sweep --years 8 --firms 50 --rounds 3
    python -m bench.sweep --quick                       in a minute or two

On a machine that does nothing else: two processes need both processors. The two take turns, round
by round, and the ratio is of the medians; seconds of a processor stand beside the wall clock's, and
tell whether somebody else was there.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from cea_exchange.sweep.plan_file import plan_read
from cea_exchange.sweep.run import SweepRun

PLAN = """
title = "{years} years of {firms} firms"
[year]
year = 2024
entities = {firms}
days = {days}
[seeds]
count = {years}
"""


class Turn(NamedTuple):
    """A sweep: seconds by the wall clock and of processors, its hash, its files' bytes."""

    wall_s: float
    cpu_s: float
    hash: str
    files: dict[str, bytes]


def turn(plan: Path, processes: int) -> Turn:
    """Play a sweep with so many processes, and see that nothing failed."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        run = SweepRun(plan_read(plan), out)
        began_s = time.monotonic()
        standing, outcome = run.run(processes=processes)
        wall_s = time.monotonic() - began_s
        assert outcome is not None and not standing.failed, standing
        files = {
            str(file.relative_to(out)): file.read_bytes()
            for file in sorted(out.rglob("*"))
            if file.is_file() and file.name not in ("played.csv", "lock")
        }
        times = (out / "played.csv").read_text(encoding="ascii").split()
    return Turn(wall_s, sum(float(line.split(",")[2]) for line in times), outcome.hash, files)


def main() -> None:
    """Print the turns and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=100)
    parser.add_argument("--firms", type=int, default=200)
    parser.add_argument("--days", type=int, default=0, help="trading days; 0: all")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="8 years of 30 firms, 40 days")
    asked = parser.parse_args()
    years, firms, days = (8, 30, 40) if asked.quick else (asked.years, asked.firms, asked.days)
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.toml"
        plan.write_text(PLAN.format(years=years, firms=firms, days=days), encoding="utf-8")
        print(f"{years} years of {firms} firms, {days or 'all'} days\n")
        print("| round | processes | s | s of a processor | years/min |\n|---|---|---|---|---|")
        walls: dict[int, list[float]] = {1: [], 2: []}
        first: Turn | None = None
        for number in range(asked.rounds):
            for processes in (1, 2) if number % 2 == 0 else (2, 1):
                found = turn(plan, processes)
                first = first or found
                assert found.hash == first.hash and found.files == first.files, "other bytes"
                walls[processes].append(found.wall_s)
                rate = 60 * years / found.wall_s
                print(
                    f"| {number} | {processes} | {found.wall_s:.1f} | {found.cpu_s:.1f}"
                    f" | {rate:.1f} |",
                    flush=True,
                )
    one, two = (statistics.median(walls[processes]) for processes in (1, 2))
    print(f"\n{one / two:.2f} times as fast on two processes; equal bytes: {first and first.hash}")


if __name__ == "__main__":
    main()
