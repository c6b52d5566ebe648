"""What enterprises, provinces and verifiers do at the platform in a year."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from cea_exchange.domain.calendar import date_number
from cea_exchange.platform.control.requests.allocation import (
    AllocationApprove,
    AllocationCompute,
    AllocationDistribute,
    BalanceRollUp,
    ObligationsSet,
    TotalSet,
)
from cea_exchange.platform.control.requests.filings import (
    EvidenceBring,
    FilingPass,
    MonthEnter,
    MonthFile,
    ReportEnter,
    ReportSign,
)
from cea_exchange.platform.control.requests.verification import (
    VerificationConclude,
    VerificationConfirm,
    VerificationGive,
)
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import facts_read
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.roles import city_body, enterprise_body, firm_body
from cea_exchange.year.institutions.systems import AUTHORITY, Actor, Systems, province
from cea_exchange.year.nation.enterprises import ACTIVITIES, EnterpriseYear
from cea_exchange.year.nation.members import Member
from cea_exchange.year.timeline import Timeline

FIRM = "V1"
FIRM_CODE = "91330100000000900C"
TOTAL_TONNES = 10**12
"""What the authority lets all provinces give: no cap (RB 5.2.11)."""
LISTED_TONNES = 26_000
"""From which an enterprise is on the list."""

VERIFIER = Actor("verifier", firm_body(FIRM))


def enterprises_listed(
    platform: Platform, members: Iterable[Member], year: int, decided_on: int
) -> None:
    """Register enterprises with their units, and put them on the list of a year."""
    founded_on = 10_000 * (year - 5) + 101
    with platform.record.transaction():
        platform.firms.register(FIRM, credit_code=FIRM_CODE, title="Verifiers")
        for member in members:
            platform.enterprises.register(
                member.name,
                credit_code=member.credit_code,
                province=member.province,
                sector=member.sector,
                facts=EnterpriseFacts(
                    *(founded_on, works_of(member.name), _city(member.province)),
                    *(*ACTIVITIES[member.sector], "licence"),
                ),
            )
            enterprise = platform.enterprises.of(member.name)
            for unit, facts in member.units().items():
                platform.units.add(
                    *(enterprise, unit, facts_read(facts)),
                    valid_from=founded_on,
                    document="licence",
                )
            platform.listing.enter(
                *(year, member.name),
                cause="over_threshold",
                tonnes=LISTED_TONNES,
                decided_on=decided_on,
                document="list",
            )


def works_of(enterprise: str) -> str:
    """Return the legal name of an enterprise."""
    return f"Works {enterprise}"


def _city(code: int) -> int:
    """Return the one city that a province has here."""
    return 100 * code + 1


def year_filed(systems: Systems, filed: EnterpriseYear, year: int) -> None:
    """File an enterprise's months and its report, each by two persons and passed by both levels."""
    name, ask = filed.enterprise, partial(systems.ask, "platform")
    preparer, reviewer, signatory = (
        Actor(role, enterprise_body(name)) for role in ("preparer", "reviewer", "signatory")
    )
    city = Actor("city", city_body(_city(filed.province)))
    with systems.together("platform"):
        ask(preparer, EvidenceBring(enterprise=name, file="ledger.txt", content=filed.proof))
        ask(preparer, MonthEnter(enterprise=name, file="months.csv", content=filed.months))
        ask(reviewer, MonthFile(enterprise=name, period=year))
        for level in (city, province(filed.province)):
            ask(level, FilingPass(enterprise=name, kind="month", period=year))
        ask(preparer, ReportEnter(enterprise=name, year=year))
        ask(signatory, ReportSign(enterprise=name, year=year))


def year_verified(
    systems: Systems, member: Member, emitted: Mapping[str, Decimal], year: int, days: Timeline
) -> None:
    """Let a verifier conclude what each unit emitted, and the province confirm it."""
    name, ask = member.name, partial(systems.ask, "platform")
    theirs, until = province(member.province), date_number(days.verified_until)
    units = ",".join(f"{unit}={tonnes:f}" for unit, tonnes in emitted.items())
    with systems.together("platform"):
        given = VerificationGive(enterprise=name, year=year, firm=FIRM, due_on=until)
        task = ask(theirs, given)["verification"]
        ask(VERIFIER, VerificationConclude(verification=task, units=units))
        ask(theirs, VerificationConfirm(verification=task))


def allowances_given(systems: Systems, provinces: Sequence[int], year: int) -> None:
    """Let every province compute, approve and distribute allowances, and set obligations."""
    ask = partial(systems.ask, "platform")
    with systems.together("platform"):
        ask(AUTHORITY, BalanceRollUp(year=year))
        ask(AUTHORITY, TotalSet(year=year, stage="final", tonnes=TOTAL_TONNES))
        for code in provinces:
            first, second = province(code), province(code, "second")
            computed = AllocationCompute(province=code, year=year, stage="final")
            number = ask(first, computed)["allocation"]
            ask(second, AllocationApprove(allocation=number))
            ask(first, AllocationDistribute(allocation=number))
            ask(first, ObligationsSet(province=code, year=year))
