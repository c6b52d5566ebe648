"""Journals the heads of the registry's hash chain, so that nobody can change them later."""

from collections.abc import Iterator
from pathlib import Path

from cea_exchange.protocol.control import FeedItem, LedgerHead
from cea_exchange.venue.control_log import controls_read


def registry_heads(directory: Path, archive: Path | None = None) -> Iterator[tuple[int, str]]:
    """Yield link and head, oldest first.

    Parameters
    ----------
    directory
        A venue's data folder; nothing in it is changed.
    archive
        The journal's archive, if it is not in that folder.

    Raises
    ------
    JournalError
        The journal is not as it was written.
    """
    for _, message in controls_read(directory, archive):
        if isinstance(message, FeedItem) and isinstance(message.command, LedgerHead):
            yield message.command.link_id, message.command.head
