"""The README's example gives what the README says."""

import doctest

from support.places import ROOT


def test_readme_examples_run() -> None:
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 8
    assert result.failed == 0
