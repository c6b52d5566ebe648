"""Issue, recall, deduct, and what is still to adjust."""

import pytest

from cea_exchange.domain.compliance.adjustment import (
    Deduction,
    Recall,
    Stage,
    final_stage,
    later_change,
    pre_stage,
    recall,
)
from cea_exchange.domain.compliance.rules import ComplianceRules

RULES = ComplianceRules.load().adjustment


def test_the_draft_plans_own_example():
    """CEA-ALC-10: 50,000 t ahead, 30,000 t in the end, 70,000 t to deduct."""
    ahead = pre_stage(50_000, [70_000])
    assert ahead == Stage(change=0, deducted=(50_000,), remaining=(20_000,))
    final = final_stage(30_000, 50_000, ahead)
    assert final == Stage(change=0, deducted=(-20_000,), remaining=(40_000,))


@pytest.mark.parametrize(
    ("final", "change"), [(60_000, 10_000), (50_000, 0), (30_000, -20_000), (0, -50_000)]
)
def test_the_difference_is_issued_or_recalled(final, change):
    """CEA-ALC-09."""
    assert final_stage(final, 50_000, pre_stage(50_000, ())) == Stage(
        change=change, deducted=(), remaining=()
    )


@pytest.mark.parametrize(
    ("final", "stage"),
    [
        (90_000, Stage(change=20_000, deducted=(0, 20_000), remaining=(0, 0))),
        (65_000, Stage(change=0, deducted=(0, 15_000), remaining=(0, 5_000))),
        (50_000, Stage(change=0, deducted=(0, 0), remaining=(0, 20_000))),
        (45_000, Stage(change=0, deducted=(0, -5_000), remaining=(0, 25_000))),
        (20_000, Stage(change=0, deducted=(-10_000, -20_000), remaining=(10_000, 40_000))),
    ],
)
def test_deductions_keep_their_order_and_go_back_in_reverse(final, stage):
    """CEA-ALC-10: 30,000 t and 40,000 t to deduct from 50,000 t ahead."""
    ahead = pre_stage(50_000, [30_000, 40_000])
    assert ahead == Stage(change=0, deducted=(30_000, 20_000), remaining=(0, 20_000))
    assert final_stage(final, 50_000, ahead) == stage


def test_what_goes_back_and_what_was_issued_ahead_are_recalled_together():
    """CEA-ALC-09, CEA-ALC-10: of 50,000 t 20,000 t were deducted; 15,000 t are final."""
    ahead = pre_stage(50_000, [20_000])
    assert ahead.change == 30_000
    final = final_stage(15_000, 50_000, ahead)
    assert final == Stage(change=-30_000, deducted=(-5_000,), remaining=(5_000,))


def test_a_deduction_decided_between_the_stages_waits_where_nothing_is_issued():
    """CEA-ALC-10: it enlarges no recall."""
    ahead = pre_stage(50_000, [])
    assert final_stage(40_000, 50_000, ahead, [5_000]) == Stage(
        change=-10_000, deducted=(0,), remaining=(5_000,)
    )
    assert final_stage(53_000, 50_000, ahead, [5_000]) == Stage(
        change=0, deducted=(3_000,), remaining=(2_000,)
    )
    returned = final_stage(30_000, 50_000, pre_stage(50_000, [70_000]), [5_000])
    assert returned.deducted == (-20_000, 0)
    assert returned.remaining == (40_000, 5_000)


def test_a_recall_takes_what_is_there():
    """CEA-ALC-09."""
    assert recall(20_000, held=30_000) == Recall(recalled=20_000, remaining=0)
    assert recall(20_000, held=15_000) == Recall(recalled=15_000, remaining=5_000)
    assert recall(20_000, held=0) == Recall(recalled=0, remaining=20_000)


def test_a_later_change_is_the_difference():
    """CEA-ALC-12; within 10 working days."""
    assert later_change(30_000, 31_000) == 1_000
    assert later_change(30_000, 29_000) == -1_000
    assert RULES.redetermine_days.value == 10


@pytest.mark.parametrize(
    ("cause", "decided_on", "allowed"),
    [
        ("unpaid", 20260814, True),
        ("unpaid", 20260815, False),
        ("borrowed", 20260815, True),
        ("enforcement", 20270101, True),
        ("other", 20270101, True),
    ],
)
def test_no_new_deduction_for_unpaid_allowances(cause, decided_on, allowed):
    """CEA-ALC-11, a draft."""
    deduction = Deduction(cause=cause, tonnes=1, decided_on=decided_on)
    refusal = RULES.refusal(deduction)
    assert (refusal is None) == allowed
    if not allowed:
        assert "expected to be decided before 20260815, got on 20260815" in refusal
    assert ComplianceRules.load(drafts=False).adjustment.refusal(deduction) is None


@pytest.mark.parametrize(
    "act",
    [
        lambda: pre_stage(-1, []),
        lambda: pre_stage(1, [-1]),
        lambda: final_stage(-1, 0, pre_stage(0, [])),
        lambda: final_stage(1, 0, pre_stage(0, []), [-1]),
        lambda: recall(-1, 0),
        lambda: later_change(0, -1),
    ],
)
def test_tonnes_are_never_negative(act):
    with pytest.raises(ValueError, match=r"expected within 0\.\."):
        act()
