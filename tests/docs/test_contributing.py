"""CONTRIBUTING.md names files and tests that are there."""

import re

import pytest

from cea_exchange.registry.control.dual_control import Second
from support.places import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SPANS = re.findall(r"`([^`\n]+)`", TEXT)
PATHS = sorted({span for span in SPANS if re.fullmatch(r"[\w.-]+(/[\w.-]*)+", span)})
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)", TEXT)))
BESIDE = ("block_trading.py", "bidding_trading.py", "block.pyx", "bidding.pyx")
"""Named without their folder, behind one that is in it."""


@pytest.mark.parametrize("path", [*PATHS, *LINKS])
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


def test_the_steps_name_both_cores_the_struct_and_their_tests() -> None:
    """The reader above found paths; a name without a folder is of one that is named."""
    assert len(PATHS) > 30
    folders = {(ROOT / path).parent for path in PATHS}
    for name in BESIDE:
        assert name in SPANS
        assert any((folder / name).exists() for folder in folders), name


def test_words_of_the_code_that_are_named_are_there() -> None:
    """So that a rename is noticed."""
    assert Second.__module__.replace(".", "/") in TEXT
    script = (ROOT / "tests/scripts/test_rule_scripts.py").read_text(encoding="utf-8")
    schema = (ROOT / "protocol/schema/records.toml").read_text(encoding="utf-8")
    assert "\nREASONS = {" in script
    assert "\n[enum.Reason]" in schema
