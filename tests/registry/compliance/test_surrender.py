"""Surrender: what an entity owes is applied for, reviewed, retired and certified, or refused."""

import msgspec
import pytest

from cea_exchange.ledger.double_entry import Compartment
from cea_exchange.ledger.institutions import Institution, province_account
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.refusing import refuses
from support.registry.compliance_world import BEIJING, SHANGHAI, World

APPLIED = Compartment.APPLIED
pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as world:
        world.products("CEA23", "CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA23=400, CEA24=900, CEA25=50)
        world.entity("P2", SHANGHAI, CEA24=500)
        world.owe(2024, ("P1", 1_000), ("P2", 600))
        yield world


def surrendered(world, account, year, province, **tonnes):
    """Surrender all the way; return the certificate's number, if there is one then."""
    service = world.registry.surrender
    number = service.apply(account, year, tonnes)
    service.accept(number, province)
    return service.retire(number)


# -- the way of an application ---------------------------------------------------------------------


def test_allowances_go_from_the_entity_over_its_province_to_the_authority(world):
    service = world.registry.surrender
    number = service.apply("P1", 2024, {"CEA24": 700})
    assert (200, 700) == (world.held("P1", "CEA24"), world.held("P1", "CEA24", APPLIED))
    service.accept(number, BEIJING)
    assert 700 == world.held(Institution.AUTHORITY, "CEA24", APPLIED)
    assert 0 == world.held(province_account(BEIJING), "CEA24", APPLIED)
    assert service.retire(number) is None
    assert 700 == world.held(Institution.RETIREMENT, "CEA24")
    entity, beijing = world.registry.account("P1"), province_account(BEIJING)
    assert world.entries(f"surrender {number}") == [
        ("SET_ASIDE", entity, entity, 700),
        ("SURRENDERED", entity, beijing, 700),
        ("SURRENDERED", beijing, -5, 700),
        ("RETIRED", -5, -6, 700),
    ]


def test_the_certificate_comes_with_the_last_tonne(world):
    """CEA-SUR-12."""
    assert surrendered(world, "P1", 2024, BEIJING, CEA23=400) is None
    with refuses("CERTIFICATE_MISSING: P1: expected a certificate of 2024, got none"):
        world.registry.surrender.certificate("P1", 2024)
    assert surrendered(world, "P1", 2024, BEIJING, CEA24=600) == "2024-000001"
    found = world.registry.surrender.certificate("P1", 2024)
    assert ({"CEA23": 400, "CEA24": 600}, 1_000) == (found.surrendered, found.obligation_tonnes)
    assert (20251101, 20251231) == (found.completed_on, found.deadline)
    text = found.text()
    assert "surrendered     400 t of CEA23\nsurrendered     600 t of CEA24\n" in text
    assert "complete on     20251101, in time" in text
    kept = world.registry.store.one("SELECT content FROM certificates")
    assert msgspec.json.decode(kept)["number"] == "2024-000001"


def test_no_certificate_comes_while_something_waits_for_the_authority(world):
    """CEA-SUR-12: covered is not retired."""
    service = world.registry.surrender
    numbers = [service.apply("P1", 2024, {name: t}) for name, t in (("CEA23", 400), ("CEA24", 600))]
    for number in numbers:
        service.accept(number, BEIJING)
    assert 0 == world.registry.obligations.standing("P1", 2024).due
    assert [None, "2024-000001"] == [service.retire(number) for number in reversed(numbers)]


def test_an_application_may_be_withdrawn_by_its_giver_until_it_is_decided(world):
    service = world.registry.surrender
    number = service.apply("P1", 2024, {"CEA24": 700})
    with refuses("SURRENDER_UNKNOWN: surrender: expected one that P2 gives"):
        service.withdraw(number, "P2")
    service.withdraw(number, "P1")
    assert (900, 0) == (world.held("P1", "CEA24"), world.held("P1", "CEA24", APPLIED))
    with refuses(f"SURRENDER_STATE: surrender {number}: expected applied, got withdrawn"):
        service.accept(number, BEIJING)
    again = service.apply("P1", 2024, {"CEA24": 700})
    service.accept(again, BEIJING)
    with refuses("SURRENDER_STATE: surrender 2: expected applied, got accepted"):
        service.withdraw(again, "P1")


def test_a_province_decides_about_its_own_entities_only(world):
    service = world.registry.surrender
    number = service.apply("P1", 2024, {"CEA24": 700})
    for decide in (service.accept, lambda *of: service.reject(*of, "no")):
        with refuses("PROVINCE_OTHER: surrender: expected one for an entity of province 31"):
            decide(number, SHANGHAI)
    assert ([], None) == service.listed("applied", SHANGHAI)
    (waiting,), _following = service.listed("applied", BEIJING)
    assert {"CEA24": 700} == waiting.tonnes
    with refuses("TEXT_UNSOUND: why: expected one line of at most 200 characters"):
        service.reject(number, BEIJING, " ")
    service.reject(number, BEIJING, "the verification is disputed")
    assert 900 == world.held("P1", "CEA24")
    assert "the verification is disputed" == world.registry.store.one(
        "SELECT rejection FROM surrenders WHERE surrender_id = ?", (number,)
    )


UNPAYABLE = (
    ({"CEA25": 1}, "VINTAGE_NOT_ELIGIBLE: .*2024 or earlier for that year, got 2025"),
    ({"CEA24": 900, "CEA23": 101}, "NOT_DUE: .*at most the 1000 t due, got 1001"),
    ({"CEA23": 401}, "INSUFFICIENT_ALLOWANCES: .*P1 to hold 401 of CEA23 in registration"),
    ({"CEA24": 0}, "AMOUNT_UNSOUND: tonnes of CEA24: expected positive"),
    ({"CEA24": "5"}, "AMOUNT_UNSOUND: tonnes of CEA24: expected a whole number, got str"),
    ({"CEA99": 5}, "PRODUCT_UNKNOWN: product: expected a declared one, got 'CEA99'"),
    ({}, "AMOUNT_UNSOUND: tonnes: expected those of at least one product"),
)


def test_what_may_not_pay_is_refused_and_nothing_is_set_aside(world):
    """CEA-SUR-03, CEA-SUR-06."""
    for tonnes, said in UNPAYABLE:
        with refuses(said):
            world.registry.surrender.apply("P1", 2024, tonnes)
    assert [0] * 3 == [world.held("P1", name, APPLIED) for name in ("CEA23", "CEA24", "CEA25")]
    assert 0 == world.registry.store.one("SELECT count(*) FROM surrenders")


def test_several_applications_never_come_to_more_than_is_due(world):
    """CEA-SUR-06."""
    service = world.registry.surrender
    service.apply("P1", 2024, {"CEA24": 700})
    said = "NOT_DUE: .*at most 300 t, of 1000 t due 700 are applied for and 0 deducted, got 301"
    with refuses(said):
        service.apply("P1", 2024, {"CEA23": 301})
    service.apply("P1", 2024, {"CEA23": 300})
    with refuses("OBLIGATION_MISSING: account: expected one with an obligation of 2023, got P2"):
        service.apply("P2", 2023, {"CEA23": 1})


def test_closed_vintages_pay_arrears_of_earlier_years_only(world):
    """CEA-SUR-04, CEA-SUR-05: 2024 takes CEA25 after its deadline, 2025 takes no CEA24."""
    world.clock.day = 20260105
    assert surrendered(world, "P1", 2024, BEIJING, CEA25=50) is None
    world.owe(2025, ("P1", 100))
    said = "VINTAGE_NOT_ELIGIBLE: vintage: expected one after 2024 for years from 2025 on"
    with refuses(said):
        world.registry.surrender.apply("P1", 2025, {"CEA24": 10})


def test_a_surrender_counts_of_the_day_it_was_applied_for(world):
    """CEA-SUR-09: reviewed in January, it is in time."""
    service = world.registry.surrender
    world.clock.day = 20251231
    number = service.apply("P2", 2024, {"CEA24": 500})
    world.registry.issue("P2", "CEA24", 100)
    late = service.apply("P2", 2024, {"CEA24": 100})
    world.clock.day = 20260108
    shortfalls = {row.account: row for row in world.registry.compliance.shortfalls(2024)}
    assert (600, 600, 600) == (
        shortfalls["P2"].shortfall,
        shortfalls["P2"].applied,
        shortfalls["P2"].due,
    )
    for each in (number, late):
        service.accept(each, SHANGHAI)
        service.retire(each)
    assert 20251231 == world.registry.obligations.standing("P2", 2024).completed_on
    assert ["P1"] == [row.account for row in world.registry.compliance.shortfalls(2024)]
    assert ["in time"] == [
        row.state for row in world.registry.compliance.public_list(2024) if row.account == "P2"
    ]


# -- giving for another ----------------------------------------------------------------------------


def test_a_firm_gives_for_one_whose_bank_account_is_blocked(world):
    """CEA-SUR-11: the helped entity never holds them, its own province decides."""
    service = world.registry.surrender
    with refuses("TEXT_UNSOUND: why: expected some words"):
        service.apply("P2", 2024, {"CEA23": 400}, giver="P1")
    number = service.apply("P2", 2024, {"CEA23": 400}, giver="P1", why="bank account blocked")
    with refuses("PROVINCE_OTHER: surrender: expected one for an entity of province 11, got 1"):
        service.accept(number, BEIJING)
    service.accept(number, SHANGHAI)
    service.retire(number)
    assert (0, 500) == (world.held("P1", "CEA23"), world.held("P2", "CEA24"))
    assert 200 == world.registry.obligations.standing("P2", 2024).due
    assert 1_000 == world.registry.obligations.standing("P1", 2024).due
    assert "2024-000001" == surrendered(world, "P2", 2024, SHANGHAI, CEA24=200)
    with refuses("BAD_REQUEST: why: expected only where one gives for another, got 'for myself'"):
        service.apply("P1", 2024, {"CEA24": 1}, why="for myself")


# -- by force --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "taken", "released", "due"),
    [(1_200_000, 1_000_000, 200_000, 0), (800_000, 800_000, 0, 200_000)],
)
def test_section_15_forced_surrender(world, kept, taken, released, due):
    """CEA-SUR-07: 1.2 Mt for 1 Mt due, 0.2 Mt are released; 0.8 Mt, 0.2 Mt are still owed."""
    world.entity("R1", SHANGHAI)
    world.owe(2024, ("R1", 1_000_000))
    world.keep("R1", SHANGHAI, "CEA24", kept)
    plan = world.registry.surrender.force("R1", 2024, SHANGHAI)
    assert (plan.taken, plan.released, plan.due) == (
        {2024: taken},
        {2024: released} if released else {},
        due,
    )
    assert taken == world.held(Institution.AUTHORITY, "CEA24", APPLIED)
    assert released == world.held("R1", "CEA24")
    assert 0 == world.held(province_account(SHANGHAI), "CEA24")
    assert due == world.registry.obligations.standing("R1", 2024).due
    (waiting,), _following = world.registry.surrender.listed("accepted")
    certificate = world.registry.surrender.retire(waiting.surrender_id)
    assert (certificate is None) == bool(due)


