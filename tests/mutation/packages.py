"""Mutation testing of the pure-Python packages: which small mistakes do their tests notice?

    python tests/mutation/packages.py                      40 mutants of each package
    python tests/mutation/packages.py ccer year --count 60 --seed 7
    python tests/mutation/packages.py platform --only allocations.py:300
    python tests/mutation/packages.py platform --list      what would be done

See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from chosen import CHOSEN
from covering import FOLDERS, MARKS, Covering, covering_of
from mutants import CORE
from python_mutants import PythonMutant, Sample, sample_draw
from run import EXPLAINED, KILLED, SURVIVED, Result, explained_read, results_explain
from workshop import Outcome, Workshop

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEED = 20261204
COUNT = 40
KILLED_LEAST_PERCENT = 85
BUDGET_S = 120
"""Seconds of tests, as they took without a mutant, that are run against one mutant at most."""
SILENCE_S = 60
LIMIT_FACTOR = 4
LIMIT_LEAST_S = 60
NO_TEST_CHOSEN = 5
"""pytest's exit code where nothing was collected."""


@dataclass
class PackageResult:
    """What became of a package's sample."""

    package: str
    sample: Sample
    results: list[Result] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Tests that fail without a mutant."""

    def count(self, verdict: str) -> int:
        """Return how many mutants have a verdict."""
        return sum(result.verdict == verdict for result in self.results)


class Campaign:
    """The mutants of one package against the tests that run their lines."""

    def __init__(self, workshop: Workshop, covering: Covering, patience: float) -> None:
        self._workshop = workshop
        self._covering = covering
        self._patience = patience
        self._chosen = workshop.temporary.parent / "chosen.txt"
        workshop.environment = {CHOSEN: str(self._chosen)}

    def run(self, sample: Sample) -> list[Result]:
        """Try all mutants, one after the other."""
        results = []
        for number, mutant in enumerate(sample.mutants, 1):
            started = time.monotonic()
            result = self._try(mutant)
            result.seconds = time.monotonic() - started
            results.append(result)
            print(
                f"{number:4} {result.verdict:9} {result.seconds:5.1f} s  {mutant.name:45} "
                f"{mutant.operator:10} {result.killer or result.why}",
                flush=True,
            )
        return results

    def _try(self, mutant: PythonMutant) -> Result:
        """Run the tests of a mutant's statement, then those of its module."""
        near = self._covering.tests_of(mutant)
        beside = self._covering.tests_beside(mutant) - near
        path = self._workshop.root / mutant.path
        original = path.read_text(encoding="utf-8")
        module_write(path, mutant.text)
        try:
            for tests in (near, beside):
                outcome = self._run(self._covering.in_order(tests, BUDGET_S))
                if outcome is not None and not outcome.passed:
                    return Result(mutant, KILLED, outcome.killer)
        finally:
            module_write(path, original)
            for left in (self._workshop.temporary, self._workshop.root / ".hypothesis"):
                shutil.rmtree(left, ignore_errors=True)
        return Result(mutant, SURVIVED, why="" if near else "no test runs this line")

    def _run(self, tests: list[str]) -> Outcome | None:
        """Run tests to the first failure; where processes had a part in it, it must come again."""
        left = list(tests)
        outcome = None
        while left:
            outcome = self._run_once(left)
            if outcome.passed or not outcome.failed or not self._has_processes(outcome.failed[0]):
                return outcome
            name = outcome.failed[0]
            if not self._run_once([name]).passed:
                return outcome
            left.remove(name)
        return outcome

    def _run_once(self, tests: list[str]) -> Outcome:
        """Run tests, with a limit by what they take without a mutant."""
        self._chosen.write_text("\n".join(tests), encoding="utf-8")
        took_s = sum(self._covering.seconds[name] for name in tests)
        outcome = self._workshop.tests_run(
            list(dict.fromkeys(name.partition("::")[0] for name in tests)),
            SILENCE_S * self._patience,
            *("-x", "-m", MARKS, "-p", "chosen"),
            limit_s=(LIMIT_LEAST_S + LIMIT_FACTOR * took_s) * self._patience,
        )
        if outcome.ended == NO_TEST_CHOSEN:
            raise RuntimeError(f"none of {len(tests)} tests was collected:\n{outcome.output}")
        return outcome

    def _has_processes(self, test: str) -> bool:
        text = (self._workshop.root / test.partition("::")[0]).read_text(encoding="utf-8")
        return "pytest.mark.e2e" in text


