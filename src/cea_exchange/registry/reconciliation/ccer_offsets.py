"""Reads what the CCER registry sent and what counts of it, to compare both books."""

from collections.abc import Iterator

from cea_exchange.domain.ccer.offset_books import Certified, JudgedClaim, OffsetBooks
from cea_exchange.ledger.store import Store
from cea_exchange.protocol.links.ccer import signed_words
from cea_exchange.protocol.links.signatures import is_signed

_COUNTED = """SELECT o.proof, a.account, o.compliance_year, o.project, o.serial_first,
    o.serial_last, o.tonnes
FROM offset_proofs AS o JOIN accounts AS a ON a.account_index = o.account_index
WHERE o.revoked_on = 0"""


def claim_last(store: Store) -> int:
    """Return the number of the last claim that was made, 0 before the first."""
    number: int = store.one("SELECT coalesce(max(claim_seq), 0) FROM ccer_claims")
    return number


def offset_books(store: Store) -> OffsetBooks:
    """Return the registry's books of what came from the CCER registry."""
    execute = store.execute
    rows = execute("SELECT claim_seq, step, proof, answer FROM ccer_claims").fetchall()
    return OffsetBooks(
        heads=dict(execute("SELECT proof_seq, head FROM ccer_items").fetchall()),
        states=dict(execute("SELECT proof, state FROM ccer_proofs").fetchall()),
        claims={
            seq: JudgedClaim(step, proof, None if answer is None else bytes(answer))
            for seq, step, proof, answer in rows
        },
        counted={proof: Certified(*rest) for proof, *rest in execute(_COUNTED).fetchall()},
        claim_last_later=claim_last(store),
    )


def signature_differences(store: Store) -> Iterator[str]:
    """Yield what came from the CCER registry and has no signature of the key kept with it.

    Notes
    -----
    Rules: CCER-LNK-05.
    """
    rows = store.execute(
        "SELECT proof_seq, head, signing_key, signature FROM ccer_items ORDER BY proof_seq"
    )
    for seq, head, signing_key, signature in rows.fetchall():
        if not is_signed(signing_key, signature, signed_words(seq, head)):
            yield f"item {seq}: expected a signature by {signing_key}, got another"
