"""Proof that one row of a table is as the institution committed it.

    row --image--> last change of its key --content_hash--> its link --heads--> the last link

The writer knows the head of the last link from its own commit. Somebody who only writes to the
database cannot change the row, its log and the chain so that all of them still lead to that head.
"""

from cea_exchange.ledger.chain import BEFORE_ALL, LINK_COLUMNS, Link, LinkBroken, link_wrong
from cea_exchange.ledger.database.interface import Database
from cea_exchange.ledger.database.row_log import logged_tables
from cea_exchange.ledger.database.tables import Schema


def row_check(
    database: Database, schema: Schema, last: Link, table: str, key_column: str, key: int
) -> None:
    """Raise `LinkBroken` unless a row is what the log of rows says and the chain commits to.

    It reads the links back to the one that covers the row, so that its cost grows with the
    number of transactions since then.

    Parameters
    ----------
    last
        The link of the writer's last commit.
    key_column, key
        Of the table's primary key, a single integer.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    logged = next(each for each in logged_tables(schema) if each.name == table)
    what = f"{database.name}: row {key} of {table}"
    row = database.execute(
        f"SELECT {logged.image()} FROM {table} WHERE {key_column} = ?", (key,)
    ).fetchone()
    change = database.execute(
        "SELECT change_id, image FROM row_changes WHERE table_name = ? AND row_key = ?"
        " ORDER BY change_id DESC LIMIT 1",
        (table, str(key)),
    ).fetchone()
    if row is None or change is None or row[0] != change[1]:
        raise LinkBroken(f"{what}: expected the row as it was logged, got another one")
    _change_check(database, schema, last, change[0], what)


def _change_check(
    database: Database, schema: Schema, last: Link, change_id: int, what: str
) -> None:
    """Follow the heads from the last link back to the link that covers a change."""
    links = [
        Link(*row)
        for row in database.execute(
            f"SELECT {LINK_COLUMNS} FROM chain WHERE link_id >= coalesce("
            "(SELECT link_id FROM chain WHERE change_last < ? ORDER BY link_id DESC LIMIT 1), 0)"
            " ORDER BY link_id",
            (change_id,),
        )
    ]
    before = links.pop(0) if links and links[0].change_last < change_id else BEFORE_ALL
    if not links or links[-1] != last:
        raise LinkBroken(f"{what}: expected a chain that ends in the link of the last commit")
    for number, link in enumerate(links):
        # Only the first of them covers the change; of the others the heads must follow.
        if wrong := link_wrong(database, schema, before, link, is_content_read=number == 0):
            raise LinkBroken(f"{what}: link {link.link_id} of the chain is broken: {wrong}")
        before = link
