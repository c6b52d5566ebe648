"""After the last year whose vintages are carried over: notice, applications, a run."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.registry.control.requests.basics import ProductDeclare
from cea_exchange.registry.control.requests.compliance.carryover import (
    CarryoverApply,
    CarryoverGiveNotice,
    CarryoverNotice,
    CarryoverRun,
)
from cea_exchange.year.firms.firm import Firm
from cea_exchange.year.institutions import custody
from cea_exchange.year.institutions.systems import AUTHORITY, OPERATOR, Systems

RUN = 1
DAYS_BEFORE = 10
"""Firms apply so many days before the run's last one."""


def is_carried_over(year: int) -> bool:
    """Tell whether what is left after a year is carried over."""
    return bool(ComplianceRules.load().carryover.last_vintage.value == year)


def carried_over(systems: Systems, firms: Sequence[Firm], products: Sequence[str]) -> int:
    """Let every firm carry over what it may, the oldest first; return the tonnes.

    What a firm bought on the last trading day can't leave the venue before another one.
    """
    rules, ask = ComplianceRules.load(), partial(systems.ask, "registry")
    dates = rules.carryover
    systems.day_begin(dates.notice_by.value)
    ask(OPERATOR, CarryoverGiveNotice())
    systems.day_begin(dates.run[RUN - 1].applied_by - timedelta(days=DAYS_BEFORE))
    custody.holdings_read(systems, firms)
    last = systems.market.bulletins[-1]
    bought = _bought(systems, last.trading_date)
    with systems.together("registry"):
        wanted = [(firm, _wanted(systems, firm, products, bought)) for firm in firms]
        custody.called_back(systems, wanted)
        for firm, tonnes in wanted:
            if tonnes:
                ask(OPERATOR, CarryoverApply(account=firm.account, tonnes=tonnes))
    systems.day_begin(_run_day(dates.run[RUN - 1].processed_by))
    target = rules.vintages.product_of(dates.target_vintage.value)
    price = last.quote(products[-1]).close
    with systems.together("registry"):
        ask(OPERATOR, ProductDeclare(product=target, reference_price=price))
        if not any(tonnes for _, tonnes in wanted):
            return 0
        issued: int = ask(AUTHORITY, CarryoverRun(number=RUN))["issued"]
        return issued


def _run_day(processed_by: date) -> date:
    return processed_by - timedelta(days=1)


def _bought(systems: Systems, trading_date: int) -> dict[tuple[int, str], int]:
    """Return account and product -> tonnes that were bought on a day."""
    with systems.registry_read() as registry:
        rows = registry.all(
            "SELECT buyer_index, product, sum(tonnes) FROM trades"
            " JOIN products ON products.product_index = trades.product_index"
            " WHERE trading_date = ? AND state <> 'busted' GROUP BY buyer_index, product",
            (trading_date,),
        )
    return {(buyer, product): tonnes for buyer, product, tonnes in rows}


def _wanted(
    systems: Systems,
    firm: Firm,
    products: Sequence[str],
    bought: Mapping[tuple[int, str], int],
) -> dict[str, int]:
    """Return what a firm applies for: all that it can bring, up to what its notice allows."""
    if not firm.held:
        return {}
    notice = systems.ask("registry", OPERATOR, CarryoverNotice(account=firm.account))["notice"]
    left, wanted = notice["limit_tonnes"], {}
    for product in products:
        free = firm.at_venue.get(product, 0) - bought.get((firm.index, product), 0)
        part = min(left, firm.registered.get(product, 0) + free)
        if part:
            wanted[product] = part
            left -= part
    return wanted
