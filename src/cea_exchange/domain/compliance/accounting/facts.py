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


def heat_shares(
    months: Sequence[Accounted], concluded: Mapping[str, Decimal] = AS_FILED
) -> HeatShares:
    """Return which part of a power unit's heat came from which kind of fuel.

    Parameters
    ----------
    concluded : mapping of str to Decimal, optional
        ``heat.FUEL`` -> GJ of the year, where a verifier concluded another than its months' sum.

    Raises
    ------
    ValueError
        If the heat of some fuel is not known, as no calorific value was filed.

    Notes
    -----
    Rules: CEA-PWR-24, CEA-PLN-01, CEA-VER-16.
    """
    fuels = GUIDELINES["power"].fuels
    heat: dict[str | None, Decimal] = {}
    with localcontext(EXACT):
        for fuel, of_it in heat_of_fuels(months, concluded).items():
            kind = fuels[fuel].kind
            heat[kind] = heat.get(kind, Decimal(0)) + of_it
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


def heat_of_fuels(
    months: Sequence[Accounted], concluded: Mapping[str, Decimal] = AS_FILED
) -> dict[str, Decimal]:
    """Return fuel -> GJ that it had in a year, of those that a unit burnt.

    Raises
    ------
    ValueError
        If the heat of one is not known, as no calorific value was filed.
    """
    found: dict[str, Decimal] = {}
    for fuel in GUIDELINES["power"].fuels:
        name = f"heat.{fuel}"
        burnt = [month for month in months if _had(month, f"A.{fuel}")]
        if name not in concluded and any(name not in month for month in burnt):
            raise ValueError(f"C.{fuel}: expected in every month, got none")
        if heat := _of_year(burnt, name, concluded):
            found[fuel] = heat
    return found


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


def biomass_bp(
    months: Sequence[Accounted], concluded: Mapping[str, Decimal] = AS_FILED
) -> int:
    """Return the share of the boilers' heat of a year that biomass gave, in 0.01%.

    A month without boiler heat burnt fossil fuel only. Where the boilers gave no more heat than
    their fossil fuel has, there was none. A verifier may have concluded ``heat.biomass``, GJ.

    Notes
    -----
    Rules: CEA-PWR-16, CEA-PLN-02, CEA-PLN-03, CEA-VER-16.
    """
    with localcontext(EXACT):
        biomass = _of_year(months, "heat.biomass", concluded)
        if biomass <= 0:
            return 0
        fossil = _fossil_heat(months, concluded)
        return int(half_up(biomass / (biomass + fossil) * _BASIS_POINTS, 0))


def own_secondary_bp(
    months: Sequence[Accounted], concluded: Mapping[str, Decimal] = AS_FILED
) -> int:
    """Return which part of a year's fossil heat the works' own coke and gas had, in 0.01%.

    A verifier may have concluded that heat otherwise: ``heat.own``, GJ.

    Notes
    -----
    Rules: CEA-PWR-17, CEA-PLN-02, CEA-PLN-03, CEA-VER-16.
    """
    own = _of_year(months, "heat.own", concluded)
    if not own:
        return 0
    return int(secondary_share(own, _fossil_heat(months, concluded)) * 100)


def _fossil_heat(months: Sequence[Accounted], concluded: Mapping[str, Decimal]) -> Decimal:
    if any(f"heat.{fuel}" in concluded for fuel in GUIDELINES["power"].fuels):
        return sum(heat_of_fuels(months, concluded).values(), Decimal(0))
    noted = sum((month["K"] for month in months if "K" in month), Decimal(0))
    others = [month for month in months if "K" not in month]
    return noted + sum(heat_of_fuels(others).values(), Decimal(0))


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
