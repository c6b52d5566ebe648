"""What is done about those who were short when the deadline had passed."""

from datetime import date
from functools import partial

import msgspec

from cea_exchange.domain.calendar import date_number
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.platform.control.requests.enforcement import CaseDecide, CaseOpen, CaseStep
from cea_exchange.platform.enforcement.book import UNPAID
from cea_exchange.registry.compliance.lists import Shortfall, traded_before_deadline
from cea_exchange.registry.control.requests.compliance.obligation import ShortfallList
from cea_exchange.year.institutions.systems import AUTHORITY, Systems, province

TERM_DAYS = 30
"""Of an order to correct: no text says how long it is."""


def acted_against(systems: Systems, year: int, day: date, decided: date) -> list[Shortfall]:
    """Open a case against each entity that was short, order it to correct, and decide the fine.

    The least fine of the law's range is decided, once the entity could state and ask to be heard.

    Parameters
    ----------
    day, decided
        On which days cases are opened, with notice, and decided, served and published.
    """
    systems.day_begin(day)
    systems.talk()
    rules = ComplianceRules.load()
    short = _shortfalls(systems, year)
    with systems.registry_read() as registry:
        traded = traded_before_deadline(registry, rules, year)
    with systems.together("platform"):
        cases = [_opened(systems, each, year, day) for each in short]
    systems.day_begin(decided)
    with systems.together("platform"):
        for case, each in zip(cases, short, strict=True):
            _decided(systems, case, each, traded)
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


def _opened(systems: Systems, short: Shortfall, year: int, day: date) -> int:
    ask = partial(systems.ask, "platform", province(short.province))
    case: int = ask(
        CaseOpen(
            province=short.province,
            offence=UNPAID,
            committed_on=ComplianceRules.load().obligations.cycle_of(year).deadline,
            document="list",
            enterprise=short.account.removeprefix("A-"),
            year=year,
        )
    )["case"]
    until = date_number(date.fromordinal(day.toordinal() + TERM_DAYS))
    ask(CaseStep(case=case, step="order", document="order", due_on=until))
    ask(CaseStep(case=case, step="notice", document="notice"))
    return case


def _decided(systems: Systems, case: int, short: Shortfall, traded: Traded) -> None:
    if short.fine is None:
        # Nothing was traded in the deadline's month: there is no price to fine by.
        return
    ask = partial(systems.ask, "platform", province(short.province))
    for step in ("legal_review", "joint_decision"):
        ask(CaseStep(case=case, step=step, document=step))
    ask(
        CaseDecide(
            case=case,
            fine=short.fine.least,
            document="decision",
            words="the least of it",
            traded_value=traded.amount,
            traded_tonnes=traded.tonnes,
        )
    )
    for step in ("serve", "publish"):
        ask(CaseStep(case=case, step=step, document=step))
