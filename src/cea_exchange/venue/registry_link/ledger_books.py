"""Reads from a venue's folder what it has of the institution that settles its trades."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cea_exchange.domain.records import EVENT_DTYPE
from cea_exchange.institution.maintenance.venue_books import VenueBooks
from cea_exchange.journal import JournalError, OsStorage, event_rows_each
from cea_exchange.journal.segment import segment_header_read, segment_paths
from cea_exchange.protocol.control import Adopt, FeedItem
from cea_exchange.venue.control_log import controls_read


def venue_books(directory: Path, archive: Path | None = None) -> VenueBooks:
    """Return what a venue has of the ledger; the venue may be at work.

    Parameters
    ----------
    directory
        A venue's data folder; nothing in it is changed.
    archive
        The journal's archive, if it is not in that folder.

    Raises
    ------
    JournalError
        The journal is not as it was written. Reading the records raises it for the events.
    OSError
        There is no journal.
    """
    items, settlement_base = [], 0
    for _, message in controls_read(directory, archive):
        if isinstance(message, FeedItem):
            items.append(message)
        elif isinstance(message, Adopt):
            settlement_base = message.state.settlement_seq
    log_id = _log_id(directory / "journal")
    return VenueBooks(log_id, settlement_base, items, _records(directory / "events", log_id))


def _log_id(journal: Path) -> str:
    storage = OsStorage()
    paths = segment_paths(journal, storage)
    if not paths:
        raise JournalError(str(journal), 0, "expected a file of the journal, found none")
    return segment_header_read(paths[-1], storage).log_id


def _records(events: Path, log_id: str) -> Iterator[np.ndarray]:
    for rows in event_rows_each(events, log_id=log_id):
        found = np.frombuffer(rows, EVENT_DTYPE)
        yield found[found["settlement_seq"] > 0]
