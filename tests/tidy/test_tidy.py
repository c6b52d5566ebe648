"""The style rules that a machine can hold. A finding reads `path:line: error: what`."""

import ast
import io
import re
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from support.places import ROOT

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
CODE_FOLDERS = ("src", "tests", "bench", "contrib/lock", "docs", "examples", "protocol")
GENERATED = {
    "src/cea_exchange/domain/enums.py",
    "src/cea_exchange/domain/records.py",
    *(
        f"src/cea_exchange/domain/refusals/{key}.py"
        for key in ("bank", "ccer", "institution", "platform", "registry", "venue")
    ),
    "src/cea_exchange/_records.pxd",
}
EXACT_FOLDERS = tuple(
    f"src/cea_exchange/{room}/"
    for room in ("domain", "files", "matching", "ledger", "institution", "registry", "platform")
)
COMPILED = (".pyx", ".pxd")
# Its floats are seconds of the monotonic clock; money is added up in the ledger.
TIMED_MODULES = {
    f"src/cea_exchange/{module}.py"
    for module in (
        "institution/control/admin_door",
        "institution/control/query_service",
        "institution/daemon",
        "registry/daemon",
    )
}
FLOAT_TYPE = re.compile(r"float\d*|double")
RULE_ID = re.compile(r"\b(?:CEA|CCER|OPEN|PLT)-[A-Z]{3}-[0-9]{2}\b")
RULES_PATH = ROOT / "protocol" / "rules.md"
REASONS_PATH = ROOT / "protocol" / "reasons.md"
# Split, so that this line is no finding itself.
MACHINE_PATHS = re.compile("|".join(("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/")))


def code_files(*suffixes: str) -> list[Path]:
    """Return the project's own code, without what is generated or built."""
    files = list(ROOT.glob("*.py"))
    for folder in CODE_FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return sorted(
        path
        for path in files
        if path.suffix in suffixes
        and path.relative_to(ROOT).as_posix() not in GENERATED
        and not {"__pycache__", "build", "results"} & set(path.relative_to(ROOT).parts)
    )


def findings(check, paths) -> list[str]:
    """Run a check of (path, text) over files; each finding with its place."""
    found = []
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        for line, message in check(name, path.read_text(encoding="utf-8")):
            found.append(f"{name}:{line}: error: {message}")
    return found


def assert_none(found: list[str]) -> None:
    if found:
        pytest.fail("\n".join(found), pytrace=False)


# -- Checks of one file: (path, text) -> (line, message) -------------------------------------------


