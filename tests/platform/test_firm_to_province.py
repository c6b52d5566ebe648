"""A firm's year from its list to its verified result, in one process and on both databases."""

from decimal import Decimal

from support.platform.platform_world import LI, PROVINCE, VERIFIER, ZHAO


def test_a_year_is_filed_reviewed_reported_verified_and_shown(world):
    platform = world.platform
    world.listed(2025)
    assert platform.listing.publish(2025, 33) == 1

    world.year()
    enterprise = platform.enterprises.of("E1")
    report = platform.reports.enter(LI, "E1", 2025)
    platform.reports.sign(ZHAO, "E1", 2025, seen=report.sha256)
    assert report.emission == "2957724"  # 12 months of 246,477.00 t

    task = platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    assert platform.verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2957724.00")})
    platform.verifications.confirm(PROVINCE, task)
    result = platform.verifications.result(enterprise.enterprise_id, 2025)
    assert (result.tonnes, result.version, result.confirmed_by) == (2_957_724, 1, "Sun Yu")
