"""The tests of processes and sockets, run several times on a machine that other work keeps busy.

    python -m busy [--rounds 3] [--seed 1] [--loops 2] [FOLDER ...]

Each round draws another order of the tests. Exit status 1 if a test failed in any round; each is
listed with the rounds and the order's seed, with which `--rounds 1 --seed N` repeats it.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

FOLDERS = ("venue", "cluster", "control_plane", "daemons", "registry", "loadtest", "screens")
MARKS = "(e2e or crash or attack) and not nightly"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-n", "4", "--dist", "loadfile", "-m", MARKS)
ROUND_S_MAX = 3_600
"""A round takes a quarter of an hour on two processors; a test that hangs must not stop a night."""
NO_TEST_FAILED, TESTS_FAILED = 0, 1


def arguments_parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m busy", description=__doc__)
    parser.add_argument("folders", nargs="*", metavar="FOLDER", help="folders below tests/")
    parser.add_argument("--rounds", type=int, default=3, help="how often the tests run")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first round's order")
    parser.add_argument("--loops", type=int, default=2, help="processes that keep processors busy")
    return parser.parse_args()


def main() -> int:
    arguments = arguments_parse()
    folders = [str(Path("tests", folder)) for folder in arguments.folders or FOLDERS]
    seeds_by_test = defaultdict(list)
    with processors_busy(arguments.loops):
        for seed in range(arguments.seed, arguments.seed + arguments.rounds):
            for test in failed_in_round(folders, seed):
                seeds_by_test[test].append(seed)
    for test, seeds in sorted(seeds_by_test.items()):
        print(f"{test}: failed in {len(seeds)} of {arguments.rounds} rounds, seeds {seeds}")
    if not seeds_by_test:
        print(f"No test failed in {arguments.rounds} rounds beside {arguments.loops} busy loops.")
    return bool(seeds_by_test)


@contextmanager
def processors_busy(loop_count: int) -> Iterator[None]:
    """Keep that many processors busy; the loops end with this program, however it ends."""
    # A loop notices that its parent is gone by another parent's id.
    loop = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
    with ExitStack() as stack:
        for _ in range(loop_count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", loop]))
            stack.callback(process.kill)
        yield


def failed_in_round(folders: list[str], seed: int) -> list[str]:
    """Run the tests in the order of a seed, and return the ids of those that failed."""
    print(f"Round with seed {seed}", flush=True)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        order = ("--random-order", f"--random-order-seed={seed}")
        ran = subprocess.run(
            [*PYTEST, *order, *folders],
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=ROUND_S_MAX,
        )
        output.seek(0)
        text = output.read()
    print(text if ran.returncode else text.splitlines()[-1], flush=True)
    failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", text, re.MULTILINE)
    if ran.returncode == NO_TEST_FAILED or (ran.returncode == TESTS_FAILED and failed):
        return failed
    raise SystemExit(f"pytest ended with {ran.returncode} and named no failed test")


if __name__ == "__main__":
    sys.exit(main())
