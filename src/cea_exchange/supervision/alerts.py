"""Alerts: what was found, in figures against thresholds, and in a sentence."""

import operator
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Grade = Literal["watch", "alert", "high"]
Relation = Literal[">=", ">", "<="]
GRADES: tuple[Grade, ...] = ("watch", "alert", "high")

_HOLDS = {">=": operator.ge, ">": operator.gt, "<=": operator.le}


class Figure(Struct, frozen=True):
    """A figure, and the threshold it is held against.

    Attributes
    ----------
    name
        With its unit.
    """

    name: str
    value: int
    relation: Relation
    threshold: int

    @property
    def holds(self) -> bool:
        """Whether it is what the threshold asks for."""
        return bool(_HOLDS[self.relation](self.value, self.threshold))

    def warns(self, per_mille: int) -> bool:
        """Whether it comes as near as the second tier warns at."""
        if self.relation == "<=":
            return self.value * per_mille <= self.threshold * 1000
        return self.value * 1000 >= self.threshold * per_mille and self.value > 0


class Alert(Struct, frozen=True, kw_only=True):
    """A pattern that was found. It never acts by itself.

    Attributes
    ----------
    pattern
        Its name, as in the limits.
    rule
        The id of its rule.
    grade
        `watch`: from the second tier on, or less than a case; `alert`; `high`: a grave one.
    trading_date, product
        The last day it is about, and the product; "" is none.
    accounts
        Who did it, by name, sorted.
    counterparties
        Who else has part in its trades.
    first_seq, last_seq
        The range of events it is in.
    figures
        What was measured.
    sentence
        The same for who reads.
    """

    pattern: str
    rule: str
    grade: Grade
    trading_date: int
    product: str
    accounts: tuple[str, ...]
    counterparties: tuple[str, ...] = ()
    first_seq: int
    last_seq: int
    figures: tuple[Figure, ...]
    sentence: str

    @property
    def same(self) -> tuple[str, str, tuple[str, ...]]:
        """What makes an alert of another tape the same: pattern, product, and who."""
        return self.pattern, self.product, self.accounts


def grade_of(
    figures: Iterable[Figure], warning_per_mille: int, *, any_of: Iterable[Figure] = ()
) -> Grade | None:
    """Return the grade of figures that must all hold, and of others of which one must.

    Notes
    -----
    Rules: CEA-SVL-01.
    """
    needed, choice = list(figures), list(any_of)
    if all(f.holds for f in needed) and (not choice or any(f.holds for f in choice)):
        return "alert"
    near = all(f.warns(warning_per_mille) for f in needed)
    if near and (not choice or any(f.warns(warning_per_mille) for f in choice)):
        return "watch"
    return None
