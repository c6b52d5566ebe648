"""Projects and batches at the registry: in order, in their terms, by whom they may be."""

import pytest
from msgspec.structs import replace

from cea_exchange.domain.ccer.batches import ReductionReport
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.institution.checks import ActError
from support.ccer.programme import (
    DESIGN,
    HASH,
    DayClock,
    accounts_opened,
    batch_issued,
    project_applied,
    project_registered,
    registry_open,
)
from support.refusing import refuses
from support.registry.ledger_by_hand import changed

REPORT = ReductionReport(
    produced_from=20210101, produced_to=20221231, tonnes={2021: 600, 2022: 400}
)


def refused(code: str):
    return refuses(code, (ActError, ProgrammeError))


@pytest.fixture
def clock():
    return DayClock()


@pytest.fixture
def ccer(tmp_path, clock):
    with registry_open(tmp_path, clock) as ccer:
        accounts_opened(ccer)
        yield ccer


def test_a_project_waits_for_the_public_and_then_for_the_registry(ccer, clock):
    """CCER-PRJ-01, CCER-PRJ-03, CCER-PRJ-04 (RB3, example 8)."""
    clock.day = 20260302
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    assert ccer.projects.publish("WIND-1", "CQC", HASH).ends_on == 20260330
    clock.day = 20260330
    with refused("TERM_RUNNING: validation: expected after 20260330"):
        ccer.projects.validation_begin("WIND-1")
    clock.day = 20260331
    ccer.projects.validation_begin("WIND-1")
    assert not ccer.projects.validate("WIND-1", HASH)
    clock.day = 20260401
    assert ccer.projects.apply("WIND-1", HASH).ends_on == 20260423
    clock.day = 20260423
    ccer.projects.hand_back("WIND-1", "a page is missing")
    assert ccer.projects.apply("WIND-1", HASH).ends_on == 20260518
    clock.day = 20260519
    assert ccer.projects.register("WIND-1")
    kept = ccer.projects.steps("WIND-1")
    steps = [(each["step"], each["due_on"], each["is_late"]) for each in kept]
    assert steps == [
        ("publish", 20260330, 0),
        ("begin_validation", 20260330, 0),
        ("validate", 0, 0),
        ("apply", 20260423, 0),
        ("return", 20260423, 0),
        ("apply", 20260518, 0),
        ("register", 20260518, 1),
    ]
    assert ccer.projects.found("WIND-1").registered_on == 20260519


def test_a_late_report_of_a_vvb_counts_and_is_named(ccer, clock):
    """CCER-VVB-03."""
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    ccer.projects.publish("WIND-1", "CQC", HASH)
    clock.days_on(101)
    ccer.projects.validation_begin("WIND-1")
    assert ccer.projects.validate("WIND-1", HASH, owner_days=0)
    assert ccer.projects.steps("WIND-1")[-1]["is_late"] == 1


def test_steps_that_are_out_of_order_change_nothing(ccer):
    """CCER-PRJ-01."""
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    for step in (
        lambda: ccer.projects.validation_begin("WIND-1"),
        lambda: ccer.projects.validate("WIND-1", HASH),
        lambda: ccer.projects.apply("WIND-1", HASH),
        lambda: ccer.projects.register("WIND-1"),
        lambda: ccer.projects.hand_back("WIND-1", "no"),
        lambda: ccer.projects.deregister("WIND-1", "ended"),
        lambda: ccer.projects.revoke("WIND-1", "order 1", "false"),
    ):
        with refused("PROJECT_STATE: project to .*, got draft"):
            step()
    assert ccer.projects.steps("WIND-1") == []
    with refused("PROJECT_UNKNOWN: project: expected a known one, got 'WIND-2'"):
        ccer.projects.publish("WIND-2", "CQC", HASH)


def test_a_project_that_was_registered_never_comes_back(ccer, clock):
    """CCER-PRJ-05 (RB3, example 7)."""
    project_registered(ccer, clock)
    with refused("PROJECT_STATE: project to recall"):
        ccer.projects.recall("WIND-1", "changed our mind")
    ccer.projects.deregister("WIND-1", "the owner wishes it")
    with refused("PROJECT_ENDED: .*got WIND-1, which was deregistered"):
        ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    other = replace(DESIGN, started_on=20200401)
    ccer.projects.draft("WIND-2", "SEAWIND", "Tidal wind", other)
    ccer.projects.recall("WIND-2", "a fault in the design")
    with refused("PROJECT_TAKEN: project: expected a new code, got WIND-2, which is recalled"):
        ccer.projects.draft("WIND-2", "SEAWIND", "Tidal wind", other)


