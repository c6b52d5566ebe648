"""SQL names what it writes and reads: a column added, or moved, changes no other's meaning."""

import ast
import re
from collections.abc import Iterator

import pytest

from support.places import ROOT

SOURCE = ROOT / "src"
UNNAMED_INSERT = re.compile(r"\bINSERT\s+INTO\s+\w+\s+(?:VALUES|SELECT)\b", re.IGNORECASE)
EVERY_COLUMN = re.compile(r"(?:\bSELECT|,)\s+(?:\w+\.)?\*(?!\s*\w*\()", re.IGNORECASE)
NEXT_ID = re.compile(r"\bSELECT\s+1\s*\+\s*coalesce\(max\(", re.IGNORECASE)
GIVES_IDS = {f"src/cea_exchange/ledger/{name}.py" for name in ("record_store", "database/row_log")}
"""The one place, and what the database does by itself as rows change."""
IS_SQL = re.compile(r"\b(?:SELECT|INSERT INTO|FROM)\b")
MAY_BE_SQL = re.compile(r"\b(?:SELECT|FROM|(?i:insert))\b")
INTO = re.compile(r"\w+ \(\w+(?:, \w+)*\)")


def unnamed(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, what) of Python code whose SQL leaves it to the tables what its values are."""
    if not MAY_BE_SQL.search(text):
        return  # most modules have none, and parsing takes its time
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            filled = "".join(map(part_text, node.values))
            yield from ((node.lineno, what) for what in unnamed_sql(filled))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((node.lineno, what) for what in unnamed_sql(node.value))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            into = node.args[0] if node.args else None
            is_insert = node.func.attr == "insert" and isinstance(into, ast.Constant)
            if is_insert and isinstance(into.value, str) and not INTO.fullmatch(into.value):
                yield node.lineno, f"insert into {into.value} names no columns"


def part_text(part: ast.expr) -> str:
    """Return a part of an f-string; a constant in it stands for a table, a variable for both."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    value = part.value if isinstance(part, ast.FormattedValue) else part
    name = getattr(value, "attr", getattr(value, "id", ""))
    return "x" if name.isupper() else "x (y)"


def unnamed_sql(text: str) -> Iterator[str]:
    if UNNAMED_INSERT.search(text):
        yield "INSERT names no columns"
    if IS_SQL.search(text) and EVERY_COLUMN.search(text):
        yield "SELECT * names no columns"


def test_sql_names_its_columns():
    found = []
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix == ".py":
            wrong = unnamed(path.read_text(encoding="utf-8"))
        elif path.suffix == ".sql":
            wrong = ((1, what) for what in unnamed_sql(path.read_text(encoding="utf-8")))
        else:
            continue
        name = path.relative_to(SOURCE.parent).as_posix()
        found += [f"{name}:{line}: error: {what}" for line, what in wrong]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_ids_are_given_in_one_place():
    found = [
        name
        for path in sorted(SOURCE.rglob("*.py"))
        if NEXT_ID.search(path.read_text(encoding="utf-8"))
        and (name := path.relative_to(SOURCE.parent).as_posix()) not in GIVES_IDS
    ]
    assert [] == found, "ids are given by `Store.next_id`"


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ('store.execute("INSERT INTO claims VALUES (?, ?)")', 1),
        ('store.execute("INSERT INTO claims (claim_id) VALUES (?)")', 0),
        ('store.execute(f"INSERT INTO {CLAIMS} VALUES (1)")', 1),
        ('store.execute(f"INSERT INTO {own.CLAIMS} VALUES (1)")', 1),
        ('store.execute(f"INSERT INTO {CLAIMS} (claim_id) VALUES (1)")', 0),
        ('store.execute("INSERT INTO a SELECT b, c FROM d")', 1),
        ('store.execute("SELECT * FROM claims")', 1),
        ('store.execute("SELECT a.*, b FROM a")', 1),
        ('store.execute("SELECT a, count(*), 2 * b FROM a")', 0),
        ('store.insert("claims", rows)', 1),
        ('store.insert("claims (claim_id, amount)", rows)', 0),
        ("rows.insert(0, row)", 0),
    ],
)
def test_the_reader_of_sql_decides_rightly(code, count):
    assert count == len([*unnamed(code)])
