"""The platform's daemon: an institution's, and a door for the registry."""

from cea_exchange.institution.link_daemon import LinkDaemon
from cea_exchange.platform.config import PlatformConfig
from cea_exchange.platform.control.queries import OPENER
from cea_exchange.platform.machine import PlatformMachine
from cea_exchange.platform.metrics import PlatformMetrics
from cea_exchange.platform.store import PlatformStore


class PlatformDaemon(LinkDaemon[PlatformConfig, PlatformStore, PlatformMachine]):
    """A running platform; see `LinkDaemon`."""

    store_class = PlatformStore
    machine_class = PlatformMachine
    opener = OPENER
    # Verdicts on items of many lines come with a question.
    question_bytes_max = 1 << 19

    def metrics_made(self) -> PlatformMetrics:
        """Return what is counted."""
        return PlatformMetrics(self._store)
