"""Mutation testing of the compiled core: are its tests good enough to find small mistakes?

    python tests/mutation/run.py                 all of it, as `make mutants` does
    python tests/mutation/run.py --list          what would be done
    python tests/mutation/run.py --only lost_bit one planted mutant, or those of a file or line

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import tempfile
import time
import tomllib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants import CORE, Mutant, mutants_select, planted_read
from workshop import SILENCE_CORE_S, SILENCE_REST_S, Outcome, Workshop, modules_read

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEED = 20250716
STATEMENTS_A_MUTANT = 14
GENERATED_LEAST = 100
KILLED_LEAST_PERCENT = 95
ATTEMPTS = 3

KILLED, SURVIVED, EXPLAINED, SAME_CODE = "killed", "survived", "explained", "same code"


@dataclass
class Result:
    """What became of one mutant."""

    mutant: Mutant
    verdict: str
    killer: str = ""
    why: str = ""
    seconds: float = 0


class Campaign:
    """All mutants against all tests, a few at a time."""

    def __init__(
        self,
        origin: Workshop,
        workshops: list[Workshop],
        explained: dict[tuple, str],
        quick: bool,
        patience: float,
    ) -> None:
        self.origin = origin
        self.explained = explained
        self.workshops: queue.Queue[Workshop] = queue.Queue()
        for workshop in workshops:
            self.workshops.put(workshop)
        self.workers = len(workshops)
        self.quick = quick
        self.silence_core_s = SILENCE_CORE_S * patience
        self.silence_rest_s = SILENCE_REST_S * patience
        self.uncompiled: list[Mutant] = []
        self.done = 0

    def each(self, work, items: list) -> list:
        """Do `work(workshop, item)` for every item, in as many threads as there are workshops."""

        def borrowed(item):
            workshop = self.workshops.get()
            try:
                return work(workshop, item)
            finally:
                workshop.restore(self.origin)
                self.workshops.put(workshop)

        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(borrowed, items))

    def baseline_check(self) -> None:
        """Stop if the tests fail without any mutant: then they can prove nothing."""

        def run(workshop: Workshop, part: str) -> list[str]:
            if part == "core":
                outcome = workshop.tests_run(workshop.tests_core(), self.silence_core_s)
            else:
                outcome = workshop.tests_run(workshop.tests_rest(), self.silence_rest_s)
            print(f"unmutated, {part} tests: {outcome.seconds:.0f} s, exit {outcome.ended}")
            return [] if outcome.passed else outcome.failed or [outcome.killer]

        found = self.each(run, ["core"] if self.quick else ["rest", "core"])
        failed = [name for part in found for name in part]
        if failed:
            raise SystemExit("the unmutated core fails:\n  " + "\n  ".join(failed))

    def run(self, slots: list[list[Mutant]]) -> list[Result]:
        """The core's tests against every mutant, then all others against what is left."""
        results = [result for result in self.each(self.core_try, slots) if result]
        left = [
            result
            for result in results
            if result.verdict == SURVIVED and result.mutant.key not in self.explained
        ]
        if not self.quick and left:
            print(f"{len(left)} survive the core's tests and meet all others")
            self.each(self.rest_try, left)
        return results

    def core_try(self, workshop: Workshop, slot: list[Mutant]) -> Result | None:
        """Build the first of a slot that can be, and run the core's tests."""
        started = time.monotonic()
        for mutant in slot:
            if not workshop.mutate(mutant):
                self.uncompiled.append(mutant)
                workshop.restore(self.origin)
                continue
            result = Result(mutant, SURVIVED)
            outcome = tests_try(workshop, workshop.tests_core(), self.silence_core_s, sure=True)
            if not outcome.passed:
                result.verdict, result.killer = KILLED, outcome.killer
            elif workshop.is_same_code(mutant):
                result.verdict, result.why = SAME_CODE, "the compiler makes the same code of it"
            result.seconds = time.monotonic() - started
            self.tell(result)
            return result
        return None

    def rest_try(self, workshop: Workshop, result: Result) -> None:
        """Run all other tests."""
        started = time.monotonic()
        workshop.mutate(result.mutant)
        outcome = tests_try(workshop, workshop.tests_rest(), self.silence_rest_s, sure=False)
        if not outcome.passed:
            result.verdict, result.killer = KILLED, outcome.killer
        result.seconds += time.monotonic() - started
        self.tell(result)

    def tell(self, result: Result) -> None:
        """One line a mutant."""
        self.done += 1
        mutant = result.mutant
        print(
            f"{self.done:4} {result.verdict:9} {result.seconds:5.1f} s  {mutant.name:32} "
            f"{mutant.operator:10} {result.killer}",
            flush=True,
        )


