"""Whoever takes an account over takes over what it owes and what it sold."""

import pytest

from cea_exchange.institution.checks import ActError
from cea_exchange.registry.participants.mergers import successors, with_taken_over
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.refusing import refuses
from support.registry.allocation_files import ENTITIES, distributed, entities_open, registry_open
from support.registry.compliance_world import BEIJING, SHANGHAI, World, proof

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    """P1 and P2 owe of 2024, P2 has allowances for both, P3 owes nothing."""
    with World(tmp_path, database_address) as world:
        world.products("CEA", "CEA23", "CEA24", "CEA25")
        world.entity("P1", SHANGHAI, CEA24=30)
        world.entity("P2", BEIJING, CEA24=300)
        world.entity("P3", BEIJING, CEA24=5)
        world.owe(2024, ("P1", 100), ("P2", 50))
        yield world
    assert [] == check_ledger(tmp_path).differences


on_sqlite = pytest.mark.parametrize("database_address", ["sqlite"], indirect=True)


def surrendered(world, account, tonnes, province):
    service = world.registry.surrender
    number = service.apply(account, 2024, {"CEA24": tonnes})
    service.accept(number, province)
    return service.retire(number)


def test_the_successor_surrenders_for_the_account_it_has_taken_over(world):
    """CEA-ACC-08: each obligation stays what it is, with its own review and certificate."""
    registry = world.registry
    accounts, surrender = registry.accounts, registry.surrender
    assert surrendered(world, "P1", 20, SHANGHAI) is None
    accounts.merge("P1", "P2", "merged in law")
    with refuses("ACCOUNT_PENDING: account P2: .*got obligation of 2024 for"):
        accounts.close("P2", "gone")
    assert 310 == world.held("P2", "CEA24")
    assert ["obligation of 2024 for P1", "obligation of 2024"] == accounts.pending(1)
    assert ["P1"] == accounts.show("P2")["taken_over"]
    assert 80 == registry.obligations.notice("P1", 2024).due
    (first, second) = registry.compliance.public_list(2024)
    assert ("P1", "P2", "P2", "") == (
        first.account, first.taken_over_by, second.account, second.taken_over_by,
    )  # fmt: skip
    with refuses("NOT_DUE: .*at most the 80 t due, got 81"):
        surrender.apply("P1", 2024, {"CEA24": 81})
    with refuses("PROVINCE_OTHER: .*province 11, got 2"):
        surrender.accept(surrender.apply("P1", 2024, {"CEA24": 80}), BEIJING)
    (waiting,), _following = surrender.listed("applied", SHANGHAI)
    assert ("P1", "P2", "") == (waiting.account, waiting.giver, waiting.why)
    surrender.accept(waiting.surrender_id, SHANGHAI)
    assert surrender.retire(waiting.surrender_id).startswith("2024-")
    assert 100 == surrender.certificate("P1", 2024).obligation_tonnes
    assert ["obligation of 2024"] == accounts.pending(1)
    assert surrendered(world, "P2", 50, BEIJING) is not None
    assert 180 == world.held("P2", "CEA24") and [] == accounts.pending(1)


def test_an_account_that_is_taken_over_twice_is_the_last_ones(world):
    """CEA-ACC-08: by one that is merged later; and only who may act for that one acts for it."""
    registry = world.registry
    accounts = registry.accounts
    accounts.merge("P1", "P2", "why")
    assert {0: 1} == successors(registry.store)
    world.clock.day = 20251102
    accounts.merge("P2", "P3", "why")
    assert {0: 2, 1: 2} == successors(registry.store)
    assert {0: 1} == successors(registry.store, until=20251101)
    assert [0, 1, 2] == with_taken_over(registry.store, 2)
    assert {"account P3", "province 31"} == accounts.bodies("P1")
    assert surrendered(world, "P1", 100, SHANGHAI) and surrendered(world, "P2", 50, BEIJING)
    for act in (
        lambda: accounts.close("P3", "why"),
        lambda: registry.account("P1"),
        lambda: registry.surrender.apply("P4", 2024, {"CEA24": 1}),
    ):
        with pytest.raises(ActError):
            act()
    assert 185 == world.held("P3", "CEA24")


