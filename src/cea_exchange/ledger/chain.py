"""The chain of hashes over everything an institution knows: rewritten in part, it breaks.

Each transaction ends with a link. It hashes what the transaction wrote, in a text that anybody can
write again, together with the head of the link before::

    changes of rows --+
    entries ----------+--> content_hash --+
    settlement runs --+                   +--> head --> into the next link, to the venue,
    head of the link before --------------+             and on every account statement

Entries of trades and all postings are not hashed: they follow from the settlement records, which
are, and reconciling compares them row by row. What keeps no entries, or no records, has none of
them to cover (`Schema`).
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from cea_exchange.ledger.database.interface import ConstraintViolated, Database
from cea_exchange.ledger.database.tables import Schema
from cea_exchange.ledger.double_entry import EntryKind

HASH_DIGITS = 64
_ENTRY_COLUMNS = (
    "entry_id, kind, settlement_seq, business_date, account_index, counter_index, asset_index,"
    " amount, act_id, reference"
)


class LinkBroken(ConstraintViolated):
    """Somebody else wrote to the database: nothing is written on top of that."""


class Link(NamedTuple):
    """A row of `chain`; see there."""

    link_id: int
    entry_last: int
    change_last: int
    record_last: int
    content_hash: str
    receipt_root: str
    head: str


LINK_COLUMNS = ", ".join(Link._fields)
"""Of the table `chain`."""
BEFORE_ALL = Link(0, 0, 0, 0, "", "", "0" * HASH_DIGITS)
"""What the first link follows."""


def link_last(database: Database) -> Link:
    """Return the last link; `BEFORE_ALL` if there is none."""
    row = database.execute(
        f"SELECT {LINK_COLUMNS} FROM chain ORDER BY link_id DESC LIMIT 1"
    ).fetchone()
    return BEFORE_ALL if row is None else Link(*row)


def nothing_else_check(database: Database, schema: Schema, last: Link) -> None:
    """Raise `LinkBroken` if something was written since a link, or further links.

    What the institution does not write goes through its triggers, too; the next link must not cover
    it as if the institution had.
    """
    (got,) = database.execute(
        "SELECT (SELECT coalesce(max(link_id), 0) FROM chain),"
        " (SELECT coalesce(max(change_id), 0) FROM row_changes),"
        f" {_entry_last(schema)},"
        f" coalesce((SELECT head FROM chain ORDER BY link_id DESC LIMIT 1), '{BEFORE_ALL.head}')"
    ).fetchall()
    expected = (last.link_id, last.change_last, last.entry_last, last.head)
    if tuple(got) != expected:
        raise LinkBroken(
            f"{database.name}: last link, row change, entry and head: expected {expected},"
            f" got {got}: somebody else has written to it;"
            f" `{schema.institution} verify` names the place"
        )


def link_add(database: Database, schema: Schema, before: Link, receipt_root: str = "") -> Link:
    """End a transaction with its link, and return it; what changed nothing gets none."""
    ((entry_last, change_last, record_last),) = database.execute(
        f"SELECT {_entry_last(schema)},"
        " (SELECT coalesce(max(change_id), 0) FROM row_changes),"
        f" {_record_last(schema)}",
        {"before": before.record_last},
    ).fetchall()
    reached = (entry_last, change_last, max(record_last, before.record_last))
    if reached == before[1:4]:
        return before
    content = content_hash(database, schema, before, reached)
    link_id = before.link_id + 1
    head = head_of(link_id, before.head, reached, content, receipt_root)
    link = Link(link_id, *reached, content, receipt_root, head)
    database.insert(
        "chain (link_id, entry_last, change_last, record_last, content_hash, receipt_root, head)",
        [link],
    )
    return link


def _entry_last(schema: Schema) -> str:
    return "(SELECT coalesce(max(entry_id), 0) FROM entries)" if schema.has_entries else "0"


def _record_last(schema: Schema) -> str:
    """Return the SQL of the last record, which may be of a run since the link before."""
    if schema.records_table is None:
        return "0"
    return (
        f"(SELECT coalesce(max(first_seq + record_count - 1), 0) FROM {schema.records_table}"
        " WHERE first_seq > :before)"
    )


def head_of(
    link_id: int, head_before: str, reached: tuple[int, int, int], content: str, receipt_root: str
) -> str:
    """Return a link's head; `examples/receipt_check.py` does the same."""
    lines = (f"link {link_id}", head_before, " ".join(map(str, reached)), content, receipt_root)
    return sha256("\n".join([*lines, ""]).encode()).hexdigest()


