"""What is to pay and until when: late fines, instalments, review and suit, the court's help."""

import pytest

from cea_exchange.platform.enforcement.cases import Breach
from cea_exchange.platform.enforcement.deciding import Answerable
from support.platform.enforcement import decided, opened, taken
from support.platform.platform_world import PROVINCE
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

BREACH = Breach("fraud", 20250701, 2024)
FINE = 100_000_000


@pytest.fixture
def cases(world):
    return world.platform.cases


@pytest.fixture
def case(world):
    """A fine of 1,000,000 yuan that was received on 2025-09-20, and is to pay by 2025-10-09."""
    world.day = 20250901
    number = decided(world, FINE, BREACH)
    taken(world, number, "serve", day=20250920)
    return number


def owed(world, number, *days):
    found = []
    for world.day in days:
        found.append(world.platform.cases.shown(number)["owed_fen"])
    return found


def ruled(world, outcome, fine=0, day=None):
    world.day = day or world.day
    return world.platform.cases.appeals.rule(PROVINCE, 1, outcome, fine, "ruling 1", "")


def test_what_is_paid_late_costs_three_percent_a_day_until_it_has_doubled(world, cases, case):
    """CEA-LAW-24, examples 38 and 42."""
    assert cases.shown(case)["pay_by"] == 20251009
    days = (20251009, 20251019, 20251111, 20251112, 20251201)
    assert [fen // 1_000_000 for fen in owed(world, case, *days)] == [100, 130, 199, 200, 200]
    pay = cases.payments.pay
    with refuses("AMOUNT_UNSOUND: payment: expected from 1 to 200000000 fen, got 200000001"):
        pay(PROVINCE, case, 200_000_001, "slip 1")
    assert pay(PROVINCE, case, 150_000_000, "slip 1") == 50_000_000
    assert pay(PROVINCE, case, 50_000_000, "slip 2") == 0
    assert cases.of_number(case).paid_fen == 200_000_000
    assert taken(world, case, "close").state == "closed"


def test_being_late_adds_to_what_is_not_paid_only(world, cases, case):
    """CEA-LAW-24."""
    world.day = 20251009
    cases.payments.pay(PROVINCE, case, 60_000_000, "slip 1")
    assert owed(world, case, 20251019) == [52_000_000]
    with refuses("CASE_STATE: case 1: expected all paid, got 52000000 fen owed"):
        taken(world, case, "close")


@pytest.mark.parametrize("step", ["ask_review", "sue"])
def test_nothing_is_added_during_review_and_suit(world, cases, case, step):
    """CEA-LAW-24, CEA-LAW-25: ten days late of which five count."""
    taken(world, case, step, day=20251010)
    assert owed(world, case, 20251014, 20251201) == [FINE, FINE]
    ruled(world, "upheld", day=20251014)
    assert owed(world, case, 20251014, 20251019) == [FINE, 115_000_000]


def test_a_fine_is_paid_in_instalments_that_were_asked_for_in_time(world, cases, case):
    """CEA-LAW-24: each part is late by its own day."""
    grant = cases.payments.instalments
    parts = [(20251031, 40_000_000), (20251130, 60_000_000)]
    world.day = 20251009
    with refuses("AMOUNT_UNSOUND: case 1: expected parts of 100000000 fen in all"):
        grant(PROVINCE, case, parts[:1], "grant 1")
    with refuses("AMOUNT_UNSOUND: case 1: expected parts above zero by days to come, in order"):
        grant(PROVINCE, case, parts[::-1], "grant 1")
    world.day = 20251010
    with refuses("TERM_OVER: instalments: expected by 20251009"):
        grant(PROVINCE, case, parts, "grant 1")
    world.day = 20251009
    grant(PROVINCE, case, parts, "grant 1")
    assert cases.shown(case)["pay_by"] == 20251130
    assert owed(world, case, 20251031, 20251101) == [FINE, FINE + 1_200_000]
    with refuses("CASE_STATE: case 1: expected no instalments before"):
        grant(PROVINCE, case, parts, "grant 2")
    cases.payments.pay(PROVINCE, case, 40_000_000, "slip 1")
    assert owed(world, case, 20251130) == [61_200_000]
    assert owed(world, case, 20251201) == [63_000_000]


def test_persons_and_what_is_confiscated_are_paid_too(world, cases):
    """CEA-LAW-09, CEA-LAW-12: nothing is added to what is confiscated."""
    world.day = 20250901
    persons = [Answerable("Lu Yi", 5_000_000)]
    number = decided(world, 300_000_000, BREACH._replace(gains_fen=60_000_000), persons=persons)
    assert cases.shown(number)["owed_fen"] == 0
    taken(world, number, "serve", day=20250920)
    assert owed(world, number, 20251009, 20251010) == [360_000_000, 369_000_000]
    pay = cases.payments.pay
    assert pay(PROVINCE, number, 369_000_000, "slip 1") == 0
    with refuses("CASE_STATE: case 1: expected all paid, got 5150000 fen owed"):
        taken(world, number, "close")
    with refuses("AMOUNT_UNSOUND: payment: .*got none that Xu An owes"):
        pay(PROVINCE, number, 1, "slip 2", payer="Xu An")
    assert pay(PROVINCE, number, 5_150_000, "slip 2", payer="Lu Yi") == 0
    assert taken(world, number, "close").state == "closed"


def test_review_and_suit_are_asked_for_in_time_and_not_at_once(world, case):
    """CEA-LAW-25: 60 days, and 6 months, from the receipt on 2025-09-20."""
    with refuses("TERM_OVER: review: expected by 20251119, got on 20251120"):
        taken(world, case, "ask_review", day=20251120)
    with refuses("TERM_OVER: suit: expected by 20260320, got on 20260321"):
        taken(world, case, "sue", day=20260321)
    taken(world, case, "ask_review", day=20251119)
    with refuses("TERM_RUNNING: suit: expected after 20260119"):
        taken(world, case, "sue", day=20260119)
    with refuses("CASE_STATE: case 1: expected no review and no suit before"):
        taken(world, case, "ask_review")
    ruled(world, "upheld", day=20260105)
    with refuses("TERM_OVER: suit: expected by 20260120"):
        taken(world, case, "sue", day=20260121)
    taken(world, case, "sue", day=20260120)
    with refuses("CASE_STATE: case 1: expected no suit before"):
        taken(world, case, "sue")


def test_who_hears_nothing_of_a_review_may_sue(world, case):
    """CEA-LAW-25: decided within 60 days."""
    taken(world, case, "ask_review", day=20251010)
    taken(world, case, "sue", day=20251210)
    assert ruled(world, "withdrawn").fine_fen == FINE


def test_a_ruling_lowers_a_fine_and_never_raises_it(world, cases, case):
    """CEA-LAW-25, CEA-LAW-23."""
    taken(world, case, "publish")
    cases.payments.pay(PROVINCE, case, FINE, "slip 1")
    with refuses("CASE_STATE: case 1: expected a review or suit that is pending"):
        ruled(world, "upheld")
    taken(world, case, "ask_review")
    for fine in (0, FINE, FINE + 1):
        with refuses("FINE_OUT_OF_RANGE: case 1: expected a fine from 1 to 99999999 fen"):
            ruled(world, "changed", fine)
    with refuses("AMOUNT_UNSOUND: case 1: expected no fine of upheld"):
        ruled(world, "upheld", 1)
    with refuses("CHOICE_UNKNOWN: outcome"):
        ruled(world, "doubled")
    assert ruled(world, "changed", 70_000_000).fine_fen == 70_000_000
    (shown,) = cases.shown(case)["decisions"]
    assert (shown["in_force_fen"], shown["refundable_fen"]) == (70_000_000, 30_000_000)
    (public,) = cases.published()
    assert (public["fine_fen"], public["law"]) == (70_000_000, "REG Art 22")
    assert not {"person", "persons", "gains_fen", "words"} & public.keys()


def test_a_revoked_decision_is_public_no_more_and_may_be_made_anew(world, cases, case):
    """CEA-LAW-22, CEA-LAW-23, CEA-LAW-25: the term to decide runs from the ruling."""
    taken(world, case, "publish", "ask_review")
    assert len(cases.published()) == 1
    case = ruled(world, "revoked", day=20251110)
    assert (case.state, case.fine_fen, cases.published()) == ("revoked", 0, [])
    assert cases.shown(1)["decide_by"] == 20260209
    assert owed(world, 1, 20251201) == [0]
    taken(world, 1, "notice")
    world.day = 20251209
    taken(world, 1, "legal_review", "joint_decision")
    again = cases.deciding.decide(PROVINCE, 1, 50_000_000, "decision 2", words="anew")
    assert (again.state, again.fine_fen) == ("decided", 50_000_000)


def test_a_revoked_bar_lets_the_firm_work_again(world, cases):
    """CEA-LAW-11, CEA-LAW-12, CEA-LAW-25."""
    world.day = 20250901
    persons = [Answerable("Wu Lei", 2_000_000)]
    breach = Breach("false_service", 20250701, 2024)
    of, measures = {"firm_id": 1}, ["barred_from_service"]
    number = decided(world, 50_000_000, breach, of=of, persons=persons, measures=measures)
    taken(world, number, "serve", "ask_review")
    assert len(world.platform.firms.bans()) == 1
    ruled(world, "revoked")
    assert world.platform.firms.working("V1").firm == "V1"
    assert world.platform.firms.bans() == []


def test_a_court_is_asked_behind_all_appeals_and_a_reminder_and_for_three_months(world, case):
    """CEA-LAW-26: until 2026-03-20 there may be a suit."""
    with refuses("TERM_RUNNING: overdue: expected after 20251009"):
        taken(world, case, "remind", day=20251009)
    with refuses("TERM_RUNNING: court: expected after 20260320"):
        taken(world, case, "ask_court", day=20260320)
    with refuses(r"STEP_MISSING: case 1: expected a reminder on an earlier day \(CEA-LAW-26\)"):
        taken(world, case, "ask_court", day=20260323)
    taken(world, case, "remind")
    with refuses("STEP_MISSING: case 1: expected a reminder on an earlier day"):
        taken(world, case, "ask_court")
    with refuses("TERM_OVER: court: expected by 20260622, got on 20260623"):
        taken(world, case, "ask_court", day=20260623)
    taken(world, case, "ask_court", day=20260622)


def test_no_court_is_asked_while_a_suit_goes_on(world, case):
    """CEA-LAW-26."""
    taken(world, case, "sue", day=20251120)
    with refuses("CASE_STATE: case 1: expected no review or suit pending"):
        taken(world, case, "ask_court", day=20260401)
    ruled(world, "upheld", day=20260402)
    taken(world, case, "remind", day=20260403)
    taken(world, case, "ask_court", day=20260407)


def test_nothing_is_paid_or_appealed_before_it_is_received(world, cases):
    """CEA-LAW-24, CEA-LAW-25."""
    world.day = 20250901
    number = decided(world, FINE, BREACH)
    for step in ("ask_review", "sue", "remind"):
        with refuses("CASE_STATE: case 1: expected a decision that was served and is in force"):
            taken(world, number, step)
    with refuses("AMOUNT_UNSOUND: payment: expected of a decision that was served"):
        cases.payments.pay(PROVINCE, number, 1, "slip 1")
    assert opened(world, BREACH._replace(committed_on=20250801, apart="August")) == 2