def test_a_project_that_has_ended_comes_back_under_no_other_code(ccer, clock):
    """CCER-PRJ-05: known by methodology and two of owner, title and first day."""
    project_registered(ccer, clock)
    ccer.projects.revoke("WIND-1", "order 7", "false papers")
    ccer.accounts.open("TIDE", "owner", entity="Tide Ltd")
    later = replace(DESIGN, started_on=20200302)
    for owner, title, design in (
        ("SEAWIND", "Offshore wind", DESIGN),
        ("SEAWIND", "OFFSHORE WIND", later),
        ("SEAWIND", "Sea breeze", DESIGN),
        ("TIDE", "Offshore wind", DESIGN),
    ):
        with refused("PROJECT_ENDED: .*never registered, got WIND-1, which was revoked"):
            ccer.projects.draft("WIND-2", owner, title, design)
    ccer.projects.draft("WIND-2", "SEAWIND", "Sea breeze", later)
    ccer.projects.draft("WIND-3", "TIDE", "Sea breeze", DESIGN)


def test_a_project_that_ended_since_the_draft_is_not_registered_anew(ccer, clock):
    """CCER-PRJ-05: the second code was drawn up while the first one was registered."""
    project_registered(ccer, clock)
    ccer.projects.draft("WIND-2", "SEAWIND", "Sea breeze", DESIGN)
    ccer.projects.publish("WIND-2", "CQC", HASH)
    clock.working_days_on(20)
    clock.days_on(1)
    ccer.projects.validation_begin("WIND-2")
    ccer.projects.validate("WIND-2", HASH)
    ccer.projects.apply("WIND-2", HASH)
    ccer.projects.deregister("WIND-1", "the owner wishes it")
    with refused("PROJECT_ENDED: .*got WIND-1, which was deregistered"):
        ccer.projects.register("WIND-2")
    assert ccer.projects.found("WIND-2").state == "applied"


def test_a_project_goes_on_under_one_code(ccer, clock):
    """CCER-PRJ-02: or its reductions would be issued twice."""
    project_registered(ccer, clock)
    for title in ("Offshore wind", "OFFSHORE wind"):
        with refused("PROJECT_TAKEN: project: .*than WIND-1, which is registered, got its owner"):
            ccer.projects.draft("WIND-2", "SEAWIND", title, DESIGN)
    ccer.projects.draft("WIND-2", "SEAWIND", "Sea breeze", DESIGN)
    with refused("PROJECT_TAKEN: project: .*than WIND-2, which is draft"):
        ccer.projects.draft("WIND-3", "SEAWIND", "Sea breeze", DESIGN)
    ccer.projects.recall("WIND-2", "a fault in the design")
    project_registered(ccer, clock, "WIND-3", "Sea breeze")


def test_of_two_that_were_drafted_alike_before_one_is_registered(ccer, clock):
    """CCER-PRJ-02: asked again at the registration."""
    project_applied(ccer, clock, "WIND-1")
    project_applied(ccer, clock, "WIND-2", "Sea breeze")
    changed(ccer.store, "UPDATE projects SET title = 'Offshore wind'")
    ccer.projects.register("WIND-1")
    with refused("PROJECT_TAKEN: project: .*than WIND-1, which is registered"):
        ccer.projects.register("WIND-2")
    ccer.projects.recall("WIND-2", "it is WIND-1")


def test_an_organisation_has_projects_that_the_programme_takes(ccer):
    """CCER-PRJ-02, CCER-ACC-02, CCER-MET-01."""
    for name in ("A", "P001"):
        ccer.projects.draft(f"WIND-{name}", name, "Offshore wind", DESIGN)
    with refused("ACCOUNT_KIND: .*expected one of kind owner or entity or trader, got CQC, vvb"):
        ccer.projects.draft("WIND-1", "CQC", "Offshore wind", DESIGN)
    ccer.accounts.open("WEI", "trader", entity="Wei", is_natural_person=True)
    with refused("ACCOUNT_KIND: .*of an organisation, got WEI, of a natural_person"):
        ccer.projects.draft("WIND-1", "WEI", "Offshore wind", DESIGN)
    with refused("ACCOUNT_UNKNOWN: account: expected an open one, got 'NOBODY'"):
        ccer.projects.draft("WIND-1", "NOBODY", "Offshore wind", DESIGN)
    with refused("PROJECT_NOT_ELIGIBLE"):
        ccer.projects.draft("W", "SEAWIND", "Wind", replace(DESIGN, started_on=20120101))
    with refused("METHODOLOGY_NOT_IN_FORCE"):
        early = replace(DESIGN, methodology="CCER-10-001")
        ccer.projects.draft("W", "SEAWIND", "Wind", early)


