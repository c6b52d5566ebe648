"""Kinds of columns: how a cell of any format becomes a value, and a value a cell.

A cell is what a format holds: text in CSV, typed in XLSX and Parquet. Each kind reads all of them
to the same value, and refuses what only looks like it.
"""

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, ClassVar, Protocol

from cea_exchange.domain.calendar import date_number, date_of_number, date_parse
from cea_exchange.domain.naming import csv_name, is_one_line, name_check, normal_name_check
from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.domain.units import TOTAL_LIMIT

Cell = Any
"""str, int, float, bool, date, datetime, Decimal; None is an empty cell. Others are refused."""

YEAR_MIN, YEAR_MAX = 2019, 2099
"""The first compliance year, and the last that can be meant."""
FIRST_MONTH_YEAR = 2018
"""By its output units were given ahead for the first compliance years."""

_WHOLE_FORM = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_MONTH_FORM = re.compile(r"([0-9]{4})-([0-9]{2})")
_EXACT_FORM = re.compile(r"-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?")
_DIGEST_FORM = re.compile("[0-9a-f]{64}")
SPREADSHEET_INTEGER_MAX = 1 << 53
"""A spreadsheet keeps numbers as binary fractions; above this they are no longer exact."""


class Kind(Protocol):
    """What a column holds."""

    arrow: str
    """Its type in Parquet."""

    def read(self, cell: Cell) -> Any:
        """Return the value of a cell that is not empty; ValueError: expected what, got what."""

    def text(self, value: Any) -> str:
        """Return a value as CSV has it."""

    def cell(self, value: Any) -> Cell:
        """Return a value as XLSX and Parquet have it."""


def got(cell: Cell) -> str:
    """Return a cell for an error: what kind of thing it is and how it reads."""
    if cell is None:
        return "nothing"
    if isinstance(cell, bool):
        return f"the truth value {cell}"
    if isinstance(cell, str):
        return repr(cell[:80])
    if isinstance(cell, (int, float, Decimal)):
        return f"the number {cell}"
    if isinstance(cell, (date, time)):
        return f"the date or time {cell}"
    return f"a {type(cell).__name__}"


class Name:
    """A name as accounts and products have: printable, without spaces, at most 64 bytes."""

    arrow = "string"

    def read(self, cell: Cell) -> str:
        """Return the name; a number is none, its zeros in front may be lost."""
        if not isinstance(cell, str):
            raise ValueError(f"expected text, got {got(cell)}")
        try:
            name_check(cell)
        except ValueError:
            raise ValueError(
                f"expected a name without spaces of at most 64 bytes, got {got(cell)}"
            ) from None
        return normal_name_check(cell)

    def text(self, value: str) -> str:
        """Return it as no spreadsheet takes for a formula."""
        return csv_name(value)

    def cell(self, value: str) -> str:
        """Return it as it is."""
        return value


class Words:
    """Words of one line, such as a legal name."""

    arrow = "string"

    def read(self, cell: Cell) -> str:
        """Return them."""
        if not isinstance(cell, str) or not is_one_line(cell):
            raise ValueError(f"expected one line of text, got {got(cell)}")
        return cell

    def text(self, value: str) -> str:
        """Return them as no spreadsheet takes for a formula."""
        return csv_name(value)

    def cell(self, value: str) -> str:
        """Return them as they are."""
        return value


class Choice(Name):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def read(self, cell: Cell) -> str:
        """Return the word."""
        if cell not in self._words:
            raise ValueError(f"expected {' or '.join(self._words)}, got {got(cell)}")
        return str(cell)


class Whole:
    """A whole number within limits, the upper one excluded.

    Parameters
    ----------
    least, limit : int
        The smallest that is taken, and the smallest that is too large.
    what : str
        What is counted, for errors.
    """

    arrow = "int64"

    def __init__(self, least: int, limit: int, what: str) -> None:
        self._least, self._limit, self._what = least, limit, what

    def read(self, cell: Cell) -> int:
        """Return the number; `5000.0` is 5000 where the format has no whole numbers."""
        number = _whole(cell)
        if number is None:
            raise ValueError(f"expected whole {self._what}, got {got(cell)}")
        if not self._least <= number < self._limit:
            raise ValueError(
                f"expected {self._what} from {self._least} to {self._limit - 1}, got {number}"
            )
        return number

    def text(self, value: int) -> str:
        """Return its digits."""
        return str(value)

    def cell(self, value: int) -> int:
        """Return it as it is."""
        return value


class ProvinceCode(Whole):
    """The two digits of a province."""

    def __init__(self) -> None:
        super().__init__(0, 100, "two digits of a province")

    def read(self, cell: Cell) -> int:
        """Return the code of a province there is."""
        number = _whole(cell)
        if number not in PROVINCES:
            raise ValueError(
                f"expected the code of a province, 11 (Beijing) to 66, got {got(cell)}"
            )
        return number


