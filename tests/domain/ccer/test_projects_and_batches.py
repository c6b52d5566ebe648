"""Which projects and reductions the programme takes, and from whom."""

import pytest
from msgspec.structs import replace

from cea_exchange.domain.ccer.batches import (
    Period,
    ReductionReport,
    application_check,
    report_check,
    verified_check,
)
from cea_exchange.domain.ccer.methodologies import Methodologies
from cea_exchange.domain.ccer.programme import ProgrammeRules, eligibility
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.projects import ProjectDesign, design_check, ended_check
from cea_exchange.domain.ccer.vvbs import (
    Accreditation,
    accredited_check,
    report_is_late,
    verifier_check,
)
from support.refusing import refuses

TESTS = eligibility()
METHODOLOGIES = Methodologies.load()
WIND = METHODOLOGIES.in_force("CCER-01-002", 20240122)
FOREST = METHODOLOGIES.in_force("CCER-14-001", 20240122)
DESIGN = ProjectDesign(
    methodology="CCER-01-002",
    started_on=20200301,
    crediting_from=20200923,
    crediting_to=20300922,
)
REPORT = ReductionReport(
    produced_from=20210101, produced_to=20221231, tonnes={2021: 6_000, 2022: 4_000}
)
PUBLISHED_ON = 20250106


def refused(code: str):
    return refuses(code, ProgrammeError)


# -- methodologies and VVBs -----------------------------------------------------------------------


def test_a_methodology_is_known_and_released_or_none():
    """CCER-MET-01."""
    assert (WIND.sector, WIND.crediting_years_max) == (1, 10)
    assert METHODOLOGIES.in_force("CCER-10-001", 20250103).sector == 10
    with refused("METHODOLOGY_NOT_IN_FORCE: .*expected from 20250103 on, got 20250102"):
        METHODOLOGIES.in_force("CCER-10-001", 20250102)
    with refused("METHODOLOGY_UNKNOWN: methodology: expected one of CCER-14-001, .*got 'CM-001'"):
        METHODOLOGIES.in_force("CM-001", 20250102)


def test_every_methodology_has_its_source_and_rule():
    """CCER-MET-01: the sector is the middle number of the code."""
    for each in METHODOLOGIES.methodology:
        assert each.source and each.rule == "CCER-MET-01"
        assert each.sector == int(each.code.split("-")[1])
        assert each.crediting_years_min <= each.crediting_years_max
    assert len({each.code for each in METHODOLOGIES.methodology}) == 10


LICENCES = (
    Accreditation(sector=1, from_date=20240611, until_date=20290610),
    Accreditation(sector=14, from_date=20250601),
)


def test_a_vvb_works_in_its_sectors_while_its_licence_lasts():
    """CCER-VVB-01."""
    for sector, day in ((1, 20240611), (1, 20290610), (14, 20250601), (14, 20400101)):
        accredited_check("CQC", LICENCES, sector, day)
    for sector, day in ((1, 20240610), (1, 20290611), (14, 20250531), (10, 20250601)):
        with refused(f"VVB_NOT_ACCREDITED: .*sector {sector} on {day}, got CQC"):
            accredited_check("CQC", LICENCES, sector, day)


def test_who_validated_a_project_verifies_none_of_its_reductions():
    """CCER-VVB-02 (RB3, example 7)."""
    with refused("VVB_SAME: verifier: expected another VVB .*, got CQC"):
        verifier_check("CQC", "CQC")
    verifier_check("CCSC", "CQC")


def test_a_report_is_late_after_100_days_that_were_the_vvbs():
    """CCER-VVB-03."""
    days_max = ProgrammeRules.load().report_days_max.value
    assert not report_is_late(20260302, 20260610, 0, days_max)
    assert report_is_late(20260302, 20260611, 0, days_max)
    assert not report_is_late(20260302, 20260611, 1, days_max)


# -- projects --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"started_on": 20121108}, "NOT_ELIGIBLE: started_on: expected after 20121108"),
        ({"quota_managed": "national"}, "NOT_ELIGIBLE: .*under no allowances, got national"),
        ({"quota_managed": "regional"}, "NOT_ELIGIBLE: .*under no allowances, got regional"),
        ({"is_legal_duty": True}, "NOT_ELIGIBLE: is_legal_duty: expected"),
        ({"crediting_from": 20200229}, "DATES_OUT_OF_ORDER: crediting period: expected from 2020"),
        ({"crediting_to": 20200922}, "DATES_OUT_OF_ORDER: crediting period"),
        ({"crediting_to": 20300923}, "NOT_ELIGIBLE: .*1 to 10 years, got 20200923 to 20300923"),
        ({"crediting_to": 20210921}, "NOT_ELIGIBLE: .*1 to 10 years, got 20200923 to 20210921"),
    ],
)
def test_a_project_that_the_programme_does_not_take(changes, message):
    """CCER-PRJ-02, CCER-PRJ-06."""
    with refused(message):
        design_check(replace(DESIGN, **changes), WIND, TESTS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"started_on": 20121109},
        {"crediting_from": 20200301, "crediting_to": 20300228},
        {"crediting_to": 20210922},
    ],
)
def test_a_project_that_it_just_takes(changes):
    """CCER-PRJ-02, CCER-PRJ-06."""
    design_check(replace(DESIGN, **changes), WIND, TESTS)


