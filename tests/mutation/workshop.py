"""A private copy of the tree in which mutants are compiled and tested.

Contents: what to build, workshop, tests.

The working tree is never written to. `setup.py` says what is compiled and how; only the optimizer
is off, for a mutant is compiled once and used for seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import re
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from mutants import CORE, Mutant, files_of_core

HERE = Path(__file__).resolve().parent

# The dearest test runs a few seconds; of the others, some start processes and wait for them.
SILENCE_CORE_S = 60
SILENCE_REST_S = 120
MEMORY_MAX = 4 << 30
POLL_S = 0.1
MARK = "CEA_EXCHANGE_MUTANT"

# Those that know the core best, quickest first; what is not there is left out.
TESTS_CORE = (
    "tests/book/test_order_book.py",
    "tests/market/awards/test_award.py",
    "tests/market/blocks/test_block_rules.py",
    "tests/market/blocks/test_block_rejects.py",
    "tests/market/blocks/test_block_wire.py",
    "tests/market/blocks/test_block_public.py",
    "tests/market/biddings/test_bidding_rules.py",
    "tests/market/biddings/test_bidding_rejects.py",
    "tests/market/biddings/test_bidding_wire.py",
    "tests/market/acts/test_notices.py",
    "tests/market/acts/test_listing.py",
    "tests/market/listed/test_ccer.py",
    "tests/book/test_order_book_agrees.py",
    "tests/core/test_compiled_market.py",
    "tests/market/listed/test_self_trade.py",
    "tests/market/listed/test_market_rules.py",
    "tests/market/test_market.py",
    "tests/market/acts/test_operator_acts.py",
    "tests/market/acts/test_trade_bust.py",
    "tests/venue/order_entry/test_reports.py",
    "tests/venue/publication/test_market_data.py",
    "tests/journal/test_event_index.py",
    "tests/scripts/test_golden_scripts.py",
    "tests/scripts/test_script_random.py",
    "tests/scripts/test_script_rejects.py",
    "tests/market/listed/test_closing_prices_and_bands.py",
    "tests/core/test_spoiled_snapshots.py",
    "tests/core/test_core_mutants.py",
    "tests/book/test_order_book_memory.py",
    "tests/market/awards/test_award_agrees.py",
    "tests/market/test_market_agrees.py",
    "tests/replay/test_replay_agrees.py",
    "tests/venue/publication/test_public_books_agree.py",
    "tests/market/awards/test_award_properties.py",
    "tests/market/test_market_properties.py",
)
# They read the sources as text, or build them anew: nothing there is about what the core does.
TESTS_APART = (
    "tests/tidy",
    "tests/docs",
    "tests/packaging/test_wheel.py",
    "tests/packaging/test_stubs.py",
    "tests/journal/test_journal_damage.py",
    "tests/journal/test_journal_killed_writer.py",
    "tests/exchange/test_kill9.py",
    "tests/registry/settlement/test_killed_in_a_commit.py",
    "tests/venue/durability/test_acknowledged_survives.py",
    "tests/venue/durability/test_disk_faults.py",
    "tests/mutation",
)


# -- What to build --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Module:
    """An extension module as setup.py has it."""

    name: str
    source: str
    cython_options: tuple[str, ...]
    compile_options: tuple[str, ...]
    files: frozenset[str]
    """The mutated files it is made of."""


def modules_read(root: Path) -> list[Module]:
    """Run setup.py without building anything, and note what it would build."""
    with (
        contextlib.chdir(root),
        mock.patch("Cython.Build.cythonize") as cythonize,
        mock.patch("setuptools.setup"),
    ):
        runpy.run_path(str(root / "setup.py"), run_name="__main__")
    (extensions, *_), settings = cythonize.call_args
    options = ["-I", "."]
    for name, value in settings["compiler_directives"].items():
        options += ["-X", f"{name}={value}"]
    modules = []
    for extension in extensions:
        source, *_ = extension.sources
        if not source.endswith(".pyx"):
            continue  # what compiled modules share is generated: there is nothing to mutate
        compile_options = [f"-I{path}" for path in extension.include_dirs]
        compile_options += [f"-D{name}={value}" for name, value in extension.define_macros]
        compile_options += [word for word in extension.extra_compile_args if word[:2] != "-O"]
        modules.append(
            Module(
                extension.name,
                source,
                tuple(options),
                tuple(compile_options),
                frozenset(files_of(root, source.removeprefix(f"{CORE}/"))),
            )
        )
    return modules


def files_of(root: Path, name: str) -> set[str]:
    """Return a Cython file and all it is made of, by way of `cimport`."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in found or not (root / CORE / name).exists():
            continue
        found.add(name)
        text = (root / CORE / name).read_text(encoding="utf-8")
        imported = re.findall(r"^(?:from|cimport) cea_exchange\.([\w.]+)", text, re.MULTILINE)
        waiting += [f"{module.replace('.', '/')}.pxd" for module in imported]
        waiting.append(name.replace(".pyx", ".pxd"))
    return found


