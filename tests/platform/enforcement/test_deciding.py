"""When a case may be decided, and what: terms, hearings, reviews, ranges, persons, bans."""

import pytest

from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.platform.enforcement.cases import Breach
from cea_exchange.platform.enforcement.deciding import Answerable
from support.platform.enforcement import (
    DECEMBER_2024,
    WORDS,
    decided,
    heard_of,
    opened,
    owes,
    reported,
    short_of_2023,
    taken,
    working_days_on,
)
from support.platform.platform_world import PROVINCE, VERIFIER
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night

PRICE_80 = Traded(amount=8_000, tonnes=1)
NO_REPORT = Breach("no_report", 20250401, 2024)
FRAUD = Breach("fraud", 20250101, 2024, gains_fen=60_000_000)
LAB = Breach("false_lab_report", 20250101, gains_fen=3_000_000)


@pytest.fixture
def decide(world):
    def decide(number, fine, **terms):
        return world.platform.cases.deciding.decide(
            PROVINCE, number, fine, "decision 1", words=WORDS, **terms
        )

    return decide


def test_a_fine_is_what_the_law_of_its_year_allows(world, decide):
    """CEA-PEN-01, CEA-PEN-05, example 34: a real decision."""
    short_of_2023(world)
    number = opened(world)
    with refuses("CASE_STATE: case 1: expected noticed for decide, got opened"):
        decide(number, 1)
    heard_of(world, number)
    for fine in (42_399_699_999, 84_799_400_001):
        with refuses(f"FINE_OUT_OF_RANGE: fine: expected from 42399700000 .*got {fine}"):
            decide(number, fine, traded=DECEMBER_2024)
    with refuses("PENALTY_NOT_ALLOWED: .*as nothing was traded"):
        decide(number, 42_399_700_000)
    with refuses("STEP_MISSING: case 1: expected an order to correct before it, or with it"):
        decide(number, 42_399_700_000, traded=DECEMBER_2024)
    taken(world, number, "order", "legal_review", "joint_decision", due_on=20250401)
    case = decide(number, 42_399_700_000, traded=DECEMBER_2024)
    assert (case.state, case.fine_fen) == ("decided", 42_399_700_000)
    (shown,) = world.platform.cases.shown(number)["decisions"]
    assert (shown["law"], shown["tonnes"]) == ("REG Art 24", 865_300)


def test_nothing_is_decided_before_five_working_days_to_state(world, decide):
    """CEA-LAW-19: the term begins on the day after the notice, 2025-01-22 here."""
    number = opened(world, Breach("no_report", 20241201, 2024), day=20250121)
    taken(world, number, "order", "notice", due_on=20250401)
    for world.day in (20250121, 20250127):
        with refuses("TERM_RUNNING: decision: expected after 20250127, got on .*CEA-LAW-19"):
            decide(number, 10_000_000)
    taken(world, number, "statement", words="the meter was broken")
    world.day = 20250205
    with refuses("TERM_OVER: statement: expected by 20250127, got on 20250205"):
        taken(world, number, "statement")
    decide(number, 10_000_000)


def test_a_hearing_is_asked_for_within_five_working_days_and_once(world):
    """CEA-LAW-20, example 42."""
    number = opened(world, NO_REPORT._replace(committed_on=20241231), day=20250121)
    taken(world, number, "notice")
    with refuses("TERM_OVER: ask_hearing: expected by 20250127, got on 20250128"):
        taken(world, number, "ask_hearing", day=20250128)
    taken(world, number, "ask_hearing", day=20250127)
    with refuses("CASE_STATE: case 1: expected one hearing"):
        taken(world, number, "ask_hearing")


