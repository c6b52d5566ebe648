"""All patterns over a tape: alerts in the order of their last event."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from cea_exchange.supervision.alerts import Alert
from cea_exchange.supervision.columns.market import Columns
from cea_exchange.supervision.limits import Limits, limits_packaged
from cea_exchange.supervision.patterns import (
    agreements,
    entry,
    false_orders,
    holdings,
    matched,
    prices,
    wash,
)
from cea_exchange.supervision.patterns.context import NO_FACTS, Context, Facts
from cea_exchange.supervision.tape import Tape

Detector = Callable[[Context], Iterator[Alert]]

PATTERNS: dict[str, Detector] = {
    "wash_group": wash.wash_group,
    "wash_ring": wash.wash_ring,
    "matched_orders": matched.matched_orders,
    "spoofing": false_orders.spoofing,
    "layering": false_orders.layering,
    "limit_queue": false_orders.limit_queue,
    "dense_entry": entry.dense_entry,
    "ramping": prices.ramping,
    "marking_close": prices.marking_close,
    "thin_close": prices.thin_close,
    "building": false_orders.building,
    "corner": holdings.corner,
    "evasion": holdings.evasion,
    "front_running": agreements.front_running,
    "bid_ring": agreements.bid_ring,
    "reverse_trades": wash.reverse_trades,
    "off_price": entry.off_price,
    "block_edge": agreements.block_edge,
}
"""Each pattern's function, by its name in the limits."""


class NotLookedFor(NamedTuple):
    """A pattern that could not be looked for, and what is missing."""

    pattern: str
    why: str


def surveil(
    tape: Tape,
    *,
    limits: Limits | None = None,
    facts: Facts = NO_FACTS,
    patterns: tuple[str, ...] = tuple(PATTERNS),
) -> list[Alert]:
    """Return what patterns find on a tape, by last event, then pattern.

    Parameters
    ----------
    tape
        The events.
    limits
        What is measured by; the packaged limits if left out.
    facts
        What the market does not say of itself.
    patterns
        Which are looked for.
    """
    columns = Columns(tape, facts.links)
    context = Context(columns, limits or limits_packaged(), facts)
    if not len(columns.days):
        return []
    found = [alert for name in patterns for alert in PATTERNS[name](context)]
    return sorted(found, key=lambda alert: (alert.last_seq, alert.pattern, alert.accounts))


def not_looked_for(tape: Tape, facts: Facts) -> list[NotLookedFor]:
    """Return the patterns that facts are missing for."""
    missing = []
    if not facts.float_tonnes:
        missing.append(NotLookedFor("corner", "no float is given (float_tonnes)"))
    if not (facts.holding_limit_tonnes or tape.profile.rules.holding_limit_tonnes):
        missing.append(NotLookedFor("evasion", "no holding limit is in force or given"))
    if not tape.profile.rules.listed_band_bp:
        missing.append(NotLookedFor("limit_queue", "the profile has no price limits"))
    return missing
