"""Opens the registry for the processes that answer looks: they read, and can't write."""

from collections.abc import Callable

import msgspec

from cea_exchange.institution.control.query_worker import LookSettings
from cea_exchange.registry.bank.setting import BankSetting
from cea_exchange.registry.control.service import RegistryService
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.store import RegistryStore

OPENER = f"{__name__}:opened"


def opened(settings: LookSettings, now_ns: Callable[[], int]) -> RegistryService:
    """Return the service upon a registry that is open for reading; see `Opener`."""
    registry = Registry(RegistryStore.open_reader(settings.data, settings.database), now_ns)
    registry.persons.operators = settings.operators
    registry.bank.setting = msgspec.convert(settings.own, BankSetting | None)
    return RegistryService(registry)
