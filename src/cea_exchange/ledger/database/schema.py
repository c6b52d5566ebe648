"""An institution's tables in a database: made, copied, and compared with what they must be."""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import zip_longest
from typing import Any

from cea_exchange.ledger.database.interface import Database, DatabaseError
from cea_exchange.ledger.database.model import tables_made
from cea_exchange.ledger.database.row_log import triggers_create
from cea_exchange.ledger.database.tables import ForeignKey, Schema

UNNAMED = "registry"
"""Whose a database is that does not say so: it is of the time when there was one institution."""
_DEFINITIONS_MADE: dict[tuple[str, Schema], dict[str, str]] = {}


def schema_create(database: Database, schema: Schema) -> None:
    """Create the tables of a new institution, with its first rows; in a transaction."""
    tables_create(database, schema)
    guards_create(database, schema)
    for into, rows in schema.first_rows():
        database.insert(into, rows)


def tables_create(database: Database, schema: Schema) -> None:
    """Create the tables without any row, to be filled as they are; in a transaction."""
    for text in schema.texts:
        database.script(text)


def guards_create(database: Database, schema: Schema) -> None:
    """Let the database refuse changes of what is only added to, and log those of the rest."""
    for table in schema.guarded:
        database.append_only(table)
    triggers_create(database, schema)


def tables_copy(source: Database, target: Database, schema: Schema) -> None:
    """Copy all rows to a database without tables; in a transaction of each."""
    tables_create(target, schema)
    names = tables_made(schema).columns
    for table in schema.tables:
        columns = ", ".join(column.split()[0] for column in names[table])
        rows = source.stream(f"SELECT {columns} FROM {table}")
        target.insert(f"{table} ({columns})", rows)
    guards_create(target, schema)


def schema_check(database: Database, schema: Schema) -> None:
    """Raise `DatabaseError` unless institution, version, tables, columns and keys are a schema's.

    Columns are compared in their order, too: what was made otherwise is not this program's; and so
    is a table that is not strict, an index that is not unique any more, a view that says something
    else. What else there is in the database is somebody else's.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    found = database.columns()
    whose = _institution_of(database, found.get("meta", []))
    if whose != schema.institution and "meta" in found:
        raise DatabaseError(
            f"{database.name}: expected a database of the {schema.institution}, got one of the"
            f" {whose}"
        )
    version = schema_version(database)
    if version != schema.version:
        raise DatabaseError(
            f"{database.name}: schema version: expected {schema.version}, got {version}"
        )
    for table, columns in tables_made(schema).columns.items():
        if table not in found:
            raise DatabaseError(f"{database.name}: expected a table {table}, there is none")
        for place, pair in enumerate(zip_longest(columns, found[table], fillvalue="none"), 1):
            expected, got = pair
            if expected != got:
                raise DatabaseError(
                    f"{database.name}: table {table}, column {place}: expected {expected},"
                    f" got {got}"
                )
    missing = declared_keys(schema) - database.foreign_keys()
    for key in sorted(missing):
        raise DatabaseError(f"{database.name}: expected a foreign key {key}, there is none")
    expected_definitions, made = _definitions(database, schema), database.definitions()
    for name, text in sorted(expected_definitions.items()):
        if made.get(name) != text:
            raise DatabaseError(
                f"{database.name}: {name}: expected as the {schema.institution} made it,"
                f" got {'none' if name not in made else 'another'}"
            )


def _definitions(database: Database, schema: Schema) -> dict[str, str]:
    """Return the definitions of a new database; made once a process for each kind."""
    place = database.kind, schema
    if place not in _DEFINITIONS_MADE:
        create = partial(tables_create, schema=schema)
        if not (made := database.definitions_made(create)):
            return made
        _DEFINITIONS_MADE[place] = made
    return _DEFINITIONS_MADE[place]


def _institution_of(database: Database, meta: list[str]) -> str:
    if "institution TEXT" not in meta:
        return UNNAMED
    row = database.execute("SELECT institution FROM meta").fetchone()
    return "nobody" if row is None else str(row[0])


def triggers_check(database: Database, schema: Schema) -> None:
    """Raise `DatabaseError` unless the tables have the schema's triggers: one must not write then.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    for wrong in triggers_wrong(database, schema):
        raise DatabaseError(f"{database.name}: {wrong}")


def triggers_wrong(database: Database, schema: Schema) -> Iterator[str]:
    """Yield the triggers of an institution's tables that are missing, changed or another's."""
    expected = _triggers(schema, database.triggers_made)
    tables, whose = tables_made(schema).columns, schema.institution
    found = {place: text for place, text in database.triggers().items() if place[0] in tables}
    for table, name in sorted(expected.keys() | found.keys()):
        if expected.get((table, name)) != found.get((table, name)):
            is_ours = (table, name) in expected
            wrong = f"is not as the {whose} made it" if is_ours else f"is not of the {whose}"
            yield f"trigger {name} of table {table} {wrong}: rows may change unlogged"


@cache
def _triggers(
    schema: Schema, made: Callable[[Callable[[Any], None]], dict[tuple[str, str], str]]
) -> dict[tuple[str, str], str]:
    """Return the triggers as a new database of a kind has them, by the kind's `triggers_made`."""
    return made(partial(_guarded_create, schema=schema))


def _guarded_create(database: Database, schema: Schema) -> None:
    tables_create(database, schema)
    guards_create(database, schema)


def declared_keys(schema: Schema) -> frozenset[ForeignKey]:
    """Return the foreign keys that a schema declares."""
    return tables_made(schema).foreign_keys


def schema_version(database: Database) -> int:
    """Return the version of a database's tables.

    Raises
    ------
    DatabaseError
        It has none: the tables are somebody else's.
    """
    row = database.execute("SELECT schema_version FROM meta").fetchone()
    if row is None:
        raise DatabaseError(f"{database.name}: expected a row in meta, there is none")
    version: int = row[0]
    return version
