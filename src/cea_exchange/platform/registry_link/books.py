"""The platform's items, and the verdicts and completions of the registry, to compare both books."""

from hashlib import sha256

from cea_exchange.domain.compliance.link_books import LinkBooks
from cea_exchange.ledger.record_store import RecordStore
from cea_exchange.protocol.links.platform import completion_row_hash


def link_books(store: RecordStore) -> LinkBooks:
    """Return the platform's books of the link."""
    return LinkBooks(
        items={
            number: sha256(item).hexdigest()
            for number, item in store.execute("SELECT link_seq, item FROM link_items")
        },
        verdicts={
            number: (bool(is_posted), mismatches, mark)
            for number, is_posted, mismatches, mark in store.execute(
                "SELECT link_seq, is_posted, mismatches, mark FROM link_verdicts"
            )
        },
        completions={
            row[0]: completion_row_hash(row)
            for row in store.execute(
                "SELECT completion_seq, compliance_year, owed, surrendered, offset_tonnes,"
                " completed_on, applied, deducted, covered FROM completions"
            )
        },
    )
