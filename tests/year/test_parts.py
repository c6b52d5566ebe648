"""What a year is made of, part by part."""

from itertools import pairwise

import pytest

from cea_exchange.cli.main import run
from cea_exchange.year import checkpoint
from cea_exchange.year.checkpoint import YearState
from cea_exchange.year.firms.draws import Draws
from cea_exchange.year.nation.members import NATION, enterprise_year, members, sizes_of
from cea_exchange.year.shape import (
    WHOLE_PPM,
    part_of,
    parts_of_rest,
    shape_file,
    shape_of,
    weights,
)
from cea_exchange.year.timeline import calendar_reaching, timeline


def test_numbers_follow_from_what_they_are_drawn_for():
    """These very numbers: on another machine, or Python, they are the same."""
    draws = Draws(7, "day", 20251231)
    assert [draws.below(1_000) for _ in range(4)] == [907, 857, 712, 391]
    assert [Draws(7, "x").within(-3, 3), Draws(7, "x").one_in(1)] == [2, True]


@pytest.mark.parametrize("entities", [2, 3, 50, 97, 3_378, 10_000])
def test_a_nation_of_any_size_has_its_sectors_parts(entities):
    sizes = sizes_of(entities)
    assert sum(sizes) == entities == len(members(sizes))
    for size, whole in zip(sizes, NATION, strict=True):
        assert abs(size * sum(NATION) - entities * whole) <= sum(NATION)
    assert sizes_of(sum(NATION)) == NATION


def test_an_enterprise_is_the_same_whoever_else_is_drawn():
    first, *_, last = members(sizes_of(40))
    alone = enterprise_year(3, last, 2024)
    enterprise_year(3, first, 2024)
    assert enterprise_year(3, last, 2024) == alone != enterprise_year(4, last, 2024)


def trading_days(year, days_max=0):
    return timeline(year, calendar_reaching("cn_carbon", year), days_max).trading_days


@pytest.mark.parametrize(("orders", "days_max"), [(1, 0), (1_000, 7), (1_013_400, 0)])
def test_all_orders_are_entered_each_months_part_of_them(orders, days_max):
    """As many in a month as the published volume has in it, of 2024's: two fifths in December."""
    days = trading_days(2024, days_max)
    weighed = weights(days)
    parts = [part_of(orders, weighed, number) for number in range(len(days))]
    assert sum(parts) == orders
    if days_max == 0 and orders > 1_000:
        december = sum(n for n, day in zip(parts, days, strict=True) if day.month == 12)
        assert 10_000 * december // orders == 3_995


def test_what_is_left_is_traded_by_the_last_day():
    """A day's part is of what is still to come: who takes it each day follows the months."""
    days = trading_days(2024)
    left, traded = 1.0, dict.fromkeys(range(1, 13), 0.0)
    for day, part in zip(days, parts_of_rest(weights(days)), strict=True):
        traded[day.month] += left * part / WHOLE_PPM
        left -= left * part / WHOLE_PPM
    assert left == 0
    months = shape_of(2025).months
    for month, tonnes in enumerate(months, start=1):
        assert abs(traded[month] - tonnes / sum(months)) < 0.002


def test_a_year_is_shaped_by_its_own_months_or_those_of_the_last_known():
    assert [shape_of(year).traded for year in (2021, 2023, 2025, 2027)] == [2021, 2023, 2024, 2024]
    for year in shape_file().year:
        assert len(year.months) == 12 and sum(year.months) > 50_000_000 and year.source


@pytest.mark.parametrize(
    ("year", "traded", "days"),
    [(2021, 2023, 242), (2022, 2023, 242), (2023, 2024, 242), (2024, 2025, 243), (2025, 2026, 242)],
)
def test_a_year_is_traded_in_the_year_of_its_deadline(year, traded, days):
    """CEA-SUR-02."""
    found = timeline(year, calendar_reaching("cn_carbon", year))
    assert {day.year for day in found.trading_days} == {traded}
    assert len(found.trading_days) == days
    assert found.given_on <= found.deadline < found.after


def test_days_that_nobody_has_announced_are_assumed():
    days = timeline(2026, calendar_reaching("cn_carbon", 2026)).trading_days
    assert len(days) == 260 and str(days[0]) == "2027-01-04"


def test_some_days_are_spread_and_end_with_the_last():
    whole = timeline(2024, calendar_reaching("cn_carbon", 2024)).trading_days
    some = timeline(2024, calendar_reaching("cn_carbon", 2024), 12).trading_days
    assert len(some) == 12 and some[-1] == whole[-1] and {*some} < {*whole}
    gaps = [(later - day).days for day, later in pairwise(some)]
    assert max(gaps) < 2 * min(gaps)


def test_too_few_days_are_refused():
    with pytest.raises(ValueError, match="days: expected 0 for all, or 7 or more, got 6"):
        timeline(2024, calendar_reaching("cn_carbon", 2024), 6)


@pytest.mark.parametrize("left", [".checkpoint.new", ".checkpoint.old"])
def test_what_a_stop_leaves_of_keeping_is_passed_over(tmp_path, left):
    """Whenever it stops, there is one whole copy: the new one, or the one before."""
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "a").write_text("kept")
    checkpoint.saved(tmp_path, YearState(days_done=3))
    (tmp_path / "registry" / "a").write_text("lost")
    kept = tmp_path / checkpoint.FOLDER
    if left == checkpoint.OLD:
        kept.rename(tmp_path / checkpoint.OLD)
    (tmp_path / checkpoint.NEW).mkdir()
    assert checkpoint.restored(tmp_path).days_done == 3
    assert (tmp_path / "registry" / "a").read_text() == "kept"


def test_a_year_that_has_not_begun_begins_anew(tmp_path):
    (tmp_path / "registry").mkdir()
    assert checkpoint.restored(tmp_path) is None
    assert not (tmp_path / "registry").exists()


def test_an_empty_plan_is_refused_and_not_taken_for_the_packaged_one(tmp_path, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text("")
    assert run(["year", "2024", "--out", str(tmp_path / "out"), "--plan", str(plan)]) == 2
    assert f"{plan}: expected an allocation plan, got an empty file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
