"""Years of enterprises of every sector, beside the power firm of the platform's world."""

from decimal import Decimal

from cea_exchange.domain.compliance.accounting import PARAMETERS
from support.platform.platform_world import (
    CITY,
    LI,
    MADE,
    PROOF,
    PROVINCE,
    VERIFIER,
    WANG,
    ZHAO,
    filed,
)

ACTIVITIES = {
    "power": ("4411", ""),
    "steel": ("3110", "long"),
    "cement": ("3011", "portland"),
    "aluminium": ("3216", "electrolytic"),
}
MONTHS = {
    "power": {"A.bituminous": "125000", "B.bituminous": "0.5432", "C.bituminous": "20.512"}
    | {name: value for name, (value, _measure) in MADE.items()},
    "steel": {
        **{"FC.coke": "200000", "FC.anthracite": "50000", "product.crude_steel": "260000"},
        **{"iron": "250000", "iron_in.coke": "100000"},
        **{"sinter": "300000", "sinter_in.anthracite": "15000"},
    },
    "cement": {"clinker.portland": "100000", "FC.bituminous": "12000", "NCV.bituminous": "22.350"},
    "aluminium": {"aluminium": "40000", "anode": "19000"},
}
"""Sector -> parameter -> value: each of a month."""


def works(world, name, sector, number, **facts):
    """Let there be an enterprise of a sector, with one unit and its proof."""
    code, process = ACTIVITIES[sector]
    enterprise = world.enterprise(name, number=number, sector=sector, code=code, process=process)
    rated = [600_000] if sector == "power" else []
    world.unit(f"{name}-1", name, **({"rated_kw": rated} | facts))
    world.platform.evidence.bring(LI, enterprise, "scale.pdf", PROOF)
    return enterprise


def month_rows(name, sector, month, changed=None):
    """Return a month of it; a parameter that is changed to None is left out."""
    figures = MONTHS[sector] | (changed or {})
    return [
        filed(
            enterprise=name,
            unit=f"{name}-1",
            month=month,
            parameter=parameter,
            value=Decimal(value),
            measure=PARAMETERS[sector][parameter].unit,
        )
        for parameter, value in figures.items()
        if value is not None
    ]


def year_reported(world, name, sector, year, changed=None):
    """Let a listed year be filed, accepted and reported; return its verification."""
    platform, whose = world.platform, world.platform.enterprises.of(name).enterprise_id
    world.listed(year, enterprise=name)
    for month in range(100 * year + 1, 100 * year + 13):
        platform.months.enter(LI, name, world.month_file(*month_rows(name, sector, month, changed)))
        platform.months.file(WANG, name, month)
        for level in (CITY, PROVINCE):
            platform.documents.pass_all(level, whose, "month", month)
    platform.reports.enter(LI, name, year)
    platform.reports.sign(ZHAO, name, year)
    return platform.verifications.give(name, year, "V1", due_on=10_000 * year + 10_630)


def year_concluded(world, task, name, figures=None, emitted=None, reason=""):
    """Let a verification conclude a unit's emissions, as reported unless told, and figures."""
    platform = world.platform
    report = platform.documents.of_id(platform.verifications.of_number(task).report_id)
    unit = f"{name}-1"
    tonnes = Decimal(emitted or platform.reports.units(report)[unit].emission)
    concluded = {unit: {each: Decimal(value) for each, value in (figures or {}).items()}}
    platform.verifications.conclude(VERIFIER, task, {unit: tonnes}, concluded)
    platform.verifications.confirm(PROVINCE, task, reason)


def verified_works(world, name, sector, year, number, changed=None, figures=None, emitted=None):
    """Let an enterprise and its verified year be there."""
    works(world, name, sector, number)
    task = year_reported(world, name, sector, year, changed)
    year_concluded(world, task, name, figures, emitted)
