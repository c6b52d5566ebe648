"""Asks the daemons for their state again and again while somebody looks."""

import asyncio
import time
from collections import deque
from typing import Any, NamedTuple

from cea_exchange.control_plane.client import NotDone
from cea_exchange.protocol.security import SecurityError
from cea_exchange.screens.access import SYSTEMS, KeyedSystems
from cea_exchange.screens.control_room.alarms import Alarm, alarms_of
from cea_exchange.screens.control_room.figures import (
    NO_METRICS,
    Metrics,
    metrics_fetch,
    quantile_between,
    rate,
)
from cea_exchange.screens.site import Site

LOOK_S = 1.0
IDLE_S = 10.0
"""How long after the last viewer has gone it is still asked."""
ASK_S = 3.0
SAMPLES_KEPT = 900
"""A quarter of an hour."""


class DaemonState(NamedTuple):
    """What a daemon answered when it was asked last.

    Attributes
    ----------
    status
        Its status; the last one there was, where it does not answer.
    error
        Why it did not answer; "" where it did.
    """

    system: str
    status: dict[str, Any]
    error: str = ""


class Sample(NamedTuple):
    """What the venue did in a second: rates a second, times in milliseconds."""

    at_s: int
    commands: float
    trades: float
    rejects: float
    release_p50: float | None
    release_p99: float | None
    disk_p99: float | None


class Monitor:
    """The daemons whose addresses are known and to which the key may speak.

    Parameters
    ----------
    site
        Whose hub publishes what changes.
    systems
        Asks with the key.

    Attributes
    ----------
    states : dict
        By system.
    samples
        The venue's last quarter of an hour, as far as somebody looked.
    """

    def __init__(self, site: Site, systems: KeyedSystems) -> None:
        self.states: dict[str, DaemonState] = {}
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_KEPT)
        self._site, self._systems = site, systems
        self._metrics: tuple[float, Metrics] = (0.0, NO_METRICS)
        self._wanted_s = 0.0

    @property
    def alarms(self) -> list[Alarm]:
        """What somebody should look at, gravest first."""
        last = self.samples[-1] if self.samples else None
        return alarms_of(
            {name: state.status for name, state in self.states.items() if not state.error},
            {name: state.error for name, state in self.states.items() if state.error},
            None if last is None else last.disk_p99,
        )

    def status(self, system: str) -> dict[str, Any]:
        """Return what a daemon said last; empty where it never did."""
        state = self.states.get(system)
        return state.status if state else {}

    async def run(self) -> None:
        """Keep asking while somebody looks at any page."""
        while True:
            now_s = time.monotonic()
            if self._site.hub.viewer_count:
                self._wanted_s = now_s
            if self._site.rights.seats and now_s - self._wanted_s < IDLE_S:
                await self.look()
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Ask all daemons once."""
        await asyncio.gather(*(self._ask(system) for system in SYSTEMS))
        await self._measure()
        self._site.hub.changed("control")
        self._site.hub.changed("performance")

    async def _ask(self, system: str) -> None:
        known = self.states.get(system)
        if self._systems.folder(system) is None:
            return
        if known is None and self._site.rights.seat(system) is None:
            return
        try:
            status = await self._systems.ask(system, {"op": "status"}, timeout_s=ASK_S)
            self.states[system] = DaemonState(system, status)
        except (NotDone, SecurityError) as error:
            last = known.status if known else {}
            self.states[system] = DaemonState(system, last, str(error))

    async def _measure(self) -> None:
        state = self.states.get("venue")
        address = state.status.get("metrics") if state and not state.error else None
        if not address:
            return
        try:
            now = await asyncio.to_thread(metrics_fetch, address)
        except (OSError, ValueError):
            return
        before_s, before = self._metrics
        now_s = time.monotonic()
        self._metrics = now_s, now
        if before is NO_METRICS:
            return
        self.samples.append(sample_between(before, now, now_s - before_s, int(time.time())))


def sample_between(before: Metrics, now: Metrics, seconds: float, at_s: int) -> Sample:
    """Return what a venue did between two looks at its metrics."""

    def milliseconds(name: str, share: float) -> float | None:
        value = quantile_between(before, now, name, share)
        return None if value is None else round(1_000 * value, 3)

    return Sample(
        at_s=at_s,
        commands=round(rate(before, now, "cea_venue_commands", seconds), 1),
        trades=round(rate(before, now, "cea_venue_trades", seconds), 1),
        rejects=round(rate(before, now, "cea_venue_rejects", seconds), 1),
        release_p50=milliseconds("cea_venue_release_seconds", 0.5),
        release_p99=milliseconds("cea_venue_release_seconds", 0.99),
        disk_p99=milliseconds("cea_venue_fdatasync_seconds", 0.99),
    )
