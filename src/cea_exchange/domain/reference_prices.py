"""Real closes to start a market from: a short packaged table, and a reader of daily statistics.

The daily statistics themselves are not part of the package; their owners' terms apply.
"""

import re
import tomllib
from datetime import date
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import Struct

from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.spreadsheet import CellsMended
from cea_exchange.domain.units import INT64_MAX, PRICE_FEN_MAX, cash_parse, price_parse
from cea_exchange.user_files.csv_rows import CsvRows
from cea_exchange.user_files.opening import lines_read

DEFAULT_YEAR = 2024
"""The demo's: closed at 97.49 yuan."""

DAILY_COLUMNS = (
    "date", "open", "high", "low", "close", "listed_volume", "listed_amount", "total_volume",
)  # fmt: skip
"""What a file of daily statistics must have; `block_` and `auction_` columns may be missing too."""

FIGURE_COLUMNS = (
    *DAILY_COLUMNS[1:], "block_volume", "block_amount", "auction_volume", "auction_amount",
)  # fmt: skip

DAY_TONNES_MAX = 1_000_000_000
"""No day can trade more by one method: a fifth of what is allocated in a year."""

# Tools that know empty cells only in columns of fractions write 200000.0 for 200000.
_YUAN_FORM = re.compile(r"([0-9]+)(?:\.([0-9]{1,2})0*)?")
_TONNES_FORM = re.compile(r"([0-9]+)(?:\.0+)?")


class YearlyFigures(Struct, frozen=True):
    """A year of the national market."""

    year: int
    close: int
    """Composite close of the last trading day, fen per tonne."""
    tonnes: int
    amount: int
    """Fen."""
    source: str


class DailyFigures(Struct, frozen=True):
    """A trading day of the national market: composite prices, volumes and amounts by method.

    Prices are in fen per tonne, 0 where there is none; volumes in tonnes; amounts in fen.
    """

    trading_date: date
    open: int
    high: int
    low: int
    close: int
    listed_volume: int
    listed_amount: int
    block_volume: int
    block_amount: int
    bidding_volume: int
    bidding_amount: int


class DailyFiguresError(ValueError):
    """A file of daily statistics is not as expected; the message gives its line."""


class _YearRow(Struct, frozen=True, forbid_unknown_fields=True):
    year: int
    close: str
    tonnes: int
    amount: str
    source: str


class _YearFile(Struct, frozen=True, forbid_unknown_fields=True):
    year: tuple[_YearRow, ...]


def yearly_figures() -> dict[int, YearlyFigures]:
    """Return the packaged yearly figures by year."""
    data = resources.files("cea_exchange.domain").joinpath("data")
    text = data.joinpath("yearly_figures.toml").read_text(encoding="utf-8")
    rows = msgspec.convert(tomllib.loads(text), _YearFile, strict=True).year
    return {
        row.year: YearlyFigures(
            row.year, price_parse(row.close), row.tonnes, cash_parse(row.amount), row.source
        )
        for row in rows
    }


def reference_price(year: int = DEFAULT_YEAR) -> int:
    """Return the close of a year's last trading day in fen per tonne; ValueError if not known."""
    figures = yearly_figures()
    if year not in figures:
        known = ", ".join(str(y) for y in sorted(figures))
        raise ValueError(f"year: expected one of {known}, got {year}")
    return figures[year].close


def load_daily(path: str | Path, cells: CellsMended | None = None) -> list[DailyFigures]:
    """Read daily statistics.

    Parameters
    ----------
    path : str or Path
        A CSV file with at least the columns `DAILY_COLUMNS`, one row a trading day, ascending.
        Prices and amounts in yuan with at most two decimals, volumes in whole tonnes. Open, high
        and low may be empty or zero: there was none. Volumes and amounts may be empty, and the
        columns of a method that is not traded missing: total_volume must be the sum.
    cells : CellsMended, optional
        Takes note of the cells that a spreadsheet wrote as binary fractions.

    Returns
    -------
    list of DailyFigures
        In order of date.

    Raises
    ------
    DailyFiguresError
        At the first line that is not so.
    """
    days: list[DailyFigures] = []
    cells = CellsMended() if cells is None else cells
    try:
        rows = CsvRows(lines_read(path, "daily statistics"))
        with rows.errors_placed(f"{path}:"):
            for name in DAILY_COLUMNS:
                if name not in rows.columns:
                    raise ValueError(f"expected a column {name}, there is none")
            for row in rows:
                cells.mend(row, FIGURE_COLUMNS, rows.line)
                day = _daily(row)
                if days and day.trading_date <= days[-1].trading_date:
                    last = days[-1].trading_date
                    raise ValueError(f"date: expected after {last}, got {day.trading_date}")
                days.append(day)
    except ValueError as error:
        raise DailyFiguresError(str(error)) from error
    return days


