"""A plan is read strictly, and all that it makes is checked before anything is played."""

import tomllib

import pytest

from cea_exchange.domain.compliance.plans.plan import plan, plans_tried
from cea_exchange.domain.profile import profile_parse
from cea_exchange.sweep.plan_file import PlanError
from cea_exchange.sweep.points import points_of
from support.sweep.small import SMALL, plan_at

COMMON = SMALL.partition("[grid]")[0]


def points(folder, more, common=COMMON):
    return points_of(plan_at(folder, common + more))


def values_of(found):
    return [(point.seed, point.combination, point.sample, point.values) for point in found]


def test_every_seed_is_played_with_every_combination(tmp_path):
    found = points(
        tmp_path,
        """
        [grid]
        "profile.listed_band_bp" = [500, 2000]
        [[rows]]
        orders_each = 10
        firms.sold_bp = 0
        [[rows]]
        orders_each = 20
        firms.sold_bp = 10000
        """,
    )
    bands, rows = (500, 2_000), ((10, 0), (20, 10_000))
    assert values_of(found) == [
        (seed, 2 * i + j, 0, {"profile.listed_band_bp": band, "orders_each": a, "firms.sold_bp": b})
        for i, band in enumerate(bands)
        for j, (a, b) in enumerate(rows)
        for seed in (5, 6)
    ]
    assert len({point.cell.id for point in found}) == len(found)
    for point in found:
        rules = profile_parse(point.cell.profile, "cell").rules
        assert rules.listed_band_bp == point.values["profile.listed_band_bp"]
        setting = point.cell.setting
        assert setting.orders == 4 * point.values["orders_each"]
        assert setting.behaviour == {"sold_bp": point.values["firms.sold_bp"]}


def test_a_profile_that_is_not_varied_is_the_file_itself(tmp_path):
    (first, *_) = points(tmp_path, "")
    assert "# The national carbon market's rules" in first.cell.profile


def test_a_plans_values_come_to_the_plan_that_is_tried(tmp_path):
    """Of the packaged one, by year; and of generating units' rules beside it."""
    common = COMMON.replace("2024", "2025")
    (one, *_) = points(
        tmp_path,
        """
        [[rows]]
        plan.industry.2025.slope = "0.05"
        plan.small_entity.below = 1000
        plan.power.shortfall_cap_bp.value = 1234
        plan.power.year.2025.benchmarks.gas.heat = "0.0001"
        """,
        common,
    )
    with plans_tried(one.cell.setting.plan, "cell"):
        tried = plan(2025)
    assert (tried.industry.slope, tried.small_entity.below) == ("0.05", 1_000)
    assert tried.power.shortfall_cap_bp.value == 1_234
    assert tried.power.of_year(2025).benchmarks.gas.heat == "0.0001"
    assert tried.power.of_year(2025).benchmarks.gas.electricity == "0.3288"
    assert plan(2025).small_entity.below == 26_000


SOBOL = """
[sensitivity]
method = "sobol"
samples = {samples}
[sensitivity.ranges]
profile.listed_band_bp = {{from = 300, to = 2000, step = 100}}
firms.offset_one_in = {{from = 1, to = 4}}
"""


def test_ranges_are_sampled_as_the_method_wants_them(tmp_path):
    """Of Sobol N x (D + 2), of Morris N x (D + 1), each with every seed; within the range."""
    found = points(tmp_path, SOBOL.format(samples=8))
    assert len(found) == 8 * 4 * 2
    assert {point.sample for point in found} == set(range(32))
    bands = {point.values["profile.listed_band_bp"] for point in found}
    assert bands <= set(range(300, 2_001, 100)) and len(bands) > 8
    assert {point.values["firms.offset_one_in"] for point in found} == {1, 2, 3, 4}
    morris = SOBOL.format(samples=5).replace("sobol", "morris")
    found = points(tmp_path, morris)
    assert len(found) == 5 * 3 * 2
    # Four levels of a range, both its ends among them.
    assert {point.values["profile.listed_band_bp"] for point in found} <= {300, 900, 1_400, 2_000}
    assert values_of(points(tmp_path, morris)) == values_of(found)


def test_more_samples_only_add_points(tmp_path):
    few = {point.cell.id for point in points(tmp_path, SOBOL.format(samples=8))}
    many = {point.cell.id for point in points(tmp_path, SOBOL.format(samples=16))}
    assert few < many


def test_a_range_of_decimals_is_exact(tmp_path):
    found = points(
        tmp_path,
        """
        [sensitivity]
        method = "morris"
        samples = 20
        [sensitivity.ranges]
        plan.industry.2025.slope = {from = "0.05", to = "0.20", step = "0.05"}
        """,
        COMMON.replace("2024", "2025"),
    )
    slopes = {point.values["plan.industry.2025.slope"] for point in found}
    assert slopes == {"0.05", "0.10", "0.15", "0.20"}
    for point in found:
        (industry,) = tomllib.loads(point.cell.setting.plan)["industry"]
        assert industry["slope"] == point.values["plan.industry.2025.slope"]


