"""The page on the CCER rulebook names every row, rules there are, and tests there are."""

import re

from support.places import ROOT

PAGE = (ROOT / "protocol" / "ccer_rulebook.md").read_text(encoding="utf-8")
LAST_ROWS = {30: 17, 31: 20, 32: 8}
ROWS = [f"{chapter}.{row}" for chapter, last in LAST_ROWS.items() for row in range(1, last + 1)]
EXAMPLES = [*range(1, 14), 15, 30]


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
        for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", tests):
            text = (ROOT / "tests" / path).read_text(encoding="utf-8")
            assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{path}::{name}"
        assert "::" in tests


def rules_page() -> str:
    return (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
