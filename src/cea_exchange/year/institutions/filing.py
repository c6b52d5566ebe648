"""What enterprises, provinces and verifiers do at the platform in a year."""

from collections.abc import Iterable, Sequence

from cea_exchange.domain.calendar import date_number
from cea_exchange.files.cells.source import SourceFile
from cea_exchange.institution.persons import Person
from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import facts_read
from cea_exchange.platform.platform import Platform
from cea_exchange.year.institutions.systems import person
from cea_exchange.year.nation.enterprises import ACTIVITIES, EnterpriseYear
from cea_exchange.year.nation.members import Member
from cea_exchange.year.timeline import Timeline

FIRM = "V1"
FIRM_CODE = "91330100000000900C"
TOTAL_TONNES = 10**12
"""What the authority lets all provinces give: no cap (RB 5.2.11)."""
LISTED_TONNES = 26_000
"""From which an enterprise is on the list."""

PREPARER, REVIEWER, SIGNATORY = map(person, ("preparer", "reviewer", "signatory"))
PROVINCE, SECOND, NATION = map(person, ("province", "second", "nation"))
VERIFIER = person("verifier")
LEVELS: tuple[Person, ...] = (person("city"), PROVINCE)


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
                    *(founded_on, works_of(member.name), 100 * member.province + 1),
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


def year_filed(platform: Platform, filed: EnterpriseYear, year: int) -> None:
    """File an enterprise's months and its report, each by two persons and passed by both levels."""
    name = filed.enterprise
    enterprise = platform.enterprises.of(name)
    with platform.record.transaction():
        platform.evidence.bring(PREPARER, enterprise, "ledger.txt", filed.proof)
        platform.months.enter(PREPARER, name, SourceFile("months.csv", filed.months))
        platform.months.file(REVIEWER, name, year)
        for level in LEVELS:
            platform.documents.pass_all(level, enterprise.enterprise_id, "month", year)
        platform.reports.enter(PREPARER, name, year)
        platform.reports.sign(SIGNATORY, name, year)


def year_verified(platform: Platform, filed: EnterpriseYear, year: int, days: Timeline) -> int:
    """Let a verifier conclude what was filed, and the province confirm it; return the tonnes."""
    until = date_number(days.verified_until)
    with platform.record.transaction():
        task = platform.verifications.give(filed.enterprise, year, FIRM, due_on=until)
        platform.verifications.conclude(VERIFIER, task, filed.emitted())
        return platform.verifications.confirm(PROVINCE, task).tonnes


def allowances_given(platform: Platform, provinces: Sequence[int], year: int) -> None:
    """Let every province compute, approve and distribute allowances, and set obligations."""
    with platform.record.transaction():
        platform.allocations.roll_up(NATION, year)
        platform.allocations.total_set(NATION, year, "final", TOTAL_TONNES)
        for province in provinces:
            row = platform.allocations.compute(PROVINCE, province, year, "final")
            platform.allocations.approve(SECOND, row.allocation_id)
            platform.allocations.distribute(row.allocation_id)
            platform.obligations.set_all(PROVINCE, province, year)
