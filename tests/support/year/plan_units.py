"""What a plan reads of an enterprise's units, from its filed figures alone."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from cea_exchange.domain.compliance.accounting.facts import intensity, load
from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant
from cea_exchange.year.nation.enterprises import EnterpriseYear


def plan_units(year: EnterpriseYear) -> Iterator[GeneratingUnit | Plant]:
    """Yield what the plan is told of an enterprise's units, by their figures alone."""
    exact = year.emitted()
    whole = {unit: int(tonnes) for unit, tonnes in exact.items()}
    total = int(sum(exact.values(), Decimal(0)) + Decimal("0.5"))
    while sum(whole.values()) < total:
        # Who has lost most gets the next tonne; of two the first by name.
        unit = min(whole, key=lambda name: (whole[name] - exact[name], name))
        whole[unit] += 1
    bills = year.bills()
    for unit in sorted(exact):
        common = {
            "entity": year.enterprise,
            "province": str(year.province),
            "name": unit,
            "emissions": whole[unit],
        }
        if year.sector == "power":
            yield _generating(year, unit, common)
        else:
            yield Plant(sector=year.sector, intensity=intensity(bills[unit]), **common)


def _generating(year: EnterpriseYear, unit: str, common: dict[str, object]) -> GeneratingUnit:
    months = year.figures[unit].values()
    made, heat, hours, supplied, fed = (
        sum((month.get(code, Decimal(0)) for month in months), Decimal(0))
        for code in ("M", "N", "O", "supplied", "turbine_heat")
    )
    rated_kw = tuple(msgspec.json.decode(year.units[unit])["rated_kw"])
    is_gas = any("A.natural_gas" in month for month in months)
    return GeneratingUnit(
        rated_kw=rated_kw,
        conventional_bp=0 if is_gas else 10_000,
        gas_bp=10_000 if is_gas else 0,
        # Until 2022 a plan counts what was supplied, and the part of heat that was.
        electricity_kwh=int((supplied or made) * 1_000),
        heat_share_bp=int(10_000 * heat / fed + Decimal("0.5")) if fed else 0,
        heat_mj=int(heat * 1_000),
        load_bp=int(load(made, Decimal(sum(rated_kw)) / 1_000, hours) * 100),
        **common,
    )
