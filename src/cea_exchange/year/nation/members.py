"""Who a nation is: so many enterprises of each sector, each with a year of its own."""

from collections.abc import Iterator
from typing import NamedTuple

from cea_exchange.domain.compliance.allocation import Sector
from cea_exchange.year.nation.enterprises import (
    EnterpriseYear,
    credit_code,
    enterprise_made,
    province_of,
)
from cea_exchange.year.nation.plants import (
    Draw,
    Made,
    aluminium,
    cement,
    power_capacity,
    power_unit_names,
    power_units,
    steel,
)


class Sizes(NamedTuple):
    """How many enterprises a nation has of each sector."""

    power: int
    steel: int
    cement: int
    aluminium: int


NATION = Sizes(power=2087, steel=232, cement=962, aluminium=97)
"""The 3,378 of 2024."""


class Member(NamedTuple):
    """An enterprise before its year is drawn.

    Attributes
    ----------
    place
        Among all, from 1, in the order of names.
    number
        Within its sector: what it is made of follows from it.
    """

    name: str
    place: int
    sector: Sector
    number: int

    @property
    def province(self) -> int:
        """Return its province's code."""
        return province_of(self.place)

    @property
    def credit_code(self) -> str:
        """Return its unified social credit code."""
        return credit_code(self.place)

    def units(self) -> dict[str, str]:
        """Return unit -> the facts that the platform keeps of it, as JSON."""
        if self.sector != "power":
            return {self.name: "{}"}
        rated_kw = 1_000 * power_capacity(self.number)
        return dict.fromkeys(power_unit_names(self.number), f'{{"rated_kw": [{rated_kw}]}}')


def sizes_of(entities: int, *, is_power_only: bool = False) -> Sizes:
    """Return so many enterprises, of sectors as in 2024, or of power only.

    What does not divide goes to the sectors that would lose most.

    Examples
    --------
    >>> sizes_of(50)
    Sizes(power=31, steel=4, cement=14, aluminium=1)
    """
    if is_power_only:
        return Sizes(entities, 0, 0, 0)
    whole = sum(NATION)
    parts = [entities * size // whole for size in NATION]
    lost = [entities * size % whole for size in NATION]
    by_loss = sorted(range(len(parts)), key=lambda sector: (-lost[sector], sector))
    for sector in by_loss[: entities - sum(parts)]:
        parts[sector] += 1
    return Sizes(*parts)


def members(sizes: Sizes) -> list[Member]:
    """Return a nation's enterprises by name."""
    sectors: tuple[tuple[Sector, str, int], ...] = (
        ("power", "P", sizes.power),
        ("steel", "S", sizes.steel),
        ("cement", "C", sizes.cement),
        ("aluminium", "A", sizes.aluminium),
    )
    named = sorted(
        (f"{letter}{number:04}", sector, number)
        for sector, letter, count in sectors
        for number in range(count)
    )
    return [
        Member(name, place, sector, number)
        for place, (name, sector, number) in enumerate(named, start=1)
    ]


def enterprise_year(seed: int, member: Member, year: int) -> EnterpriseYear:
    """Return an enterprise's year, whatever else has been drawn.

    Parameters
    ----------
    seed
        Of the nation.
    """
    # Each has numbers of its own: a year that was stopped goes on with any of them.
    draw = Draw(f"{seed} {year} {member.name}")
    filed = (each for _, months in _made(draw, member, year) for each in months)
    return enterprise_made(member.name, member.place, member.sector, filed)


def _made(draw: Draw, member: Member, year: int) -> Iterator[Made]:
    match member.sector:
        case "power":
            yield from power_units(draw, member.number, year)
        case "steel":
            yield steel(draw, member.number, year)
        case "cement":
            yield cement(draw, member.number, year)
        case "aluminium":
            yield aluminium(draw, member.number, year)
