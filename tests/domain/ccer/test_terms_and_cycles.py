"""Terms of working days, and the ways of projects and batches."""

import pytest

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.ccer.batches import BATCH_LIFE, BatchState
from cea_exchange.domain.ccer.life_cycle import LifeCycle
from cea_exchange.domain.ccer.programme import ProgrammeRules
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.projects import PROJECT_LIFE, ProjectState
from cea_exchange.domain.ccer.proofs import PROOF_LIFE, ProofState
from cea_exchange.domain.ccer.terms import term
from support.refusing import refuses

CALENDAR = TradingCalendar.load("cn_carbon")
RULES = ProgrammeRules.load()


@pytest.mark.parametrize(
    ("began_on", "working_days", "ends_on"),
    [
        (20260302, RULES.design_public_days.value, 20260330),
        (20260401, RULES.registration_days.value, 20260423),
        (20250929, RULES.issue_days.value, 20251027),
    ],
)
def test_terms_end_on_working_days_with_the_make_up_weekends(began_on, working_days, ends_on):
    """CCER-PRJ-03, CCER-PRJ-04, CCER-BAT-05 (RB3, example 8): 6 April is off, 11 October is none.

    The make-up Saturday 11 October 2025 is a working day though no trading day.
    """
    assert term(CALENDAR, began_on, working_days).ends_on == ends_on


def test_what_waits_for_a_term_begins_the_day_after_it():
    """CCER-PRJ-03, CCER-BAT-04."""
    public = term(CALENDAR, 20260302, 20)
    with refuses("TERM_RUNNING: validation: expected after 20260330, .* 20260330", ProgrammeError):
        public.over_check(20260330, "validation")
    public.over_check(20260331, "validation")
    assert not public.is_overdue(20260330)
    assert public.is_overdue(20260331)


def walked(life: LifeCycle, state: str, *steps: str) -> str:
    for step in steps:
        state = life.after(state, step)
    return state


def test_a_project_goes_its_way_to_registration_and_to_its_end():
    """CCER-PRJ-01."""
    steps = ("publish", "begin_validation", "validate", "apply", "register")
    assert walked(PROJECT_LIFE, ProjectState.DRAFT, *steps) == ProjectState.REGISTERED
    assert walked(PROJECT_LIFE, ProjectState.REGISTERED, "deregister") == "deregistered"
    assert walked(PROJECT_LIFE, ProjectState.REGISTERED, "revoke") == "revoked"
    assert walked(PROJECT_LIFE, ProjectState.APPLIED, "return", "apply", "register")


def test_a_project_is_recalled_before_its_registration_only():
    """CCER-PRJ-01."""
    before = ("draft", "published", "validating", "validated", "applied")
    assert {PROJECT_LIFE.after(state, "recall") for state in before} == {"recalled"}
    with refuses("PROJECT_STATE: project to recall: expected .*, got registered", ProgrammeError):
        PROJECT_LIFE.after(ProjectState.REGISTERED, "recall")


@pytest.mark.parametrize("state", ["deregistered", "revoked", "recalled"])
def test_nothing_follows_the_end_of_a_project(state):
    """CCER-PRJ-05 (RB3, example 7): what was deregistered is never registered again."""
    assert PROJECT_LIFE.is_final(state)
    for step in PROJECT_LIFE.steps:
        with refuses("PROJECT_STATE", ProgrammeError):
            PROJECT_LIFE.after(state, step)


def test_a_batch_goes_its_way_to_issue_refusal_or_recall():
    """CCER-BAT-01."""
    to_applied = ("begin_verification", "verify", "apply")
    assert walked(BATCH_LIFE, BatchState.PUBLISHED, *to_applied, "issue") == BatchState.ISSUED
    assert walked(BATCH_LIFE, BatchState.PUBLISHED, *to_applied, "refuse") == BatchState.REFUSED
    assert walked(BATCH_LIFE, BatchState.PUBLISHED, *to_applied, "recall") == BatchState.RECALLED
    for state in ("issued", "refused", "recalled"):
        assert BATCH_LIFE.is_final(state)
    with refuses("BATCH_STATE: batch to issue: expected .* applied, got verified", ProgrammeError):
        BATCH_LIFE.after(BatchState.VERIFIED, "issue")


@pytest.mark.parametrize(
    ("life", "states"),
    [(PROJECT_LIFE, ProjectState), (BATCH_LIFE, BatchState), (PROOF_LIFE, ProofState)],
)
def test_each_state_is_on_a_way_and_no_other_is(life, states):
    assert life.states == set(states)