def close_before(days: list[DailyFigures], trading_date: date) -> int:
    """Return the last close before a day: that day's reference price. ValueError if none."""
    for day in reversed(days):
        if day.trading_date < trading_date:
            return day.close
    raise ValueError(f"close: expected one before {trading_date}, got none")


def first_reference_parse(text: str) -> int:
    """Read the price (fen) that a first day is measured from, as loosely as the files' prices."""
    price = _price_of(text, "first reference")
    if price == 0:
        raise ValueError(f"first reference: expected positive, got {text!r}")
    return price


def _daily(row: dict[str, str]) -> DailyFigures:
    figures = DailyFigures(
        trading_date=date_parse(_cell(row, "date")),
        open=_price(row, "open"),
        high=_price(row, "high"),
        low=_price(row, "low"),
        close=_price(row, "close"),
        listed_volume=_tonnes(row, "listed_volume"),
        listed_amount=_fen(row, "listed_amount"),
        block_volume=_tonnes(row, "block_volume"),
        block_amount=_fen(row, "block_amount"),
        bidding_volume=_tonnes(row, "auction_volume"),
        bidding_amount=_fen(row, "auction_amount"),
    )
    _daily_check(figures, row)
    return figures


def _daily_check(figures: DailyFigures, row: dict[str, str]) -> None:
    """Raise ValueError where a day's figures can't be."""
    total = 0
    for method in ("listed", "block", "bidding"):
        volume = getattr(figures, f"{method}_volume")
        amount = getattr(figures, f"{method}_amount")
        if volume > DAY_TONNES_MAX:
            raise ValueError(f"{method} volume: expected at most {DAY_TONNES_MAX} t, got {volume}")
        if (volume == 0) != (amount == 0):
            raise ValueError(
                f"{method} volume and amount: expected both zero or neither,"
                f" got {volume} t and {amount} fen"
            )
        total += volume
    if total != _tonnes(row, "total_volume"):
        raise ValueError(f"total_volume: expected {total}, got {row['total_volume']}")
    if figures.close == 0:
        raise ValueError("close: expected positive, got 0")
    if figures.high and figures.low > figures.high:
        raise ValueError(f"high: expected at least low, got {row['high']} and {row['low']}")


def _cell(row: dict[str, str], column: str) -> str:
    """Return a cell's text; a column that the file does not have, or an empty cell, is zero."""
    text = row.get(column, "")
    if text is None:
        raise ValueError(f"{column}: expected a value, got none: the line ends before it")
    return text.strip() or "0"


def _price(row: dict[str, str], column: str) -> int:
    return _price_of(_cell(row, column), column)


def _price_of(text: str, name: str) -> int:
    price = _yuan_of(text, name)
    if price > PRICE_FEN_MAX:
        raise ValueError(f"{name}: expected at most 100000.00, got {text!r}")
    return price


def _fen(row: dict[str, str], column: str) -> int:
    return _yuan_of(_cell(row, column), column)


def _yuan_of(text: str, name: str) -> int:
    match = _YUAN_FORM.fullmatch(text)
    if match is None or len(text) > 32:
        raise ValueError(f"{name}: expected yuan with at most two decimals, got {text[:40]!r}")
    fen = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if fen > INT64_MAX:
        raise ValueError(f"{name}: expected at most 64 bits of fen, got {text!r}")
    return fen


def _tonnes(row: dict[str, str], column: str) -> int:
    text = _cell(row, column)
    match = _TONNES_FORM.fullmatch(text)
    if match is None or len(text) > 18:
        raise ValueError(f"{column}: expected whole tonnes, got {text[:40]!r}")
    return int(match[1])