def content_hash(
    database: Database, schema: Schema, before: Link, reached: tuple[int, int, int]
) -> str:
    """Return the hash of what lies between a link and the next one's ends."""
    entry_last, change_last, record_last = reached
    content = sha256()
    for line in _run_lines(database, schema, before.record_last, record_last):
        content.update(line.encode())
    for line in _entry_lines(database, before.entry_last, entry_last):
        content.update(line.encode())
    for line in _change_lines(database, before.change_last, change_last):
        content.update(line.encode())
    return content.hexdigest()


def _run_lines(database: Database, schema: Schema, after: int, last: int) -> Iterator[str]:
    if last == after:
        return
    rows = database.execute(
        f"SELECT first_seq, record_count, records_hash FROM {schema.records_table}"
        " WHERE first_seq > ? AND first_seq <= ? ORDER BY first_seq",
        (after, last),
    )
    for first_seq, record_count, records_hash in rows:
        yield f"run {first_seq} {record_count} {records_hash}\n"


def _entry_lines(database: Database, after: int, last: int) -> Iterator[str]:
    if last == after:
        return
    rows = database.execute(
        f"SELECT {_ENTRY_COLUMNS} FROM entries"
        " WHERE entry_id > ? AND entry_id <= ? AND kind <> ? ORDER BY entry_id",
        (after, last, int(EntryKind.TRADE)),
    )
    for *figures, reference in rows:
        yield f"entry {' '.join(map(str, figures))} {len(reference)}:{reference}\n"


def _change_lines(database: Database, after: int, last: int) -> Iterator[str]:
    if last == after:
        return
    rows = database.execute(
        "SELECT change_id, table_name, row_key, image FROM row_changes"
        " WHERE change_id > ? AND change_id <= ? ORDER BY change_id",
        (after, last),
    )
    for change_id, table_name, row_key, image in rows:
        yield f"change {change_id} {table_name} {len(row_key)}:{row_key} {image}\n"


def chain_breaks(database: Database, schema: Schema) -> Iterator[str]:
    """Yield where the chain is broken: the first link that is, or what no link covers.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    last = BEFORE_ALL
    for row in database.stream(f"SELECT {LINK_COLUMNS} FROM chain ORDER BY link_id"):
        link = Link(*row)
        wrong = link_wrong(database, schema, last, link)
        if wrong:
            yield f"link {link.link_id} of the chain is broken: {wrong}"
            return
        last = link
    try:
        nothing_else_check(database, schema, last)
    except LinkBroken as error:
        yield f"behind link {last.link_id}: {error}"


def link_wrong(
    database: Database, schema: Schema, before: Link, link: Link, *, is_content_read: bool = True
) -> str:
    """Return what is wrong with a link; '' if nothing.

    Parameters
    ----------
    is_content_read
        Whether what the link covers is hashed again. Otherwise its `content_hash` is believed.
    """
    reached = link[1:4]
    if link.link_id != before.link_id + 1:
        return f"it follows link {before.link_id}"
    if any(now < then for then, now in zip(before[1:4], reached, strict=True)):
        return f"it ends at {reached}, the link before at {before[1:4]}"
    content = link.content_hash
    if is_content_read and content != content_hash(database, schema, before, reached):
        return (
            f"entries {before.entry_last + 1} to {link.entry_last}, row changes"
            f" {before.change_last + 1} to {link.change_last} or records"
            f" {before.record_last + 1} to {link.record_last} are not those that were written"
        )
    if head_of(link.link_id, before.head, reached, content, link.receipt_root) != link.head:
        return "its head is not the hash of its content and of the head before"
    return ""


def records_wrong(database: Database, schema: Schema) -> Iterator[str]:
    """Yield the runs of records whose bytes are not those of their hash."""
    if schema.records_table is None:
        return
    rows = database.stream(
        f"SELECT first_seq, records, records_hash FROM {schema.records_table} ORDER BY first_seq"
    )
    for first_seq, records, records_hash in rows:
        if sha256(records).hexdigest() != records_hash:
            yield f"settlement records from {first_seq} on are not those of their hash"
