"""Opens the platform for the processes that answer looks: they read, and can't write."""

from collections.abc import Callable

from cea_exchange.institution.control.query_worker import LookSettings
from cea_exchange.platform.control.service import PlatformService
from cea_exchange.platform.platform import Platform
from cea_exchange.platform.store import PlatformStore

OPENER = f"{__name__}:opened"


def opened(settings: LookSettings, now_ns: Callable[[], int]) -> PlatformService:
    """Return the service upon a platform that is open for reading; see `Opener`."""
    platform = Platform(PlatformStore.open_reader(settings.data, settings.database), now_ns)
    platform.persons.operators = settings.operators
    return PlatformService(platform)
