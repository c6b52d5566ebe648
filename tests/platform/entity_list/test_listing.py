"""The list of each year: who enters and leaves it, and what was published of it."""

import pytest

from support.platform.platform_world import credit_code, verified_2024
from support.refusing import refuses
from support.registry.ledger_by_hand import guards_off, guards_on

pytestmark = pytest.mark.postgres_at_night

LEAVING = {"cause": "other_sector", "decided_on": 20251201, "document": "list 2"}


def test_a_listed_enterprise_stands_on_its_years_list_only(world):
    """CEA-ENT-01."""
    world.listed(2025)
    listing = world.platform.listing
    enterprise = world.platform.enterprises.of("E1")
    assert listing.is_listed(2025, enterprise.enterprise_id)
    assert not listing.is_listed(2026, enterprise.enterprise_id)
    with refuses("LISTED_ALREADY: E1: .*list of 2025, got one that is listed already"):
        world.listed(2025)


def test_what_was_published_stays_until_it_is_published_again(world):
    """CEA-ENT-02, CEA-ENT-03, CEA-ENT-10."""
    world.listed(2025)
    listing = world.platform.listing
    assert listing.published(2025, 33) is None
    listing.publish(2025, 33)
    first = listing.published(2025, 33)
    assert first.decode().splitlines() == [
        "list_year,province,number,enterprise,title,credit_code,city,sector,sector_code,sub_type,"
        "remark",
        f"2025,33,1,E1,Power 1,{credit_code(1)},3301,power,4411,,",
        "2025,33,,TOTAL,,,,,,,",
    ]
    listing.leave(2025, "E1", **LEAVING)
    assert listing.published(2025, 33) == first
    listing.publish(2025, 33)
    assert b"E1" not in listing.published(2025, 33)
    with refuses("LISTED_ALREADY: .*not listed already"):
        listing.leave(2025, "E1", **LEAVING)


def test_an_enterprise_that_was_forgotten_enters_on_request(world):
    """CEA-ENT-03, CEA-ENT-11."""
    terms = {"tonnes": 30_000, "decided_on": 20250601, "document": "request 1"}
    world.platform.listing.enter(2025, "E1", cause="on_request", **terms)
    (line,) = world.platform.listing.of_year(2025, 33)
    assert (line.number, line.enterprise, line.remark) == (1, "E1", "entered on request")
    with refuses("CHOICE_UNKNOWN: cause: expected one of over_threshold, .*got 'whim'"):
        world.platform.listing.enter(2026, "E1", cause="whim", **terms)
    with refuses("AMOUNT_UNSOUND: tonnes: expected a whole number from 0 to .*, got -1"):
        world.platform.listing.enter(2026, "E1", cause="on_request", **terms | {"tonnes": -1})
    with refuses("DATE_UNSOUND: list_year: expected a year from 2018 to 2099, got 25"):
        world.platform.listing.enter(25, "E1", cause="on_request", **terms)


TERMS = {"decided_on": 20241220, "document": "list 1"}


def test_a_list_has_nobody_below_its_threshold(world):
    """CEA-ENT-01: but a successor is listed as whom it succeeds."""
    enter = world.platform.listing.enter
    for cause in ("over_threshold", "new_plant", "on_request"):
        with refuses(f"BELOW_THRESHOLD: tonnes: expected 26000 t or more of {cause}, got 25999"):
            enter(2025, "E1", cause=cause, tonnes=25_999, **TERMS)
    enter(2025, "E1", cause="successor", tonnes=0, **TERMS)


@pytest.mark.parametrize(
    ("sector", "code", "process", "year", "is_listed"),
    [
        ("power", "4411", "", 2019, True),
        ("steel", "3110", "long", 2024, True),
        ("steel", "3110", "stand_alone_furnace", 2024, False),
        ("steel", "3110", "", 2024, False),
        ("steel", "3110", "long", 2023, False),
        ("cement", "3011", "portland", 2024, True),
        ("cement", "3011", "non_portland", 2026, False),
        ("cement", "3011", "non_portland", 2027, True),
        ("aluminium", "3216", "electrolytic", 2024, True),
        ("aluminium", "3011", "portland", 2024, False),
        ("power", "2611", "", 2024, False),
    ],
)
def test_a_list_has_plants_of_sectors_under_quota(world, sector, code, process, year, is_listed):
    """CEA-ENT-04, CEA-ENT-05, CEA-ENT-07, CEA-ENT-08, CEA-ENT-09."""
    world.enterprise("E2", number=2, sector=sector, code=code, process=process)
    given = {"cause": "over_threshold", "tonnes": 26_000, **TERMS}
    if is_listed:
        world.platform.listing.enter(year, "E2", **given)
        return
    with refuses(f"NOT_UNDER_QUOTA: E2: expected a plant of {sector} under quota"):
        world.platform.listing.enter(year, "E2", **given)


def verified(world, year, tonnes, enterprise="E1"):
    """Let a year be verified, as its row alone, without the conclusion that it speaks of."""
    number = world.store.next_id("verified_results", "result_id")
    world.is_audited = False
    world.store.insert(
        "verified_results (result_id, enterprise_id, compliance_year, version, tonnes,"
        " mark, unit_emissions, unit_figures, conclusion_id, reason, confirmed_by, notified_on)",
        [
            (number, world.platform.enterprises.of(enterprise).enterprise_id, year, 1, tonnes)
            + ("", "{}", "{}", number, "", "Sun Yu", 20250701)
        ],
    )


def test_the_next_list_follows_from_what_was_verified(world):
    """CEA-ENT-01, CEA-ENT-02, CEA-ENT-10."""
    world.enterprise("E2", number=2)
    world.enterprise("E3", number=3)
    world.listed(2025)
    guards_off(world.store)
    with world.platform.record.transaction():
        for year, tonnes in ((2023, 25_000), (2024, 25_000)):
            verified(world, year, tonnes)
        verified(world, 2024, 26_000, "E2")
        verified(world, 2024, 25_999, "E3")
    guards_on(world.store)
    changes = world.platform.listing.next(2026, 33)
    assert [(each["entity"], each["change"]) for each in changes] == [
        ("E1", "left"),
        ("E2", "entered"),
    ]


def test_nobody_leaves_a_list_for_a_cause_that_is_not_there(world):
    """CEA-ENT-10."""
    verified_2024(world)
    world.listed(2026)
    leave = world.platform.listing.leave
    terms = {"decided_on": 20251220, "document": "list 2"}
    with refuses("STAYS_LISTED: E1: expected two years in a row below the threshold, got not"):
        leave(2026, "E1", cause="below_threshold", **terms)
    with refuses("STAYS_LISTED: E1: expected all its units to have stopped, got some at work"):
        leave(2026, "E1", cause="stopped", **terms)
    facts = world.platform.units.of(world.platform.enterprises.of("E1").enterprise_id, 20251231)
    world.platform.units.change(
        "E1-1", 0, facts["E1-1"].facts, valid_from=20260101, document="closed 1"
    )
    leave(2026, "E1", cause="stopped", **terms)
    assert world.platform.listing.of_year(2026, 33) == []
