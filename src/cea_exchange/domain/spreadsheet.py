"""Cells as spreadsheets and data frames write them: binary fractions that stand for decimals.

A program that keeps 19.58 in binary may write 19.579999999999998, and 4000000 as 4E+06. What such a
cell means is certain, for nothing else with so few decimals lies near; that it was not written so
is worth a warning all the same.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

DECIMALS = 2
SIGNIFICANT_DIGITS_MIN = 15
"""A decimal of fewer digits comes back as it was; only what has more can be a binary fraction's."""
PRECISION = Decimal("1e-9")
"""How far off, of the number or of 1, a cell may be: some sums, but nothing anybody wrote."""
CELL_LENGTH_MAX = 40
EXPONENT_MAX = 18
_FRACTION = re.compile(r"[0-9]+\.[0-9]{3,}")
_POWER = re.compile(r"[0-9](?:\.[0-9]+)?[eE][+-]?[0-9]{1,2}")


def meant(text: str) -> str | None:
    """Return the decimal that a binary fraction's text stands for; None if it is no such text."""
    if len(text) > CELL_LENGTH_MAX:
        return None
    is_power = _POWER.fullmatch(text) is not None
    if not is_power and _FRACTION.fullmatch(text) is None:
        return None
    number = Decimal(text)
    if number.adjusted() > EXPONENT_MAX:
        return None
    nearest = number.quantize(Decimal(1).scaleb(-DECIMALS))
    off = abs(number - nearest)
    digits = len(text.replace(".", "").strip("0"))
    if off > PRECISION * max(Decimal(1), number) or (off == 0 and not is_power):
        return None
    if not is_power and digits < SIGNIFICANT_DIGITS_MIN:
        return None
    return str(nearest)


class CellsMended:
    """Puts decimals into the place of binary fractions, and knows that it did.

    Attributes
    ----------
    count : int
    first : str or None
        Line, column, what the first one was, and what it was read as.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first: str | None = None

    def mend(self, row: dict[str, str], columns: Iterable[str], line: int) -> None:
        """Change a row's cells to what they mean."""
        for column in columns:
            text = (row.get(column) or "").strip()
            decimal = meant(text)
            if decimal is None:
                continue
            row[column] = decimal
            self.count += 1
            if self.first is None:
                self.first = f"{line}: {column}: {text} is read as {decimal}"

    def warning(self, path: object) -> str | None:
        """Return what a user should know of a file, None if nothing was changed."""
        if self.first is None:
            return None
        more = f" (the first of {self.count})" if self.count > 1 else ""
        return f"{path}:{self.first}, as a spreadsheet means it{more}"
