"""The registry's tables: the files of ``schema/``, in the order of their names."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import zip_longest

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.ledger.database.interface import Database, DatabaseError
from cea_exchange.ledger.database.row_log import triggers_create
from cea_exchange.ledger.database.sqlite import Sqlite
from cea_exchange.ledger.database.tables import table_texts
from cea_exchange.ledger.institutions import (
    INSTITUTION_NAMES,
    province_account,
    province_account_name,
)

SCHEMA_VERSION = 7
APPEND_ONLY = (
    *("entries", "entry_days", "postings", "snapshots", "snapshot_balances", "settlement_runs"),
    *("look_alikes", "account_changes", "proposals", "decisions", "desk_settings", "acts"),
    *("business_days", "clock_acts"),
    *("allocation_previews", "allocation_units", "distributions", "distribution_lines"),
    *("deductions", "deductions_taken", "recalls", "kept_changes", "issue_reversals"),
    *("obligation_files", "obligation_entries", "surrender_lines"),
    *("borrowings", "correction_orders", "correction_refusals"),
    *("unpaid_deductions", "carryover_notices", "carryover_lines"),
    *("freeze_acts", "public_notices", "default_acts", "claims_paid"),
    *("row_changes", "chain"),
)


def schema_create(database: Database) -> None:
    """Create the tables of a new registry, with the accounts of nobody; in a transaction."""
    tables_create(database)
    guards_create(database)
    database.insert(
        "meta (id, schema_version, log_id, last_seq, confirmed_date, state)",
        [(1, SCHEMA_VERSION, None, 0, 0, "ok")],
    )
    database.insert(
        "accounts (account_index, account, account_group, kind, entity, credit_code, province,"
        " state, at_risk, bank, bank_account, sector)",
        institution_rows(),
    )


def tables_create(database: Database) -> None:
    """Create the tables without any row, to be filled as they are; in a transaction."""
    for text in table_texts():
        database.script(text)


def guards_create(database: Database) -> None:
    """Let the database refuse changes of what is only added to, and log those of the rest."""
    for table in APPEND_ONLY:
        database.append_only(table)
    triggers_create(database)


def tables_copy(source: Database, target: Database) -> None:
    """Copy all rows to a database without tables; in a transaction of each."""
    tables_create(target)
    names = _columns_of_this_version()
    for text in table_texts():
        for table in re.findall(r"^CREATE TABLE (\w+)", text, re.MULTILINE):
            columns = ", ".join(column.split()[0] for column in names[table])
            rows = source.stream(f"SELECT {columns} FROM {table}")
            target.insert(f"{table} ({columns})", rows)
    guards_create(target)


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

    Columns are compared in their order, too: what was made otherwise is not this program's. What
    else there is in the database is somebody else's.
    """
    version = schema_version(database)
    if version != SCHEMA_VERSION:
        raise DatabaseError(
            f"{database.name}: schema version: expected {SCHEMA_VERSION}, got {version}"
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
                    f" got {came}"
                )


def triggers_check(database: Database) -> None:
    """Raise `DatabaseError` unless the tables have the registry's triggers: it must not write.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    for wrong in triggers_wrong(database):
        raise DatabaseError(f"{database.name}: {wrong}")


def triggers_wrong(database: Database) -> Iterator[str]:
    """Yield the triggers of the registry's tables that are missing, changed or somebody else's."""
    expected = _triggers_of_this_version(database.triggers_made)
    tables = _columns_of_this_version()
    found = {place: text for place, text in database.triggers().items() if place[0] in tables}
    for table, name in sorted(expected.keys() | found.keys()):
        if expected.get((table, name)) != found.get((table, name)):
            is_ours = (table, name) in expected
            wrong = "is not as the registry made it" if is_ours else "is not of the registry"
            yield f"trigger {name} of table {table} {wrong}: rows may change unlogged"


@cache
def _triggers_of_this_version(
    made: Callable[[Callable[[Database], None]], dict[tuple[str, str], str]],
) -> dict[tuple[str, str], str]:
    """Return the triggers as a new database of a kind has them, by the kind's `triggers_made`."""
    return made(_guarded_create)


def _guarded_create(database: Database) -> None:
    tables_create(database)
    guards_create(database)


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
