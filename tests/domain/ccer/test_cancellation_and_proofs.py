"""What CCERs are cancelled for, and that each proof of it counts once."""

import pytest
from msgspec.structs import replace

from cea_exchange.domain.ccer.cancellation import Purpose, use_of
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.proofs import PROOF_LIFE, Claimed, ProofState, reserved, used
from cea_exchange.domain.compliance.offsets import CancellationProof
from cea_exchange.domain.compliance.rules import ComplianceRules
from support.refusing import refuses

PROOF = Claimed(number="CC-2025-000001-1", beneficiary="P001", compliance_year=2024)
OFFSETS = ComplianceRules.load().offsets


def refused(code: str):
    return refuses(code, ProgrammeError)


@pytest.mark.parametrize("purpose", ["national_ets", "local_ets"])
def test_a_market_s_use_names_whom_and_which_year(purpose):
    """CCER-CAN-02."""
    assert use_of(purpose, "P001", 2024).compliance_year == 2024
    for beneficiary, year in (("", 2024), ("P001", 0)):
        with refused("PURPOSE_INCOMPLETE: .*expected a beneficiary and a year"):
            use_of(purpose, beneficiary, year)


@pytest.mark.parametrize("purpose", ["event_neutrality", "company_offset", "public_benefit"])
def test_another_use_has_no_year(purpose):
    """CCER-CAN-02: whom it is for may be left open."""
    assert use_of(purpose, "", 0).purpose == Purpose(purpose)
    assert use_of(purpose, "Asian Games", 0).beneficiary == "Asian Games"
    with refused("PURPOSE_INCOMPLETE: .*expected no year, got beneficiary '', year 2024"):
        use_of(purpose, "", 2024)


@pytest.mark.parametrize("purpose", ["cross_border", "", "NATIONAL_ETS"])
def test_nothing_is_cancelled_for_what_is_no_purpose(purpose):
    """CCER-CAN-01: what crosses borders is to come."""
    with refused("PURPOSE_UNKNOWN: purpose: expected one of national_ets, local_ets"):
        use_of(purpose, "P001", 2024)


def test_only_the_national_market_gets_a_proof():
    """CCER-LNK-01."""
    assert [each for each in Purpose if use_of(each, "P001", 2024 if "ets" in each else 0)
            .needs_proof] == [Purpose.NATIONAL_ETS]


def test_a_proof_twice_for_the_same_gets_the_first_answer():
    """CCER-LNK-02 (RB3, example 30)."""
    kept = reserved(PROOF, "P001", 2024)
    assert kept.state is ProofState.RESERVED
    assert reserved(kept, "P001", 2024) == kept
    counted = used(kept, "P001", 2024)
    assert counted.state is ProofState.USED
    assert used(counted, "P001", 2024) == counted
    assert reserved(counted, "P001", 2024) == counted


@pytest.mark.parametrize(("entity", "year"), [("P002", 2024), ("P001", 2023)])
@pytest.mark.parametrize("state", [ProofState.ISSUED, ProofState.RESERVED, ProofState.USED])
def test_a_proof_for_another_is_refused(entity, year, state):
    """CCER-LNK-02 (RB3, example 30)."""
    for claim in (reserved, used):
        with refused(f"PROOF_TAKEN: .*expected P001 and 2024, got {entity} and {year}"):
            claim(replace(PROOF, state=state), entity, year)


def test_a_proof_is_kept_before_it_is_used():
    """CCER-LNK-01."""
    with refused("PROOF_TAKEN: proof to use: expected one that is reserved, got issued"):
        used(PROOF, "P001", 2024)


def test_a_reversed_proof_is_nobody_s():
    """CCER-LNK-03."""
    for state in (ProofState.ISSUED, ProofState.RESERVED, ProofState.USED):
        assert PROOF_LIFE.after(state, "reverse") == ProofState.REVERSED
    gone = replace(PROOF, state=ProofState.REVERSED)
    for claim in (reserved, used):
        with refused("PROOF_REVERSED: .*expected one that stands"):
            claim(gone, "P001", 2024)
    with refused("PROOF_TAKEN: proof to reverse"):
        PROOF_LIFE.after("reversed", "reverse")


# -- what the national market counts, as the rulebook's examples have it ---------------------------

NEW = CancellationProof(
    number="N-1",
    tonnes=50_000,
    registered_on=20250306,
    cancelled_on=20251110,
    quota_managed="no",
    project_started_on=20200101,
    applied_on=20250110,
    produced_from=20210101,
    produced_to=20231231,
)


def test_old_ccers_end_with_2024():
    """CEA-OFS-03 (RB3 32.3, example 3)."""
    old = replace(
        NEW,
        registered_on=20160510,
        cancelled_on=20241201,
        project_started_on=20130101,
        applied_on=20160101,
        produced_from=20130101,
        produced_to=20151231,
    )
    assert OFFSETS.refusal(old, 2023, 20241231) is None
    assert "expected to be used before 20250101" in OFFSETS.refusal(old, 2023, 20250101)


def test_the_cap_counts_all_ccers_of_an_entity_together():
    """CEA-OFS-01 (RB3 32.1, example 4)."""
    rules = ComplianceRules.load()
    owed = rules.obligations.obligation(2024, 1_000_000)
    assert OFFSETS.counted(owed, [NEW], used_on=20251201) == 50_000
    with refuses("OFFSET_LIMIT"):
        OFFSETS.counted(owed, [replace(NEW, tonnes=50_001)], used_on=20251201)
    rest = {"used_on": 20251201, "counted_before": 30_000}
    assert OFFSETS.counted(owed, [replace(NEW, tonnes=20_000)], **rest) == 20_000
    with refuses("OFFSET_LIMIT"):
        OFFSETS.counted(owed, [replace(NEW, tonnes=20_001)], **rest)
    assert [OFFSETS.cap(tonnes) for tonnes in (999_999, 19)] == [49_999, 0]


def test_for_2025_and_2026_only_the_new_programme_counts():
    """CEA-OFS-04 (RB3 32.4, example 5): the market's first day itself is refused."""
    for day, is_taken in ((20240121, False), (20240122, False), (20240123, True)):
        proof = replace(NEW, registered_on=day, applied_on=20240110)
        assert (OFFSETS.refusal(proof, 2025, 20261201) is None) == is_taken
