"""How long a day of a million events takes through all patterns, on one core.

    python -m bench.surveillance_speed                        a million events
    python -m bench.surveillance_speed --events 100000        a tenth

The events are those of the workload `market steady`, six products and 3,600 accounts of which every
third has a mate of one will, spread over the four hours of a trading day; what each pattern took is
printed beside the whole. Reading a journal is not in it: that is as fast as a start
(bench.recovery).
"""

import argparse
import time

import numpy as np

from bench.books.engines import ACCOUNT_COUNT, PRODUCT_COUNT, REFERENCE_PRICE, batches, market_open
from bench.books.workloads import market_steady
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.domain.timetable import time_parse, time_to_ns
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.limits import limits_packaged
from cea_exchange.supervision.patterns.context import Context, Facts
from cea_exchange.supervision.surveillance import PATTERNS, surveil
from cea_exchange.supervision.tape import SECOND_NS, Tape

OPENS = time_to_ns(time_parse("2024-12-31T09:30:00+08:00"))
TRADING_S = 4 * 3600


def day_tape(event_count: int) -> Tape:
    """Return the tape of a day of so many events."""
    profile = load_profile("cea")
    market = market_open(CompiledMarket, "cea", profile.rules.order_count_max)
    rows = np.zeros(100_000, EVENT_DTYPE)
    parts, count = [], 0
    for batch in batches(market_steady(1, 1.0).commands, 4_096):
        consumed, produced = market.process(batch, rows)
        assert consumed == len(batch)
        parts.append(rows[:produced].copy())
        count += produced
        if count >= event_count:
            break
    parts.append(market.day_close())
    events = np.concatenate(parts)
    time_ns = OPENS + np.arange(len(events)) * (TRADING_S * SECOND_NS // len(events))
    return Tape(
        events,
        time_ns,
        tuple(f"CEA{number}" for number in range(PRODUCT_COUNT)),
        tuple(f"P{number}" for number in range(ACCOUNT_COUNT)),
        tuple(f"G{number // 3}" if number % 3 else "" for number in range(ACCOUNT_COUNT)),
        (REFERENCE_PRICE,) * PRODUCT_COUNT,
        profile,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.surveillance_speed", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    options = parser.parse_args()
    tape = day_tape(options.events)
    facts = Facts(float_tonnes={"CEA0": 10**12}, holding_limit_tonnes=10**12)
    begun = time.process_time()
    found = surveil(tape, facts=facts)
    whole_s = time.process_time() - begun
    context = Context(Columns(tape), limits_packaged(), facts)
    for name, detector in PATTERNS.items():
        begun = time.process_time()
        count = sum(1 for _ in detector(context))
        print(f"{name:<16} {time.process_time() - begun:6.2f} s   {count} alerts")
    print(
        f"{len(tape.events):,} events through all patterns in {whole_s:.2f} s, {len(found)} alerts"
    )


if __name__ == "__main__":
    main()
