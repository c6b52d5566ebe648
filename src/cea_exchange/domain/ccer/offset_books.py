"""What both registries have in their books of a cancellation and its offset, compared.

The allowance registry's books are read first, the CCER registry's then: what the latter has beyond
the last item and the last claim of the former was on its way, and is passed over. What is compared
is exact: the same items with the same heads, the same claims with the same answers, each proof in
states that go together, and each tonne that counts cancelled for that account and year.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

TOGETHER = {
    "received": {"issued", "reserved", "reversed"},
    "confirmed": {"reserved", "reversed"},
    "refused": {"issued", "reversed"},
    "booked": {"reserved", "used", "reversed"},
    "reversed": {"reversed"},
}
"""State of a proof at the allowance registry -> those it may be in at the CCER registry."""


class Certified(NamedTuple):
    """What a proof certifies, as each of them has it."""

    account: str
    compliance_year: int
    project: str
    serial_first: int
    serial_last: int
    tonnes: int


class JudgedClaim(NamedTuple):
    """A claim: on which proof, which step, and the answer as it travelled; None before.

    Attributes
    ----------
    state
        Of the proof by the answer; empty where the claim was refused, or has no answer.
    """

    step: str
    proof: str
    answer: bytes | None
    state: str = ""


class CcerBooks(NamedTuple):
    """The CCER registry's.

    Attributes
    ----------
    heads
        Head of the chain by the number of the item.
    proofs
        By number, with the number of the item that reported it.
    reversals
        The number of the item that reported a proof's reversal.
    claims
        By their numbers.
    cancelled_tonnes
        Of cancellations for the national market, by their certificates.
    """

    heads: Mapping[int, str]
    proofs: Mapping[str, tuple[int, Certified]]
    reversals: Mapping[str, int]
    claims: Mapping[int, JudgedClaim]
    cancelled_tonnes: int


class OffsetBooks(NamedTuple):
    """The allowance registry's.

    Attributes
    ----------
    states
        Of the proofs that came over the link.
    counted
        What counts, by the number of its proof; by hand or over the link.
    claim_last_later
        The last claim that was made, read again after the other registry's books.
    """

    heads: Mapping[int, str]
    states: Mapping[str, str]
    claims: Mapping[int, JudgedClaim]
    counted: Mapping[str, Certified]
    claim_last_later: int


def offset_differences(ccer: CcerBooks, offsets: OffsetBooks) -> Iterator[str]:
    """Yield what contradicts the other's books, a sentence each; must be nothing.

    Notes
    -----
    Rules: CCER-LNK-01 to CCER-LNK-04.
    """
    yield from _items_differing(ccer, offsets)
    yield from _claims_differing(ccer, offsets)
    yield from _states_differing(ccer, offsets)
    yield from _tonnes_differing(ccer, offsets)


def _items_differing(ccer: CcerBooks, offsets: OffsetBooks) -> Iterator[str]:
    last, known = max(ccer.heads, default=0), max(offsets.heads, default=0)
    if known > last:
        yield f"items: {known} came from the CCER registry, which has {last}"
    for seq, head in offsets.heads.items():
        if ccer.heads.get(seq, head) != head:
            yield f"item {seq}: came with the head {head}, the CCER registry has {ccer.heads[seq]}"
            return


def _claims_differing(ccer: CcerBooks, offsets: OffsetBooks) -> Iterator[str]:
    last = max(ccer.claims, default=0)
    if last > offsets.claim_last_later:
        yield f"claims: {last} were judged, {offsets.claim_last_later} were made"
    for seq, asked in offsets.claims.items():
        judged = ccer.claims.get(seq)
        if judged is None:
            if asked.answer is not None:
                yield f"claim {seq} on {asked.proof}: has an answer, and was never judged"
        elif (judged.step, judged.proof) != (asked.step, asked.proof):
            yield (
                f"claim {seq}: is to {asked.step} {asked.proof}, judged was to {judged.step}"
                f" {judged.proof}"
            )
        elif asked.answer is not None and asked.answer != judged.answer:
            yield f"claim {seq} on {asked.proof}: its answer is not the one that was given"


def _states_differing(ccer: CcerBooks, offsets: OffsetBooks) -> Iterator[str]:
    """Compare each proof's states, of the last item and claim that the allowance registry knows."""
    item_last, claim_last = max(offsets.heads, default=0), max(offsets.claims, default=0)
    states = dict.fromkeys(ccer.proofs, "issued")
    for seq, claim in sorted(ccer.claims.items()):
        if seq <= claim_last and claim.state and claim.proof in states:
            states[claim.proof] = claim.state
    for proof, seq in ccer.reversals.items():
        if seq <= item_last:
            states[proof] = "reversed"
    for proof, (seq, _certified) in ccer.proofs.items():
        if seq <= item_last and proof not in offsets.states:
            yield f"proof {proof}: was reported, and is not known"
    for proof, here in offsets.states.items():
        there = states.get(proof)
        if there is None:
            yield f"proof {proof}: is {here}, and was never issued"
        elif there not in TOGETHER[here]:
            yield f"proof {proof}: is {here}, the CCER registry says {there}"


def _tonnes_differing(ccer: CcerBooks, offsets: OffsetBooks) -> Iterator[str]:
    """Compare what counts with what was cancelled, proof by proof."""
    for proof, counted in offsets.counted.items():
        if proof not in ccer.proofs:
            if proof in offsets.states:
                yield f"proof {proof}: counts, and was never issued"
            continue
        certified = ccer.proofs[proof][1]
        if proof not in offsets.states:
            yield f"proof {proof}: counts, and did not come over the link"
        elif counted != certified:
            yield f"proof {proof}: counts as {_words(counted)}, cancelled was {_words(certified)}"
    for proof, state in offsets.states.items():
        if state == "booked" and proof not in offsets.counted:
            yield f"proof {proof}: is booked, and does not count"
    proved_tonnes = sum(certified.tonnes for _seq, certified in ccer.proofs.values())
    if proved_tonnes != ccer.cancelled_tonnes:
        yield f"cancelled: {ccer.cancelled_tonnes} t by certificates, {proved_tonnes} t by proofs"


def _words(certified: Certified) -> str:
    what = f"{certified.tonnes} t of {certified.project} {certified.serial_first}"
    whose = f"{certified.account} {certified.compliance_year}"
    return f"{what}-{certified.serial_last} for {whose}"
