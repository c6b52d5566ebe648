"""From a year's bills to what a plan asks of a unit: hours, load, shares of heat, intensity."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal, localcontext
from types import MappingProxyType

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up
from cea_exchange.domain.compliance.accounting.guidelines import GUIDELINES
from cea_exchange.domain.compliance.accounting.worksheet import Accounted

_PERCENT = Decimal(100)
_BASIS_POINTS = Decimal(10_000)

AS_FILED: Mapping[str, Decimal] = MappingProxyType({})
"""Nothing was concluded otherwise than the months have it."""
CLINKER, CARBIDE_SLAG = "clinker", "carbide_slag"


class Generator(Struct, frozen=True, kw_only=True):
    """A generator of a unit: its rating and its hours, with those of a standby that stood in."""

    capacity: Decimal
    hours: Decimal


class HeatShares(Struct, frozen=True, kw_only=True):
    """Shares of a year's fossil heat by kind of fuel, in hundredths of a percent."""

    conventional_bp: int
    unconventional_bp: int
    gas_bp: int


def merged_hours(generators: Sequence[Generator]) -> Decimal:
    """Return O of generators that report as one: their hours, weighted by capacity.

    Notes
    -----
    Rules: CEA-PWR-22.
    """
    with localcontext(EXACT):
        capacity = sum((each.capacity for each in generators), Decimal(0))
        if capacity <= 0:
            raise ValueError(f"generators: expected a capacity above 0 MW, got {capacity}")
        hours = sum((each.capacity * each.hours for each in generators), Decimal(0))
        return half_up(hours / capacity, 2)


def load(generated: Decimal, capacity: Decimal, hours: Decimal) -> Decimal:
    """Return P, the load in percent.

    Notes
    -----
    Rules: CEA-PWR-22.
    """
    with localcontext(EXACT):
        if capacity * hours <= 0:
            raise ValueError(f"capacity x hours: expected above 0, got {capacity} x {hours}")
        return half_up(generated / (capacity * hours) * _PERCENT, 2)


def heat_shares(months: Sequence[Accounted]) -> HeatShares:
    """Return which part of a power unit's heat came from which kind of fuel.

    Raises
    ------
    ValueError
        If the heat of some fuel is not known, as no calorific value was filed.

    Notes
    -----
    Rules: CEA-PWR-24, CEA-PLN-01.
    """
    fuels = GUIDELINES["power"].fuels
    heat: dict[str | None, Decimal] = {}
    with localcontext(EXACT):
        for month in months:
            for fuel in fuels.values():
                if not _had(month, f"A.{fuel.id}"):
                    continue
                if f"heat.{fuel.id}" not in month:
                    raise ValueError(f"C.{fuel.id}: expected in every month, got none")
                heat[fuel.kind] = heat.get(fuel.kind, Decimal(0)) + month[f"heat.{fuel.id}"]
        total = sum(heat.values(), Decimal(0))
        if total <= 0:
            raise ValueError("heat: expected above 0 GJ in the year, got none")
        unconventional, gas = (
            int(half_up(heat.get(kind, Decimal(0)) / total * _BASIS_POINTS, 0))
            for kind in ("unconventional", "gas")
        )
        conventional = int(half_up(heat.get("conventional", Decimal(0)) / total * _BASIS_POINTS, 0))
    return HeatShares(
        conventional_bp=min(conventional, 10_000 - unconventional - gas),
        unconventional_bp=unconventional,
        gas_bp=gas,
    )


def _had(month: Accounted, quantity: str) -> Decimal:
    """Return a quantity of a month, 0 where it has none."""
    return _of_year((month,), quantity, AS_FILED)


def heat_supply_bp(supplied: Decimal, fed: Decimal) -> int:
    """Return which part of the turbine's heat was supplied as heat (供热比), in 0.01%.

    Parameters
    ----------
    supplied, fed : Decimal
        GJ supplied, and fed to the turbine and past it to who is supplied.

    Notes
    -----
    Rules: CEA-PWR-23, CEA-PLN-08.
    """
    if not supplied:
        return 0
    if not 0 < supplied <= fed:
        raise ValueError(f"turbine_heat: expected {supplied} GJ or more, got {fed} (CEA-PWR-23)")
    with localcontext(EXACT):
        return int(half_up(supplied / fed * _BASIS_POINTS, 0))


def biomass_bp(months: Sequence[Accounted]) -> int:
    """Return the share of the boilers' heat of a year that biomass gave, in 0.01%.

    A month without boiler heat burnt fossil fuel only. Where the boilers gave no more heat than
    their fossil fuel has, there was none.

    Notes
    -----
    Rules: CEA-PWR-16, CEA-PLN-02, CEA-PLN-03.
    """
    if not any("L" in month for month in months):
        return 0
    fed = fossil = Decimal(0)
    with localcontext(EXACT):
        for month in months:
            own = _fossil_heat(month)
            fossil += own
            fed += month["J"] / (month["I"] / _PERCENT) if "L" in month else own
        return max(0, int(half_up((fed - fossil) / fed * _BASIS_POINTS, 0)))


