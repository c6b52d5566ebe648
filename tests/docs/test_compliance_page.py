"""The page on the compliance cycle gives what it says."""

import doctest

from support.places import ROOT

PAGE = ROOT / "protocol" / "compliance.md"


def test_examples_of_the_compliance_page_run() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False)
    assert result.attempted >= 40
    assert result.failed == 0
