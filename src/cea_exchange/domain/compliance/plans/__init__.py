"""The allocation plans of 2019 to 2026: from units' verified years to entities and the nation.

    >>> from cea_exchange.domain.compliance.plans import allocate, plan
    >>> plan(2024).mark is None, plan(2026).mark
    (True, 'draft')

    unit: its class, or why it has none -> by benchmark, or as emitted, or outside the plan
      -> a gas unit's top-up -> sum of the entity -> the 20% cap -> provinces -> nation

What a plan says stands in the files beside this; figures of a draft, or seen second-hand only, are
marked, and every result made from them carries the marks.
"""

from cea_exchange.domain.compliance.plans.ahead import PreAllocated, pre_allocate
from cea_exchange.domain.compliance.plans.allocating import (
    Allocation,
    EntityAllocated,
    UnitAllocated,
    allocate,
    not_allocable,
)
from cea_exchange.domain.compliance.plans.balance import balance_value
from cea_exchange.domain.compliance.plans.cap import Capped, under_cap
from cea_exchange.domain.compliance.plans.plan import PLAN_YEARS, Plan, counts_supplied, plan
from cea_exchange.domain.compliance.plans.units import GeneratingUnit, Plant

__all__ = [
    "PLAN_YEARS",
    "Allocation",
    "Capped",
    "EntityAllocated",
    "GeneratingUnit",
    "Plan",
    "Plant",
    "PreAllocated",
    "UnitAllocated",
    "allocate",
    "balance_value",
    "counts_supplied",
    "not_allocable",
    "plan",
    "pre_allocate",
    "under_cap",
]
