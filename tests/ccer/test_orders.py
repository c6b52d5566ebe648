"""Courts' freezes, the supervisor, false CCERs: what is done to lots by order."""

import pytest

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.domain.ccer.false_credits import Restitution
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.ledger.double_entry import Compartment, Holding
from support.ccer.programme import (
    DayClock,
    accounts_opened,
    batch_issued,
    project_registered,
    registry_open,
)
from support.refusing import refuses

ORDER = {"order": "(2025)1", "court": "Wuhan Court"}
INSTRUMENT = "WIND-1-2022"


def refused(code: str):
    return refuses(code, ProgrammeError)


@pytest.fixture
def clock():
    return DayClock()


@pytest.fixture
def ccer(tmp_path, clock):
    """A registry where the owner has 20,000 t and A, who bought it, 30,000 t."""
    with registry_open(tmp_path, clock) as ccer:
        accounts_opened(ccer)
        project_registered(ccer, clock)
        batch_issued(ccer, clock, {2022: 50_000})
        given(ccer, "SEAWIND", "A", 30_000)
        yield ccer
        for name, check in checks().items():
            assert [] == ccer.store.execute(check.sql).fetchall(), name
        with ccer.store.view():
            assert [*content_differences(ccer.store)] == []


def given(ccer, giver, taker, tonnes):
    ccer.transfers.transfer("transfer", giver, taker, INSTRUMENT, tonnes, document="contract")


def tonnes(ccer, account, compartment=Compartment.REGISTRATION):
    index = ccer.books.account(account)
    asset = ccer.books.instrument(INSTRUMENT)
    return ccer.store.balance(Holding(index, asset, compartment))


def test_a_court_freezes_what_is_there_and_what_comes(ccer):
    """CCER-FRZ-01."""
    frozen = ccer.freezes.freeze("SEAWIND", INSTRUMENT, 25_000, **ORDER)
    assert (frozen.in_force, frozen.asked) == (20_000, 5_000)
    assert ccer.freezes.lots(frozen) == [Lot(1, 30_001, 50_000)]
    with refused("CCERS_NOT_HELD"):
        ccer.cancellations.apply("SEAWIND", INSTRUMENT, 1, purpose="public_benefit")
    later = ccer.freezes.freeze("SEAWIND", INSTRUMENT, 1_000, **ORDER)
    given(ccer, "A", "SEAWIND", 5_600)
    assert ccer.freezes.found(frozen.freeze_id).asked == 0
    assert ccer.freezes.found(later.freeze_id).in_force == 600
    assert tonnes(ccer, "SEAWIND") == 0


def test_a_court_releases_what_is_not_there_first(ccer):
    """CCER-FRZ-01: what comes free goes to the next freeze."""
    first = ccer.freezes.freeze("SEAWIND", INSTRUMENT, 25_000, **ORDER).freeze_id
    second = ccer.freezes.freeze("SEAWIND", INSTRUMENT, 700, **ORDER).freeze_id
    assert ccer.freezes.release(first, 5_000, **ORDER).in_force == 20_000
    assert ccer.freezes.release(first, 1_000, **ORDER).in_force == 19_000
    assert ccer.freezes.found(second).in_force == 700
    assert tonnes(ccer, "SEAWIND") == 300
    with refused("FREEZE_STATE: freeze 1: expected 1 to 19000 t, got 19001"):
        ccer.freezes.release(first, 19_001, **ORDER)
    assert ccer.freezes.release(first, **ORDER).in_force == 0
    with refused("FREEZE_STATE: freeze 9: expected a known one"):
        ccer.freezes.release(9, **ORDER)


def test_a_court_gives_what_is_frozen_to_another(ccer):
    """CCER-FRZ-02."""
    freeze_id = ccer.freezes.freeze("A", INSTRUMENT, 500, **ORDER).freeze_id
    lots = ccer.freezes.deduct(freeze_id, 400, "B", **ORDER)
    assert lots == [Lot(1, 1, 400)]
    assert (tonnes(ccer, "B"), tonnes(ccer, "A", Compartment.JUDICIAL)) == (400, 100)
    with refused("FREEZE_STATE: freeze 1: expected 1 to 100 t, got 101"):
        ccer.freezes.deduct(freeze_id, 101, "B", **ORDER)
    with refused("CCERS_NOT_HELD: tonnes: expected 1 t or more, got 0"):
        ccer.freezes.freeze("A", INSTRUMENT, 0, **ORDER)


