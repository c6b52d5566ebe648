"""The result of a comparison of two systems' figures."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from cea_exchange.domain.documents.bulletin import Bulletin
from cea_exchange.domain.records import Method

SHOWN_MAX = 5


class Reconciled(Struct, frozen=True):
    """What was held against what, how many figures, and those that differ, a sentence each."""

    name: str
    count: int
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def held(name: str, expected: Mapping[Any, Any], got: Mapping[Any, Any]) -> Reconciled:
    """Return what comes of holding figures against others by their keys."""
    keys = sorted({*expected, *got}, key=str)
    different = [
        f"{key}: expected {expected.get(key)}, got {got.get(key)}"
        for key in keys
        if expected.get(key) != got.get(key)
    ]
    return Reconciled(name, len(keys), tuple(different[:SHOWN_MAX]))


def published(bulletins: Sequence[Bulletin]) -> dict[tuple[int, str], tuple[int, int]]:
    """Return what bulletins say was traded: day and method -> tonnes and fen."""
    figures = {}
    for bulletin in bulletins:
        for method in Method:
            traded = bulletin.composite.day.of(method)
            if traded.volume:
                figures[bulletin.trading_date, method.name] = (traded.volume, traded.amount)
    return figures