def test_what_is_kept_is_not_released_while_an_entity_at_risk_owes(world):
    """CEA-SUR-07."""
    registry = world.registry
    world.entity("R1", SHANGHAI)
    world.owe(2024, ("R1", 100))
    world.keep("R1", SHANGHAI, "CEA24", 150)
    registry.accounts.at_risk_set("R1", True, "late before")
    with refuses("STILL_OWED: .*R1, which is at risk, to owe nothing, got 100 of 2024"):
        registry.province_holdings.release("R1")
    registry.surrender.force("R1", 2024, SHANGHAI)
    assert 50 == world.held("R1", "CEA24")


def test_force_takes_the_oldest_first_and_releases_when_no_year_is_owed(world):
    """CEA-SUR-07, CEA-SUR-08."""
    registry = world.registry
    world.entity("R1", SHANGHAI)
    world.owe(2024, ("R1", 100))
    world.clock.day = 20260301
    world.owe(2025, ("R1", 40))
    for product, tonnes in (("CEA24", 90), ("CEA23", 60), ("CEA25", 50)):
        world.keep("R1", SHANGHAI, product, tonnes)
    world.clock.day = 20251101
    with refuses("PROVINCE_OTHER: R1: expected an entity of province 11, got another's"):
        registry.surrender.force("R1", 2024, BEIJING)
    plan = registry.surrender.force("R1", 2024, SHANGHAI)
    assert ({2023: 60, 2024: 40}, {}, 0) == (plan.taken, plan.released, plan.due)
    assert 50 == world.held(province_account(SHANGHAI), "CEA24")
    plan = registry.surrender.force("R1", 2025, SHANGHAI)
    assert ({2025: 40}, {2024: 50, 2025: 10}) == (plan.taken, plan.released)
    assert (50, 10) == (world.held("R1", "CEA24"), world.held("R1", "CEA25"))
    with refuses("NOT_KEPT: province 31: expected allowances kept for R1, got none"):
        registry.surrender.force("R1", 2025, SHANGHAI)