def test_a_vvb_works_while_its_licence_lasts(ccer, clock):
    """CCER-VVB-01: on the day it is named, begins and reports."""
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    with refused("ACCOUNT_KIND: account: expected one of kind vvb, got A, trader"):
        ccer.projects.publish("WIND-1", "A", HASH)
    ccer.accounts.open("NEW", "vvb")
    accredited = (
        "VVB_NOT_ACCREDITED: vvb: expected one accredited for sector 1 on 20240701, got NEW"
    )
    with refused(accredited):
        ccer.projects.publish("WIND-1", "NEW", HASH)
    ccer.projects.publish("WIND-1", "CQC", HASH)
    clock.days_on(40)
    ccer.projects.validation_begin("WIND-1")
    ccer.vvbs.withdraw(1, last_day=clock.day)
    clock.days_on(1)
    with refused("VVB_NOT_ACCREDITED"):
        ccer.projects.validate("WIND-1", HASH)
    for licence, day in ((1, 20240610), (1, 20290101), (9, 20250101)):
        with refused("LICENCE_UNSOUND: licence"):
            ccer.vvbs.withdraw(licence, last_day=day)
    with refused("LICENCE_UNSOUND: licence: expected a sector of 1 to 16"):
        ccer.vvbs.accredit("CQC", 17, from_date=20240101, document="notice 2")


def test_a_vvb_that_is_restricted_does_not_work(ccer, clock):
    """CCER-VVB-01, CCER-ACC-03: on the day it is named, begins and reports."""
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    ccer.accounts.restrict("CQC", "false licence")
    restricted = "ACCOUNT_RESTRICTED: account: expected one that is not restricted, got CQC"
    with refused(restricted):
        ccer.projects.publish("WIND-1", "CQC", HASH)
    ccer.accounts.restore("CQC", "renewed")
    ccer.projects.publish("WIND-1", "CQC", HASH)
    clock.days_on(40)
    ccer.projects.validation_begin("WIND-1")
    ccer.accounts.restrict("CQC", "false licence")
    with refused(restricted):
        ccer.projects.validate("WIND-1", HASH)


def test_an_owner_took_no_more_days_than_passed(ccer, clock):
    """CCER-VVB-03: or no report would ever be late."""
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    ccer.projects.publish("WIND-1", "CQC", HASH)
    clock.days_on(101)
    ccer.projects.validation_begin("WIND-1")
    for days in (102, -1):
        with refused(f"AMOUNT_UNSOUND: owner_days: .*most the 101 since 20240701, got {days}"):
            ccer.projects.validate("WIND-1", HASH, owner_days=days)
    assert not ccer.projects.validate("WIND-1", HASH, owner_days=101)


def test_a_batch_is_verified_by_another_vvb(ccer, clock):
    """CCER-VVB-02 (RB3, example 7)."""
    project_registered(ccer, clock)
    with refused("VVB_SAME: verifier: expected another VVB .*, got CQC"):
        ccer.batches.publish("WIND-1", "CQC", REPORT, HASH)


def test_a_batch_waits_for_the_public_and_then_for_the_registry(ccer, clock):
    """CCER-BAT-01, CCER-BAT-04, CCER-BAT-05, CCER-LOT-01 (RB3, example 8)."""
    project_registered(ccer, clock)
    clock.day = 20250901
    number, public = ccer.batches.publish("WIND-1", "CCSC", REPORT, HASH)
    assert (number, public.ends_on) == (1, 20250928)
    clock.day = public.ends_on
    with refused("TERM_RUNNING: verification"):
        ccer.batches.verification_begin("WIND-1", 1)
    clock.day = 20250929
    ccer.batches.verification_begin("WIND-1", 1)
    with refused("REDUCTIONS_NOT_ELIGIBLE: tonnes of 2022: expected at most the 400 t reported"):
        ccer.batches.verify("WIND-1", 1, {2021: 600, 2022: 401}, HASH)
    assert not ccer.batches.verify("WIND-1", 1, {2021: 550, 2022: 400}, HASH)
    assert ccer.batches.apply("WIND-1", 1, HASH).ends_on == 20251027
    clock.day = 20251028
    lots = ccer.batches.issue("WIND-1", 1)
    assert [(lot.first, lot.last) for lot in lots] == [(1, 550), (551, 950)]
    assert ccer.batches.steps("WIND-1", 1)[-1]["is_late"] == 1
    with refused("BATCH_STATE: batch to issue: expected .* applied, got issued"):
        ccer.batches.issue("WIND-1", 1)
    with refused("BATCH_UNKNOWN: batch: expected a known one of WIND-1, got 2"):
        ccer.batches.issue("WIND-1", 2)