def test_nothing_is_decided_while_a_hearing_is_pending(world, decide):
    """CEA-LAW-20: told 7 working days before, and held on its day or later."""
    number = opened(world, NO_REPORT, day=20250602)
    taken(world, number, "order", due_on=20250801)
    taken(world, number, "notice")
    taken(world, number, "ask_hearing")
    working_days_on(world, 8)
    with refuses("CASE_STATE: case 1: expected no hearing pending .*CEA-LAW-20"):
        decide(number, 10_000_000)
    with refuses("STEP_MISSING: case 1: expected a hearing's day told"):
        taken(world, number, "hear")
    noticed_on = world.day
    held_on = working_days_on(world, 7)
    world.day = noticed_on
    with refuses(f"DATE_OUT_OF_RANGE: case 1: expected a hearing on {held_on} or later"):
        taken(world, number, "tell_hearing", due_on=held_on - 1)
    taken(world, number, "tell_hearing", due_on=held_on)
    with refuses(f"TERM_RUNNING: case 1: expected the hearing on {held_on}"):
        taken(world, number, "hear", day=held_on - 1)
    taken(world, number, "hear", day=held_on)
    with refuses("STEP_MISSING: case 1: expected legal_review before it .*CEA-LAW-21"):
        decide(number, 10_000_000)
    taken(world, number, "legal_review", "joint_decision")
    assert decide(number, 10_000_000).state == "decided"


def test_a_hearing_that_is_withdrawn_keeps_nothing_up(world, decide):
    """CEA-LAW-20."""
    number = opened(world, NO_REPORT, day=20250602)
    taken(world, number, "order", due_on=20250801)
    taken(world, number, "notice")
    taken(world, number, "ask_hearing")
    working_days_on(world, 6)
    taken(world, number, "withdraw_hearing")
    assert decide(number, 10_000_000).state == "decided"
    with refuses("CASE_STATE"):
        taken(world, number, "withdraw_hearing")


def test_a_small_fine_has_no_hearing(world):
    """CEA-LAW-20: 20,000 to 100,000 yuan."""
    number = opened(world, LAB._replace(gains_fen=0), firm_id=1)
    taken(world, number, "notice")
    with refuses("HEARING_NOT_DUE: case 1: expected a fine or gains of 200,000 yuan"):
        taken(world, number, "ask_hearing")


def test_large_fines_are_reviewed_and_decided_together(world, decide):
    """CEA-LAW-21: from 500,000 yuan on."""
    number = opened(world, FRAUD)
    with refuses("CASE_STATE"):
        taken(world, number, "legal_review")
    heard_of(world, number)
    with refuses("STEP_MISSING: case 1: expected legal_review before it"):
        decide(number, 300_000_000)
    with refuses("STEP_MISSING: case 1: expected the lawyers' review before"):
        taken(world, number, "joint_decision")
    taken(world, number, "legal_review")
    with refuses("STEP_MISSING: case 1: expected joint_decision before it"):
        decide(number, 300_000_000)
    taken(world, number, "joint_decision")
    assert decide(number, 300_000_000).fine_fen == 300_000_000


def test_a_case_is_decided_within_90_days_and_twice_30_more(world, decide):
    """CEA-LAW-22, example 42: the last day is a Sunday."""
    number = opened(world, NO_REPORT._replace(committed_on=20250101), day=20250210)
    taken(world, number, "order", due_on=20250801)
    heard_of(world, number)
    shown = world.platform.cases.shown
    assert shown(number)["decide_by"] == 20250512
    with refuses("TERM_OVER: decision: expected by 20250512, got on 20250513"):
        world.day = 20250513
        decide(number, 10_000_000)
    with refuses("TERM_OVER: extension: expected by 20250512"):
        taken(world, number, "extend")
    taken(world, number, "extend", day=20250512)
    assert shown(number)["decide_by"] == 20250610
    taken(world, number, "extend", day=20250610)
    assert shown(number)["decide_by"] == 20250710
    with refuses(r"TERM_OVER: case 1: expected at most 2 extensions \(CEA-LAW-22\)"):
        taken(world, number, "extend")
    world.day = 20250710
    assert decide(number, 10_000_000).state == "decided"


def test_hearings_tests_and_service_are_not_counted(world):
    """CEA-LAW-22."""
    number = opened(world, NO_REPORT._replace(committed_on=20250101), day=20250210)
    shown = world.platform.cases.shown
    taken(world, number, "pause", day=20250301, words="samples are tested")
    assert shown(number)["decide_by"] == 0
    with refuses("CASE_STATE: case 1: expected a term that runs"):
        taken(world, number, "pause", words="again")
    taken(world, number, "notice", day=20250310)
    taken(world, number, "ask_hearing", day=20250311)
    taken(world, number, "resume", day=20250320, words="the samples' results")
    taken(world, number, "withdraw_hearing", day=20250325)
    # 1 to 25 March, both counted: 25 days of which some count for both.
    assert shown(number)["decide_by"] == 20250605
    with refuses("TEXT_UNSOUND: words"):
        taken(world, number, "pause")


