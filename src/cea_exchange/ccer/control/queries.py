"""Opens the CCER registry for the processes that answer looks: they read, and can't write."""

from collections.abc import Callable

from cea_exchange.ccer.ccer_registry import CcerRegistry
from cea_exchange.ccer.control.service import CcerService
from cea_exchange.ccer.store import CcerStore
from cea_exchange.institution.clock import GivenClock
from cea_exchange.institution.control.query_worker import LookSettings

OPENER = f"{__name__}:opened"


def opened(settings: LookSettings, now_ns: Callable[[], int]) -> CcerService:
    """Return the service upon a CCER registry that is open for reading; see `Opener`."""
    store = CcerStore.open_reader(settings.data, settings.database)
    ccer = CcerRegistry(store, GivenClock(now_ns))
    ccer.persons.operators = settings.operators
    return CcerService(ccer)