def test_how_long_reductions_count_is_the_methodologys():
    """CCER-PRJ-06: a forest's period is 20 to 40 years."""
    design_check(replace(DESIGN, crediting_to=20600922), FOREST, TESTS)
    with refused("PROJECT_NOT_ELIGIBLE: .*20 to 40 years"):
        design_check(DESIGN, FOREST, TESTS)


@pytest.mark.parametrize("state", ["deregistered", "revoked"])
def test_what_was_deregistered_does_not_come_back(state):
    """CCER-PRJ-05 (RB3, example 7)."""
    with refused(f"PROJECT_ENDED: .*got WIND-1, which was {state}"):
        ended_check(state, "WIND-1")
    ended_check("recalled", "WIND-1")


# -- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"produced_from": 20230101}, "DATES_OUT_OF_ORDER: accounting period"),
        ({"produced_to": PUBLISHED_ON}, "DATES_OUT_OF_ORDER: .*publication on 20250106"),
        ({"produced_from": 20200922}, "NOT_ELIGIBLE: .*crediting period 20200923 to 20300922"),
        ({"tonnes": {}}, "NOT_ELIGIBLE: tonnes: expected 1 t or more"),
        ({"tonnes": {2021: 0}}, "NOT_ELIGIBLE: tonnes: expected 1 t or more"),
        ({"tonnes": {2020: 1}}, "NOT_ELIGIBLE: tonnes: .*some years 2021 to 2022, got {2020: 1}"),
        ({"tonnes": {2022: 1, 2023: 1}}, "NOT_ELIGIBLE: tonnes: .*some years 2021 to 2022"),
    ],
)
def test_a_report_that_the_programme_does_not_take(changes, message):
    """CCER-BAT-02, CCER-BAT-03."""
    with refused(message):
        report_check(replace(REPORT, **changes), DESIGN, [], TESTS, PUBLISHED_ON)


def test_reductions_are_of_after_22_september_2020():
    """CCER-BAT-03 (RB3, example 6): those of the day itself are not."""
    early = replace(DESIGN, crediting_from=20200301, crediting_to=20300228)
    first = replace(REPORT, produced_from=20200923, tonnes={2020: 1})
    report_check(first, early, [], TESTS, PUBLISHED_ON)
    with refused("REDUCTIONS_NOT_ELIGIBLE: reductions: expected after 20200922, got 20200922"):
        report_check(replace(first, produced_from=20200922), early, [], TESTS, PUBLISHED_ON)


def test_reductions_are_of_the_five_years_before_the_application():
    """CCER-BAT-03 (RB3, example 6)."""
    with refused("REDUCTIONS_NOT_ELIGIBLE: .*in the 5 years before 20260630, got 20210629"):
        application_check(Period(20210629, 20221231), 20260630, TESTS)
    application_check(Period(20210630, 20221231), 20260630, TESTS)


def test_no_day_is_in_two_batches():
    """CCER-BAT-02."""
    with refused("REDUCTIONS_NOT_ELIGIBLE: .*apart from another batch's, 20221231 to 20230630"):
        report_check(REPORT, DESIGN, [Period(20221231, 20230630)], TESTS, PUBLISHED_ON)
    beside = [Period(20200923, 20201231), Period(20230101, 20230630)]
    report_check(REPORT, DESIGN, beside, TESTS, PUBLISHED_ON)


def test_no_more_is_verified_than_was_reported():
    """CCER-BAT-05."""
    verified_check({2021: 6_000, 2022: 3_999}, REPORT)
    with refused("REDUCTIONS_NOT_ELIGIBLE: tonnes of 2022: expected at most the 4000 t .*got 4001"):
        verified_check({2022: 4_001}, REPORT)
    with refused("REDUCTIONS_NOT_ELIGIBLE: tonnes of 2022: expected at most the 0 t"):
        verified_check({2022: 1}, replace(REPORT, tonnes={2021: 5}))