def own_secondary_bp(months: Sequence[Accounted]) -> int:
    """Return which part of a year's fossil heat the works' own coke and gas had, in 0.01%.

    Notes
    -----
    Rules: CEA-PWR-17, CEA-PLN-02, CEA-PLN-03.
    """
    own = sum((month["heat.own"] for month in months if "heat.own" in month), Decimal(0))
    if not own:
        return 0
    share = secondary_share(own, sum(map(_fossil_heat, months), Decimal(0)))
    return int(share * 100)


def _fossil_heat(month: Accounted) -> Decimal:
    if "K" in month:
        return month["K"]
    heat = Decimal(0)
    for fuel in GUIDELINES["power"].fuels:
        if not _had(month, f"A.{fuel}"):
            continue
        if f"heat.{fuel}" not in month:
            raise ValueError(f"C.{fuel}: expected in every month, got none")
        heat += month[f"heat.{fuel}"]
    return heat


def secondary_share(own_heat: Decimal, fossil_heat: Decimal) -> Decimal:
    """Return the share of self-made coke and gas in the fossil heat, in percent.

    Notes
    -----
    Rules: CEA-PWR-17.
    """
    with localcontext(EXACT):
        if not 0 <= own_heat <= fossil_heat or fossil_heat == 0:
            raise ValueError(f"own heat: expected within 0..{fossil_heat} GJ, got {own_heat}")
        return half_up(own_heat / fossil_heat * _PERCENT, 2)


def intensity(
    year: Sequence[Accounted],
    concluded: Mapping[str, Decimal] = AS_FILED,
    emitted: Decimal | None = None,
) -> Decimal:
    """Return what a plant emitted for a tonne of its product in a year, unrounded.

    Parameters
    ----------
    year : sequence of Accounted
        The bills of its months.
    concluded : mapping of str to Decimal, optional
        Quantity -> what a verifier concluded of the year, where that is not its months' sum: tonnes
        of product, and of steel ``E.iron`` and ``E.sinter``, tonnes of CO2.
    emitted : Decimal, optional
        What he concluded that the plant emitted; steel compares iron and sinter only.

    Raises
    ------
    ValueError
        If it made nothing or emitted nothing by it, or of steel a month doesn't tell its iron or
        what making it emitted.

    Notes
    -----
    Rules: CEA-CEM-07, CEA-PLN-18, CEA-PLN-20, CEA-VER-10.
    """
    sector = year[0].sector
    with localcontext(EXACT):
        if sector == "steel":
            _iron_check(year, concluded)
            emitted = _of_year(year, "E.iron", concluded) + _of_year(year, "E.sinter", concluded)
            product = _of_year(year, "iron", concluded)
        else:
            emitted = _of_year(year, "E", AS_FILED) if emitted is None else emitted
            made = clinker_made(year, concluded).values()
            product = (
                sum(made, Decimal(0))
                if sector == "cement"
                else _of_year(year, "aluminium", concluded)
            )
        if product <= 0 or emitted <= 0:
            raise ValueError(
                f"{sector}: expected a product above 0 t and emissions above 0 tCO2, got"
                f" {product} t and {emitted} tCO2"
            )
        return emitted / product


def _iron_check(year: Sequence[Accounted], concluded: Mapping[str, Decimal]) -> None:
    """Refuse a year in which some month doesn't tell what is compared."""
    for bill in year:
        needed = ["iron"]
        needed += [f"E.{each}" for each in ("iron", "sinter") if _had(bill, each)]
        for name in needed:
            if name not in bill and name not in concluded:
                raise ValueError(f"{name}: expected in every month, got none (CEA-PLN-20)")


def _of_year(year: Sequence[Accounted], name: str, concluded: Mapping[str, Decimal]) -> Decimal:
    """Return a quantity of the year: as it was concluded, or its months' sum."""
    if name in concluded:
        return concluded[name]
    return sum((bill[name] for bill in year if name in bill), Decimal(0))


def clinker_made(
    year: Sequence[Accounted], concluded: Mapping[str, Decimal] = AS_FILED
) -> dict[str, Decimal]:
    """Return kind of clinker -> tonnes that a line made of it in a year; none of what it didn't.

    Notes
    -----
    Rules: CEA-PLN-04, CEA-PLN-17.
    """
    made = {
        kind: _of_year(year, name, concluded)
        for kind, name in GUIDELINES["cement"].quantities[CLINKER]
    }
    return {kind: tonnes for kind, tonnes in made.items() if tonnes}


def carbide_slag_bp(
    year: Sequence[Accounted], concluded: Mapping[str, Decimal] = AS_FILED
) -> int:
    """Return which part of a line's lime carbide slag replaced, in 0.01%, rounded up; 0 of no lime.

    Notes
    -----
    Rounded up, a share is above a whole number of hundredths exactly where the unrounded one is.

    Rules: CEA-CEM-06, CEA-VER-10.
    """
    with localcontext(EXACT):
        lime = sum(
            (tonnes * _factor(kind) for kind, tonnes in clinker_made(year, concluded).items()),
            Decimal(0),
        )
        slag = _of_year(year, f"substitute.{CARBIDE_SLAG}", concluded) * _factor(CARBIDE_SLAG)
        share = slag / lime * _BASIS_POINTS if lime else Decimal(0)
    return int(share.to_integral_value(rounding=ROUND_CEILING))


def _factor(material: str) -> Decimal:
    return Decimal(GUIDELINES["cement"].materials[material].factor)
