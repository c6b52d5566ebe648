"""The queries that an auditor of the CCER registry runs by hand: each must give no row."""

from functools import cache
from importlib.resources import files

from cea_exchange.ccer.store import CCER_SCHEMA
from cea_exchange.ledger.database.row_log import logged_rows_query

ROWS_AS_LOGGED = "rows_as_logged"


@cache
def audit_queries() -> dict[str, str]:
    """Return the queries by name, in the order of their names; each is one statement.

    All are files of this folder but `ROWS_AS_LOGGED`, which is made of the schema.
    """
    found = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8").rstrip().rstrip(";")
        for file in files(__package__).iterdir()
        if file.name.endswith(".sql")
    }
    return dict(sorted({**found, ROWS_AS_LOGGED: logged_rows_query(CCER_SCHEMA)}.items()))
