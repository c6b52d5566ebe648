"""Whole numbers from a seed, the same on every machine."""

import random


class Draws:
    """Numbers that follow from what they are drawn for.

    Parameters
    ----------
    what
        A seed, a day, a name: the same gives the same numbers, whatever else was drawn.
    """

    def __init__(self, *what: object) -> None:
        # Of a text Python takes the SHA-512; of the generator's methods this one never changes.
        self._bits = random.Random(" ".join(map(str, what))).getrandbits

    def below(self, bound: int) -> int:
        """Return a number from 0 on, below a bound that is far below 2**64."""
        return self._bits(64) % bound

    def within(self, least: int, most: int) -> int:
        """Return a number from one to another, both included."""
        return least + self.below(most - least + 1)

    def one_in(self, count: int) -> bool:
        """Tell once in so many times."""
        return self.below(count) == 0
