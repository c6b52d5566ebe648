"""Enforcement: orders, fines within the law of the year, payment, cuts, appeals, publication."""

import pytest

from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.platform.enforcement.cases import Breach
from support.platform.platform_world import PROVINCE
from support.refusing import refuses

DECEMBER_2024 = Traded(amount=738_556_133_379, tonnes=75_365_531)
SHORT_2023 = Breach("unpaid", 20241231, compliance_year=2023, shortfall=865_300)
SHORT_2025 = Breach("unpaid", 20261231, compliance_year=2025, shortfall=10_000)
WORDS = "the law of the act's day"


@pytest.fixture
def cases(world):
    return world.platform.cases


def opened(world, breach=SHORT_2023, day=20250210):
    world.day = day
    return world.platform.cases.open(PROVINCE, 33, breach, "case 1", enterprise_id=1).case_id


def decided(world, fine, breach=SHORT_2023, **terms):
    number = opened(world, breach)
    world.platform.cases.take(PROVINCE, number, "notice", "notice 1")
    world.platform.cases.decide(PROVINCE, number, fine, "decision 1", words=WORDS, **terms)
    return number


def test_a_case_is_decided_within_90_days(world):
    """CEA-LAW-22, example 42: the last day is a Sunday."""
    number = opened(world)
    assert world.platform.cases.of_number(number).decide_by == 20250512


def test_a_fine_is_what_the_law_of_its_year_allows(world, cases):
    """CEA-PEN-01, CEA-PEN-05, example 34: a real decision."""
    number = opened(world)
    with refuses("CASE_STATE: case 1: expected noticed for decide, got opened"):
        cases.decide(PROVINCE, number, 1, "decision 1", words=WORDS)
    cases.take(PROVINCE, number, "notice", "notice 1")
    for fine in (42_399_699_999, 84_799_400_001):
        with refuses(f"FINE_OUT_OF_RANGE: fine: expected from 42399700000 .*got {fine}"):
            cases.decide(PROVINCE, number, fine, "decision 1", words=WORDS, traded=DECEMBER_2024)
    with refuses("PENALTY_NOT_ALLOWED: .*as nothing was traded"):
        cases.decide(PROVINCE, number, 42_399_700_000, "decision 1", words=WORDS)
    case = cases.decide(
        PROVINCE, number, 42_399_700_000, "decision 1", words=WORDS, traded=DECEMBER_2024
    )
    assert (case.state, case.fine_fen) == ("decided", 42_399_700_000)


def test_from_2025_on_there_are_two_fines_and_no_cut(world, cases):
    """CEA-PEN-04, CEA-PEN-06, example 36."""
    number = opened(world, SHORT_2025, day=20260110)
    cases.take(PROVINCE, number, "notice", "notice 1")
    cases.decide(PROVINCE, number, 100_000_000, "decision 1", words=WORDS)
    cases.take(PROVINCE, number, "serve", "receipt 1")
    cases.take(PROVINCE, number, "order", "order 1", due_on=20260301)
    with refuses("PENALTY_NOT_ALLOWED: year: expected .* to be deducted, got 2025"):
        cases.take(PROVINCE, number, "refuse", "record 1")
        cases.cut(PROVINCE, number, 10_000, 0, "decision 2")
    cases.take(PROVINCE, number, "notice", "notice 2")
    price = Traded(amount=8_000, tonnes=1)
    with refuses("FINE_OUT_OF_RANGE: fine: expected from 160000000 to 320000000 fen"):
        cases.decide(PROVINCE, number, 159_999_999, "d 2", words=WORDS, missing=4_000, traded=price)
    case = cases.decide(
        PROVINCE, number, 160_000_000, "d 2", words=WORDS, missing=4_000, traded=price
    )
    assert case.fine_fen == 260_000_000


