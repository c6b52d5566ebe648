"""Which tests run which lines of a package: measured once, and kept.

Contents: folders of tests, collecting, choosing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contexts import CONTEXT, TIMES
from mutants import CORE
from python_mutants import PythonMutant
from workshop import HERE, Workshop

FOLDERS = {
    "platform": ("tests/platform", "tests/registry/platform_link"),
    "ccer": ("tests/ccer", "tests/registry/ccer_link"),
    "registry": ("tests/registry", "tests/exchange", "tests/bank"),
    "supervision": ("tests/supervision", "tests/cli/test_surveil.py"),
    "institution": ("tests/institution", "tests/platform", "tests/ccer", "tests/registry"),
    "control_plane": (
        "tests/control_plane",
        "tests/venue/order_entry",
        "tests/registry/control",
        "tests/security",
    ),
    "year": ("tests/year",),
}
"""The packages that mutants are made of, and the tests that know each best, of which those that
need PostgreSQL, kill processes for minutes or run at night are left out."""
MARKS = "not (nightly or database or crash or attack)"
SILENCE_S = 180
SETTINGS = """\
[run]
source = {source}
patch = subprocess
parallel = true
context = ${{{context}-}}
data_file = {data}
"""


@dataclass(frozen=True)
class Covering:
    """What was collected of a package: by path and line, the contexts that run it."""

    lines: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]
    """How long each test takes."""
    failed: list[str]
    """Tests that fail without any mutant; they are left out."""

    def tests_of(self, mutant: PythonMutant) -> set[str]:
        """Return the tests that run a mutant's statement.

        What runs at import is run by all tests of the module, for it is run for the first only.
        """
        first, last = mutant.lines
        by_line = self.lines.get(mutant.path, {})
        if first:
            contexts = [by_line.get(line, set()) for line in range(first, last + 1)]
        else:
            contexts = list(by_line.values())
        return self._tests_in(set().union(*contexts))

    def tests_beside(self, mutant: PythonMutant) -> set[str]:
        """Return the tests that run any line of the mutant's module."""
        return self._tests_in(set().union(*self.lines.get(mutant.path, {}).values()))

    def _tests_in(self, contexts: set[str]) -> set[str]:
        """Return the tests of contexts; a folder, module or class stands for all tests in it."""
        wide = tuple(context for context in contexts if context and context not in self.seconds)
        narrow = contexts & self.seconds.keys()
        if wide:
            narrow |= {name for name in self.seconds if name.startswith(wide)}
        return narrow.difference(self.failed)

    def in_order(self, tests: Iterable[str], budget_s: float) -> list[str]:
        """Return tests by module, quick modules first, as many as take the budget together."""
        modules: dict[str, list[str]] = {}
        for name in tests:
            modules.setdefault(name.partition("::")[0], []).append(name)
        took = {path: sum(self.seconds[name] for name in modules[path]) for path in modules}
        chosen: list[str] = []
        total_s = 0.0
        for path in sorted(modules, key=lambda path: (took[path], path)):
            total_s += took[path]
            if total_s > budget_s and chosen:
                break
            chosen += modules[path]
        return chosen


# -- Collecting -----------------------------------------------------------------------------------


def covering_of(workshop: Workshop, root: Path, package: str, kept: Path) -> Covering:
    """Return what is kept of a package, or collect and keep it if sources or tests have changed."""
    version = tree_hash(root, package)
    path = kept / f"mutants-{package}-lines.json"
    if path.exists():
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["version"] == version:
            return covering_read(document)
    document = {"version": version, **collected(workshop, package)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
    return covering_read(document)


def covering_read(document: dict) -> Covering:
    """Read what was kept; contexts are numbered in it."""
    names = document["contexts"]
    lines = {
        path: {int(line): {names[each] for each in numbers} for line, numbers in by_line.items()}
        for path, by_line in document["lines"].items()
    }
    return Covering(lines, document["seconds"], document["failed"])


def collected(workshop: Workshop, package: str) -> dict:
    """Run the package's tests without any mutant, and return which lines each of them runs."""
    place = workshop.temporary.parent / "collected"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    settings = place / "settings"
    source = workshop.root / CORE / package
    text = SETTINGS.format(source=source, context=CONTEXT, data=place / "lines")
    settings.write_text(text, encoding="utf-8")
    times = place / "times.json"
    workshop.environment = {CONTEXT: "", TIMES: str(times)}
    outcome = workshop.tests_run(
        tests_in(workshop, package),
        SILENCE_S,
        "-m",
        MARKS,
        "-p",
        "contexts",
        runner=("-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest"),
    )
    workshop.environment = {}
    if outcome.ended not in (0, 1):
        raise SystemExit(
            f"{package}: the tests end with {outcome.ended}:\n{outcome.output[-2000:]}"
        )
    measured = json.loads(times.read_text(encoding="utf-8"))
    return lines_read(workshop, place) | measured


def lines_read(workshop: Workshop, place: Path) -> dict:
    """Read what all processes have measured."""
    import coverage

    numbers: dict[str, int] = {}
    lines: dict[str, dict[int, set[int]]] = {}
    for path in sorted(place.glob("lines*")):
        data = coverage.CoverageData(str(path))
        data.read()
        for file in data.measured_files():
            name = Path(file).resolve().relative_to(workshop.root.resolve()).as_posix()
            by_line = lines.setdefault(name, {})
            for line, contexts in data.contexts_by_lineno(file).items():
                found = {numbers.setdefault(each, len(numbers)) for each in contexts if each}
                by_line.setdefault(line, set()).update(found)
    return {
        "contexts": list(numbers),
        "lines": {
            name: {line: sorted(found) for line, found in by_line.items()}
            for name, by_line in lines.items()
        },
    }


def tests_in(workshop: Workshop, package: str) -> list[str]:
    """Return the places of a package's tests that exist."""
    return [name for name in FOLDERS[package] if (workshop.root / name).exists()]


def tree_hash(root: Path, package: str) -> str:
    """Identify the sources and the tests that a collection depends on."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z", "src", "tests"],
        check=True,
        capture_output=True,
        text=True,
    )
    ours = (*FOLDERS[package], "tests/support", "tests/conftest.py", "src")
    digest = hashlib.sha256(MARKS.encode())
    for name in sorted(filter(None, listed.stdout.split("\0"))):
        if name.startswith(ours) and (root / name).is_file():
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256((root / name).read_bytes()).digest())
    for path in (HERE / "contexts.py", HERE / "covering.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()
