"""What a venue's journal has of the registry: its feed, with the heads of its hash chain."""

from collections.abc import Iterator
from pathlib import Path

from cea_exchange.protocol.control import FeedItem, LedgerHead
from cea_exchange.venue.control_log import controls_read


def registry_items(directory: Path, archive: Path | None = None) -> Iterator[FeedItem]:
    """Yield the items of the registry's feed that the venue has taken, oldest first.

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
        if isinstance(message, FeedItem):
            yield message


def registry_heads(directory: Path, archive: Path | None = None) -> Iterator[tuple[int, str]]:
    """Yield link and head of the registry's chain, oldest first; see `registry_items`."""
    for item in registry_items(directory, archive):
        if isinstance(item.command, LedgerHead):
            yield item.command.link_id, item.command.head
