"""Which CCERs count against an obligation, how many, and once."""

import pytest
from msgspec.structs import replace

from cea_exchange.domain.compliance.offsets import CancellationProof
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

RULES = ComplianceRules.load()
OFFSETS = RULES.offsets
ADOPTED = ComplianceRules.load(drafts=False).offsets
PROOF = CancellationProof(
    number="C-1",
    tonnes=100,
    registered_on=20250306,
    cancelled_on=20251110,
    quota_managed="no",
    project_started_on=20200101,
    applied_on=20240110,
    produced_from=20210101,
    produced_to=20231231,
)
OLD_DATES = {
    "project_started_on": 20130101,
    "produced_from": 20130101,
    "produced_to": 20151231,
    "applied_on": 20160101,
}
OLD = replace(PROOF, registered_on=20170313, cancelled_on=20241101, **OLD_DATES)


def owed(tonnes=2_000, year=2024):
    return RULES.obligations.obligation(year, tonnes)


@pytest.mark.parametrize(
    ("tonnes", "cap"), [(0, 0), (19, 0), (20, 1), (39, 1), (40, 2), (1_234_567, 61_728)]
)
def test_the_cap_is_5_percent_rounded_down(tonnes, cap):
    """CEA-OFS-01, example 44: of 1,234,567 t."""
    assert OFFSETS.cap(tonnes) == cap


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tonnes": 0}, "tonnes: expected 1 t or more, got 0"),
        ({"cancelled_on": 20251202}, "cancelled_on: expected by 20251201, got 20251202"),
        ({"quota_managed": "national"}, "expected none under national allowances"),
        ({"quota_managed": "regional"}, "expected none under regional allowances"),
        (
            {**OLD_DATES, "registered_on": 20170314},
            "before 20170314 or from 20240122 on, got 20170314",
        ),
        ({"registered_on": 20240121}, "before 20170314 or from 20240122 on, got 20240121"),
        ({"project_started_on": 20121108}, "expected to start after 20121108, got 20121108"),
        ({"produced_from": 20200922}, "reductions: expected after 20200922, got from 20200922"),
        (
            {"applied_on": 20260102, "registered_on": 20260102, "cancelled_on": 20260102},
            "of the 5 years before 20260102, got from 20210101",
        ),
        ({"produced_from": 20191231}, "produced_from: expected not before project_started_on"),
        ({"produced_to": 20201231}, "produced_to: expected not before produced_from 20210101"),
        ({"produced_to": 20240111}, "applied_on: expected not before produced_to 20240111"),
        ({"applied_on": 20250307}, "registered_on: expected not before applied_on 20250307"),
        ({"registered_on": 20251111}, "cancelled_on: expected not before registered_on 20251111"),
    ],
)
def test_what_a_proof_must_say(changes, message):
    """CEA-OFS-02, CEA-OFS-05, CEA-OFS-06, CEA-OFS-08."""
    used_on = max(20251201, changes.get("applied_on", 0))
    assert message in OFFSETS.refusal(replace(PROOF, **changes), 2024, used_on)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"cancelled_on": 20251201},
        {"registered_on": 20240122},
        {"project_started_on": 20121109},
        {"produced_from": 20200923},
        {"applied_on": 20250306, "registered_on": 20250306, "cancelled_on": 20250306},
        {"produced_to": 20240110},
        {"project_started_on": 20210101, "produced_to": 20210101},
    ],
)
def test_what_it_may_just_say(changes):
    """CEA-OFS-05, CEA-OFS-06."""
    assert OFFSETS.refusal(replace(PROOF, **changes), 2024, 20251201) is None


def test_old_ccers_are_void_by_their_day_and_not_by_year():
    """CEA-OFS-03: usable to 31 December 2024."""
    for year in (2020, 2022, 2023, 2024):
        assert OFFSETS.refusal(OLD, year, 20241231) is None
        assert "expected to be used before 20250101" in OFFSETS.refusal(OLD, year, 20250101)


def test_old_ccers_may_be_of_projects_in_a_regional_market():
    """CEA-OFS-02, CEA-OFS-06: the new market's own test is not asked of what came before it."""
    for year in (2019, 2021, 2023):
        regional = replace(OLD, quota_managed="regional")
        assert OFFSETS.refusal(regional, year, 20241231) is None
        national = replace(OLD, quota_managed="national")
        assert "under national allowances" in OFFSETS.refusal(national, year, 20241231)
    regional = replace(PROOF, quota_managed="regional")
    assert "under regional allowances" in OFFSETS.refusal(regional, 2023, 20251201)


def test_from_2025_on_only_the_new_market_counts():
    """CEA-OFS-04, a draft; without it the dates of CEA-OFS-03 and CEA-OFS-06 are what is left."""
    assert OFFSETS.refusal(PROOF, 2025, 20261201) is None
    assert OFFSETS.refusal(PROOF, 2026, 20271201) is None
    for day in (20240121, 20240122):
        message = f"registered_on: expected after 20240122 for 2025, got {day}"
        assert OFFSETS.refusal(replace(PROOF, registered_on=day), 2025, 20261201) == message
    assert OFFSETS.refusal(replace(PROOF, registered_on=20240123), 2025, 20261201) is None
    assert OFFSETS.refusal(OLD, 2025, 20241231).startswith("registered_on: expected after")
    assert ADOPTED.refusal(OLD, 2025, 20241231) is None
    assert "expected to be used before 20250101" in ADOPTED.refusal(OLD, 2025, 20261201)


def test_each_proof_counts_once():
    """CEA-OFS-05: not twice in one application, nor after another's."""
    other = replace(PROOF, number="C-2", tonnes=1)
    with refuses("PROOF_USED: proof C-1: expected to be used once, got it again"):
        OFFSETS.counted(owed(10_000), [PROOF, other, PROOF], used_on=20251201)
    with refuses("PROOF_USED: proof C-2: expected to be used once"):
        OFFSETS.counted(owed(10_000), [PROOF, other], used_on=20251201, used_numbers=["C-2"])
    assert OFFSETS.counted(owed(10_000), [PROOF, other], used_on=20251201) == 101


def test_proofs_count_whole_and_within_the_cap():
    """CEA-OFS-01, CEA-OFS-05."""
    assert OFFSETS.counted(owed(2_000), [PROOF], used_on=20251201) == 100
    with refuses("OFFSET_LIMIT: CCERs: expected at most 99 t of 1999 t, got 0 [+] 100"):
        OFFSETS.counted(owed(1_999), [PROOF], used_on=20251201)
    with refuses("OFFSET_LIMIT: CCERs: expected at most 100 t of 2000 t, got 1 [+] 100"):
        OFFSETS.counted(owed(2_000), [PROOF], used_on=20251201, counted_before=1)


def test_a_proof_that_does_not_count_is_named():
    """CEA-OFS-02."""
    with refuses("PROOF_NOT_ELIGIBLE: proof C-9: project: expected none under national"):
        bad = replace(PROOF, number="C-9", quota_managed="national")
        OFFSETS.counted(owed(), [bad], used_on=20251201)