def test_a_court_gives_nothing_to_who_may_hold_none(ccer):
    """CCER-ACC-02, CCER-FRZ-02: no VVB, no province."""
    ccer.accounts.open("GUANGDONG", "province", province=44)
    freeze_id = ccer.freezes.freeze("A", INSTRUMENT, 500, **ORDER).freeze_id
    for to in ("CQC", "GUANGDONG"):
        with refused(f"ACCOUNT_KIND: account: expected one of kind .*, got {to}"):
            ccer.freezes.deduct(freeze_id, 400, to, **ORDER)
    assert tonnes(ccer, "A", Compartment.JUDICIAL) == 500


def test_what_the_supervisor_withholds_does_not_move(ccer):
    """CCER-FRZ-03."""
    ccer.supervision.withhold("A", INSTRUMENT, [Lot(1, 1, 29_000)], "order 1")
    with refused("CCERS_NOT_HELD: tonnes: expected at most the 1000 t"):
        given(ccer, "A", "B", 1_001)
    ccer.supervision.give_back("A", INSTRUMENT, 500, "order 2")
    given(ccer, "A", "B", 1_001)
    assert tonnes(ccer, "A", Compartment.SUPERVISORY) == 28_500


def test_an_owner_of_false_ccers_returns_as_many(ccer, clock):
    """CCER-REV-01 (RB3, example 15): buyers keep theirs, and what comes later is taken."""
    ordered = ccer.supervision.restitution_order("WIND-1", 30_000, "order 3")
    assert ordered == Restitution(cancelled=20_000, to_return=10_000)
    assert (tonnes(ccer, "SEAWIND"), tonnes(ccer, "A")) == (0, 30_000)
    content = ccer.cancellations.certificate("CC-2024-000001")
    assert (content["purpose"], content["serials"]) == ("restitution", [[1, 30_001, 50_000]])
    batch_issued(ccer, clock, {2023: 4_000})
    given(ccer, "A", "SEAWIND", 6_500)
    assert tonnes(ccer, "SEAWIND") == 500
    assert ccer.store.one("SELECT cancelled FROM restitutions") == 30_000


def test_no_more_is_returned_than_was_issued(ccer):
    """CCER-REV-01: all orders on a project together."""
    with refused("AMOUNT_UNSOUND: tonnes: .*most the 50000 t issued of WIND-1.* got 50001"):
        ccer.supervision.restitution_order("WIND-1", 50_001, "order 3")
    ccer.supervision.restitution_order("WIND-1", 30_000, "order 3")
    with refused("AMOUNT_UNSOUND: .*less 30000 t ordered before, got 20001"):
        ccer.supervision.restitution_order("WIND-1", 20_001, "order 4")
    assert len(ccer.supervision.restitutions()) == 1
    ccer.supervision.restitution_order("WIND-1", 20_000, "order 4")


def test_what_is_withheld_is_returned_first_and_what_is_set_aside_last(ccer):
    """CCER-REV-01, CCER-FRZ-03: nothing that the owner has at the registry is spared."""
    ccer.supervision.withhold("SEAWIND", INSTRUMENT, 12_000, "order 1")
    first, second = (
        ccer.cancellations.apply("SEAWIND", INSTRUMENT, each, purpose="public_benefit")
        for each in (3_000, 1_000)
    )
    ordered = ccer.supervision.restitution_order("WIND-1", 10_000, "order 2")
    assert ordered == Restitution(cancelled=10_000, to_return=0)
    assert tonnes(ccer, "SEAWIND", Compartment.SUPERVISORY) == 2_000
    assert tonnes(ccer, "SEAWIND") == 4_000
    ordered = ccer.supervision.restitution_order("WIND-1", 8_000, "order 3")
    assert ordered == Restitution(cancelled=8_000, to_return=0)
    states = [each["state"] for each in ccer.cancellations.listed("SEAWIND", "applied")]
    assert (states, ccer.cancellations.found(first).why) == (["applied"], "restitution 2")
    assert tonnes(ccer, "SEAWIND") == 1_000
    ordered = ccer.supervision.restitution_order("WIND-1", 3_000, "order 4")
    assert ordered == Restitution(cancelled=2_000, to_return=1_000)
    with refused("CANCELLATION_STATE: .*got refused"):
        ccer.cancellations.approve(second)


def test_an_account_that_owes_does_not_end(ccer):
    """CCER-ACC-03: what is to be returned, what a court still wants."""
    ccer.supervision.restitution_order("WIND-1", 30_000, "order 1")
    ccer.freezes.freeze("SEAWIND", INSTRUMENT, 7, **ORDER)
    ccer.projects.deregister("WIND-1", "ended")
    with refused("ACCOUNT_NOT_EMPTY: .*got 1 restitutions, 1 freezes that still ask"):
        ccer.accounts.close("SEAWIND", "ended")
    ccer.freezes.release(1, **ORDER)
    given(ccer, "A", "SEAWIND", 10_000)
    ccer.accounts.close("SEAWIND", "ended")
