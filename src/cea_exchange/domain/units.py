"""Money and tonnes: exact integers inside, strict text outside.

Money is counted in fen (a hundredth of a yuan), prices in fen per tonne, quantities in whole tonnes
(CEA-PRD-01). Text is read by one strict form and written by one, so no binary fraction ever comes
near an amount.
"""

import re
from numbers import Integral
from operator import index
from typing import SupportsIndex

PRICE_FEN_MAX = 10_000_000
"""Highest price of an order, 100000.00 yuan (CEA-ORD-04)."""
AMOUNT_FEN_LIMIT = 1 << 60
"""Price x tonnes stays below this (CEA-ORD-04), so that sums of two fit 64 bits."""
TOTAL_LIMIT = 1 << 62
"""All cash, and a product's tonnes, stay below this (CEA-ORD-04)."""
INT64_MAX = (1 << 63) - 1

_MONEY_FORM = re.compile(r"([0-9]+)\.([0-9]{2})")


def whole_number(value: SupportsIndex, name: str, expected: str = "int") -> int:
    """Return the int that a whole number is, Python's or another library's, as ``numpy.int64``.

    Raises
    ------
    TypeError
        If it is none; True and False are none either. The error has its `name`, and what was
        `expected`.
    """
    if type(value) is int:
        return value
    if isinstance(value, Integral) and not isinstance(value, bool):
        return index(value)
    raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")


def int64_read(value: SupportsIndex, name: str) -> int:
    """Return a `whole_number` of 64 bits; ValueError if it has more."""
    number = whole_number(value, name)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{name}: expected at most 64 bits, got {number}")
    return number


def boolean(value: object, name: str) -> bool:
    """Return the bool that a yes or no is, Python's or numpy's; TypeError if it is none."""
    if type(value) is bool:
        return value
    # Late: who passes numpy's has it, and a command line that needs no array starts without.
    import numpy as np

    if isinstance(value, np.bool_):
        return bool(value)
    raise TypeError(f"{name}: expected bool, got {type(value).__name__}")


def _money_parse(text: str, name: str) -> int:
    if not isinstance(text, str):
        raise TypeError(f"{name}: expected str such as '97.49', got {type(text).__name__}")
    match = _MONEY_FORM.fullmatch(text)
    # The length guard comes first: Python refuses to convert thousands of digits at all.
    if match is None or len(text) > 64:
        raise ValueError(
            f"{name}: expected yuan with two decimals such as '97.49', got {text[:80]!r}"
        )
    fen = int(match[1]) * 100 + int(match[2])
    if fen == 0:
        raise ValueError(f"{name}: expected positive, got {text!r}")
    if fen > INT64_MAX:
        raise ValueError(f"{name}: expected at most 64 bits of fen, got {text!r}")
    return fen


def _money_format(fen: int, name: str) -> str:
    if type(fen) is not int:
        fen = whole_number(fen, name, "int (fen)")
    sign = "-" if fen < 0 else ""
    yuan, cents = divmod(abs(fen), 100)
    return f"{sign}{yuan}.{cents:02d}"


def price_parse(text: str) -> int:
    """Read a price in yuan per tonne as fen per tonne.

    Parameters
    ----------
    text : str
        Digits, a point, two digits: `97.49`. No sign, space, exponent or separator.

    Returns
    -------
    int
        Fen per tonne, positive, within 64 bits. Whether the market takes a price this high is the
        market's answer, not this function's.

    Raises
    ------
    TypeError
        If `text` is no str (a float above all).
    ValueError
        If the form is another, the value zero or beyond 64 bits.

    Notes
    -----
    Rules: CEA-ORD-01 (tick of 0.01 yuan).
    """
    return _money_parse(text, "price")


def price_format(price: int) -> str:
    """Write fen per tonne as yuan per tonne: 9749 gives `97.49`."""
    return _money_format(price, "price")


def cash_parse(text: str) -> int:
    """Read an amount in yuan as fen; the same form and errors as `price_parse`."""
    return _money_parse(text, "cash")


def cash_format(cash: int) -> str:
    """Write fen as yuan: 100 gives `1.00`."""
    return _money_format(cash, "cash")


def tonnes_capped(tonnes: int) -> int:
    """Return tonnes as messages and bulletins have room to tell them: at most 2^63 - 1."""
    return min(tonnes, INT64_MAX)


def fen_of(text: str) -> int:
    """Return the fen of an amount or price that `cash_format` or `price_format` has written."""
    return int(text.replace(".", ""))


def tonnes_check(tonnes: int, name: str) -> int:
    """Return whole tonnes, zero or more; `name` names them in errors.

    Raises
    ------
    TypeError
        If they are no int.
    ValueError
        If they are negative, or reach what no product may have.

    Notes
    -----
    Rules: CEA-PRD-01, CEA-ORD-04.
    """
    tonnes = whole_number(tonnes, name, "int (tonnes)")
    if not 0 <= tonnes < TOTAL_LIMIT:
        raise ValueError(f"{name}: expected within 0..2^62 - 1 t, got {tonnes}")
    return tonnes
