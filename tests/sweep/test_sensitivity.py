"""What figures depend on, where it is known: of a sum each part makes its own part of it."""

import pytest

from cea_exchange.sweep.cell import CellResult
from cea_exchange.sweep.outcome.figures import TITLES, spread_of
from cea_exchange.sweep.outcome.outcome import outcome_of
from cea_exchange.sweep.outcome.report import report_page
from cea_exchange.sweep.points import points_of
from support.sweep.small import plan_at
from support.year.chinese import chinese_reports

pytestmark = pytest.mark.slow

PLAN = """
title = "Known"
figures = ["mean_fen", "trades"]
[year]
year = 2024
[seeds]
count = 2
[grid]
days = [10, 20]
[sensitivity]
method = "{method}"
samples = {samples}
[sensitivity.ranges]
firms.sold_bp = {{from = 0, to = 10000}}
firms.auction_share_bp = {{from = 0, to = 10000}}
"""


def played(folder, method, samples):
    """Return a plan, its points, and results that are three times one parameter and once another.

    What seeds and days add is the same at all samples, and has no part in what depends on what.
    """
    plan = plan_at(folder, PLAN.format(method=method, samples=samples))
    points = points_of(plan)
    results = {}
    for point in points:
        sold, auctioned = (point.values[name] for name in plan.ranges)
        figures = dict.fromkeys(TITLES, 1) | {
            "mean_fen": 3 * sold + auctioned + 777 * point.seed + point.values["days"]
        }
        results[point.cell.id] = CellResult(cell=point.cell.id, program="p", figures=figures)
    return plan, points, results


@pytest.mark.nightly
def test_sobol_finds_the_parts_of_a_sum_and_the_report_shows_them(tmp_path):
    plan, points, results = played(tmp_path, "sobol", 64)
    outcome = outcome_of(plan, points, results)
    found = outcome.analysis.sensitivities
    assert [(each.combination, each.figure, each.points) for each in found] == [
        *[(0, "mean_fen", 256)] * 2,
        *[(1, "mean_fen", 256)] * 2,
    ]
    for each, part in zip(found, (0.9, 0.1) * 2, strict=True):
        assert abs(each.s1 - part) < 0.1 and abs(each.st - part) < 0.1
        assert each.mu is None
    assert "with days = 10: trades is 1 at every point" in outcome.analysis.notes
    page = report_page(plan, points, results, outcome)
    assert "With days = 20" in page and page.count("<svg") == 6
    assert "0.9" in page and "auction_share_bp" in page and outcome.hash in page


def test_too_few_samples_are_said_to_be(tmp_path):
    outcome = outcome_of(*played(tmp_path, "sobol", 4))
    assert any("which more samples than 4 give" in note for note in outcome.analysis.notes)


def test_morris_finds_what_each_changes(tmp_path):
    outcome = outcome_of(*played(tmp_path, "morris", 8))
    for each, size in zip(outcome.analysis.sensitivities, (30_000, 10_000) * 2, strict=True):
        assert abs(each.mu_star - size) < size // 1_000 and abs(each.mu - size) < size // 1_000
        assert each.s1 is None


@pytest.mark.parametrize("fault", ["year", "machine"])
def test_where_a_cell_failed_its_combination_is_left_out(tmp_path, fault):
    plan, points, results = played(tmp_path, "morris", 4)
    lost = points[0].cell.id
    results[lost] = CellResult(cell=lost, program="p", fault=fault, error="no <room>")
    outcome = outcome_of(plan, points, results)
    assert {each.combination for each in outcome.analysis.sensitivities} == {1}
    assert f"with days = 10: not analysed, as cells failed, such as {lost}" in (
        outcome.analysis.notes
    )
    page = report_page(plan, points, results, outcome)
    assert "no &lt;room&gt;" in page and "no <room>" not in page
    with chinese_reports():
        chinese = report_page(plan, points, results, outcome)
    assert "<html lang=zh>" in chinese and "个年度失败" in chinese and "Morris 基本效应" in chinese
    assert chinese.count("<td") == page.count("<td") and "<h2>" in chinese


def test_a_sweep_all_of_which_failed_has_a_report(tmp_path):
    plan, points, results = played(tmp_path, "morris", 4)
    for lost in results:
        results[lost] = CellResult(cell=lost, program="p", fault="year", error="nothing")
    outcome = outcome_of(plan, points, results)
    assert (len(outcome.failed), outcome.figures) == (outcome.cells, {})
    page = report_page(plan, points, results, outcome)
    assert f"{outcome.cells} of {outcome.cells} years failed" in page


def test_quartiles_are_values_that_there_are():
    spread = spread_of([9, 1, 5, 3, 7])
    assert (spread.least, spread.lower_quartile, spread.median) == (1, 3, 5)
    assert (spread.upper_quartile, spread.most, spread.mean) == (7, 9, 5)
    assert spread_of([]) is None
