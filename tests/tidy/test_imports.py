"""Rooms import downwards only: what import-linter (`make imports`) can not see."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.places import ROOT

SOURCE = ROOT / "src"
PACKAGE = SOURCE / "cea_exchange"


def modules(folder: str, *names: str) -> set[str]:
    """The modules of a folder by their names in the package."""
    return {f"{folder}.{name}" for name in names}


# What a compiled module may take from the package; the generated layouts hold layout only.
LAYOUTS = modules("cea_exchange", "_records", "domain.records")
INLINE = modules("cea_exchange", "_ladder", "_stream", "_plan", "_hash")
ARGUMENTS = modules("cea_exchange", "_arguments", "_batch", "_views")
BOOK = modules("cea_exchange", "_book", "_book_state", "_id_index")
CORE = modules(
    "cea_exchange.core", "accounts", "rows", "award", "trading", "block", "bidding", "rules"
)
# What the market's class is made of, beside these.
CORE_PARTS = modules("cea_exchange.core", "acts", "bust", "day", "snapshot", "state", "views")
COMPILED = {
    "_records": set(),
    "_hash": set(),
    "_ladder": LAYOUTS,
    "_stream": LAYOUTS | INLINE,
    "_plan": LAYOUTS | INLINE,
    "_id_index": {"cea_exchange._ladder"},
    "_arguments": LAYOUTS | {"cea_exchange.domain.units"},
    "_batch": LAYOUTS | INLINE | ARGUMENTS,
    "_views": LAYOUTS | INLINE | ARGUMENTS,
    "_book": LAYOUTS | INLINE | ARGUMENTS | BOOK,
    "_book_state": LAYOUTS | INLINE | ARGUMENTS | BOOK,
    "core.accounts": LAYOUTS | INLINE,
    "core.award": LAYOUTS | INLINE | ARGUMENTS,
    "core.rows": LAYOUTS,
    "core.trading": LAYOUTS | INLINE | modules("cea_exchange.core", "accounts", "rows"),
    "core.block": LAYOUTS | INLINE | CORE,
    "core.bidding": LAYOUTS | INLINE | CORE,
    "core.rules": LAYOUTS | INLINE | ARGUMENTS | CORE,
    "core.day": LAYOUTS | INLINE | CORE,
    "core.bust": LAYOUTS | INLINE | CORE,
    "core.state": LAYOUTS | INLINE | ARGUMENTS | CORE,
    "core.acts": LAYOUTS | INLINE | CORE | {"cea_exchange.core.state"},
    "core.views": LAYOUTS | INLINE | ARGUMENTS | CORE,
    "core.snapshot": LAYOUTS | INLINE | ARGUMENTS | CORE,
    "core.market": LAYOUTS | INLINE | ARGUMENTS | CORE | CORE_PARTS | {"cea_exchange.domain"},
    "matching.flow._flow_text": LAYOUTS | INLINE | ARGUMENTS,
    "matching.flow._replay": LAYOUTS | INLINE | ARGUMENTS | BOOK,
    "journal._crc32c": {"ctypes", "google_crc32c"},
    "journal._frames": {"cea_exchange.journal._crc32c"} | ARGUMENTS,
    "control_plane._router": {"ctypes", "zmq"},
    "control_plane.fronts._ring": set(),
    "control_plane.fronts._passage": modules(
        "cea_exchange.control_plane", "fronts._ring", "_router"
    ),
    "venue._event_lists": (
        LAYOUTS | ARGUMENTS | {"cea_exchange.core.accounts", "cea_exchange.journal._crc32c"}
    ),
    "venue._intake": (
        LAYOUTS | INLINE | ARGUMENTS | modules("cea_exchange.core", "block", "bidding")
    ),
    "venue._market_data": LAYOUTS | INLINE | ARGUMENTS | CORE | {"cea_exchange.core.market"},
    "venue._reports": LAYOUTS | INLINE | ARGUMENTS,
}
FOREIGN = {"libc", "cpython", "cython", "numpy", "msgspec", "google_crc32c"}
FOREIGN |= {"collections", "datetime", "hashlib", "operator", "posix", "struct"}
IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))")


def package_imports(text: str) -> list[tuple[int, str]]:
    """Return (line, module) of every import and cimport of Cython code."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = IMPORT.match(line)
        if match:
            found.append((number, match[1] or match[2]))
    return found