def test_from_2025_on_there_are_two_fines_and_the_second_waits_for_the_term(world, decide):
    """CEA-PEN-06, example 36: 4,000 t are left at the term's end, whatever comes later."""
    calendar_2027(world)
    owes(world, 2025, 10_000)
    world.day = 20270104
    reported(world)
    number = opened(world, Breach("unpaid", 20261231, 2025))
    taken(world, number, "order", due_on=20270301)
    heard_of(world, number)
    taken(world, number, "legal_review", "joint_decision")
    for fine in (99_999_999, 500_000_001):
        with refuses("FINE_OUT_OF_RANGE: fine: expected from 100000000 to 500000000 fen"):
            decide(number, fine)
    decide(number, 100_000_000)
    taken(world, number, "serve", "publish")
    reported(world, 2025, (20270115, 6_000))
    for day in (20270120, 20270301):
        with refuses("TERM_RUNNING: second fine: expected after 20270301"):
            taken(world, number, "notice", day=day)
    world.day = 20270302
    with refuses("REGISTRY_AWAITED: .*until 20270301"):
        taken(world, number, "notice")
    reported(world, 2025, (20270115, 6_000), (20270302, 1_000))
    heard_of(world, number)
    taken(world, number, "legal_review", "joint_decision")
    with refuses("FINE_OUT_OF_RANGE: fine: expected from 160000000 to 320000000 fen"):
        decide(number, 159_999_999, traded=PRICE_80)
    case = decide(number, 160_000_000, traded=PRICE_80)
    assert case.fine_fen == 260_000_000
    first, second = world.platform.cases.shown(number)["decisions"]
    assert (first["stage"], second["stage"], second["tonnes"]) == (1, 2, 4_000)
    taken(world, number, "serve")
    with refuses("ACT_HAS_CASE: case 1: expected one fine of one act"):
        taken(world, number, "notice")


def test_what_was_surrendered_within_the_term_has_no_second_fine(world):
    """CEA-PEN-06, CEA-LAW-29."""
    calendar_2027(world)
    owes(world, 2025, 10_000)
    world.day = 20270104
    reported(world)
    number = decided(world, 100_000_000, Breach("unpaid", 20261231, 2025))
    taken(world, number, "serve")
    world.day = 20270201
    reported(world, 2025, (20270120, 10_000))
    with refuses("NOTHING_SHORT: case 1: expected tonnes missing after 20270128"):
        taken(world, number, "notice")


@pytest.mark.parametrize(
    ("is_followed", "law", "least"),
    [(False, "REG Art 24", 42_399_700_000), (True, "CODE Art 1226(2)", 100_000_000)],
)
def test_an_old_breach_is_judged_by_the_lighter_law(world, decide, is_followed, law, least):
    """CEA-LAW-07: the later law's second fine makes it heavier, unless the order was followed."""
    short_of_2023(world, day=20260820)
    number = opened(world)
    taken(world, number, "order", due_on=20260901)
    if is_followed:
        reported(world, 2023, (20241220, 4_263_312), (20260825, 865_300))
    taken(world, number, "notice")
    working_days_on(world, 12)
    reported(world)
    taken(world, number, "legal_review", "joint_decision")
    case = decide(number, least, traded=DECEMBER_2024)
    assert case.fine_fen == least
    (shown,) = world.platform.cases.shown(number)["decisions"]
    assert shown["law"] == law
    assert world.platform.cases.shown(number)["steps"][-1]["words"] == f"{law}: {WORDS}"


