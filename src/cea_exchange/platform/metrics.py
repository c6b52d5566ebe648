"""What the platform counts, for Prometheus; `protocol/metrics.md` lists it."""

from cea_exchange.institution.metrics import SHARED_GAUGES, InstitutionMetrics
from cea_exchange.platform.store import PlatformStore


class PlatformMetrics(InstitutionMetrics[PlatformStore]):
    """The platform's numbers."""

    gauges = SHARED_GAUGES | {
        "filings": "Versions of documents that were entered.",
        "link_seq": "The last item sent to the registry.",
        "link_judged_seq": "The last item of which the registry gave a verdict.",
        "link_refused": "Items that the registry refused.",
    }

    def looked(self) -> dict[str, int]:
        """Return what the gauges say now."""
        one = self._store.one
        return {
            "filings": one("SELECT coalesce(max(filing_id), 0) FROM filings"),
            "link_seq": one("SELECT coalesce(max(link_seq), 0) FROM link_items"),
            "link_judged_seq": one("SELECT coalesce(max(link_seq), 0) FROM link_verdicts"),
            "link_refused": one("SELECT count(*) FROM link_verdicts WHERE is_posted = 0"),
        }