def test_an_own_profile_and_plan_are_found_beside_the_sweeps_plan(tmp_path):
    (other, *_) = points(tmp_path, "[grid]\nprofile.fee_bp = [7]\n")
    (tmp_path / "mine.toml").write_text(other.cell.profile, encoding="utf-8")
    (found, *_) = points(tmp_path, '[grid]\nprofile = ["mine.toml"]\n')
    assert found.cell.id == other.cell.id


GRID = "[grid]\n{}\n"
RANGE = '[sensitivity]\nmethod = "{}"\nsamples = {}\n[sensitivity.ranges]\n{}\n'


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("[grid]\nbands = [1]", "bands: expected year, entities, .*profile.NAME.*, got 'bands'"),
        (GRID.format("profile.band = [1]"), r"profile.band: expected .*listed_band_bp.*got 'band'"),
        (
            GRID.format("profile.listed_band_bp = [500, 10001]"),
            r"with profile.listed_band_bp = 10001: cea: Expected `int` <= 10000",
        ),
        (
            GRID.format("profile.listed_band_bp = ['wide']"),
            "listed_band_bp = 'wide': cea: Expected `int`, got `str`",
        ),
        (GRID.format("profile.listed_band_bp = [1.5]"), r"\[0\]: expected a whole number.*1\.5"),
        (GRID.format("profile.listed_band_bp = 7"), "grid.profile.listed_band_bp: expected a list"),
        (GRID.format("profile.listed_band_bp = [7, 7]"), r"each value once, got \[7, 7\]"),
        (GRID.format("profile = ['nowhere.toml']"), r"nowhere\.toml: expected a profile, No such"),
        (GRID.format("profile = ['cae']"), "expected one of beijing, .* got 'cae'"),
        (GRID.format("plan = ['nowhere.toml']"), r"nowhere\.toml: expected an allocation plan"),
        (GRID.format("plan.special.99.rule = ['x']"), "plan.special.99.rule: expected one of 0, "),
        (GRID.format("plan.speciel = [1]"), "plan.speciel: expected one of document, .*'speciel'"),
        (GRID.format("plan.special = [1]"), "expected the place of one value, got that of several"),
        (GRID.format("plan.document = [1]"), "plan of 2024: Expected `str`, got `int`"),
        (GRID.format("firms.patience = [1]"), "expected fields of sold_bp, .*'patience': 1"),
        (GRID.format("firms.sold_bp = [10001]"), "sold_bp.*Expected `int` <= 10000"),
        (GRID.format("firms = ['nobody:Firms']"), "expected MODULE:CLASS, got 'nobody:Firms'"),
        (GRID.format("offset_share_bp = [501]"), "at most the rule's 500 .*got 501"),
        (GRID.format("year = [2020]"), "with year = 2020: Expected `int` >= 2021"),
        (GRID.format("days = [3]"), "with days = 3: days: expected 0 for all, or 7 or more, got 3"),
        (GRID.format("year = [2024]\nyears = [1]"), "years: expected year"),
        ("[[rows]]\nyear = 2024\n[[rows]]\ndays = 7", r"rows\[1\]: expected year, got days"),
        ("[[rows]]\ndays = 7\n[[rows]]\ndays = 7", r"each row once, got it as rows\[0\]"),
        (GRID.format("days = [7]") + "[[rows]]\ndays = 8", "days: expected to be varied in one"),
        (RANGE.format("sobol", 6, "days = {from=7, to=20}"), "6 samples of sobol: .*power of 2"),
        (RANGE.format("sobol", 8, "days = {from=7, to=7}"), "two values or more, got 7 to 7 by 1"),
        (RANGE.format("sobol", 8, "days = {from='x', to='y'}"), "decimals as text"),
        (RANGE.format("sobol", 8, "days = [7, 8]"), r"expected {from = ..., to = ...}, got \[7, 8"),
        (RANGE.format("sobol", 8, "days = {from = 7}"), "missing required field `to`"),
        (RANGE.format("sobol", 8, ""), "a range or more, got none"),
        (RANGE.format("morris", 8, "days = {from=7, to=9}"), r"as levels \(4\) or more, got 3"),
        (RANGE.format("guess", 8, "days = {from=7, to=9}"), "Invalid enum value 'guess'"),
        ("[seed]\ncount = 1", "unknown field `seed`"),
    ],
)
def test_what_cannot_be_is_refused_with_the_place(tmp_path, more, words):
    with pytest.raises(PlanError, match=words):
        points(tmp_path, more)


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("seeds = [1, 1]", "seeds: expected each once"),
        ("seeds = []", "length >= 1"),
        ("[seeds]\ncount = 100001", "<= 100000"),
    ],
)
def test_seeds_are_given_once(tmp_path, of, words):
    text = f'title = "x"\n{of}\n[year]\nyear = 2024\n'
    with pytest.raises(PlanError, match=words):
        plan_at(tmp_path, text)


def test_too_many_points_are_refused_before_they_are_made(tmp_path):
    grid = "\n".join(f"{name} = {list(range(1, 101))}" for name in ("entities", "orders_each"))
    with pytest.raises(PlanError, match="expected at most 1,000,000, got 2,000,000"):
        points(tmp_path, f"[grid]\n{grid}\nprofile.fee_bp = {list(range(100))}\n")
