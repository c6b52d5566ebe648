"""What of a fine is to pay on a day: its parts, each by its day, and what being late adds."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import NamedTuple

LATE_BP_A_DAY = 300
_DAY = timedelta(days=1)


class Part(NamedTuple):
    """A part of a fine: fen, and the last day on which it is paid in time."""

    due_on: date
    fen: int


class Paid(NamedTuple):
    """A payment: the day, and fen."""

    day: date
    fen: int


class Span(NamedTuple):
    """From a day to a day, both inclusive; None: it goes on."""

    first: date
    last: date | None = None

    def has(self, day: date) -> bool:
        """Tell whether a day is within."""
        return self.first <= day and (self.last is None or day <= self.last)


def late_added(
    parts: Sequence[Part], paid: Sequence[Paid], today: date, still: Sequence[Span] = ()
) -> int:
    """Return what being late has added to a fine by a day, in fen.

    Each day adds 3% of each part that is overdue, as far as it is not paid when the day begins, and
    to a part as much as itself at most. Payments go to the parts in the order of their days.

    Parameters
    ----------
    still
        Spans whose days do not count, as those of review and suit.

    Examples
    --------
    >>> part = Part(date(2025, 10, 9), 1_000_000)
    >>> late_added([part], [], date(2025, 10, 19))
    300000
    >>> late_added([part], [], date(2025, 10, 19), [Span(date(2025, 10, 10), date(2025, 10, 14))])
    150000

    Notes
    -----
    Rules: CEA-LAW-24.
    """
    added = covered = 0
    for part in sorted(parts):
        # In ten thousandths of a fen, so that no day is rounded by itself.
        of_part, day = 0, part.due_on + _DAY
        while day <= today and of_part < part.fen * 10_000:
            before = sum(each.fen for each in paid if each.day < day) - covered
            missing = part.fen - min(part.fen, max(0, before))
            if missing == 0:
                break
            if not any(span.has(day) for span in still):
                of_part += missing * LATE_BP_A_DAY
            day += _DAY
        covered += part.fen
        added += min(part.fen, of_part // 10_000)
    return added
