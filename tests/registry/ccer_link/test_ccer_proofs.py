"""Both registries, from a cancellation to the offset, whatever is lost or comes twice between."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.ccer.audit import checks as ccer_checks
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.protocol.links.ccer import (
    ClaimAnswer,
    LinkAnswer,
    ProofReversed,
    head_after,
    item_decode,
)
from cea_exchange.protocol.links.signatures import SigningKey
from cea_exchange.registry.ccer_link.proofs import certified
from cea_exchange.registry.reconciliation.audit import checks
from cea_exchange.registry.reconciliation.ccer_offsets import signature_differences
from support.ccer.both_registries import Both, TakenBack, link_answer
from support.ccer.programme import SIGNER, signed
from support.refusing import refuses
from support.registry.compliance_world import proof
from support.registry.ledger_by_hand import changed


@pytest.fixture
def both(tmp_path):
    with Both(tmp_path) as both:
        yield both


def test_a_cancellation_becomes_an_offset(both):
    """CCER-LNK-01, CCER-LNK-04: told, kept, confirmed, booked, used."""
    made = both.cancel()
    both.talk()
    assert both.states() == {made: "received"}
    both.talk()
    assert both.states() == {made: "confirmed"}
    assert both.ccer.proofs.found(made).state == "reserved"
    assert both.offset() == 0
    both.proofs.book(made)
    assert both.offset() == 1_000
    both.talk()
    assert both.ccer.proofs.found(made).state == "used"
    assert both.proofs.question().claims == ()


def test_what_is_not_confirmed_is_not_booked(both):
    """CCER-LNK-04."""
    made = both.cancel()
    for _ in range(2):
        with refuses("PROOF_NOT_CONFIRMED: proof .*: expected one that .* has confirmed, got"):
            both.proofs.book(made)
        both.proofs.take(LinkAnswer(last_proof_seq=1, items=both.ccer.proofs.items(1)))
    both.talk()
    both.proofs.book(made)
    with refuses("PROOF_NOT_CONFIRMED: .*got booked"):
        both.proofs.book(made)
    assert both.offset() == 1_000


def test_nothing_is_booked_by_hand_where_the_registries_are_linked(both):
    """CCER-LNK-04."""
    with refuses("PROOFS_BY_LINK: proof: expected the word of the CCER registry"):
        both.world.registry.offsets.book(proof("N1", "P001", 10))


def test_what_the_rules_do_not_count_stays_confirmed(both):
    """CEA-OFS-01, CCER-LNK-04: the cap is the registry's, and a refusal changes nothing."""
    first, second = both.cancel(2_000), both.cancel(1)
    both.talk(2)
    both.proofs.book(first)
    with refuses("OFFSET_LIMIT: .*at most 2000 t of 40000 t, got 2000 [+] 1"):
        both.proofs.book(second)
    assert both.states() == {first: "booked", second: "confirmed"}
    assert both.offset() == 2_000


def test_a_reversed_proof_takes_its_offset_back(both):
    """CCER-LNK-03, CEA-OFS-07."""
    early, late = both.cancel(), both.cancel()
    both.talk(2)
    both.proofs.book(early)
    both.ccer.proofs.reverse(early, "order 1")
    both.ccer.proofs.reverse(late, "order 1")
    both.talk(2)
    assert both.states() == {early: "reversed", late: "reversed"}
    assert both.offset() == 0
    with refuses("PROOF_NOT_CONFIRMED: .*got reversed"):
        both.proofs.book(late)


def test_a_proof_is_not_taken_back_by_hand_where_the_registries_are_linked(both):
    """CCER-LNK-03: by hand it would count at the one and not at the other."""
    made = both.cancel()
    both.talk(2)
    both.proofs.book(made)
    with refuses("PROOFS_BY_LINK: proof: expected the word of the CCER registry, got one by hand"):
        both.world.registry.offsets.revoke(made, "found false")
    assert (both.offset(), both.ccer.proofs.found(made).state) == (1_000, "reserved")


