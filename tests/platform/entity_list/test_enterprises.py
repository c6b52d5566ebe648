"""Enterprises and units: facts by date, mergers, splits, renames."""

import pytest

from cea_exchange.platform.entity_list.enterprises import EnterpriseFacts
from cea_exchange.platform.entity_list.unit_facts import UnitFacts
from support.platform.platform_world import credit_code
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

FACTS = EnterpriseFacts(20200101, "Power 2", 3301, "4411", "", "licence 2")


def register(world, name="E2", *, code=None, province=33, sector="power", facts=FACTS):
    return world.platform.enterprises.register(
        name,
        credit_code=credit_code(2) if code is None else code,
        province=province,
        sector=sector,
        facts=facts,
    )


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"name": "E 2"}, "NAME_UNSOUND: enterprise: expected printable text without spaces"),
        ({"name": "E1"}, "ENTERPRISE_TAKEN: .*those of E1"),
        ({"code": credit_code(1)}, "ENTERPRISE_TAKEN: .*those of E1"),
        ({"name": "e1"}, "NAME_LOOKS_ALIKE: enterprise: .*looks like no other.*CEA-PER-04"),
        ({"name": "\N{GREEK CAPITAL LETTER EPSILON}1"}, "NAME_LOOKS_ALIKE: enterprise: "),
        ({"code": "91330100000000000X"}, "CREDIT_CODE_UNSOUND"),
        ({"province": 10}, "PROVINCE_UNKNOWN: .*32 codes, got 10"),
        ({"sector": "glass"}, "CHOICE_UNKNOWN: sector: expected one of power, steel, .*'glass'"),
        ({"facts": FACTS._replace(city=3201)}, "CITY_UNSOUND: .*begin with 33, got 3201"),
        ({"facts": FACTS._replace(title="")}, "TEXT_UNSOUND: title: expected one line"),
        ({"facts": FACTS._replace(valid_from=20250231)}, "DATE_UNSOUND: valid_from: .*20250231"),
    ],
)
def test_an_unsound_enterprise_is_refused_and_nothing_is_kept(world, terms, said):
    with refuses(said):
        register(world, **terms)
    assert world.store.one("SELECT count(*) FROM enterprises") == 1


def test_a_renamed_enterprise_has_each_name_on_its_days(world):
    """CEA-ENT-12."""
    enterprises = world.platform.enterprises
    number = register(world)
    renamed = FACTS._replace(valid_from=20250301, title="Power Two", document="decision 7")
    enterprises.change("E2", renamed)
    titles = [enterprises.facts_on(number, day).title for day in (20191231, 20250228, 20250301)]
    assert titles == ["Power 2", "Power 2", "Power Two"]
    with refuses("FACT_OUTDATED: valid_from: expected 20250301 or later, got 20240101"):
        enterprises.change("E2", FACTS._replace(valid_from=20240101))


def test_a_merged_enterprise_is_followed_and_its_units_are_its_successors(world):
    """CEA-ENT-12."""
    platform = world.platform
    register(world)
    old, new = platform.enterprises.of("E1"), platform.enterprises.of("E2")
    terms = {"kind": "merged", "decided_on": 20250601, "document": "decision 8"}
    platform.enterprises.succeed("E1", "E2", **terms)
    platform.units.hand_over(
        old.enterprise_id, new.enterprise_id, valid_from=20250601, document="decision 8"
    )
    assert set(platform.units.of(old.enterprise_id, 20250531)) == {"E1-1"}
    assert set(platform.units.of(old.enterprise_id, 20250601)) == set()
    assert set(platform.units.of(new.enterprise_id, 20250601)) == {"E1-1"}
    with refuses("ENTERPRISE_ENDED: .*E1, which E2 followed on 20250601"):
        platform.enterprises.acting("E1")
    with refuses("ENTERPRISE_ENDED"):
        platform.enterprises.succeed("E1", "E2", **terms)
    with refuses("ENTERPRISE_UNKNOWN: successor: expected another enterprise"):
        platform.enterprises.succeed("E2", "E2", **terms)


