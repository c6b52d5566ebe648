"""Cuts of the next allowances: behind order and refusal, and told to the registry."""

import pytest

from cea_exchange.platform.enforcement.cases import Breach
from support.platform.enforcement import opened, owes, reported, short_of_2023, taken
from support.platform.linked import Linked
from support.platform.platform_world import PROVINCE, ZHEJIANG, given_2024, verified_2024
from support.refusing import refuses


@pytest.fixture
def cut(world):
    def cut(number, tonnes, **of):
        return world.platform.cases.cuts.cut(PROVINCE, number, tonnes, "decision 2", **of)

    return cut


def test_what_was_not_surrendered_is_cut_only_behind_order_term_and_refusal(world, cut):
    """CEA-PEN-04, CEA-PEN-05."""
    short_of_2023(world)
    number = opened(world)
    with refuses("PENALTY_NOT_ALLOWED: deduction: expected a correction order before it"):
        cut(number, 865_300)
    taken(world, number, "order", due_on=20250301)
    with refuses("PENALTY_NOT_ALLOWED: deduction: expected after 20250301"):
        cut(number, 865_300)
    world.day = 20250303
    with refuses("PENALTY_NOT_ALLOWED: deduction: expected the refusal of correction order"):
        cut(number, 865_300)
    reported(world, 2023, (20241220, 4_263_312), (20250302, 65_300))
    taken(world, number, "refuse")
    with refuses("AMOUNT_UNSOUND: cut: expected from 800000 to 800000 t, got 865300"):
        cut(number, 865_300)
    cut(number, 800_000)
    with refuses("CASE_STATE: case 1: expected one cut"):
        cut(number, 800_000)


@pytest.mark.parametrize(
    ("year", "breach_on", "ordered_on", "cut_on", "words"),
    [
        (2025, 20261231, 20270105, 20270301, "year: expected .* to be deducted, got 2025"),
        (2024, 20251231, 20260710, 20260815, "deduction for unpaid .*expected to be decided befo"),
    ],
)
def test_from_15_august_2026_on_nothing_unpaid_is_cut(
    world, cut, year, breach_on, ordered_on, cut_on, words
):
    """CEA-PEN-04, CEA-ALC-11."""
    owes(world, year, 10_000)
    world.day = ordered_on
    reported(world)
    number = opened(world, Breach("unpaid", breach_on, year))
    taken(world, number, "order", due_on=ordered_on + 10)
    taken(world, number, "refuse", day=cut_on)
    with refuses(f"PENALTY_NOT_ALLOWED: {words}"):
        cut(number, 10_000)


def test_fraud_cuts_half_of_a_later_final_allocation_at_least_on_refusal(world, cut):
    """CEA-LAW-09, CEA-LAW-08, example 37: of what the platform distributed, typed by nobody."""
    given_2024(world)
    number = opened(world, Breach("fraud", 20250801, 2023), day=20251001)
    with refuses("STEP_MISSING: case 1: expected the refusal of an order to correct"):
        cut(number, 1_423_800, year=2024)
    taken(world, number, "order", due_on=20251101)
    taken(world, number, "refuse", day=20251103)
    with refuses("PENALTY_NOT_ALLOWED: case 1: expected an entity with a final allocation of 2025"):
        cut(number, 1_423_800, year=2025)
    with refuses("DATE_OUT_OF_RANGE: case 1: expected a year behind 2023"):
        cut(number, 1_423_800, year=2023)
    with refuses("AMOUNT_UNSOUND: cut: expected from 1423800 to 2847600 t, got 1423799"):
        cut(number, 1_423_799, year=2024)
    cut(number, 1_423_800, year=2024)


def test_until_april_2024_as_much_is_cut_as_was_misreported(world, cut):
    """CEA-LAW-15."""
    number = opened(world, Breach("fraud", 20240301, 2022, found_on=20250201), day=20250210)
    with refuses("AMOUNT_UNSOUND: cut: expected from 500 to 500 t, got 400"):
        cut(number, 400, misreported=500)
    cut(number, 500, misreported=500)


