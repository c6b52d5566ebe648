"""Verification: who may verify, findings, conclusions, results, objections, scores."""

from decimal import Decimal

import pytest

from cea_exchange.platform.verification.verifications import Finding
from support.platform.platform_world import LI, PROVINCE, VERIFIER, credit_code
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

REPORTED = {"E1-1": Decimal("2957724.00")}
FINDING = Finding(
    unit_id=1,
    period=202507,
    parameter="B.bituminous",
    rule="CEA-PWR-08",
    document="",
    words="the laboratory has no CMA mark",
)


@pytest.fixture
def task(world):
    world.reported()
    return world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)


def confirmed(world, task):
    world.platform.verifications.conclude(VERIFIER, task, REPORTED)
    return world.platform.verifications.confirm(PROVINCE, task)


WORKED = {
    "report": "V1 prepares reports in 33",
    "advice": "V1 advises on allowances",
    "laboratory": "V1 tested for E1",
}


@pytest.mark.parametrize("service", WORKED)
def test_a_firm_does_not_verify_what_it_worked_on(world, service):
    """CEA-ENT-15."""
    world.reported()
    world.platform.firms.engage("E1", "V1", 2025, service)
    with refuses(f"FIRM_IN_CONFLICT: .*got one with it: {WORKED[service]}"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    with refuses("ENGAGEMENT_TAKEN"):
        world.platform.firms.engage("E1", "V1", 2025, service)


def test_what_an_enterprise_declared_by_mistake_bars_nobody(world):
    """CEA-ENT-15: its province withdraws it, once."""
    world.reported()
    world.enterprise("E2", number=2)
    firms = world.platform.firms
    firms.engage("E2", "V1", 2025, "advice")
    with refuses("ENGAGEMENT_UNKNOWN: V1: expected a service .* got advice of 2024 for E2"):
        firms.disengage("E2", "V1", 2024, "advice", "letter 3")
    firms.disengage("E2", "V1", 2025, "advice", "letter 3")
    with refuses("ENGAGEMENT_UNKNOWN"):
        firms.disengage("E2", "V1", 2025, "advice", "letter 3")
    assert b"V1" not in world.platform.public_files.services(2025)
    world.platform.verifications.withdraw(
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    )
    firms.engage("E2", "V1", 2025, "advice")
    with refuses("FIRM_IN_CONFLICT: .*V1 advises"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)


CLASHING = (("E1", "report"), ("E2", "report"), ("E1", "laboratory"), ("E3", "advice"))


@pytest.mark.parametrize(("enterprise", "service"), CLASHING)
def test_a_firm_does_no_work_for_what_it_verifies(world, enterprise, service):
    """CEA-ENT-15: the other way round, too, until it verifies it no more."""
    world.reported()
    world.enterprise("E2", number=2)
    world.enterprise("E3", number=3, province=32)
    verifications, firms = world.platform.verifications, world.platform.firms
    number = verifications.give("E1", 2025, "V1", due_on=20260630)
    with refuses(f"FIRM_IN_CONFLICT: .*for its {service}, got V1, which verifies E1"):
        firms.engage(enterprise, "V1", 2025, service)
    for other, apart in (("E2", "laboratory"), ("E3", "report")):
        firms.engage(other, "V1", 2025, apart)
    firms.engage(enterprise, "V1", 2024, service)
    verifications.withdraw(number)
    firms.engage(enterprise, "V1", 2025, service)


def test_who_works_on_the_year_after_meanwhile_does_not_verify(world):
    """CEA-ENT-15: its months are filed while the year before is verified; a test is of a year."""
    world.reported()
    world.enterprise("E2", number=2)
    verifications, firms = world.platform.verifications, world.platform.firms
    firms.engage("E1", "V1", 2026, "laboratory")
    for service, said in (("report", "prepares reports in 33"), ("advice", "advises")):
        firms.engage("E2", "V1", 2026, service)
        with refuses(f"FIRM_IN_CONFLICT: .*V1 {said}"):
            verifications.give("E1", 2025, "V1", due_on=20260630)
        firms.disengage("E2", "V1", 2026, service, "letter 3")
    number = verifications.give("E1", 2025, "V1", due_on=20260630)
    for service in ("report", "advice"):
        with refuses(f"FIRM_IN_CONFLICT: .*of 2025 for its {service}, got V1, which verifies E1"):
            firms.engage("E2", "V1", 2026, service)
    verifications.conclude(VERIFIER, number, {"E1-1": Decimal("2957724.00")})
    verifications.confirm(PROVINCE, number)
    firms.engage("E2", "V1", 2026, "report")
    with refuses("FIRM_IN_CONFLICT: .*of 2025 for its report"):
        firms.engage("E2", "V1", 2025, "report")


def test_what_is_noted_of_a_verifier_meanwhile_keeps_its_result_from_counting(world):
    """CEA-ENT-15."""
    world.reported()
    verifications = world.platform.verifications
    number = verifications.give("E1", 2025, "V1", due_on=20260630)
    verifications.conclude(VERIFIER, number, {"E1-1": Decimal("2957724.00")})
    world.platform.firms.tie("V1", "interest", "register 1", enterprise="E1")
    with refuses("FIRM_IN_CONFLICT: .*V1 holds an interest in E1"):
        verifications.confirm(PROVINCE, number)
    assert world.store.one("SELECT count(*) FROM verified_results") == 0


def test_a_firm_that_reports_in_a_province_does_not_verify_there(world):
    """CEA-ENT-15."""
    world.reported()
    world.enterprise("E2", number=2)
    world.enterprise("E3", number=3, province=32)
    for name, service in (("E2", "laboratory"), ("E3", "report")):
        world.platform.firms.engage(name, "V1", 2025, service)
    number = world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    world.platform.verifications.withdraw(number)
    world.platform.firms.engage("E2", "V1", 2025, "report")
    with refuses("FIRM_IN_CONFLICT: .*V1 prepares reports in 33"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)


@pytest.mark.parametrize(
    ("kind", "terms", "said"),
    [
        ("interest", {"enterprise": "E1"}, "V1 holds an interest in E1"),
        ("manager", {"enterprise": "E1"}, "V1 shared a manager with E1"),
        ("manager", {"enterprise": "E1", "until": 20230111}, "V1 shared a manager with E1"),
        ("manager", {"enterprise": "E1", "until": 20230110}, None),
        ("interest", {"enterprise": "E2"}, None),
        ("trade", {}, "V1 trades allowances"),
    ],
)
def test_a_firm_with_a_tie_to_an_enterprise_does_not_verify_it(world, kind, terms, said):
    """CEA-ENT-15: of a manager for three years; the day is 10 January 2026."""
    world.reported()
    world.enterprise("E2", number=2)
    world.platform.firms.tie("V1", kind, "register 4", **terms)
    if said is None:
        assert world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
        return
    with refuses(f"FIRM_IN_CONFLICT: .*{said}"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)


@pytest.mark.parametrize(
    ("kind", "whose"),
    [("interest", {"enterprise": "E1"}), ("manager", {"enterprise": "E1"}), ("trade", {})],
)
def test_a_tie_that_has_ended_keeps_a_firm_from_nothing(world, kind, whose):
    """CEA-ENT-15: all of its kind end, and both entries stay."""
    world.reported()
    firms, give = world.platform.firms, world.platform.verifications.give
    for document in ("register 4", "register 5"):
        firms.tie("V1", kind, document, **whose)
    other = "interest" if kind == "manager" else "manager"
    with refuses(f"TIE_UNKNOWN: V1: expected a tie that stands, got {other} of E1"):
        firms.untie("V1", other, "register 7", enterprise="E1")
    with refuses("FIRM_IN_CONFLICT"):
        give("E1", 2025, "V1", due_on=20260630)
    assert firms.untie("V1", kind, "register 7", **whose) == 2
    assert give("E1", 2025, "V1", due_on=20260630)
    with refuses("TIE_UNKNOWN"):
        firms.untie("V1", kind, "register 7", **whose)
    assert world.platform.store.one("SELECT count(*) FROM firm_ties") == 2


def test_a_manager_who_left_ties_for_three_years_more(world):
    """CEA-ENT-15: the tie that still is ends, and the one with its last day stands."""
    world.reported()
    firms = world.platform.firms
    firms.tie("V1", "manager", "register 4", enterprise="E1")
    firms.untie("V1", "manager", "register 7", enterprise="E1")
    firms.tie("V1", "manager", "register 7", enterprise="E1", until=20230111)
    with refuses("FIRM_IN_CONFLICT: .*V1 shared a manager with E1"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    world.day = 20260112
    assert world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)


def test_a_tie_is_with_an_enterprise_unless_it_is_trade(world):
    with refuses("CHOICE_UNKNOWN: enterprise: expected one of interest, got None"):
        world.platform.firms.tie("V1", "interest", "register 4")
    with refuses("CHOICE_UNKNOWN: enterprise: expected none of trade, got 'E1'"):
        world.platform.firms.tie("V1", "trade", "register 4", enterprise="E1")


def test_what_is_allocated_rests_on_what_the_verifier_concluded(world):
    """CEA-VER-16: of what was made and of hours; of the others on the months."""
    world.reported(2024)
    give, conclude = world.platform.verifications.give, world.platform.verifications.conclude
    world.listed(2024)
    task = give("E1", 2024, "V1", due_on=20250630)
    less = {"E1-1": {"M": Decimal(3_000_000)}}
    expected = "expected M, N, O, heat.FUEL, heat.biomass, heat.own, supplied, turbine_heat of E1-1"
    with refuses(f"UNITS_DIFFER: figures: {expected}, got A.bituminous of E1-1"):
        conclude(VERIFIER, task, REPORTED, {"E1-1": {"A.bituminous": Decimal(1)}})
    conclude(VERIFIER, task, REPORTED, less)
    world.platform.verifications.confirm(PROVINCE, task)
    computed = world.platform.allocations.compute(PROVINCE, 33, 2024, "final")
    # 3,600,000 MWh, as the months have it, give 2,847,600 t.
    assert computed.tonnes == 2_847_600 * 3_000_000 // 3_600_000


def test_where_a_finding_was_not_fixed_no_unit_has_made_more(world, task):
    """CEA-VER-16."""
    verifications = world.platform.verifications
    finding = verifications.find(VERIFIER, task, FINDING)
    verifications.close(task, finding, "not_fixed")
    more = {"E1-1": {"M": Decimal(3_600_001)}}
    with refuses("AMOUNT_UNSOUND: E1-1: expected from 0 to 3600000, as filed, of M, got 3600001"):
        verifications.conclude(VERIFIER, task, REPORTED, more)
    assert verifications.conclude(VERIFIER, task, REPORTED, {"E1-1": {"M": Decimal(3_600_000)}})


def test_a_barred_or_unknown_firm_gets_no_work(world):
    world.reported()
    with refuses("FIRM_UNKNOWN: firm: expected a registered one, got 'V9'"):
        world.platform.verifications.give("E1", 2025, "V9", due_on=20260630)
    with refuses("FIRM_TAKEN: firm: .*those of V1"):
        world.firm("V1", number=901)
    with refuses("NAME_LOOKS_ALIKE: firm: .*looks like no other, got 'v1' [(]CEA-PER-04[)]"):
        world.firm("v1", number=902)
    world.platform.firms.bar("V1")
    with refuses("FIRM_BARRED: firm: expected one that may work, got V1, barred from 20260110"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)


def test_only_a_filed_report_is_verified_and_once_at_a_time(world):
    world.year()
    give = world.platform.verifications.give
    with refuses("REPORT_MISSING: E1: expected a filed report of 2025, got none"):
        give("E1", 2025, "V1", due_on=20260630)
    world.platform.reports.enter(LI, "E1", 2025)
    with refuses("REPORT_MISSING: .*got draft"):
        give("E1", 2025, "V1", due_on=20260630)


def test_a_second_verification_waits_for_the_first(world, task):
    with refuses("VERIFICATION_STATE: E1 2025: expected no verification under way, got 1"):
        world.platform.verifications.give("E1", 2025, "V1", due_on=20260630)
    with refuses("VERIFICATION_UNKNOWN"):
        world.platform.verifications.of_number(9)


def test_a_conclusion_waits_for_every_finding(world, task):
    """CEA-VER-10."""
    verifications = world.platform.verifications
    number = verifications.find(VERIFIER, task, FINDING)
    with refuses("FINDING_STATE: verification 1: expected every finding closed, got 1 open"):
        verifications.conclude(VERIFIER, task, REPORTED)
    verifications.close(task, number, "fixed")
    with refuses("FINDING_STATE: finding 1: expected an open one, got fixed"):
        verifications.close(task, number, "fixed")
    with refuses("FINDING_UNKNOWN"):
        verifications.close(task, 9, "fixed")
    assert verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2957000.00")}) == 2957000
    assert [finding["state"] for finding in verifications.findings(task)] == ["fixed"]


def test_what_was_not_fixed_makes_no_unit_smaller(world, task):
    """CEA-VER-10."""
    verifications = world.platform.verifications
    verifications.close(task, verifications.find(VERIFIER, task, FINDING), "not_fixed")
    with refuses("AMOUNT_UNSOUND: E1-1: expected 2957724.00 t or more, .* got 2957723.99"):
        verifications.conclude(VERIFIER, task, {"E1-1": Decimal("2957723.99")})
    assert verifications.conclude(VERIFIER, task, {"E1-1": Decimal("3000000.50")}) == 3000001


@pytest.mark.parametrize("units", [{}, {"E1-2": Decimal(1)}, REPORTED | {"E1-2": Decimal(1)}])
def test_a_conclusion_names_the_reports_units(world, task, units):
    with refuses("UNITS_DIFFER: units: expected E1-1, got"):
        world.platform.verifications.conclude(VERIFIER, task, units)


def test_a_conclusion_has_a_number_of_its_own(world, task):
    """CEA-VER-11."""
    world.platform.verifications.conclude(VERIFIER, task, REPORTED)
    number = world.store.one("SELECT report_number FROM conclusions")
    assert number == f"33-V1-{credit_code(1)[-6:]}-2025-1"


def test_a_result_is_replaced_with_a_reason_and_both_are_kept(world, task):
    """CEA-VER-12."""
    verifications = world.platform.verifications
    with refuses("VERIFICATION_STATE: verification 1: expected concluded, got open"):
        verifications.confirm(PROVINCE, task)
    assert confirmed(world, task).version == 1
    verifications.withdraw(task)
    again = verifications.give("E1", 2025, "V1", due_on=20260630)
    verifications.conclude(VERIFIER, again, {"E1-1": Decimal("2900000.00")})
    with refuses("REASON_MISSING: reason: expected the reason for another result, got ''"):
        verifications.confirm(PROVINCE, again)
    verifications.confirm(PROVINCE, again, reason="objection 1")
    enterprise = world.platform.enterprises.of("E1")
    assert verifications.result(enterprise.enterprise_id, 2025).tonnes == 2_900_000
    assert world.store.one("SELECT count(*) FROM verified_results") == 2
    with refuses("RESULT_UNKNOWN: year: expected one with a verified result, got 2024"):
        verifications.result(enterprise.enterprise_id, 2024)


def objection(world, result):
    return world.platform.objections.make(
        LI,
        result.enterprise_id,
        2025,
        against="verification",
        subject_id=result.result_id,
        notified_on=result.notified_on,
        words="the July coal was weighed twice",
    )


@pytest.mark.parametrize(("notified_on", "last"), [(20250630, 20250709), (20260211, 20260227)])
def test_an_enterprise_objects_within_seven_working_days(world, task, notified_on, last):
    """CEA-VER-13, example 40: make-up weekends count."""
    result = confirmed(world, task)._replace(notified_on=notified_on)
    world.day = last + 1
    with refuses(f"OBJECTION_LATE: objection: expected by {last}"):
        objection(world, result)
    world.day = last
    assert objection(world, result)["objection"] == 1
    with refuses("OBJECTION_STATE: objection: expected none that is open, got 1"):
        objection(world, result)


@pytest.mark.parametrize(
    ("made", "decide_by"), [(20240927, 20241016), (20250926, 20251016), (20260928, 20261016)]
)
def test_a_province_decides_within_ten_working_days(world, task, made, decide_by):
    """CEA-VER-13, example 41."""
    result = confirmed(world, task)._replace(notified_on=made)
    world.day = made
    assert objection(world, result)["decide_by"] == decide_by
    objections = world.platform.objections
    objections.decide(PROVINCE, 1, "upheld", "the scale's record shows it")
    assert objections.state(1) == "upheld"
    with refuses("OBJECTION_STATE: objection 1: expected an open one, got upheld"):
        objections.decide(PROVINCE, 1, "dismissed", "no")
    with refuses("OBJECTION_UNKNOWN"):
        objections.enterprise_of(9)


def test_nobody_objects_too_late_by_days_off_that_nobody_knows(world, task):
    """CEA-DAY-10, CEA-VER-13: once they are loaded the term is certain."""
    result = confirmed(world, task)._replace(notified_on=20261225)
    world.day = 20270106
    term = world.platform.record.term("object", 20261225)
    assert (term.number, term.is_provisional) == (20270105, True)
    made = objection(world, result)
    assert (made["decide_by"], made["is_provisional"]) == (20270120, True)
    world.platform.objections.decide(PROVINCE, made["objection"], "dismissed", "no")
    days = 'name = "2027"\nfirst = 2027-01-01\nlast = 2027-12-31\n'
    days += 'closed_weekdays = ["saturday", "sunday"]\n[closures]\n2027-01-01 = "New Year"\n'
    world.platform.record.working_days.load("2027.toml", days.encode(), world.day)
    objection(world, result)
    world.platform.objections.decide(PROVINCE, 2, "dismissed", "no")
    world.day = 20270107
    with refuses("OBJECTION_LATE: objection: expected by 20270106, got on 20270107"):
        objection(world, result)


def test_a_province_scores_a_verifier_once_a_year(world):
    """CEA-ENT-16."""
    terms = {"quality": 90, "compliance": 100, "timeliness": 80}
    world.platform.firms.score("V1", 2025, 33, **terms)
    assert world.platform.firms.scores(2025) == [
        {"firm": "V1", "province": 33, **terms, "remarks": ""}
    ]
    with refuses("SCORE_TAKEN: V1: expected no score of 2025 in 33 yet"):
        world.platform.firms.score("V1", 2025, 33, **terms)
    with refuses("AMOUNT_UNSOUND: quality: expected a whole number from 0 to 100, got 101"):
        world.platform.firms.score("V1", 2025, 32, **terms | {"quality": 101})


@pytest.mark.parametrize(
    ("is_fixed", "hours", "most"),
    [(True, "8784.01", "8784 of O"), (False, "7680.01", "7680.00, as filed, of O")],
)
def test_no_more_hours_are_concluded_than_the_year_has_or_were_filed(world, is_fixed, hours, most):
    """CEA-VER-16, CEA-PWR-22: more hours are a lower load, and more allowances."""
    world.reported(2024)
    verifications = world.platform.verifications
    task = verifications.give("E1", 2024, "V1", due_on=20250630)
    if not is_fixed:
        found = verifications.find(VERIFIER, task, FINDING)
        verifications.close(task, found, "not_fixed")
    with refuses(f"AMOUNT_UNSOUND: E1-1: expected from 0 to {most}, got {hours}"):
        verifications.conclude(VERIFIER, task, REPORTED, {"E1-1": {"O": Decimal(hours)}})
    most_hours = Decimal(hours) - Decimal("0.01")
    assert verifications.conclude(VERIFIER, task, REPORTED, {"E1-1": {"O": most_hours}})
