"""Carryover: notice, applications, two runs; what leaves is issued anew, tonne for tonne."""

import msgspec
import pytest

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.checks import ActError
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, EntryKind
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.participants.holdings import Moment, balances_view
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.reconcile import check_ledger
from support.refusing import refuses
from support.registry.allocation_files import allocation_file
from support.registry.compliance_world import BEIJING, World, proof

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    """P1 sold 30,001 t net in the window, P2 bought as many; both have paid 2024."""
    with World(tmp_path, database_address, day=20231201) as world:
        world.products("CEA", "CEA23", "CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA=90_000, CEA23=60_000, CEA24=100)
        world.entity("P2", BEIJING, CEA=20_000, CEA24=20_100)
        world.entity("P3", BEIJING, CEA24=500)
        world.entity("P4", BEIJING, CEA25=500)
        # Of before the window.
        world.traded("P2", "P1", "CEA", 20231229, 7_000, 5_000)
        world.traded("P1", "P2", "CEA23", 20240515, 50_001, 9_000)
        world.traded("P2", "P1", "CEA", 20251231, 13_000, 6_000)
        world.clock.day = 20251105
        world.owe(2024, ("P1", 100), ("P2", 100), ("P3", 600))
        for account in ("P1", "P2"):
            number = world.registry.surrender.apply(account, 2024, {"CEA24": 100})
            world.registry.surrender.accept(number, BEIJING)
            world.registry.surrender.retire(number)
        yield world


def noticed(world, day=20260120):
    world.clock.day = day
    world.registry.carryover.give_notice()


def test_trades_are_settled_before_the_notice_counts_them(world):
    store = world.registry.store
    trade = (9_999, 9_999, 20250601, 1, 0, 1, 0, 100, 1, 100, 0, 0, "received", "", 0)
    with world.registry.transaction():
        store.insert("trades", [trade])
    with refuses("TRADES_UNSETTLED: .*got 1 that are not"):
        noticed(world)


def test_the_notice_tells_the_limit_and_where_it_comes_from(world):
    """CEA-CRY-01 to CEA-CRY-04: net sales of the window, the position at its end."""
    # What is set aside does not count, what a court has frozen does, what comes later does not.
    registry = world.registry
    world.registry.surrender.apply("P3", 2024, {"CEA24": 300})
    with registry.transaction():
        p1, asset = registry.account("P1"), registry.asset("CEA23")
        registry.move(EntryKind.FROZEN, p1, p1, asset, 999)
    world.clock.day = 20260105
    registry.issue("P1", "CEA23", 40_000)
    noticed(world)
    notice = registry.carryover.notice("P1")
    assert 50_001 - 13_000 == notice.net_sales
    assert 10_000 + 37_001 * 3 // 2 == notice.limit_tonnes == 65_501
    assert (20_000, 90_000 + 60_000 - 50_001 - 999, 999) == (
        notice.trading_tonnes,
        notice.registration_tonnes,
        notice.frozen_tonnes,
    )
    assert "" == notice.refusal
    p2 = registry.carryover.notice("P2")
    assert (0, 10_000) == (p2.net_sales, p2.limit_tonnes)
    p3 = registry.carryover.notice("P3")
    assert (200, 0) == (p3.registration_tonnes, p3.limit_tonnes)
    assert "year 2024: expected surrendered in full by 20251231, got not at all" == p3.refusal
    with refuses("NOTICE_MISSING: P4: expected a notice of its carryover"):
        registry.carryover.notice("P4")
    with refuses("NOTICE_GIVEN"):
        registry.carryover.give_notice()


def test_the_position_counts_what_was_traded_that_day_however_late_it_is_settled(world):
    """CEA-CRY-03: nor what was done on the next day before that."""
    registry = world.registry
    world.clock.day = 20260101
    number = registry.dispositions.transfer_apply(
        "inheritance", "P3", "P2", "CEA24", 50, document="will"
    )
    registry.dispositions.approve(number)
    world.traded("P2", "P3", "CEA24", 20251231, 40, 9_000)
    noticed(world)
    p2, p3 = registry.carryover.notice("P2"), registry.carryover.notice("P3")
    assert 20_000 - 7_000 - 13_000 + 20_000 + 50_001 - 40 == (
        p2.registration_tonnes + p2.trading_tonnes
    )
    assert (500, 40) == (p3.registration_tonnes, p3.trading_tonnes)


def test_notice_is_given_after_the_window(world):
    world.clock.day = 20251231
    with refuses("TOO_EARLY: notice: expected after 20251231, got on 20251231"):
        world.registry.carryover.give_notice()


def test_applications_are_set_aside_within_the_limit(world):
    """CEA-CRY-05."""
    service = world.registry.carryover
    world.clock.day = 20260115
    with refuses("NOTICE_MISSING: P1: expected a notice of its carryover"):
        service.apply("P1", {"CEA": 1})
    noticed(world)
    with refuses("CARRYOVER_BARRED: P3: year 2024: expected surrendered in full by 20251231"):
        service.apply("P3", {"CEA24": 1})
    for tonnes, said in (
        ({"CEA25": 1}, "VINTAGE_NOT_ELIGIBLE: vintage: expected 2024 or earlier, got 2025"),
        ({"CEA23": 10_000}, "CARRYOVER_LIMIT: .*at most the 9999 t available, got 10000"),
        ({"CEA": 65_502}, "CARRYOVER_LIMIT: .*at most 65501 t together, got 0 [+] 65502"),
    ):
        with refuses(said):
            service.apply("P1", tonnes)
    first = service.apply("P1", {"CEA": 60_000, "CEA23": 5_000})
    assert 60_000 == world.held("P1", "CEA", Compartment.APPLIED)
    with refuses("CARRYOVER_LIMIT: .*at most 65501 t together, got 65000 [+] 502"):
        service.apply("P1", {"CEA": 502})
    service.withdraw(first, "P1")
    assert 90_000 == world.held("P1", "CEA")
    assert 0 == world.held("P1", "CEA", Compartment.APPLIED)
    with refuses("CARRYOVER_STATE: carryover 1: expected one that P1 has applied for"):
        service.withdraw(first, "P1")
    second = service.apply("P1", {"CEA": 65_501})
    with refuses(f"CARRYOVER_STATE: carryover {second}: expected one that P2 has"):
        service.withdraw(second, "P2")


def test_who_turns_out_not_to_have_paid_carries_nothing_over(world):
    """CEA-CRY-04: it is asked again with each application."""
    registry = world.registry
    world.entity("P5", BEIJING, CEA24=1_095)
    world.owe(2024, ("P5", 100))
    number = registry.surrender.apply("P5", 2024, {"CEA24": 95})
    registry.surrender.accept(number, BEIJING)
    registry.offsets.book(proof("N1", "P5", 5))
    noticed(world)
    assert 1_000 == registry.carryover.notice("P5").limit_tonnes
    registry.carryover.apply("P5", {"CEA24": 10})
    registry.offsets.revoke("N1", "no such cancellation")
    with refuses("CARRYOVER_BARRED: P5: year 2024: expected surrendered in full by 20251231"):
        registry.carryover.apply("P5", {"CEA24": 10})


def test_two_runs_exchange_tonne_for_tonne(world):
    """CEA-CRY-06, CEA-CRY-07."""
    registry, service = world.registry, world.registry.carryover
    noticed(world)
    service.apply("P1", {"CEA": 60_000, "CEA23": 5_000})
    service.apply("P2", {"CEA24": 10_000})
    world.clock.day = 20260320
    with refuses("TOO_EARLY: run 1: expected after its applications end on 20260320"):
        service.run(1)
    world.clock.day = 20260321
    late = service.apply("P1", {"CEA23": 501})
    done = service.run(1)
    assert (2, {"CEA": 60_000, "CEA23": 5_000, "CEA24": 10_000}, 75_000) == (
        done.applications,
        done.taken,
        done.issued,
    )
    assert (65_000, 10_000) == (world.held("P1", "CEA25"), world.held("P2", "CEA25"))
    assert 60_000 == world.held(Institution.CARRYOVER, "CEA")
    p1 = registry.account("P1")
    assert [
        ("SET_ASIDE", p1, p1, 60_000),
        ("SET_ASIDE", p1, p1, 5_000),
        ("CARRIED_OVER", p1, -9, 60_000),
        ("CARRIED_OVER", p1, -9, 5_000),
        ("ISSUE", -1, p1, 65_000),
    ] == world.entries("carryover 1")
    with refuses("CARRYOVER_RUN: run 1: expected applications, got none"):
        service.run(1)
    world.clock.day = 20260611
    with refuses("TOO_LATE: application: expected by 20260610, got on 20260611"):
        service.apply("P2", {"CEA23": 1})
    assert 501 == service.run(2).issued
    assert ("ISSUE", -1, p1, 501) == world.entries(f"carryover {late}")[-1]
    assert 65_501 == world.held("P1", "CEA25")


def test_an_application_of_who_owes_a_recall_ends_at_its_run(world):
    """CEA-CRY-07, CEA-DIS-11: nobody carries over what is recalled, nor holds up the others."""
    registry, service = world.registry, world.registry.carryover
    registry.distribution.issue("CEA24", 5_000)

    def determine(stage, tonnes):
        entities = {"P2": BEIJING}
        file = allocation_file(stage, {"P2": tonnes}, entities=entities)
        registry.distribution.distribute(registry.distribution.preview(file).preview_id)

    determine("final", 5_000)
    noticed(world)
    registry.transfer_in("P2", "CEA24", world.held("P2", "CEA24") - 9_100)
    ended, kept = service.apply("P2", {"CEA24": 9_000}), service.apply("P2", {"CEA24": 100})
    service.apply("P1", {"CEA": 1_000})
    determine("adjustment", 1_000)
    assert 4_000 == registry.distribution.still_to_adjust("P2")[0].remaining
    world.clock.day = 20260321
    done = service.run(1)
    assert (2, {"CEA": 1_000, "CEA24": 100}) == (done.applications, done.taken)
    assert [] == registry.distribution.still_to_adjust("P2")
    assert (5_000, 100) == (world.held("P2", "CEA24"), world.held("P2", "CEA25"))
    states = registry.store.execute("SELECT carryover_id, state FROM carryovers ORDER BY 1")
    assert [(ended, "withdrawn"), (kept, "exchanged"), (3, "exchanged")] == states.fetchall()
    assert [] == list(findings(registry.store))


def test_a_run_is_all_or_nothing(world, monkeypatch):
    """An error in its last application leaves the first as they were."""
    registry, service = world.registry, world.registry.carryover
    noticed(world)
    service.apply("P1", {"CEA": 1_000})
    service.apply("P2", {"CEA24": 1_000})
    world.clock.day = 20260321
    move, count = registry.move, []

    def failing(kind, *of, **named):
        count.append(kind)
        if len(count) == 4:
            raise ActError(RegistryRefusal.MOVEMENT_NOT_ALLOWED, "the last one fails")
        return move(kind, *of, **named)

    monkeypatch.setattr(registry.ledger, "move", failing)
    with refuses("the last one fails"):
        service.run(1)
    assert 0 == world.held("P1", "CEA25") == world.held(Institution.CARRYOVER, "CEA")
    assert 1_000 == world.held("P1", "CEA", Compartment.APPLIED)
    monkeypatch.undo()
    assert 2_000 == service.run(1).issued


def test_whom_a_court_kept_from_applying_applies_late(world):
    """CEA-CRY-05: its run is one of its own."""
    registry, service = world.registry, world.registry.carryover
    noticed(world)
    p1, asset = registry.account("P1"), registry.asset("CEA")
    with registry.transaction():
        registry.move(EntryKind.FROZEN, p1, p1, asset, 90_000)
    world.clock.day = 20260701
    with registry.transaction():
        registry.move(EntryKind.RELEASED, p1, p1, asset, 90_000)
    service.apply("P1", {"CEA": 9_000})
    with refuses("TOO_LATE: application: expected by 20260610"):
        service.apply("P2", {"CEA23": 1})
    assert 9_000 == service.run(3).issued


def frozen_until_july(world):
    """On 10 June courts hold 4,000 t of P1's CEA and all its CEA23, released in July."""
    courts, order = world.registry.enforcement, {"order": "E 1", "court": "Wuhan Court"}
    noticed(world)
    world.clock.day = 20260601
    wanted = {"CEA": 4_000, "CEA23": None}
    freezes = [
        courts.freeze("P1", product, amount, **order, until=20261231)
        for product, amount in wanted.items()
    ]
    world.clock.day = 20260701
    return freezes, order


def test_late_only_what_was_frozen_is_applied_for(world):
    """CEA-CRY-05: the rest could have been applied for in time, and of each vintage by itself."""
    courts, service = world.registry.enforcement, world.registry.carryover
    (cea, cea23), order = frozen_until_july(world)
    with refuses("CARRYOVER_LIMIT: vintage 2020: expected at most the 0 t that a court kept from"):
        service.apply("P1", {"CEA": 1})
    courts.release(cea, 3_000, **order)
    with refuses("CARRYOVER_LIMIT: vintage 2020: expected at most the 3000 t that a court kept"):
        service.apply("P1", {"CEA": 3_001})
    first = service.apply("P1", {"CEA": 2_000})
    with refuses("CARRYOVER_LIMIT: vintage 2020: expected at most the 1000 t that a court kept"):
        service.apply("P1", {"CEA": 1_001})
    # What is withdrawn may be applied for again; what was never frozen may not.
    service.withdraw(first, "P1")
    with refuses("CARRYOVER_LIMIT: vintage 2024: expected at most the 0 t that a court kept from"):
        service.apply("P1", {"CEA": 3_000, "CEA24": 1})
    service.apply("P1", {"CEA": 3_000})
    assert world.held("P1", "CEA") > 0
    with refuses("CARRYOVER_LIMIT: vintage 2020: expected at most the 0 t that a court kept from"):
        service.apply("P1", {"CEA": 1})
    with refuses("CARRYOVER_LIMIT: vintage 2023: expected at most the 0 t that a court kept from"):
        service.apply("P1", {"CEA23": 1})
    courts.release(cea23, **order)
    service.apply("P1", {"CEA23": 2})
    assert service.run(3).taken == {"CEA": 3_000, "CEA23": 2}


def test_late_not_what_the_court_has_given_away_nor_what_it_froze_later(world):
    """CEA-CRY-05: of the frozen tonnes those that came back."""
    courts, service = world.registry.enforcement, world.registry.carryover
    (cea, _cea23), order = frozen_until_july(world)
    courts.deduct(cea, 1_500, "P3", **order)
    later = courts.freeze("P1", "CEA", 5_000, order="E 2", court="Wuhan", until=20261231)
    courts.release(later, order="E 2", court="Wuhan")
    with refuses("CARRYOVER_LIMIT: vintage 2020: expected at most the 0 t that a court kept from"):
        service.apply("P1", {"CEA": 1})
    courts.release(cea, **order)
    with refuses("CARRYOVER_LIMIT: vintage 2020: expected at most the 2500 t that a court kept"):
        service.apply("P1", {"CEA": 2_501})
    service.apply("P1", {"CEA": 2_500})


def test_the_ledger_agrees_after_all_of_it(tmp_path):
    with World(tmp_path, day=20251101) as world:
        world.products("CEA24", "CEA25")
        world.entity("P1", BEIJING, CEA24=1_000)
        noticed(world)
        world.registry.carryover.apply("P1", {"CEA24": 900})
        world.clock.day = 20260321
        world.registry.carryover.run(1)
        found = check_ledger(tmp_path)
        assert [] == found.differences
        assert {"CEA24": 1_000, "CEA25": 900} == found.tonnes
        assert 0 == world.registry.store.one(
            "SELECT count(*) FROM entries WHERE asset_index = ?", (CASH_ASSET,)
        )


def test_a_number_given_as_another_type_is_the_same_act_in_the_ledger(world):
    """A program that counts in floats must not write references that no audit finds."""
    registry = world.registry
    world.keep("P3", BEIJING, "CEA24", 9)
    number = registry.surrender.apply("P3", 2024, {"CEA24": 5})
    registry.surrender.accept(float(number), BEIJING)
    registry.surrender.retire(float(number))
    noticed(world)
    number = registry.carryover.apply("P2", {"CEA24": 5})
    registry.carryover.withdraw(float(number), "P2")
    source = allocation_file("adjustment", {"P3": 10}, entities={"P3": BEIJING})
    registry.distribution.issue("CEA24", 1)
    preview = registry.distribution.preview(source)
    registry.distribution.distribute(float(preview.preview_id))
    references = registry.store.execute("SELECT reference FROM entries").fetchall()
    assert not [reference for (reference,) in references if "." in reference]


class Undone(Exception):
    pass


def figures_as_of_now(world):
    """Return what a notice would say, which is given once only."""
    carryover = world.registry.carryover
    try:
        with world.registry.transaction():
            carryover.give_notice()
            reported = [carryover.notice(account) for account in ("P1", "P2")]
            raise Undone
    except Undone:
        return reported


def held(notice):
    return notice.trading_tonnes + notice.registration_tonnes + notice.frozen_tonnes


def test_a_trade_that_is_settled_late_moves_neither_net_sales_nor_position(world, tmp_path):
    """CEA-CRY-02, CEA-CRY-03: it counts on its own day, before it is settled and after."""
    registry = world.registry
    world.clock.day = 20260105
    without = figures_as_of_now(world)
    world.traded("P1", "P2", "CEA23", 20251230, 3_000, 9_000, frozen=True)
    assert 1 == len(registry.defaults.failures())
    failed = figures_as_of_now(world)
    assert [3_000, 0] == [
        now.net_sales - then.net_sales for now, then in zip(failed, without, strict=True)
    ]
    assert [-3_000, 3_000] == [
        held(now) - held(then) for now, then in zip(failed, without, strict=True)
    ]
    registry.issue("P1", "CEA23", 40_000)
    world.clock.day = 20260110
    world.settled_late()
    assert [] == registry.defaults.failures()
    assert failed == [
        msgspec.structs.replace(notice, noticed_on=20260105) for notice in figures_as_of_now(world)
    ]
    # Nor does what was entered between the two days count then.
    of_p1 = registry.enforcement.position("P1", "CEA23", 20251231)
    assert 60_000 - 50_001 - 3_000 == of_p1
    shown = balances_view(registry.store, "P1", registry.asset("CEA23"), Moment(None, 20251231))
    assert of_p1 == sum(row["amount"] for row in shown["balances"])
    assert [] == check_ledger(tmp_path).differences


def test_a_failed_trade_that_is_busted_is_none(world):
    """CEA-CRY-02."""
    world.clock.day = 20260105
    without = figures_as_of_now(world)
    world.traded("P1", "P2", "CEA23", 20251230, 3_000, 9_000, frozen=True)
    assert without != figures_as_of_now(world)
    world.busted(20260105)
    assert [notice.net_sales for notice in without] == [
        notice.net_sales for notice in figures_as_of_now(world)
    ]
