"""The last link's head, beside the database: what was committed can't be taken off it unseen.

Who may write to the database only can make it end earlier, so that its chain is whole; this file
still says how far it had come. It is written behind each commit and never synced: it may be behind
the database, never before it.
"""

import os
from pathlib import Path

from cea_exchange.ledger.chain import HASH_DIGITS, Link
from cea_exchange.ledger.database.interface import DatabaseError

FILE_NAME = "chain_head"
_NUMBER_DIGITS = 20


class HeadFile:
    """The file, open to be written.

    Parameters
    ----------
    folder
        The registry's.

    Raises
    ------
    DatabaseError
        It can't be opened.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE_NAME
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseError(f"{path} can not be written: {error.strerror}") from error

    def keep(self, link: Link) -> None:
        """Write the head of a link that was committed; without it the file is only behind."""
        line = f"{link.link_id:0{_NUMBER_DIGITS}} {link.head}\n".encode()
        try:
            # Only the first one makes the file longer, and may come short on a full disk.
            if os.pwrite(self._descriptor, line, 0) < len(line):
                os.ftruncate(self._descriptor, 0)
        except OSError as error:
            # Commands that ask a daemon come by here, and do without a tenth of a second more.
            import structlog

            structlog.get_logger(__name__).warning("chain_head_not_kept", error=str(error))

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def head_kept(folder: Path) -> tuple[int, str] | None:
    """Return the link and its head that a registry's folder knows of; None before the first.

    Raises
    ------
    DatabaseError
        The file is none of ours, or can't be read.
    """
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DatabaseError(f"{path} can not be read: {error.strerror}") from error
    if not content:
        return None
    number, _, head = content.decode("ascii", "replace").removesuffix("\n").partition(" ")
    if not number.isdecimal() or len(head) != HASH_DIGITS:
        raise DatabaseError(f"{path}: expected a link's number and its head, got {content[:90]!r}")
    return int(number), head
