"""How many commands somebody may send in a second: a budget for cancels, another for the rest.

An exhausted budget for orders never keeps anybody from cancelling.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from cea_exchange.venue.event_index import groups_of


class Throttle:
    """Counts the commands of many by second.

    Parameters
    ----------
    per_second, cancels_per_second
        New orders and amends, and cancels, that each may send; 0 is any number.
    """

    def __init__(self, per_second: int = 0, cancels_per_second: int = 0) -> None:
        self.per_second = per_second
        self.cancels_per_second = cancels_per_second
        self._second = -1
        self._taken: dict[tuple[Hashable, bool], int] = {}

    @property
    def is_on(self) -> bool:
        """Whether anything is limited."""
        return bool(self.per_second or self.cancels_per_second)

    def within(
        self,
        senders: Sequence[Hashable],
        owner: np.ndarray,
        cancels: np.ndarray,
        now_s: float,
        *,
        per_second: int | None = None,
    ) -> np.ndarray | None:
        """Say which commands are within their sender's budget, and count them.

        Parameters
        ----------
        senders
            Who sent each message.
        owner
            Per command, its message; ascending.
        cancels
            Per command, whether it is a cancel.
        now_s
            The time; a budget is full again with each whole second.
        per_second
            Another limit for new orders and amends just now.

        Returns
        -------
        ndarray of bool or None
            Per command; None if all are.
        """
        if int(now_s) != self._second:
            self._second = int(now_s)
            self._taken.clear()
        within: np.ndarray | None = None
        orders_limit = self.per_second if per_second is None else per_second
        for of_cancels, limit in ((False, orders_limit), (True, self.cancels_per_second)):
            if not limit:
                continue
            rows = np.flatnonzero(cancels == of_cancels)
            for message, group in groups_of(owner[rows]):
                budget = (senders[message], of_cancels)
                taken = self._taken.get(budget, 0)
                count = group.stop - group.start
                room = min(max(limit - taken, 0), count)
                self._taken[budget] = taken + room
                if room < count:
                    within = np.ones(len(owner), bool) if within is None else within
                    within[rows[group.start + room : group.stop]] = False
        return within
