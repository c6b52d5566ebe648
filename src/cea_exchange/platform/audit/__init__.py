"""What must hold of the platform's records, as queries: for auditors, and for reconciling.

How a query is written stands in `ledger.audit`. Knows tables, and the items of the link.
"""

from functools import cache
from importlib.resources import files

from cea_exchange.ledger import audit
from cea_exchange.ledger.audit import Check
from cea_exchange.platform.store import PLATFORM_SCHEMA


@cache
def checks() -> dict[str, Check]:
    """Return the checks by name: those of every institution, and of this folder."""
    return audit.checks(PLATFORM_SCHEMA, files(__package__))