def long_lines(path: str, text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"line has {len(line)} columns, more than {COLUMNS_MAX}"
        if line != line.rstrip():
            yield number, "white space at the line's end"


def long_functions(path: str, text: str) -> Iterator[tuple[int, str]]:
    if len(text.splitlines()) <= FUNCTION_LINES_MAX:
        return
    try:
        functions = list((python_functions if path.endswith(".py") else cython_functions)(text))
    except SyntaxError as error:
        yield error.lineno or 1, f"no Python: {error.msg}"
        return
    for line, name, length in functions:
        if length > FUNCTION_LINES_MAX:
            yield line, f"{name} has {length} lines, more than {FUNCTION_LINES_MAX}"


def python_functions(text: str) -> Iterator[tuple[int, str, int]]:
    """Yield (line, name, lines); a docstring does not count, it is no code to follow."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            first = node.body[0]
            if ast.get_docstring(node, clean=False) is not None:
                length -= first.end_lineno - first.lineno + 1
            yield node.lineno, node.name, length


def cython_functions(text: str) -> Iterator[tuple[int, str, int]]:
    """Yield (line, name, lines) of a .pyx: to the next line that is not indented deeper."""
    lines = text.splitlines()
    start = re.compile(r"^( *)(?:c|cp)?def\b(?!.*\b(?:class|struct|enum|extern)\b)[^=]*?(\w+)\(")
    for number, line in enumerate(lines):
        match = start.match(line)
        if match is None:
            continue
        indent, end, docstring = len(match[1]), number, False
        counted = 1
        for offset, other in enumerate(lines[number + 1 :], number + 1):
            bare = other.strip()
            deeper = len(other) - len(other.lstrip()) > indent
            # The line that closes a signature starts at the def's own indent.
            if bare and not deeper and not bare.startswith(")"):
                break
            quotes = bare.count('"""')
            counted += not (docstring or quotes) and bool(bare)
            docstring ^= quotes % 2 == 1
            end = offset
        if end > number:
            yield number + 1, match[2], counted


def cython_habits(path: str, text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\bwith gil\b", line.partition("#")[0]):
            yield number, "`with gil`: the batch path runs without Python"
        if re.match(r"#\s*cython\s*:", line):
            yield number, "`# cython:` header: directives stand in setup.py"


def floats(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Find numbers with a point or exponent, conversions to them, and C types that hold them."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for token, following in pairwise(tokens):
        line = token.start[0]
        called = following.string == "(" or path.endswith((".pyx", ".pxd"))
        if token.type == tokenize.NUMBER and not token.string.lower().startswith(("0x", "0b")):
            if re.search(r"[.ej]", token.string.lower()):
                yield line, f"{token.string} is a float: money and tonnes are integers"
        elif token.type == tokenize.NAME and called and FLOAT_TYPE.fullmatch(token.string):
            yield line, f"`{token.string}`: money and tonnes are integers"


def machine_paths(path: str, text: str) -> Iterator[tuple[int, str]]:
    if not MACHINE_PATHS.search(text):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATHS.search(line):
            yield number, "a path of somebody's machine"


def dead_links(path: str, text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", line):
            if not ((ROOT / path).parent / target).exists():
                yield number, f"{target} is not there"


def rule_ids(path: str, text: str) -> Iterator[tuple[int, str]]:
    if not RULE_ID.search(text):
        return
    known = known_rules()
    for number, line in enumerate(text.splitlines(), 1):
        for rule in RULE_ID.findall(line):
            if rule not in known:
                yield number, f"rule {rule} is not in protocol/rules.md"


@cache
def known_rules() -> dict[str, int]:
    """Return rule id -> its line in rules.md."""
    return dict(rule_rows(RULES_PATH.read_text(encoding="utf-8")))


def rule_rows(text: str) -> Iterator[tuple[str, int]]:
    """Yield (rule id, line) of the tables' rows."""
    row = re.compile(r"\| ([A-Z]+-[A-Z]+-\d+) \|")
    for number, line in enumerate(text.splitlines(), 1):
        if match := row.match(line):
            yield match[1], number


# -- The tests -------------------------------------------------------------------------------------


def test_lines_fit_100_columns():
    assert_none(findings(long_lines, code_files(".py", ".pyx", ".pxd", ".pyi")))


def test_functions_fit_70_lines():
    assert_none(findings(long_functions, code_files(".py", ".pyx", ".pxd")))


def test_cython_keeps_the_gil_out_and_its_directives_in_one_place():
    assert_none(findings(cython_habits, code_files(".pyx", ".pxd")))


def test_no_module_is_called_utils():
    names = {"utils", "util", "helpers", "common", "misc"}
    found = [
        f"{path.relative_to(ROOT).as_posix()}:1: error: name the concept, not `{path.stem}`"
        for path in code_files(".py", ".pyx", ".pxd")
        if path.stem in names
    ]
    assert_none(found)


def test_exact_rooms_hold_no_float():
    paths = [
        path
        for path in code_files(".py", ".pyx", ".pxd")
        if "src" in path.parts
        and (path.suffix in COMPILED or path.relative_to(ROOT).as_posix().startswith(EXACT_FOLDERS))
        and path.relative_to(ROOT).as_posix() not in TIMED_MODULES
    ]
    assert paths
    assert_none(findings(floats, paths))


def test_no_path_of_a_machine_is_in_the_project():
    paths = code_files(".py", ".pyx", ".pxd", ".toml", ".md", ".json", ".txt")
    paths += sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("*.toml")) + [ROOT / "Makefile"]
    assert_none(findings(machine_paths, [path for path in paths if path.exists()]))


def test_links_between_documents_lead_somewhere():
    assert_none(findings(dead_links, code_files(".md") + sorted(ROOT.glob("*.md"))))


def test_rule_ids_exist_in_rules_md():
    paths = code_files(".py", ".pyx", ".pxd", ".sql", ".toml", ".md", ".json")
    assert_none(findings(rule_ids, [path for path in paths if path != RULES_PATH]))


def test_a_rule_id_stands_for_one_rule():
    rows = Counter(rule for rule, _ in rule_rows(RULES_PATH.read_text(encoding="utf-8")))
    assert_none([f"{rule} has {count} rows" for rule, count in rows.items() if count > 1])


def test_every_rule_has_a_test_that_names_it():
    tests = [path for path in code_files(".py") if "tests" in path.relative_to(ROOT).parts[:1]]
    named = set()
    for path in tests:
        if path != Path(__file__).resolve():
            named |= set(RULE_ID.findall(path.read_text(encoding="utf-8")))
    assert_none(
        [
            f"protocol/rules.md:{line}: error: no test names {rule}"
            for rule, line in known_rules().items()
            if rule not in named
        ]
    )


def test_every_rule_is_named_where_it_is_decided():
    """In the code, in a query of the audit, or in a profile beside the value that decides it."""
    kinds = (".py", ".pyx", ".pxd", ".sql", ".toml")
    paths = [path for path in code_files(*kinds) if "src" in path.parts]
    named = {rule for path in paths for rule in RULE_ID.findall(path.read_text(encoding="utf-8"))}
    assert_none(
        [
            f"protocol/rules.md:{line}: error: neither code nor profile names {rule}"
            for rule, line in known_rules().items()
            if rule not in named
        ]
    )


def test_every_rule_has_all_its_columns():
    found = []
    for number, row in enumerate(RULES_PATH.read_text(encoding="utf-8").splitlines(), 1):
        if RULE_ID.search(row.partition("|")[2].partition("|")[0]):
            cells = [cell.strip() for cell in row.strip("|").split("|")]
            if len(cells) != 5 or not all(cells):
                found.append(f"protocol/rules.md:{number}: error: must have five columns")
            elif not re.match(r"(S2|S|R|D)\b", cells[4]):
                found.append(f"protocol/rules.md:{number}: error: confidence was {cells[4]!r}")
    assert_none(found)


def test_every_reason_is_documented():
    schema = tomllib.loads((ROOT / "protocol/schema/records.toml").read_text(encoding="utf-8"))
    reasons = dict(schema["enum"]["Reason"])
    del reasons["doc"], reasons["NONE"]
    text = REASONS_PATH.read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([A-Z_]+)` \| [^|]+ \| [^|]+ \|$", text, re.MULTILINE)
    assert documented == list(reasons), "protocol/reasons.md: one row a reason, in order"


@pytest.mark.parametrize(
    ("check", "path", "text", "message"),
    [
        (long_lines, "x.py", "x = 1\n" + "#" * 101, "101 columns"),
        (long_lines, "x.py", "x = 1 \n", "white space"),
        (long_functions, "x.py", "def f():\n" + "    x = 1\n" * 70, "f has 71 lines"),
        (long_functions, "x.pyx", "cdef f(\n  A a,\n) nogil:\n" + "  a = 1\n" * 68, "f has 71"),
        (cython_habits, "x.pyx", "    with gil:\n", "with gil"),
        (cython_habits, "x.pyx", "# cython: language_level=3\n", "header"),
        (floats, "x.py", "x = 1.5\n", "1.5 is a float"),
        (floats, "x.py", "x = 1e3\n", "1e3 is a float"),
        (floats, "x.py", "x = float(y)\n", "`float`"),
        (floats, "x.py", "x = np.float64(y)\n", "`float64`"),
        (floats, "x.pyx", "cdef double x\n", "`double`"),
        (machine_paths, "x.py", "# see /wo" + "rk/main\n", "machine"),
        (dead_links, "x.md", "see [x](no/such.md)\n", "no/such.md is not there"),
        (rule_ids, "x.py", "# CEA-" + "XXX-99\n", "is not in protocol/rules.md"),
    ],
)
def test_each_check_finds_what_it_is_for(check, path, text, message):
    found = list(check(path, text))
    assert len(found) == 1 and message in found[0][1], found


def test_checks_let_good_code_pass():
    text = '"""1.5 in prose."""\nx = 0xE5\n\n\ndef f():\n    """Doc."""\n' + "    y = 1\n" * 69
    for check in (long_lines, long_functions, cython_habits, floats, machine_paths, rule_ids):
        assert list(check("x.py", text)) == []
