"""Which key ends fronts: found by halving those who were there. Pure; the time is given.

    a front ends -> who was there is set apart in two parts, each with a front of its own
    two end together -> of who was there only those who were at both
    a part's front ends -> who of it was there is halved again; the others of it are free
    a key ends the front where it is alone, twice -> it is cut off

Those who are not set apart share no front with those who are, so that they see one end only. Who
waits until all are free again before it ends the next front is found by counting: it was there each
time, and others were at another front half the times. It is set apart alone until no front has
ended for long, and cut off only by what it does there: others were there each time by chance.
"""

from collections import Counter
from math import inf
from typing import NamedTuple

RECENT_S = 60.0
"""Who came to a front within so long before it ended is set apart first."""
TOGETHER_S = 1.0
"""So long the first end waits for another: who comes to several fronts ends them about together."""
REPEAT_S = 600.0
"""A front of those who are not set apart has ended again within so long: it was somebody else."""
CALM_S = 120.0
"""So long after the last end all are free again."""
REMEMBERED_S = 86_400.0
"""So long without an end, and who was there before is forgotten."""
PARTS_MAX = 8
"""Where there would be more, the oldest of them is free: those of several culprits are kept."""
LONE_ENDS = 2
"""One end alone may have been anything."""
WITNESSED_ENDS = 12
"""Who was at so many ends, one after the other, and few others were, is set apart alone."""
WITNESSES_MAX = 4
"""So many are, each alone; of more the first is free."""


class _CommonEnd(NamedTuple):
    """A front of those who are not set apart has ended: when, and who of them had come when."""

    at_s: float
    free: dict[str, float]

    @property
    def recent(self) -> frozenset[str]:
        return frozenset(key for key, at_s in self.free.items() if self.at_s - at_s <= RECENT_S)


class Suspects:
    """Who is set apart, and who is cut off.

    Attributes
    ----------
    parts : dict of str to int
        Keys that are set apart, and in which part.
    cut_off : dict of str to float
        Keys that are admitted nowhere any more, and since when.
    """

    def __init__(self) -> None:
        self.parts: dict[str, int] = {}
        self.cut_off: dict[str, float] = {}
        self._part_last = 0
        self._ended_s: float | None = None
        self._common_ended_s: float | None = None
        self._waiting: _CommonEnd | None = None
        self._explained_until_s = -inf
        self._lone: Counter[str] = Counter()
        self._witnessed: Counter[str] = Counter()
        self._common_ends = 0
        self._witnesses: list[str] = []

    def ended(self, part: int, there: dict[str, float], now_s: float) -> str | None:
        """Take note of a front that has ended by what somebody did to it.

        Parameters
        ----------
        part
            Of which part's it was; 0: of those who are not set apart.
        there
            Which keys were connected, or had been a moment before, and when each was admitted last.

        Returns
        -------
        str or None
            The key that is cut off now.
        """
        if self._ended_s is not None and now_s - self._ended_s > REMEMBERED_S:
            self._lone.clear()
            self._witnessed.clear()
            self._common_ends = 0
        self._ended_s = now_s
        if part == 0:
            self._common_ended(there, now_s)
            return None
        of_part = sorted(key for key in there if self.parts.get(key) == part)
        if not of_part:
            return None
        self._free(part)
        if len(of_part) == 1:
            (key,) = of_part
            self._lone[key] += 1
            if self._lone[key] >= LONE_ENDS:
                return self._cut_off(key, now_s)
        self._set_apart(of_part, now_s)
        return None

    def restore(self, key: str) -> bool:
        """Admit a key again; False if it was not cut off."""
        return self.cut_off.pop(key, None) is not None

    def turn(self, now_s: float) -> bool:
        """Set apart who was at an end that came alone, and everybody free after a calm time.

        Returns
        -------
        bool
            Whether that changed anything.
        """
        before = self.parts.copy()
        if self._waiting is not None and now_s - self._waiting.at_s >= TOGETHER_S:
            self._judge_waiting()
        calm_s = now_s - (self._ended_s or 0.0)
        if calm_s > REMEMBERED_S:
            self._witnesses.clear()
        if calm_s >= CALM_S:
            self.parts = {key: part for key, part in self.parts.items() if key in self._witnesses}
        return self.parts != before

    def _common_ended(self, there: dict[str, float], now_s: float) -> None:
        free = {key: at_s for key, at_s in there.items() if key not in self.parts}
        self._common_ends += 1
        self._witnessed.update(free.keys())
        always = [key for key in free if self._witnessed[key] == self._common_ends]
        if self._common_ends >= WITNESSED_ENDS and 0 < len(always) <= WITNESSES_MAX:
            self._witnesses_set_apart(always, now_s)
            return
        if now_s < self._explained_until_s and len(free) < len(there):
            # Of who was set apart just now somebody was here too.
            return
        end = _CommonEnd(now_s, free)
        if self._waiting is not None and now_s - self._waiting.at_s < TOGETHER_S:
            self._judge_both(self._waiting, end)
            return
        self._judge_waiting()
        self._waiting = end

    def _judge_waiting(self) -> None:
        if self._waiting is not None:
            end, self._waiting = self._waiting, None
            self._judge(end)

    def _judge_both(self, first: _CommonEnd, second: _CommonEnd) -> None:
        """Set apart who was at two ends, if anybody was; else they were two's doing."""
        self._waiting = None
        both = first.recent & second.recent or first.free.keys() & second.free.keys()
        if not both:
            self._judge(first)
            self._judge(second)
            return
        self._common_ended_s = second.at_s
        self._set_apart(sorted(both), second.at_s)

    def _judge(self, end: _CommonEnd) -> None:
        """Set apart who was at an end."""
        last_s, self._common_ended_s = self._common_ended_s, end.at_s
        is_again = last_s is not None and end.at_s - last_s <= REPEAT_S
        # One process may come to several fronts, which then end together.
        is_other = is_again and end.at_s - (last_s or 0.0) > RECENT_S
        self._set_apart(sorted(end.free if is_other or not end.recent else end.recent), end.at_s)

    def _witnesses_set_apart(self, keys: list[str], now_s: float) -> None:
        """Set keys apart, each alone, until long after the last end."""
        self._witnessed.clear()
        self._common_ends = 0
        self._witnesses = [*self._witnesses, *keys][-WITNESSES_MAX:]
        for key in keys:
            self._set_apart([key], now_s)

    def _cut_off(self, key: str, now_s: float) -> str:
        self.parts.pop(key, None)
        self._witnesses = [each for each in self._witnesses if each != key]
        for counted in (self._lone, self._witnessed):
            counted.clear()
        self._common_ends = 0
        if self._waiting is not None and key in self._waiting.free:
            self._waiting = None
        self.cut_off[key] = now_s
        return key

    def _set_apart(self, keys: list[str], now_s: float) -> None:
        """Make two parts of keys, or one of a single key."""
        self._explained_until_s = now_s + TOGETHER_S
        half = (len(keys) + 1) // 2
        for some in (keys[:half], keys[half:]):
            if some:
                self._part_last += 1
                self.parts |= dict.fromkeys(some, self._part_last)
        while len(parts := self._parts_that_end()) > PARTS_MAX:
            self._free(parts[0])

    def _parts_that_end(self) -> list[int]:
        """Return the parts of who is free again once it is calm, the oldest first."""
        return sorted({part for key, part in self.parts.items() if key not in self._witnesses})

    def _free(self, part: int) -> None:
        self.parts = {key: its for key, its in self.parts.items() if its != part}
