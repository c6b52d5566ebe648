"""Proofs: issued with a cancellation, claimed once, reversed by order."""

from dataclasses import dataclass

import msgspec
import pytest
from structlog.testing import capture_logs

from cea_exchange.ccer.audit import checks
from cea_exchange.ccer.audit.contents import content_differences
from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.machine import CcerMachine
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.institution.clock import GivenClock
from cea_exchange.protocol.links.ccer import (
    BEFORE_ALL,
    Claim,
    LinkQuestion,
    ProofReversed,
    head_after,
    item_decode,
)
from support.ccer.programme import (
    DayClock,
    accounts_opened,
    batch_issued,
    project_registered,
    registry_open,
)
from support.refusing import refuses

pytestmark = pytest.mark.postgres_at_night


def refused(code: str):
    return refuses(code, ProgrammeError)


@pytest.fixture
def ccer(tmp_path, database_address):
    clock = DayClock()
    with registry_open(tmp_path, clock, database_address) as ccer:
        accounts_opened(ccer)
        project_registered(ccer, clock)
        batch_issued(ccer, clock, {2022: 10_000})
        yield ccer
        for name, check in checks().items():
            assert [] == ccer.store.execute(check.sql).fetchall(), name
        with ccer.store.view():
            assert [*content_differences(ccer.store)] == []


def cancelled(ccer, what=1_000, entity="P001", year=2024):
    number = ccer.cancellations.apply(
        *("SEAWIND", "WIND-1-2022", what),
        purpose="national_ets",
        beneficiary=entity,
        compliance_year=year,
    )
    return ccer.cancellations.approve(number)["proofs"]


@dataclass
class Claims:
    """Numbers claims as the allowance registry does."""

    ccer: object
    seq: int = 0

    def make(self, step, proof, entity="P001", year=2024):
        self.seq += 1
        claim = Claim(
            claim_seq=self.seq, step=step, proof=proof, account=entity, compliance_year=year
        )
        return self.ccer.proofs.claim(claim)


def test_a_cancellation_for_the_national_market_gives_a_proof_for_each_range(ccer):
    """CCER-LNK-01: with all that the allowance registry tests."""
    assert cancelled(ccer, [Lot(1, 11, 20), Lot(1, 41, 60)]) == [
        *("CC-2024-000001-1", "CC-2024-000001-2")
    ]
    first, second = (item_decode(each.item) for each in ccer.proofs.items(1))
    assert (first.serial_first, first.serial_last, first.tonnes) == (11, 20, 10)
    assert (second.serial_first, second.serial_last, second.tonnes) == (41, 60, 20)
    assert (second.account, second.compliance_year) == ("P001", 2024)
    assert (second.project, second.quota_managed) == ("WIND-1/1", "no")
    days = (
        *(second.project_started_on, second.produced_from, second.produced_to),
        *(second.applied_on, second.registered_on, second.cancelled_on),
    )
    assert days[:3] == (20200301, 20220101, 20221231)
    assert list(days) == sorted(days)


def test_the_stream_of_proofs_is_numbered_and_chained(ccer):
    """CCER-LNK-01."""
    for _ in range(3):
        cancelled(ccer)
    ccer.proofs.reverse("CC-2024-000002-1", "order 1")
    items = ccer.proofs.items(1)
    assert [each.proof_seq for each in items] == [1, 2, 3, 4]
    assert ccer.proofs.last_seq() == 4
    head = BEFORE_ALL
    for each in items:
        head = head_after(head, each.item)
        assert each.head == head
    assert ccer.proofs.items(3, 1) == items[2:3]
    assert item_decode(items[3].item) == ProofReversed(proof="CC-2024-000002-1", document="order 1")
    with pytest.raises(msgspec.ValidationError):
        item_decode(msgspec.msgpack.encode({"type": "issued"}))


def test_a_claim_that_is_repeated_gets_the_first_answer(ccer):
    """CCER-LNK-02 (RB3, example 30): whatever has become of the proof since."""
    (proof,) = cancelled(ccer)
    claims = Claims(ccer)
    assert claims.make("reserve", proof).state == "reserved"
    assert claims.make("use", proof).state == "used"
    claims.seq = 0
    assert claims.make("reserve", proof).state == "reserved"
    assert claims.make("use", proof).state == "used"
    assert claims.make("use", proof).state == "used"
    assert ccer.proofs.found(proof).state == "used"


def test_a_claim_for_another_is_refused_for_good(ccer):
    """CCER-LNK-02 (RB3, example 30)."""
    (proof,) = cancelled(ccer)
    claims = Claims(ccer)
    for entity, year in (("P002", 2024), ("P001", 2023)):
        answer = claims.make("reserve", proof, entity, year)
        assert (answer.state, answer.code) == ("", "PROOF_TAKEN")
        assert f"got {entity} and {year}" in answer.words
    assert claims.make("use", proof).code == "PROOF_TAKEN"
    assert claims.make("reserve", "CC-2024-000009-1").code == "PROOF_UNKNOWN"
    assert ccer.proofs.found(proof).state == "issued"


def test_a_refused_claim_is_an_error_in_the_log(ccer):
    """CCER-LNK-02 (RB3 34.22, example 30): no threshold, once is enough."""
    (proof,) = cancelled(ccer)
    machine = CcerMachine(ccer.store, GivenClock(DayClock()), CcerConfig(), {})
    asked = {"claim_seq": 1, "step": "reserve", "proof": proof, "compliance_year": 2024}
    question = LinkQuestion(first_proof_seq=1, claims=(Claim(account="P002", **asked),))
    with capture_logs() as logged:
        machine.link_answer(msgspec.msgpack.encode(question))
    (said,) = [each for each in logged if each["event"] == "claim_refused"]
    assert (said["log_level"], said["code"]) == ("error", "PROOF_TAKEN")
    assert "got P002 and 2024" in said["words"]


def test_claims_are_numbered_without_a_gap(ccer):
    """CCER-LNK-02: a number is one claim's."""
    (proof,) = cancelled(ccer)
    claims = Claims(ccer, seq=1)
    with refused("CLAIM_OUT_OF_ORDER: claim_seq: expected 1, got 2"):
        claims.make("reserve", proof)
    claims.seq = 0
    claims.make("reserve", proof)
    claims.seq = 0
    with refused("CLAIM_OUT_OF_ORDER: claim 1: expected the claim of before, got another one"):
        claims.make("use", proof)


@pytest.mark.parametrize("steps", [(), ("reserve",), ("reserve", "use")])
def test_a_proof_is_reversed_by_order_in_whatever_state(ccer, steps):
    """CCER-LNK-03: it counts for nobody any more, and its CCERs stay cancelled."""
    (proof,) = cancelled(ccer)
    claims = Claims(ccer)
    for step in steps:
        claims.make(step, proof)
    assert ccer.proofs.reverse(proof, "order 1") == ("use" in steps)
    assert claims.make("reserve", proof).code == "PROOF_REVERSED"
    with refused("PROOF_TAKEN: proof to reverse"):
        ccer.proofs.reverse(proof, "order 2")
    where = ccer.whereabouts("WIND-1", 1, 1, 1_000)
    assert [each["account"] for each in where] == ["cancellation account"]
