"""What the CCER registry counts, for Prometheus; `protocol/metrics.md` lists it."""

from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.metrics import SHARED_GAUGES, InstitutionMetrics


class CcerMetrics(InstitutionMetrics[CcerStore]):
    """The CCER registry's numbers."""

    gauges = SHARED_GAUGES | {
        "issued_tonnes": "CCERs that were issued.",
        "entries": "Entries in the ledger.",
        "moves": "Moves of lots.",
        "settlement_seq": "How far the exchange's settlement stream is applied.",
        "confirmed_date": "The last trading day that is delivered and compared.",
        "deliveries_failed": "What could not be delivered and waits for its tonnes.",
        "proof_seq": "The last item sent to the allowance registry.",
        "claim_seq": "The last claim of it that was judged.",
        "proofs_reserved": "Proofs that are kept for an account and not used yet.",
    }

    def looked(self) -> dict[str, int]:
        """Return what the gauges say now."""
        one = self._store.one
        return {
            "issued_tonnes": int(one("SELECT coalesce(sum(tonnes), 0) FROM issues")),
            "entries": self._store.entry_last,
            "moves": one("SELECT coalesce(max(move_id), 0) FROM lot_moves"),
            "settlement_seq": self._store.last_seq,
            "confirmed_date": self._store.confirmed_date,
            "deliveries_failed": one(
                "SELECT count(*) FROM deliveries WHERE entry_id = 0 AND state = 'failed'"
            ),
            "proof_seq": one("SELECT coalesce(max(proof_seq), 0) FROM proof_stream"),
            "claim_seq": one("SELECT coalesce(max(claim_seq), 0) FROM proof_claims"),
            "proofs_reserved": one("SELECT count(*) FROM proofs WHERE state = 'reserved'"),
        }
