"""Proofs of cancelled CCERs, from the word of their registry to the offset that counts.

    item --> received --reserve--> confirmed --book--> booked --use--> (reported: it was counted)
                |        |             |                  |
                |        +--> refused  +--> reversed <----+--> the offset is taken back
                +--> reversed

What the CCER registry says is numbered, and each item is chained to the one before; it is kept as
it came, before anything is made of it. What is asked of it is numbered, too, and asked again until
it has answered: a repeat gets the first answer. So whatever is lost or comes twice, a proof is
counted once.
"""

from typing import Any

import msgspec

from cea_exchange.domain.refusals import RegistryRefusal
from cea_exchange.institution.act_log import ActLog
from cea_exchange.institution.checks import WHY_LENGTH_MAX, ActError
from cea_exchange.institution.links.turns import LinkStopped
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.anchoring import Anchoring
from cea_exchange.protocol.links.ccer import (
    BEFORE_ALL,
    CLAIMS_MAX,
    Claim,
    ClaimAnswer,
    Item,
    LinkAnswer,
    LinkQuestion,
    NumberedItem,
    ProofIssued,
    ProofReversed,
    head_after,
    item_decode,
    signed_words,
)
from cea_exchange.protocol.links.signatures import is_signed
from cea_exchange.registry.compliance.offsets import Offsets
from cea_exchange.registry.files import CancellationProof
from cea_exchange.registry.general_ledger import Ledger
from cea_exchange.registry.own_acts import OwnAct

CCER = "ccer"
"""The partner that takes claims; see `Partners`."""


