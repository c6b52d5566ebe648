"""Accounts a unit by the method of its sector: one call for all of them."""

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext

from cea_exchange.domain.compliance.accounting.aluminium import aluminium
from cea_exchange.domain.compliance.accounting.cement import cement
from cea_exchange.domain.compliance.accounting.exact import EXACT
from cea_exchange.domain.compliance.accounting.figures import Fault, Figure, FiguresError, checked
from cea_exchange.domain.compliance.accounting.guidelines import (
    FIRST_YEAR,
    GUIDELINES,
    NEWEST_YEAR,
)
from cea_exchange.domain.compliance.accounting.power import power
from cea_exchange.domain.compliance.accounting.steel import steel
from cea_exchange.domain.compliance.accounting.worksheet import Accounted, Worksheet

_METHODS: Mapping[str, Callable[[Worksheet], Decimal]] = {
    "power": power,
    "steel": steel,
    "cement": cement,
    "aluminium": aluminium,
}


def emissions(
    sector: str, figures: Mapping[str, Decimal | Figure], *, year: int = NEWEST_YEAR
) -> Accounted:
    """Return what a unit emitted in a month or a year, with every quantity on the way.

    Parameters
    ----------
    sector : str
        ``power``, ``cement``, ``aluminium`` or ``steel``.
    figures : mapping of str to Decimal or Figure
        Parameter id -> value; `PARAMETERS` has what each sector knows.
    year : int
        The compliance year, whose defaults and factors stand.

    Raises
    ------
    FiguresError
        With every fault of the figures; nothing is computed from unsound ones.
    """
    guideline = GUIDELINES.get(sector)
    if guideline is None:
        known = ", ".join(GUIDELINES)
        words = f"expected one of {known}, got {sector!r}"
        raise FiguresError((Fault(kind="unknown", parameter="sector", words=words),))
    if not FIRST_YEAR <= year <= NEWEST_YEAR:
        words = f"expected within {FIRST_YEAR}..{NEWEST_YEAR}, got {year}"
        raise FiguresError((Fault(kind="unknown", parameter="year", words=words),))
    with localcontext(EXACT):
        sheet = Worksheet(guideline, year, checked(guideline, figures, year))
        return sheet.result(_METHODS[sector](sheet))
