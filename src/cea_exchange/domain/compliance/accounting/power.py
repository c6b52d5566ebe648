"""Power: the fossil fuel of generating units, by the codes of the verification guideline."""

from decimal import Decimal

from cea_exchange.domain.compliance.accounting.exact import dioxide
from cea_exchange.domain.compliance.accounting.figures import Fault, FiguresError
from cea_exchange.domain.compliance.accounting.worksheet import Worksheet

_PERCENT = Decimal(100)


def power(sheet: Worksheet) -> Decimal:
    """Return a unit's tonnes of CO2.

    Notes
    -----
    Rules: CEA-PWR-02 to CEA-PWR-05, CEA-PWR-12 to CEA-PWR-17, CEA-PWR-22, CEA-PWR-23,
    CEA-PWR-26.
    """
    fuels = list(sheet.fuels("A"))
    if not fuels:
        words = "expected a quantity of some fuel, such as A.bituminous, got none"
        raise FiguresError((Fault(kind="missing", parameter="A", words=words, rule="CEA-PWR-02"),))
    total = sum((_burnt(sheet, fuel) for fuel in fuels), Decimal(0))
    total += _purchased(sheet)
    _output(sheet, total)
    _heat_ratio(sheet)
    _secondary(sheet, fuels)
    _biomass(sheet, fuels)
    return sheet.computed("Q", total, "tCO2", "CEA-PWR-04")


def _burnt(sheet: Worksheet, fuel: str) -> Decimal:
    """Return F (carbon measured) or G (heat and carbon per heat) of a fuel, unrounded."""
    quantity = sheet.figure(f"A.{fuel}")
    measured = sheet.has(f"B.{fuel}")
    if measured:
        carbon = quantity * sheet.figure(f"B.{fuel}")
        if sheet.has(f"C.{fuel}"):
            _heat(sheet, fuel, quantity)
    else:
        carbon = _heat(sheet, fuel, quantity) * sheet.figure(f"D.{fuel}")
    emitted = dioxide(carbon * sheet.figure(f"E.{fuel}") / _PERCENT)
    code, rule = ("F", "CEA-PWR-02") if measured else ("G", "CEA-PWR-03")
    sheet.computed(f"{code}.{fuel}", emitted, "tCO2", rule)
    return emitted


def _heat(sheet: Worksheet, fuel: str, quantity: Decimal) -> Decimal:
    heat = quantity * sheet.figure(f"C.{fuel}")
    sheet.computed(f"heat.{fuel}", heat, "GJ", "CEA-PWR-03")
    return heat


def _purchased(sheet: Worksheet) -> Decimal:
    """Return what purchased electricity counts for: nothing from 2023 on."""
    if not sheet.has("purchased"):
        return Decimal(0)
    bought = sheet.figure("purchased")
    factor = sheet.guideline.grid_in(sheet.year)
    emitted = bought * Decimal(factor.value) if factor else Decimal(0)
    mark = factor.mark if factor else None
    sheet.computed("Q.purchased", emitted, "tCO2", "CEA-PWR-05", mark=mark)
    return emitted


def _output(sheet: Worksheet, emitted: Decimal) -> None:
    """Write down the load and the intensity, where hours and generation were given."""
    if not sheet.has("M"):
        return
    generated = sheet.figure("M")
    if generated:
        sheet.computed("intensity", emitted / generated, "tCO2/MWh", "CEA-PWR-23", decimals=4)
    if sheet.has("O") and sheet.has("capacity"):
        able = sheet.figure("capacity") * sheet.figure("O")
        if able:
            load = generated / able * _PERCENT
            sheet.computed("P", load, "%", "CEA-PWR-22", decimals=2)


def _heat_ratio(sheet: Worksheet) -> None:
    """Write down which part of the turbine's heat was supplied as heat (供热比)."""
    if not (sheet.has("N") and sheet.has("turbine_heat")):
        return
    supplied, fed = sheet.figure("N"), sheet.figure("turbine_heat")
    if supplied > fed:
        words = f"expected at most {fed} GJ, which the turbine was fed, got {supplied}"
        raise FiguresError((Fault(kind="absurd", parameter="N", words=words, rule="CEA-PWR-23"),))
    if fed:
        sheet.computed("heat_share", supplied / fed * _PERCENT, "%", "CEA-PWR-23")


def _secondary(sheet: Worksheet, fuels: list[str]) -> None:
    """Write down the heat of coke and gas of the works' own, and all fossil heat, K."""
    own = [fuel for fuel in fuels if sheet.has(f"own.{fuel}")]
    if not own:
        return
    for fuel in own:
        most = sheet.figure(f"A.{fuel}")
        if sheet.figure(f"own.{fuel}") > most:
            words = f"expected at most {most}, what was burnt, got {sheet.figure(f'own.{fuel}')}"
            fault = Fault(kind="absurd", parameter=f"own.{fuel}", words=words, rule="CEA-PWR-17")
            raise FiguresError((fault,))
    heat = sum(
        (sheet.figure(f"own.{fuel}") * sheet.figure(f"C.{fuel}") for fuel in own), Decimal(0)
    )
    sheet.computed("heat.own", heat, "GJ", "CEA-PWR-17")
    _fossil_heat(sheet, fuels)


def _fossil_heat(sheet: Worksheet, fuels: list[str]) -> Decimal:
    """Write down K."""
    fossil = sum(
        (sheet.figure(f"A.{fuel}") * sheet.figure(f"C.{fuel}") for fuel in fuels), Decimal(0)
    )
    return sheet.computed("K", fossil, "GJ", "CEA-PWR-16")


def _biomass(sheet: Worksheet, fuels: list[str]) -> None:
    """Write down K, the fossil heat, that of biomass, and L, its share in the boiler's heat."""
    if not (sheet.has("I") and sheet.has("J")):
        return
    fossil = _fossil_heat(sheet, fuels)
    fed = sheet.figure("J") / (sheet.figure("I") / _PERCENT)
    if not fed:
        return
    sheet.computed("heat.biomass", fed - fossil, "GJ", "CEA-PWR-16")
    share = (fed - fossil) / fed * _PERCENT
    sheet.computed("L", share, "%", "CEA-PWR-16")
