"""Annual reports: the sum of accepted months, signed by another person."""

from support.platform.platform_world import LI, ZHAO
from support.refusing import refuses


def test_a_report_is_the_sum_of_its_accepted_months(world):
    """CEA-MRV-16."""
    world.unit("E1-2", valid_from=20251201)
    world.year()
    with refuses("MONTHS_MISSING: E1-2: expected every month accepted, got none of 202512"):
        world.platform.reports.enter(LI, "E1", 2025)
    world.enter(202512, unit="E1-2", coal="100.00")
    world.accept(202512)
    report = world.platform.reports.enter(LI, "E1", 2025)
    units = world.platform.reports.units(report)
    assert units["E1-1"].emission == "2957724.00"
    assert len(units["E1-2"].months) == 1
    assert int(report.emission) == 2957724 + round(float(units["E1-2"].emission))


def test_who_entered_a_report_may_not_sign_it(world):
    """CEA-ENT-14, CEA-MRV-16."""
    world.year()
    world.platform.reports.enter(LI, "E1", 2025)
    with refuses("SAME_PERSON: report 2025"):
        world.platform.reports.sign(LI, "E1", 2025)
    world.platform.reports.sign(ZHAO, "E1", 2025)


def test_a_report_of_months_that_were_replaced_is_not_signed(world):
    """CEA-MRV-16."""
    world.year()
    world.platform.reports.enter(LI, "E1", 2025)
    world.enter(202507, reason="scale read again", coal="126000.00")
    world.accept(202507)
    with refuses("FILING_DIFFERS: report 2025: expected the accepted months of E1-1"):
        world.platform.reports.sign(ZHAO, "E1", 2025)
    world.platform.reports.enter(LI, "E1", 2025, reason="July was corrected")
    world.platform.reports.sign(ZHAO, "E1", 2025)


def test_a_report_needs_a_year_that_is_over_and_a_unit(world):
    world.day = 20251231
    with refuses("MONTH_NOT_OVER: year: expected one that has ended, got 2025"):
        world.platform.reports.enter(LI, "E1", 2025)
    world.day = 20260101
    world.enterprise("E2", number=2)
    with refuses("UNIT_UNKNOWN: E2: expected a unit in 2025, got none"):
        world.platform.reports.enter(LI, "E2", 2025)


def test_months_are_not_replaced_while_their_year_is_verified(world):
    world.reported()
    task = world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    with refuses("YEAR_VERIFIED: month 202507: .*got verification 1, open"):
        world.enter(202507, reason="scale read again")
    world.platform.verifications.withdraw(task)
    world.enter(202507, reason="scale read again")
