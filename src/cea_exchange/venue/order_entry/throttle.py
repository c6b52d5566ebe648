"""Limits the commands a second of each sender: a budget for cancels, another for the rest.

An exhausted budget for orders never keeps anybody from cancelling.
"""

from collections.abc import Hashable, Sequence

import numpy as np

from cea_exchange.venue.durability.event_index import groups_of


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

    def take_all(
        self,
        senders: Sequence[Hashable],
        counts: Sequence[tuple[int, int]],
        now_s: float,
        *,
        per_second: int | None = None,
    ) -> bool:
        """Count the commands of messages if every one is within its sender's budget.

        Parameters
        ----------
        senders
            Who sent each message.
        counts
            How many new orders and amends each has, and how many cancels.
        now_s
            The time; a budget is full again with each whole second.
        per_second
            Another limit for new orders and amends just now.

        Returns
        -------
        bool
            False if a budget has no room for all of them; nothing was counted then.
        """
        if int(now_s) != self._second:
            self._second = int(now_s)
            self._taken.clear()
        taken: dict[tuple[Hashable, bool], int] = {}
        limits = self._limits(per_second)
        for sender, numbers in zip(senders, counts, strict=True):
            for (of_cancels, limit), number in zip(limits, numbers, strict=True):
                if number and limit:
                    budget = (sender, of_cancels)
                    before = taken[budget] if budget in taken else self._taken.get(budget, 0)
                    if before + number > limit:
                        return False
                    taken[budget] = before + number
        self._taken.update(taken)
        return True

    def take_some(
        self,
        senders: Sequence[Hashable],
        owner: np.ndarray,
        cancels: np.ndarray,
        *,
        per_second: int | None = None,
    ) -> np.ndarray:
        """Count commands up to the budgets, in the second of the last `take_all`.

        Parameters
        ----------
        senders, per_second
            As in `take_all`.
        owner
            Per command, its message; ascending.
        cancels
            Per command, whether it is a cancel.

        Returns
        -------
        ndarray of bool
            Per command, whether it is within its sender's budget, and was counted.
        """
        within = np.ones(len(owner), bool)
        for of_cancels, limit in self._limits(per_second):
            if not limit:
                continue
            rows = np.flatnonzero(cancels == of_cancels)
            for message, group in groups_of(owner[rows]):
                budget = (senders[message], of_cancels)
                taken = self._taken.get(budget, 0)
                count = group.stop - group.start
                room = min(max(limit - taken, 0), count)
                self._taken[budget] = taken + room
                within[rows[group.start + room : group.stop]] = False
        return within

    def _limits(self, per_second: int | None) -> tuple[tuple[bool, int], tuple[bool, int]]:
        """Return the limits of new orders and amends, and of cancels."""
        orders = self.per_second if per_second is None else per_second
        return (False, orders), (True, self.cancels_per_second)
