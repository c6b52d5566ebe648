"""What is shipped: a source archive, the wheel built from it, and what a plain install can do."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.page_walk import WALK_S_MAX, prints, steps_of, walk
from support.places import ROOT

pytestmark = pytest.mark.e2e

PACKAGE = ROOT / "src" / "cea_exchange"
EXAMPLES = ROOT / "examples"

SCRIPT = """\
{"cmd": "product", "product": "CEA23", "reference_price": "97.49"}
{"cmd": "account", "account": "alice"}
{"cmd": "account", "account": "bob"}
{"cmd": "deposit", "account": "alice", "cash": "1000000.00"}
{"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": 500}
{"cmd": "clock", "at": "2024-12-31T09:30:00+08:00"}
{"cmd":"enter","id":"a1","account":"alice","product":"CEA23",\
"side":"buy","price":"97.50","tonnes":100}
{"cmd":"enter","id":"b1","account":"bob","product":"CEA23",\
"side":"sell","price":"97.40","tonnes":40}
"""

# The source tree must not be found by accident, by pip least of all.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


USABLE = """
import ensurepip, pathlib, sys, sysconfig, venv
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())
"""


def python_of(minor: int) -> str:
    """Return this machine's interpreter of a version that the package is for.

    Only the test that needs one looks for it: to try them all takes seconds, in each worker.
    """
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    for program in candidates(minor):
        # It may be a shim that knows of no such version, or lack headers or venv.
        if subprocess.run([program, "-c", USABLE], capture_output=True).returncode == 0:
            return program
    pytest.skip(f"no Python 3.{minor} with headers and venv is on this machine")


def candidates(minor: int) -> list[str]:
    """Return where a Python may be: on the path, or one of those that pyenv keeps."""
    named = shutil.which(f"python3.{minor}")
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    return [*filter(None, [named]), *map(str, kept.glob(f"3.{minor}.*/bin/python3.{minor}"))]


WHEEL_BYTES_MAX = 4_100_000
"""Of it Python is 2.2 MB, what is compiled 1.5: a build with debug symbols has thrice as much."""
FIVE_MINUTES_S = 300.0
SEEN = 3
"""Lines that say who leads; then it is killed."""
LEADS = re.compile(r" *(venue-\d) leads epoch \d+; commands in the journal of ")
DEPENDENCIES_MAX = 24
BUILD_S_MAX = 1_500
"""To compile all takes a processor three minutes, when it has nothing else to do."""
IMPORT_US_MAX = 300_000
"""Nothing but the package itself is imported before it is used; of a machine that is busy."""
MINORS = range(11, 15)
AT_NIGHT = [pytest.param(minor, marks=pytest.mark.nightly) for minor in MINORS]


class Shipped(NamedTuple):
    interpreter: str
    wheel: Path


class PlainInstall(NamedTuple):
    """A fresh environment with the wheel in it and nothing of the source tree."""

    python: Path
    command: Path


def run(*command: object, **options: object) -> subprocess.CompletedProcess:
    finished = attempt(*command, **options)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def attempt(*command: object, **options: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
        env=ENVIRONMENT,
        **options,
    )


def finds_the_wheel(shipped: Shipped, programs: Path) -> dict[str, str]:
    """Return variables by which a program's name and `pip install cea-exchange` are found."""
    return {
        "PATH": f"{programs}:{os.defpath}",
        "PIP_FIND_LINKS": str(shipped.wheel.parent),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_QUIET": "1",
    }


def files(*patterns: str) -> list[Path]:
    """The package's files of these names."""
    return [path for pattern in patterns for path in PACKAGE.rglob(pattern)]


@pytest.fixture(scope="module")
def source_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source_archive")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, ROOT)
    (archive,) = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module", params=AT_NIGHT)
def shipped(
    request: pytest.FixtureRequest, source_archive: Path, tmp_path_factory: pytest.TempPathFactory
) -> Shipped:
    """A wheel of the source archive, by every Python there is: nothing an earlier build has left
    gets in. To compile takes minutes, so only at night.
    """
    folder = tmp_path_factory.mktemp("dist")
    wheels = folder / "wheels"
    interpreter = python_of(request.param)
    run(interpreter, "-m", "venv", folder / "venv")
    pip_wheel = ("-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps")
    run(folder / "venv/bin/python", *pip_wheel, "--wheel-dir", wheels, source_archive)
    (wheel,) = wheels.glob("*.whl")
    return Shipped(interpreter, wheel)


