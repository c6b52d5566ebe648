"""What the tables of a schema are, read off a database that is made of them in memory."""

from functools import cache
from typing import NamedTuple

from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.database.tables import ForeignKey, Schema


class Tables(NamedTuple):
    """Tables and views, as a new database has them.

    Attributes
    ----------
    columns
        By table or view, in their order.
    primary_keys
        By table, the columns.
    foreign_keys
        That the schema declares.
    """

    columns: dict[str, list[str]]
    primary_keys: dict[str, list[str]]
    foreign_keys: frozenset[ForeignKey]


@cache
def tables_made(schema: Schema) -> Tables:
    """Return a schema's tables; made once a process, as that takes as long as many a query."""
    model = Sqlite.in_memory()
    try:
        for text in schema.texts:
            model.script(text)
        keys = frozenset(model.foreign_keys())
        return Tables(model.columns(), model.primary_keys(), keys)
    finally:
        model.close()
