"""Every example runs, and what it says it checked holds."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.places import ROOT

pytestmark = pytest.mark.e2e

EXAMPLES = ROOT / "examples"
SECONDS_MAX = 60

# What each prints; the numbers are its own.
PRINTED = {
    "batch_process.py": r"TRADE +[\d,]+\n.*most was traded at \d+: .*commands a second",
    "clear_auction.py": r"south power +73\.80 .*won +280000 t.*clearing price 73\.80, 1000000 t",
    "compliance_year.py": r"^certificate 2024-000001\n.*surrendered=1000.*'in time'",
    "embed_market.py": r"Trade\(.*price='97\.50', tonnes=40.*CASH_INSUFFICIENT.*alice: ",
    "embed_order_book.py": r"^100,000 orders, [\d,]+ trades.*bids: \d+ t @ .*orders a second",
    "firm_files_a_month.py": (
        r"Q 246477\.00 tCO2\n.*january\.csv:2: value: A\.bituminous: expected 0 t or more"
        r".*filed 246477\.00 t, due 20240311"
    ),
    "follow_book.py": (
        r"trade 40 t at 97\.50\n.*CEA24 as of event \d+\n.*sell +97\.50 +60 t: 20 t .*buy "
    ),
    "province_verifies.py": (
        r"unlikely E1-1 .*chen \{'filed': 12\}\nsun \{'accepted': 12\}\n.*verified 2957724\n"
        r".*expected another person than Sun Yu.*given 2847600 .* 2 items"
    ),
    "see_a_day.py": r"^\d+ trades, \d+ t for \d+\.\d\d yuan\nplot depth\.png\nplot day\.png",
    "event_tables.py": r"^who took most: .*ORDER_REJECTED, ORDER_UNKNOWN: ",
}


# What each prints without arguments: how it is used. A receipt is checked by
# tests/registry/reconciliation/test_chain.py; the firms play in tests/year/test_year.py; the server
# is loaded in tests/loadtest/test_targets.py.
USAGE_PRINTED = {
    "frugal_firms.py": "    cea-exchange year 2024 --entities 50 --out /tmp/frugal --firms",
    "load_toy.py": '        --serve "python load_toy.py 9000" --port 9000',
    "receipt_check.py": "    python receipt_check.py receipt.json HEAD\n",
}


def run(command: list[object], folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_every_example_is_run_here_and_listed_in_the_readme() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(PRINTED) | set(USAGE_PRINTED)
    folders = {f"{path.parent.name}/" for path in EXAMPLES.glob("*/pyproject.toml")}
    assert folders == {"cimport_book/"}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| \[([\w./]+)\]", readme, re.MULTILINE))
    assert listed == set(PRINTED) | set(USAGE_PRINTED) | folders


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_example_runs_and_checks_its_result(name: str, tmp_path: Path) -> None:
    if name == "event_tables.py":
        pytest.importorskip("pyarrow", reason="the extra `arrow` is not installed")
    finished = run([sys.executable, EXAMPLES / name], tmp_path)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(PRINTED[name], finished.stdout, re.DOTALL), finished.stdout


@pytest.mark.parametrize(
    ("name", "arguments"),
    [*((name, ()) for name in sorted(USAGE_PRINTED)), ("load_toy.py", ("port",))],
)
def test_example_that_needs_arguments_prints_how_it_is_used(
    name: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    finished = run([sys.executable, EXAMPLES / name, *arguments], tmp_path)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert USAGE_PRINTED[name] in finished.stderr
    assert "Traceback" not in finished.stderr


def test_example_that_lacks_its_extra_says_so_at_once(tmp_path: Path) -> None:
    # A module of that name which is none: as if it were not installed.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pyarrow'] = None\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import sitecustomize, runpy;"
    code += f" sys.path.insert(0, {str(EXAMPLES)!r});"
    code += f" runpy.run_path({str(EXAMPLES / 'event_tables.py')!r}, run_name='__main__')"
    finished = run([sys.executable, "-c", code], tmp_path)
    assert finished.returncode == 1
    assert finished.stderr == (
        "event_tables.py needs the extra `arrow`: pip install 'cea-exchange[arrow]'\n"
    )
    assert finished.stdout == ""


def test_the_recipe_installs_the_versions_that_the_build_needs() -> None:
    """Without build isolation pip doesn't look at them: an older setuptools of the venv stays."""
    recipe = (EXAMPLES / "README.md").read_text(encoding="utf-8").partition("cd examples/cimport")
    _, _, tools = recipe[2].partition("pip install ")
    installed = set(shlex.split(tools.splitlines()[0]))
    project = (EXAMPLES / "cimport_book" / "pyproject.toml").read_text(encoding="utf-8")
    assert installed == set(tomllib.loads(project)["build-system"]["requires"])


@pytest.mark.nightly
def test_a_module_that_cimports_the_book_builds_and_drives_it(tmp_path: Path) -> None:
    assert find_spec("Cython"), "the test extra brings Cython"
    folder = tmp_path / "cimport_book"
    shutil.copytree(
        EXAMPLES / "cimport_book", folder, ignore=shutil.ignore_patterns("build", "*.c", "*.so")
    )
    built = run([sys.executable, "setup.py", "-q", "build_ext", "--inplace"], folder)
    assert built.returncode == 0, built.stdout + built.stderr
    finished = run([sys.executable, "-c", "import market_maker; market_maker.main()"], folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert re.search(
        r"^[\d,]+ commands, [\d,]+ trades.*commands a second", finished.stdout, re.DOTALL
    )
    # The book it gives back is the one Python knows, in the state the events tell of.
    code = (
        "import market_maker; book, tally = market_maker.run(1_000, 7); book.check();"
        " print(type(book).__module__, tally['commands'], len(book) > 0, tally['trades'] > 0,"
        " market_maker.run(1_000, 7)[1] == tally)"
    )
    finished = run([sys.executable, "-c", code], folder)
    assert finished.stdout.split()[0] == "cea_exchange._book", finished.stderr
    assert finished.stdout.split()[2:] == ["True"] * 3