def compiled_name(path: Path) -> str:
    """A compiled module's name within the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def is_allowed(module: str, own: str) -> bool:
    if module == f"cea_exchange.{own}":
        return True
    if not module.startswith("cea_exchange"):
        return module.partition(".")[0] in FOREIGN | COMPILED[own]
    return any(module == room or module.startswith(room + ".") for room in COMPILED[own])


def run(code):
    """Run Python code in a fresh interpreter that knows the source tree only."""
    # No cache is written, and the output's drawings are not ASCII.
    env = {"PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
    )


def modules_loaded_by(module):
    result = run(f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))")
    assert result.returncode == 0, result.stderr
    return {name.partition(".")[0] for name in json.loads(result.stdout)}


def test_compiled_modules_import_only_what_lies_below_them():
    files = sorted([*PACKAGE.rglob("*.pyx"), *PACKAGE.rglob("*.pxd")])
    assert {compiled_name(path) for path in files} == set(COMPILED), "say here what it may import"
    found = []
    for path in files:
        for number, module in package_imports(path.read_text(encoding="utf-8")):
            if not is_allowed(module, compiled_name(path)):
                name = path.relative_to(ROOT).as_posix()
                found.append(f"{name}:{number}: error: may not import {module}")
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(
    ("own", "line", "allowed"),
    [
        ("_book", "from cea_exchange._records cimport CommandRecord", True),
        ("_book", "from libc.stdint cimport int64_t", True),
        ("_book", "from cea_exchange.core.accounts cimport Account", False),
        ("_book", "from cea_exchange.domain.profile import MarketRules", False),
        ("_book", "import zmq", False),
        ("control_plane._router", "import zmq", True),
        ("core.market", "from cea_exchange.core.trading cimport Market", True),
        ("core.market", "from cea_exchange.domain.profile import MarketRules", True),
        ("core.market", "from cea_exchange.matching import market", False),
        ("core.market", "from cea_exchange.core.tradings cimport Market", False),
    ],
)
def test_the_reader_of_cython_imports_decides_rightly(own, line, allowed):
    ((_, module),) = package_imports(line)
    assert is_allowed(module, own) == allowed


def test_importing_the_package_loads_no_socket_database_or_command_line():
    loaded = modules_loaded_by("cea_exchange")
    assert not loaded & {"zmq", "apsw", "typer", "rich", "structlog"}


def test_the_market_loads_no_socket_database_or_command_line():
    loaded = modules_loaded_by("cea_exchange.matching.market")
    assert not loaded & {"zmq", "apsw", "typer", "rich", "structlog"}


def test_the_registrys_arithmetic_loads_no_socket_or_database():
    loaded = modules_loaded_by("cea_exchange.ledger.double_entry")
    assert not loaded & {"zmq", "apsw", "typer"}


def test_the_registry_in_a_script_of_ones_own_loads_no_socket():
    """`from cea_exchange.registry import Registry` is what its module is."""
    loaded = modules_loaded_by("cea_exchange.registry.registry")
    assert "apsw" in loaded
    assert not loaded & {"zmq", "typer", "psycopg"}


DAEMONS = ("ccer", "platform", "registry", "venue")


@pytest.mark.parametrize("daemon", DAEMONS)
def test_each_folder_of_a_daemon_says_what_it_may_know(daemon: str) -> None:
    folders = (PACKAGE / daemon).glob("*/__init__.py")
    opening = {
        path.parent.name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        for path in folders
    }
    assert len(opening) > 5
    assert [name for name, text in opening.items() if not re.search(r"[Kk]nows ", text)] == []
