"""Offsets: proofs of cancelled CCERs count once, within the cap, or are refused."""

import pytest

from cea_exchange.registry.control.admin import MAY, SECOND
from cea_exchange.registry.files import SourceFile
from support.refusing import refuses
from support.registry.audit_queries import audit_findings
from support.registry.compliance_world import BEIJING, World, obligation_file, proof, proof_file

pytestmark = pytest.mark.postgres_at_night


@pytest.fixture
def world(tmp_path, database_address):
    with World(tmp_path, database_address) as world:
        world.products("CEA24")
        world.entity("P1", BEIJING, CEA24=1_000)
        world.entity("P2", BEIJING)
        world.owe(2024, ("P1", 1_019), ("P2", 200))
        yield world


def counted(world, account="P1"):
    return world.registry.obligations.standing(account, 2024).status.offset


def test_section_15_the_cap_is_five_percent_rounded_down(world):
    """CEA-OFS-01: 50 t of 1,019 t, and not one more."""
    service = world.registry.offsets
    with refuses("OFFSET_LIMIT: .*at most 50 t of 1019 t, got 0 [+] 51"):
        service.book(proof("N1", "P1", 51))
    service.book(proof("N1", "P1", 30))
    with refuses("OFFSET_LIMIT: .*at most 50 t of 1019 t, got 30 [+] 21"):
        service.book(proof("N2", "P1", 21))
    service.book(proof("N2", "P1", 20))
    assert 50 == counted(world)
    assert 969 == world.registry.obligations.standing("P1", 2024).due


def test_a_file_of_proofs_is_booked_whole(world):
    source = proof_file(proof("N1", "P1", 30), proof("N2", "P2", 10), proof("N3", "P1", 20))
    assert [] == world.registry.offsets.take(source)
    assert (50, 10) == (counted(world), counted(world, "P2"))


def test_a_file_with_one_bad_proof_is_refused_with_its_line(world):
    """CEA-OFS-05: each cancellation counts once; the file's good proofs are not booked either."""
    service = world.registry.offsets
    service.book(proof("N1", "P1", 10))
    source = proof_file(proof("N2", "P2", 10), proof("N1", "P1", 10, project="CCER-9"))
    said = "PROOF_USED: proofs[.]csv:3: proof: expected a proof that was never used, got N1 again"
    with refuses(said):
        service.take(source)
    assert (10, 0) == (counted(world), counted(world, "P2"))
    spoiled = proof_file(proof("N2", "P2", 10)).data.replace(b"TOTAL,,,,10", b"TOTAL,,,,11")
    with refuses("FILE_REFUSED: .*proofs.csv:3: tonnes: expected 10, the sum of the file"):
        service.take(SourceFile("proofs.csv", spoiled))


def test_proofs_of_one_file_share_the_cap(world):
    """CEA-OFS-01: each by itself would be within it."""
    source = proof_file(proof("N1", "P1", 30), proof("N2", "P1", 30))
    with refuses("OFFSET_LIMIT: proofs[.]csv:3: proof: CCERs: expected at most 50 t of 1019 t"):
        world.registry.offsets.take(source)
    assert 0 == counted(world)


def test_no_ccer_is_used_under_two_proofs(world):
    """CEA-FIL-04: across files too, and after the first proof was revoked."""
    service = world.registry.offsets
    service.book(proof("N1", "P1", 10, project="CCER-7"))
    again = proof("N2", "P2", 5, project="CCER-7", serial_first=10, serial_last=14)
    said = "PROOF_USED: .*CCERs of CCER-7 that were never used, got some of proof N1 again"
    with refuses(said):
        service.book(again)
    service.revoke("N1", "no such cancellation")
    with refuses(said):
        service.book(again)
    with refuses("PROOF_USED: proof N1: proof: expected a proof that was never used"):
        service.book(proof("N1", "P1", 10))
    service.book(proof("N3", "P2", 5, project="CCER-7", serial_first=11, serial_last=15))
    assert (0, 5) == (counted(world), counted(world, "P2"))


