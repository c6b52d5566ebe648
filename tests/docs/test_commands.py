"""What the documents tell a reader to type is there to be typed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import ROOT

FOLDERS = ("protocol", "bench", "examples", "tests", "src", "docs", "contrib")
# In backticks, or on an indented line of its own: in prose one may make a market.
MAKE_TARGET = re.compile(r"(?:`|^ {4})make ([a-z][a-z-]*)", re.MULTILINE)
SCRIPT = re.compile(r"\bpython ([a-z][\w/]*\.py)\b")


def documents() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *found])


def targets_of(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def findings(text: str, targets: set[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, what is told but is not there)."""
    for match in MAKE_TARGET.finditer(text):
        if match[1] not in targets:
            yield text.count("\n", 0, match.start()) + 1, f"Makefile has no target {match[1]}"
    for match in SCRIPT.finditer(text):
        # A page that is typed from its top may have written it before.
        if not (ROOT / match[1]).is_file() and f"cat > {match[1]} <<" not in text:
            yield text.count("\n", 0, match.start()) + 1, f"{match[1]} is not there"


def test_make_targets_and_scripts_named_in_documents_exist() -> None:
    targets = targets_of((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert {"demo", "test"} <= targets
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: error: {what}"
        for path in documents()
        for line, what in findings(path.read_text(encoding="utf-8"), targets)
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_the_reader_of_documents_tells_commands_from_prose() -> None:
    text = "They make markets. Run `make nothing`, then\n\n    make demo\n    python no/such.py\n"
    assert list(findings(text, {"demo"})) == [
        (1, "Makefile has no target nothing"),
        (4, "no/such.py is not there"),
    ]
