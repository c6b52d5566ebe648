"""Foreign keys: which columns name a row of another table, and a query for rows that lack theirs.

Most are foreign keys, which the schema declares and the database holds every statement to. Three
kinds are none, and are proved by the query alone:

- Of trades, entries, postings and balances in snapshots there are millions, written run by run. A
  look-up for each of their rows would slow settling down (`protocol/ledger.md`).
- An asset is a product, or cash, of which there is no row.
- Where a number says none, 0 is written, and an empty text where a name does.
"""

from cea_exchange.ledger.database.schema import declared_keys
from cea_exchange.ledger.database.tables import ForeignKey, Reference, Schema
from cea_exchange.ledger.double_entry import CASH_ASSET, EntryKind

_ACCOUNTS, _PRODUCTS = ("accounts", "account_index"), ("products", "product_index")
_OF_NO_ONE_ACCOUNT = f"kind IN ({EntryKind.TRADE:d}, {EntryKind.BUST:d})"

OF_ACTS = (
    Reference(ForeignKey("acts", "proposal_id", "proposals", "proposal_id"), "proposal_id = 0"),
)
OF_ENTRIES = (
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
        for table in ("postings", "snapshot_balances")
    ),
)


def undeclared(schema: Schema) -> tuple[Reference, ...]:
    """Return the references of a schema that are no foreign keys, and that the audit proves."""
    entries = OF_ENTRIES if schema.has_entries else ()
    return (*OF_ACTS, *entries, *schema.undeclared)


def references(schema: Schema) -> tuple[Reference, ...]:
    """Return all of them: the keys that are declared, and the rest."""
    return (*map(Reference, sorted(declared_keys(schema))), *undeclared(schema))


def references_query(schema: Schema) -> str:
    """Return one query of all references to rows there are not, for an auditor."""
    head = (
        "-- Whatever says the row of another table says one there is.\n"
        "-- The database itself holds the foreign keys to it; who has it open with these switched\n"
        "-- off could break them, and trades, entries, postings and what may be cash have none.\n"
        "-- Rule: CEA-REG-05\n"
        "-- Must come out: nothing. A row names the column, what it says, and where that is not.\n"
        "-- Says: {column_name} {says} of {table_name} is not in {parent}\n"
    )
    return head + "\nUNION ALL\n".join(map(_dangling, references(schema)))


def _dangling(reference: Reference) -> str:
    table, column, parent, parent_column = reference.key
    unless = f" AND NOT ({reference.unless})" if reference.unless else ""
    return (
        f"SELECT DISTINCT '{table}' AS table_name, '{column}' AS column_name,\n"
        f"    CAST({column} AS TEXT) AS says, '{parent}' AS parent\n"
        f"FROM {table} WHERE {column} NOT IN (SELECT {parent_column} FROM {parent}){unless}"
    )