def test_a_province_that_surrenders_late_harms_nobody(world, tmp_path):
    """CEA-SUR-13: what it held as the deadline passed counts of that day, the rest of its own."""
    registry = world.registry
    world.products("CEA22")
    for name in ("R1", "R2"):
        world.entity(name, SHANGHAI, CEA23=10)
        world.owe(2024, (name, 100))
    world.keep("R1", SHANGHAI, "CEA24", 100)
    world.keep("R2", SHANGHAI, "CEA24", 70)
    world.clock.day = 20251231
    world.keep("R2", SHANGHAI, "CEA22", 5)
    world.clock.day = 20260105
    registry.carryover.give_notice()
    world.clock.day = 20260115
    world.keep("R2", SHANGHAI, "CEA23", 50)
    world.clock.day = 20260302
    plan = registry.surrender.force("R1", 2024, SHANGHAI)
    assert (plan.taken, plan.in_time, plan.due) == ({2024: 100}, {2024: 100}, 0)
    plan = registry.surrender.force("R2", 2024, SHANGHAI)
    assert plan.taken == {2022: 5, 2023: 25, 2024: 70} and plan.due == 0
    assert (plan.in_time, plan.released) == ({2022: 5, 2024: 70}, {2023: 25})
    states = {row.account: row for row in registry.compliance.public_list(2024)}
    assert (states["R1"].state, states["R1"].completed_on) == ("in time", 20251231)
    assert (states["R2"].state, states["R2"].completed_on) == ("late", 20260302)
    short = {row.account: row.shortfall for row in registry.compliance.shortfalls(2024)}
    assert "R1" not in short and short["R2"] == 25
    # And it was the province that was late when the notice said it was the entity.
    assert registry.carryover.notice("R1").refusal == ""
    assert "year 2024: expected surrendered" in registry.carryover.notice("R2").refusal
    days = registry.store.execute("SELECT applied_on, decided_on FROM surrenders ORDER BY 1, 2")
    assert days.fetchall() == [(20251231, 20260302)] * 2 + [(20260302, 20260302)]
    assert check_ledger(tmp_path).differences == []


