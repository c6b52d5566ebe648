"""From a year's bills to what a plan asks of a unit: hours, load, shares of heat, intensity."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal, localcontext

from msgspec import Struct

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up
from cea_exchange.domain.compliance.accounting.guidelines import GUIDELINES
from cea_exchange.domain.compliance.accounting.worksheet import Accounted

_PERCENT = Decimal(100)
_BASIS_POINTS = Decimal(10_000)

_COMPARED = {
    "cement": (("E",), "clinker."),
    "aluminium": (("E",), "aluminium"),
    "steel": (("E.iron", "E.sinter"), "iron"),
}


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
                if f"A.{fuel.id}" not in month:
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
    """Return the share of the boilers' heat of a year that came from biomass, in 0.01%.

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
        if f"A.{fuel}" not in month:
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


def intensity(year: Sequence[Accounted]) -> Decimal:
    """Return what a plant emitted for a tonne of its product in a year, unrounded.

    Notes
    -----
    Rules: CEA-CEM-07, CEA-PLN-18, CEA-PLN-20.
    """
    sector = year[0].sector
    emitted_names, product_name = _COMPARED[sector]
    with localcontext(EXACT):
        emitted = product = Decimal(0)
        for bill in year:
            emitted += sum((bill[name] for name in emitted_names if name in bill), Decimal(0))
            for quantity in bill.quantities:
                if quantity.name == product_name or (
                    product_name.endswith(".") and quantity.name.startswith(product_name)
                ):
                    product += quantity.value
        if product <= 0:
            raise ValueError(f"{sector}: expected a product above 0 t, got {product}")
        return emitted / product


def carbide_slag_bp(year: Sequence[Accounted]) -> int:
    """Return which part of a line's lime carbide slag replaced, in 0.01%, rounded up.

    Notes
    -----
    Rounded up, a share is above a whole number of hundredths exactly where the unrounded one is.

    Rules: CEA-CEM-06.
    """
    slag = lime = Decimal(0)
    with localcontext(EXACT):
        for bill in year:
            lime += bill["lime"]
            if "substitute.carbide_slag" in bill:
                slag += bill["substitute.carbide_slag"] * bill["EF.carbide_slag"]
        if lime <= 0:
            raise ValueError(f"lime: expected above 0 tCO2 in the year, got {lime}")
        share = slag / lime * _BASIS_POINTS
    return int(share.to_integral_value(rounding=ROUND_CEILING))
