"""A mistaken issue goes back: once, named, by two of the authority, as far as it is still there."""

import pytest

from cea_exchange.ledger.double_entry import Compartment, EntryKind, Holding
from cea_exchange.ledger.institutions import Institution
from cea_exchange.registry.distribution.issue_reversals import issue_reverse
from cea_exchange.registry.reconciliation.audit import findings
from cea_exchange.registry.reconciliation.reconcile import check_store
from support.refusing import refuses
from support.registry.audit_queries import audit_findings
from support.registry.ledger_by_hand import changed
from support.registry.service_callers import Staff, by_two

pytestmark = pytest.mark.postgres_at_night

AUTHORITY = int(Institution.AUTHORITY)
REVERSED = int(EntryKind.ISSUE_REVERSED)
WHY = "a zero too many"


@pytest.fixture
def issue(registry):
    """The entry by which ten times too much was issued."""
    registry.product_declare("CEA24", 9_749)
    registry.account_open("P1")
    return registry.distribution.issue("CEA24", 1_000)


def in_circulation(registry):
    contra = Holding(int(Institution.ISSUANCE), 0, Compartment.CONTRA)
    return -registry.store.balance(contra)


def at_the_authority(registry):
    return registry.store.balance(Holding(AUTHORITY, 0, Compartment.REGISTRATION))


def test_two_of_the_authority_reverse_what_is_still_there(registry, issue):
    """CEA-PER-07."""
    staff = Staff(registry)
    mee, mia = (staff.person(name, "authority") for name in ("mee", "mia"))
    asked = {"entry_id": issue, "tonnes": 900, "why": WHY}
    assert "expected one of authority" in staff.an.error("allocation_reverse", **asked)
    done = by_two(mee, mia, "allocation_reverse", **asked)
    assert done["answer"] == {"entry_id": issue + 1}
    assert (in_circulation(registry), at_the_authority(registry)) == (100, 100)
    assert f"ISSUE_REVERSED: issue {issue}: expected to be reversed once" in mee.error(
        "allocation_reverse", **asked | {"tonnes": 1}
    )
    with registry.transaction():
        assert check_store(registry.store).differences == []
    assert audit_findings(registry.store) == {}


def test_only_what_the_authority_still_has_is_taken_back(registry, issue):
    """CEA-PER-07."""
    ends = (AUTHORITY, registry.account("P1"), 0)
    registry.move(EntryKind.DISTRIBUTED, *ends, 300, "distribution 1")
    with refuses("INSUFFICIENT_ALLOWANCES: .*hold 900 of CEA24 in registration, got 700"):
        issue_reverse(registry.ledger, issue, 900, WHY)
    assert issue_reverse(registry.ledger, issue, 700, WHY)
    assert (in_circulation(registry), at_the_authority(registry)) == (300, 0)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"tonnes": 1_001}, "ISSUE_AMOUNT: tonnes: expected at most the 1000 of the issue"),
        ({"tonnes": 0}, "AMOUNT_UNSOUND: tonnes"),
        ({"why": ""}, "TEXT_UNSOUND: why"),
        ({"issue_entry": 99}, "ISSUE_UNKNOWN: entry: expected an issue to the authority, got 99"),
    ],
)
def test_what_is_no_reversal_changes_nothing(registry, issue, wrong, why):
    """CEA-PER-07."""
    terms = {"issue_entry": issue, "tonnes": 5, "why": WHY} | wrong
    with refuses(why):
        issue_reverse(registry.ledger, **terms)
    assert (in_circulation(registry), registry.store.entry_last) == (1_000, issue)


def test_an_issue_to_an_entity_is_not_taken_from_the_authority(registry, issue):
    """CEA-PER-07: its tonnes are the entity's."""
    registry.issue("P1", "CEA24", 5)
    with refuses("ISSUE_UNKNOWN"):
        issue_reverse(registry.ledger, registry.store.entry_last, 5, WHY)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM issue_reversals", "reverses issue 1: none is noted"),
        ("UPDATE issue_reversals SET issue_entry = 3", "reverses issue 1: noted is issue 3"),
        ("UPDATE issue_reversals SET entry_id = 9", "entry 9 reverses issue 1: so it is noted"),
        (
            "UPDATE entries SET amount = 5 WHERE kind = 1",
            "it takes 900 back, of its product were issued 5",
        ),
        (
            "UPDATE entries SET counter_index = 0 WHERE kind = 1",
            "entry 1 is no issue to the authority before it",
        ),
        (f"UPDATE entries SET reference = '' WHERE kind = {REVERSED}", "noted is issue 1"),
    ],
)
def test_what_was_changed_by_hand_is_found(registry, issue, statement, found):
    """CEA-PER-07: each reversal against its issue."""
    issue_reverse(registry.ledger, issue, 900, WHY)
    assert list(findings(registry.store, "issue_reversals")) == []
    changed(registry.store, statement)
    assert found in "; ".join(findings(registry.store, "issue_reversals"))
