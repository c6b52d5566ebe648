"""Steel: a balance of carbon over the enterprise, and over its sinter, iron and other processes."""

from decimal import Decimal

from cea_exchange.domain.compliance.accounting.exact import dioxide
from cea_exchange.domain.compliance.accounting.worksheet import Worksheet

PROCESSES = ("coking", "sinter", "iron", "making")


def steel(sheet: Worksheet) -> Decimal:
    """Return an enterprise's tonnes of CO2; no oxidation rate is in them.

    Notes
    -----
    Long and short process are accounted alike (CEA-STE-08).

    Rules: CEA-STE-01 to CEA-STE-09.
    """
    fuel = sum((_carbon(sheet, "FC", fuel) for fuel in sheet.fuels("FC")), Decimal(0))
    total = sheet.computed("fuel", fuel, "tCO2", "CEA-STE-02")
    for group, sign in (("carbonate", 1), ("electrode", 1), ("feed", 1), ("product", -1)):
        tonnes = sum((sheet.material(group, each) for each in sheet.materials(group)), Decimal(0))
        total += sign * sheet.computed(group, tonnes, "tCO2", "CEA-STE-03")
    total = sheet.computed("E", total, "tCO2", "CEA-STE-01")
    _processes(sheet, total)
    return total


def _carbon(sheet: Worksheet, code: str, fuel: str) -> Decimal:
    heat = sheet.figure(f"{code}.{fuel}") * sheet.figure(f"NCV.{fuel}")
    emitted = dioxide(heat * sheet.figure(f"CC.{fuel}"))
    sheet.computed(f"{code}.{fuel}.CO2", emitted, "tCO2", "CEA-STE-02")
    return emitted


def _processes(sheet: Worksheet, total: Decimal) -> None:
    """Write down each process, the rest, and the intensity that is compared: of iron and sinter."""
    emitted: dict[str, Decimal] = {}
    for process in PROCESSES:
        fed, given = (list(sheet.fuels(f"{process}_{way}")) for way in ("in", "out"))
        if fed or given:
            into = sum((_carbon(sheet, f"{process}_in", fuel) for fuel in fed), Decimal(0))
            out = sum((_carbon(sheet, f"{process}_out", fuel) for fuel in given), Decimal(0))
            emitted[process] = sheet.computed(f"E.{process}", into - out, "tCO2", "CEA-STE-05")
    captive = sheet.figure("captive") if sheet.has("captive") else Decimal(0)
    if emitted or captive:
        rest = total - sum(emitted.values()) - captive
        sheet.computed("E.other", rest, "tCO2", "CEA-STE-06")
    iron, _sinter = (
        sheet.figure(made) if sheet.has(made) else Decimal(0) for made in ("iron", "sinter")
    )
    if iron and "iron" in emitted:
        compared = emitted["iron"] + emitted.get("sinter", Decimal(0))
        sheet.computed("intensity", compared / iron, "tCO2/t", "CEA-PLN-20", decimals=4)
