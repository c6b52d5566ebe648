"""What an allocation file does is decided by the file and the facts alone: no registry is there."""

import pytest

from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.registry.distribution.plan import Entity, Facts, Known, Owed, plan
from cea_exchange.registry.files import FileRefused, allocation_read
from support.registry.allocation_files import allocation_file

ENTITIES = {
    "P0001": Entity(account_index=4, province=11, at_risk=0, sector=""),
    "P0002": Entity(account_index=7, province=11, at_risk=0, sector=""),
}


def planned(stage, tonnes, *, authority_holds=10_000, stages=None, **known):
    source = allocation_file(stage, tonnes)
    provinces = {account: entity.province for account, entity in ENTITIES.items()}
    table = allocation_read(source, vintages={"CEA24": 2024, "CEA25": 2025}, provinces=provinces)
    facts = Facts(
        entities=ENTITIES,
        known={
            account: known.get(account, Known(account_index=ENTITIES[account].account_index))
            for account in tonnes
        },
        stages=stages or {},
        authority_holds=authority_holds,
        rules=ComplianceRules.load().allocation,
    )
    return plan(table, None, facts)


def test_the_same_file_and_facts_give_the_same_plan():
    assert planned("pre", {"P0001": 700}) == planned("pre", {"P0001": 700})


def test_a_final_file_gives_the_difference_less_what_is_owed():
    """CEA-DIS-06: what is deducted is of the difference, and the plan says of which deduction."""
    known = Known(
        account_index=4,
        stage="pre",
        before=700,
        given_before=700,
        owed=(Owed(deduction_id=9, remaining=50, taken=0),),
    )
    (each,) = planned("final", {"P0001": 1_000}, P0001=known).planned
    assert (250, 50, ((9, 50),)) == (each.line.given, each.line.deducted, each.taken)


def test_a_plan_says_what_is_lacking_and_who_is_left_out():
    known = Known(account_index=4, stage="pre", before=5, given_before=5)
    warnings = planned(
        "final", {"P0001": 8}, authority_holds=2, stages={4: "pre", 7: "pre"}, P0001=known
    ).warnings
    assert any("holds 2" in text and "issue 1 first" in text for text in warnings)
    assert "P0002 was given allowances ahead and is left out" in warnings


def test_a_stage_that_can_not_follow_is_refused_with_its_line():
    known = Known(account_index=4, stage="final", before=5, given_before=5)
    with pytest.raises(FileRefused, match=r":2: stage: expected final or later"):
        planned("pre", {"P0001": 8}, P0001=known)
