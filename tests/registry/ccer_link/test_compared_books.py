"""Both registries' books compared: what somebody has changed in one of them is named."""

import re
from contextlib import suppress

import pytest

from cea_exchange.ccer.cancellation.books import books_shown
from cea_exchange.domain.ccer.offset_books import offset_differences
from cea_exchange.protocol.links.ccer import LinkAnswer
from cea_exchange.registry.reconciliation.ccer_offsets import offset_books
from support.ccer.both_registries import Both, TakenBack, link_answer
from support.registry.ledger_by_hand import changed

PROOF = "CC-2025-000001-1"
AT_REGISTRY = {
    "UPDATE offset_proofs SET tonnes = 11, serial_last = 11": f"{PROOF}: counts as 11 t of WIND",
    "UPDATE offset_proofs SET account_index = 1": f"{PROOF}: counts as 10 t .* for P002 2024",
    "UPDATE offset_proofs SET revoked_on = 20251101": f"{PROOF}: is booked, and does not count",
    "UPDATE offset_proofs SET proof = 'N1'": f"{PROOF}: is booked, and does not count",
    "UPDATE ccer_proofs SET state = 'reversed'": f"{PROOF}: is reversed, the .* says used",
    "UPDATE ccer_proofs SET state = 'confirmed'": f"{PROOF}: is confirmed, the .* says used",
    "DELETE FROM ccer_proofs": f"{PROOF}: was reported, and is not known",
    "UPDATE ccer_items SET head = 'x'": "item 1: came with the head x",
    "DELETE FROM ccer_claims WHERE step = 'use'": "claims: 2 were judged, 1 were made",
    "UPDATE ccer_claims SET answer = x'80'": f"claim 1 on {PROOF}: its answer is not the one",
    "UPDATE ccer_claims SET proof = 'N' WHERE claim_seq = 1": "claim 1: is to reserve N, judged",
}
AT_CCER = {
    "UPDATE proofs SET beneficiary = 'P002'": f"{PROOF}: counts as .*, cancelled was 10 t .* P002",
    "UPDATE proofs SET serial_last = 9": "cancelled: 10 t by certificates, 9 t by proofs",
    "DELETE FROM proofs": f"{PROOF}: is booked, and was never issued",
    "DELETE FROM proof_stream": "items: 1 came from the CCER registry, which has 0",
    "DELETE FROM proof_claims WHERE claim_seq = 2": "claim 2 on .*: has an answer, and was never",
    "UPDATE cancellation_lots SET serial_last = 20": "cancelled: 20 t by certificates, 10 t by",
}


@pytest.fixture
def both(tmp_path):
    """Both registries, with a proof that was cancelled, booked and used."""
    with Both(tmp_path) as both:
        assert both.cancel(10) == PROOF
        both.talk(2)
        both.proofs.book(PROOF)
        both.talk()
        assert differences(both) == []
        yield both


def differences(both):
    offsets = offset_books(both.world.registry.store)
    return list(offset_differences(books_shown(both.ccer.store), offsets))


def planted(both, store, statement):
    found = []
    with suppress(TakenBack), store.transaction():
        changed(store, statement)
        found = differences(both)
        raise TakenBack
    return found


@pytest.mark.parametrize("statement", AT_REGISTRY)
def test_what_is_changed_at_the_allowance_registry_is_named(both, statement):
    """CCER-LNK-02, CCER-LNK-04."""
    found = planted(both, both.world.registry.store, statement)
    assert any(re.search(AT_REGISTRY[statement], line) for line in found), found


@pytest.mark.parametrize("statement", AT_CCER)
def test_what_is_changed_at_the_ccer_registry_is_named(both, statement):
    """CCER-LNK-01, CCER-LNK-02."""
    found = planted(both, both.ccer.store, statement)
    assert any(re.search(AT_CCER[statement], line) for line in found), found


def test_what_is_on_its_way_is_no_difference(both):
    """CCER-LNK-02: told and not taken, judged and not answered, used and not told."""
    both.cancel(20)
    assert differences(both) == []
    both.proofs.take(LinkAnswer(last_proof_seq=2, items=both.ccer.proofs.items(2)))
    link_answer(both.ccer, both.proofs.question())
    assert differences(both) == []
    both.talk()
    both.proofs.book("CC-2025-000002-1")
    assert differences(both) == []
    both.ccer.proofs.reverse(PROOF, "order 1")
    assert differences(both) == []
    both.talk()
    assert differences(both) == []


def test_what_the_ccer_registry_judged_after_the_first_look_is_passed_over(both):
    """CCER-LNK-02: the allowance registry's books are read first."""
    both.cancel(20)
    both.talk(2)
    before = offset_books(both.world.registry.store)
    both.proofs.book("CC-2025-000002-1")
    both.talk()
    shown = books_shown(both.ccer.store)
    lagging = list(offset_differences(shown, before))
    assert lagging == ["claims: 4 were judged, 3 were made"]
    later = offset_books(both.world.registry.store).claim_last_later
    assert list(offset_differences(shown, before._replace(claim_last_later=later))) == []
