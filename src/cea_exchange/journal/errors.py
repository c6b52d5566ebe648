"""Errors of a journal, each with the place and the sequence."""


class JournalError(Exception):
    """The files are not what was written; nothing may start on them.

    Parameters
    ----------
    place : str
        File and byte offset, `00000000000000000001.seg at byte 192`.
    seq : int
        The first sequence number that can no longer be trusted.
    what : str
        What was expected and what was found.
    """

    def __init__(self, place: str, seq: int, what: str):
        super().__init__(f"sequence {seq}: {what} ({place})")
        self.place = place
        self.seq = seq
        self.what = what


class EventDamaged(JournalError):
    """An event of the store is not as it was written, or nothing says that it is."""


class JournalFull(Exception):
    """The disk takes no more: nothing was appended, and appending may be tried again later."""


class JournalPoisoned(Exception):
    """A cut or sync failed, so what is on disk is unknown: release nothing and exit."""
