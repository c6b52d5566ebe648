"""What is done about those who were short when the deadline had passed."""

from datetime import date

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.platform.enforcement.cases import UNPAID, Breach
from cea_exchange.registry.compliance.lists import Shortfall
from cea_exchange.year.institutions.filing import PROVINCE
from cea_exchange.year.institutions.systems import Systems

TERM_DAYS = 30
"""Of an order to correct: no text says how long it is."""


def acted_against(systems: Systems, year: int, day: date) -> list[Shortfall]:
    """Open a case against each entity that was short, order it to correct, and decide the fine.

    The least fine of the law's range is decided.
    """
    systems.clock.day = day
    systems.talk()
    short = systems.registry.compliance.shortfalls(year)
    traded = systems.registry.compliance.traded_before_deadline(year)
    deadline = systems.registry.ledger.rules.obligations.cycle_of(year).deadline
    with systems.platform.record.transaction():
        for each in short:
            _case(systems, each, Breach(UNPAID, deadline, year, each.shortfall), traded)
    return short


def _case(systems: Systems, short: Shortfall, breach: Breach, traded: Traded) -> None:
    cases, platform = systems.platform.cases, systems.platform
    enterprise = platform.enterprises.of(short.account.removeprefix("A-"))
    case = cases.open(
        PROVINCE, short.province, breach, "list", enterprise_id=enterprise.enterprise_id
    )
    number = case.case_id
    until = date_number(date.fromordinal(systems.clock.day.toordinal() + TERM_DAYS))
    cases.take(PROVINCE, number, "order", "order", due_on=until)
    cases.take(PROVINCE, number, "notice", "notice")
    if short.fine is None:
        # Nothing was traded in the deadline's month: there is no price to fine by.
        return
    words = "the law of the year, the least of it"
    cases.decide(PROVINCE, number, short.fine.least, "decision", words=words, traded=traded)
