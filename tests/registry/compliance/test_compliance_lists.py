"""The lists of a compliance year: who complied when, who is short, and what that may cost."""

import pytest

from cea_exchange.domain.compliance.penalties import FineRange, Traded
from cea_exchange.registry.compliance.lists import UnpaidDeduction, traded_before_deadline
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from support.refusing import refuses
from support.registry.compliance_world import BEIJING, SHANGHAI, World, proof

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as world:
        world.products("CEA23", "CEA24", "OTHER")
        world.entity("P1", BEIJING, CEA24=1_000, OTHER=500)
        world.entity("P2", BEIJING, CEA24=1_000)
        world.entity("P3", SHANGHAI, CEA23=200_000, CEA24=200_000)
        world.entity("P4", SHANGHAI, CEA24=1)
        world.owe(2024, ("P1", 1_000), ("P2", 1_000), ("P3", 300_000), ("P4", 40))
        yield world


def pay(world, account, province, **tonnes):
    number = world.registry.surrender.apply(account, 2024, tonnes)
    world.registry.surrender.accept(number, province)
    world.registry.surrender.retire(number)


def test_the_public_list_says_who_complied_and_when(world):
    world.registry.offsets.book(proof("N1", "P1", 50))
    pay(world, "P1", BEIJING, CEA24=950)
    states = {row.account: row.state for row in world.registry.compliance.public_list(2024)}
    assert {"P1": "in time", "P2": "open", "P3": "open", "P4": "open"} == states
    world.clock.day = 20260101
    pay(world, "P2", BEIJING, CEA24=1_000)
    rows = {row.account: row for row in world.registry.compliance.public_list(2024)}
    assert ["in time", "late", "short", "short"] == [rows[f"P{n}"].state for n in (1, 2, 3, 4)]
    p1 = rows["P1"]
    assert (950, 50, 20251101) == (p1.surrendered, p1.offset, p1.completed_on)
    assert (1_000, 20260101) == (rows["P2"].surrendered, rows["P2"].completed_on)
    assert (31, 300_000, 0, None) == (
        rows["P3"].province,
        rows["P3"].obligation_tonnes,
        rows["P3"].surrendered,
        rows["P3"].completed_on,
    )


def december_2024(world):
    """Return what was traded in the month that fines of 2024 are reckoned by."""
    registry = world.registry
    return traded_before_deadline(registry.store, registry.ledger.rules, 2024)


def test_section_15_the_fine_is_of_the_mean_price_in_december(world):
    """CEA-PEN-01, CEA-PEN-02: all vintages, value by volume, 1 to 31 December, x 5 to 10."""
    for product, day, tonnes, price in (
        ("CEA24", 20251130, 90_000, 20_000),
        ("CEA24", 20251201, 20_000, 9_000),
        ("CEA23", 20251231, 10_000, 6_000),
    ):
        world.traded("P3", "P4", product, day, tonnes, price)
    # What is no allowance, or was undone, makes no price.
    world.traded("P1", "P2", "OTHER", 20251203, 500, 1)
    world.traded("P3", "P4", "CEA24", 20251204, 7_000, 99_999)
    world.busted(20251205)
    world.clock.day = 20260101
    service = world.registry.compliance
    assert Traded(amount=240_000_000, tonnes=30_000) == december_2024(world)
    pay(world, "P1", BEIJING, CEA24=600)
    shortfalls = {row.account: row for row in service.shortfalls(2024)}
    # 8,000 fen a tonne: 1,000 t short at the deadline, whatever was paid since.
    assert FineRange(least=40_000_000, most=80_000_000) == shortfalls["P1"].fine
    assert (1_000, 400) == (shortfalls["P1"].shortfall, shortfalls["P1"].due)
    assert FineRange(least=1_600_000, most=3_200_000) == shortfalls["P4"].fine
    assert ["P1", "P2", "P3", "P4"] == list(shortfalls)


def test_a_trade_that_is_settled_late_does_not_move_the_mean_price(world):
    """CEA-PEN-02: it counts on its own day, before it is settled and after; busted it is none."""
    world.traded("P3", "P4", "CEA24", 20251201, 20_000, 9_000)
    world.traded("P3", "P4", "CEA23", 20251230, 1_000, 50_000, frozen=True)
    world.traded("P3", "P4", "CEA24", 20251231, 5_000, 1, frozen=True)
    world.busted(20260104)
    world.clock.day = 20260105
    traded = december_2024(world)
    assert Traded(amount=230_000_000, tonnes=21_000) == traded
    world.settled_late()
    assert [] == world.registry.defaults.failures()
    assert traded == december_2024(world)