def test_fraud_is_fined_once_its_gains_are_taken_and_its_persons_answer(world, decide):
    """CEA-LAW-09, CEA-LAW-29, example 37."""
    number = opened(world, FRAUD)
    heard_of(world, number)
    taken(world, number, "legal_review", "joint_decision")
    with refuses("FINE_OUT_OF_RANGE: fine: expected from 300000000 to 600000000 fen"):
        decide(number, 299_999_999)
    lu = Answerable("Lu Yi", 4_999_999)
    with refuses("FINE_OUT_OF_RANGE: fine of Lu Yi: expected from 5000000 to 20000000 fen"):
        decide(number, 300_000_000, persons=[lu])
    lu = lu._replace(fine_fen=5_000_000)
    with refuses("TEXT_UNSOUND: case 1: expected each person once"):
        decide(number, 300_000_000, persons=[lu, lu])
    with refuses("PENALTY_NOT_ALLOWED: case 1: expected no ban, as the law has none"):
        decide(number, 300_000_000, persons=[lu._replace(for_life=True)])
    decide(number, 300_000_000, persons=[lu])
    (shown,) = world.platform.cases.shown(number)["decisions"]
    assert shown["confiscated_fen"] == 60_000_000
    assert shown["persons"] == [
        {"name": "Lu Yi", "fine_fen": 5_000_000, "ban": "", "owed_fen": 0}
    ]
    taken(world, number, "serve")
    with refuses("ACT_HAS_CASE: case 1: expected one fine of one act"):
        taken(world, number, "notice")


def test_no_person_is_fined_for_what_was_not_reported(world, decide):
    """CEA-LAW-13."""
    number = opened(world, NO_REPORT, day=20250602)
    taken(world, number, "order", due_on=20250801)
    heard_of(world, number)
    with refuses("PENALTY_NOT_ALLOWED: case 1: expected no persons, as the law fines none"):
        decide(number, 10_000_000, persons=[Answerable("Lu Yi", 5_000_000)])


def test_persons_of_a_firm_are_banned_for_five_years_or_for_life_and_the_firm_is_barred(world):
    """CEA-LAW-10, CEA-LAW-11, CEA-LAW-12: once the decision was served."""
    world.day = 20250602
    breach = Breach("false_service", 20250301, 2024, gains_fen=0)
    persons = [Answerable("Wu Lei", 2_000_000), Answerable("Xu An", 20_000_000, for_life=True)]
    number = decided(
        *(world, 50_000_000, breach),
        of={"firm_id": 1},
        persons=persons,
        measures=["barred_from_service"],
    )
    firms = world.platform.firms
    assert firms.bans() == []
    assert firms.working("V1").barred_from == 0
    taken(world, number, "serve")
    served_on = world.day
    with refuses("FIRM_BARRED"):
        firms.working("V1")
    bans = [(each["name"], each["banned_until"]) for each in firms.bans()]
    assert bans == [("Wu Lei", served_on + 50_000), ("Xu An", 0)]
    with refuses("PERSON_BANNED: person: expected one who may verify, got Wu Lei, banned until"):
        world.platform.verifications.conclude(VERIFIER, 1, {})
    world.day = served_on + 50_001
    assert [each["name"] for each in firms.bans()] == ["Xu An"]


def test_measures_are_those_of_the_law(world, decide):
    """CEA-LAW-10, CEA-LAW-11."""
    number = opened(world, LAB, firm_id=1)
    heard_of(world, number)
    for measures, code in (
        (["barred_from_service"], "PENALTY_NOT_ALLOWED: .*measures of licence_withdrawn"),
        (["closed"], "CHOICE_UNKNOWN: measure"),
    ):
        with refuses(code):
            decide(number, 15_000_000, measures=measures)
    decide(number, 15_000_000, measures=["licence_withdrawn"])
    (shown,) = world.platform.cases.shown(number)["decisions"]
    assert (shown["measures"], shown["confiscated_fen"]) == ("licence_withdrawn", 3_000_000)


def test_production_is_stopped_only_on_refusal_and_behind_a_notice_of_it(world):
    """CEA-LAW-01, CEA-LAW-20, CEA-LAW-21, CEA-PEN-05."""
    number = opened(world, NO_REPORT, day=20250602)
    taken(world, number, "order", due_on=20250630)
    taken(world, number, "notice_stop")
    with refuses("STEP_MISSING: case 1: expected the refusal of an order"):
        taken(world, number, "stop_production")
    with refuses("TERM_RUNNING: refusal: expected after 20250630"):
        taken(world, number, "refuse", day=20250630)
    taken(world, number, "refuse", day=20250701)
    with refuses("STEP_MISSING: case 1: expected legal_review before it"):
        taken(world, number, "stop_production")
    taken(world, number, "legal_review", "joint_decision", "stop_production")
    with refuses("CASE_STATE: case 1: expected an order that stands, got one that is refused"):
        taken(world, number, "refuse")