class Flag:
    """Yes or no; `true` and `false`, as spreadsheets write their truth values, are taken too."""

    arrow = "bool"
    _words: ClassVar = {"yes": True, "no": False, "true": True, "false": False}

    def read(self, cell: Cell) -> bool:
        """Return which of the two."""
        value = self._words.get(cell.lower()) if isinstance(cell, str) else cell
        if type(value) is not bool:
            raise ValueError(f"expected yes or no, got {got(cell)}")
        return value

    def text(self, value: bool) -> str:
        """Return the word."""
        return "yes" if value else "no"

    def cell(self, value: bool) -> bool:
        """Return it as it is."""
        return value


class Day:
    """A day, as the number yyyymmdd; in text `2025-12-31`."""

    arrow = "date32"

    def read(self, cell: Cell) -> int:
        """Return the day's number; a moment is a day only at midnight of no zone."""
        if isinstance(cell, datetime):
            is_day = cell.tzinfo is None and cell.time() == time()
            day = cell.date() if is_day else None
        elif isinstance(cell, date):
            day = cell
        else:
            day = _iso_day(cell)
        if day is None or not YEAR_MIN - 20 <= day.year <= YEAR_MAX:
            raise ValueError(f"expected a day such as 2025-12-31, got {got(cell)}")
        return date_number(day)

    def text(self, value: int) -> str:
        """Return it as `2025-12-31`."""
        return date_of_number(value).isoformat()

    def cell(self, value: int) -> date:
        """Return the date."""
        return date_of_number(value)


class Month:
    """A month, as the number yyyymm; in text `2025-07`."""

    arrow = "string"

    def read(self, cell: Cell) -> int:
        """Return the month's number."""
        found = _MONTH_FORM.fullmatch(cell) if isinstance(cell, str) else None
        year, month = (0, 0) if found is None else map(int, found.groups())
        if not (FIRST_MONTH_YEAR <= year <= YEAR_MAX and 1 <= month <= 12):
            raise ValueError(f"expected a month such as 2025-07, got {got(cell)}")
        return 100 * year + month

    def text(self, value: int) -> str:
        """Return it as `2025-07`."""
        return f"{value // 100:04}-{value % 100:02}"

    def cell(self, value: int) -> str:
        """Return it as text."""
        return self.text(value)


class Exact:
    """A decimal number as it was written, with at most 12 digits before its point and 6 behind."""

    arrow = "string"

    def read(self, cell: Cell) -> Decimal:
        """Return the number; one of a spreadsheet is the shortest that reads as it."""
        is_number = isinstance(cell, int | float | Decimal) and not isinstance(cell, bool)
        text = str(cell) if is_number or isinstance(cell, str) else ""
        if not _EXACT_FORM.fullmatch(text):
            raise ValueError(f"expected a decimal number such as 20.512, got {got(cell)}")
        return Decimal(text)

    def text(self, value: Decimal) -> str:
        """Return its digits."""
        return f"{value:f}"

    def cell(self, value: Decimal) -> str:
        """Return it as text: a spreadsheet's numbers are binary fractions."""
        return self.text(value)


class Digest(Name):
    """A SHA-256 in hexadecimal digits."""

    def read(self, cell: Cell) -> str:
        """Return it."""
        if not (isinstance(cell, str) and _DIGEST_FORM.fullmatch(cell)):
            raise ValueError(f"expected 64 hexadecimal digits of a SHA-256, got {got(cell)}")
        return cell


def _whole(cell: Cell) -> int | None:
    """Return the whole number a cell holds, exactly; None if it holds another thing."""
    if type(cell) is int:
        return cell
    if isinstance(cell, str):
        return int(cell) if _WHOLE_FORM.fullmatch(cell) else None
    if isinstance(cell, float):
        is_exact = cell.is_integer() and abs(cell) <= SPREADSHEET_INTEGER_MAX
        return int(cell) if is_exact else None
    if isinstance(cell, Decimal):
        return int(cell) if cell.is_finite() and cell == cell.to_integral_value() else None
    return None


def _iso_day(cell: Cell) -> date | None:
    try:
        return date_parse(cell)
    except (TypeError, ValueError):
        return None


NAME = Name()
PROVINCE = ProvinceCode()
YEAR = Whole(YEAR_MIN, YEAR_MAX + 1, "year")
TONNES = Whole(1, TOTAL_LIMIT, "tonnes")
TONNES_OR_ZERO = Whole(0, TOTAL_LIMIT, "tonnes")
ENERGY = Whole(0, TOTAL_LIMIT, "kilowatt-hours or megajoules")
LOAD = Whole(0, 100_001, "hundredths of a percent of load")
SHARE = Whole(0, 10_001, "hundredths of a percent")
SERIAL = Whole(1, TOTAL_LIMIT, "serial number")
FLAG = Flag()
DAY = Day()
MONTH = Month()
EXACT = Exact()
DIGEST = Digest()
