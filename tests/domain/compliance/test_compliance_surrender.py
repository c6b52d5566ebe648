"""What is owed until when, and how it is covered, by choice or by force."""

import pytest

from cea_exchange.domain.compliance.obligations import Cycle
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.compliance.surrender import (
    ForcedSurrender,
    forced,
    offset,
    surrendered,
    uncovered,
)
from support.refusing import refuses

RULES = ComplianceRules.load()
IN_TIME, LATE = 20251231, 20260101


def owed(tonnes=1_000_000, year=2024):
    return uncovered(RULES.obligations.obligation(year, tonnes))


@pytest.mark.parametrize(
    ("year", "number", "first", "last", "deadline"),
    [
        (2019, 1, 2019, 2020, 20211231),
        (2020, 1, 2019, 2020, 20211231),
        (2021, 2, 2021, 2022, 20231231),
        (2022, 2, 2021, 2022, 20231231),
        (2023, 3, 2023, 2023, 20241231),
        (2024, 4, 2024, 2024, 20251231),
        (2025, 5, 2025, 2025, 20261231),
    ],
)
def test_years_cycles_and_deadlines(year, number, first, last, deadline):
    """CEA-SUR-02."""
    cycle = Cycle(number=number, first_year=first, last_year=last, deadline=deadline)
    assert RULES.obligations.cycle_of(year) == cycle
    assert RULES.obligations.obligation(year, 7).deadline == deadline


def test_before_the_first_cycle_nothing_is_owed():
    with refuses("YEAR_OUT_OF_RANGE: year: expected 2019 or later, got 2018"):
        RULES.obligations.cycle_of(2018)


def test_an_obligation_is_the_verified_emissions():
    """CEA-SUR-01; the deadline's day is in time (CEA-SUR-02)."""
    obligation = RULES.obligations.obligation(2024, 123_456)
    assert obligation.tonnes == 123_456
    assert not obligation.in_arrears(IN_TIME)
    assert obligation.in_arrears(LATE)
    with pytest.raises(ValueError, match="obligation: expected within"):
        RULES.obligations.obligation(2024, -1)
    with pytest.raises(TypeError, match=r"obligation: expected int \(tonnes\), got float"):
        RULES.obligations.obligation(2024, 1.0)


def test_payments_and_ccers_cover_it_together():
    """CEA-SUR-06."""
    status = surrendered(owed(), {2023: 300_000, 2024: 600_000}, IN_TIME, RULES.vintages)
    assert status.due == 100_000
    status = offset(status, 40_000, RULES.offsets)
    status = surrendered(status, {2023: 60_000}, IN_TIME, RULES.vintages)
    assert status.due == 0
    assert status.allowances == {2023: 360_000, 2024: 600_000}
    assert status.offset == 40_000


@pytest.mark.parametrize(
    ("tonnes", "on", "message"),
    [
        ({2024: 1_000_001}, IN_TIME, "NOT_DUE: .*at most the 1000000 t due, got 1000001"),
        ({2023: 600_000, 2024: 600_000}, IN_TIME, "NOT_DUE: .*at most the 1000000 t due"),
        ({2023: 1, 2025: 1}, IN_TIME, "VINTAGE_NOT_ELIGIBLE: .*2024 or earlier for that year"),
        ({2027: 1}, LATE, "VINTAGE_NOT_ELIGIBLE: .*one up to 2026 for arrears of 2024, got 2027"),
        ({2024: 0}, IN_TIME, "AMOUNT_UNSOUND: tonnes of vintage 2024: expected positive, got 0"),
        ({2024: -1}, IN_TIME, "tonnes of vintage 2024: expected within"),
    ],
)
def test_a_payment_is_taken_whole_or_refused(tonnes, on, message):
    """CEA-SUR-06; CEA-SUR-03 and CEA-SUR-05 for the vintages."""
    status = owed()
    with refuses(message, ValueError):
        surrendered(status, tonnes, on, RULES.vintages)
    assert status == owed()


def test_after_the_deadline_a_later_vintage_pays():
    """CEA-SUR-05."""
    assert surrendered(owed(), {2026: 1_000_000}, LATE, RULES.vintages).due == 0


def test_ccers_stay_below_their_cap_and_what_is_due():
    """CEA-OFS-01, CEA-SUR-06."""
    status = offset(owed(), 30_000, RULES.offsets)
    with refuses("OFFSET_LIMIT: CCERs: expected at most 50000 t, got 50001"):
        offset(status, 20_001, RULES.offsets)
    status = surrendered(status, {2024: 960_000}, IN_TIME, RULES.vintages)
    with refuses("NOT_DUE: CCERs: expected at most the 10000 t due, got 10001"):
        offset(status, 10_001, RULES.offsets)
    assert offset(status, 10_000, RULES.offsets).due == 0


def test_forced_surrender_releases_what_is_left():
    """CEA-SUR-07: issued 1.2 million t and 0.8 million t, due 1 million t."""
    assert forced(owed(), {2024: 1_200_000}, IN_TIME, RULES.vintages) == ForcedSurrender(
        taken={2024: 1_000_000}, released={2024: 200_000}, due=0
    )
    assert forced(owed(), {2024: 800_000}, IN_TIME, RULES.vintages) == ForcedSurrender(
        taken={2024: 800_000}, released={}, due=200_000
    )


def test_forced_surrender_takes_the_oldest_first():
    """CEA-SUR-08; a vintage that can't pay is kept while anything is due (CEA-SUR-07)."""
    held = {2025: 500_000, 2024: 400_000, 2020: 300_000}
    found = forced(owed(600_000), held, IN_TIME, RULES.vintages)
    assert found.taken == {2020: 300_000, 2024: 300_000}
    assert found.released == {2024: 100_000, 2025: 500_000}
    found = forced(owed(800_000), held, IN_TIME, RULES.vintages)
    assert (found.taken, found.released, found.due) == ({2020: 300_000, 2024: 400_000}, {}, 100_000)
    found = forced(owed(800_000), held, LATE, RULES.vintages)
    assert found.taken == {2020: 300_000, 2024: 400_000, 2025: 100_000}


def test_forced_surrender_takes_only_what_is_still_due():
    """CEA-SUR-07."""
    part = surrendered(owed(), {2024: 900_000}, IN_TIME, RULES.vintages)
    found = forced(part, {2024: 150_000}, IN_TIME, RULES.vintages)
    assert (found.taken, found.released) == ({2024: 100_000}, {2024: 50_000})
    done = forced(owed(0), {2024: 5}, IN_TIME, RULES.vintages)
    assert (done.taken, done.released, done.due) == ({}, {2024: 5}, 0)
