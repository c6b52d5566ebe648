"""The queries that an auditor runs by hand, and that reconciling runs: each must give no row.

Those in ``entries/`` hold for every double entry; an institution has its own beside them.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable

from cea_exchange.ledger.database.row_log import logged_rows_query
from cea_exchange.ledger.database.tables import Schema

ROWS_AS_LOGGED = "rows_as_logged"


def audit_queries(schema: Schema, own: Traversable | None = None) -> dict[str, str]:
    """Return an institution's queries by name, in the order of their names; each is one statement.

    All are files but `ROWS_AS_LOGGED`, which is made of the schema.

    Parameters
    ----------
    own
        The folder of its own.
    """
    folders = [own] if own is not None else []
    if schema.has_entries:
        folders.append(files(__package__).joinpath("entries"))
    found = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8").rstrip().rstrip(";")
        for folder in folders
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }
    return dict(sorted({**found, ROWS_AS_LOGGED: logged_rows_query(schema)}.items()))
