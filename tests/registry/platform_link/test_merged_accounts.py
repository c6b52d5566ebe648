"""Allowances of an entity whose account another one has taken over at the registry before."""

import pytest

from cea_exchange.registry.files import Allocation, FileTable, SourceFile
from cea_exchange.registry.reconciliation.obligations import obligation_differences
from cea_exchange.registry.reconciliation.platform_link import platform_differences
from support.platform.linked import Linked
from support.platform.platform_world import (
    PROVINCE,
    ZHEJIANG,
    credit_code,
    given_2024,
    verified_2024,
)
from support.registry.audit_queries import audit_findings

pytestmark = pytest.mark.postgres_at_night

DECIDED = {"decided_on": 20260105, "document": "decision-9"}


@pytest.fixture
def linked(tmp_path, two_addresses):
    """Let `E1` and `E2` have accounts; nothing was given yet."""
    with Linked(tmp_path, two_addresses) as found:
        verified_2024(found.world)
        found.world.enterprise("E2", number=2)
        found.world.listed(2025, enterprise="E2")
        found.opened()
        found.registry.account_open(
            "P002", credit_code=credit_code(2), province=ZHEJIANG, sector="power"
        )
        yield found


def merge(linked):
    """Merge `E1` into `E2` at the platform, and its account into the other's."""
    linked.platform.successions.merge("E1", "E2", **DECIDED)
    linked.talk()
    linked.registry.accounts.merge("P001", "P002", "decision-9")


def give(linked, stage="final"):
    row = given_2024(linked.world, stage, is_verified=True)
    linked.talk()
    assert linked.refused() == []
    return row.tonnes


def reconciled(linked):
    store = linked.registry.store
    return [
        *platform_differences(store),
        *obligation_differences(store),
        *audit_findings(store).items(),
    ]


def test_what_is_given_comes_to_who_took_the_account_over(linked):
    """CEA-DIS-10, CEA-PLK-02: and what is owed by it is."""
    merge(linked)
    tonnes = give(linked)
    assert linked.held("P002") == tonnes > 0
    linked.platform.obligations.set_all(PROVINCE, ZHEJIANG, 2024)
    linked.talk()
    assert linked.refused() == []
    assert reconciled(linked) == []


def test_what_was_given_ahead_of_the_merger_is_not_given_again(linked):
    """CEA-DIS-10: each of the two has its own final allocation."""
    registry = linked.registry

    def take(number, stage, **tonnes):
        rows = tuple(
            Allocation(
                compliance_year=2024,
                product="CEA24",
                stage=stage,
                province=ZHEJIANG,
                account=account,
                tonnes=due,
                at_risk=False,
            )
            for account, due in tonnes.items()
        )
        source = SourceFile(f"item-{number}", bytes([number]))
        table = FileTable(source.name, source.sha256, rows, tuple(range(len(rows))))
        registry.distribution.take(source, table)

    take(1, "pre", P001=70, P002=100)
    merge(linked)
    assert linked.held("P002") == 170
    take(2, "final", P002=140)
    assert linked.held("P002") == 210
    take(3, "final", P001=110)
    assert linked.held("P002") == 250
    take(4, "adjustment", P001=90, P002=150)
    assert linked.held("P002") == 240
    assert audit_findings(registry.store) == {}


def test_what_is_recalled_is_taken_from_who_took_the_account_over(linked):
    """CEA-DIS-04, CEA-DIS-10: also what it has not got; and another allocation may follow."""
    allocation = given_2024(linked.world, is_verified=True)
    linked.talk()
    merge(linked)
    assert linked.held("P002") == allocation.tonnes
    linked.registry.transfer_in("P002", "CEA24", 1_000)
    linked.platform.recalls.recall(PROVINCE, allocation.allocation_id, "wrong figures")
    linked.talk()
    assert linked.refused() == []
    assert linked.held("P002") == 1_000  # on its way to the venue
    store = linked.registry.store
    (owed,) = store.all("SELECT account_index, tonnes FROM deductions")
    assert owed == (store.account_index("P001"), allocation.tonnes)
    place = store.account_index("P002"), store.product_index("CEA24")
    assert linked.registry.arrivals.recalls.owed() == {place: 1_000}
    assert give(linked) == allocation.tonnes
    assert linked.held("P002") == allocation.tonnes
    assert reconciled(linked) == []


def test_what_is_given_for_an_entity_at_risk_stays_with_the_province(linked):
    """CEA-DIS-03, CEA-DIS-10."""
    merge(linked)
    linked.registry.accounts.at_risk_set("P002", True, "late in 2023")
    tonnes = give(linked)
    custody = linked.registry.province_holdings
    assert linked.held("P002") == 0
    assert custody.kept("P002") == {"CEA24": tonnes}
    assert custody.release("P002") == {"CEA24": tonnes}
    assert linked.held("P002") == tonnes
    assert reconciled(linked) == []


def test_one_merged_into_an_account_that_is_closed_is_named(linked):
    """CEA-PLK-02."""
    merge(linked)
    linked.registry.accounts.close("P002", "out of business")
    row = given_2024(linked.world, is_verified=True)
    linked.talk()
    assert linked.refused() == [
        (
            "E1",
            "ACCOUNT_UNKNOWN",
            f"account: expected an open one of {credit_code(1)} in 33, got P001 of 33, closed",
        )
    ]
    assert linked.platform.outbox.recomputed(row.allocation_id)[0]["is_posted"] is False
