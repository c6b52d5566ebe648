"""What must hold of the ledger, as queries: auditors run them by hand, reconciling runs them all.

A file is one check, and one statement in what SQLite and PostgreSQL have in common. Its head says
in words what must hold, by which rule, that nothing must come out, and what a row says::

    -- Rule: CEA-STL-03
    -- Must come out: nothing. A row is the day.
    -- Says: confirmed_date is {confirmed_date}: no record closes that day

What stands in braces is a column. Indexes of accounts and assets, compartments and kinds of entries
are said by their names.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from itertools import takewhile
from typing import Any, NamedTuple

from cea_exchange.ledger.database.references import references_query
from cea_exchange.ledger.database.row_log import logged_rows_query
from cea_exchange.ledger.double_entry import Compartment, EntryKind
from cea_exchange.ledger.store import Store
from cea_exchange.registry.store import REGISTRY_SCHEMA

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


@cache
def checks() -> dict[str, Check]:
    """Return all checks by name, in the order of their names.

    All are files of this folder but `REFERENCES_HELD` and `ROWS_AS_LOGGED`, which are made of the
    schema.
    """
    found = {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in files(__package__).iterdir()
        if file.name.endswith(".sql")
    }
    found[REFERENCES_HELD] = references_query(REGISTRY_SCHEMA)
    found[ROWS_AS_LOGGED] = logged_rows_query(REGISTRY_SCHEMA)
    return {name: _check(name, text) for name, text in sorted(found.items())}


def _check(name: str, text: str) -> Check:
    head = takewhile(lambda line: line.startswith("--"), text.splitlines())
    said = _HEAD.search(" ".join(line.removeprefix("-- ") for line in head))
    if said is None:
        raise ValueError(f"{name}.sql: expected Rule, Must come out and Says in its head")
    rules = tuple(said["rules"].split(", "))
    return Check(name, rules, said["says"], text.rstrip().rstrip(";"))


def findings(store: Store, *names: str) -> Iterator[str]:
    """Yield a sentence for each row that checks give: of all of them, or of those named."""
    for name in names or checks():
        check = checks()[name]
        for row in store.database.named_rows(check.sql):
            yield check.sentence(row, lambda column, value: name_of(store, column, value))


def name_of(store: Store, column: str, value: Any) -> Any:
    """Return what a column's value is called: an account, an asset, a compartment, a kind."""
    if value is None:
        return "none"
    if column.endswith(("asset_index", "product_index")):
        return store.asset_name(value)
    if column.endswith("_index"):
        return store.account_name(value)
    names = {"compartment": Compartment, "kind": EntryKind}.get(column, ())
    return next((each.name.lower() for each in names if each == value), value)