def test_a_proof_that_was_booked_by_hand_before_the_link_falls_by_it(both):
    """CCER-LNK-03."""
    made = both.cancel()
    both.talk(2)
    offsets = both.world.registry.offsets
    offsets.book_confirmed(certified(both.proofs._issued_item(made)))
    assert (both.offset(), both.states()) == (1_000, {made: "confirmed"})
    both.ccer.proofs.reverse(made, "order 1")
    both.talk()
    assert (both.offset(), both.states()) == (0, {made: "reversed"})


def test_a_proof_that_is_reversed_before_it_is_kept_is_refused(both):
    """CCER-LNK-03: the claim that was under way is answered, and changes nothing."""
    made = both.cancel()
    both.talk()
    both.ccer.proofs.reverse(made, "order 1")
    both.talk(2)
    assert both.states() == {made: "reversed"}
    assert both.proofs.question().claims == ()


def test_the_same_words_again_change_nothing(both):
    """CCER-LNK-02: items and answers count once, however often they come."""
    both.cancel()
    both.cancel(entity="P002")
    question = both.proofs.question()
    answer = link_answer(both.ccer, question)
    assert [both.proofs.take(answer) for _ in range(3)] == [2, 0, 0]
    answer = link_answer(both.ccer, both.proofs.question())
    assert [both.proofs.take(answer) for _ in range(3)] == [2, 0, 0]
    for made in both.states():
        both.proofs.book(made)
    assert (both.offset(), both.offset("P002")) == (1_000, 1_000)


def test_what_the_ccer_registry_has_not_signed_is_not_taken(both):
    """CCER-LNK-05: no signature, another's, one of another item, a key that came later."""
    both.cancel()
    both.cancel()
    first, second = both.ccer.proofs.items(1)
    replaced, other = msgspec.structs.replace, SigningKey(bytes(32))
    wrong = {
        "expected one signed by the CCER registry, got none": replaced(
            first, signing_key="", signature=""
        ),
        "expected a signature by .*, got another": replaced(first, signature=second.signature),
        "expected a signature by \\S+, got": replaced(first, signing_key=other.public),
    }
    for said, item in wrong.items():
        with pytest.raises(LinkStopped, match=f"proof item 1: {said}"):
            both.proofs.take(LinkAnswer(last_proof_seq=1, items=(item,)))
    both.proofs.signing_key = other.public
    with pytest.raises(LinkStopped, match="proof item 1: expected one signed by"):
        both.proofs.take(LinkAnswer(last_proof_seq=1, items=(first,)))
    both.proofs.signing_key = SIGNER.public
    both.proofs.take(LinkAnswer(last_proof_seq=1, items=(first,)))
    both.proofs.signing_key = None
    by_other = signed(2, second.item, second.head, other)
    with pytest.raises(LinkStopped, match="proof item 2: expected one signed by"):
        both.proofs.take(LinkAnswer(last_proof_seq=2, items=(by_other,)))
    both.proofs.signing_key = other.public
    both.proofs.take(LinkAnswer(last_proof_seq=2, items=(by_other,)))
    store = both.world.registry.store
    assert [*signature_differences(store)] == []
    with pytest.raises(TakenBack), store.transaction():
        changed(store, "UPDATE ccer_items SET signing_key = signature WHERE proof_seq = 1")
        (said,) = signature_differences(store)
        assert said.startswith("item 1: expected a signature by")
        raise TakenBack


def chained(items, seq, item):
    payload = msgspec.msgpack.encode(item)
    head = head_after(items[-1].head if items else "0" * 64, payload)
    return signed(seq, payload, head)


