"""What must hold of the registry's ledger, as queries that must give no row."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from cea_exchange.ledger import audit
from cea_exchange.ledger.audit import Check
from cea_exchange.ledger.store import Store
from cea_exchange.registry.store import REGISTRY_SCHEMA


@cache
def checks() -> dict[str, Check]:
    """Return the checks by name: those of every ledger, and of this folder."""
    return audit.checks(REGISTRY_SCHEMA, files(__package__))


def findings(store: Store, *names: str) -> Iterator[str]:
    """Yield a sentence for each row that checks give: of all of them, or of those named."""
    return audit.findings(store, (checks()[name] for name in names or checks()))
