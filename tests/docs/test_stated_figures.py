"""What the report states is computed by the rules, and its page shows what comes out."""

import sys

import pytest

from support.places import ROOT

sys.path.insert(0, str(ROOT))  # bench/ is no part of the package

from bench import stated_figures

FOUND = {row.statement: row for row in stated_figures.rows()}


def test_the_page_has_what_the_program_prints():
    assert stated_figures.table() in (ROOT / "protocol" / "stated_figures.md").read_text()


@pytest.mark.parametrize("name", stated_figures.COAL)
@pytest.mark.parametrize("what", ["electricity", "heat"])
def test_coal_benchmarks_of_2023_are_slightly_below_the_balance_values(name, what):
    """CEA-PLN-31."""
    row = FOUND[f"2023, {name}, {what}: the benchmark is slightly below the balance value"]
    assert row.holds


def test_what_the_report_says_too_generally_is_shown():
    """CEA-PLN-31: gas is above its balance value, and 2021 in part."""
    beyond = {statement.split(":")[0] for statement, row in FOUND.items() if not row.holds}
    assert {"2023, gas, electricity", "2023, gas, heat"} <= beyond
    assert all(each.startswith(("2021, ", "2023, gas")) for each in beyond)


def test_all_else_that_can_be_computed_holds():
    """CEA-PLN-13, CEA-PLN-14, CEA-PLN-16, CEA-ALC-04, CEA-ALC-08."""
    others = [row for row in FOUND.values() if "balance value" not in row.statement]
    assert len(others) == 10
    assert all(row.holds for row in others)


def test_the_total_of_2023_is_about_what_is_said():
    """CEA-PLN-31."""
    least, most = stated_figures.bounds_2023()
    assert 5_200_000_000 < least < most < 5_230_000_000 < stated_figures.DUTY_2023