def test_late_it_pays_by_the_vintages_of_the_deadline(world):
    """CEA-SUR-13: a later vintage pays arrears only, and those are late."""
    registry = world.registry
    world.entity("R1", SHANGHAI)
    world.owe(2024, ("R1", 100))
    world.keep("R1", SHANGHAI, "CEA25", 90)
    world.keep("R1", SHANGHAI, "CEA24", 30)
    world.clock.day = 20260302
    plan = registry.surrender.force("R1", 2024, SHANGHAI)
    assert (plan.taken, plan.in_time) == ({2024: 30, 2025: 70}, {2024: 30})
    standing = registry.obligations.standing("R1", 2024)
    assert standing.counted == {20251231: 30, 20260302: 70} and standing.shortfall == 70


def test_what_was_gone_in_between_was_not_held(world):
    """CEA-SUR-13: recalled, and kept again later."""
    registry = world.registry
    world.entity("R1", SHANGHAI)
    index = registry.account("R1")
    world.owe(2024, ("R1", 100))
    world.keep("R1", SHANGHAI, "CEA24", 100)
    asset = registry.asset("CEA24")
    world.clock.day = 20260105
    holdings = registry.province_holdings
    with registry.transaction():
        holdings.change([(SHANGHAI, index, asset, -60)], "recall 1")
        holdings.change([(SHANGHAI, index, asset, 60)], "distribution 2")
    plan = registry.surrender.force("R1", 2024, SHANGHAI)
    assert (plan.taken, plan.in_time) == ({2024: 100}, {2024: 40})