class CcerProofs:
    """Keeps what the CCER registry says of cancellations, and books what it has confirmed.

    Attributes
    ----------
    signing_key : str or None
        By which all must be signed that comes; None: by the key of the last that came.
    anchoring
        Heads of both chains, which go with each question.

    Notes
    -----
    Rules: CCER-LNK-01 to CCER-LNK-05, CEA-REG-05.
    """

    signing_key: str | None = None

    def __init__(self, ledger: Ledger, act_log: ActLog, offsets: Offsets) -> None:
        self._ledger = ledger
        self._store = ledger.store
        self._act_log = act_log
        self._offsets = offsets
        self.anchoring = Anchoring(ledger.store, CCER)

    # -- with the CCER registry ---------------------------------------------------------------

    def question(self) -> LinkQuestion:
        """Return what is to be asked: items from the next on, and claims without an answer."""
        rows = self._store.all(
            "SELECT c.claim_seq, c.step, c.proof, p.account, p.compliance_year"
            " FROM ccer_claims AS c JOIN ccer_proofs AS p ON p.proof = c.proof"
            " WHERE c.answer IS NULL ORDER BY c.claim_seq LIMIT ?",
            (CLAIMS_MAX,),
        )
        claims = tuple(
            Claim(claim_seq=seq, step=step, proof=proof, account=account, compliance_year=year)
            for seq, step, proof, account, year in rows
        )
        last_seq = self.last_seq()
        head = self._store.find("ccer_items", "head", proof_seq=last_seq) or BEFORE_ALL
        return LinkQuestion(
            first_proof_seq=last_seq + 1,
            head=head,
            claims=claims,
            anchors=self.anchoring.said(),
        )

    def anchors_check(self, answer: LinkAnswer) -> None:
        """Raise LinkStopped if one of both chains is not the one that the other side keeps."""
        wrong = self.anchoring.wrong(answer.anchors)
        self._store.partners.heard(CCER, wrong)
        if wrong := wrong or self.anchoring.partner_wrong(answer.anchors):
            raise LinkStopped(wrong)

    def take(self, answer: LinkAnswer) -> int:
        """Keep what has come, in one transaction, and make of it what follows.

        Returns how many items and answers were new.

        Raises LinkStopped: it contradicts what came before; nothing was kept.
        """
        if answer.last_proof_seq < self.last_seq():
            raise LinkStopped(
                f"proofs: expected {self.last_seq()} or more, got {answer.last_proof_seq}: the CCER"
                " registry has lost what it said"
            )
        with self._store.transaction():
            news = sum(self._answer_take(each) for each in answer.answers)
            news += sum(self._item_take(each) for each in answer.items)
        self.anchoring.keep(answer.anchors, self._ledger.now_ns())
        return news

    def last_seq(self) -> int:
        """Return the number of the last item that was taken, 0 before the first."""
        number: int = self._store.one("SELECT coalesce(max(proof_seq), 0) FROM ccer_items")
        return number

    def standing(self) -> dict[str, int]:
        """Return how far the link is, for the registry's status."""
        one = self._store.one
        return {
            "ccer_seq": self.last_seq(),
            "ccer_claim_seq": one("SELECT coalesce(max(claim_seq), 0) FROM ccer_claims"),
            "ccer_claims_open": one("SELECT count(*) FROM ccer_claims WHERE answer IS NULL"),
            "ccer_confirmed": one("SELECT count(*) FROM ccer_proofs WHERE state = 'confirmed'"),
        }

    # -- with persons -------------------------------------------------------------------------

    def book(self, proof: str) -> str | None:
        """Count a proof that the CCER registry has confirmed.

        Returns the number of the certificate, if its obligation is covered now.

        Rules: CCER-LNK-01, CCER-LNK-04, CEA-OFS-05.
        """
        with self._store.transaction():
            state = self._state(proof)
            if state != "confirmed":
                raise ActError(
                    RegistryRefusal.PROOF_NOT_CONFIRMED,
                    f"proof {proof}: expected one that the CCER registry has confirmed, got"
                    f" {state or 'none'}",
                )
            item = self._issued_item(proof)
            certificate = self._offsets.book_confirmed(
                certified(item), applied_on=item.cancellation_applied_on
            )
            self._state_set(proof, "booked")
            self._claim_add("use", proof)
        return certificate

    def listed(
        self, state: str | None = None, *, first: int = 1, count: int = ALL
    ) -> list[dict[str, Any]]:
        """Return proofs from a number of the stream on, all or those in one state."""
        return self._store.records(
            "SELECT proof_seq, proof, account, compliance_year, state, why FROM ccer_proofs"
            " WHERE proof_seq >= :first"
            + ("" if state is None else " AND state = :state")
            + " ORDER BY proof_seq LIMIT :count",
            {"first": first, "state": state, "count": count},
        )

    # -- items --------------------------------------------------------------------------------

    def _item_take(self, numbered: NumberedItem) -> bool:
        """Keep an item that follows; one that is kept must be the same."""
        store, seq = self._store, numbered.proof_seq
        kept = store.find("ccer_items", "head", proof_seq=seq)
        before = store.find("ccer_items", "head", proof_seq=seq - 1)
        head = head_after(before or BEFORE_ALL, numbered.item)
        if head != numbered.head or kept not in (None, head):
            raise LinkStopped(f"proof item {seq}: expected the head {head}, got {numbered.head}")
        if kept is not None:
            return False
        if seq != self.last_seq() + 1:
            raise LinkStopped(f"proof item: expected {self.last_seq() + 1}, got {seq}")
        self._signature_check(numbered)
        item = self._decoded(numbered)
        store.insert(
            "ccer_items (proof_seq, item, head, signing_key, signature)",
            [(seq, numbered.item, head, numbered.signing_key, numbered.signature)],
        )
        match item:
            case ProofIssued():
                self._issued(seq, item)
            case ProofReversed():
                self._reversed(item)
        return True

    def _signature_check(self, numbered: NumberedItem) -> None:
        """Refuse what the CCER registry has not signed.

        Rules: CCER-LNK-05.
        """
        seq, got = numbered.proof_seq, numbered.signing_key
        last = self._store.find("ccer_items", "signing_key", proof_seq=seq - 1)
        expected = self.signing_key or last or got
        if not got or got != expected:
            raise LinkStopped(
                f"proof item {seq}: expected one signed by {expected or 'the CCER registry'}, got"
                f" {got or 'none'}"
            )
        if not is_signed(got, numbered.signature, signed_words(seq, numbered.head)):
            raise LinkStopped(f"proof item {seq}: expected a signature by {got}, got another")

    def _decoded(self, numbered: NumberedItem) -> Item:
        try:
            return item_decode(numbered.item)
        except msgspec.MsgspecError as error:
            raise LinkStopped(f"proof item {numbered.proof_seq}: {error}") from error

    def _issued(self, seq: int, item: ProofIssued) -> None:
        if self._state(item.proof) is not None:
            raise LinkStopped(f"proof item {seq}: expected a new proof, got {item.proof} once more")
        row = (item.proof, item.account, item.compliance_year, seq, "received", "")
        self._store.insert(
            "ccer_proofs (proof, account, compliance_year, proof_seq, state, why)", [row]
        )
        self._claim_add("reserve", item.proof)

    def _reversed(self, item: ProofReversed) -> None:
        """Let a proof count no more; where it counts its offset is taken back.

        Rules: CCER-LNK-03.
        """
        state = self._state(item.proof)
        if state is None:
            raise LinkStopped(f"proof {item.proof}: expected one that was issued, got none")
        content = {"proof": item.proof, "document": item.document}
        with self._act_log.own(OwnAct.PROOF_REVERSED, content, is_kept=True):
            # It counts, too, where a person had booked it before the registries were linked.
            if self._offsets.is_counted(item.proof):
                # Cut between two words it would end with the space, and no reason does.
                why = f"reversed: {item.document}"[:WHY_LENGTH_MAX].strip()
                self._offsets.revoke_reversed(item.proof, why)
            self._state_set(item.proof, "reversed", item.document)

    # -- claims -------------------------------------------------------------------------------

    def _claim_add(self, step: str, proof: str) -> None:
        self._store.add("ccer_claims (claim_seq, step, proof, answer)", step, proof, None)

    def _answer_take(self, answer: ClaimAnswer) -> bool:
        """Keep the answer to a claim; that of one that has one already is passed over."""
        row = self._store.find("ccer_claims", "step, proof, answer", claim_seq=answer.claim_seq)
        if row is None:
            raise LinkStopped(f"answer: expected to a claim that was made, got {answer.claim_seq}")
        step, proof, before = row
        if before is not None:
            return False
        self._store.change(
            "ccer_claims", {"claim_seq": answer.claim_seq}, answer=msgspec.msgpack.encode(answer)
        )
        if step == "reserve" and self._state(proof) == "received":
            is_kept = answer.state in ("reserved", "used")
            self._state_set(proof, "confirmed" if is_kept else "refused", answer.words)
        return True

    # -- rows ---------------------------------------------------------------------------------

    def _state(self, proof: str) -> str | None:
        state: str | None = self._store.find("ccer_proofs", "state", proof=proof)
        return state

    def _state_set(self, proof: str, state: str, why: str = "") -> None:
        self._store.change("ccer_proofs", {"proof": proof}, state=state, why=why)

    def _issued_item(self, proof: str) -> ProofIssued:
        """Return the item by which the CCER registry issued a proof."""
        payload = self._store.one(
            "SELECT i.item FROM ccer_items AS i JOIN ccer_proofs AS p"
            " ON p.proof_seq = i.proof_seq WHERE p.proof = ?",
            (proof,),
        )
        item = item_decode(bytes(payload))
        assert isinstance(item, ProofIssued), item
        return item


def certified(item: ProofIssued) -> CancellationProof:
    """Return what the CCER registry certifies, as a file of proofs would say it."""
    return CancellationProof(
        **{name: getattr(item, name) for name in CancellationProof.__struct_fields__}
    )
