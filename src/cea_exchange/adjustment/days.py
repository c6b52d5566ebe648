"""A product's days as triggers read them: closes, tonnes and proceeds of each day."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

from cea_exchange.domain.calendar import date_parse
from cea_exchange.domain.units import cash_parse, fen_of, price_parse
from cea_exchange.user_files.csv_rows import CsvRows
from cea_exchange.user_files.formats import json_read

COLUMNS = ("date", "last_close", "close", "tonnes", "amount")


class Day(Struct, frozen=True):
    """A trading day of a product, prices and amount in fen, all methods together."""

    date: date
    last_close: int
    close: int
    tonnes: int
    amount: int


def days_parse(lines: Iterable[str]) -> list[Day]:
    """Read days from the lines of a CSV file: `COLUMNS`, ascending dates, yuan with two decimals.

    Raises
    ------
    ValueError
        With the line's number, what was expected and what was got.
    """
    rows = CsvRows(lines)
    days: list[Day] = []
    with rows.errors_placed():
        rows.columns_check(COLUMNS)
        for row in rows:
            days.append(_day(row))
            if len(days) > 1 and days[-1].date <= days[-2].date:
                raise ValueError(f"date: expected after {days[-2].date}, got {days[-1].date}")
    return days


def _day(row: dict[str, str]) -> Day:
    tonnes = row["tonnes"]
    if not (tonnes.isascii() and tonnes.isdigit() and len(tonnes) < 19):
        raise ValueError(f"tonnes: expected a whole number, got {tonnes[:80]!r}")
    return Day(
        date_parse(row["date"]),
        price_parse(row["last_close"]),
        price_parse(row["close"]),
        int(tonnes),
        0 if row["amount"] == "0.00" else cash_parse(row["amount"]),
    )


def days_published(data: Path, product: str) -> list[Day]:
    """Return a product's days as the bulletins in a venue's folder have them.

    Raises
    ------
    OSError, ValueError
        A bulletin can't be read.
    """
    days = []
    for file in sorted((data / "bulletins").glob("*.json")):
        try:
            content = json_read(file, "a bulletin", dict[str, Any])
            found = [each for each in content["products"] if each["subjCode"] == product]
            days += [_published(content["quotPoin"], subject) for subject in found]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{file}: expected a bulletin: {error!r}") from error
    return days


def _published(day: str, subject: dict[str, Any]) -> Day:
    methods = subject["methods"]
    return Day(
        date_parse(day),
        price_parse(str(subject["lastClosPric"])),
        price_parse(str(subject["closPric"])),
        sum(int(method["tradeVolume"]) for method in methods),
        sum(fen_of(str(method["tradeAmount"])) for method in methods),
    )


def mean_of(days: Sequence[Day]) -> tuple[int, int]:
    """Return what days brought, and their tonnes: a mean price as a fraction, value by volume."""
    return sum(day.amount for day in days), sum(day.tonnes for day in days)


def mean_price(days: Sequence[Day]) -> int | None:
    """Return the mean price of days in fen, half up; None where nothing was traded."""
    amount, tonnes = mean_of(days)
    return (2 * amount + tonnes) // (2 * tonnes) if tonnes else None


def months_before(day: date, months: int) -> date:
    """Return the same day so many months before, or that month's last.

    Examples
    --------
    >>> months_before(date(2024, 8, 31), 6)
    datetime.date(2024, 2, 29)
    """
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    return date(year, month + 1, min(day.day, 28))
