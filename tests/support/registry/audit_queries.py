"""The queries an auditor runs by hand, run by the tests: each must give no row."""

from typing import Any

from cea_exchange.ledger.store import Store
from cea_exchange.registry.reconciliation.audit import audit_queries


def audit_findings(store: Store) -> dict[str, list[Any]]:
    """Return query -> rows of every one that gives some."""
    found = {name: store.execute(sql).fetchall() for name, sql in audit_queries().items()}
    return {name: rows for name, rows in found.items() if rows}
