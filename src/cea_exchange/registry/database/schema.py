"""The registry's tables: the files of ``schema/``, in the order of their names."""

import re
from functools import cache
from importlib.resources import files
from itertools import zip_longest

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.registry.database.interface import Database, DatabaseError
from cea_exchange.registry.database.sqlite import Sqlite
from cea_exchange.registry.institutions import (
    INSTITUTION_NAMES,
    province_account,
    province_account_name,
)

SCHEMA_VERSION = 5
APPEND_ONLY = (
    *("entries", "postings", "snapshots", "snapshot_balances", "settlement_runs"),
    *("look_alikes", "account_changes", "proposals", "decisions", "desk_settings", "acts"),
    *("allocation_previews", "allocation_units", "distributions", "distribution_lines"),
    *("deductions", "deductions_taken", "recalls", "kept_changes", "issue_reversals"),
    *("obligation_files", "obligation_entries", "surrender_lines"),
    *("unpaid_deductions", "carryover_notices", "carryover_lines"),
    *("freeze_acts", "public_notices", "default_acts"),
)


def schema_create(database: Database) -> None:
    """Create the tables of a new registry, with the accounts of nobody; in a transaction."""
    tables_create(database)
    database.insert("meta", [(1, SCHEMA_VERSION, None, 0, 0, "ok")])
    database.insert("accounts", institution_rows())


def tables_create(database: Database) -> None:
    """Create the tables without any row; in a transaction."""
    for text in _texts():
        database.script(text)
    for table in APPEND_ONLY:
        database.append_only(table)


def tables_copy(source: Database, target: Database) -> None:
    """Copy all rows to empty tables of the same version; in a transaction of each."""
    for text in _texts():
        for table in re.findall(r"^CREATE TABLE (\w+)", text, re.MULTILINE):
            target.insert(table, source.stream(f"SELECT * FROM {table}"))


def _texts() -> list[str]:
    found = sorted(files(__package__).joinpath("schema").iterdir(), key=lambda file: file.name)
    return [file.read_text(encoding="utf-8") for file in found]


def table_text(table: str) -> str:
    """Return the statements that create a table and its indexes."""
    text = "".join(_texts())
    found = re.findall(rf"^CREATE TABLE {table} \(.*?^\).*?;\n", text, re.MULTILINE | re.DOTALL)
    indexes = re.findall(rf"^CREATE .*INDEX \w+ ON {table} .*\n", text, re.MULTILINE)
    return "".join([*found, *indexes])


def institution_rows() -> list[tuple[object, ...]]:
    """Return the rows in `accounts` of institutions and provinces."""
    rows = [
        (int(index), name, "", "institution", name, None, 0, "open", 0, "", "", "")
        for index, name in INSTITUTION_NAMES.items()
    ]
    for code in PROVINCES:
        index, name = province_account(code), province_account_name(code)
        rows.append((index, name, "", "province", name, None, code, "open", 0, "", "", ""))
    return rows


def schema_check(database: Database) -> None:
    """Raise `DatabaseError` unless version, tables and columns are those of this program.

    Columns are compared in their order, too: rows are written without naming them. What else there
    is in the database is somebody else's.
    """
    version = schema_version(database)
    if version != SCHEMA_VERSION:
        way = "; `cea-exchange registry migrate` brings it there" if version in (3, 4) else ""
        raise DatabaseError(
            f"{database.name}: schema version must be {SCHEMA_VERSION}, was {version}{way}"
        )
    found = database.columns()
    for table, columns in _columns_of_this_version().items():
        if table not in found:
            raise DatabaseError(f"{database.name}: expected a table {table}, there is none")
        for place, pair in enumerate(zip_longest(columns, found[table], fillvalue="none"), 1):
            expected, came = pair
            if expected != came:
                raise DatabaseError(
                    f"{database.name}: table {table}, column {place}: expected {expected},"
                    f" came {came}"
                )


@cache
def _columns_of_this_version() -> dict[str, list[str]]:
    """Return table or view -> columns, as a new database has them."""
    model = Sqlite.in_memory()
    try:
        tables_create(model)
        return model.columns()
    finally:
        model.close()


def schema_version(database: Database) -> int:
    """Return the version of a database's tables; one of before 4 knows it by itself only."""
    try:
        return database.execute("SELECT schema_version FROM meta").fetchone()[0]
    except DatabaseError:
        return database.execute("PRAGMA user_version").fetchone()[0]
