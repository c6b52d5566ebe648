"""The queries an auditor runs by hand, run by the tests: each must give no row."""

from typing import Any

from cea_exchange.ledger.store import Store
from cea_exchange.registry.reconciliation.audit import checks


def audit_findings(store: Store) -> dict[str, list[Any]]:
    """Return query -> rows of every one that gives some."""
    found = {name: store.execute(check.sql).fetchall() for name, check in checks().items()}
    return {name: rows for name, rows in found.items() if rows}
