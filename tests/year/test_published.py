"""What is published stands beside the model with period, source, and what the model's is."""

import msgspec
import pytest

from cea_exchange.domain.reference_prices import yearly_figures
from cea_exchange.year.outcome.figures import ORIGINS, YearFigures, beside
from cea_exchange.year.outcome.page import page, table
from cea_exchange.year.outcome.wording import (
    NAMES,
    beside_rows,
    figure_rows,
    part_shown,
    yuan_shown,
)
from cea_exchange.year.published import opening_price, published_file, published_of
from cea_exchange.year.setting import YEARS, YearSetting
from support.screens.chromium import PHONE, chromium

SETTING = YearSetting(year=2024, entities=3_378, seed=1, orders=1)
FIGURES = msgspec.convert(dict.fromkeys(YearFigures.__struct_fields__, 1_000), YearFigures)


@pytest.mark.parametrize("year", YEARS)
def test_every_year_has_a_price_to_begin_with_and_what_is_published_is_sourced(year):
    assert 4_000 < opening_price(year) < 10_000
    for each in published_of(year):
        assert int(each.value) > 0 and each.period and each.source
        assert each.figure in ORIGINS and each.figure in NAMES


def test_a_year_begins_with_the_close_that_is_known_of_the_year_before():
    for year, known in yearly_figures().items():
        assert opening_price(year) == known.close


def test_2024_stands_beside_what_is_published_of_it():
    """3,378 entities, 8.194 bn t due, 99.99% surrendered, and the market's volume and value."""
    shown = {(row[0], row[2], row[3], row[4]) for row in beside_rows(beside(SETTING, FIGURES))}
    assert shown >= {
        ("entities", "3,378", "2024", "input"),
        ("due", "8,194,000,000 t", "2024", "model's own"),
        ("surrendered of it", "99.99%", "2024", "model's own"),
        ("volume", "188,646,053 t", "traded in 2024", "model's own"),
        ("value", "18,113,576,585 yuan", "traded in 2024", "model's own"),
        ("volume by block", "80.37%", "traded in 2024", "model's own"),
        ("volume in December", "75.00%", "traded in 2021", "shaped by input"),
        ("volume in December", "39.95%", "traded in 2024", "shaped by input"),
        ("biddings", "8", "held in 2025", "shaped by input"),
        ("last close", "97.49 yuan/t", "end of 2024", "model's own"),
        ("trading days", "243", "2025", "reproduced"),
    }


def test_closes_that_steer_make_the_last_close_an_input():
    steered = msgspec.structs.replace(SETTING, closes={20250102: 9_749})
    origins = {each.figure: each.origin for each in beside(steered, FIGURES)}
    assert origins["close_fen"] == "input" != origins["volume_tonnes"]


def test_parts_are_shown_as_percentages():
    assert [part_shown(each) for each in (0, 5, 9_999, 10_000)] == [
        "0.00%",
        "0.05%",
        "99.99%",
        "100.00%",
    ]
    assert len(published_file().statistic) > 10


def test_yuan_are_shown_in_groups_of_three_digits():
    shown = {yuan_shown(fen) for fen in (0, 5, 99_999, -100_001, 1_811_357_658_500)}
    assert shown == {"0.00", "0.05", "999.99", "-1,000.01", "18,113,576,585.00"}


@pytest.mark.nightly
def test_on_a_phone_all_figures_and_what_the_models_are_stand_within_the_page():
    """Of a whole nation's size: nothing is found only by who moves a table to the side."""
    figures = msgspec.structs.replace(
        FIGURES,
        due_tonnes=8_194_000_000,
        surrendered_tonnes=8_188_000_000,
        volume_tonnes=188_646_053,
        value_fen=1_811_357_658_500,
        cash_fen=99_999_999_999_999,
    )
    head = ("figure", "model", "published", "of", "the model's is")
    beside_table = table(head, beside_rows(beside(SETTING, figures)), numbers={1, 2})
    text = page("year", [table((), figure_rows(figures), numbers={1}), beside_table])
    with chromium() as browser:
        opened = browser.new_page(viewport=PHONE)
        opened.set_content(text)
        ends = opened.eval_on_selector_all(
            "th, td", "cells => cells.map(cell => cell.getBoundingClientRect().right)"
        )
    assert len(ends) > 100 and max(ends) <= PHONE["width"]
