"""The queries that an auditor of the CCER registry runs by hand: each must give no row."""

from functools import cache
from importlib.resources import files

from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.ledger.database.references import references_query
from cea_exchange.ledger.database.row_log import logged_rows_query

REFERENCES_HELD = "references_held"
ROWS_AS_LOGGED = "rows_as_logged"


@cache
def audit_queries() -> dict[str, str]:
    """Return the queries by name, in the order of their names; each is one statement.

    All are files of this folder but `REFERENCES_HELD` and `ROWS_AS_LOGGED`, which are made of the
    schema.
    """
    found = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8").rstrip().rstrip(";")
        for file in files(__package__).iterdir()
        if file.name.endswith(".sql")
    }
    found[REFERENCES_HELD] = references_query(CCER_SCHEMA)
    found[ROWS_AS_LOGGED] = logged_rows_query(CCER_SCHEMA)
    return dict(sorted(found.items()))
