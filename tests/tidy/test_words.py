"""Names are the field's words: those that the glossary does not allow come back in no name.

Prose may say that somebody was told; a variable, function, class or module of that name says
nothing. The glossary's last column says what stands in a word's place.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import ROOT

INSTEAD = {
    "told": "what it is: answer, shown, fields",
    "came": "got, arrived, incoming",
    "desk": "service, maker-checker",
    "office": "service",
    "coverage": "obligation status",
    "watch": "monitor",
    "lending": "custody",
    "consent": "dual control",
    "deed": "act",
    "delivery": "batch settlement",
}
NOT_IN_OPENINGS = {"told", "came", "desk", "desks", "office", "consent", "coverage", "lending"}
STILL = {
    # What `status --watch` takes, as users type it.
    **dict.fromkeys(
        ("watch", "Watch"),
        (
            "src/cea_exchange/cli/daemons/institution.py",
            "src/cea_exchange/cli/daemons/venue.py",
            "src/cea_exchange/cli/options.py",
        ),
    ),
    # Lots that a trade sold are delivered, or are not: here it is no batch.
    **dict.fromkeys(
        ("Delivery", "DeliveryKind", "DELIVERY_COUNT_MAX"),
        ("src/cea_exchange/ccer/market/deliveries.py",),
    ),
}
"""Names that are right where they are: their modules."""
DEFINED_IN_SQL = re.compile(
    r"^(?:CREATE \w+ (?:IF NOT EXISTS )?| {4})(\w+)(?= \(| AS\b| BIGINT| TEXT| BYTEA)",
    re.MULTILINE,
)
OLD_GRAMMAR = re.compile(
    r" must (?:be|have|lie|come|name|fit|ascend)\b[^;]*, (?:was|were|had|came) "
    r"|\bexpected\b[^;]*, came "
)


def parts_of(name: str) -> list[str]:
    """Return the words that a name is made of, in either way of writing names."""
    return re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)


def names_in(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of what a Python text defines; the sentences of tests are prose."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.name.startswith("test_"):
                yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def wrong_names(text: str, still: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    lowered = text.lower()
    if not any(word in lowered for word in INSTEAD):
        return  # most texts, and parsing takes its time
    for line, name in names_in(text):
        for word in parts_of(name):
            instead = INSTEAD.get(word.lower()) or INSTEAD.get(word.lower().removesuffix("s"))
            if instead is not None and name not in still:
                yield line, f"`{name}`: say {instead}"


def names_of_path(path: Path) -> tuple[str, ...]:
    """Return the names of a module's folders, and its own where it is no sentence of tests."""
    folders = path.relative_to(ROOT).parts[:-1]
    return folders if path.name.startswith("test_") else (*folders, path.stem)


def literals(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, words) of the texts that a module puts together, of adjacent literals one."""
    begun, words = 0, ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING and not token.string.endswith('"""'):
            begun = begun or token.start[0]
            words += token.string.lstrip("rbf").strip("\"'")
        elif token.type not in (tokenize.NL, tokenize.COMMENT):
            if words:
                yield begun, words
            begun, words = 0, ""


def wrong_grammar(text: str) -> Iterator[tuple[int, str]]:
    for line, words in literals(text):
        if OLD_GRAMMAR.search(words):
            yield line, f"say `WHERE: expected ..., got ...`: {words[:60]!r}"


SOURCES = sorted(
    path
    for folder in ("src", "tests", "bench", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "results" not in path.parts
)


def test_names_are_the_fields_words() -> None:
    found = []
    for path in SOURCES:
        place = path.relative_to(ROOT).as_posix()
        still = frozenset(name for name, places in STILL.items() if place in places)
        text = path.read_text(encoding="utf-8")
        found += [f"{place}:{line}: error: {what}" for line, what in wrong_names(text, still)]
    assert found == []


def test_tables_and_columns_are_the_fields_words() -> None:
    found = [
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in sorted((ROOT / "src").rglob("*.sql"))
        for name in DEFINED_IN_SQL.findall(path.read_text(encoding="utf-8"))
        if {*parts_of(name.lower())} & {*INSTEAD, *(f"{word}s" for word in INSTEAD)}
    ]
    assert found == []


def test_the_reader_of_tables_finds_their_names() -> None:
    text = "CREATE TABLE role_settings (\n    setting_id BIGINT,\n    content BYTEA\n);\n"
    views = "CREATE VIEW balances AS\nSELECT 1;\n"
    assert ["role_settings", "setting_id", "content"] == DEFINED_IN_SQL.findall(text)
    assert ["balances"] == DEFINED_IN_SQL.findall(views)


def test_folders_and_modules_are_named_in_the_fields_words() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if {part for name in names_of_path(path) for part in parts_of(name.lower())}
        & {*INSTEAD, *(f"{word}s" for word in INSTEAD)}
    ]
    assert found == []


def test_opening_lines_are_in_the_fields_words() -> None:
    found = []
    for path in SOURCES:
        if path.name.startswith("test_"):
            continue
        text = path.read_text(encoding="utf-8").removeprefix("r")
        opening = text.partition("\n")[0] if text.startswith('"""') else ""
        words = {word.lower() for word in re.findall(r"[A-Za-z]+", opening)}
        if words & NOT_IN_OPENINGS:
            found.append(f"{path.relative_to(ROOT).as_posix()}: {opening}")
    assert found == []


def test_errors_say_what_was_expected_and_what_they_got() -> None:
    found = []
    for path in [*SOURCES, *sorted((ROOT / "src").rglob("*.p[yx][xd]"))]:
        place = path.relative_to(ROOT).as_posix()
        if place.startswith("src/"):
            text = path.read_text(encoding="utf-8")
            found += [f"{place}:{line}: error: {what}" for line, what in wrong_grammar(text)]
    assert found == []


def test_the_glossary_forbids_what_this_test_forbids() -> None:
    text = (ROOT / "protocol" / "glossary.md").read_text(encoding="utf-8")
    forbidden = " ".join(row.split("|")[4] for row in text.splitlines() if row.count("|") == 5)
    words = ("desk", "office", "coverage", "consent", "watch", "delivery")
    assert [word for word in words if word not in forbidden] == []


@pytest.mark.parametrize(
    "text",
    ["told = 1\n", "def f(came): ...\n", "class AdminDesk: ...\n", "OFFICES = 1\n"],
)
def test_a_word_that_returns_is_noticed(text: str) -> None:
    assert list(wrong_names(text))


def test_a_folder_of_such_a_name_is_noticed() -> None:
    assert "desks" in names_of_path(ROOT / "tests" / "desks" / "test_told.py")
    assert "test_told" not in names_of_path(ROOT / "tests" / "desks" / "test_told.py")


def test_a_sentence_and_a_field_that_is_only_read_are_let_pass() -> None:
    assert not list(wrong_names("def test_who_came_is_told(): ...\nx = y.told\n"))


@pytest.mark.parametrize(
    "text",
    [
        'f"{name} must be str, was {kind}"\n',
        'raise E(f"{name} must be within {a}..{b}, "\n    f"was {c}")\n',
        'raise E(f"expected 1 frame, came {n}")\n',
    ],
)
def test_the_old_grammar_is_noticed(text: str) -> None:
    assert list(wrong_grammar(text))
    assert not list(wrong_grammar('raise E(f"{name}: expected str, got {kind}")\n'))
