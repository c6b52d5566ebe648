"""What must hold of an institution's records, as queries: for auditors, and for reconciling.

Those in ``acts/`` hold for the acts of every institution, those in ``entries/`` for every double
entry; an institution has its own beside them. A file is one check, and one statement in what SQLite
and PostgreSQL have in common. Its head says in words what must hold, by which rule, that nothing
must come out, and what a row says::

    -- Rule: CEA-STL-03
    -- Must come out: nothing. A row is the day.
    -- Says: confirmed_date is {confirmed_date}: no record closes that day

What stands in braces is a column. Indexes of accounts and assets, compartments and kinds of entries
are said by their names.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import takewhile
from typing import Any, NamedTuple

from cea_exchange.ledger.database.references import references_query
from cea_exchange.ledger.database.row_log import logged_rows_query
from cea_exchange.ledger.database.tables import Schema
from cea_exchange.ledger.double_entry import Compartment, EntryKind
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.ledger.store import Store

REFERENCES_HELD = "references_held"
ROWS_AS_LOGGED = "rows_as_logged"
_HEAD = re.compile(r"Rule: (?P<rules>.+?) Must come out: nothing\..* Says: (?P<says>.+)")


class Check(NamedTuple):
    """A query that must give no row.

    Attributes
    ----------
    rules
        Ids of the rules that a row would break.
    says
        What a row says, with its columns in braces.
    sql
        The file, without the semicolon at its end.
    """

    name: str
    rules: tuple[str, ...]
    says: str
    sql: str

    def sentence(self, row: dict[str, Any], name_of: Callable[[str, Any], Any]) -> str:
        """Return what a row says; `name_of` gives what a column's value is called."""
        return self.says.format_map({name: name_of(name, value) for name, value in row.items()})


def checks(schema: Schema, own: Traversable | None = None) -> dict[str, Check]:
    """Return an institution's checks by name, in the order of their names.

    All are files but `REFERENCES_HELD` and `ROWS_AS_LOGGED`, which are made of the schema.

    Parameters
    ----------
    own
        The folder of its own.
    """
    shared = files(__package__)
    folders = [shared.joinpath("acts"), *([own] if own is not None else [])]
    if schema.has_entries:
        folders.append(shared.joinpath("entries"))
    found = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for folder in folders
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }
    found[REFERENCES_HELD] = references_query(schema)
    made = {name: _check(name, text) for name, text in found.items()}
    return dict(sorted({**made, ROWS_AS_LOGGED: rows_as_logged(schema)}.items()))


@cache
def rows_as_logged(schema: Schema) -> Check:
    """Return the check of every row against the log of rows."""
    return _check(ROWS_AS_LOGGED, logged_rows_query(schema))


def _check(name: str, text: str) -> Check:
    head = takewhile(lambda line: line.startswith("--"), text.splitlines())
    said = _HEAD.search(" ".join(line.removeprefix("-- ") for line in head))
    if said is None:
        raise ValueError(f"{name}.sql: expected Rule, Must come out and Says in its head")
    rules = tuple(said["rules"].split(", "))
    return Check(name, rules, said["says"], text.rstrip().rstrip(";"))


def findings(store: RecordStore, checks: Iterable[Check]) -> Iterator[str]:
    """Yield a sentence for each row that checks give."""
    for check in checks:
        for row in store.database.named_rows(check.sql):
            yield check.sentence(row, lambda column, value: name_of(store, column, value))


def name_of(store: RecordStore, column: str, value: Any) -> Any:
    """Return what a column's value is called: an account, an asset, a compartment, a kind."""
    if value is None:
        return "none"
    if isinstance(store, Store):
        if column.endswith(("asset_index", "product_index")):
            return store.asset_name(value)
        if column.endswith("_index"):
            return store.account_name(value)
    names = {"compartment": Compartment, "kind": EntryKind}.get(column, ())
    return next((each.name.lower() for each in names if each == value), value)
