"""What became of transfers to the venue and back, as who asked for them sees it."""

import pytest

from support.registry.registry_venue import RegistryAndVenue
from support.registry.service_callers import Staff

PRODUCT = "CEA24"


@pytest.fixture
def both(tmp_path, database_address):
    """alice has cash at the venue and has bought 100 t of bob today, who had 1,000 t there."""
    both = RegistryAndVenue(tmp_path, database_address)
    both.registry.product_declare(PRODUCT, 9749)
    for account in ("alice", "bob"):
        both.registry.account_open(account)
    both.endow("alice", None, 10_000_000)
    both.endow("bob", PRODUCT, 1_000)
    both.meet()
    both.day_open()
    both.listed()
    both.trade("bob", "alice", PRODUCT, 100)
    both.meet()
    yield both
    both.close()


def test_a_rejected_transfer_is_told_with_the_venues_reason(both):
    """CEA-FND-04: what was bought today stays until tomorrow; its owner learns why."""
    staff = Staff(both.registry)
    li = staff.person("li", "initiator", account="alice")
    numbers = [
        both.registry.transfer_out("alice", PRODUCT, 60),
        both.registry.transfer_out("alice", None, 5_000),
        both.registry.transfer_out("bob", PRODUCT, 300),
    ]
    waiting = staff.rex("transfers", state="pending")["transfers"]
    assert numbers == [shown["transfer_seq"] for shown in waiting]
    both.meet()
    own = li("transfers", account="alice")["transfers"]
    assert [
        ("in", "CNY", 10_000_000, "completed", None),
        ("out", PRODUCT, 60, "rejected", "allowances_bought_today"),
        ("out", "CNY", 5_000, "completed", None),
    ] == [
        (shown["direction"], shown["product"], shown["amount"], shown["state"], shown["reason"])
        for shown in own
    ]
    assert "business of account alice" in li.error("transfers", account="bob")
    assert "business of account alice" in li.error("transfers")


def test_transfers_come_in_pages(both):
    staff = Staff(both.registry)
    everything = staff.an("transfers")["transfers"]
    first = staff.an("transfers", count=1)
    second = staff.an("transfers", count=1, after=first["next"])
    assert everything == first["transfers"] + second["transfers"] and second["next"] is None
    assert [] == staff.an("transfers", state="rejected")["transfers"]
    assert "`$.state`" in staff.an.error("transfers", state="lost")
