"""A nation's clean year of filings, from one seed."""

from typing import NamedTuple

from cea_exchange.domain.compliance.plausibility import Filed, UnitFacts
from cea_exchange.year.nation.members import NATION
from cea_exchange.year.nation.plants import Draw, aluminium, cement, power_units, steel

YEAR = 2025


class Nation(NamedTuple):
    """Units and what they filed."""

    units: list[UnitFacts]
    filed: list[Filed]


def nation(seed: int, scale: int = 1) -> Nation:
    """Return a nation's year; with a scale of 10 a tenth of it."""
    draw = Draw(seed)
    made = [
        each for number in range(NATION.power // scale) for each in power_units(draw, number, YEAR)
    ]
    industries = ((cement, NATION.cement), (steel, NATION.steel), (aluminium, NATION.aluminium))
    for make, count in industries:
        made += [make(draw, number, YEAR) for number in range(count // scale)]
    return Nation([facts for facts, _ in made], [each for _, filed in made for each in filed])