# -- Workshop -------------------------------------------------------------------------------------


class Workshop:
    """One copy of the tree, for one mutant at a time."""

    def __init__(self, place: Path, modules: list[Module]) -> None:
        self.root = place / "tree"
        self.temporary = place / "tmp"
        self.modules = modules
        self.hashes: dict[str, str] = {}
        self.c_hashes: dict[str, str] = {}
        self.deselected: list[str] = []
        self.environment: dict[str, str] = {}
        """What test processes have in their environment besides."""

    def tree_copy(self, root: Path) -> None:
        """Copy what git knows of, or would: neither what is built nor what is ignored."""
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-co", "--exclude-standard", "-z"],
            check=True,
            capture_output=True,
            text=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (root / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, self.root / name)

    def clone(self, place: Path) -> Workshop:
        """Return another workshop, with all that is built in this one."""
        other = Workshop(place, self.modules)
        shutil.copytree(self.root, other.root)
        other.hashes = dict(self.hashes)
        other.c_hashes = dict(self.c_hashes)
        return other

    def library(self, module: Module) -> Path:
        """Where a compiled module goes."""
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        return self.root / "src" / (module.name.replace(".", "/") + suffix)

    def build(self, modules: list[Module], optimized: bool = False) -> str:
        """Compile modules; what the compiler said if they could not be, else nothing.

        Paths are the same in every workshop, so that equal code makes equal files. Where the C code
        is that of the original, its library is there already.
        """
        sources = [module.source.removeprefix("src/") for module in modules]
        options = modules[0].cython_options
        command = [sys.executable, "-m", "cython", *options, *sources]
        done = subprocess.run(command, cwd=self.root / "src", capture_output=True, text=True)
        if done.returncode != 0:
            return done.stdout + done.stderr
        for module in modules:
            c_code = (self.root / module.source).with_suffix(".c").read_text(encoding="utf-8")
            c_hash = hash_of(re.sub(r"/\*.*?\*/", "", c_code, flags=re.DOTALL).encode())
            if self.c_hashes.setdefault(module.name, c_hash) == c_hash and not optimized:
                if self.library(module).exists():
                    continue
            done = subprocess.run(
                self.link_command(module, optimized), cwd=self.root, capture_output=True, text=True
            )
            if done.returncode != 0:
                return done.stdout + done.stderr
        return ""

    def link_command(self, module: Module, optimized: bool) -> list[str]:
        """Return what makes a library of a module's C code."""
        library = self.library(module)
        library.unlink(missing_ok=True)
        command = shlex.split(sysconfig.get_config_var("LDSHARED"))
        command += shlex.split(sysconfig.get_config_var("CCSHARED") or "")
        command += ["-fwrapv", "-DNDEBUG", *module.compile_options, "-g0", "-w"]
        command += ["-O1" if optimized else "-O0", f"-I{sysconfig.get_paths()['include']}"]
        return [*command, module.source.replace(".pyx", ".c"), "-o", str(library)]

    def build_all(self) -> None:
        """Build what is not mutated; RuntimeError if it can't be."""
        for optimized in (True, False):
            error = self.build(self.modules, optimized)
            if error:
                raise RuntimeError(f"the core can't be compiled:\n{error}")
            if optimized:
                for module in self.modules:
                    self.hashes[module.name] = hash_of(self.library(module).read_bytes())
                    self.library(module).unlink()

    def mutate(self, mutant: Mutant) -> bool:
        """Apply a mutant and build; False if it is no program."""
        (self.root / mutant.path).write_text(mutant.text, encoding="utf-8")
        return not self.build(self.modules_of(mutant))

    def is_same_code(self, mutant: Mutant) -> bool:
        """Whether the optimizer makes of an applied mutant what it makes of the original."""
        modules = self.modules_of(mutant)
        self.build(modules, optimized=True)
        return all(
            hash_of(self.library(module).read_bytes()) == self.hashes[module.name]
            for module in modules
        )

    def modules_of(self, mutant: Mutant) -> list[Module]:
        """Return the modules its file is part of."""
        place = mutant.path.removeprefix(f"{CORE}/")
        return [module for module in self.modules if place in module.files]

    def restore(self, origin: Workshop) -> None:
        """Make everything as it was, from a workshop that is never mutated."""
        for name in files_of_core(origin.root):
            shutil.copyfile(origin.root / CORE / name, self.root / CORE / name)
        for module in self.modules:
            # Not over the old one: a process that is about to end may still have it mapped.
            self.library(module).unlink(missing_ok=True)
            shutil.copyfile(origin.library(module), self.library(module))
        shutil.rmtree(self.temporary, ignore_errors=True)
        shutil.rmtree(self.root / ".hypothesis", ignore_errors=True)

    def tests_core(self) -> list[str]:
        """Return the tests that are run first."""
        return [path for path in TESTS_CORE if (self.root / path).exists()]

    def tests_rest(self) -> list[str]:
        """Return all other tests of `make test` that run the core, those with processes last."""
        paths = sorted(
            path.relative_to(self.root).as_posix() for path in self.root.glob("tests/**/test_*.py")
        )
        rest = [path for path in paths if not path.startswith(TESTS_CORE + TESTS_APART)]
        return sorted(rest, key=self._has_processes)

    def _has_processes(self, path: str) -> bool:
        return "pytest.mark.e2e" in (self.root / path).read_text(encoding="utf-8")

    def tests_run(
        self,
        paths: list[str],
        silence_s: float,
        *more: str,
        runner: tuple[str, ...] = ("-m", "pytest"),
        limit_s: float = math.inf,
    ) -> Outcome:
        """Run tests in a process of their own, and end it if it hangs or takes too much."""
        self.temporary.mkdir(parents=True, exist_ok=True)
        log = self.temporary.parent / "pytest.log"
        command = [sys.executable, *runner, "-v", "--tb=no", "-p", "no:cacheprovider"]
        command += ["-m", "not nightly"]
        command += ["-p", "unshrunk"]
        command += [word for name in self.deselected for word in ("--deselect", name)]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (self.root / "src", HERE))),
            "TMPDIR": str(self.temporary),
            # As many examples as the mutants were tried with.
            "CEA_TEST_ROUNDS": "2",
            MARK: str(self.root),
            **self.environment,
        }
        started = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *more, *paths],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            ended = process_await(process, log, silence_s, limit_s)
        strays_end(str(self.root))
        output_text = log.read_text(encoding="utf-8", errors="replace")
        return Outcome(ended, output_text, time.monotonic() - started)