@on_sqlite
def test_what_may_become_of_an_obligation_may_after_a_merger(world):
    """CEA-ACC-08: corrections, CCERs, deductions; the shortfall says who owes."""
    registry = world.registry
    registry.accounts.merge("P1", "P2", "why")
    world.owe(2024, ("P1", 120), why="verified again")
    assert registry.offsets.book(proof("C-1", "P1", 6)) is None
    assert 114 == registry.obligations.standing("P1", 2024).due
    surrendered(world, "P2", 50, BEIJING)
    world.clock.day = 20260105
    (short,) = registry.compliance.shortfalls(2024)
    assert ("P1", "P2", 114) == (short.account, short.taken_over_by, short.shortfall)
    world.refused("P1", 2024, SHANGHAI, until=20260120)
    registry.compliance.deduct("P1", 2024, SHANGHAI)
    (deduction,) = registry.distribution.still_to_adjust("P2")
    assert ("unpaid-2024-P1", 114) == (deduction.document, deduction.remaining)
    assert ["deduction 1"] == registry.accounts.pending(1)


@on_sqlite
def test_what_a_province_keeps_for_the_successor_is_not_released_while_it_owes_for_another(world):
    """CEA-ACC-08, CEA-SUR-07."""
    registry = world.registry
    surrendered(world, "P2", 50, BEIJING)
    registry.accounts.merge("P2", "P3", "why")
    world.keep("P3", BEIJING, "CEA24", 70)
    registry.accounts.at_risk_set("P3", True, "why")
    world.entity("P4", BEIJING, CEA24=1)
    world.owe(2024, ("P4", 60))
    registry.accounts.merge("P4", "P3", "why")
    with refuses("STILL_OWED: .*P3, which is at risk, to owe nothing, got 60 .* for P4"):
        registry.province_holdings.release("P3")
    plan = registry.surrender.force("P4", 2024, BEIJING)
    assert ({2024: 60}, {2024: 10}, 0) == (plan.taken, plan.released, plan.due)


# -- distribution -----------------------------------------------------------------------------


@pytest.fixture
def allocated(tmp_path, database_address):
    """P1 and P2 were given something of 2024 ahead, and P1 was merged into P2."""
    with registry_open(tmp_path, database_address) as opened:
        entities_open(opened, ENTITIES)
        yield opened
    assert [] == check_ledger(tmp_path).differences


def test_what_was_given_ahead_is_the_successors(allocated):
    """CEA-DIS-10: taken off its final allocation, once."""
    distributed(allocated, "pre", {"P0001": 700, "P0002": 1_000})
    allocated.accounts.merge("P0001", "P0002", "why")
    (line,) = distributed(allocated, "final", {"P0002": 2_000}).values()
    assert (1_700, 1_700, 300) == (line.before, line.given_before, line.given)
    (line,) = distributed(allocated, "adjustment", {"P0002": 2_100}).values()
    assert (2_000, 2_000, 100) == (line.before, line.given_before, line.given)
    allocated.accounts.merge("P0002", "P0003", "why")
    (line,) = distributed(allocated, "pre", {"P0003": 50}).values()
    assert (0, 50) == (line.before, line.given)


def test_what_had_its_final_allocation_stays_so(allocated):
    """CEA-DIS-10."""
    distributed(allocated, "final", {"P0001": 700, "P0002": 1_000})
    allocated.accounts.merge("P0001", "P0002", "why")
    (line,) = distributed(allocated, "adjustment", {"P0002": 1_100}).values()
    assert (1_000, 100) == (line.before, line.given)


