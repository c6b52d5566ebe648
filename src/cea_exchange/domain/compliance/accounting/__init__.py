"""What a unit emitted, from what it burnt, fed and made, so that anybody can check the bill.

    >>> from decimal import Decimal
    >>> from cea_exchange.domain.compliance.accounting import emissions
    >>> july = emissions("power", {
    ...     "A.bituminous": Decimal("125000.00"), "B.bituminous": Decimal("0.5432"),
    ...     "E.bituminous": Decimal("99"),
    ... }, year=2025)
    >>> july.emissions
    Decimal('246477.00')

A sector is a file of parameters (unit, range, decimals, default, source, rule) and a short function
over them. Decimals throughout: sums and products are exact, what a guideline rounds is rounded half
up, and a quotient has 50 digits.
"""

from cea_exchange.domain.compliance.accounting.entities import EntityAccount, entity_emissions
from cea_exchange.domain.compliance.accounting.figures import Fault, Figure, FiguresError
from cea_exchange.domain.compliance.accounting.guidelines import (
    GUIDELINES,
    PARAMETERS,
    Guideline,
    Parameter,
)
from cea_exchange.domain.compliance.accounting.sectors import emissions
from cea_exchange.domain.compliance.accounting.worksheet import Accounted, Quantity

__all__ = [
    "GUIDELINES",
    "PARAMETERS",
    "Accounted",
    "EntityAccount",
    "Fault",
    "Figure",
    "FiguresError",
    "Guideline",
    "Parameter",
    "Quantity",
    "emissions",
    "entity_emissions",
]