def test_the_law_of_the_first_cycles_stops_no_production(world):
    """CEA-LAW-15, CEA-PEN-03."""
    owes(world, 2022, 10)
    world.day = 20240210
    reported(world)
    number = opened(world, Breach("unpaid", 20231231, 2022))
    with refuses("PENALTY_NOT_ALLOWED: case 1: expected a law that stops production"):
        taken(world, number, "notice_stop")


def test_service_and_publication_behind_their_terms_are_marked_late(world):
    """CEA-LAW-23, example 42: 7 working days."""
    number = decided(world, 10_000_000, NO_REPORT._replace(committed_on=20250301))
    cases = world.platform.cases
    decided_on = world.day
    taken(world, number, "serve")
    working_days_on(world, 7, decided_on)
    assert cases.shown(number)["steps"][-1]["is_late"] == 0
    working_days_on(world, 1)
    taken(world, number, "publish")
    assert cases.shown(number)["steps"][-1]["is_late"] == 1
    with refuses("CASE_STATE: case 1: expected a decision that is not public yet"):
        taken(world, number, "publish")


def test_an_order_comes_alone_or_with_the_fine_and_once(world):
    """CEA-LAW-28."""
    short_of_2023(world)
    number = opened(world)
    with refuses("STEP_MISSING: case 1: expected an order to correct"):
        taken(world, number, "refuse")
    with refuses("DATE_OUT_OF_RANGE: case 1: expected a term that ends after 20250210"):
        taken(world, number, "order", due_on=20250210)
    assert taken(world, number, "order", due_on=20250301).state == "opened"
    with refuses("CASE_STATE: case 1: expected one order to correct"):
        taken(world, number, "order", due_on=20250401)
    with refuses("CASE_STATE: case 1: expected nothing missing by the registry, got 865300 t"):
        taken(world, number, "correct")
    reported(world, 2023, (20241220, 4_263_312), (20250220, 865_300))
    taken(world, number, "correct", "drop")
    assert world.platform.cases.shown(number)["correction"] == "corrected"


def test_nothing_is_decided_or_late_by_days_off_that_nobody_knows(world, decide):
    """CEA-DAY-10, CEA-LAW-19, CEA-LAW-20: until the next year's days are loaded."""
    number = opened(world, NO_REPORT._replace(committed_on=20261201), day=20261228)
    taken(world, number, "order", "notice", due_on=20270201)
    shown = world.platform.cases.shown(number)
    assert (shown["decide_by"], shown["is_provisional"]) == (20270329, True)
    world.day = 20270105
    with refuses("CALENDAR_ENDS: decision: expected after the end of its term .CEA-LAW-19., about"):
        decide(number, 10_000_000)
    taken(world, number, "ask_hearing")
    taken(world, number, "withdraw_hearing")
    calendar_2027(world)
    with refuses("TERM_RUNNING: decision: expected after 20270105"):
        decide(number, 10_000_000)
    world.day = 20270106
    with refuses("TERM_OVER: statement: expected by 20270105"):
        taken(world, number, "statement")
    assert decide(number, 10_000_000).state == "decided"


def test_steps_out_of_order_and_unknown_cases_are_refused(world):
    with refuses("CASE_UNKNOWN"):
        world.platform.cases.of_number(1)
    number = opened(world, NO_REPORT)
    with refuses("CASE_STATE: case 1: expected decided for serve, got opened"):
        taken(world, number, "serve")
    with refuses("CHOICE_UNKNOWN: step: expected one of order, .*got 'pay'"):
        taken(world, number, "pay")


def calendar_2027(world):
    """Load days for 2027 that nobody has announced: of this test alone."""
    content = (
        'name = "2027"\nfirst = 2027-01-01\nlast = 2027-12-31\n'
        'closed_weekdays = ["saturday", "sunday"]\n[closures]\n2027-01-01 = "New Year"\n'
    )
    world.platform.record.working_days.load("2027.toml", content.encode(), world.day)
