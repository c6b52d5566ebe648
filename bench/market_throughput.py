"""How many commands a second does the market take, all rules on, compiled against plain Python?

The compiled and the reference market get the same steady mix (bench/workloads.py) in the same run:
3,600 accounts, 6 products, full events. Nothing is printed before both gave the same events and the
same state hash on the part that the reference market can do in reasonable time. It leaves out the
journal, the sockets and the settlement.

    python bench/market_throughput.py [--commands 1000000] [--seed 1]
"""

import argparse
import hashlib
import time

import numpy as np
from workloads import ACCOUNT_COUNT, PRODUCT_COUNT, REFERENCE_PRICE, steady_mix

from cea_exchange._market import CompiledMarket
from cea_exchange.domain.naming import name_key
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EVENT_DTYPE, PRODUCT_NONE, EventKind, Phase
from cea_exchange.matching.reference import ReferenceMarket

BATCH_COUNT = 4_096


def market_open(market_class: type) -> object:
    """Return a market in the listed phase, every account rich in cash and in each product."""
    market = market_class(load_profile("cea").rules)
    for number in range(PRODUCT_COUNT):
        market.product_declare(name_key(f"CEA{number}"), REFERENCE_PRICE)
    for number in range(ACCOUNT_COUNT):
        account = market.account_declare(name_key(f"P{number}"))
        market.deposit(account, PRODUCT_NONE, 10**14)
        for product in range(PRODUCT_COUNT):
            market.deposit(account, product, 10**9)
    market.day_open(20241231)
    market.phase_set(Phase.LISTED)
    return market


def play(market: object, commands: np.ndarray) -> tuple[float, str, int]:
    """Run the commands in batches; return seconds in `process`, digest of the events, trades."""
    events = np.zeros(BATCH_COUNT * 16, EVENT_DTYPE)
    digest, seconds, trade_count, done = hashlib.blake2b(digest_size=16), 0.0, 0, 0
    while done < len(commands):
        start = time.perf_counter()
        consumed, produced = market.process(commands[done : done + BATCH_COUNT], events)
        seconds += time.perf_counter() - start
        digest.update(events[:produced].tobytes())
        trade_count += int(np.count_nonzero(events["kind"][:produced] == EventKind.TRADE))
        done += consumed
    return seconds, digest.hexdigest(), trade_count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    commands = steady_mix(options.commands, seed=options.seed)
    checked = commands[: min(len(commands), 30_000)]

    compiled, reference = market_open(CompiledMarket), market_open(ReferenceMarket)
    compiled_seconds, compiled_digest, _ = play(compiled, checked)
    reference_seconds, reference_digest, _ = play(reference, checked)
    if compiled_digest != reference_digest or compiled.state_hash() != reference.state_hash():
        raise SystemExit("the compiled and the reference market differ: no figure is printed")

    rounds = []
    for _ in range(3):
        seconds, _, trade_count = play(market_open(CompiledMarket), commands)
        rounds.append(seconds)
    rate = len(commands) / min(rounds)
    print(f"verified on {len(checked):,} commands: same events, same state hash")
    worst = len(commands) / max(rounds)
    print(f"compiled, {len(commands):,} commands, {trade_count:,} trades: best of 3 "
          f"{rate / 1e6:.2f} M commands/s ({1e9 / rate:.0f} ns), worst {worst / 1e6:.2f} M/s")
    ratio = reference_seconds / compiled_seconds
    print(f"compiled : reference on the verified part = {ratio:.0f} : 1")


if __name__ == "__main__":
    main()
