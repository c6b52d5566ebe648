"""Plays rows through one book of peers.py, in a process of its own.

    python -m bench.peers.peer_run NAME ROWS.npy OPENING SECONDS

prints a JSON object: ns a row of each round and of the empty loop, and what the trades add up to.
"""

import gc
import importlib
import json
import sys
from statistics import median
from time import perf_counter

import numpy as np

from bench.books.tally import TradeTally
from bench.peers.peers import PEERS, EmptyLoop, Peer, Row

CHUNK = 500
ROUNDS = 5


def totals_of_peer(peer: Peer) -> dict[str, int]:
    """Its trades, added up."""
    trades = list(peer.trades())
    tally = TradeTally()
    if trades:
        tally.add(*np.array(trades, np.int64).T)
    return vars(tally.totals())


def play_for(peer: Peer, rows: list[Row], seconds_max: float) -> tuple[int, float]:
    """Play rows until they end or the time is over; return how many, and the seconds."""
    done, seconds = 0, 0.0
    while done < len(rows) and seconds < seconds_max:
        chunk = rows[done : done + CHUNK]
        start = perf_counter()
        peer.play(chunk)
        seconds += perf_counter() - start
        done += len(chunk)
    return done, seconds


def measure(kind: type[Peer], rows: list[Row], opening: int, seconds_max: float) -> dict:
    """Rounds with a new book each; the opening rows are not timed."""
    gc.disable()
    possible = kind.rows_possible(rows)
    left_out, rows = len(rows) - len(possible), possible
    loops, rounds, done = [], [], len(rows)
    for _ in range(ROUNDS):
        loop_done, seconds = play_for(EmptyLoop(), rows[opening:], seconds_max)
        loops.append(1e9 * seconds / loop_done)
        peer = kind()
        peer.play(rows[:opening])
        # Later rounds play as many rows as the first one had time for.
        done, seconds = play_for(peer, rows[opening:][:done], seconds_max * (2 if rounds else 1))
        rounds.append(1e9 * seconds / done)
        totals = totals_of_peer(peer)
        peer.close()
        del peer
        gc.collect()
    return {
        "rows": done, "rows_left_out": left_out, "loop_ns": median(loops), "rounds_ns": rounds,
        "totals": totals, "gives": kind.gives,
    }


def main() -> None:
    name, path, opening, seconds = sys.argv[1:]
    kind = PEERS[name]
    try:
        importlib.import_module(kind.module)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    rows = np.load(path).tolist()
    print(json.dumps(measure(kind, rows, int(opening), float(seconds))))


if __name__ == "__main__":
    main()