def test_shortfalls_are_known_once_the_deadline_has_passed(world):
    world.clock.day = 20251231
    with refuses("TOO_EARLY: shortfalls: expected after 20251231, got on 20251231"):
        world.registry.compliance.shortfalls(2024)
    world.clock.day = 20260101
    shortfalls = world.registry.compliance.shortfalls(2024)
    # Nothing was traded: there is no mean price, and no fine can be told.
    assert [None] * 4 == [row.fine for row in shortfalls]


def test_fines_of_the_first_cycles_are_fixed(world):
    """CEA-PEN-03."""
    world.owe(2022, ("P1", 5))
    (row,) = world.registry.compliance.shortfalls(2022)
    assert FineRange(least=2_000_000, most=3_000_000) == row.fine


def test_from_2025_on_a_second_fine_follows_the_term_of_the_order(world):
    """CEA-PEN-06: of what was missing when the term ended, whatever was paid since."""
    registry, service = world.registry, world.registry.compliance
    world.products("CEA25")
    world.entity("P5", BEIJING, CEA25=500)
    world.owe(2025, ("P5", 500), ("P3", 900))
    world.traded("P3", "P4", "CEA24", 20261201, 10_000, 9_000)
    first = FineRange(least=100_000_000, most=500_000_000)

    def fines():
        return {row.account: (row.fine, row.fine_after_term) for row in service.shortfalls(2025)}

    def paid(tonnes):
        number = registry.surrender.apply("P5", 2025, {"CEA25": tonnes})
        registry.surrender.accept(number, BEIJING)
        registry.surrender.retire(number)

    world.clock.day = 20270104
    registry.corrections.order("P5", 2025, BEIJING, "HB 1", 20270203)
    world.clock.day = 20270203
    paid(100)
    assert {"P3": (first, None), "P5": (first, None)} == fines()
    world.clock.day = 20270204
    paid(400)
    second = FineRange(least=5 * 400 * 9_000, most=10 * 400 * 9_000)
    # P3 was not ordered.
    assert {"P3": (first, None), "P5": (first, second)} == fines()


def test_what_is_unpaid_is_deducted_by_decision_and_not_paid_besides(world):
    """CEA-PEN-04, CEA-PEN-05, CEA-ALC-11."""
    service, registry = world.registry.compliance, world.registry
    with refuses("TOO_EARLY: deduction: expected after the deadline 20251231, got on 20251101"):
        service.deduct("P1", 2024, BEIJING)
    world.clock.day = 20260105
    world.refused("P1", 2024, BEIJING, until=20260227)
    world.clock.day = 20260301
    waiting = registry.surrender.apply("P1", 2024, {"CEA24": 900})
    with refuses("NOTHING_SHORT: .*got 1000 t due and 900 t applied for"):
        service.deduct("P1", 2024, BEIJING)
    registry.surrender.accept(waiting, BEIJING)
    with refuses("PROVINCE_OTHER: P1: expected an entity of province 31, got another's"):
        service.deduct("P1", 2024, SHANGHAI)
    expected = UnpaidDeduction(
        decision_id=1, account="P1", compliance_year=2024, tonnes=100, decided_on=20260301
    )
    assert expected == service.deduct("P1", 2024, BEIJING)
    (handed_on,) = registry.distribution.still_to_adjust("P1")
    assert ("unpaid-2024", "unpaid", 100, 20260301) == (
        *(handed_on.document, handed_on.cause),
        *(handed_on.remaining, handed_on.decided_on),
    )
    with refuses("DEDUCTION_DECIDED: .*to be decided once, got 100 t decided before"):
        service.deduct("P1", 2024, BEIJING)
    with refuses("NOT_DUE: .*of 100 t due 0 are applied for and 100 deducted"):
        registry.surrender.apply("P1", 2024, {"CEA24": 100})
    world.refused("P2", 2024, BEIJING, until=20260814)
    with refuses("VINTAGE_NOT_ELIGIBLE: .*to be decided before 20260815, got on 20260815"):
        service.deduct("P2", 2024, BEIJING)


