"""The glossary: each word once, and what it forbids is nobody's word for something else."""

import re
from collections import Counter

from support.places import ROOT

PAGE = ROOT / "protocol" / "glossary.md"


def rows() -> list[list[str]]:
    """Return the table's rows: word, meaning, Chinese, not."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith("| ") and not line.startswith("| word ")
    ]


def words_of(cell: str) -> list[str]:
    """Return the words that a cell lists, without what is said of them in brackets."""
    return [word.strip() for word in re.sub(r"\([^)]*\)", "", cell).split(",")]


def test_each_row_has_a_word_a_meaning_and_its_chinese() -> None:
    assert len(rows()) > 100
    wrong = [row for row in rows() if len(row) != 4 or not all(row)]
    assert wrong == []


def test_each_word_is_defined_once() -> None:
    defined = Counter(word for row in rows() for word in words_of(row[0]))
    assert [word for word, count in defined.items() if count > 1] == []


def test_no_word_is_forbidden_for_itself() -> None:
    wrong = [row[0] for row in rows() if {*words_of(row[0])} & {*words_of(row[3])}]
    assert wrong == []


def test_pages_that_the_glossary_names_are_there() -> None:
    named = re.findall(r"`(protocol/[\w./]+)`", PAGE.read_text(encoding="utf-8"))
    assert named
    assert [page for page in named if not (ROOT / page).exists()] == []
