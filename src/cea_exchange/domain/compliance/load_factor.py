"""The factor by which a conventional coal unit that follows the load gets more: 1.048797 at 64%.

Powers and exponentials are computed in decimals of 50 digits and rounded half up; 50 digits decide
every value that can be asked for (a test holds all of them against 80).
"""

from decimal import ROUND_HALF_UP, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from cea_exchange.domain.compliance.ruled import DecimalText, Drafted
from cea_exchange.domain.ruled import BasisPoints

DIGITS = 50
Decimals = Annotated[int, Meta(ge=0, le=9)]


class PowerOfLoad(Drafted, frozen=True, kw_only=True, tag_field="form", tag="power"):
    """`base` to the power of `intercept - slope x load` below a load, else 1.

    Notes
    -----
    Rules: CEA-ALC-04.
    """

    base: DecimalText
    intercept: int
    slope: int
    below_bp: BasisPoints
    decimals: Decimals

    def at(self, load_bp: int, digits: int = DIGITS) -> Fraction:
        """Return the factor at a load in hundredths of a percent."""
        if load_bp >= self.below_bp:
            return Fraction(1)
        context = _context(digits)
        load = context.divide(Decimal(load_bp), Decimal(10_000))
        exponent = context.subtract(self.intercept, context.multiply(self.slope, load))
        return _rounded(context.power(Decimal(self.base), exponent), self.decimals)


class DecaysOfLoad(Drafted, frozen=True, kw_only=True, tag_field="form", tag="decays"):
    """`constant` less the sum of a(1 - e^(-load% / b)) below a load, else 1.

    Attributes
    ----------
    decays
        The pairs (a, b).

    Notes
    -----
    Rules: CEA-ALC-05.
    """

    constant: DecimalText
    decays: tuple[tuple[DecimalText, DecimalText], ...]
    below_bp: BasisPoints
    decimals: Decimals

    def at(self, load_bp: int, digits: int = DIGITS) -> Fraction:
        """Return the factor at a load in hundredths of a percent."""
        if load_bp >= self.below_bp:
            return Fraction(1)
        context = _context(digits)
        load_percent = context.divide(Decimal(load_bp), Decimal(100))
        factor = Decimal(self.constant)
        for size, length in self.decays:
            decay = context.exp(context.minus(context.divide(load_percent, Decimal(length))))
            gone = context.subtract(1, decay)
            factor = context.subtract(factor, context.multiply(Decimal(size), gone))
        return _rounded(factor, self.decimals)


class StepsOfLoad(Drafted, frozen=True, kw_only=True, tag_field="form", tag="steps"):
    """1 from a load on, below it in straight steps, below them `base` to a power as `PowerOfLoad`.

    Attributes
    ----------
    steps
        (from bp, to bp, factor at the upper end, what each percent below it adds).

    Notes
    -----
    Rules: CEA-PLN-09.
    """

    steps: tuple[tuple[BasisPoints, BasisPoints, DecimalText, DecimalText], ...]
    base: DecimalText
    intercept: int
    slope: int
    decimals: Decimals

    def at(self, load_bp: int, digits: int = DIGITS) -> Fraction:
        """Return the factor at a load in hundredths of a percent."""
        for least, most, factor, per_percent in self.steps:
            if load_bp >= most:
                return Fraction(1)
            if load_bp >= least:
                return Fraction(factor) + Fraction(per_percent) * (most - load_bp) / 100
        below = PowerOfLoad(
            rule=self.rule,
            base=self.base,
            intercept=self.intercept,
            slope=self.slope,
            below_bp=self.steps[-1][0],
            decimals=self.decimals,
        )
        return below.at(load_bp, digits)


LoadFactor = PowerOfLoad | DecaysOfLoad


def _context(digits: int) -> Context:
    """Return a context of our own: the thread's may have been changed by anybody."""
    return Context(prec=digits, traps=[InvalidOperation, DivisionByZero, Overflow])


def _rounded(value: Decimal, decimals: int) -> Fraction:
    step = Decimal(1).scaleb(-decimals)
    return Fraction(value.quantize(step, rounding=ROUND_HALF_UP, context=_context(DIGITS)))
