"""Which columns say the row of another table, and the query of those that say one there is not.

Most are foreign keys, which the schema declares and the database holds every statement to. Three
kinds are none, and are proved by the query alone:

- Of trades, entries, postings and balances in snapshots there are millions, written run by run. A
  look-up for each of their rows would slow settling down (`protocol/ledger.md`).
- An asset is a product, or cash, of which there is no row.
- Where a number says none, 0 is written, and an empty text where a name does.
"""

from typing import NamedTuple

from cea_exchange.ledger.database.interface import ForeignKey
from cea_exchange.ledger.database.schema import foreign_keys_of_this_version
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind


class Reference(NamedTuple):
    """A column that says the row of another table.

    Attributes
    ----------
    unless
        SQL condition under which it says none; empty if it always says one, or NULL.
    """

    key: ForeignKey
    unless: str = ""


_ACCOUNTS, _PRODUCTS = ("accounts", "account_index"), ("products", "product_index")
_OF_NO_ONE_ACCOUNT = f"kind IN ({EntryKind.TRADE:d}, {EntryKind.BUST:d})"

UNDECLARED = (
    *(
        Reference(ForeignKey("trades", column, *parent))
        for column, parent in (
            ("buyer_index", _ACCOUNTS),
            ("seller_index", _ACCOUNTS),
            ("product_index", _PRODUCTS),
        )
    ),
    Reference(ForeignKey("entries", "account_index", *_ACCOUNTS), _OF_NO_ONE_ACCOUNT),
    Reference(ForeignKey("entries", "counter_index", *_ACCOUNTS), _OF_NO_ONE_ACCOUNT),
    Reference(
        ForeignKey("entries", "asset_index", *_PRODUCTS),
        f"asset_index = {CASH_ASSET} OR {_OF_NO_ONE_ACCOUNT}",
    ),
    Reference(ForeignKey("entries", "act_id", "acts", "act_id"), "act_id = 0"),
    Reference(ForeignKey("postings", "account_index", *_ACCOUNTS)),
    Reference(ForeignKey("snapshot_balances", "account_index", *_ACCOUNTS)),
    Reference(ForeignKey("snapshot_balances", "entry_id", "snapshots", "entry_id")),
    *(
        Reference(ForeignKey(table, "asset_index", *_PRODUCTS), f"asset_index = {CASH_ASSET}")
        for table in (
            *("postings", "snapshot_balances", "postponed", "transfers", "claims"),
            *("defaults", "freezes"),
        )
    ),
    Reference(ForeignKey("acts", "proposal_id", "proposals", "proposal_id"), "proposal_id = 0"),
    Reference(
        ForeignKey("deductions_taken", "distribution_id", "distributions", "distribution_id"),
        "distribution_id = 0",
    ),
    Reference(ForeignKey("default_acts", "entry_id", "entries", "entry_id"), "entry_id = 0"),
    Reference(
        ForeignKey("bank_instructions", "batch_id", "bank_batches", "batch_id"), "batch_id = ''"
    ),
    # A transaction's link is written last, after the day whose receipts it carries.
    Reference(ForeignKey("statement_days", "link_id", "chain", "link_id")),
)


def references() -> tuple[Reference, ...]:
    """Return all of them: the keys that are declared, and the rest."""
    return (*map(Reference, sorted(foreign_keys_of_this_version())), *UNDECLARED)


def references_query() -> str:
    """Return one query of all references to rows there are not, for an auditor."""
    head = (
        "-- Whatever says the row of another table says one there is.\n"
        "-- The database itself holds the foreign keys to it; who has it open with these switched\n"
        "-- off could break them, and trades, entries, postings and what may be cash have none.\n"
        "-- Rule: CEA-REG-05\n"
        "-- Must come out: nothing. A row names the column, what it says, and where that is not.\n"
        "-- Says: {column_name} {says} of {table_name} is not in {parent}\n"
    )
    return head + "\nUNION ALL\n".join(map(_dangling, references()))


def _dangling(reference: Reference) -> str:
    table, column, parent, parent_column = reference.key
    unless = f" AND NOT ({reference.unless})" if reference.unless else ""
    return (
        f"SELECT DISTINCT '{table}' AS table_name, '{column}' AS column_name,\n"
        f"    CAST({column} AS TEXT) AS says, '{parent}' AS parent\n"
        f"FROM {table} WHERE {column} NOT IN (SELECT {parent_column} FROM {parent}){unless}"
    )
