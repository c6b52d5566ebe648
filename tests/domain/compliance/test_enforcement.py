"""Fines of offences under the law of their day, and the clocks of the procedure."""

from datetime import date

import pytest

from cea_exchange.domain.calendar import TradingCalendar
from cea_exchange.domain.compliance.enforcement.clocks import (
    clocks,
    decided_jointly,
    due,
    may_ask_hearing,
    may_still_be_punished,
)
from cea_exchange.domain.compliance.enforcement.offences import (
    TonnesRange,
    cut,
    laws,
    lighter,
    penalty,
)
from cea_exchange.domain.compliance.penalties import FineRange, Traded
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

CALENDAR = TradingCalendar.load("cn_carbon")
OLD, NEW = date(2026, 8, 14), date(2026, 8, 15)


def yuan(least, most):
    return FineRange(least=least * 100, most=most * 100)


def day(text):
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("offence", "on", "least", "most", "document"),
    [
        ("no_report", OLD, 50_000, 500_000, "REG Art 21"),
        ("no_report", NEW, 50_000, 500_000, "CODE Art 1226(1)"),
        ("no_disclosure", OLD, 50_000, 500_000, "REG Art 21(3)"),
        ("no_disclosure", NEW, 50_000, 500_000, "REG Art 21(3)"),
        ("false_lab_report", NEW, 20_000, 100_000, "REG Art 23(1)"),
        ("false_service", NEW, 200_000, 1_000_000, "REG Art 23(2)"),
        ("obstruction", OLD, 20_000, 200_000, "REG Art 26"),
        ("obstruction", NEW, 50_000, 200_000, "CODE Art 1229"),
        ("fraud", date(2024, 4, 30), 10_000, 30_000, "MEAS Art 39"),
        ("fraud", date(2024, 5, 1), 500_000, 2_000_000, "REG Art 22"),
    ],
)
def test_an_offence_is_fined_by_the_law_of_its_day(offence, on, least, most, document):
    """CEA-LAW-01, CEA-LAW-02, CEA-LAW-10, CEA-LAW-11, CEA-LAW-14, CEA-LAW-15, CEA-LAW-29."""
    found = penalty(offence, on)
    assert (found.organisation, found.law.document) == (yuan(least, most), document)


def test_fraud_with_gains():
    """CEA-LAW-09, example 37: from 500,000 yuan on the fine is in times of them."""
    found = penalty("fraud", NEW, gains=600_000_00)
    assert found.organisation == yuan(3_000_000, 6_000_000)
    assert found.confiscated == 600_000_00
    assert penalty("fraud", NEW, gains=499_999_00).organisation == yuan(500_000, 2_000_000)
    assert found.persons == yuan(50_000, 200_000)
    assert cut(found.law, 2_000_000) == TonnesRange(least=1_000_000, most=2_000_000)
    assert found.decided(300_000_000) == 300_000_000
    with refuses("AMOUNT_UNSOUND: fine: expected within 300000000..600000000 fen, got 1"):
        found.decided(1)


@pytest.mark.parametrize(
    ("offence", "gains", "least", "most"),
    [
        ("false_lab_report", 20_000, 100_000, 200_000),
        ("false_lab_report", 19_999, 20_000, 100_000),
        ("false_service", 200_000, 1_000_000, 2_000_000),
    ],
)
def test_service_firms_with_gains(offence, gains, least, most):
    """CEA-LAW-10, CEA-LAW-11, CEA-LAW-12: their persons are banned for five years."""
    found = penalty(offence, NEW, gains=gains * 100)
    assert found.organisation == yuan(least, most)
    assert (found.law.ban_years, found.persons) == (5, yuan(20_000, 200_000))


def test_no_person_is_fined_for_what_was_not_filed():
    """CEA-LAW-13."""
    assert penalty("no_report", NEW).persons is None


def test_allowances_are_cut_by_laws_that_say_so():
    """CEA-LAW-08, CEA-LAW-15."""
    assert cut(penalty("fraud", date(2023, 1, 1)).law, 700) == TonnesRange(least=700, most=700)
    with refuses("CHOICE_UNKNOWN: cut: expected a law that cuts allowances, got REG Art 21"):
        cut(penalty("no_report", OLD).law, 1)


def test_an_old_act_is_judged_by_the_lighter_law():
    """CEA-LAW-07."""
    assert lighter("obstruction", OLD, NEW).law.document == "REG Art 26"
    assert lighter("fraud", date(2023, 1, 1), NEW).law.document == "MEAS Art 39"


def test_a_day_before_all_laws_has_no_offence():
    with refuses("DATE_OUT_OF_RANGE: day of fraud: expected one whose law knows it, got 2020"):
        penalty("fraud", date(2020, 1, 1))
    with refuses("AMOUNT_UNSOUND: gains: expected 0 fen or more, got -1"):
        penalty("fraud", NEW, gains=-1)


