"""Heat that a power unit supplies, from meters of steam and water (GJ, half up to 0.01)."""

from decimal import Decimal, localcontext

from cea_exchange.domain.compliance.accounting.exact import EXACT, half_up

_KJ = Decimal(1000)
WATER_AT_20 = Decimal("83.74")
"""kJ/kg of what comes back, or is made up, where its own is not known."""
WATER_HEAT = Decimal("4.1868")
"""kJ/kg for a degree."""
EXCHANGER = Decimal("0.95")
"""What of the steam's heat an exchanger without meter passes on."""


def steam(
    tonnes: Decimal,
    enthalpy: Decimal,
    *,
    returned: tuple[Decimal, Decimal] | None = None,
    made_up: tuple[Decimal, Decimal] | None = None,
) -> Decimal:
    """Return the heat of steam that is supplied directly.

    Parameters
    ----------
    tonnes, enthalpy : Decimal
        Of the steam; enthalpy in kJ/kg.
    returned, made_up : (Decimal, Decimal), optional
        Tonnes and enthalpy of the condensate that came back and of the water made up. Without both
        the steam is counted above water of 20 degrees.

    Notes
    -----
    Rules: CEA-PWR-19, CEA-PWR-21.
    """
    with localcontext(EXACT):
        if returned is None or made_up is None:
            return half_up(tonnes * (enthalpy - WATER_AT_20) / _KJ, 2)
        back = returned[0] * returned[1] + made_up[0] * made_up[1]
        return half_up((tonnes * enthalpy - back) / _KJ, 2)


def exchanged(
    *,
    steam_tonnes: Decimal | None = None,
    enthalpy: Decimal = Decimal(0),
    drained: Decimal = Decimal(0),
    net_water: Decimal | None = None,
) -> Decimal:
    """Return the heat of steam that gave it to a net of water.

    Parameters
    ----------
    steam_tonnes, enthalpy, drained : Decimal
        The steam, its enthalpy and that of its drain (kJ/kg), where it is metered.
    net_water : Decimal
        Heat of the net's water (GJ), where it is not.

    Notes
    -----
    Rules: CEA-PWR-20.
    """
    with localcontext(EXACT):
        if steam_tonnes is not None:
            return half_up(steam_tonnes * (enthalpy - drained) / _KJ, 2)
        if net_water is None:
            raise ValueError("heat: expected that of the steam or of the net's water, got neither")
        return half_up(net_water / EXCHANGER, 2)


def hot_water(tonnes: Decimal, degrees: Decimal) -> Decimal:
    """Return the heat of water of so many degrees Celsius above water of 20.

    Notes
    -----
    Rules: CEA-PWR-20.
    """
    with localcontext(EXACT):
        return half_up(tonnes * (degrees - 20) * WATER_HEAT / _KJ, 2)
