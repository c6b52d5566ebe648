"""The stubs say what the compiled modules are, and a user's program type-checks against them."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.places import ROOT
from support.type_checker import type_check

SOURCE = ROOT / "src"
ALLOWED = Path(__file__).with_name("stubtest_allowlist.txt")
PACKAGE = SOURCE / "cea_exchange"
FOR_PYTHON = re.compile(r"^(?:def|class|cpdef|cdef class) ", re.MULTILINE)
# Those that need no library beside the package.
PLAIN_EXAMPLES = ("batch_process.py", "embed_market.py", "embed_order_book.py")


def run(folder: Path, *command: object) -> subprocess.CompletedProcess:
    """Run a module of Python on this source tree; its caches go to the folder."""
    return subprocess.run(
        [sys.executable, "-m", *(str(part) for part in command)],
        capture_output=True,
        text=True,
        timeout=200,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "MYPYPATH": str(SOURCE)},
    )


def parameters(definition: ast.FunctionDef) -> list[tuple[str, str | None]]:
    """Return (name, default) of each parameter after the first, `*` in its place."""
    given = definition.args
    defaults = [None] * (len(given.args) - len(given.defaults)) + [*given.defaults]
    pairs = list(zip(given.args, defaults, strict=True))[1:]
    found = [(name.arg, default and ast.unparse(default)) for name, default in pairs]
    found += [("*", None)] if given.kwonlyargs else []
    for name, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        found.append((name.arg, default and ast.unparse(default)))
    return found


def compiled_modules() -> list[str]:
    """Return the names of the compiled modules from which Python takes something."""
    return [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in sorted(PACKAGE.rglob("*.pyx"))
        if FOR_PYTHON.search(path.read_text(encoding="utf-8"))
    ]


def test_what_python_takes_from_has_a_stub_and_the_rest_none() -> None:
    modules = compiled_modules()
    assert "cea_exchange.core.market" in modules
    stubs = {path.relative_to(SOURCE).with_suffix("") for path in PACKAGE.rglob("*.pyi")}
    assert {".".join(stub.parts) for stub in stubs} == set(modules)


@pytest.mark.nightly
def test_stubs_are_what_the_compiled_modules_are(tmp_path: Path) -> None:
    modules = compiled_modules()
    finished = run(tmp_path, "mypy.stubtest", *modules, "--allowlist", ALLOWED)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"no issues found in {len(modules)} modules" in finished.stdout


@pytest.mark.parametrize(
    ("module", "required"), [("_book", {"order_count_max"}), ("core/market", {})]
)
def test_stubs_make_objects_as_the_modules_do(module: str, required: set[str]) -> None:
    """What stubtest can not see: a compiled class hides the signature it is made by.

    What is `required` the class asks for itself, to say how it is to be given.
    """
    source = (PACKAGE / f"{module}.pyx").read_text(encoding="utf-8")
    (head,) = re.findall(r"def __cinit__\([^)]*\):", source)
    (made,) = ast.parse(f"{head} ...").body
    stub = ast.parse((PACKAGE / f"{module}.pyi").read_text(encoding="utf-8"))
    (shown,) = [node for node in ast.walk(stub) if getattr(node, "name", "") == "__new__"]
    taken = [(name, None if name in required else value) for name, value in parameters(made)]
    assert parameters(shown) == taken


@pytest.mark.slow
def test_examples_pass_strict_type_checking(tmp_path: Path) -> None:
    paths = [ROOT / "examples" / name for name in PLAIN_EXAMPLES]
    finished = type_check(tmp_path, *paths)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.slow
def test_a_wrong_call_is_found_by_the_type_checker(tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text(
        "from cea_exchange import OrderBook\n"
        "book = OrderBook(1, 100, order_count_max=10)\n"
        "book.enter(1, 1, '60.05', 5)\n"
        "book.enter(1, 1, 60, 5).tonnes_open = 3\n"
        "OrderBook(1, 100)\n"
    )
    finished = type_check(tmp_path, program)
    lines = [line for line in finished.stdout.splitlines() if "error:" in line]
    assert [line.split(":")[1] for line in lines] == ["3", "4", "5"], finished.stdout
