"""What must hold of a CCER registry, as queries that must give no row.

Knows tables only.
"""

from functools import cache
from importlib.resources import files

from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.ledger import audit
from cea_exchange.ledger.audit import Check


@cache
def checks() -> dict[str, Check]:
    """Return the checks by name: those of every ledger, and of this folder."""
    return audit.checks(CCER_SCHEMA, files(__package__))
