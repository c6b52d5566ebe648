"""How well surveillance finds what was planted, and how often it is wrong.

    python -m bench.surveillance                    held-out seeds, as `make surveillance`
    python -m bench.surveillance --seeds 0:10       others; thresholds were tuned on 0 to 103
    python -m bench.surveillance --write DIR        the corpus itself: scripts, and labels.jsonl
    python -m bench.surveillance --reproduce 20     alerts drawn at random, each found again

A case is a few market days of one seed with honest look-alikes, and in all but the honest ones one
pattern committed at one of three strengths. Found is what has its own pattern's alert, `alert` or
`high`, that names an account of who did it. An alert that names no such account is false; one of
another pattern that does is neither, as one act may be more than one pattern.
"""

import argparse
import json
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

import msgspec

from cea_exchange.supervision.corpus.abusers import ABUSERS
from cea_exchange.supervision.corpus.cases import HONEST, STRENGTHS, case_made
from cea_exchange.supervision.reproducer import NotReproduced, reproducer
from cea_exchange.supervision.surveillance import PATTERNS, surveil

HELD_OUT = "104:112"
FULL = max(STRENGTHS)


class Outcome(NamedTuple):
    """What was found in a case: (pattern, grade, whether it names who did it)."""

    pattern: str
    strength: int
    days: int
    alerts: tuple[tuple[str, str, bool], ...]

    def found(self) -> bool:
        """Return whether the planted pattern has its alert."""
        return any(
            name == self.pattern and grade != "watch" and is_planted
            for name, grade, is_planted in self.alerts
        )


def outcome_of(case: tuple[str, int, int]) -> Outcome:
    """Return the outcome of one case, made anew."""
    made = case_made(*case)
    alerts = surveil(made.tape, facts=made.facts)
    who = set(made.accounts)
    return Outcome(
        made.pattern,
        made.strength,
        len({int(date) for date in made.tape.events["trading_date"]} - {0}),
        tuple((a.pattern, a.grade, not who.isdisjoint(a.accounts)) for a in alerts),
    )


def outcomes(seeds: range, processes: int) -> list[Outcome]:
    """Return the outcomes of all cases of some seeds."""
    cases = [*product(ABUSERS, STRENGTHS, seeds), *((HONEST, 1, seed) for seed in seeds)]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(outcome_of, cases, chunksize=4))


def table(found: list[Outcome], seeds: range) -> str:
    """Return the table by pattern and strength, and what was wrong."""
    lines = [
        f"seeds {seeds.start} to {seeds.stop - 1}, {len(found)} cases, "
        f"{sum(outcome.days for outcome in found)} market days",
        "",
        "| pattern | recall, weak | plain | full | true alerts | false | precision |"
        " watched, false |",
        "|---|---|---|---|---|---|---|---|",
    ]
    true, false, watched = Counter(), Counter(), Counter()
    for outcome in found:
        for name, grade, is_planted in outcome.alerts:
            count = watched if grade == "watch" else true if is_planted else false
            count[name] += 0 if grade == "watch" and is_planted else 1
    for name in PATTERNS:
        recall = []
        for strength in STRENGTHS:
            mine = [o for o in found if (o.pattern, o.strength) == (name, strength)]
            recall.append(f"{sum(o.found() for o in mine) / len(mine):.0%}")
        alert_count = true[name] + false[name]
        precision = f"{true[name] / alert_count:.1%}" if alert_count else "-"
        lines.append(
            f"| {name} | {' | '.join(recall)} | {true[name]} | {false[name]} | {precision} |"
            f" {watched[name]} |"
        )
    full = [o for o in found if o.strength == FULL and o.pattern != HONEST]
    honest = [o for o in found if o.pattern == HONEST]
    alarms = sum(grade != "watch" for o in honest for _, grade, _ in o.alerts)
    days = sum(o.days for o in honest)
    alert_count = sum(true.values()) + sum(false.values())
    lines += [
        "",
        f"at full strength {sum(o.found() for o in full)} of {len(full)} found; "
        f"{sum(true.values())} of {alert_count} alerts name who did it; "
        f"{alarms} alerts in {days} honest days",
    ]
    return "\n".join(lines)


def corpus_write(folder: Path, seeds: range) -> int:
    """Write the corpus: a script a case, and who did what."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    with (folder / "labels.jsonl").open("w", encoding="utf-8") as labels:
        for case in [*product(ABUSERS, STRENGTHS, seeds), *((HONEST, 1, s) for s in seeds)]:
            made = case_made(*case)
            name = f"{made.pattern}-{made.strength}-{made.seed}.jsonl"
            text = "\n".join(json.dumps(fields) for fields in made.script)
            (folder / name).write_text(text + "\n", encoding="utf-8")
            label = {
                "script": name,
                "pattern": made.pattern,
                "strength": made.strength,
                "seed": made.seed,
                "accounts": made.accounts,
                "facts": msgspec.to_builtins(made.facts),
            }
            labels.write(json.dumps(label) + "\n")
            count += 1
    return count


def reproduced(count: int, seeds: range) -> tuple[int, list[str]]:
    """Return how many alerts of cases drawn at random were found again, and a line of each."""
    draw = random.Random(seeds.start)
    done, lines = 0, []
    while len(lines) < count:
        case = case_made(draw.choice(list(ABUSERS)), FULL, draw.choice(seeds))
        alerts = [a for a in surveil(case.tape, facts=case.facts) if a.grade != "watch"]
        if not alerts:
            continue
        alert = draw.choice(alerts)
        whole = f"{alert.pattern} of {', '.join(alert.accounts)}, seed {case.seed}"
        try:
            script = reproducer(case.tape, alert, facts=case.facts)
        except NotReproduced:
            lines.append(f"{whole}: not found again")
            continue
        done += 1
        lines.append(f"{whole}: {len(script)} commands of {len(case.script)}")
    return done, lines


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.surveillance", description=__doc__)
    parser.add_argument("--seeds", default=HELD_OUT, help="from:to, the last not included")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", type=Path, help="write the corpus there")
    parser.add_argument("--reproduce", type=int, default=0, help="so many alerts, found again")
    options = parser.parse_args()
    seeds = range(*map(int, options.seeds.split(":")))
    if options.write:
        print(f"{corpus_write(options.write, seeds)} cases in {options.write}")
        return
    if options.reproduce:
        done, lines = reproduced(options.reproduce, seeds)
        print("\n".join(lines))
        print(f"{done} of {options.reproduce} found again")
        return
    print(table(outcomes(seeds, options.processes), seeds))


if __name__ == "__main__":
    main()
