"""What the plan of 2024 gives, worked out anew of the rulebook's numbers: no function of the systems."""

from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

from cea_exchange.domain.compliance.plans import GeneratingUnit, Plant

LARGE_KW = 400_000
COAL_LARGE, COAL_SMALL, GAS = Decimal("0.7910"), Decimal("0.8049"), Decimal("0.3288")
"""Tonnes a MWh, RB 5.1."""
COAL_HEAT, GAS_HEAT = Decimal("0.1033"), Decimal("0.0533")
"""Tonnes a GJ, RB 5.1."""
FULL_LOAD = Decimal("0.65")
FIFTY_DIGITS = Context(prec=50)


def allocated_by_hand(units: Iterable[GeneratingUnit | Plant]) -> tuple[Counter, Counter]:
    """Return entity -> tonnes it is given, and entity -> tonnes it owes (RB 5.2.1 to 5.2.9)."""
    initial, emitted, industrial = Counter(), Counter(), set()
    for unit in units:
        emitted[unit.entity] += unit.emissions
        if isinstance(unit, Plant):
            industrial.add(unit.entity)
            initial[unit.entity] += unit.emissions
        else:
            initial[unit.entity] += _generated(unit)
    given = Counter()
    for entity, tonnes in initial.items():
        # A power entity is short of a fifth at most.
        least = 0 if entity in industrial else emitted[entity] * 8 // 10
        given[entity] = max(tonnes, least)
    return given, emitted


def _generated(unit: GeneratingUnit) -> int:
    made_mwh, heat_gj = Decimal(unit.electricity_kwh) / 1_000, Decimal(unit.heat_mj) / 1_000
    if unit.gas_bp:
        tonnes = _floor(made_mwh * GAS) + _floor(heat_gj * GAS_HEAT)
        return max(tonnes, unit.emissions)
    # Of several generators the least favourable class.
    per_mwh = COAL_LARGE if max(unit.rated_kw) >= LARGE_KW else COAL_SMALL
    made = FIFTY_DIGITS.multiply(made_mwh * per_mwh, _peak_shaving(Decimal(unit.load_bp) / 10_000))
    return _floor(made) + _floor(heat_gj * COAL_HEAT)


def _peak_shaving(load: Decimal) -> Decimal:
    if load >= FULL_LOAD:
        return Decimal(1)
    factor = FIFTY_DIGITS.power(Decimal("1.015"), 16 - 20 * load)
    return factor.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def _floor(tonnes: Decimal) -> int:
    return int(tonnes.to_integral_value(ROUND_FLOOR))
