"""A nation's units in one call, within the time a province waits."""

import time
from decimal import Decimal

from msgspec.structs import replace

from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant, allocate, plan

POWER_ENTITIES, STEEL, CEMENT, ALUMINIUM = 2087, 232, 962, 97


def nation():
    unit = GeneratingUnit(
        entity="", province="", name="", rated_kw=(300_000,), conventional_bp=10_000, emissions=0
    )
    for n in range(POWER_ENTITIES):
        for k in range(1 + n % 3):
            yield replace(
                unit,
                entity=f"P{n:04}",
                province=f"{n % 31:02}",
                name=str(k),
                electricity_kwh=700_000_000 + 1_234_567 * n,
                heat_mj=n * 1_000_003 % 4_000_000_000,
                load_bp=3000 + (n * 13 + k) % 5000,
                emissions=700_000 + 900 * n,
            )
    plant = Plant(entity="", province="", name="1", sector="steel", emissions=0)
    for sector, count in (("steel", STEEL), ("cement", CEMENT), ("aluminium", ALUMINIUM)):
        for n in range(count):
            yield replace(
                plant,
                entity=f"{sector}{n:04}",
                province=f"{n % 31:02}",
                sector=sector,
                emissions=500_000 + 777 * n,
                intensity=Decimal(600 + n * 37 % 500) / Decimal(977),
            )


def test_all_entities_are_allocated_within_5_seconds():
    """CEA-PLN-13: with exact arithmetic."""
    units = list(nation())
    started = time.process_time()
    found = allocate(plan(2026), units)
    assert time.process_time() - started < 5
    assert found.total.entities == POWER_ENTITIES + STEEL + CEMENT + ALUMINIUM == 3378
    assert len(found.units) > 5000
    assert found.total.final == sum(total.final for total in found.provinces.values())
    for sector in ("steel", "cement", "aluminium"):
        emitted = sum(unit.emissions for unit in found.units if unit.sector == sector)
        given = sum(unit.final for unit in found.units if unit.sector == sector)
        plants = sum(unit.sector == sector for unit in found.units)
        assert 0 <= emitted - given <= plants
