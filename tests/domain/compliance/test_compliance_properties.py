"""What holds of the compliance cycle whatever the figures are."""

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cea_exchange.domain.compliance.adjustment import final_stage, pre_stage, recall
from cea_exchange.domain.compliance.allocation import PowerUnit
from cea_exchange.domain.compliance.carryover import EndPosition, VintageTrade
from cea_exchange.domain.compliance.offsets import CancellationProof
from cea_exchange.domain.compliance.penalties import Traded
from cea_exchange.domain.compliance.ruled import ComplianceError
from cea_exchange.domain.compliance.rules import ComplianceRules
from cea_exchange.domain.compliance.surrender import forced, offset, surrendered, uncovered

pytestmark = pytest.mark.property

RULES = ComplianceRules.load()
tonnes = st.one_of(st.integers(0, 200), st.integers(0, 10**10))
years = st.sampled_from((2019, 2021, 2023, 2024, 2025, 2026))
vintages = st.integers(2020, 2027)
by_vintage = st.dictionaries(vintages, tonnes, max_size=5)
days = st.sampled_from((20211231, 20240601, 20251231, 20260101, 20271231, 20280101))

# In ten-thousandths of a tonne for a MWh and a GJ, copied from the plans.
PLAN = {
    (2023, "coal_large"): (7950, 1038),
    (2023, "coal_small"): (8090, 1038),
    (2023, "coal_unconventional"): (8285, 1038),
    (2023, "gas"): (3305, 536),
    (2024, "coal_large"): (7910, 1033),
    (2024, "coal_small"): (8049, 1033),
    (2024, "coal_unconventional"): (8244, 1033),
    (2024, "gas"): (3288, 533),
    (2026, "coal_large"): (7894, 1021),
    (2026, "coal_small"): (7985, 1021),
    (2026, "coal_unconventional"): (8080, 1021),
    (2026, "gas"): (3288, 533),
}
plan_years = st.sampled_from((2023, 2024, 2026))
units = st.builds(
    PowerUnit,
    name=st.sampled_from(("1", "2", "3")),
    unit_class=st.sampled_from(("coal_large", "coal_small", "coal_unconventional", "gas")),
    electricity_kwh=st.integers(0, 10**10),
    heat_mj=st.integers(0, 10**10),
    load_bp=st.integers(0, 11_000),
    emissions=st.integers(0, 10**7),
)


@given(unit=units, year=plan_years)
def test_a_unit_gets_whole_tonnes_by_its_benchmarks(unit, year):
    """CEA-ALC-03, CEA-ALC-06, in integers of ten-thousandths and millionths."""
    found = RULES.allocation.unit(unit, year)
    electricity, heat = PLAN[year, unit.unit_class]
    millionths = int(found.load_factor * 10**6)
    assert found.load_factor == Fraction(millionths, 10**6) >= 1
    assert found.electricity == unit.electricity_kwh * electricity * millionths // 10**13
    assert found.heat == unit.heat_mj * heat // 10**7
    if unit.unit_class == "gas":
        assert found.final == max(found.initial, unit.emissions)
    else:
        assert found.final == found.initial


@given(group=st.lists(units, max_size=4), year=plan_years)
def test_an_entity_gets_80_percent_of_its_emissions_to_the_tonne(group, year):
    """CEA-ALC-07: less than a tonne below 80% at most, and a top-up only up to there."""
    found = RULES.allocation.entity(group, year)
    parts = [RULES.allocation.unit(unit, year) for unit in group]
    assert found.initial == sum(part.final for part in parts)
    assert 5 * (found.final + 1) > 4 * found.emissions
    assert found.final >= found.initial
    if found.top_up:
        assert 5 * found.final <= 4 * found.emissions
        assert found.shortfall_bp >= 2000
    if found.emissions:
        exact = Fraction(10_000 * (found.emissions - found.initial), found.emissions)
        assert abs(found.shortfall_bp - exact) <= Fraction(1, 2)


