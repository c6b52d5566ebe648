"""A firm's year from its list to its verified result, in one process and on both databases."""

from decimal import Decimal

import pytest

from support.platform.platform_world import LI, PROVINCE, VERIFIER, WANG, ZHAO, World


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as found:
        yield found.founded()


def test_a_year_is_filed_reviewed_reported_verified_and_shown(world):
    platform = world.platform
    platform.listing.enter(
        2025, "E1", cause="over_threshold", tonnes=2_900_000, decided_on=20241220, document="list 1"
    )
    assert platform.listing.publish(2025, 33) == 1
    assert b"E1" in platform.listing.published(2025, 33)

    world.year()
    enterprise = platform.enterprises.of("E1")
    report = platform.reports.enter(LI, "E1", 2025)
    platform.reports.sign(ZHAO, "E1", 2025, seen=report.sha256)
    assert report.emission == str(round(12 * Decimal("246477.00")))

    task = platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    assert platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2957724.00")})
    platform.verifications.confirm(PROVINCE, task)
    result = platform.verifications.result(enterprise.enterprise_id, 2025)
    assert (result.tonnes, result.version, result.confirmed_by) == (2_957_724, 1, "Sun Yu")
    assert WANG.name not in report.entered_by