OLD = {
    "project_started_on": 20130101,
    "produced_from": 20130101,
    "produced_to": 20141231,
    "applied_on": 20150601,
}
UNFIT = (
    ({"quota_managed": "national"}, "PROOF_NOT_ELIGIBLE: .*got one [(]CEA-OFS-02[)]"),
    ({"quota_managed": "regional"}, "PROOF_NOT_ELIGIBLE: .*got one [(]CEA-OFS-06[)]"),
    ({**OLD, "registered_on": 20160101, "cancelled_on": 20240101}, "PROOF_NOT_ELIGIBLE"),
    ({"cancelled_on": 20251102}, "PROOF_NOT_ELIGIBLE: .*by 20251101, got 20251102"),
    ({"project_started_on": 20121108}, "PROOF_NOT_ELIGIBLE: .*to start after 20121108"),
    ({"produced_from": 20200601}, "PROOF_NOT_ELIGIBLE: .*after 20200922, got from 20200601"),
    ({"produced_from": 20191231}, "expected no day before project_started_on 20200101"),
    ({"produced_to": 20201231}, "produced_to: expected no day before produced_from 20210101"),
    ({"applied_on": 20231230}, "applied_on: expected no day before produced_to 20231231"),
    ({"applied_on": 20250307}, "registered_on: expected no day before applied_on 20250307"),
    ({"applied_on": 20240230}, "applied_on: expected a day such as 20251231, got 20240230"),
    ({"produced_from": 2**63}, "produced_from: expected a day such as 20251231"),
    ({"project_started_on": -1}, "project_started_on: expected a day such as 20251231, got -1"),
    ({"cancelled_on": 20250305}, "cancelled_on: expected no day before registered_on"),
    ({"serial_last": 11}, "tonnes: expected 11, one for each serial number, got 10"),
    ({"account": "P9"}, "account: expected an open account, got P9"),
    ({"year": 2023}, "account: expected one with an obligation of 2023, got P1"),
)


def test_proofs_that_do_not_count_are_refused(world):
    """CEA-OFS-02, CEA-OFS-03, CEA-OFS-06, CEA-OFS-08."""
    for odd, said in UNFIT:
        with refuses(said):
            world.registry.offsets.book(proof("N1", **({"account": "P1", "tonnes": 10} | odd)))
    assert 0 == counted(world)


@pytest.mark.parametrize("year", [2019, 2021, 2023])
def test_old_ccers_of_projects_in_a_regional_market_count(world, year):
    """CEA-OFS-02, CEA-OFS-03: only the national market's allowances kept them from counting."""
    world.clock.day = 20241120
    world.owe(year, ("P1", 1_000))
    dates = {**OLD, "registered_on": 20160101, "cancelled_on": 20241101}
    with refuses("PROOF_NOT_ELIGIBLE: .*under national allowances"):
        world.registry.offsets.book(
            proof("N1", "P1", 20, year=year, quota_managed="national", **dates)
        )
    world.registry.offsets.book(proof("N1", "P1", 20, year=year, quota_managed="regional", **dates))
    assert 20 == world.registry.obligations.standing("P1", year).status.offset


def test_a_delay_of_the_registries_does_not_void_old_ccers_that_were_cancelled_in_time(world):
    """CEA-OFS-03: with the link the day of the application counts, by hand that of the booking."""
    offsets, old = world.registry.offsets, {**OLD, "registered_on": 20160101}
    in_time = proof("N1", "P1", 10, cancelled_on=20241231, **old)
    assert world.clock.day == 20251101
    with refuses("PROOF_NOT_ELIGIBLE: .*to be used before 20250101, got on 20251101"):
        offsets.book(in_time)
    offsets.by_link_only = True
    with refuses("PROOF_NOT_ELIGIBLE: .*to be used before 20250101, got on 20250101"):
        offsets.book_confirmed(proof("N2", "P1", 10, cancelled_on=20250101, **old))
    with refuses("PROOF_NOT_ELIGIBLE: .*cancelled_on: expected by 20251101, got 20251102"):
        offsets.book_confirmed(proof("N3", "P1", 10, cancelled_on=20251102))
    offsets.book_confirmed(in_time)
    assert counted(world) == 10
    # Its registry took two days to cancel what was applied for in time.
    late = proof("N4", "P1", 10, cancelled_on=20250102, **old)
    with refuses("PROOF_NOT_ELIGIBLE: .*to be used before 20250101, got on 20250101"):
        offsets.book_confirmed(late, applied_on=20250101)
    offsets.book_confirmed(late, applied_on=20241231)
    assert counted(world) == 20


def test_later_years_take_new_ccers_only(world):
    """CEA-OFS-04."""
    world.clock.day = 20260601
    world.owe(2025, ("P1", 1_000))
    old = {**OLD, "registered_on": 20170101, "cancelled_on": 20240101}
    with refuses("PROOF_NOT_ELIGIBLE: .*to be used before 20250101"):
        world.registry.offsets.book(proof("N1", "P1", 10, year=2025, **old))
    world.registry.offsets.book(proof("N1", "P1", 10, year=2025))


