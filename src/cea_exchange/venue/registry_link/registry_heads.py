"""Journals the heads of the registry's hash chain, so that nobody can change them later."""

from collections.abc import Iterator
from pathlib import Path

from cea_exchange.journal import FrameKind, OsStorage, SegmentReader
from cea_exchange.protocol.control import FeedItem, LedgerHead, control_decode


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
    reader = SegmentReader(
        directory / "journal",
        storage=OsStorage(),
        cut_torn_tail=True,  # a venue may be at work
        archive=archive or directory / "archive",
    )
    for frame in reader.frames():
        if frame.kind != FrameKind.CONTROL:
            continue
        message = control_decode(frame.payload)
        if isinstance(message, FeedItem) and isinstance(message.command, LedgerHead):
            yield message.command.link_id, message.command.head
