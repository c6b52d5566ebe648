"""Adds up what units emitted to what their entity did."""

from collections.abc import Iterable
from decimal import Decimal, localcontext

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up
from cea_exchange.domain.compliance.accounting.worksheet import Accounted
from cea_exchange.domain.compliance.ruled import Mark


class EntityAccount(Struct, frozen=True, kw_only=True):
    """What an entity emitted.

    Attributes
    ----------
    tonnes
        Whole tonnes, half up of the units' sum: what it owes.
    """

    tonnes: int
    exact: Decimal
    units: int
    marks: tuple[Mark, ...] = ()


def entity_emissions(units: Iterable[Accounted | Decimal]) -> EntityAccount:
    """Add up units of an entity, or months of a unit; rounded once, at the end.

    Notes
    -----
    Rules: CEA-PWR-04, CEA-PWR-25, CEA-STE-09.
    """
    total, count, marks = Decimal(0), 0, set[Mark]()
    with localcontext(EXACT):
        for unit in units:
            if isinstance(unit, Accounted):
                marks.update(unit.marks)
                unit = unit.emissions
            total += unit
            count += 1
        return EntityAccount(
            tonnes=int(half_up(total, 0)), exact=total, units=count, marks=tuple(sorted(marks))
        )