def test_a_deduction_of_before_goes_on_with_the_successor(allocated):
    """CEA-DIS-10, CEA-ALC-10: what was deducted ahead goes back, and is taken off what comes."""
    allocated.distribution.deduct("P0001", "decision-1", "other", 50_000, 20260301)
    distributed(allocated, "pre", {"P0001": 50_000, "P0002": 10_000})
    allocated.accounts.merge("P0001", "P0002", "why")
    (line,) = distributed(allocated, "final", {"P0002": 40_000}).values()
    # Of 50,000 t only 40,000 can be deducted in all: both together are given nothing.
    assert (60_000, 10_000, 10_000, 10_000) == (
        line.before, line.returned, line.recalled, line.remaining,
    )  # fmt: skip
    (still,) = allocated.distribution.still_to_adjust("P0002")
    assert ("P0001", 10_000) == (still.account, still.remaining)
    with refuses("ACCOUNT_PENDING: .*nothing pending, got deduction 1"):
        allocated.accounts.merge("P0002", "P0003", "why")
    assert "deduction 1" in allocated.accounts.show("P0001")["pending"]
    (line,) = distributed(allocated, "adjustment", {"P0002": 65_000}).values()
    assert (10_000, 15_000) == (line.deducted, line.given)


# -- carryover --------------------------------------------------------------------------------


@pytest.fixture
def traders(tmp_path, database_address):
    """In the window P1 sold 30,000 t and P2 bought 10,000 t, of P3."""
    with World(tmp_path, database_address, day=20231201) as world:
        world.products("CEA", "CEA23", "CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA23=100_000)
        world.entity("P2", BEIJING, CEA23=100_000, CEA24=500)
        world.entity("P3", BEIJING, CEA23=100_000)
        world.traded("P1", "P3", "CEA23", 20240515, 30_000, 9_000)
        world.traded("P3", "P2", "CEA23", 20250515, 10_000, 9_000)
        world.clock.day = 20251105
        for account in ("P1", "P2", "P3"):
            world.come_home(account)
        yield world
    assert [] == check_ledger(tmp_path).differences


def noticed(world, account):
    world.clock.day = 20260120
    world.registry.carryover.give_notice()
    return world.registry.carryover.notice(account)


@pytest.mark.parametrize("day", [20251110, 20260110])
def test_net_sales_and_holdings_of_before_are_the_successors(traders, day):
    """CEA-CRY-08: whether it was merged before the window's end or between that and the notice."""
    registry = traders.registry
    traders.clock.day = day
    registry.accounts.merge("P1", "P2", "why")
    notice = noticed(traders, "P2")
    assert (20_000, 180_500) == (notice.net_sales, notice.registration_tonnes)
    assert 10_000 + 30_000 == notice.limit_tonnes
    traders.clock.day = 20260210
    assert registry.carryover.apply("P2", {"CEA23": 40_000})
    with refuses("CARRYOVER_LIMIT: .*40000"):
        registry.carryover.apply("P2", {"CEA23": 1})


def test_a_late_surrender_is_the_successors_too(traders):
    """CEA-CRY-08, CEA-CRY-04."""
    traders.owe(2024, ("P1", 100))
    traders.registry.accounts.merge("P1", "P2", "why")
    assert "year 2024: expected surrendered in full" in noticed(traders, "P2").refusal


def test_after_the_notice_each_limit_is_added(traders):
    """CEA-CRY-08: as told, less what was applied for; whoever might not adds nothing."""
    registry = traders.registry
    traders.owe(2024, ("P3", 100))
    limits = [noticed(traders, "P1").limit_tonnes]
    limits += [registry.carryover.notice(account).limit_tonnes for account in ("P2", "P3")]
    assert [55_000, 10_000, 0] == limits
    number = registry.carryover.apply("P1", {"CEA23": 15_000})
    with refuses("ACCOUNT_NOT_EMPTY: .*15000 of CEA23 in applied"):
        registry.accounts.merge("P1", "P2", "why")
    traders.clock.day = 20260325
    registry.carryover.run(1)
    traders.clock.day = 20260401
    for account in ("P1", "P3"):
        registry.accounts.merge(account, "P2", "why")
    notice = registry.carryover.notice("P2")
    assert (1, 65_000, "") == (number, notice.limit_tonnes, notice.refusal)
    with refuses("CARRYOVER_LIMIT: .*65000"):
        registry.carryover.apply("P2", {"CEA23": 50_001})
    assert 2 == registry.carryover.apply("P2", {"CEA23": 50_000})
