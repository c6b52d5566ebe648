"""Aluminium: an electrolysis' anodes, and the perfluorocarbons of its anode effects."""

from decimal import Decimal

from cea_exchange.domain.compliance.accounting.exact import dioxide, half_up
from cea_exchange.domain.compliance.accounting.worksheet import Worksheet

_PERCENT = Decimal(100)
_KG = Decimal(1000)


def aluminium(sheet: Worksheet) -> Decimal:
    """Return an electrolysis' tonnes of CO2 equivalent.

    Notes
    -----
    The forms by tonne of older guidelines (CEA-ALU-03) are no parameters.

    Rules: CEA-ALU-01, CEA-ALU-02, CEA-ALU-04 to CEA-ALU-07.
    """
    metal = sheet.figure("aluminium")
    anode = _anode(sheet)
    effect = _effect(sheet, metal)
    total = sheet.computed("E", anode + effect, "tCO2e", "CEA-ALU-01")
    if metal:
        sheet.computed("intensity", total / metal, "tCO2e/t", "CEA-ALU-01", decimals=4)
    _carbonates(sheet)
    return total


def _anode(sheet: Worksheet) -> Decimal:
    net = sheet.figure("anode") * (1 - sheet.figure("butts") / _PERCENT)
    net = sheet.computed("anode_net", net, "t", "CEA-ALU-02")
    carbon = net * (1 - (sheet.figure("sulphur") + sheet.figure("ash")) / _PERCENT)
    return sheet.computed("anode_emissions", dioxide(carbon), "tCO2", "CEA-ALU-02")


def _effect(sheet: Worksheet, metal: Decimal) -> Decimal:
    """Return the CO2 equivalent of CF4 and C2F6, by their factors or the minutes of effects.

    Notes
    -----
    Rules: CEA-ALU-04, CEA-ALU-05, CEA-ALU-06.
    """
    if sheet.has("effect_minutes"):
        tetra = sheet.figure("effect_minutes") * sheet.figure("slope_CF4")
        tetra = sheet.computed("f.CF4", tetra, "kg/t", "CEA-ALU-05", decimals=3)
        hexa = tetra * sheet.figure("ratio_C2F6")
        hexa = sheet.computed("f.C2F6", hexa, "kg/t", "CEA-ALU-05", decimals=4)
    else:
        tetra, hexa = sheet.figure("CF4"), sheet.figure("C2F6")
    warming = tetra * sheet.figure("GWP_CF4") + hexa * sheet.figure("GWP_C2F6")
    return sheet.computed("effect_emissions", metal * warming / _KG, "tCO2e", "CEA-ALU-04")


def _carbonates(sheet: Worksheet) -> None:
    """Write down what carbonates gave off: the enterprise reports it, it is not allocated."""
    given = list(sheet.materials("carbonate"))
    if given:
        total = sum((sheet.material("carbonate", each) for each in given), Decimal(0))
        sheet.computed("carbonates", half_up(total, 2), "tCO2", "CEA-ALU-07")
