"""Reads the control messages of a venue's journal, from any data folder, running or not."""

import errno
from collections.abc import Iterator
from pathlib import Path

from cea_exchange.journal import Frame, FrameKind, OsStorage, SegmentReader
from cea_exchange.protocol.control import AnyControl, control_decode


def controls_read(
    data: Path | str, archive: Path | None = None
) -> Iterator[tuple[Frame, AnyControl]]:
    """Yield each with its frame, oldest first. Changes nothing.

    Parameters
    ----------
    data
        The data folder.
    archive
        The journal's archive, if it is not in the data folder.

    Raises
    ------
    JournalError
        The journal is damaged.
    OSError
        There is none.
    """
    directory = Path(data) / "journal"
    if not directory.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is none", str(directory))
    reader = SegmentReader(
        directory,
        storage=OsStorage(),
        # The last frame of a running venue may be half written: it is left out, as a restart would.
        cut_torn_tail=True,
        archive=archive or Path(data) / "archive",
    )
    for frame in reader.frames():
        if frame.kind == FrameKind.CONTROL:
            yield frame, control_decode(frame.payload)
