"""The queries an auditor runs by hand, run by the tests: each must give no row."""

from pathlib import Path
from typing import Any

from cea_exchange.registry.store import Store

FOLDER = Path(__file__).resolve().parents[1] / "protocol" / "audit"


def audit_findings(store: Store) -> dict[str, list[Any]]:
    """Return file -> rows of every query that gives some."""
    files = sorted(FOLDER.glob("*.sql"))
    assert files
    found = {
        file.name: store.execute(file.read_text(encoding="utf-8").rstrip().rstrip(";")).fetchall()
        for file in files
    }
    return {name: rows for name, rows in found.items() if rows}
