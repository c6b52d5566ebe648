"""Closes to start from."""

from datetime import date

import pytest

from cea_exchange.domain.reference_prices import (
    DailyFiguresError,
    close_before,
    load_daily,
    reference_price,
    yearly_figures,
)
from support.places import ROOT

DAILY_PATH = (
    ROOT.parent / "shared" / "data" / "cea" / "cea_daily_2021_2024.csv"
)
HEADER = (
    "date,open,high,low,close,listed_volume,listed_amount,block_volume,block_amount,"
    "auction_volume,auction_amount,total_volume,total_amount,src\n"
)
ROW = "2025-07-15,70.0,71.5,70.00,70.25,10,702.5,0,0,0,0,10,702.5,me\n"


def test_the_default_is_the_close_of_2024():
    assert reference_price() == 9749
    assert reference_price(2025) == 7463
    assert yearly_figures()[2024].tonnes == 189_000_000
    with pytest.raises(ValueError, match="year: expected one of 2024, 2025, got 1999"):
        reference_price(1999)


def test_daily_statistics_are_read_exactly(tmp_path):
    path = tmp_path / "daily.csv"
    path.write_text(HEADER + ROW, encoding="utf-8")
    (day,) = load_daily(path)
    assert (day.trading_date, day.open, day.high) == (date(2025, 7, 15), 7000, 7150)
    assert (day.close, day.listed_volume, day.listed_amount) == (7025, 10, 70250)
    assert close_before([day], date(2025, 7, 16)) == 7025
    with pytest.raises(ValueError, match="close: expected one before 2025-07-15, got none"):
        close_before([day], date(2025, 7, 15))


def test_zeros_behind_a_number_change_nothing(tmp_path):
    """So write tools that keep a column with empty cells in fractions."""
    path = tmp_path / "daily.csv"
    row = ROW.replace(",10,702.5,", ",10.0,702.500,")
    path.write_text(HEADER + ROW + row.replace("07-15", "07-16"), encoding="utf-8")
    one, other = load_daily(path)
    assert (one.listed_volume, one.listed_amount) == (other.listed_volume, other.listed_amount)


def test_what_there_was_none_of_may_be_empty_or_missing(tmp_path):
    """High and low without a trade, and the columns of methods that nobody used."""
    path = tmp_path / "daily.csv"
    columns = "date,open,high,low,close,listed_volume,listed_amount,total_volume\n"
    path.write_text(columns + "2025-07-15,70.0,,0,70.00,,,0\n", encoding="utf-8")
    (day,) = load_daily(path)
    assert (day.open, day.high, day.low, day.close) == (7000, 0, 0, 7000)
    assert day.listed_volume == day.listed_amount == day.block_volume == day.bidding_amount == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER.replace("low,", "lo,") + ROW, ":1: expected a column low, there is none"),
        (HEADER + ROW + ROW, ":3: date: expected after 2025-07-15"),
        (HEADER + ROW.replace("70.25", "70.255"), ":2: close: expected yuan"),
        (HEADER + ROW.replace("70.25", "-70.25"), ":2: close: expected yuan"),
        (HEADER + ROW.replace("70.25", "nan"), ":2: close: expected yuan"),
        (HEADER + ROW.replace("70.25", "0"), ":2: close: expected positive"),
        (HEADER + ROW.replace(",10,", ",10.5,", 1), ":2: listed_volume: expected whole tonnes"),
        (HEADER + ROW.replace(",10,702.5,me", ",11,702.5,me"), ":2: total_volume: expected 10"),
        (HEADER + "2025-07-15,70.0\n", ":2: expected 14 fields, got 2"),
        (HEADER + ROW.replace("71.5", "100000.01"), ":2: high: expected at most 100000.00"),
        (HEADER + ROW.replace("70.0,71.5,70.00", "70.0,70.0,71.5"), ":2: high: expected at least"),
        (HEADER + ROW.replace("702.5", "", 1), ":2: listed volume and amount: expected both"),
        (HEADER + ROW.replace(",0,0,0,0,", ",0,1.0,0,0,"), ":2: block volume and amount: exp"),
        (HEADER + ROW.replace(",10,702.5", ",1000000001,702.5", 1), ":2: listed volume: expected"),
        (HEADER + '"2025-07-15' + "x" * 140_000, ":2: expected a line of at most"),
        (HEADER + ROW.replace("2025-07-15", "15/07/2025"), ":2: date: expected"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, message):
    path = tmp_path / "daily.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DailyFiguresError, match=message):
        load_daily(path)


def test_the_real_statistics_end_at_the_packaged_close():
    if not DAILY_PATH.exists():
        pytest.skip("the daily statistics (shared/data/cea beside the repository) are not here")
    days = load_daily(DAILY_PATH)
    assert len(days) == 840
    assert days[-1].close == reference_price(2024)
    assert close_before(days, date(2024, 12, 31)) == 9771
