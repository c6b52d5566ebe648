"""The rulebook on markets (RB3): each number is a rule's source, or stands with a reason."""

import re

import pytest

from support.places import ROOT

RULES = (ROOT / "protocol" / "rules.md").read_text(encoding="utf-8")
CCER = (ROOT / "protocol" / "ccer_rulebook.md").read_text(encoding="utf-8")
OF_CCER = {30: 17, 31: 20, 32: 8}
OF_RULES = {33: 16, 34: 23, 35: 8, 36: 13, 37: 10, 38: 3}
"""Section -> how many numbers it has."""
NUMBERS = re.compile(r"\b(3[0-8])\.(\d+)(?: to 3[0-8]\.(\d+))?")


def named(text: str) -> set[str]:
    """Return the numbers of RB3 that a text names, in lines that say they are RB3's."""
    lines = "\n".join(line for line in joined(text) if "RB3" in line)
    return {
        f"{section}.{number}"
        for section, first, last in NUMBERS.findall(lines)
        for number in range(int(first), int(last or first) + 1)
    }


def joined(text: str) -> list[str]:
    """Return lines, each item of a list as one."""
    return text.replace("\n  ", " ").splitlines()


def rows(text: str) -> set[str]:
    """Return the numbers with which rows of tables begin."""
    return set(re.findall(r"^\| (3[0-8]\.\d+) \| [^|]*\S", text, re.MULTILINE))


def missing(rules: str, ccer: str) -> list[str]:
    """Return the numbers that are nowhere."""
    known = {30: rows(ccer), 33: named(rules)}
    return [
        where
        for sections, found in ((OF_CCER, known[30]), (OF_RULES, known[33]))
        for section, count in sections.items()
        for where in (f"{section}.{number}" for number in range(1, count + 1))
        if where not in found
    ]


def test_each_number_of_the_rulebook_on_markets_is_named() -> None:
    assert missing(RULES, CCER) == []


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("RB3 34.3 |", "RB3 34.2 |", "34.3"),
        ("RB3 36.8 to 36.13 |", "RB3 36.8 to 36.12 |", "36.13"),
        ("- RB3 33.12, ", "- ", "33.12"),
        ("| 31.8 | ", "| 31.88 | ", "31.8"),
    ],
)
def test_a_number_that_is_nowhere_is_noticed(before: str, after: str, where: str) -> None:
    assert (RULES + CCER).count(before) == 1
    assert missing(RULES.replace(before, after), CCER.replace(before, after)) == [where]
