"""Two institutions' chains against the heads that each keeps of the other's."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from cea_exchange.domain.timetable import time_from_ns
from cea_exchange.institution.maintenance.integrity import heads_differing
from cea_exchange.ledger.anchoring import TITLES, Unanchored, kept_heads, unanchored
from cea_exchange.ledger.record_store import RecordStore


class Side(NamedTuple):
    """One of the two.

    Attributes
    ----------
    name
        As `partner_heads` has it.
    view
        Opens its database, all of one moment; it may be at work.
    """

    name: str
    view: Callable[[], AbstractContextManager[RecordStore]]

    @property
    def title(self) -> str:
        """Name of the institution."""
        return TITLES.get(self.name, self.name)


class HeadsCompared(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes
    ----------
    heads
        How many kept heads were compared.
    differences
        A sentence each; empty if both chains have all heads that are kept.
    unanchored
        Of each institution, by its name, what lies behind the last head that the other keeps.
    """

    heads: int
    differences: tuple[str, ...]
    unanchored: dict[str, Unanchored]

    def sentences(self) -> list[str]:
        """Return for a person what no kept head covers: who rewrites that is not found out."""
        return [behind(name, found) for name, found in self.unanchored.items()]


def heads_compared(own: Side, other: Side) -> HeadsCompared:
    """Compare each chain with the heads that the other institution keeps of it.

    A side's kept heads are read before the other's chain, which only grows: so both may be at work.

    Notes
    -----
    Rules: CEA-REG-05.
    """
    with other.view() as store:
        kept_of_own = kept_heads(store, own.name)
    with own.view() as store:
        kept_of_other = kept_heads(store, other.name)
        differences = _differing(store, own, other, kept_of_own)
        behind = {own.name: _unanchored(store, kept_of_own)}
    with other.view() as store:
        differences += _differing(store, other, own, kept_of_other)
        behind[other.name] = _unanchored(store, kept_of_other)
    return HeadsCompared(len(kept_of_own) + len(kept_of_other), tuple(differences), behind)


def _differing(
    store: RecordStore, whose: Side, keeper: Side, heads: list[tuple[int, str]]
) -> list[str]:
    found = heads_differing(store, heads, f"the {keeper.title} keeps")
    return [f"{whose.title}: {sentence}" for sentence in found]


def _unanchored(store: RecordStore, heads: list[tuple[int, str]]) -> Unanchored:
    return unanchored(store, heads[-1][0] if heads else 0)


def behind(name: str, found: Unanchored) -> str:
    """Return in words how much of an institution's chain no other one keeps a head of."""
    what = f"{TITLES.get(name, name)}: {found.links:,} links with {found.acts:,} acts"
    if found.acts:
        what += f", since {time_from_ns(found.since_ns).isoformat(timespec='seconds')},"
    return f"{what} are behind the last head that the other keeps"
