"""The mark of a data folder whose journal is in a log: no venue goes on with it alone by mistake.

    DIR/venue/cluster.json
"""

from pathlib import Path

import msgspec

from cea_exchange.cluster.errors import ClusterRefused
from cea_exchange.journal import Storage
from cea_exchange.journal.storage import create_whole

MARK = Path("venue") / "cluster.json"


class FolderMark(
    msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True, kw_only=True
):
    """Which cluster a folder's journal is shared by.

    Attributes
    ----------
    name, node
        The cluster's and this node's.
    log_id
        Of the journal.
    base_log_seq
        The message that began this journal's life in the log.
    is_joining
        Whether it is not known here yet that the log has that message.
    leaving
        By which the folder knows its own END in the log again; empty where it was never to leave.
    leaving_before
        Those of attempts before, whose END the log may still take.
    """

    name: str
    node: str
    log_id: str
    base_log_seq: int
    is_joining: bool = False
    leaving: str = ""
    leaving_before: tuple[str, ...] = ()

    def leaving_anew(self, leaving: str) -> "FolderMark":
        """Return the mark of another attempt to leave."""
        before = (*self.leaving_before, self.leaving) if self.leaving else ()
        return msgspec.structs.replace(self, leaving=leaving, leaving_before=before)

    def is_own(self, leaving: str) -> bool:
        """Say whether an END in the log is of this folder's leaving."""
        return bool(leaving) and leaving in (self.leaving, *self.leaving_before)

    def joined_check(self) -> None:
        """Refuse a folder whose journal is half given to a log.

        Raises
        ------
        ClusterRefused
            `join` has not come to its end.
        """
        if self.is_joining:
            raise ClusterRefused(
                f"the journal here is being given to cluster {self.name}: end that with "
                "`cea-exchange cluster join`"
            )


def mark_read(data: Path, storage: Storage) -> FolderMark | None:
    """Return a folder's mark; None if its journal is its own.

    Raises
    ------
    ClusterRefused
        The file is none.
    """
    if MARK.name not in storage.names((data / MARK).parent):
        return None
    try:
        return msgspec.json.decode(storage.read(data / MARK), type=FolderMark)
    except msgspec.DecodeError as error:
        raise ClusterRefused(f"{MARK}: expected a cluster's mark, {error}") from error


def mark_write(data: Path, mark: FolderMark, storage: Storage) -> None:
    """Mark a folder, durably."""
    storage.make_directory((data / MARK).parent)
    create_whole(storage, data / MARK, msgspec.json.encode(mark)).close()


def mark_remove(data: Path, storage: Storage) -> None:
    """Take the mark away: the journal is the folder's own again."""
    storage.remove(data / MARK)
    storage.sync_directory((data / MARK).parent)


def alone_check(data: Path, storage: Storage) -> None:
    """Refuse a folder whose journal others go on with.

    Raises
    ------
    ClusterRefused
        It has a mark.
    """
    mark = mark_read(data, storage)
    if mark is not None:
        mark.joined_check()
        raise ClusterRefused(
            f"the journal here is shared by cluster {mark.name}: start with its [cluster] "
            "settings, or let it go on alone with `cea-exchange cluster leave`"
        )