@pytest.fixture(scope="module")
def beside_compiled(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What setuptools copies for a wheel beside the compiled modules."""
    library = tmp_path_factory.mktemp("library")
    run(sys.executable, "setup.py", "-q", "build_py", "--build-lib", library, cwd=ROOT)
    return {path.relative_to(library).as_posix() for path in library.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def plain_install(shipped: Shipped, tmp_path_factory: pytest.TempPathFactory) -> PlainInstall:
    folder = tmp_path_factory.mktemp("plain_install")
    run(shipped.interpreter, "-m", "venv", folder)
    install = PlainInstall(folder / "bin" / "python", folder / "bin" / "cea-exchange")
    run(install.python, "-m", "pip", "install", "-q", "--disable-pip-version-check", shipped.wheel)
    place = run(install.python, "-c", "import cea_exchange; print(cea_exchange.__file__)", cwd="/")
    assert str(folder) in place.stdout
    return install


@pytest.mark.nightly
def test_source_archive_has_all_sources_and_nothing_built(source_archive: Path) -> None:
    with tarfile.open(source_archive) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    patterns = ("*.py", "*.pyx", "*.pxd", "*.pyi", "py.typed", "*.toml")
    sources = {path.relative_to(ROOT).as_posix() for path in files(*patterns)}
    assert sources | {"setup.py", "pyproject.toml", "LICENSE", "README.md"} <= names
    assert not [name for name in names if name.endswith((".so", ".c", ".pyc"))]
    for folder in ("protocol", "docs", "examples"):
        kept = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        shipped = {path.relative_to(ROOT).as_posix() for path in kept}
        built = {name for name in shipped if name.endswith((".pyc", ".so", ".c"))}
        assert shipped - built <= names and len(shipped) > 5


def all_that_is_read_check(packed: set[str]) -> None:
    """Tables' SQL, profiles, calendars, rules: every file of the package but what is compiled."""
    compiled = (".pyx", ".c", ".so", ".pyc")
    wanted = {
        path.relative_to(PACKAGE.parent).as_posix()
        for path in files("*")
        if path.is_file() and path.suffix not in compiled
    }
    assert "cea_exchange/registry/schema/10_settlement.sql" in wanted
    # What `explain` reads of the pages.
    assert {f"cea_exchange/screens/{page}.md" for page in ("rules", "glossary")} <= packed
    assert sorted(wanted - packed) == []
    declared = files("*.pxd", "*.pyi", "py.typed")
    wanted = {path.relative_to(PACKAGE.parent).as_posix() for path in declared}
    assert {"cea_exchange/_book.pxd", "cea_exchange/core/market.pyi"} <= wanted <= packed
    assert not [name for name in packed if name.endswith((".pyx", ".c", ".pyc"))]


def test_setuptools_packs_all_that_the_modules_read(beside_compiled: set[str]) -> None:
    all_that_is_read_check(beside_compiled)


def test_a_wheel_has_all_that_the_modules_read(shipped: Shipped) -> None:
    packed = set(zipfile.ZipFile(shipped.wheel).namelist())
    all_that_is_read_check(packed)
    modules = {
        path.relative_to(PACKAGE.parent).with_suffix("").as_posix() for path in files("*.pyx")
    }
    compiled = {name.partition(".")[0] for name in packed if name.endswith(".so")}
    # And what all of them share, which has no source of its own.
    assert compiled == modules | {"cea_exchange/_shared"}


def test_a_wheel_has_no_symbols(shipped: Shipped) -> None:
    wheel = zipfile.ZipFile(shipped.wheel)
    modules = [name for name in wheel.namelist() if name.endswith(".so")]
    assert modules
    for symbols in (b".debug_info", b".symtab"):
        assert not [name for name in modules if symbols in wheel.read(name)], symbols


def installed(install: PlainInstall) -> set[str]:
    """What is there beside pip, and setuptools where venv itself puts it."""
    lines = run(install.python, "-m", "pip", "list", "--format", "json").stdout
    brought = {"setuptools"} if sys.version_info < (3, 12) else set()
    return {each["name"].lower() for each in json.loads(lines)} - brought


@pytest.mark.nightly
def test_installed_wheel_runs_a_script_from_packaged_profile_and_calendar(
    plain_install: PlainInstall,
) -> None:
    command = plain_install.command
    events = [
        json.loads(line) for line in run(command, "run", "-", input=SCRIPT).stdout.splitlines()
    ]
    (trade,) = [event for event in events if event["event"] == "trade"]
    assert (trade["price"], trade["tonnes"], trade["buyer"]) == ("97.50", 40, "alice")
    for profile in ("cea", "open"):
        run(command, "profile", "show", profile)
    # From what the wheel has: the words, and whether all is there.
    for name in ("CASH_INSUFFICIENT", "CEA-LST-02", "resting order", "venue.lag.warn"):
        assert "Source: " in run(command, "explain", name, cwd="/").stdout
    said = json.loads(run(command, "doctor", "--json", cwd="/tmp").stdout)
    assert {each["name"]: each["state"] for each in said}["package"] == "ok"
    assert {name.lower() for name in installed(plain_install)} >= {"cea-exchange", "numpy"}
    assert not {"setuptools", "pbr", "hdrhistogram", "wheel"} & installed(plain_install)
    # Seen from a fixed date: a calendar that has ended is exit status 1.
    for calendar in ("cn_carbon", "every_day"):
        run(command, "calendar", "check", calendar, "--today", "2026-01-05")
    # Imports the module of every command.
    run(command, "--help")


@pytest.mark.nightly
@pytest.mark.parametrize("minor", MINORS)
def test_a_source_archive_installs_in_an_empty_environment(
    minor: int, source_archive: Path, tmp_path: Path
) -> None:
    """`pip install cea_exchange-….tar.gz`, with what pip itself brings for the build."""
    environment = tmp_path / "empty"
    run(python_of(minor), "-m", "venv", environment)
    python, command = environment / "bin/python", environment / "bin/cea-exchange"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", source_archive)
    place = run(python, "-c", "import cea_exchange; print(cea_exchange.__file__)", cwd="/").stdout
    assert str(environment) in place
    played = run(command, "run", "-", input=SCRIPT).stdout
    events = [json.loads(line) for line in played.splitlines()]
    assert [event["tonnes"] for event in events if event["event"] == "trade"] == [40]
    said = json.loads(run(command, "doctor", "--json", cwd="/tmp").stdout)
    assert {each["name"]: each["state"] for each in said}["package"] == "ok"
    assert not {"cython", "setuptools", "wheel"} & installed(PlainInstall(python, command))


@pytest.mark.nightly
def test_examples_run_on_a_plain_install_or_say_which_extra_they_need(
    plain_install: PlainInstall, tmp_path: Path
) -> None:
    for name in ("embed_order_book.py", "embed_market.py", "batch_process.py"):
        run(plain_install.python, EXAMPLES / name, cwd=tmp_path)
    finished = attempt(plain_install.python, EXAMPLES / "event_tables.py", cwd=tmp_path)
    assert finished.returncode == 1
    assert "needs the extra `arrow`: pip install 'cea-exchange[arrow]'" in finished.stderr


@pytest.mark.nightly
def test_an_installation_is_small_and_starts_soon(plain_install: PlainInstall) -> None:
    """What it brings along is what pyproject.toml says and what that needs.

    Tests behind this one add to the same installation.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {canonicalize_name(Requirement(each).name) for each in project["dependencies"]}
    brought = set(map(canonicalize_name, installed(plain_install))) - {"pip", "cea-exchange"}
    assert direct <= brought and len(brought) <= DEPENDENCIES_MAX, brought
    spent = run(plain_install.python, "-X", "importtime", "-c", "import cea_exchange").stderr
    imported_us = int(spent.splitlines()[-1].split("|")[1])
    assert imported_us < IMPORT_US_MAX, imported_us


@pytest.mark.nightly
def test_an_external_project_cimports_the_book_in_a_new_environment(
    shipped: Shipped, tmp_path: Path
) -> None:
    """By the recipe of examples/README.md, line for line."""
    shutil.copytree(EXAMPLES / "cimport_book", tmp_path / "examples" / "cimport_book")
    run(shipped.interpreter, "-m", "venv", tmp_path / "new")
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"```sh\n(cd examples/cimport_book\n.*?)```", text, re.DOTALL)
    finished = subprocess.run(
        ["sh", "-ec", recipe],
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
        cwd=tmp_path,
        env={**ENVIRONMENT, **finds_the_wheel(shipped, tmp_path / "new" / "bin")},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(r"^[\d,]+ commands, [\d,]+ trades, ", finished.stdout, re.MULTILINE)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["embed", "simulate", "operate", "trade", "supervise"])
def test_a_stranger_walks_a_path_from_nothing(shipped: Shipped, name: str, tmp_path: Path) -> None:
    """As the page says, `pip install cea-exchange` too: it finds the wheel before the index."""
    programs = tmp_path / "programs"
    programs.mkdir()
    # No link: a shim of pyenv goes by the name that it is called by.
    python3 = programs / "python3"
    python3.write_text(f'#!/bin/sh\nexec {shipped.interpreter} "$@"\n')
    python3.chmod(0o755)
    environment = {**finds_the_wheel(shipped, programs), "PYTHONPATH": ""}
    steps = steps_of((ROOT / "docs" / "paths" / f"{name}.md").read_text(encoding="utf-8"))
    walked = walk(steps, tmp_path / "walk", environment)
    for step, said in zip(steps, walked.said, strict=True):
        assert step.shown is None or prints(step.shown, said), said
    assert (tmp_path / "walk" / "mine" / "bin" / "cea-exchange").exists()
    print(f"{name}: {walked.seconds:.0f} s, {len(steps)} blocks")
    assert walked.seconds < WALK_S_MAX < 3_600


@pytest.mark.nightly
def test_a_stranger_kills_who_leads_and_it_goes_on(shipped: Shipped, tmp_path: Path) -> None:
    """As contrib/cluster.md says: install, one command, kill who leads by the line it prints."""
    began_s = time.monotonic()
    run(shipped.interpreter, "-m", "venv", tmp_path / "mine")
    pip = (tmp_path / "mine/bin/pip", "install", "-q", "--disable-pip-version-check")
    run(*pip, "--find-links", shipped.wheel.parent, "cea-exchange[cluster]")
    installed_s = time.monotonic()
    command = [tmp_path / "mine/bin/cea-exchange", "cluster", "demo", "--seconds", "60"]
    with (tmp_path / "errors").open("w") as errors, subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=errors, text=True, env=ENVIRONMENT, cwd=tmp_path
    ) as demo:
        said = [(line, time.monotonic()) for line in followed(demo)]
    shown = "".join(line for line, _ in said)
    assert demo.returncode == 0, shown + (tmp_path / "errors").read_text()
    assert re.search(r"- venue-\d was gone; it runs again as \d+", shown), shown
    assert "- nothing lost, all copies are the same: " in shown, shown
    leads = [(match[1], at_s) for line, at_s in said if (match := LEADS.match(line))]
    first, killed_s = leads[SEEN - 1]
    second, again_s = next(each for each in leads if each[0] != first)
    print(
        f"installed in {installed_s - began_s:.0f} s, trades {leads[0][1] - installed_s:.0f} s"
        f" later; {first} killed, {second} is seen to lead {again_s - killed_s:.1f} s later;"
        f" all of it {time.monotonic() - began_s:.0f} s"
    )
    assert time.monotonic() - began_s < FIVE_MINUTES_S


def followed(demo: subprocess.Popen[str]) -> Iterator[str]:
    """Yield what the demo says; once it trades, kill who leads, as its line says."""
    leader, seen = 0, 0
    assert demo.stdout is not None
    for line in demo.stdout:
        if match := re.match(r" *kill -9 (\d+) +# venue-\d +leads", line):
            leader = int(match[1])
        yield line
        seen += LEADS.match(line) is not None
        if leader and seen == SEEN:
            os.kill(leader, signal.SIGKILL)
            leader = 0


def test_a_wheel_is_of_a_size_that_is_known(shipped: Shipped) -> None:
    assert shipped.wheel.stat().st_size < WHEEL_BYTES_MAX


def test_wheels_are_configured_for_every_python_and_machine_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheels = project["tool"]["cibuildwheel"]
    assert wheels["build"] == ["cp311-*", "cp312-*", "cp313-*", "cp314-*"]
    assert project["project"]["requires-python"] == ">=3.11"
    assert set(wheels["linux"]["archs"]) == {"x86_64", "aarch64"}
    assert set(wheels["macos"]["archs"]) == {"x86_64", "arm64"}
    tested = re.findall(r"\{project\}/(\S+)", " ".join(wheels["test-command"]))
    assert tested and all((ROOT / name).is_file() for name in tested)


def test_nothing_shipped_is_compiled_for_one_machine_only() -> None:
    for name in ("setup.py", "pyproject.toml", "examples/cimport_book/setup.py"):
        text = (ROOT / name).read_text(encoding="utf-8")
        code = "\n".join(line.partition("#")[0] for line in text.splitlines())
        assert not re.search(r"-m(arch|tune|cpu|avx|bmi|sse)", code), name
