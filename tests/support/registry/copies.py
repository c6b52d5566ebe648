"""Copies of a registry's database, as `registry backup` and `restore` make them."""

from functools import partial

from cea_exchange.institution.maintenance import backup as copies
from cea_exchange.registry.reconciliation.reconcile import check_store
from cea_exchange.registry.store import RegistryStore

backup = partial(copies.backup, RegistryStore)
restore = partial(copies.restore, RegistryStore, check_store)
