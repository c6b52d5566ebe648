"""The last epoch of the writer, beside a database that others may write to, and how it is noted.

A server that knows a lower one has been replaced by another: `ledger/database/postgres_fence.py`.
"""

import os
from pathlib import Path

from cea_exchange.ledger.database.interface import DatabaseError

FILE_NAME = "writer_epoch"


class EpochFile:
    """The last epoch under which an institution wrote, in its folder.

    It is written behind the database's own, so it may be behind that.

    Parameters
    ----------
    folder
        The institution's.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def known(self) -> int:
        """Return the epoch; 0 before the first.

        Raises
        ------
        DatabaseError
            The file is none of ours.
        """
        try:
            content = self._path.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise DatabaseError(f"{self._path} can not be read: {error.strerror}") from error
        if not content.isdecimal():
            raise DatabaseError(f"{self._path}: expected a number, got {content[:40]!r}")
        return int(content)

    def keep(self, epoch: int) -> None:
        """Keep an epoch that was taken."""
        note_write(self._path, f"{epoch}")


def note_write(path: Path, line: str) -> None:
    """Write a line into a file; after a lost power it has this one or that of before.

    Raises
    ------
    DatabaseError
        There is no room for it, or no right to.
    """
    draft = path.with_name(f"{path.name}.new")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            # Renamed before its bytes are there it could come back empty.
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise DatabaseError(f"{path} can not be written: {error.strerror}") from error