def test_reductions_of_a_batch_that_was_refused_may_be_reported_again(ccer, clock):
    """CCER-BAT-01, CCER-BAT-02."""
    project_registered(ccer, clock)
    ccer.batches.publish("WIND-1", "CCSC", REPORT, HASH)
    with refused("REDUCTIONS_NOT_ELIGIBLE: .*apart from another batch's"):
        ccer.batches.publish("WIND-1", "CCSC", REPORT, HASH)
    ccer.batches.recall("WIND-1", 1, "a meter was broken")
    batch_issued(ccer, clock, {2021: 600})
    ccer.batches.publish("WIND-1", "CCSC", replace(REPORT, produced_from=20220101,
                                                   tonnes={2022: 5}), HASH)
    clock.days_on(40)
    ccer.batches.verification_begin("WIND-1", 3)
    ccer.batches.verify("WIND-1", 3, {2022: 5}, HASH)
    ccer.batches.apply("WIND-1", 3, HASH)
    ccer.batches.refuse("WIND-1", 3, "the report is not whole")
    assert [lot.batch for lot in batch_issued(ccer, clock, {2022: 9})] == [2]


def test_reductions_that_are_too_old_are_not_applied_for(ccer, clock):
    """CCER-BAT-03 (RB3, example 6)."""
    project_registered(ccer, clock)
    clock.day = 20260410
    old = replace(REPORT, produced_from=20210629)
    ccer.batches.publish("WIND-1", "CCSC", replace(old, tonnes={2021: 1}), HASH)
    clock.day = 20260626
    ccer.batches.verification_begin("WIND-1", 1)
    ccer.batches.verify("WIND-1", 1, {2021: 1}, HASH)
    clock.day = 20260630
    with refused("REDUCTIONS_NOT_ELIGIBLE: .*in the 5 years before 20260630, got 20210629"):
        ccer.batches.apply("WIND-1", 1, HASH)
    clock.day = 20260629
    ccer.batches.apply("WIND-1", 1, HASH)


def test_only_a_registered_project_has_batches(ccer, clock):
    """CCER-BAT-01, CCER-PRJ-05."""
    ccer.projects.draft("WIND-1", "SEAWIND", "Offshore wind", DESIGN)
    with refused("PROJECT_STATE: project: expected one that is registered, got WIND-1, draft"):
        ccer.batches.publish("WIND-1", "CCSC", REPORT, HASH)
    ccer.projects.recall("WIND-1", "changed")
    project_registered(ccer, clock, "WIND-2")
    ccer.batches.publish("WIND-2", "CCSC", REPORT, HASH)
    clock.days_on(40)
    ccer.batches.verification_begin("WIND-2", 1)
    ccer.batches.verify("WIND-2", 1, {2021: 1}, HASH)
    ccer.batches.apply("WIND-2", 1, HASH)
    ccer.projects.revoke("WIND-2", "order 7", "false papers")
    with refused("PROJECT_STATE: project: expected one that is registered, got WIND-2, revoked"):
        ccer.batches.issue("WIND-2", 1)


def test_no_account_and_no_entity_looks_like_another(ccer):
    """CEA-PER-04: as at the allowance registry; of closed ones too."""
    ccer.accounts.close("A", "ended")
    for name, entity in (
        ("a", "Other Ltd"),
        ("\N{CYRILLIC CAPITAL LETTER A}", "Other Ltd"),
        ("OTHER", "SEA wind Ltd"),
        ("OTHER", "Sea Wind Lt\N{CYRILLIC SMALL LETTER KOMI DE}"),
    ):
        with refuses("NAME_LOOKS_ALIKE: (account|entity): expected one that looks like no other"):
            ccer.accounts.open(name, "trader", entity=entity)
    ccer.accounts.open("OTHER", "trader", entity="Other Ltd")


def test_an_account_is_the_first_of_its_entity_and_ends_empty(ccer, clock):
    """CCER-ACC-02, CCER-ACC-03."""
    for name, entity in (("A", ""), ("SEA", "Sea Wind Ltd")):
        with refused("ACCOUNT_TAKEN: account: expected the first of"):
            ccer.accounts.open(name, "trader", entity=entity)
    with refused("NAME_UNSOUND"):
        ccer.accounts.open("A B", "trader")
    with refused("PROVINCE_UNKNOWN"):
        ccer.accounts.open("C", "trader", province=1)
    ccer.accounts.close("A", "the firm has ended")
    with refused("ACCOUNT_ENDED: account: expected an open one, got A, closed"):
        ccer.accounts.restrict("A", "late")
    project_registered(ccer, clock)
    with refused("ACCOUNT_NOT_EMPTY: .*got 1 projects$"):
        ccer.accounts.close("SEAWIND", "ended")
    batch_issued(ccer, clock, {2022: 3})
    ccer.projects.deregister("WIND-1", "ended")
    with refused("ACCOUNT_NOT_EMPTY: .*got 1 lots$"):
        ccer.accounts.close("SEAWIND", "ended")
    states = {each["account"]: each["state"] for each in ccer.accounts.listed()}
    assert (states["A"], states["B"]) == ("closed", "open")