def test_words_that_contradict_each_other_stop_the_link(both):
    """CCER-LNK-01: a gap, a changed item, a chain that does not follow, an answer to nothing."""
    both.cancel()
    both.cancel()
    first, second = both.ccer.proofs.items(1)
    both.proofs.take(LinkAnswer(last_proof_seq=1, items=(first,)))
    unknown = chained([first], 2, ProofReversed(proof="N9", document="order"))
    forged = msgspec.structs.replace(second, item=second.item + b"\x00")
    no_item = signed(2, b"\x80", head_after(first.head, b"\x80"))
    too_many = msgspec.structs.replace(item_decode(second.item), tonnes=2**63)
    wrong = {
        "proof item 2: expected a new proof, got": chained([first], 2, item_decode(first.item)),
        "proof item 3: expected the head": msgspec.structs.replace(second, proof_seq=3),
        "proof item 2: expected the head": forged,
        "proof item 1: expected the head": chained([], 1, ProofReversed(proof="N", document="x")),
        "proof N9: expected one that was issued": unknown,
        "proof item 2: ": no_item,
        "proof item 2: Expected `int` <=": chained([first], 2, too_many),
    }
    for said, item in wrong.items():
        with pytest.raises(LinkStopped, match=said):
            both.proofs.take(LinkAnswer(last_proof_seq=9, items=(item,)))
    with pytest.raises(LinkStopped, match="proofs: expected 1 or more, got 0: .* has lost"):
        both.proofs.take(LinkAnswer(last_proof_seq=0))
    with pytest.raises(LinkStopped, match="answer: expected to a claim that was made, got 7"):
        both.proofs.take(LinkAnswer(last_proof_seq=1, answers=(ClaimAnswer(claim_seq=7),)))
    both.proofs.take(LinkAnswer(last_proof_seq=2, items=(second,)))
    assert both.proofs.last_seq() == 2


chances = st.lists(
    st.sampled_from(("cancel", "ask", "lose", "again", "book", "reverse", "begin_anew")),
    min_size=5,
    max_size=40,
)


@pytest.mark.slow
@settings(max_examples=15)
@given(chances)
def test_whatever_is_lost_or_comes_twice_each_proof_counts_once(tmp_path_factory, chances):
    """CCER-LNK-02: answers lost and repeated, both begun anew, in any order."""
    with Both(tmp_path_factory.mktemp("both")) as both:
        last = None
        for chance in chances:
            match chance:
                case "cancel":
                    both.cancel(10)
                case "ask":
                    last = link_answer(both.ccer, both.proofs.question())
                    both.proofs.take(last)
                case "lose":
                    link_answer(both.ccer, both.proofs.question())
                case "again" if last is not None:
                    both.proofs.take(last)
                case "book":
                    for made, state in both.states().items():
                        if state == "confirmed":
                            both.proofs.book(made)
                case "begin_anew":
                    both.begin_anew()
                case "reverse" if both.states():
                    made = next(iter(both.states()))
                    if both.ccer.proofs.found(made).state != "reversed":
                        both.ccer.proofs.reverse(made, "order")
        both.talk(3)
        for made, state in both.states().items():
            if state == "confirmed":
                both.proofs.book(made)
        both.talk(2)
        there = dict(both.ccer.store.execute("SELECT proof, state FROM proofs").fetchall())
        here = both.states()
        assert here.keys() == there.keys()
        for made, state in here.items():
            assert (state, there[made]) in {("booked", "used"), ("reversed", "reversed")}
        assert both.offset() == 10 * sum(state == "booked" for state in here.values())
        for name, check in ccer_checks().items():
            assert [] == both.ccer.store.execute(check.sql).fetchall(), name
        query = checks()["ccer_link"].sql
        assert [] == both.world.registry.store.execute(query).fetchall()


ODD = (
    "UPDATE offset_proofs SET compliance_year = 2023",
    "UPDATE ccer_proofs SET state = 'reversed'",
    "UPDATE ccer_proofs SET state = 'confirmed'",
    "UPDATE ccer_claims SET answer = NULL WHERE step = 'reserve'",
    "DELETE FROM ccer_claims WHERE step = 'use'",
    "DELETE FROM ccer_items WHERE proof_seq = 1",
)


def test_an_auditor_finds_what_was_changed_by_hand(both):
    """CCER-LNK-02, CCER-LNK-04."""
    store, query = both.world.registry.store, checks()["ccer_link"].sql
    for _ in range(2):
        both.cancel(10)
    both.talk(2)
    for made in both.states():
        both.proofs.book(made)
    assert [] == store.execute(query).fetchall()
    for statement in ODD:
        with suppress(TakenBack), store.transaction():
            changed(store, statement)
            assert store.execute(query).fetchall(), statement
            raise TakenBack
    assert [] == store.execute(query).fetchall()


