"""How often planted abuse is found, by pattern, size and speed, and how often honest days alert.

    python -m bench.surveillance.accuracy                     the held-out seeds
    python -m bench.surveillance.accuracy --seeds 0:5         others
    python -m bench.surveillance.accuracy --recorded FILE     and recorded days, as often as given

Thresholds were tuned on the corpus, on the load generator's days and on the street's seeds below
1000. What is found is an alert of the pattern itself, `alert` or `high`, that names an account of
who did it; an alert that names no such account is false.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench.surveillance.loaded import loaded_day
from bench.surveillance.schemes import SCHEMES, SIZES, SPEEDS, Grade, scheme_made
from bench.surveillance.street import Street
from bench.surveillance_flow import commands
from cea_exchange.domain.profile import load_profile
from cea_exchange.loadtest.flow.recorded import recorded_orders
from cea_exchange.supervision.sources import script_tape
from cea_exchange.supervision.surveillance import surveil
from cea_exchange.supervision.tape import Tape

HELD_OUT = "1000:1010"
GRADES = [Grade(*place) for place in product(range(len(SIZES)), range(len(SPEEDS)))]
HONEST_DAYS = 20
OWNERS = (10, 40, 200)
"""Numbers of accounts that recorded orders, whose owners are not known, are given to."""


class Found(NamedTuple):
    """What was found of one scheme: whether itself, and the patterns of true and false alerts."""

    pattern: str
    grade: Grade
    is_found: bool
    true: tuple[str, ...]
    false: tuple[str, ...]


def found_of(case: tuple[str, Grade, int]) -> Found:
    """Return what is found of a scheme, made anew."""
    pattern, grade, _ = case
    made = scheme_made(*case)
    alerts = [a for a in surveil(made.tape, facts=made.facts) if a.grade != "watch"]
    who = set(made.accounts)
    true = [alert for alert in alerts if not who.isdisjoint(alert.accounts)]
    return Found(
        pattern,
        grade,
        any(alert.pattern == pattern for alert in true),
        tuple(alert.pattern for alert in true),
        tuple(alert.pattern for alert in alerts if who.isdisjoint(alert.accounts)),
    )


def table(found: list[Found]) -> Iterator[str]:
    """Yield recall by pattern, size and speed, and each pattern's precision."""
    heads = " | ".join(f"{SIZES[g.size]}, {SPEEDS[g.speed]}" for g in GRADES)
    yield f"| pattern | {heads} | true | false | precision |"
    yield "|---" * (len(GRADES) + 4) + "|"
    true = Counter(name for each in found for name in each.true)
    false = Counter(name for each in found for name in each.false)
    for pattern in SCHEMES:
        cells = []
        for grade in GRADES:
            mine = [
                each.is_found for each in found if (each.pattern, each.grade) == (pattern, grade)
            ]
            cells.append(f"{sum(mine)}/{len(mine)}")
        count = true[pattern] + false[pattern]
        share = f"{true[pattern] * 100 // count}%" if count else "-"
        row = [pattern, *cells, str(true[pattern]), str(false[pattern]), share]
        yield f"| {' | '.join(row)} |"
    whole = sum(true.values()) + sum(false.values())
    yield ""
    yield f"{sum(each.is_found for each in found)} of {len(found)} schemes found"
    yield f"{sum(true.values())} of {whole} alerts name who did it"


def honest(seeds: range, recorded: list[Path]) -> Iterator[str]:
    """Yield how many false alerts each kind of honest day gives."""
    street = [seeds.start + 500_000 + number for number in range(HONEST_DAYS)]
    yield _line("street", (_street_day(seed) for seed in street), HONEST_DAYS)
    yield _line("load generator, four hours", (loaded_day(seed) for seed in street), HONEST_DAYS)
    crowded = (loaded_day(s, accounts=8, rate=1_000, seconds=20) for s in street)
    yield _line("load generator, 1,000 a second, 8 accounts", crowded, HONEST_DAYS)
    for path in recorded:
        tapes = (recorded_day(path, owners) for owners in OWNERS)
        yield _line(f"{path.parent.name}/{path.name}, of 10, 40, 200 owners", tapes, len(OWNERS))


def honest_alerts(tapes: Iterable[Tape]) -> Counter[str]:
    """Return how many alerts honest days give, by pattern."""
    return Counter(a.pattern for tape in tapes for a in surveil(tape) if a.grade != "watch")


def _line(name: str, tapes: Iterable[Tape], days: int) -> str:
    counts = honest_alerts(tapes)
    what = ", ".join(f"{pattern} {count}" for pattern, count in sorted(counts.items()))
    return f"{name}: {sum(counts.values())} alerts in {days} days" + (f" ({what})" if what else "")


def _street_day(seed: int) -> Tape:
    street = Street(seed)
    street.scene.run()
    return street.scene.tape()


def recorded_day(path: Path, owners: int) -> Tape:
    """Return a recorded day's orders, given to so many owners."""
    lines = [json.dumps(each).encode() for each in commands(recorded_orders(path), owners)]
    return script_tape(lines, load_profile("open"), str(path))


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.surveillance.accuracy")
    parser.add_argument("--seeds", default=HELD_OUT, help="from:to, the last not included")
    parser.add_argument("--pattern", action="append", choices=list(SCHEMES), help="only these")
    parser.add_argument("--recorded", type=Path, action="append", default=[])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seeds = range(*map(int, options.seeds.split(":")))
    cases = list(product(options.pattern or SCHEMES, GRADES, seeds))
    with ProcessPoolExecutor(options.processes) as pool:
        found = list(pool.map(found_of, cases, chunksize=8))
    print("\n".join(table(found)))
    if not options.pattern:
        print("\n".join(honest(seeds, options.recorded)))


if __name__ == "__main__":
    main()