def test_what_is_paid_late_costs_three_percent_a_day_until_it_has_doubled(world, cases):
    """CEA-LAW-24, example 38."""
    number = decided(world, 100_000_000, Breach("unpaid", 20251231, 2025, 10_000))
    world.day = 20250920
    assert cases.take(PROVINCE, number, "serve", "receipt 1").pay_by == 20251009
    owed = []
    for world.day in (20251009, 20251019, 20251111, 20251112, 20251201):
        owed.append(cases.owed(cases.of_number(number)) // 1_000_000)
    assert owed == [100, 130, 199, 200, 200]
    with refuses("AMOUNT_UNSOUND: payment: expected from 1 to 200000000 fen, got 200000001"):
        cases.pay(PROVINCE, number, 200_000_001, "slip 1")
    assert cases.pay(PROVINCE, number, 150_000_000, "slip 1") == 50_000_000
    assert cases.pay(PROVINCE, number, 50_000_000, "slip 2") == 0


def test_a_hearing_is_asked_for_within_five_working_days(world, cases):
    """CEA-LAW-20, example 42."""
    number = opened(world, SHORT_2023, day=20250121)
    cases.take(PROVINCE, number, "notice", "notice 1")
    world.day = 20250128
    with refuses("TERM_OVER: hearing: expected to be asked for by 20250127"):
        cases.take(PROVINCE, number, "ask_hearing", "letter 1")
    world.day = 20250127
    cases.take(PROVINCE, number, "ask_hearing", "letter 1")


def test_a_small_fine_has_no_hearing(world, cases):
    """CEA-LAW-20: 20,000 to 100,000 yuan."""
    number = opened(world, Breach("false_lab_report", 20250101))
    cases.take(PROVINCE, number, "notice", "notice 1")
    with refuses("HEARING_NOT_DUE: hearing: expected a fine or gains of 200,000 yuan"):
        cases.take(PROVINCE, number, "ask_hearing", "letter 1")


def test_fraud_cuts_half_of_the_next_year_at_least(world, cases):
    """CEA-LAW-09, example 37."""
    breach = Breach("fraud", 20250101, 2024, gains_fen=60_000_000)
    number = decided(world, 300_000_000, breach)
    with refuses("FINE_OUT_OF_RANGE"):
        cases.take(PROVINCE, number, "order", "order 1", due_on=20250601)
        cases.take(PROVINCE, number, "notice", "notice 2")
        cases.decide(PROVINCE, number, 600_000_001, "decision 2", words=WORDS)
    cases.decide(PROVINCE, number, 300_000_000, "decision 2", words=WORDS)
    with refuses("AMOUNT_UNSOUND: cut: expected from 1000000 to 2000000 t, got 999999"):
        cases.cut(PROVINCE, number, 999_999, 2_000_000, "decision 3")
    cases.cut(PROVINCE, number, 1_000_000, 2_000_000, "decision 3")
    assert cases.steps(number)[-1]["tonnes"] == 1_000_000


def test_only_what_was_published_is_public(world, cases):
    """CEA-LAW-23."""
    number = decided(world, 42_399_700_000, traded=DECEMBER_2024)
    assert cases.published() == []
    cases.take(PROVINCE, number, "publish", "gazette 1")
    (shown,) = cases.published()
    assert (shown["enterprise"], shown["fine_fen"]) == ("E1", 42_399_700_000)
    assert not {"person", "gains_fen", "words"} & shown.keys()


def test_steps_out_of_order_and_unknown_cases_are_refused(world, cases):
    with refuses("CASE_UNKNOWN"):
        cases.of_number(1)
    number = opened(world)
    with refuses("CASE_STATE: case 1: expected decided for serve, got opened"):
        cases.take(PROVINCE, number, "serve", "receipt 1")
    with refuses("CHOICE_UNKNOWN: step: expected one of order, .*got 'pay'"):
        cases.take(PROVINCE, number, "pay", "slip 1")
    with refuses("AMOUNT_UNSOUND: shortfall: expected 1 t or more"):
        cases.open(PROVINCE, 33, Breach("unpaid", 20241231, 2023), "case 2", enterprise_id=1)
