"""Lines of a recorded flow by the names of their columns, and what stands in them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cea_exchange.matching.flow.forms.times import clock_digits

PRICE_DECIMALS = 9
PRICE_UNIT = 10**PRICE_DECIMALS
"""Prices are counted in the last of so many decimals."""
_PRICE = re.compile(r"(?P<whole>[0-9]{1,18})(?:\.(?P<fraction>[0-9]{1,18}))?")
_TIME = re.compile(r"(?:.*[T ])?(\d\d):(\d\d)(?::\d\d)?(?:\.\d+)?")
ORDER_ID_MAX = (1 << 64) - 1
SIZE_MAX = (1 << 63) - 1


class ConversionError(ValueError):
    """A record is not as it has to be; `line` is where, None if all of the file is meant."""

    def __init__(self, text: str, line: int | None = None, source: int = 0) -> None:
        super().__init__(text)
        self.line = line
        self.source = source


class Column(NamedTuple):
    """A column of a form: other names of it, and whether it must be there."""

    other_names: tuple[str, ...] = ()
    is_needed: bool = True


class Record(NamedTuple):
    """One line; a column that is not there is empty."""

    line: int
    values: dict[str, str]
    source: int = 0

    def error(self, column: str, expected: str) -> ConversionError:
        """Return the error about a value."""
        got = repr(self.values[column][:40]) if self.values[column] else "nothing"
        fault = f"{column}: expected {expected}, got {got}"
        return ConversionError(fault, self.line, self.source)

    def number(self, column: str, most: int, least: int = 0) -> int:
        """Return a whole number; zeros behind a point say nothing."""
        whole, _, rest = self.values[column].partition(".")
        if not (whole.isascii() and whole.isdigit() and len(whole) <= 20) or rest.strip("0"):
            raise self.error(column, "a whole number")
        if not least <= int(whole) <= most:
            raise self.error(column, f"a number of {least} to {most}")
        return int(whole)

    def order_id(self, column: str) -> int:
        """Return an order's number, 0 if the value is empty."""
        return self.number(column, ORDER_ID_MAX) if self.values[column] else 0

    def size(self, column: str) -> int:
        """Return a size above 0."""
        return self.number(column, SIZE_MAX, least=1)

    def word(self, column: str, meanings: Mapping[str, str]) -> str:
        """Return what a value means, by its upper case."""
        meaning = meanings.get(self.values[column].upper())
        if meaning is None:
            raise self.error(column, "one of " + ", ".join(meanings))
        return meaning

    def minute(self, column: str) -> int:
        """Return the minute of the day of a time: with colons, or as HHMMSS and more digits."""
        text = self.values[column]
        match = _TIME.fullmatch(text)
        if match is not None:
            return int(match[1]) * 60 + int(match[2])
        digits = clock_digits(text) if text.isascii() and text.isdigit() else ""
        if not digits or int(digits[:2]) > 23 or int(digits[2:4]) > 59:
            raise self.error(column, "a time such as 09:30:00 or 093000000")
        return int(digits[:2]) * 60 + int(digits[2:4])


class PriceForm:
    """Reads prices; those without a point count in the last of `decimals` decimals.

    Where that matters (`decimals` above 0) a file has either prices with a point or without.
    """

    def __init__(self, decimals: int) -> None:
        self._decimals = decimals
        self._has_point: bool | None = None

    def price(self, record: Record, column: str) -> int:
        """Return a price above 0."""
        text = record.values[column]
        match = _PRICE.fullmatch(text)
        fraction = ((match["fraction"] or "") if match else "").rstrip("0")
        if match is None or len(fraction) > PRICE_DECIMALS:
            raise record.error(column, f"a price of at most {PRICE_DECIMALS} decimals")
        has_point = match["fraction"] is not None
        if self._decimals and self._has_point not in (None, has_point):
            form = "with a point" if self._has_point else "without a point"
            raise record.error(column, f"a price {form}, as those before")
        self._has_point = has_point
        decimals = 0 if has_point else self._decimals
        whole = int(match["whole"]) * 10 ** (PRICE_DECIMALS - decimals)
        price = whole + int(fraction.ljust(PRICE_DECIMALS, "0"))
        if price == 0:
            raise record.error(column, "a price above 0")
        return price


class FlowSource:
    """A file's lines as records.

    Parameters
    ----------
    lines : iterable of str
        The first names the columns. Case, blanks and marks in names don't count.
    decimals : int
        Those that prices without a point have; None for what the form says.
    symbol : str or None
        The instrument that is taken. Without one the file must have one only.
    """

    def __init__(
        self,
        lines: Iterable[str],
        decimals: int | None = None,
        symbol: str | None = None,
        number: int = 0,
    ) -> None:
        self._lines = iter(lines)
        self._names = [_plain(name) for name in next(self._lines, "").split(",")]
        self._symbol = symbol
        self._number = number
        self.decimals = decimals

    def price_form(self, decimals: int) -> PriceForm:
        """Return the form of prices, where `decimals` is the custom of the file's form."""
        return PriceForm(decimals if self.decimals is None else self.decimals)

    def has(self, column: str) -> bool:
        """Return whether the file has a column of a name."""
        return _plain(column) in self._names

    def records(
        self, columns: Mapping[str, Column], instrument: Sequence[str]
    ) -> Iterator[Record]:
        """Yield the records of one instrument.

        Raises
        ------
        ConversionError
            A column is missing, a line has another number of columns, or the instrument changes.
        """
        places = {name: self._place(name, column) for name, column in columns.items()}
        which = next((self._names.index(_plain(n)) for n in instrument if self.has(n)), None)
        if self._symbol is not None and which is None:
            raise self._header_error(f"expected a column {instrument[0]}, there is none")
        taken = self._symbol
        for line, text in enumerate(self._lines, 2):
            fields = [field.strip() for field in text.split(",")]
            if fields == [""]:
                continue
            if len(fields) != len(self._names):
                expected = f"expected {len(self._names)} columns, got {len(fields)}"
                raise ConversionError(expected, line, self._number)
            if which is not None and fields[which] != taken:
                if self._symbol is not None:
                    continue
                if taken is not None:
                    fault = f"expected {taken} only, got {fields[which][:40]!r}; --symbol picks one"
                    raise ConversionError(fault, line, self._number)
                taken = fields[which]
            yield Record(
                line,
                {name: "" if at is None else fields[at] for name, at in places.items()},
                self._number,
            )

    def numbered_records(
        self, columns: Mapping[str, Column], instrument: Sequence[str], number: str
    ) -> Iterator[tuple[int, Record]]:
        """Yield the records with the sequence number that a column has; it has to grow."""
        last = 0
        for record in self.records(columns, instrument):
            sequence = record.number(number, SIZE_MAX)
            if sequence <= last:
                raise record.error(number, f"more than {last}, the record before")
            last = sequence
            yield sequence, record

    def _place(self, name: str, column: Column) -> int | None:
        for each in (name, *column.other_names):
            if self._names.count(_plain(each)) > 1:
                raise self._header_error(f"expected each column once, got {each} twice")
            if self.has(each):
                return self._names.index(_plain(each))
        if column.is_needed:
            raise self._header_error(f"expected a column {name}, there is none")
        return None

    def _header_error(self, text: str) -> ConversionError:
        return ConversionError(text, 1, self._number)


def _plain(name: str) -> str:
    """A column's name without what spellings differ in."""
    return re.sub(r"[^a-z0-9]", "", name.lower().lstrip("\ufeff"))