def hash_of(code: bytes) -> str:
    """Identify what was compiled."""
    return hashlib.sha256(code).hexdigest()


# -- Tests ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How a run of tests ended."""

    ended: int | str
    """Its exit code, or why it was ended."""
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return self.ended == 0

    @property
    def failed(self) -> list[str]:
        """The tests that failed."""
        return re.findall(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", self.output, re.MULTILINE)

    @property
    def was_slow(self) -> bool:
        """Whether a busy machine alone may have made a test fail."""
        slow = r"^FAILED .*(FailedHealthCheck|DeadlineExceeded|TimeoutExpired|TimeoutError)"
        return re.search(slow, self.output, re.MULTILINE) is not None

    @property
    def killer(self) -> str:
        """The test that found the mutant, and how if it did not simply fail."""
        if self.failed and self.ended in (1, 2):
            return self.failed[0]
        line = r"^(tests/\S+?::.+?)(?: (?:PASSED|SKIPPED|XFAIL|Fatal Python error)\b.*)?$"
        begun = re.findall(line, self.output, re.MULTILINE)
        how = self.ended
        if isinstance(how, int):
            how = signal.Signals(-how).name if how < 0 else f"exit {how}"
        return f"{begun[-1].strip() if begun else 'before the first test'} ({how})"


def process_await(
    process: subprocess.Popen, log: Path, silence_s: float, limit_s: float
) -> int | str:
    """Wait for a test process; its exit code, or why it was ended."""
    size, since = 0, time.monotonic()
    started = since
    while process.poll() is None:
        time.sleep(POLL_S)
        if log.stat().st_size != size:
            size, since = log.stat().st_size, time.monotonic()
        why = ""
        if time.monotonic() - since > silence_s:
            why = "hung"
        elif time.monotonic() - started > limit_s:
            why = "took too long"
        elif memory_of(process.pid) > MEMORY_MAX:
            why = "took all memory"
        if why:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return why
    return process.returncode


def memory_of(pid: int) -> int:
    """Bytes a process has in memory; 0 where that can't be read."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def strays_end(mark: str) -> None:
    """End what a test process left behind: only processes that bear this workshop's mark."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