def test_force_waits_for_applications_that_are_not_decided(world):
    world.keep("P2", SHANGHAI, "CEA24", 600)
    world.registry.surrender.apply("P2", 2024, {"CEA24": 500})
    with refuses("APPLICATIONS_OPEN: applications of P2 for 2024: expected all decided first"):
        world.registry.surrender.force("P2", 2024, SHANGHAI)


def test_what_another_province_keeps_is_not_taken(world):
    """R1 has moved since: nothing of it is done."""
    registry = world.registry
    world.entity("R1", SHANGHAI)
    world.owe(2024, ("R1", 100))
    world.keep("R1", SHANGHAI, "CEA24", 90)
    with registry.transaction():
        registry.store.execute("UPDATE accounts SET province = 11 WHERE account = 'R1'")
    with refuses("NOT_KEPT: what is kept for R1: expected all with province 11, got some with 31"):
        registry.surrender.force("R1", 2024, BEIJING)
    assert {"CEA24": 90} == registry.province_holdings.kept("R1")
    assert ([], None) == registry.surrender.listed("accepted")


def test_an_account_with_something_owed_or_under_way_does_not_end(world):
    accounts, service = world.registry.accounts, world.registry.surrender
    number = service.apply("P1", 2024, {"CEA24": 700})
    assert ["surrender 1", "obligation of 2024"] == accounts.pending(world.registry.account("P1"))
    service.accept(number, BEIJING)
    service.retire(number)
    surrendered(world, "P1", 2024, BEIJING, CEA23=300)
    assert [] == accounts.pending(world.registry.account("P1"))
    with refuses("ACCOUNT_PENDING: .*nothing pending, got obligation of 2024"):
        accounts.close("P2", "gone")


# -- the ledger ------------------------------------------------------------------------------------


def test_the_ledger_agrees_after_all_of_it(tmp_path):
    with World(tmp_path) as world:
        world.products("CEA24")
        world.entity("P1", BEIJING, CEA24=1_000)
        world.owe(2024, ("P1", 600))
        assert surrendered(world, "P1", 2024, BEIJING, CEA24=600) == "2024-000001"
        assert [] == check_ledger(tmp_path).differences
        assert {"CEA24": 1_000} == check_ledger(tmp_path).tonnes


def test_what_the_province_keeps_is_surrendered_before_anything_is_deducted(world):
    """CEA-SUR-13, CEA-PEN-04: it is not taken off next year's while it lies with the province."""
    registry = world.registry
    world.entity("R1", SHANGHAI)
    world.owe(2023, ("R1", 100))
    world.keep("R1", SHANGHAI, "CEA23", 30)
    world.clock.day = 20250110
    with refuses("KEPT_FOR_SURRENDER: province 31: expected nothing kept for R1 that can be"):
        registry.compliance.deduct("R1", 2023, SHANGHAI)
    registry.surrender.force("R1", 2023, SHANGHAI)
    world.refused("R1", 2023, SHANGHAI, 20250120)
    assert registry.compliance.deduct("R1", 2023, SHANGHAI).tonnes == 70