def test_an_order_and_a_refusal_come_before_a_deduction(world):
    """CEA-PEN-05: each once, by the entity's own province, after the deadline and the term."""
    service, registry = world.registry.corrections, world.registry
    with refuses("TOO_EARLY: order: expected after the deadline 20251231, got on 20251101"):
        service.order("P1", 2024, BEIJING, "HB 1", 20260201)
    pay(world, "P2", BEIJING, CEA24=1_000)
    world.clock.day = 20260105
    with refuses("CORRECTION_NOT_ORDERED: deduction: expected a correction order before it"):
        registry.compliance.deduct("P1", 2024, BEIJING)
    with refuses("CORRECTION_NOT_ORDERED: P1: expected an order to correct 2024, got none"):
        service.refuse("P1", 2024, BEIJING, "HB 2")
    for until, said in ((20260105, "DATE_OUT_OF_RANGE"), (20260230, "DATE_UNSOUND")):
        with refuses(said):
            service.order("P1", 2024, BEIJING, "HB 1", until)
    with refuses("PROVINCE_OTHER: P1: expected an entity of province 31, got another's"):
        service.order("P1", 2024, SHANGHAI, "HB 1", 20260205)
    with refuses("NOTHING_SHORT: P2: expected short of 2024, got nothing missing"):
        service.order("P2", 2024, BEIJING, "HB 1", 20260205)
    assert 1 == service.order("P1", 2024, BEIJING, "HB 1", 20260205)
    with refuses("CORRECTION_ORDERED: P1: expected one order to correct 2024, got HB 1 before"):
        service.order("P1", 2024, BEIJING, "HB 3", 20260205)
    world.clock.day = 20260205
    with refuses("TOO_EARLY: .*after 20260205, the term of correction order HB 1"):
        registry.compliance.deduct("P1", 2024, BEIJING)
    with refuses("TOO_EARLY: refusal: expected after the order's term 20260205, got on 20260205"):
        service.refuse("P1", 2024, BEIJING, "HB 2")
    pay(world, "P1", BEIJING, CEA24=400)
    world.clock.day = 20260206
    with refuses("CORRECTION_NOT_REFUSED: .*the refusal of correction order HB 1 before it"):
        registry.compliance.deduct("P1", 2024, BEIJING)
    assert [] == registry.distribution.still_to_adjust("P1")
    assert 1 == service.refuse("P1", 2024, BEIJING, "HB 2")
    with refuses("CORRECTION_REFUSED: .*to be recorded once, got HB 2, which shows it"):
        service.refuse("P1", 2024, BEIJING, "HB 4")
    assert 600 == registry.compliance.deduct("P1", 2024, BEIJING).tonnes
    (row,) = service.listed(2024)
    assert ("P1", 1_000, "HB 1", 20260105, 20260205, "HB 2", 20260206, 0) == (
        *(row.account, row.tonnes, row.document, row.ordered_on, row.until),
        *(row.refusal, row.refused_on, row.due),
    )
    assert [] == service.listed(2024, SHANGHAI) == service.listed(2023)


def test_of_the_first_cycles_the_term_in_vain_will_do_and_of_2025_nothing(world):
    """CEA-PEN-04, CEA-PEN-05."""
    registry = world.registry
    world.owe(2022, ("P1", 5))
    world.owe(2025, ("P1", 7))
    registry.corrections.order("P1", 2022, BEIJING, "HB 1", 20251130)
    world.clock.day = 20251201
    assert 5 == registry.compliance.deduct("P1", 2022, BEIJING).tonnes
    world.clock.day = 20270101
    world.refused("P1", 2025, BEIJING, until=20270130)
    with refuses("YEAR_OUT_OF_RANGE: year: expected 2019 to 2022, 2023 to 2024 to be deducted"):
        registry.compliance.deduct("P1", 2025, BEIJING)


def test_reconcile_finds_a_deduction_that_nothing_came_before(world):
    """CEA-PEN-05."""
    world.clock.day = 20260105
    registry, said = world.registry, "deduction 9: expected an order to correct"
    registry.store.insert("unpaid_deductions", [(9, 2024, 0, 1_000, 20260105)])
    assert any(said in each for each in obligation_differences(registry.store))
    registry.store.insert(
        "correction_orders", [(1, 2024, 0, "HB 1", 11, 1_000, 20260101, 20260104)]
    )
    assert any(said in each for each in obligation_differences(registry.store))
    registry.store.insert("correction_refusals", [(1, "HB 2", 1_000, 20260105)])
    assert not any(said in each for each in obligation_differences(registry.store))
