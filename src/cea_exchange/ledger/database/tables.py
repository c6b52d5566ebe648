"""What tables an institution has: their texts, and how the database guards each of them.

Some are every institution's, of who acts and what was done (``schema/acts``), and those of double
entry (``schema/entries``) belong to whoever holds something for others; the rest is its own.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

ACTS_APPEND_ONLY = (
    *("proposals", "decisions", "role_settings", "acts", "business_days", "clock_acts"),
    *("calendar_files", "row_changes", "chain", "partner_heads"),
)
ENTRIES_APPEND_ONLY = ("entries", "entry_days", "postings", "snapshots", "snapshot_balances")

CHAINED = frozenset({"row_changes", "chain", "entries"})
"""Not in the log of rows: the chain covers them themselves."""
FOLLOWING = frozenset({"postings", "snapshots", "snapshot_balances"})
"""Neither: what they must be follows from the entries, row by row; reconciling compares it."""

FirstRows = Iterable[tuple[str, Iterable[Sequence[Any]]]]
"""Table and columns, as `Database.insert` takes them, and rows."""


class ForeignKey(NamedTuple):
    """A column whose values are those of another table's column."""

    table: str
    column: str
    parent: str
    parent_column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column} -> {self.parent}.{self.parent_column}"


class Reference(NamedTuple):
    """A column that says the row of another table.

    Attributes
    ----------
    unless
        SQL condition under which it says none; empty if it always says one, or NULL.
    """

    key: ForeignKey
    unless: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Schema:
    """The tables of one institution's database.

    Attributes
    ----------
    institution
        Its name: that of its folder in the data folder, and of the SQLite file in it. Its own
        `meta` has it in a column ``institution``, by which no other opens the database.
    version
        Of the tables; `meta` has it in ``schema_version``.
    own
        The package's folder of its own tables. Files are read in the order of their names, among
        those that are shared.
    roles
        That its persons may have.
    append_only
        Its own tables whose rows never change.
    first_rows
        Gives the rows of a new database, that of `meta` the first.
    has_entries
        Whether it keeps double entry. Then its own tables are, too: ``accounts (account_index,
        account, ...)``, ``products (product_index, product, ...)``, and in `meta` how far the
        settlement of a venue's records is: ``log_id, last_seq, confirmed_date, state``.
    records_table
        A table of numbered records as they came in, which the chain covers itself; its columns are
        ``first_seq, record_count, records, records_hash``.
    undeclared
        References of its own tables that are no foreign keys: ledger/database/references.py.
    logged_where
        Table -> which of its rows are logged: a condition, with ``{row}`` before a column.
    logged_from_changes_on
        Tables into which millions of rows go that are not logged: there a trigger a row, even one
        that does nothing, is a tenth of the work. A row to be logged is inserted as one that is
        not, then changed; one that was inserted otherwise is not in the log, and shows.
    """

    institution: str
    version: int
    own: Traversable
    roles: tuple[str, ...]
    append_only: tuple[str, ...]
    first_rows: Callable[[], FirstRows]
    has_entries: bool = False
    records_table: str | None = None
    undeclared: tuple[Reference, ...] = ()
    logged_where: Mapping[str, str] = field(default_factory=dict)
    logged_from_changes_on: frozenset[str] = frozenset()

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The statements that create the tables, file by file."""
        shared = files(__package__).joinpath("schema")
        folders = [self.own, shared.joinpath("acts")]
        if self.has_entries:
            folders.append(shared.joinpath("entries"))
        found = {file.name: file for folder in folders for file in folder.iterdir()}
        roles = ", ".join(f"'{role}'" for role in self.roles)
        return tuple(
            file.read_text(encoding="utf-8").replace("{roles}", roles)
            for _name, file in sorted(found.items())
        )

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables, in the order in which they are created."""
        return tuple(re.findall(r"^CREATE TABLE (\w+)", "".join(self.texts), re.MULTILINE))

    @property
    def guarded(self) -> tuple[str, ...]:
        """All tables whose rows never change."""
        entries = ENTRIES_APPEND_ONLY if self.has_entries else ()
        return (*entries, *ACTS_APPEND_ONLY, *self.append_only)

    @property
    def unlogged(self) -> frozenset[str]:
        """The tables whose rows are not logged."""
        records = () if self.records_table is None else (self.records_table,)
        return CHAINED | FOLLOWING | {*records}
