"""Comparison of the books that platform and registry keep of the items on their link.

The registry's books are read before the platform's and once more after them. What one side has
beyond the last number that the other knows was on its way, and is no difference.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple


class LinkBooks(NamedTuple):
    """One side's.

    Attributes
    ----------
    items
        SHA-256 of an item's bytes, by its number.
    verdicts
        Whether an item was posted, the lines that were refused as JSON, and its mark, by its
        number.
    completions
        The hash of a completion's figures, by its number.
    """

    items: Mapping[int, str]
    verdicts: Mapping[int, tuple[bool, str, str]]
    completions: Mapping[int, str]


def link_differences(
    platform: LinkBooks, registry: LinkBooks, registry_later: LinkBooks
) -> Iterator[str]:
    """Yield what contradicts the other's books, a sentence each; must be nothing.

    Parameters
    ----------
    registry, registry_later
        As they were before the platform's were read, and after.

    Notes
    -----
    Rules: CEA-PLK-01, CEA-PLK-02, CEA-PLK-07.
    """
    for number, digest in registry.items.items():
        if number not in platform.items:
            yield f"item {number}: the registry has taken it, the platform lacks it"
        elif platform.items[number] != digest:
            yield f"item {number}: the registry has taken another one than the platform has"
    for number, verdict in platform.verdicts.items():
        there = registry_later.verdicts.get(number)
        if there != verdict:
            yield (
                f"item {number}: the platform has the verdict {_words(verdict)}, the registry"
                f" {'none' if there is None else _words(there)}"
            )
    for number, figures in platform.completions.items():
        there_figures = registry_later.completions.get(number)
        if there_figures is None:
            yield f"completion {number}: the platform has taken it, the registry lacks it"
        elif there_figures != figures:
            yield f"completion {number}: the platform has other figures than the registry"


def _words(verdict: tuple[bool, str, str]) -> str:
    is_posted, lines, mark = verdict
    said = "posted" if is_posted else f"refused for {lines}"
    return f"{said}, mark {mark!r}"[:200]