def test_a_split_enterprise_has_a_successor_for_what_it_owes_and_others(world):
    """CEA-ENT-12."""
    platform = world.platform
    register(world)
    register(world, "E3", code=credit_code(3))
    terms = {"kind": "split", "decided_on": 20250601, "document": "decision 9"}
    platform.enterprises.succeed("E1", "E2", share_bp=6_000, **terms)
    platform.enterprises.succeed("E1", "E3", share_bp=4_000, **terms)
    old = platform.enterprises.of("E1")
    assert platform.enterprises.name_of(old.successor_id) == "E2"
    successors = platform.enterprises.successors(old.enterprise_id)
    shares = {each.enterprise: each.share_bp for each in successors}
    assert shares == {"E2": 6_000, "E3": 4_000}


@pytest.mark.parametrize("kind", ["merged", "split"])
def test_who_succeeds_is_of_the_same_sector(world, kind):
    """CEA-ENT-12: else a generating unit were a steelworks' process."""
    register(world, sector="steel")
    enterprises = world.platform.enterprises
    with refuses("CHOICE_UNKNOWN: successor: expected one of power, as E1 is, got E2 of steel"):
        enterprises.succeed("E1", "E2", kind=kind, decided_on=20250601, document="decision 8")
    assert enterprises.of("E1").ended_on == 0


def test_nothing_was_decided_on_a_day_to_come_and_no_fact_begins_years_ahead(world):
    """CEA-ENT-18: a mistyped year would bar all later changes; the day is 10 January 2026."""
    platform, tomorrow, in_a_year = world.platform, 20260111, 20270111
    world.enterprise("E2", number=2)
    decided = {"decided_on": tomorrow, "document": "decision 9"}
    entered = decided | {"cause": "over_threshold", "tonnes": 26_000}
    tied = {"enterprise": "E1", "until": tomorrow}
    for what, act in (
        ("decided_on", lambda: platform.successions.merge("E1", "E2", **decided)),
        ("decided_on", lambda: platform.listing.enter(2025, "E1", **entered)),
        ("until", lambda: platform.firms.tie("V1", "manager", "register 4", **tied)),
    ):
        with refuses(f"DATE_OUT_OF_RANGE: {what}: expected one up to 20260110, got 20260111"):
            act()

    def noted(day):
        facts = EnterpriseFacts(day, "Power 1", 3301, "4411", "", "licence 2")
        changed = {"valid_from": day, "document": "licence 2"}
        yield lambda: platform.enterprises.change("E1", facts)
        yield lambda: world.unit(f"E1-{day}", valid_from=day)
        yield lambda: platform.units.change("E1-1", 1, UnitFacts(rated_kw=(1,)), **changed)

    for act in noted(in_a_year + 1):
        with refuses("DATE_OUT_OF_RANGE: valid_from: expected one up to 20270111, got 20270112"):
            act()
    for act in noted(in_a_year):
        act()


def test_an_unknown_enterprise_or_unit_is_refused(world):
    with refuses("ENTERPRISE_UNKNOWN: enterprise: expected a registered one, got 'E9'"):
        world.platform.enterprises.of("E9")
    with refuses("UNIT_UNKNOWN: unit: expected a registered one, got 'E9-1'"):
        world.platform.units.change(
            "E9-1", 1, UnitFacts(), valid_from=20250101, document="licence 2"
        )


def test_a_unit_of_a_taken_name_or_unsound_facts_is_refused(world):
    with refuses("UNIT_TAKEN: unit: expected a new name, got E1-1"):
        world.unit("E1-1")
    with refuses("UNIT_FACTS_UNSOUND: facts: .*unknown field `colour`"):
        world.unit("E1-2", colour="red")
    with refuses("UNIT_FACTS_UNSOUND: .*`int` <= 10000.*green_bp"):
        world.unit("E1-2", green_bp=10_001)
    for rated, bound in ((-5, ">= 1"), (0, ">= 1"), (2_000_001, "<= 2000000")):
        with refuses(f"UNIT_FACTS_UNSOUND: .*`int` {bound} .*rated_kw"):
            world.unit("E1-2", rated_kw=[600_000, rated])
    with refuses("FACT_OUTDATED"):
        world.platform.units.change(
            "E1-1", 1, UnitFacts(), valid_from=20190101, document="licence 2"
        )


def test_a_unit_is_of_a_year_in_the_months_it_was_there(world):
    world.unit("E1-2", valid_from=20250815)
    enterprise = world.platform.enterprises.of("E1")
    had = world.platform.units.of_year(enterprise.enterprise_id, 2025)
    assert had["E1-2"] == (202508, 202509, 202510, 202511, 202512)
    assert len(had["E1-1"]) == 12
