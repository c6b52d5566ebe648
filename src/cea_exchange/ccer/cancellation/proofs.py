"""Proofs of cancellation for the allowance registry, and its claims on them.

Each claim has a number of the asker's. The first time it is judged and the answer kept; a repeat
gets that answer, whatever has become of the proof since.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from cea_exchange.ccer.books import Books
from cea_exchange.domain.ccer.lots import Lot
from cea_exchange.domain.ccer.programme_error import ProgrammeError
from cea_exchange.domain.ccer.proofs import PROOF_LIFE, Claimed, ProofState, reserved, used
from cea_exchange.domain.refusals import CcerRefusal
from cea_exchange.institution.checks import WHY_LENGTH_MAX, words_checked
from cea_exchange.institution.paging import ALL
from cea_exchange.ledger.partners import REGISTRY
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.links.ccer import (
    BEFORE_ALL,
    ITEMS_MAX,
    Claim,
    ClaimAnswer,
    Item,
    NumberedItem,
    ProofIssued,
    ProofReversed,
    head_after,
    item_decode,
    signed_words,
)
from cea_exchange.protocol.links.signatures import SigningKey

_STEPS = {"reserve": reserved, "use": used}

_OF_BATCH = """SELECT p.project, b.batch_number, i.registered_on, p.quota_managed, p.started_on,
    b.applied_on, b.produced_from, b.produced_to
