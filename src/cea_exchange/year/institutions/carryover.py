"""After the last year whose vintages are carried over: notice, applications, a run."""

from collections.abc import Sequence
from datetime import date, timedelta

from cea_exchange.institution.checks import ActError
from cea_exchange.registry.registry import Registry
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions import custody
from cea_exchange.year.institutions.systems import Systems

RUN = 1
DAYS_BEFORE = 10
"""Firms apply so many days before the run's last one."""


def is_carried_over(registry: Registry, year: int) -> bool:
    """Tell whether what is left after a year is carried over."""
    return bool(registry.ledger.rules.carryover.last_vintage.value == year)


def carried_over(systems: Systems, firms: Sequence[Firm], products: Sequence[str]) -> int:
    """Let every firm carry over what it may, the oldest first; return the tonnes.

    What a firm bought on the last trading day can't leave the venue before another one.
    """
    registry = systems.registry
    rules = registry.ledger.rules.carryover
    systems.clock.day = rules.notice_by.value
    registry.carryover.give_notice()
    systems.clock.day = rules.run[RUN - 1].applied_by - timedelta(days=DAYS_BEFORE)
    custody.holdings_read(registry, firms)
    with registry.transaction():
        wanted = [(firm, _wanted(systems, firm, products)) for firm in firms]
        for firm, tonnes in wanted:
            for product, asked in tonnes.items():
                leaving = asked - firm.registered.get(product, 0)
                if leaving > 0:
                    registry.transfer_out(firm.account, product, leaving)
        systems.exchange.feed()
        for firm, tonnes in wanted:
            if tonnes:
                registry.carryover.apply(firm.account, tonnes)
    systems.clock.day = _run_day(rules.run[RUN - 1].processed_by)
    target = registry.ledger.rules.vintages.product_of(rules.target_vintage.value)
    with registry.transaction():
        registry.product_declare(target, _last_close(systems, products[-1]))
        try:
            return registry.carryover.run(RUN).issued
        except ActError:
            # Nobody had anything to carry over.
            return 0


def _run_day(processed_by: date) -> date:
    return processed_by - timedelta(days=1)


def _last_close(systems: Systems, product: str) -> int:
    machine = systems.exchange.machine
    return int(machine.core.product(machine.product_index(product))["reference_price"])


def _wanted(systems: Systems, firm: Firm, products: Sequence[str]) -> dict[str, int]:
    """Return what a firm applies for: all that it can bring, up to what its notice allows."""
    if not firm.held:
        return {}
    machine = systems.exchange.machine
    at_venue = machine.core.account(firm.index)["holdings"]
    left = systems.registry.carryover.notice(firm.account).limit_tonnes
    wanted = {}
    for product in products:
        tonnes, _, bought = at_venue.get(machine.product_index(product), (0, 0, 0))
        part = min(left, firm.registered.get(product, 0) + tonnes - bought)
        if part:
            wanted[product] = part
            left -= part
    return wanted