def tests_try(workshop: Workshop, paths: list[str], silence_s: float, sure: bool) -> Outcome:
    """Run tests to the first failure, which must show itself again where time had a part in it.

    `sure` says that the tests wait for nobody.
    """
    deselected: list[str] = []
    for _ in range(ATTEMPTS):
        outcome = workshop.tests_run(paths, silence_s, "-x", *deselected)
        if outcome.passed or not outcome.failed or (sure and not outcome.was_slow):
            return outcome
        name = outcome.failed[0]
        if not workshop.tests_run([name], silence_s).passed:
            return outcome
        deselected += ["--deselect", name]
    return workshop.tests_run(paths, silence_s, "-x", *deselected)


# -- Report ---------------------------------------------------------------------------------------


def explained_read(path: Path) -> dict[tuple, str]:
    """Read which mutants change nothing, and why: by key."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    explained = {}
    for entry in entries:
        source = f"{CORE}/{entry['file']}"
        key = (source, entry["function"], entry["old"], entry["new"], entry.get("nth", 1))
        explained[key] = entry["why"]
    return explained


def results_explain(results: list[Result], explained: dict[tuple, str]) -> list[str]:
    """Give survivors their reasons; what is wrong with the reasons."""
    wrong = []
    for result in results:
        why = explained.get(result.mutant.key)
        if why and result.verdict == KILLED:
            wrong.append(f"{result.mutant.name} is said to change nothing, but {result.killer}")
        elif why and result.verdict == SURVIVED:
            result.verdict, result.why = EXPLAINED, why
    return wrong


def results_print(results: list[Result], uncompiled: list[Mutant]) -> None:
    """Print who was killed by what, and who was not."""
    print(f"\n{len(uncompiled)} did not compile and are not counted:")
    for mutant in uncompiled:
        print(f"  {mutant.name:20} {mutant.function}: {mutant.old!r} -> {mutant.new!r}")
    files = Counter(
        result.killer.partition("::")[0].partition(" ")[0]
        for result in results
        if result.verdict == KILLED
    )
    print("\nkilled by")
    for name, count in files.most_common():
        print(f"  {count:4}  {name}")
    for how in ("hung", "took all memory"):
        print(f"of them {how}: {sum(r.killer.endswith(f'({how})') for r in results)}")
    print("\nkind of change   killed  of")
    for operator in sorted({result.mutant.operator for result in results}):
        kind = [result for result in results if result.mutant.operator == operator]
        print(f"  {operator:14} {sum(r.verdict == KILLED for r in kind):6} {len(kind):4}")
    for verdict in (SAME_CODE, EXPLAINED, SURVIVED):
        kind = [result for result in results if result.verdict == verdict]
        print(f"\n{len(kind)} {verdict}")
        for result in kind:
            mutant = result.mutant
            nth = f" (number {mutant.nth})" if mutant.nth > 1 else ""
            print(f"  {mutant.name}, {mutant.function or 'planted'}{nth}: {mutant.operator}")
            print(f"    - {mutant.old}\n    + {mutant.new}")
            if result.why or mutant.why:
                print(f"    {result.why or mutant.why}")


def results_judge(results: list[Result], least: int) -> list[str]:
    """What of the aims is not reached."""
    planted = [result for result in results if result.mutant.operator == "planted"]
    generated = [result for result in results if result.mutant.operator != "planted"]
    killed = sum(result.verdict == KILLED for result in generated)
    counted = sum(result.verdict != SAME_CODE for result in generated)
    others = f"{killed} of the {counted} that are other code"
    print(f"\ngenerated: {killed} of {len(generated)} killed, {others}")
    print(f"planted: {sum(r.verdict == KILLED for r in planted)} of {len(planted)} killed")
    wrong = [
        f"planted mutant {result.mutant.name} lives"
        for result in planted
        if result.verdict in (SURVIVED, SAME_CODE)
    ]
    if len(generated) < least:
        wrong.append(f"only {len(generated)} generated mutants compiled, not {least}")
    if killed * 100 < KILLED_LEAST_PERCENT * counted:
        wrong.append(f"less than {KILLED_LEAST_PERCENT}% are killed: {others}")
    return wrong


def results_write(path: Path, seed: int, results: list[Result], uncompiled: list[Mutant]) -> None:
    """Write everything as JSON."""

    def shown(mutant: Mutant) -> dict:
        names = ("name", "path", "function", "nth", "operator", "old", "new")
        return {name: getattr(mutant, name) for name in names}

    document = {
        "seed": seed,
        "verdicts": Counter(result.verdict for result in results),
        "mutants": [
            shown(result.mutant)
            | {
                "verdict": result.verdict,
                "killer": result.killer,
                "why": result.why or result.mutant.why,
                "seconds": f"{result.seconds:.1f}",
            }
            for result in results
        ],
        "uncompiled": [shown(mutant) for mutant in uncompiled],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# -- Command line ---------------------------------------------------------------------------------


def arguments_parse() -> argparse.Namespace:
    """The options; without any, everything is done."""
    parser = argparse.ArgumentParser(description="Mutation testing of the compiled core.")
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree; it is only read")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--every", type=int, default=STATEMENTS_A_MUTANT, help="so many statements have a mutant"
    )
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time")
    parser.add_argument("--only", action="append", help="part of a name or function; repeatable")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--quick", action="store_true", help="the core's own tests only")
    parser.add_argument(
        "--patience", type=float, default=1, help="so many times as long before a test has hung"
    )
    parser.add_argument("--deselect", action="append", default=[], help="leave out this test")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "mutants.json")
    return parser.parse_args()


def slots_choose(options: argparse.Namespace) -> list[list[Mutant]]:
    """Planted mutants, then generated ones; of each slot the first that compiles is tested."""
    slots = [[mutant] for mutant in planted_read(options.root, HERE / "planted.toml")]
    slots += mutants_select(options.root, options.every, options.seed)
    if options.only:
        slots = [
            slot
            for slot in slots
            if any(word in f"{slot[0].name} {slot[0].function}" for word in options.only)
        ]
    return slots


def main() -> int:
    """Run the campaign; 1 if too many mutants live."""
    options = arguments_parse()
    slots = slots_choose(options)
    if options.list:
        for mutant, *_ in slots:
            print(f"{mutant.name:30} {mutant.function}: {mutant.operator}")
            print(f"    - {mutant.old}\n    + {mutant.new}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        place = Path(folder)
        origin = Workshop(place / "origin", modules_read(options.root))
        origin.tree_copy(options.root)
        origin.build_all()
        workshops = [origin.clone(place / str(number)) for number in range(options.workers)]
        for workshop in workshops:
            workshop.deselected = options.deselect
        explained = explained_read(HERE / "equivalent.toml")
        campaign = Campaign(origin, workshops, explained, options.quick, options.patience)
        campaign.baseline_check()
        print(f"{len(slots)} mutants, seed {options.seed}", flush=True)
        results = campaign.run(slots)
    wrong = results_explain(results, explained)
    results_print(results, campaign.uncompiled)
    wrong += results_judge(results, 0 if options.only else GENERATED_LEAST)
    results_write(options.json, options.seed, results, campaign.uncompiled)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