FROM issues AS i
JOIN batches AS b ON b.batch_id = i.batch_id
JOIN projects AS p ON p.project_id = b.project_id
WHERE i.issue_number = ?"""


class Proofs:
    """Issues proofs, keeps them for who claims them, and reverses them by order.

    Attributes
    ----------
    signer : SigningKey or None
        Signs what is sent; without one it is sent unsigned, and the allowance registry refuses it.

    Notes
    -----
    Rules: CCER-LNK-01 to CCER-LNK-03.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._store = books.store
        self.signer: SigningKey | None = None

    def issue(
        self,
        certificate: str,
        cancellation_id: int,
        lots: Sequence[Lot],
        beneficiary: str,
        compliance_year: int,
        *,
        applied_on: int,
        cancelled_on: int,
    ) -> list[str]:
        """Give a proof for each range of serials, and number it for the allowance registry.

        Parameters
        ----------
        applied_on, cancelled_on
            When the holder applied for the cancellation, and when it was done.

        Returns
        -------
        list of str
            Their numbers: the certificate's, and one more for each.

        Notes
        -----
        Rules: CCER-LNK-01.
        """
        numbers = []
        for place, lot in enumerate(lots, 1):
            number = f"{certificate}-{place}"
            row = (
                *(number, cancellation_id, *lot, beneficiary, compliance_year),
                str(ProofState.ISSUED),
            )
            self._store.insert(
                "proofs (proof, cancellation_id, issue_number, serial_first, serial_last,"
                " beneficiary, compliance_year, state)",
                [row],
            )
            days = (applied_on, cancelled_on)
            item = issued_item(self._store, number, lot, beneficiary, compliance_year, days=days)
            self._tell(number, item)
            numbers.append(number)
        return numbers

    def reverse(self, proof: str, document: str) -> bool:
        """Let a proof count no more, by the ministry's order; its CCERs stay cancelled.

        Returns
        -------
        bool
            Whether it was used: then the offset falls with it.

        Notes
        -----
        Rules: CCER-LNK-03.
        """
        words_checked(document, "document", WHY_LENGTH_MAX)
        with self._store.transaction():
            found = self.found(proof)
            PROOF_LIFE.after(found.state, "reverse")
            was_used = found.state is ProofState.USED
            self._state_set(proof, ProofState.REVERSED)
            self._store.insert(
                "reversals (proof, document, was_used, business_date)",
                [(proof, document, int(was_used), self._books.business_date())],
            )
            self._tell(proof, ProofReversed(proof=proof, document=document))
        return was_used

    def listed(
        self,
        account: str | None = None,
        state: str | None = None,
        *,
        first: int = 1,
        count: int = ALL,
    ) -> list[dict[str, Any]]:
        """Return proofs in the order they were sent, from a number on.

        Parameters
        ----------
        account
            Only of what it cancelled.
        """
        return self._store.records(
            "SELECT s.proof_seq, p.proof, a.account, p.serial_first, p.serial_last, p.beneficiary,"
            " p.compliance_year, p.state FROM proof_stream AS s"
            " JOIN proofs AS p ON p.proof = s.proof"
            " JOIN cancellations AS c ON c.cancellation_id = p.cancellation_id"
            " JOIN accounts AS a ON a.account_index = c.account_index"
            " WHERE s.kind = 'issued' AND s.proof_seq >= :first"
            + ("" if account is None else " AND c.account_index = :account")
            + ("" if state is None else " AND p.state = :state")
            + " ORDER BY s.proof_seq LIMIT :count",
            {
                "first": first,
                "account": None if account is None else self._books.known(account),
                "state": state,
                "count": count,
            },
        )

    # -- to the allowance registry ------------------------------------------------------------

    def last_seq(self) -> int:
        """Return the number of the last item, 0 before the first."""
        number: int = self._store.one("SELECT coalesce(max(proof_seq), 0) FROM proof_stream")
        return number

    def last_claim_seq(self) -> int:
        """Return the number of the last claim that was judged, 0 before the first."""
        number: int = self._store.one("SELECT coalesce(max(claim_seq), 0) FROM proof_claims")
        return number

    def items(self, first_seq: int, count: int = ITEMS_MAX) -> tuple[NumberedItem, ...]:
        """Return items from a number on, each with its signature.

        Notes
        -----
        Rules: CCER-LNK-05.
        """
        rows = self._store.execute(
            "SELECT proof_seq, item, head FROM proof_stream WHERE proof_seq >= ?"
            " ORDER BY proof_seq LIMIT ?",
            (first_seq, count),
        )
        return tuple(
            NumberedItem(proof_seq=seq, item=bytes(item), head=head, **self._signed(seq, head))
            for seq, item, head in rows.fetchall()
        )

    def _signed(self, seq: int, head: str) -> dict[str, str]:
        if self.signer is None:
            return {}
        signature = self.signer.sign(signed_words(seq, head))
        return {"signing_key": self.signer.public, "signature": signature}

    def claim(self, claim: Claim) -> ClaimAnswer:
        """Judge a claim once, and give that answer whenever it is asked again.

        Raises
        ------
        ProgrammeError
            Its number is not the next, or was another claim's: nothing was judged.

        Notes
        -----
        Rules: CCER-LNK-02.
        """
        store, asked = self._store, msgspec.msgpack.encode(claim)
        with store.transaction():
            before = store.one(
                "SELECT claim, answer FROM proof_claims WHERE claim_seq = ?", (claim.claim_seq,)
            )
            if before is not None:
                self._same_check(claim, bytes(before[0]), asked)
                return msgspec.msgpack.decode(bytes(before[1]), type=ClaimAnswer)
            due = store.next_id("proof_claims", "claim_seq")
            if claim.claim_seq != due:
                raise ProgrammeError(
                    CcerRefusal.CLAIM_OUT_OF_ORDER,
                    f"claim_seq: expected {due}, got {claim.claim_seq}",
                )
            answer = self._judge(claim)
            store.insert(
                "proof_claims (claim_seq, claim, answer)",
                [(due, asked, msgspec.msgpack.encode(answer))],
            )
        return answer

    def found(self, proof: str) -> Claimed:
        """Return a proof by its number; ProgrammeError if there is none."""
        row = self._store.one(
            "SELECT beneficiary, compliance_year, state FROM proofs WHERE proof = ?", (proof,)
        )
        if row is None:
            raise ProgrammeError(
                CcerRefusal.PROOF_UNKNOWN, f"proof: expected one that was issued, got {proof!r}"
            )
        beneficiary, year, state = row
        return Claimed(
            number=proof,
            beneficiary=beneficiary,
            compliance_year=year,
            state=ProofState(state),
        )

    # -- rows ---------------------------------------------------------------------------------

    def _judge(self, claim: Claim) -> ClaimAnswer:
        try:
            found = self.found(claim.proof)
            after = _STEPS[claim.step](found, claim.account, claim.compliance_year)
        except ProgrammeError as error:
            return ClaimAnswer(
                claim_seq=claim.claim_seq, code=error.code.name, words=str(error)
            )
        if after.state is not found.state:
            self._state_set(claim.proof, after.state)
        return ClaimAnswer(claim_seq=claim.claim_seq, state=str(after.state))

    def _same_check(self, claim: Claim, before: bytes, asked: bytes) -> None:
        if before != asked:
            raise ProgrammeError(
                CcerRefusal.CLAIM_OUT_OF_ORDER,
                f"claim {claim.claim_seq}: expected the claim of before, got another one for"
                f" {claim.proof}",
            )

    def _state_set(self, proof: str, state: ProofState) -> None:
        self._store.execute("UPDATE proofs SET state = ? WHERE proof = ?", (str(state), proof))

    def _tell(self, proof: str, item: Item) -> None:
        """Number an item for the allowance registry, if that would understand it.

        Notes
        -----
        Rules: CCER-LNK-01, CEA-REG-09.
        """
        self._store.partners.value_check()
        self._store.partners.number_check(REGISTRY)
        payload = msgspec.msgpack.encode(item)
        try:
            # What its strict decoder refuses would stop the link for good.
            item_decode(payload)
        except msgspec.ValidationError as error:
            raise ProgrammeError(CcerRefusal.VALUE_NOT_TAKEN, f"proof {proof}: {error}") from None
        seq = self._store.next_id("proof_stream", "proof_seq")
        before = self._store.one("SELECT head FROM proof_stream WHERE proof_seq = ?", (seq - 1,))
        head = head_after(before or BEFORE_ALL, payload)
        kind = "issued" if isinstance(item, ProofIssued) else "reversed"
        self._store.insert(
            "proof_stream (proof_seq, proof, kind, item, head)",
            [(seq, proof, kind, payload, head)],
        )


def issued_item(
    store: Store, number: str, lot: Lot, beneficiary: str, year: int, *, days: tuple[int, int]
) -> ProofIssued:
    """Return the item that announces a new proof to the allowance registry.

    Parameters
    ----------
    days
        When the holder applied for the cancellation, and when it was done.
    """
    applied_for_on, cancelled_on = days
    project, batch, registered_on, quota, started_on, applied_on, first, last = store.one(
        _OF_BATCH, (lot.batch,)
    )
    return ProofIssued(
        proof=number,
        compliance_year=year,
        account=beneficiary,
        project=f"{project}/{batch}",
        serial_first=lot.first,
        serial_last=lot.last,
        tonnes=lot.tonnes,
        registered_on=registered_on,
        cancelled_on=cancelled_on,
        quota_managed=quota,
        project_started_on=started_on,
        applied_on=applied_on,
        produced_from=first,
        produced_to=last,
        cancellation_applied_on=applied_for_on,
    )