@given(emissions=st.dictionaries(st.sampled_from("abcd"), tonnes), share=st.integers(0, 5000))
def test_what_is_given_ahead_is_the_share_rounded_down(emissions, share):
    """CEA-ALC-08."""
    found = RULES.allocation.pre_allocation(emissions, 2026, share)
    assert found.keys() == emissions.keys()
    for name, given_ahead in found.items():
        assert given_ahead * 10_000 <= emissions[name] * share < (given_ahead + 1) * 10_000


@given(final=tonnes, ahead=tonnes, wanted=st.lists(tonnes, max_size=4))
def test_in_all_an_entity_gets_what_is_final_less_what_is_deducted(final, ahead, wanted):
    """CEA-ALC-09, CEA-ALC-10: whatever was given ahead."""
    first = pre_stage(ahead, wanted)
    second = final_stage(final, ahead, first)
    assert first.change >= 0
    assert first.change + second.change == max(0, final - sum(wanted))
    assert sum(second.remaining) == max(0, sum(wanted) - final)
    for deducted, returned, remaining, asked in zip(
        first.deducted, second.deducted, second.remaining, wanted, strict=True
    ):
        assert deducted + returned + remaining == asked
        assert min(deducted, deducted + returned, remaining) >= 0


@given(
    final=tonnes,
    ahead=tonnes,
    wanted=st.lists(tonnes, max_size=3),
    added=st.lists(tonnes, max_size=3),
)
def test_a_deduction_never_makes_or_enlarges_a_recall(final, ahead, wanted, added):
    """CEA-ALC-10."""
    first = pre_stage(ahead, wanted)
    second = final_stage(final, ahead, first, added)
    assert second.change >= min(0, final - ahead)
    assert first.change + second.change >= 0
    deducted = sum(first.deducted) + sum(second.deducted)
    assert first.change + second.change + deducted == final
    assert deducted + sum(second.remaining) == sum(wanted) + sum(added)
    # Earlier deductions are taken before later ones: none is left in front of one that is begun.
    ahead_of_it = (*first.deducted, *(0 for _ in added))
    done = [one + other for one, other in zip(ahead_of_it, second.deducted, strict=True)]
    still_wanted = [left for left, taken in zip(second.remaining, done, strict=True) if taken]
    assert not any(still_wanted[:-1])


@given(excess=tonnes, held=tonnes)
def test_a_recall_is_never_more_than_is_there(excess, held):
    """CEA-ALC-09."""
    found = recall(excess, held)
    assert found.recalled + found.remaining == excess
    assert found.recalled <= held
    assert found.remaining == 0 or found.recalled == held


@given(
    owed=tonnes,
    year=years,
    payments=st.lists(st.tuples(by_vintage, tonnes, days), max_size=5),
)
def test_payments_never_cover_more_than_is_owed(owed, year, payments):
    """CEA-SUR-06, with CEA-SUR-03 to CEA-SUR-05 and CEA-OFS-01: refused whole or taken whole."""
    status = uncovered(RULES.obligations.obligation(year, owed))
    for allowances, ccers, on in payments:
        before = status
        try:
            status = surrendered(status, allowances, on, RULES.vintages)
            assert before.due - status.due == sum(allowances.values())
        except ComplianceError:
            assert status == before
        middle = status
        try:
            status = offset(status, ccers, RULES.offsets)
            assert middle.due - status.due == ccers
        except ComplianceError:
            assert status == middle
    assert 0 <= status.due <= owed
    assert 20 * status.offset <= owed
    latest = 2026 if year <= 2024 else year
    assert all(vintage <= latest for vintage in status.allowances)
    if year >= 2025:
        assert all(vintage >= 2025 for vintage in status.allowances)


@given(owed=tonnes, year=years, held=by_vintage, on=days)
def test_a_forced_surrender_loses_and_makes_nothing(owed, year, held, on):
    """CEA-SUR-07, CEA-SUR-08."""
    status = uncovered(RULES.obligations.obligation(year, owed))
    found = forced(status, held, on, RULES.vintages)
    assert sum(found.taken.values()) + found.due == owed
    late = on > status.obligation.deadline
    payers = [v for v in sorted(held) if RULES.vintages.may_pay(v, year, in_arrears=late)]
    assert set(found.taken) <= set(payers)
    if found.due:
        assert not found.released
        assert found.taken == {v: held[v] for v in payers if held[v]}
    else:
        for vintage, there in held.items():
            gone = found.taken.get(vintage, 0)
            assert gone + found.released.get(vintage, 0) == there
        # Nothing older is released that could have paid.
        last = max(found.taken, default=0)
        assert all(found.taken.get(v, 0) == held[v] for v in payers if v < last)
    again = surrendered(status, found.taken, on, RULES.vintages)
    assert again.due == found.due


