"""What surveillance costs a venue that trades, and how far behind it is.

    python -m bench.surveillance_venue                       in turns, with and without
    python -m bench.surveillance_venue --follow 50000        how far behind at so many a second

A venue's sequencer (journal, fdatasync, market, event store; no sockets) takes the workload `market
steady` in batches as fast as it can. In every other turn `cea-exchange surveil DIR --follow` runs
beside it, in a process of its own, on the same folder. Each turn ends in the same state, or no
figure is printed. `--follow` paces the venue instead, and reads its journal once a second as
`surveil` does: what is printed is the processor's time of a look at the recent part, and to read.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from bench.books.workloads import ACCOUNT_COUNT, PRODUCT_COUNT, market_steady
from bench.recovery import acts
from cea_exchange.domain.profile import load_profile
from cea_exchange.supervision.recent import PATTERNS_RECENT, RecentTape
from cea_exchange.supervision.sources import VenueTape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.venue.durability.sequencer import Sequencer

PROFILE = load_profile("cea")
BATCH = 256
TURNS = 5
SETTLE_S = 3.0
"""Until the follower has read what was there before."""


def opened(data: Path) -> Sequencer:
    """Return a venue's sequencer in the listed phase."""
    begin_ns = time.time_ns()
    now = iter(range(begin_ns, begin_ns + 10**15, 1_000))
    sequencer = Sequencer.open(data, PROFILE, now_ns=now.__next__)
    _, refusals = sequencer.run_controls(acts(ACCOUNT_COUNT, PRODUCT_COUNT))
    assert refusals and not any(refusals)
    return sequencer


def turn(commands: np.ndarray, *, is_followed: bool) -> tuple[float, int]:
    """Return the commands a second of one turn, and the state that it ended in."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        sequencer = opened(data)
        follower = None
        if is_followed:
            words = "from cea_exchange.cli.main import main; main()"
            asked = [sys.executable, "-c", words, "surveil", folder, "--follow", "--json"]
            follower = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(SETTLE_S)
        try:
            begun = time.perf_counter()
            for first in range(0, len(commands), BATCH):
                sequencer.run_records(commands[first : first + BATCH])
            took_s = time.perf_counter() - begun
            if follower is not None and follower.poll() is not None:
                sys.exit("the follower ended by itself: no figure is printed")
        finally:
            if follower is not None:
                follower.terminate()
                follower.wait()
            state = sequencer.machine.core.state_hash()
            sequencer.close()
    return len(commands) / took_s, state


def in_turns(commands: np.ndarray) -> None:
    """Measure with and without a follower, and print."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    states = set()
    for number in range(TURNS):
        # Whoever is first in a turn is second in the next.
        for is_followed in (False, True) if number % 2 == 0 else (True, False):
            rate, state = turn(commands, is_followed=is_followed)
            rates[is_followed].append(rate)
            states.add(state)
    if len(states) != 1:
        sys.exit(f"expected one state at the end of all turns, got {len(states)}")
    for is_followed, name in ((False, "alone"), (True, "followed")):
        each = ", ".join(f"{rate:,.0f}" for rate in rates[is_followed])
        print(f"{name:<9} {median(rates[is_followed]):>12,.0f} commands/s (median of {each})")
    share = median(rates[True]) / median(rates[False]) * 100
    print(f"followed is {share:.1f}% of alone; state {states.pop():016x} in every turn")


def followed(commands: np.ndarray, events_per_second: int, seconds: int) -> None:
    """Pace a venue, look at it once a second, and print what each look took."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        sequencer = opened(data)
        follower = VenueTape(data)
        follower.take()
        recent = RecentTape()
        place = produced = 0
        looks = []
        for _ in range(seconds):
            wanted = produced + events_per_second
            while produced < wanted and place < len(commands):
                batch = commands[place : place + BATCH]
                produced += len(sequencer.run_records(batch))
                place += len(batch)
            begun = time.process_time()
            read = follower.take()
            read_s = time.process_time() - begun
            part = recent.of(follower.tape())
            surveil(part, patterns=PATTERNS_RECENT)
            looks.append((produced, read, read_s, time.process_time() - begun))
        sequencer.close()
        print("events so far   new   to read them   whole look, seconds of processor")
        for events, read, read_s, whole_s in looks:
            print(f"{events:>13,}  {read:>6,}  {read_s:>8.3f} s  {whole_s:>8.3f} s")
        late = next((events for events, _, _, whole_s in looks if whole_s > 1), None)
        lateness = "never" if late is None else f"from {late:,} events on"
        print(f"a look took longer than a second: {lateness}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.surveillance_venue", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--follow", type=int, default=0, help="events a second")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    commands = market_steady(1, options.scale).commands
    if options.follow:
        followed(commands, options.follow, options.seconds)
    else:
        in_turns(commands)


if __name__ == "__main__":
    main()