def test_unpaid_of_2025():
    """CEA-PEN-04, CEA-PEN-06, CEA-LAW-28, example 36: two stages, and no cut."""
    penalties = ComplianceRules.load().penalties
    assert penalties.fine(2025, 10_000, None) == yuan(1_000_000, 5_000_000)
    second = penalties.fine_after_term(2025, 4_000, Traded(amount=8000, tonnes=1))
    assert second == yuan(1_600_000, 3_200_000)
    with refuses("to be deducted, got 2025"):
        penalties.deduction_law(2025)


@pytest.mark.parametrize(
    ("step", "event", "last"),
    [
        # 7 working days: 14 February 2026 and 26 January 2025 are worked.
        ("object", "2025-06-30", "2025-07-09"),
        ("object", "2026-02-11", "2026-02-27"),
        ("verification_feedback", "2025-01-22", "2025-02-07"),
        ("serve", "2026-09-24", "2026-10-12"),
        # 10 working days.
        ("decide_objection", "2024-09-27", "2024-10-16"),
        ("decide_objection", "2025-09-26", "2025-10-16"),
        ("allocate_anew", "2026-09-28", "2026-10-16"),
        # Hearing, payment, decision, publication, review.
        ("ask_hearing", "2025-01-21", "2025-01-27"),
        ("pay", "2025-09-20", "2025-10-09"),
        ("pay", "2026-01-30", "2026-02-14"),
        ("decide", "2025-02-10", "2025-05-12"),
        ("publish", "2025-04-29", "2025-05-13"),
        ("ask_review", "2025-03-03", "2025-05-06"),
        ("statement", "2025-01-21", "2025-01-27"),
        ("open_case", "2025-03-03", "2025-03-18"),
        ("hearing_notice", "2025-03-03", "2025-03-12"),
        ("decide_review", "2025-03-03", "2025-05-06"),
        ("sue", "2025-08-31", "2026-02-28"),
        ("sue_after_review", "2025-03-03", "2025-03-18"),
        ("ask_court", "2025-03-03", "2025-06-03"),
    ],
)
def test_the_last_day_of_a_step(step, event, last):
    """CEA-VER-12, CEA-VER-13, CEA-PLN-26, CEA-LAW-18 to CEA-LAW-27, examples 40 to 43.

    CEA-LAW-19, CEA-LAW-20, CEA-LAW-22, CEA-LAW-23, CEA-LAW-25, CEA-LAW-26.
    """
    assert due(step, day(event), CALENDAR) == day(last)


def test_extensions_and_time_that_does_not_count():
    """CEA-LAW-18, CEA-LAW-22: 90 days, twice 30 more, and 10 of a hearing."""
    opened = day("2025-02-10")
    assert due("decide", opened, CALENDAR, extended=1) == day("2025-06-10")
    assert due("decide", opened, CALENDAR, extended=2) == day("2025-07-10")
    assert due("decide", opened, CALENDAR, stopped=10) == day("2025-05-21")
    with refuses(r"DATE_OUT_OF_RANGE: extensions of decide: expected within 0..2, got 3"):
        due("decide", opened, CALENDAR, extended=3)
    with refuses("CHOICE_UNKNOWN: step: expected one of open_case, .*, got 'rest'"):
        due("rest", opened, CALENDAR)


def test_who_may_ask_for_a_hearing_and_what_is_decided_jointly():
    """CEA-LAW-20, CEA-LAW-21."""
    assert may_ask_hearing(yuan(50_000, 200_000))
    assert not may_ask_hearing(yuan(50_000, 199_999))
    assert may_ask_hearing(yuan(1, 1), 200_000_00)
    assert may_ask_hearing(yuan(1, 1), stops_production=True)
    assert decided_jointly(500_000_00)
    assert not decided_jointly(499_999_99)
    assert decided_jointly(1, heard=True) and decided_jointly(1, stops_production=True)


def test_after_two_years_nothing_is_punished_any_more():
    """CEA-LAW-17."""
    ended = date(2024, 2, 29)
    assert may_still_be_punished(ended, date(2026, 2, 27))
    assert not may_still_be_punished(ended, date(2026, 2, 28))
    assert may_still_be_punished(ended, date(2029, 2, 27), harmful=True)


def test_every_law_and_clock_is_one_that_can_be():
    """CEA-LAW-27: a term is of days or of months, and only days may be worked."""
    for law in laws():
        assert law.organisation.least <= law.organisation.most
        assert law.last_day is None or law.first_day < law.last_day
    for clock in clocks().values():
        assert (clock.days is None) != (clock.months is None)
        assert clock.days or not clock.working
