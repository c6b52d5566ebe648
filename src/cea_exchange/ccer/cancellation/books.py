"""The proofs sent to the allowance registry, and its claims: to compare both books."""

import msgspec

from cea_exchange.domain.ccer.offset_books import CcerBooks, Certified, JudgedClaim
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.links.ccer import Claim, ClaimAnswer

_CERTIFIED = """SELECT p.proof, s.proof_seq, p.beneficiary, p.compliance_year,
    pr.project, b.batch_number, p.serial_first, p.serial_last,
    p.serial_last - p.serial_first + 1
FROM proofs AS p
JOIN proof_stream AS s ON s.proof = p.proof AND s.kind = 'issued'
JOIN issues AS i ON i.issue_number = p.issue_number
JOIN batches AS b ON b.batch_id = i.batch_id
JOIN projects AS pr ON pr.project_id = b.project_id
ORDER BY s.proof_seq"""
_CANCELLED = """SELECT coalesce(sum(l.serial_last - l.serial_first + 1), 0)
FROM cancellations AS c JOIN cancellation_lots AS l ON l.cancellation_id = c.cancellation_id
WHERE c.state = 'done' AND c.purpose = 'national_ets'"""


def books_shown(store: Store) -> CcerBooks:
    """Return the CCER registry's books of what it cancelled for the national market."""
    items = store.execute("SELECT proof_seq, proof, kind, head FROM proof_stream").fetchall()
    return CcerBooks(
        heads={seq: head for seq, _proof, _kind, head in items},
        proofs={
            proof: (seq, Certified(account, year, f"{project}/{batch}", first, last, tonnes))
            for proof, seq, account, year, project, batch, first, last, tonnes in store.execute(
                _CERTIFIED
            ).fetchall()
        },
        reversals={proof: seq for seq, proof, kind, _head in items if kind == "reversed"},
        claims={
            seq: _judged(bytes(claim), bytes(answer))
            for seq, claim, answer in store.execute(
                "SELECT claim_seq, claim, answer FROM proof_claims ORDER BY claim_seq"
            ).fetchall()
        },
        cancelled_tonnes=int(store.one(_CANCELLED)),
    )


def _judged(payload: bytes, answer: bytes) -> JudgedClaim:
    claim = msgspec.msgpack.decode(payload, type=Claim)
    state = msgspec.msgpack.decode(answer, type=ClaimAnswer).state
    return JudgedClaim(claim.step, claim.proof, answer, state)
