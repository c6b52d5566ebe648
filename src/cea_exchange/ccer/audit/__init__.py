"""The queries that an auditor of the CCER registry runs by hand: each must give no row."""

from functools import cache
from importlib.resources import files

from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.ledger import audit


@cache
def audit_queries() -> dict[str, str]:
    """Return the queries by name: those of every ledger, and of this folder."""
    return audit.audit_queries(CCER_SCHEMA, files(__package__))
