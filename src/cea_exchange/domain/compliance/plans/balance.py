"""The balance value of a sector: at which its plants together are given what they emitted.

A plant whose intensity I is below the balance value BP gets more than it emitted, one above it
less: E(1 + a), where a = slope x (BP - I)/BP, the same on both sides from the limit on. The sum of
E x a is never smaller for a larger BP. Between two values at which a plant reaches the limit the
equation is linear in 1/BP, so that the solution is exact:

    slope x (E_mid - S_mid/BP) + most x (E_high - E_low) = 0,    S_mid the sum of E x I
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from cea_exchange.domain.compliance.plans.plan import IndustryYear
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.refusals import RegistryRefusal


def rate(balance: Fraction, intensity: Fraction, rules: IndustryYear) -> Fraction:
    """Return by which part of its emissions a plant gets more, or less.

    Notes
    -----
    Rules: CEA-PLN-17, CEA-PLN-19.
    """
    slope, limit = Fraction(rules.slope), Fraction(rules.limit)
    below = (balance - intensity) / balance
    return slope * max(-limit, min(limit, below))


def allowed(emissions: int, balance: Fraction, intensity: Fraction, rules: IndustryYear) -> int:
    """Return the tonnes of a plant, rounded down.

    Notes
    -----
    Rules: CEA-PLN-19.
    """
    return emissions * (1 + rate(balance, intensity, rules)) // 1


def balance_value(plants: Sequence[tuple[int, Decimal]], rules: IndustryYear) -> Fraction:
    """Return a sector's balance value, unrounded; the lowest where several solve the equation.

    Parameters
    ----------
    plants : sequence of (int, Decimal)
        Verified tonnes and intensity of each plant that is compared.
    rules : IndustryYear
        The year's slope and limit.

    Raises
    ------
    ComplianceError
        If no plant emitted anything, or an intensity is not positive.

    Notes
    -----
    Rules: CEA-PLN-21, CEA-PLN-22.
    """
    compared = [(tonnes, Fraction(intensity)) for tonnes, intensity in plants if tonnes]
    if not compared or any(intensity <= 0 for _tonnes, intensity in compared):
        raise ComplianceError(
            RegistryRefusal.AMOUNT_UNSOUND,
            f"plants: expected some that emitted, each of an intensity above 0, got {plants[:3]}",
        )
    limit = Fraction(rules.limit)
    corners = sorted(
        {i / (1 - limit) for _, i in compared} | {i / (1 + limit) for _, i in compared}
    )
    low, high = 0, len(corners) - 1
    while low < high:
        middle = (low + high) // 2
        if _excess(corners[middle], compared, limit) >= 0:
            high = middle
        else:
            low = middle + 1
    if low == 0:
        return corners[0]
    return _between(corners[low - 1], corners[low], compared, limit)


def _excess(balance: Fraction, plants: Sequence[tuple[int, Fraction]], limit: Fraction) -> Fraction:
    """Return how much more than they emitted all get, as a multiple of the slope."""
    above, below, middle, weighted = _parts(balance, plants, limit)
    return limit * (above - below) + middle - weighted / balance


def _between(
    lower: Fraction, upper: Fraction, plants: Sequence[tuple[int, Fraction]], limit: Fraction
) -> Fraction:
    """Solve the equation where it is linear in 1/BP; flat, its upper end is the first zero."""
    above, below, middle, weighted = _parts((lower + upper) / 2, plants, limit)
    return upper if middle == 0 else weighted / (middle + limit * (above - below))


def _parts(
    balance: Fraction, plants: Sequence[tuple[int, Fraction]], limit: Fraction
) -> tuple[int, int, int, Fraction]:
    """Return tonnes at the upper and the lower limit, those between, and their sum of E x I."""
    best, worst = balance * (1 - limit), balance * (1 + limit)
    above = below = middle = 0
    weighted = Fraction(0)
    for tonnes, intensity in plants:
        if intensity <= best:
            above += tonnes
        elif intensity >= worst:
            below += tonnes
        else:
            middle += tonnes
            weighted += tonnes * intensity
    return above, below, middle, weighted