@given(owed=tonnes, sizes=st.lists(st.integers(1, 300), max_size=6), before=st.integers(0, 300))
def test_ccers_count_up_to_5_percent(owed, sizes, before):
    """CEA-OFS-01, CEA-OFS-05."""
    obligation = RULES.obligations.obligation(2024, owed)
    cap = RULES.offsets.cap(owed)
    assert 20 * cap <= owed < 20 * (cap + 1)
    proof = CancellationProof(
        number="",
        tonnes=1,
        registered_on=20250306,
        cancelled_on=20251110,
        quota_managed="no",
        project_started_on=20200101,
        applied_on=20241101,
        produced_from=20210101,
        produced_to=20231231,
    )
    proofs = [replace(proof, number=str(key), tonnes=size) for key, size in enumerate(sizes)]
    try:
        counted = RULES.offsets.counted(obligation, proofs, used_on=20251201, counted_before=before)
        assert counted == sum(sizes) <= cap - before
    except ComplianceError:
        assert sum(sizes) + before > cap


@given(
    shortfall=st.integers(1, 10**9), amount=st.integers(1, 10**15), volume=st.integers(1, 10**10)
)
def test_a_fine_is_of_the_mean_half_up_to_the_fen(shortfall, amount, volume):
    """CEA-PEN-01, CEA-PEN-02."""
    found = RULES.penalties.fine(2024, shortfall, Traded(amount=amount, tonnes=volume))
    mean = floor(Fraction(amount, volume) + Fraction(1, 2))
    assert (found.least, found.most) == (5 * mean * shortfall, 10 * mean * shortfall)


@given(
    trades=st.lists(
        st.builds(
            VintageTrade,
            trading_date=st.sampled_from((20231229, 20240102, 20251231, 20260105)),
            vintage=vintages,
            sold=tonnes,
            bought=tonnes,
        ),
        max_size=6,
    ),
    trading=tonnes,
    registration=tonnes,
    frozen=tonnes,
)
def test_what_may_be_carried_over(trades, trading, registration, frozen):
    """CEA-CRY-01, CEA-CRY-02, CEA-CRY-03."""
    net_sales = RULES.carryover.net_sales(trades)
    counted = [t for t in trades if t.vintage <= 2024 and t.trading_date in (20240102, 20251231)]
    assert net_sales == max(0, sum(t.sold for t in counted) - sum(t.bought for t in counted))
    position = EndPosition(trading=trading, registration=registration, frozen=frozen)
    limit = RULES.carryover.limit(net_sales, position)
    assert limit == min(10_000 + 3 * net_sales // 2, trading + registration + frozen)


@given(
    asked=st.lists(st.dictionaries(st.integers(2020, 2024), st.integers(1, 400)), max_size=6),
    held=st.dictionaries(st.integers(2020, 2024), st.integers(0, 1_000)),
    limit=st.integers(0, 2_000),
)
def test_applications_never_carry_over_more_than_is_held_or_t(asked, held, limit):
    """CEA-CRY-05: what an application sets aside is not there for the next."""
    left, applied = dict(held), 0
    for wanted in asked:
        try:
            applied += RULES.carryover.application(
                wanted, held=left, applied_before=applied, limit=limit
            )
        except ComplianceError:
            short = any(left.get(vintage, 0) < each for vintage, each in wanted.items())
            assert short or applied + sum(wanted.values()) > limit
        else:
            left = {vintage: each - wanted.get(vintage, 0) for vintage, each in left.items()}
    assert applied <= limit
    assert all(each >= 0 for each in left.values())
    assert applied == sum(held.values()) - sum(left.values())