def test_ccers_cover_no_more_than_nobody_has_applied_for(world):
    """CEA-SUR-06."""
    world.registry.surrender.apply("P1", 2024, {"CEA24": 1_000})
    with refuses("NOT_DUE: .*at most the 19 t P1 has not applied for, got 20"):
        world.registry.offsets.book(proof("N1", "P1", 20))
    world.registry.offsets.book(proof("N1", "P1", 19))


def test_an_offset_completes_an_obligation_and_its_revocation_opens_it_again(world):
    """CEA-OFS-07."""
    registry = world.registry
    number = registry.surrender.apply("P1", 2024, {"CEA24": 979})
    registry.surrender.accept(number, BEIJING)
    registry.surrender.retire(number)
    assert "2024-000001" == registry.offsets.book(proof("N1", "P1", 40))
    assert 40 == registry.surrender.certificate("P1", 2024).offset
    registry.offsets.revoke("N1", "no such cancellation")
    with refuses("CERTIFICATE_MISSING: P1: expected a certificate of 2024, got none"):
        registry.surrender.certificate("P1", 2024)
    assert 40 == registry.obligations.standing("P1", 2024).due
    world.clock.day = 20260102
    assert ["short", "short"] == [row.state for row in registry.compliance.public_list(2024)]
    with refuses("PROOF_UNKNOWN: proof: expected one that counts, got 'N1'"):
        registry.offsets.revoke("N1", "once more")
    last = registry.surrender.apply("P1", 2024, {"CEA24": 21})
    registry.surrender.accept(last, BEIJING)
    assert registry.surrender.retire(last) is None


def test_in_anothers_place_ccers_count_by_what_is_ones_own(world):
    """CEA-ENT-12, CEA-OFS-01, CEA-SUR-12: P1's 50 t stay, P2 has 5% of its 200 t."""
    registry = world.registry
    registry.offsets.book(proof("N1", "P1", 50))
    whose, successor = registry.account("P1"), registry.account("P2")
    moved = {successor: 969, whose: -969}
    registry.obligations.pass_on(SourceFile("decision", b"9"), 2024, moved, "decision 9")
    owed = [registry.obligations.standing(name, 2024).tonnes for name in ("P1", "P2")]
    assert owed == [50, 1_169]
    assert registry.surrender.certificate("P1", 2024).obligation_tonnes == 50
    with refuses("OFFSET_LIMIT: .*at most 10 t of 200 t, got 0 [+] 11"):
        registry.offsets.book(proof("N2", "P2", 11))
    registry.offsets.book(proof("N2", "P2", 10))
    assert registry.obligations.notice("P2", 2024).offset_max == 10
    assert audit_findings(registry.store) == {}
    with refuses("FILE_REFUSED: .*expected at least 1019, covered, applied for, deducted or succ"):
        registry.obligations.correct(obligation_file(registry, 2024, ("P1", 1_018)), "anew")
    registry.obligations.correct(obligation_file(registry, 2024, ("P1", 1_029)), "anew")
    assert registry.obligations.standing("P1", 2024).payable == 10


def test_the_authority_sets_a_lower_share_for_a_year(world):
    """CEA-ADJ-04: at most the rule's, for that year alone, and never below what counts."""
    shares, service = world.registry.offset_shares, world.registry.offsets
    assert MAY["offset_share"] == ("authority",) and "offset_share" in SECOND
    shares.set(2024, 300, "market adjustment")
    with refuses("OFFSET_LIMIT: .*at most 30 t of 1019 t, got 0 [+] 31"):
        service.book(proof("N1", "P1", 31))
    service.book(proof("N1", "P1", 30))
    assert 30 == world.registry.obligations.notice("P1", 2024).offset_max
    with refuses("OFFSET_LIMIT: share_bp: expected not below what counts of 2024 already, got 294"):
        shares.set(2024, 294, "less")
    for share in (501, -1):
        with refuses(f"OFFSET_LIMIT: share_bp: expected within 0..500, got {share}"):
            shares.set(2024, share, "more")
    shares.set(2024, 500, "as it was")
    service.book(proof("N2", "P1", 20))
    assert [row["share_bp"] for row in shares.all()] == [300, 500]
    assert 50 == counted(world)