def test_the_ccer_registry_refuses_a_claim_out_of_order(both):
    """CCER-LNK-02."""
    both.cancel()
    both.talk()
    (claim,) = both.proofs.question().claims
    with refuses("CLAIM_OUT_OF_ORDER", ProgrammeError):
        both.ccer.proofs.claim(msgspec.structs.replace(claim, claim_seq=2))


def test_the_day_of_the_holders_application_comes_with_the_proof(both):
    """CEA-OFS-03, CCER-LNK-01: what the registries take from then on is not charged to it."""
    both.clock.day = 20251028
    number = both.ccer.cancellations.apply(
        *("SEAWIND", "WIND-1-2022", 100),
        purpose="national_ets",
        beneficiary="P001",
        compliance_year=2024,
    )
    both.clock.day = 20251101
    both.ccer.cancellations.approve(number)
    both.talk(1)
    item = item_decode(both.world.registry.store.one("SELECT item FROM ccer_items"))
    assert (item.cancellation_applied_on, item.cancelled_on) == (20251028, 20251101)


def test_the_days_that_the_registries_took_are_not_charged_to_an_entity(both):
    """CEA-OFS-05, CEA-PEN-01: cancelled in time and booked behind the deadline, it counts."""
    both.clock.day = both.world.clock.day = 20251229
    made = both.cancel(1_000)
    both.talk(2)
    both.world.clock.day = 20260105
    both.proofs.book(made)
    standing = both.world.registry.obligations.standing("P001", 2024)
    assert (standing.counted, standing.due) == ({20251229: 1_000}, 39_000)
    assert standing.shortfall == 39_000


def test_an_offset_whose_day_is_not_known_counts_from_its_booking(both):
    """CEA-OFS-05: what a person hands in counts on the day it is booked."""
    both.world.registry.offsets.by_link_only = False
    both.world.clock.day = 20260105
    both.world.registry.offsets.book(proof("N1", "P001", 10))
    standing = both.world.registry.obligations.standing("P001", 2024)
    assert (standing.counted, standing.shortfall) == ({20260105: 10}, 40_000)


def test_a_year_that_no_market_has_is_not_cancelled_for(both):
    """CCER-CAN-02: its proof would stop the link, and all behind it would wait."""
    for year in (-2024, 2018, 2100, 2**63):
        with refuses(f"DATE_OUT_OF_RANGE: .*expected 2019 to 2099, got {year}", ProgrammeError):
            both.cancel(10, year=year)
    assert both.ccer.proofs.last_seq() == 0
    for year in (2019, 2099):
        both.cancel(10, year=year)
    both.talk()
    assert set(both.states().values()) == {"received"}


def test_no_proof_is_numbered_that_the_allowance_registry_would_not_read(both):
    """CCER-LNK-01: whatever brought the value about, nothing of the cancellation is done."""
    number = both.ccer.cancellations.apply(
        *("SEAWIND", "WIND-1-2022", 10),
        purpose="national_ets",
        beneficiary="P001",
        compliance_year=2024,
    )
    with pytest.raises(TakenBack), both.ccer.store.transaction():
        changed(both.ccer.store, "UPDATE batches SET applied_on = -1")
        with refuses("VALUE_NOT_TAKEN: proof CC-2025-000001-1: Expected `int`", ProgrammeError):
            both.ccer.cancellations.approve(number)
        raise TakenBack
    both.ccer.cancellations.approve(number)
    both.talk()
    assert set(both.states().values()) == {"received"}


def test_a_reversal_with_the_longest_words_is_taken(both):
    """CCER-LNK-03: its offset's reason is cut to what a reason may have, at whatever place."""
    made = both.cancel()
    both.talk(2)
    both.proofs.book(made)
    both.ccer.proofs.reverse(made, "o" * 189 + " " + "d" * 10)
    both.talk()
    assert (both.states(), both.offset()) == ({made: "reversed"}, 0)
