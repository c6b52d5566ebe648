"""The page on the CCER rulebook names every row, rules there are, and tests there are."""

import re

from support.places import ROOT

PAGE = (ROOT / "protocol" / "ccer_rulebook.md").read_text(encoding="utf-8")
LAST_ROWS = {30: 17, 31: 20, 32: 8}
ROWS = [f"{chapter}.{row}" for chapter, last in LAST_ROWS.items() for row in range(1, last + 1)]
EXAMPLES = [*range(1, 16), 30]


def test_every_row_is_decided_or_says_why_not() -> None:
    rows = re.findall(r"^\| (3[012]\.\d+) \| (.*?) \| (.*?)\|$", PAGE, re.MULTILINE)
    assert [row for row, _rules, _why in rows] == ROWS
    undecided = [row for row, rules, why in rows if rules == "-" and not why.strip()]
    assert undecided == []


def test_its_rules_are_rules() -> None:
    known = set(re.findall(r"^\| ([A-Z]+-[A-Z]+-\d+) \|", rules_page(), re.MULTILINE))
    named = set(re.findall(r"\b(?:CEA|CCER)-[A-Z]{3}-\d{2}\b", PAGE))
    assert len(named) > 50
    assert named <= known


def test_its_examples_are_tests() -> None:
    table = PAGE.partition("## Worked examples")[2]
    rows = re.findall(r"^\| (\d+), [^|]*\| (.*?) \|$", table, re.MULTILINE)
    assert [int(number) for number, _tests in rows] == EXAMPLES
    for _number, tests in rows:
        are_tests(tests)


def test_what_surveillance_says_of_serials_and_proofs_is_shown() -> None:
    """RB3 34.22: each of its four cases."""
    table = PAGE.partition("## Surveillance")[2].partition("## Worked")[0]
    rows = re.findall(r"^\| 34\.22, ([^|]*) \|.* \| (.*?) \|$", table, re.MULTILINE)
    cases = ["serial in two states", "proof used twice", "sale after cancel"]
    assert [case for case, _tests in rows] == [*cases, "batch outside its period"]
    for _case, tests in rows:
        are_tests(tests)


def are_tests(cell: str) -> None:
    """Check that a cell names tests, and that there are such."""
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", cell)
    assert named, cell
    for path, name in named:
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path}::{name}"


def rules_page() -> str:
    return (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
