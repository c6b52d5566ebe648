"""Decimals that no thread's settings change: 50 digits, half up."""

from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

EXACT = Context(prec=50, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
"""A figure has 12 digits at most, so sums of products of four are exact in it."""

_UNITS = tuple(Decimal(1).scaleb(-decimals) for decimals in range(16))
"""What a value of so many decimals is counted in."""

CARBON_TO_DIOXIDE = (Decimal(44), Decimal(12))
"""Tonnes of CO2 for tonnes of carbon."""


def half_up(value: Decimal, decimals: int) -> Decimal:
    """Return a value rounded half up to so many decimals."""
    return value.quantize(_UNITS[decimals], context=EXACT)


def dioxide(carbon: Decimal) -> Decimal:
    """Return the tonnes of CO2 that so many tonnes of carbon give."""
    over, under = CARBON_TO_DIOXIDE
    return EXACT.divide(EXACT.multiply(carbon, over), under)
