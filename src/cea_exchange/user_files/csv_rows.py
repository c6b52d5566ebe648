"""Rows of a CSV file that a person named, by their columns."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from cea_exchange.user_files.formats import FormatError
from cea_exchange.user_files.opening import UserFileError

ROWS_MAX = 100_000
"""Auctions, bids or days: 100,000 bids take some 40 MB of memory."""
ROW_LINES_MAX = 1_000
"""Of one row, as a quoted field may go on in the next line."""


class CsvRows:
    """Rows of CSV with a header, strictly: quotes in pairs, each column once, no field too many.

    Parameters
    ----------
    lines : iterable of str
        With their ends, or without.
    rows_max : int
        How many rows there may be.
    may_be_short : bool
        Fields that a row lacks at its end are empty; else it is refused.
    """

    def __init__(
        self, lines: Iterable[str], rows_max: int = ROWS_MAX, *, may_be_short: bool = False
    ) -> None:
        self._row_lines = 0
        self._may_be_short = may_be_short
        self._rows_max = rows_max
        self._reader = csv.reader(self._counted(lines), strict=True)
        self._rows = self._read()

    @property
    def line(self) -> int:
        """Return the line that was read last, from 1."""
        return max(1, self._reader.line_num)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Return the header; FormatError if it has a name twice."""
        columns = tuple(next(self._rows, ()))
        counts = Counter(name for name in columns if name.strip())
        for name, count in counts.most_common(1):
            if count > 1:
                raise FormatError(f"expected each column once, got {name[:80]!r} twice")
        return columns

    def columns_check(self, expected: Sequence[str]) -> None:
        """Raise FormatError unless the columns are these, in their order."""
        if self.columns != tuple(expected):
            got = ",".join(self.columns)
            raise FormatError(f"expected columns {','.join(expected)}, got {got[:80]!r}")

    @contextmanager
    def errors_placed(self, place: str = "") -> Iterator[None]:
        """Let an error of a row say its line, behind a place such as ``bids.csv:``."""
        try:
            yield
        except UserFileError:
            raise  # it names the file and the line already
        except (TypeError, ValueError) as error:
            raise FormatError(f"{place}{self.line}: {error}") from error

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Yield each row that is not blank."""
        columns = self.columns
        for count, fields in enumerate(self._rows, 1):
            if count > self._rows_max:
                raise FormatError(f"expected at most {self._rows_max} rows, got more")
            lacking = len(columns) - len(fields)
            if lacking < 0 or (lacking and not self._may_be_short):
                raise FormatError(f"expected {len(columns)} fields, got {len(fields)}")
            yield dict(zip(columns, fields + [""] * lacking, strict=True))

    def _read(self) -> Iterator[list[str]]:
        try:
            for fields in self._reader:
                self._row_lines = 0
                if fields:
                    yield fields
        except csv.Error as error:
            raise FormatError(f"expected CSV, {error}") from None

    def _counted(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._row_lines += 1
            if self._row_lines > ROW_LINES_MAX:
                raise FormatError(f"expected at most {ROW_LINES_MAX} lines in a row, got more")
            yield line
