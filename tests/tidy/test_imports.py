"""Rooms import downwards only: what import-linter (`make imports`) can not see."""

import json
import re
import subprocess
import sys

import pytest

from support.places import ROOT

SOURCE = ROOT / "src"
PACKAGE = SOURCE / "cea_exchange"

# What a compiled module may take from the package; the generated layouts hold layout only.
LAYOUTS = {"cea_exchange._records", "cea_exchange.domain.records"}
INLINE = {f"cea_exchange.{name}" for name in ("_ladder", "_stream", "_plan", "_hash")}
EDGE = {"cea_exchange._edge", "cea_exchange._views"}
BOOK = {f"cea_exchange.{name}" for name in ("_book", "_book_state", "_id_index")}
MARKET = {
    f"cea_exchange.{name}"
    for name in ("_accounts", "_award", "_trading", "_block", "_bidding", "_market_rules")
}
# What the market's class is made of, beside these.
MARKET_ROOMS = {
    f"cea_exchange.{name}"
    for name in ("_acts", "_bust", "_day", "_market_snapshot", "_market_state", "_market_views")
}
COMPILED = {
    "_records": set(),
    "_hash": set(),
    "_crc32c": {"ctypes", "google_crc32c"},
    "_ladder": LAYOUTS,
    "_stream": LAYOUTS | INLINE,
    "_plan": LAYOUTS | INLINE,
    "_id_index": {"cea_exchange._ladder"},
    "_edge": LAYOUTS | {"cea_exchange.domain.units"},
    "_views": LAYOUTS | INLINE | EDGE,
    "_book": LAYOUTS | INLINE | EDGE | BOOK,
    "_book_state": LAYOUTS | INLINE | EDGE | BOOK,
    "_flow_text": LAYOUTS | INLINE | EDGE,
    "_replay": LAYOUTS | INLINE | EDGE | BOOK,
    "_reports": LAYOUTS | EDGE,
    "_intake": LAYOUTS | EDGE | {"cea_exchange._block", "cea_exchange._bidding"},
    "_award": LAYOUTS | INLINE | EDGE,
    "_frames": {"cea_exchange._crc32c"} | EDGE,
    "_event_lists": LAYOUTS | EDGE | {"cea_exchange._accounts", "cea_exchange._crc32c"},
    "_accounts": LAYOUTS | INLINE,
    "_trading": LAYOUTS | INLINE | {"cea_exchange._accounts"},
    "_block": LAYOUTS | INLINE | MARKET,
    "_bidding": LAYOUTS | INLINE | MARKET,
    "_market_rules": LAYOUTS | INLINE | EDGE | MARKET,
    "_day": LAYOUTS | INLINE | MARKET,
    "_bust": LAYOUTS | INLINE | MARKET,
    "_market_state": LAYOUTS | INLINE | EDGE | MARKET,
    "_acts": LAYOUTS | INLINE | MARKET | {"cea_exchange._market_state"},
    "_market_views": LAYOUTS | INLINE | EDGE | MARKET,
    "_market_snapshot": LAYOUTS | INLINE | EDGE | MARKET,
    "_market": LAYOUTS | INLINE | EDGE | MARKET | MARKET_ROOMS | {"cea_exchange.domain"},
    "_market_data": LAYOUTS | INLINE | EDGE | MARKET | {"cea_exchange._market"},
    "_router": {"ctypes", "zmq"},
}
FOREIGN = {"libc", "cpython", "cython", "numpy", "msgspec", "google_crc32c"}
FOREIGN |= {"collections", "datetime", "hashlib", "operator", "struct"}
IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))")


def package_imports(text: str) -> list[tuple[int, str]]:
    """Return (line, module) of every import and cimport of Cython code."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        match = IMPORT.match(line)
        if match:
            found.append((number, match[1] or match[2]))
    return found


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
    files = sorted([*PACKAGE.glob("*.pyx"), *PACKAGE.glob("*.pxd")])
    assert files
    found = []
    for path in files:
        assert path.stem in COMPILED, f"{path.name}: say in this test what it may import"
        for number, module in package_imports(path.read_text(encoding="utf-8")):
            if not is_allowed(module, path.stem):
                name = path.relative_to(ROOT).as_posix()
                found.append(f"{name}:{number}: error: may not import {module}")
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(
    ("own", "line", "allowed"),
    [
        ("_book", "from cea_exchange._records cimport CommandRecord", True),
        ("_book", "from libc.stdint cimport int64_t", True),
        ("_book", "from cea_exchange._accounts cimport Account", False),
        ("_book", "from cea_exchange.domain.profile import MarketRules", False),
        ("_book", "import zmq", False),
        ("_router", "import zmq", True),
        ("_market", "from cea_exchange._trading cimport Market", True),
        ("_market", "from cea_exchange.domain.profile import MarketRules", True),
        ("_market", "from cea_exchange.matching import market", False),
        ("_market", "from cea_exchange._tradings cimport Market", False),
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
    loaded = modules_loaded_by("cea_exchange.registry.ledger")
    assert not loaded & {"zmq", "apsw", "typer"}


def test_the_registry_in_a_script_of_ones_own_loads_no_socket():
    """`from cea_exchange.registry import Registry` is what its module is."""
    loaded = modules_loaded_by("cea_exchange.registry.acts")
    assert "apsw" in loaded
    assert not loaded & {"zmq", "typer", "psycopg"}
