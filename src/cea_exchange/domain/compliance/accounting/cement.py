"""Cement: a clinker line's fuel, and the carbonates it burns lime of."""

from decimal import Decimal

from cea_exchange.domain.compliance.accounting.exact import dioxide
from cea_exchange.domain.compliance.accounting.figures import Fault, FiguresError
from cea_exchange.domain.compliance.accounting.worksheet import Worksheet

_PERCENT = Decimal(100)


def cement(sheet: Worksheet) -> Decimal:
    """Return a line's tonnes of CO2.

    Notes
    -----
    Rules: CEA-CEM-01 to CEA-CEM-07.
    """
    fuel = sum((_burnt(sheet, fuel) for fuel in sheet.fuels("FC")), Decimal(0))
    fuel = sheet.computed("fuel", fuel, "tCO2", "CEA-CEM-02")
    clinker, lime = _clinker(sheet)
    replaced = sum(
        (sheet.material("substitute", each) for each in sheet.materials("substitute")), Decimal(0)
    )
    process = sheet.computed("process", max(Decimal(0), lime - replaced), "tCO2", "CEA-CEM-03")
    total = sheet.computed("E", fuel + process, "tCO2", "CEA-CEM-01")
    if clinker:
        sheet.computed("intensity", total / clinker, "tCO2/t", "CEA-CEM-07", decimals=4)
    if lime:
        _slag_rate(sheet, lime)
    return total


def _burnt(sheet: Worksheet, fuel: str) -> Decimal:
    heat = sheet.figure(f"FC.{fuel}") * sheet.figure(f"NCV.{fuel}")
    carbon = heat * sheet.figure(f"CC.{fuel}")
    emitted = dioxide(carbon * sheet.figure(f"OF.{fuel}") / _PERCENT)
    sheet.computed(f"fuel.{fuel}", emitted, "tCO2", "CEA-CEM-02")
    return emitted


def _clinker(sheet: Worksheet) -> tuple[Decimal, Decimal]:
    """Return tonnes of clinker, and the CO2 its lime would have given off without substitutes."""
    kinds = list(sheet.materials("clinker"))
    if not kinds:
        words = "expected tonnes of some clinker, such as clinker.portland, got none"
        fault = Fault(kind="missing", parameter="clinker", words=words, rule="CEA-CEM-03")
        raise FiguresError((fault,))
    lime = sum((sheet.material("clinker", kind) for kind in kinds), Decimal(0))
    clinker = sum((sheet.figure(f"clinker.{kind}") for kind in kinds), Decimal(0))
    sheet.computed("lime", lime, "tCO2", "CEA-CEM-04")
    return clinker, lime


def _slag_rate(sheet: Worksheet, lime: Decimal) -> None:
    """Write down which part of the lime carbide slag replaces, in percent, unrounded too far."""
    slag = "carbide_slag"
    if slag in sheet.materials("substitute"):
        rate = sheet.material("substitute", slag) / lime * _PERCENT
        sheet.computed("slag_rate", rate, "%", "CEA-CEM-06")
