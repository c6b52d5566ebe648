"""The CCER registry's daemon: an institution's, and a door for the allowance registry."""

from cea_exchange.ccer.cancellation.link import QUESTION_BYTES_MAX
from cea_exchange.ccer.config import CcerConfig
from cea_exchange.ccer.control.queries import OPENER
from cea_exchange.ccer.machine import CcerMachine
from cea_exchange.ccer.metrics import CcerMetrics
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.link_daemon import LinkDaemon


class CcerDaemon(LinkDaemon[CcerConfig, CcerStore, CcerMachine]):
    """A running CCER registry; see `LinkDaemon`."""

    store_class = CcerStore
    machine_class = CcerMachine
    opener = OPENER
    question_bytes_max = QUESTION_BYTES_MAX

    def metrics_made(self) -> CcerMetrics:
        """Return what is counted."""
        return CcerMetrics(self._store)
