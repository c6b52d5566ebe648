"""CCERs that were issued on false papers: their owner has as many cancelled."""

from typing import NamedTuple


class Restitution(NamedTuple):
    """What an owner of false CCERs has cancelled by force now, and still has to return."""

    cancelled: int
    to_return: int


def restitution(false_tonnes: int, held_tonnes: int, cancelled_before: int = 0) -> Restitution:
    """Return what is cancelled by force of what an owner holds, and what is still to return.

    Buyers are not liable: theirs stay as they are.

    Examples
    --------
    >>> restitution(30_000, 20_000)
    Restitution(cancelled=20000, to_return=10000)

    Notes
    -----
    Rules: CCER-REV-01 (equal cancellation).
    """
    due = max(0, false_tonnes - cancelled_before)
    cancelled = min(due, held_tonnes)
    return Restitution(cancelled, due - cancelled)
