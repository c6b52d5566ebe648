"""The queries that an auditor of the registry runs by hand: each must give no row."""

from functools import cache
from importlib.resources import files

from cea_exchange.ledger import audit
from cea_exchange.registry.store import REGISTRY_SCHEMA


@cache
def audit_queries() -> dict[str, str]:
    """Return the queries by name: those of every ledger, and of this folder."""
    return audit.audit_queries(REGISTRY_SCHEMA, files(__package__))
