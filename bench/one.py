"""One engine on one workload, over and over, for a profiler to look at.

    perf stat -d python -m bench.one steady book --rounds 20
    perf record -g python -m bench.one deep book --ids arbitrary
    valgrind --tool=callgrind python -m bench.one steady book --scale 0.02 --rounds 1
"""

import argparse
from functools import partial

from bench.books.engines import play_book, play_ladder, play_market
from bench.books.workloads import BOOK_WORKLOADS, market_steady, with_arbitrary_ids

ENGINES = {
    "book": play_book,
    "events": partial(play_book, trades_only=False),
    "ladder": play_ladder,
    "market": play_market,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.one", description=__doc__.split("\n")[0])
    parser.add_argument("workload", choices=[*BOOK_WORKLOADS, "market steady"])
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("--ids", choices=("dense", "arbitrary"), default="dense")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    if (options.engine == "market") != (options.workload == "market steady"):
        parser.error("the market plays `market steady`, the others anything else")
    workload = BOOK_WORKLOADS.get(options.workload, market_steady)(options.seed, options.scale)
    if options.ids == "arbitrary":
        workload = with_arbitrary_ids(workload)
    for number in range(options.rounds):
        seconds, _ = ENGINES[options.engine](workload)
        print(f"round {number + 1}: {1e9 * seconds / len(workload.commands):.2f} ns a command")


if __name__ == "__main__":
    main()
