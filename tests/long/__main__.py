"""The long differential test: a hundred thousand Hypothesis examples, which `make test` has not.

    python -m tests.long [--examples 100000] [--markets 20] [--processes 2] [--seed 1]

Four of five examples drive an `OrderBook` and a plain one alike, the rest a `CompiledMarket` and
the reference market, which takes a few times as long. Prints how many commands an example had, how
often each event and each reason came, and fails if a comparison fails, if the median example is
shorter than a hundred commands, or if one of them came less than a hundred times.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from long.blocks import EXPECTED, Block, Found, block_run

BLOCK_EXAMPLES = 1_000
"""So many come from one seed; Hypothesis remembers all examples of a run, which takes memory."""
COMMANDS_MEDIAN_MIN = 100
WHAT = ("event", "reason", "block reason")
SEEN_MIN = 100


def blocks_of(examples: int, markets_percent: int, seed_first: int) -> Iterator[Block]:
    """All blocks, books and markets mixed, so that time left can be told from time gone."""
    left = {"book": examples - examples * markets_percent // 100}
    left["market"] = examples - left["book"]
    number = 0
    while any(left.values()):
        for kind in left:
            count = min(left[kind], BLOCK_EXAMPLES * (4 if kind == "book" else 1))
            left[kind] -= count
            if count:
                yield Block(kind, seed_first * 1_000_000 + number, count)
                number += 1


def all_found(blocks: list[Block], processes: int) -> list[Found]:
    """Run the blocks, some at once; print how far it is."""
    total, done, began = sum(block.examples for block in blocks), 0, time.monotonic()
    found = []
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        waiting = [pool.submit(block_run, block) for block in blocks]
        try:
            for future in as_completed(waiting):
                found.append(future.result())
                done += len(found[-1].command_counts)
                seconds = int(time.monotonic() - began)
                print(f"{done:,} of {total:,} examples, {seconds} s", flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found


def kind_faults(kind: str, found: list[Found]) -> Iterator[str]:
    """Print the counts of the books, or of the markets, and give what is too little."""
    counts = np.concatenate([part.command_counts for part in found])
    seen = sum(part.seen for part in found)
    median = int(np.median(counts))
    print(
        f"\n{kind}: {len(counts):,} examples, {counts.sum():,} commands; "
        f"commands an example: median {median}, least {counts.min()}, most {counts.max()}"
    )
    if median < COMMANDS_MEDIAN_MIN:
        yield f"{kind}: the median example: expected {COMMANDS_MEDIAN_MIN} commands, got {median}"
    for row, name, expected in zip(seen, WHAT, EXPECTED[kind], strict=False):
        for member in sorted(expected):
            print(f"  {name:12} {member.name:24} {row[member]:>12,}")
            if row[member] < SEEN_MIN:
                yield f"{kind}: {member.name} must come {SEEN_MIN} times, came {row[member]}"
        if strange := set(np.flatnonzero(row).tolist()) - expected:
            yield f"{kind}: no {name} of the list: {sorted(strange)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long", description=__doc__)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--markets", type=int, default=20, help="percent that are of markets")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    blocks = list(blocks_of(arguments.examples, arguments.markets, arguments.seed))
    found = all_found(blocks, arguments.processes)
    faults = []
    for kind in EXPECTED:
        of_kind = [part for part in found if part.kind == kind]
        if of_kind:
            faults += kind_faults(kind, of_kind)
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    print("failed" if faults else "passed")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
