"""Which key ends fronts: found by halving those who were there. Pure; the time is given.

    a front ends -> who was there is set apart in two parts, each with a front of its own
    a part's front ends -> who of it was there is halved again; the others of it are free
    one key alone was there -> it is cut off

Those who are not set apart share no front with those who are, so that they see one end only.
"""

RECENT_S = 60.0
"""Who came to a front within so long before it ended is set apart first."""
REPEAT_S = 600.0
"""A front of those who are not set apart has ended again within so long: it was somebody else."""
CALM_S = 120.0
"""So long after the last end all are free again."""

PARTS_MAX = 8
"""Where there would be more, the oldest of them is free: those of several culprits are kept."""


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

    def ended(self, part: int, admitted: dict[str, float], now_s: float) -> str | None:
        """Take note of a front that has ended.

        Parameters
        ----------
        part
            Of which part's it was; 0: of those who are not set apart.
        admitted
            Which keys it had admitted, and when last.

        Returns
        -------
        str or None
            The key that is cut off now.
        """
        self._ended_s = now_s
        if part == 0:
            self._common_ended(admitted, now_s)
            return None
        there = sorted(key for key in admitted if self.parts.get(key) == part)
        if not there:
            return None
        self._free(part)
        if len(there) == 1:
            (key,) = there
            self.cut_off[key] = now_s
            return key
        self._set_apart(there)
        return None

    def restore(self, key: str) -> bool:
        """Admit a key again; False if it was not cut off."""
        return self.cut_off.pop(key, None) is not None

    def turn(self, now_s: float) -> bool:
        """Set everybody free after a calm time; say whether that changed anything."""
        if not self.parts or now_s - (self._ended_s or 0.0) < CALM_S:
            return False
        self.parts = {}
        return True

    def _common_ended(self, admitted: dict[str, float], now_s: float) -> None:
        last_s, self._common_ended_s = self._common_ended_s, now_s
        free = {key: at_s for key, at_s in admitted.items() if key not in self.parts}
        recent = [key for key, at_s in free.items() if now_s - at_s <= RECENT_S]
        is_again = last_s is not None and now_s - last_s <= REPEAT_S
        # One process may come to several fronts, which then end together.
        is_other = is_again and now_s - (last_s or 0.0) > RECENT_S
        chosen = free if is_other or not recent else recent
        self._set_apart(sorted(chosen))

    def _set_apart(self, keys: list[str]) -> None:
        """Make two parts of keys, or one of a single key."""
        half = (len(keys) + 1) // 2
        for some in (keys[:half], keys[half:]):
            if some:
                self._part_last += 1
                self.parts |= dict.fromkeys(some, self._part_last)
        while len(parts := sorted(set(self.parts.values()))) > PARTS_MAX:
            self._free(parts[0])

    def _free(self, part: int) -> None:
        self.parts = {key: its for key, its in self.parts.items() if its != part}
