"""The README's examples give what the README says, in both languages."""

import doctest

import pytest

from support.places import ROOT


@pytest.mark.parametrize(("name", "examples_min"), [("README.md", 8), ("README.zh.md", 8)])
def test_readme_examples_run(name: str, examples_min: int) -> None:
    result = doctest.testfile(str(ROOT / name), module_relative=False)
    assert result.attempted >= examples_min
    assert result.failed == 0
