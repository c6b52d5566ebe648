"""The platform's items at the registry, its verdicts and completions, to compare both books."""

from hashlib import sha256

import msgspec

from cea_exchange.domain.compliance.link_books import LinkBooks
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.links.platform import Mismatch, completion_row_hash


def link_books(store: RecordStore) -> LinkBooks:
    """Return the registry's books of the link."""
    items = store.all("SELECT link_seq, item, is_posted, mismatches, mark FROM platform_items")
    return LinkBooks(
        items={number: sha256(item).hexdigest() for number, item, *_verdict in items},
        verdicts={
            number: (bool(is_posted), _lines(mismatches), mark)
            for number, _item, is_posted, mismatches, mark in items
        },
        completions={
            row[0]: completion_row_hash(row)
            for row in store.execute(
                "SELECT completion_seq, compliance_year, owed, surrendered, offset_tonnes,"
                " completed_on, applied, deducted, covered FROM platform_completions"
            )
        },
    )


def _lines(mismatches: bytes) -> str:
    lines = msgspec.msgpack.decode(mismatches, type=tuple[Mismatch, ...])
    return msgspec.json.encode(lines).decode()
