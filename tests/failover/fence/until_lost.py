"""A control run is repeated until it loses: one without a fence may lose nothing by chance.

What an unfenced leader acknowledges after its successor has led depends on who had sent what when
it was frozen. A control that never loses shows that the checker sees nothing, so it must lose; one
attempt that loses is enough.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

ATTEMPTS_MAX = 6
"""Attempts of a control without a fence; about one in ten loses nothing."""

Found = TypeVar("Found")


class Attempts(NamedTuple):
    """How a run with or without a fence ended.

    Attributes
    ----------
    count
        Attempts that were made.
    is_as_expected
        Whether nothing was lost with a fence, or something without one.
    """

    count: int
    is_as_expected: bool


def attempts_run(
    attempt: Callable[[int], Found],
    is_lossless: Callable[[Found], bool],
    *,
    seed: int,
    is_fenced: bool,
) -> Attempts:
    """Run once with a fence; without one until something is lost, with the next seeds.

    Parameters
    ----------
    attempt
        Makes a run with a seed, in a folder of its own, and says what was found.
    is_lossless
        Whether it found that nothing was lost.
    seed
        Of the first attempt.
    """
    if is_fenced:
        return Attempts(1, is_lossless(attempt(seed)))
    for number in range(ATTEMPTS_MAX):
        if not is_lossless(attempt(seed + number)):
            return Attempts(number + 1, is_as_expected=True)
    return Attempts(ATTEMPTS_MAX, is_as_expected=False)