def module_write(path: Path, text: str) -> None:
    """Write a module; what was compiled of another text in the same second must not be taken."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


# -- Report ---------------------------------------------------------------------------------------


def survivors_print(each: PackageResult) -> None:
    """Print what no test noticed."""
    for verdict in (EXPLAINED, SURVIVED):
        kind = [result for result in each.results if result.verdict == verdict]
        print(f"\n{each.package}: {len(kind)} {verdict}")
        for result in kind:
            mutant = result.mutant
            nth = f" (number {mutant.nth})" if mutant.nth > 1 else ""
            print(f"  {mutant.name}, {mutant.function}{nth}: {mutant.operator}")
            print(f"    - {mutant.old}\n    + {mutant.new}")
            if result.why:
                print(f"    {result.why}")
    if each.left_out:
        print(f"{each.package}: left out, as they fail without a mutant: {each.left_out}")


def table_print(done: list[PackageResult]) -> None:
    """Print a line for each package."""
    head = "package         candidates  generated  killed  explained  survived  killed %"
    print(f"\n{head}  log calls  same code")
    for each in done:
        count = len(each.results)
        print(
            f"{each.package:14} {each.sample.candidates:11} {count:10} {each.count(KILLED):7} "
            f"{each.count(EXPLAINED):10} {each.count(SURVIVED):9} "
            f"{100 * each.count(KILLED) / max(count, 1):9.1f} "
            f"{each.sample.log_calls:10} {each.sample.same_code:10}"
        )


def results_write(path: Path, seed: int, done: list[PackageResult]) -> None:
    """Write everything as JSON."""
    names = ("name", "path", "function", "nth", "operator", "old", "new")
    document = {
        "seed": seed,
        "packages": {
            each.package: {
                "candidates": each.sample.candidates,
                "generated": len(each.results),
                "killed": each.count(KILLED),
                "explained": each.count(EXPLAINED),
                "survived": each.count(SURVIVED),
                "left_out": {
                    "log_calls": each.sample.log_calls,
                    "same_code": each.sample.same_code,
                    "tests_failing_without_a_mutant": each.left_out,
                },
                "mutants": [
                    {name: getattr(result.mutant, name) for name in names}
                    | {
                        "verdict": result.verdict,
                        "killer": result.killer,
                        "why": result.why,
                        "seconds": round(result.seconds, 1),
                    }
                    for result in each.results
                ],
            }
            for each in done
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# -- Command line ---------------------------------------------------------------------------------


def arguments_parse() -> argparse.Namespace:
    """Read the options."""
    parser = argparse.ArgumentParser(description="Mutation testing of the pure-Python packages.")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=", ".join(FOLDERS))
    parser.add_argument("--root", type=Path, default=ROOT, help="the tree; it is only read")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT, help="mutants of each package")
    parser.add_argument("--only", action="append", help="part of a place or function; repeatable")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    parser.add_argument("--patience", type=float, default=1, help="multiply limits of time by this")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "mutants-packages.json")
    options = parser.parse_args()
    unknown = set(options.packages) - set(FOLDERS)
    if unknown:
        parser.error(f"package: expected {', '.join(FOLDERS)}; got {', '.join(sorted(unknown))}")
    options.packages = options.packages or list(FOLDERS)
    return options


def sample_of(options: argparse.Namespace, package: str) -> Sample:
    """Draw a package's mutants, and keep those that were asked for."""
    sample = sample_draw(options.root, package, options.count, options.seed)
    if options.only:
        sample.mutants[:] = [
            mutant
            for mutant in sample.mutants
            if any(word in f"{mutant.name} {mutant.function}" for word in options.only)
        ]
    return sample


def package_try(options: argparse.Namespace, workshop: Workshop, package: str) -> PackageResult:
    """Draw and try the mutants of a package."""
    done = PackageResult(package, sample_of(options, package))
    started = time.monotonic()
    covering = covering_of(workshop, options.root, package, ROOT / "build")
    print(
        f"{package}: {len(done.sample.mutants)} of {done.sample.candidates} mutants, "
        f"seed {options.seed}; {len(covering.seconds)} tests take "
        f"{sum(covering.seconds.values()):.0f} s ({time.monotonic() - started:.0f} s to collect)",
        flush=True,
    )
    done.left_out = covering.failed
    done.results = Campaign(workshop, covering, options.patience).run(done.sample)
    explained = explained_read(HERE / "equivalent_python.toml")
    done.wrong = results_explain(done.results, explained)
    survivors_print(done)
    return done


def main() -> int:
    """Run the campaign; 1 if too many mutants live."""
    options = arguments_parse()
    if options.list:
        for package in options.packages:
            for mutant in sample_of(options, package).mutants:
                print(f"{mutant.name:45} {mutant.function}: {mutant.operator}")
                print(f"    - {mutant.old}\n    + {mutant.new}")
        return 0
    done: list[PackageResult] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        workshop = Workshop(Path(folder), [])
        workshop.tree_copy(options.root)
        for library in (options.root / CORE).rglob("*.so"):
            shutil.copyfile(library, workshop.root / library.relative_to(options.root))
        for package in options.packages:
            done.append(package_try(options, workshop, package))
            results_write(options.json, options.seed, done)
    table_print(done)
    wrong = [line for each in done for line in each.wrong]
    if not options.only:
        wrong += [
            f"{each.package}: less than {KILLED_LEAST_PERCENT}% are killed"
            for each in done
            if each.count(KILLED) * 100 < KILLED_LEAST_PERCENT * len(each.results)
        ]
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
