"""The platform's rules and the rulebook's numbers: each is a rule, or says why it is none."""

import re
from collections.abc import Iterator

import pytest

from support.places import ROOT

TEXT = (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
ELSEWHERE = "### Rules of RB2 that stand elsewhere, or are not built"
ID = re.compile(r"\b(?:CEA|CCER|OPEN)-[A-Z]{3}-[0-9]{2}\b")
LETTERS = {"A": 1, "B": 2, "C": 3}
REASON = re.compile(r"\b(?:CEA-[A-Z]{3}-[0-9]{2}|no rule: .{20}|not built: .{20})")


def cells(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of a table."""
    for line in text.splitlines():
        if line.startswith("| "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def families(text: str) -> dict[str, tuple[str, int]]:
    """Return RB2's section -> the family of its rules, and how many numbers it has."""
    return {
        row[0]: (row[1], int(row[2]))
        for row in cells(text)
        if len(row) == 3 and row[0].isdigit() and row[2].isdigit()
    }


def numbers(text: str) -> Iterator[str]:
    """Yield the numbers of a list: ``17.6 to 17.8, 25.C``."""
    for part in text.split(", "):
        first, _, last = part.partition(" to ")
        section, _, number = first.partition(".")
        if last:
            end = int(last.partition(".")[2])
            yield from (f"{section}.{each}" for each in range(int(number), end + 1))
        else:
            yield f"{section}.{LETTERS.get(number, number)}"


def sourced(source: str) -> set[str]:
    """Return the numbers of RB2 that a rule's source names."""
    found = re.findall(r"RB2 ((?:[0-9]+\.[0-9A-Z]+(?:, | to )?)+)", source)
    return {number for each in found for number in numbers(each.removesuffix(", "))}


def rules(text: str) -> dict[str, str]:
    """Return the id of each rule -> its source."""
    return {row[0]: row[3] for row in cells(text) if len(row) == 5 and ID.fullmatch(row[0])}


def elsewhere(text: str) -> dict[str, str]:
    """Return RB2's number -> where it stands, or why it is not built."""
    table = text.partition(ELSEWHERE)[2].partition("\n## ")[0]
    rows = (row for row in cells(table) if len(row) == 2 and row[0][0].isdigit())
    return {number: row[1] for row in rows for number in numbers(row[0])}


def differences(text: str) -> list[str]:
    """Say which numbers and ids don't fit each other."""
    found, known, others = [], rules(text), elsewhere(text)
    sections = families(text)
    for section, (family, count) in sections.items():
        for number in range(1, count + 1):
            rule, where = f"{family}-{number:02}", f"{section}.{number}"
            if rule not in known and where not in others:
                found.append(f"{where}: neither {rule}, nor a row that says why")
            if rule in known and section != "25" and where not in sourced(known[rule]):
                found.append(f"{rule}: its source is not {where}")
    for where, why in others.items():
        section, _, number = where.partition(".")
        if section not in sections or not 1 <= int(number) <= sections[section][1]:
            found.append(f"{where}: no number of the sections")
        if not REASON.search(why):
            found.append(f"{where}: no reason, and no rule")
    found += [f"{rule}: named, and no rule" for rule in sorted({*ID.findall(text)} - known.keys())]
    return found


def test_each_number_of_the_rulebook_is_a_rule_or_says_why_it_is_none() -> None:
    assert len(families(TEXT)) == 10
    assert differences(TEXT) == []


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("| CEA-ENT-12 | ", "| CEA-ENT-120 | ", "CEA-ENT-12: named, and no rule"),
        ("| CEA-ENT-08 | ", "| CEA-ENT-121 | ", "16.8: neither CEA-ENT-08, nor a row"),
        ("RB2 16.8 |", "RB2 16.7 |", "CEA-ENT-08: its source is not 16.8"),
        ("| 21.5, 21.7 | ", "| 21.5 | ", "21.7: neither CEA-MRV"),
        ("| 25.C | ", "| 25.B | ", "25.3: neither CEA-CAL"),
        ("| 23.28 | no rule: ", "| 23.28 | ", "23.28: no reason, and no rule"),
        ("| 23.28 | ", "| 23.31 | ", "23.31: no number of the sections"),
    ],
)
def test_a_number_without_its_rule_is_noticed(before: str, after: str, said: str) -> None:
    assert TEXT.count(before) == 1
    assert any(said in each for each in differences(TEXT.replace(before, after)))