def test_a_firm_has_no_allowances_to_cut(world, cut):
    number = opened(world, Breach("false_service", 20250301), firm_id=1)
    with refuses("PENALTY_NOT_ALLOWED: case 1: expected an entity's case"):
        cut(number, 1)


@pytest.fixture
def linked(tmp_path):
    with Linked(tmp_path) as found:
        verified_2024(found.world)
        found.opened()
        given_2024(found.world, is_verified=True)
        found.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)
        found.talk()
        yield found


OWED = 2_957_724


def refused_order(linked):
    """Let 1,000 t be surrendered in time, 500 t be applied for in time and accepted late."""
    world, surrender = linked.world, linked.registry.surrender
    world.day = 20251230
    for tonnes in (1_000, 500):
        number = surrender.apply("P001", 2024, {"CEA24": tonnes})
        if tonnes == 1_000:
            surrender.accept(number, ZHEJIANG)
    world.day = 20260105
    linked.talk()
    unpaid = Breach("unpaid", 20251231, 2024)
    with refuses("REGISTRY_AWAITED: .*got 500 t that are not decided"):
        opened(world, unpaid)
    surrender.accept(number, ZHEJIANG)
    linked.talk()
    number = opened(world, unpaid)
    assert linked.platform.cases.of_number(number).shortfall == OWED - 1_500
    taken(world, number, "order", due_on=20260201)
    taken(world, number, "refuse", day=20260202)
    return number


def test_the_registry_is_told_of_a_cut_and_deducts_it(linked):
    """CEA-PEN-04, CEA-PEN-05, CEA-PEN-07, CEA-PLK-01."""
    number = refused_order(linked)
    linked.platform.cases.cuts.cut(PROVINCE, number, OWED - 1_500, "decision 2")
    linked.talk()
    assert linked.refused() == []
    (due,) = linked.registry.deductions.still_to_adjust("P001")
    assert (due.tonnes, due.cause, due.document) == (OWED - 1_500, "unpaid", "unpaid-2024")
    (order,) = linked.registry.corrections.listed(2024)
    assert (order.document, order.until, order.refusal) == ("order 1", 20260201, "refuse 1")


def test_the_registry_refuses_a_cut_of_other_tonnes_than_are_missing(linked):
    """CEA-PLK-02, CEA-PLK-03: what it refused is sent again once its cause was mended."""
    number = refused_order(linked)
    linked.platform.cases.cuts.cut(PROVINCE, number, OWED - 1_500, "decision 2")
    late = linked.registry.surrender.apply("P001", 2024, {"CEA24": 7})
    linked.talk()
    ((enterprise, code, words),) = linked.refused()
    assert (enterprise, code) == ("E1", "NOTHING_SHORT")
    assert words.startswith("P001: expected short of 2024 with nothing left to decide")
    assert linked.registry.deductions.still_to_adjust("P001") == []
    linked.registry.surrender.reject(late, ZHEJIANG, "decided already")
    linked.platform.resending.send_again(linked.platform.outbox.last_seq)
    linked.talk()
    (due,) = linked.registry.deductions.still_to_adjust("P001")
    assert due.tonnes == OWED - 1_500


def test_a_cut_for_fraud_is_an_enforcement_deduction(linked):
    """CEA-LAW-09, CEA-PLK-01."""
    world = linked.world
    number = opened(world, Breach("fraud", 20250801, 2023), day=20260105)
    taken(world, number, "order", due_on=20260201)
    taken(world, number, "refuse", day=20260202)
    linked.platform.cases.cuts.cut(PROVINCE, number, 2_000_000, "decision 2", year=2024)
    linked.talk()
    (due,) = linked.registry.deductions.still_to_adjust("P001")
    assert (due.tonnes, due.cause, due.document) == (2_000_000, "enforcement", "case-1")
