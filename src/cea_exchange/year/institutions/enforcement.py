"""What is done about those who were short when the deadline had passed."""

from datetime import date
from functools import partial

import msgspec

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.platform.control.requests.enforcement import CaseDecide, CaseOpen, CaseStep
from cea_exchange.platform.enforcement.cases import UNPAID
from cea_exchange.registry.compliance.lists import Shortfall, traded_before_deadline
from cea_exchange.registry.control.requests.compliance.obligation import ShortfallList
from cea_exchange.year.institutions.systems import AUTHORITY, Systems, province

TERM_DAYS = 30
"""Of an order to correct: no text says how long it is."""


def acted_against(systems: Systems, year: int, day: date) -> list[Shortfall]:
    """Open a case against each entity that was short, order it to correct, and decide the fine.

    The least fine of the law's range is decided.
    """
    systems.day_begin(day)
    systems.talk()
    rules = ComplianceRules.load()
    short = _shortfalls(systems, year)
    with systems.registry_read() as registry:
        traded = traded_before_deadline(registry, rules, year)
    with systems.together("platform"):
        for each in short:
            _case(systems, each, year, day, traded)
    return short


def _shortfalls(systems: Systems, year: int) -> list[Shortfall]:
    found: list[Shortfall] = []
    first: int | None = 0
    while first is not None:
        asked = ShortfallList(compliance_year=year, first=first)
        answer = systems.ask("registry", AUTHORITY, asked)
        found += msgspec.convert(answer["shortfalls"], list[Shortfall])
        first = answer["next"]
    return found


def _case(systems: Systems, short: Shortfall, year: int, day: date, traded: Traded) -> None:
    ask = partial(systems.ask, "platform", province(short.province))
    case = ask(
        CaseOpen(
            province=short.province,
            offence=UNPAID,
            committed_on=ComplianceRules.load().obligations.cycle_of(year).deadline,
            document="list",
            enterprise=short.account.removeprefix("A-"),
            year=year,
            shortfall=short.shortfall,
        )
    )["case"]
    until = date_number(date.fromordinal(day.toordinal() + TERM_DAYS))
    ask(CaseStep(case=case, step="order", document="order", due_on=until))
    ask(CaseStep(case=case, step="notice", document="notice"))
    if short.fine is None:
        # Nothing was traded in the deadline's month: there is no price to fine by.
        return
    ask(
        CaseDecide(
            case=case,
            fine=short.fine.least,
            document="decision",
            words="the law of the year, the least of it",
            traded_value=traded.amount,
            traded_tonnes=traded.tonnes,
        )
    )
