"""One entity whose figures lack what its plan asks for holds up nobody else."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from cea_exchange.platform.filings import months
from cea_exchange.protocol.links.platform import AllowancesGiven
from support.platform.industries import (
    month_rows,
    verified_works,
    works,
    year_concluded,
    year_reported,
)
from support.platform.platform_world import LI, NATION, PROVINCE, SECOND, coal_month
from support.refusing import refuses


@pytest.mark.parametrize(
    ("sector", "changed", "asked"),
    [
        ("steel", {"iron": None}, "iron of W1-1 in 202501"),
        ("steel", {"sinter": None}, "sinter of W1-1 in 202501"),
        ("steel", {"iron_in.coke": None}, "what iron making of W1-1 in 202501 was fed"),
        ("steel", {"sinter_in.anthracite": None}, "what sinter making of W1-1 in 202501 was fed"),
        ("power", {"C.bituminous": None}, "C.bituminous of W1-1 in 202501"),
    ],
)
def test_a_month_is_asked_for_what_its_allocation_rests_on(world, sector, changed, asked):
    """CEA-MRV-03, CEA-PWR-24, CEA-PLN-20."""
    works(world, "W1", sector, 2)
    rows = month_rows("W1", sector, 202501, changed)
    with refuses(f"FILE_REFUSED: month.csv:2: parameter: expected {asked}.*CEA-MRV-03"):
        world.platform.months.enter(LI, "W1", world.month_file(*rows))


@pytest.mark.parametrize(
    ("sector", "changed"),
    [
        ("steel", {"iron": "0", "iron_in.coke": None, "sinter": "0", "sinter_in.anthracite": None}),
        ("power", {"A.anthracite": "0", "B.anthracite": "0.6"}),
    ],
)
def test_what_was_not_made_or_burnt_is_not_asked_for(world, sector, changed):
    """CEA-MRV-03: a furnace that stood, a coal that was not burnt."""
    works(world, "W1", sector, 2)
    rows = month_rows("W1", sector, 202501, changed)
    assert world.platform.months.enter(LI, "W1", world.month_file(*rows))


@pytest.fixture
def unasked(monkeypatch):
    """Let months be those of a time when nobody asked for what a plan rests on."""
    monkeypatch.setattr(months, "_asked_faults", lambda *_: iter(()))


LACKING = {
    "steel": ({"iron": None}, {"iron": "3000000"}, "iron: expected in every month, got none"),
    "power": (
        {"A.gangue": "100000", "B.gangue": "0.2", "C.bituminous": None},
        None,
        "C.bituminous: expected in every month",
    ),
}


@pytest.mark.parametrize("sector", LACKING)
def test_an_entity_that_lacks_a_figure_is_left_out_and_the_others_are_allocated(
    world, unasked, sector
):
    """CEA-MRV-03, CEA-PLN-13, CEA-PLN-21."""
    changed, _, words = LACKING[sector]
    verified_works(world, "W1", sector, 2025, 2, changed=changed)
    verified_works(world, "W2", sector, 2025, 3)
    verified_works(world, "W3", "aluminium", 2025, 4)
    allocations = world.platform.allocations
    rolled = allocations.roll_up(NATION, 2025)
    assert [each.enterprise for each in rolled.left_out] == ["W1"]
    assert words in rolled.left_out[0].words
    row = allocations.compute(PROVINCE, 33, 2025, "final")
    lines = allocations.lines(row.allocation_id)
    assert [line.enterprise for line in lines] == ["W2", "W3"]
    assert all(line.tonnes > 0 for line in lines)
    (left_out,) = allocations.left_out(row.allocation_id)
    assert left_out == rolled.left_out[0]
    for body in ("enterprise W1", "province 33"):
        messages = [each["words"] for each in world.platform.messages.of(body, 1, 100)]
        assert any(words in each and "W1" in each for each in messages), body
    messages = world.platform.messages.of("enterprise W2", 1, 100)
    assert not any("leaves out" in each["subject"] for each in messages)


def test_a_steelworks_that_emitted_nothing_by_iron_holds_up_nobody(world):
    """CEA-PLN-18, CEA-PLN-20, CEA-PLN-21: by an intensity of nothing there is no balance value."""
    nothing = {"E.iron": "0", "E.sinter": "0"}
    verified_works(world, "W1", "steel", 2025, 2, figures=nothing)
    verified_works(world, "W2", "steel", 2025, 3)
    rolled = world.platform.allocations.roll_up(NATION, 2025)
    assert [each.enterprise for each in rolled.left_out] == ["W1"]
    assert "emissions above 0 tCO2, got 3000000.00 t and 0 tCO2" in rolled.left_out[0].words
    row = world.platform.allocations.compute(PROVINCE, 33, 2025, "final")
    assert [each.enterprise for each in world.platform.allocations.lines(row.allocation_id)] == [
        "W2"
    ]


def distributed(world, stage):
    allocations = world.platform.allocations
    row = allocations.compute(PROVINCE, 33, 2025, stage)
    allocations.approve(SECOND, row.allocation_id)
    allocations.total_set(NATION, 2025, stage, 10**10)
    allocations.distribute(row.allocation_id)
    return row


def test_who_was_left_out_is_allocated_once_the_verifier_has_concluded_the_figure(
    world_on_both, unasked
):
    """CEA-MRV-03, CEA-PLN-26, CEA-VER-10: the registry hears of it as of a final allocation."""
    world = world_on_both
    verified_works(world, "W1", "steel", 2025, 2, changed={"iron": None})
    verified_works(world, "W2", "steel", 2025, 3)
    platform = world.platform
    platform.allocations.roll_up(NATION, 2025)
    distributed(world, "final")
    world.platform.obligations.set_all(PROVINCE, 33, 2025)
    waiting = [(each.step, each.subject) for each in platform.clocks.open(33, 20991231)]
    assert waiting == [("allocation", "W1 2025")]
    platform.verifications.withdraw(1)
    task = platform.verifications.give("W1", 2025, "V1", due_on=20260630)
    year_concluded(world, task, "W1", {"iron": "3000000"}, reason="the ledger of iron")
    row = distributed(world, "adjustment")
    assert platform.allocations.left_out(row.allocation_id) == []
    assert [each.enterprise for each in platform.allocations.lines(row.allocation_id)] == [
        *("W1", "W2")
    ]
    assert platform.clocks.open(33, 20991231) == []
    contents = [platform.outbox.content(seq) for seq in range(1, platform.outbox.last_seq + 1)]
    given = [
        (each.stage, [line.enterprise for line in each.lines])
        for each in contents
        if isinstance(each, AllowancesGiven)
    ]
    assert given == [("final", ["W2"]), ("final", ["W1"]), ("adjustment", ["W2"])]
    (owed,) = platform.obligations.set_all(PROVINCE, 33, 2025)
    assert owed.due_tonnes > 0


def test_who_an_adjustment_leaves_out_owes_what_its_final_allocation_had(world_on_both):
    """CEA-SUR-01, CEA-MRV-03."""
    world = world_on_both
    verified_works(world, "W1", "steel", 2025, 2)
    verified_works(world, "W2", "steel", 2025, 3)
    platform = world.platform
    platform.allocations.roll_up(NATION, 2025)
    first = distributed(world, "final")
    duties = [line.duty for line in platform.allocations.lines(first.allocation_id)]
    platform.verifications.withdraw(1)
    task = platform.verifications.give("W1", 2025, "V1", due_on=20260630)
    nothing = {"E.iron": "0", "E.sinter": "0"}
    year_concluded(world, task, "W1", nothing, reason="the ledger of iron")
    row = distributed(world, "adjustment")
    assert [each.enterprise for each in platform.allocations.left_out(row.allocation_id)] == ["W1"]
    made = platform.obligations.set_all(PROVINCE, 33, 2025)
    assert [each.due_tonnes for each in made] == duties
    assert min(duties) > 0


def test_of_2024_an_industry_is_allocated_without_what_compares_it(world, unasked):
    """CEA-PLN-16: as emitted."""
    verified_works(world, "W1", "steel", 2024, 2, changed={"iron": None})
    row = world.platform.allocations.compute(PROVINCE, 33, 2024, "final")
    (line,) = world.platform.allocations.lines(row.allocation_id)
    assert line.tonnes == line.emissions > 0


def test_a_coal_that_is_of_no_class_leaves_out_its_entity_only(world):
    """CEA-PLN-01, CEA-MRV-03: a unit of oil that nobody declared to be one."""
    oil = {"A.fuel_oil": "50000", "A.bituminous": None, "B.bituminous": None, "C.bituminous": None}
    verified_works(world, "W1", "power", 2024, 2, changed=oil)
    verified_works(world, "W2", "power", 2024, 3)
    allocations = world.platform.allocations
    row = allocations.compute(PROVINCE, 33, 2024, "final")
    assert [each.enterprise for each in allocations.lines(row.allocation_id)] == ["W2"]
    (left_out,) = allocations.left_out(row.allocation_id)
    assert "W1-1: shares of heat: expected those of a class" in left_out.words


def test_generation_in_no_hours_has_no_load_and_no_allowances(world):
    """CEA-PWR-22, CEA-MRV-03: else its load were nought, and its factor the largest."""
    verified_works(world, "W1", "power", 2024, 2, changed={"O": "0"})
    allocations = world.platform.allocations
    row = allocations.compute(PROVINCE, 33, 2024, "final")
    assert row.tonnes == 0
    (left_out,) = allocations.left_out(row.allocation_id)
    assert "load of W1-1 of W1: expected the hours of its electricity, got none" in left_out.words


def test_of_an_engine_no_hours_are_needed(world):
    """CEA-PLN-02, CEA-PWR-22: it is outside the plan, and its entity is not left out."""
    works(world, "W1", "power", 2, cases=["engine"])
    year_concluded(world, year_reported(world, "W1", "power", 2024, {"O": "0"}), "W1")
    allocations = world.platform.allocations
    row = allocations.compute(PROVINCE, 33, 2024, "final")
    assert allocations.left_out(row.allocation_id) == []
    (line,) = allocations.lines(row.allocation_id)
    assert (line.tonnes, line.duty) == (0, 0)
    (unit,) = world.platform.forms.of(row, [line], {}).units
    assert (unit["treatment"], unit["load_percent"]) == ("outside", "")


def test_a_line_that_stood_all_the_year_is_no_gap(world):
    """CEA-PLN-18: it emitted nothing, and is given nothing."""
    idle = {"clinker.portland": "0", "FC.bituminous": "0"}
    verified_works(world, "W1", "cement", 2025, 2, changed=idle)
    verified_works(world, "W2", "cement", 2025, 3)
    allocations = world.platform.allocations
    allocations.roll_up(NATION, 2025)
    row = allocations.compute(PROVINCE, 33, 2025, "final")
    assert allocations.left_out(row.allocation_id) == []
    assert [line.tonnes > 0 for line in allocations.lines(row.allocation_id)] == [False, True]


def test_of_the_power_firm_each_coal_has_its_heat(world):
    """CEA-MRV-03: what was not measured is missing, and has the guideline's value."""
    rows = [each for each in coal_month() if each.parameter != "C.bituminous"]
    gone = month_rows("E1", "power", 202507)[2]
    assert gone.parameter == "C.bituminous"
    missing = replace(gone, value=Decimal(0), origin="missing", evidence="")
    assert world.platform.months.enter(LI, "E1", world.month_file(*rows, missing))
