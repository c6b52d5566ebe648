"""The control room: daemons, market, sessions, approvals, settlement, records.

Operators act there; regulators see the same pages and may do nothing on them.
"""

from cea_exchange.screens.access import KeyedSystems
from cea_exchange.screens.control_room import (
    approvals,
    market_acts,
    overview,
    records,
    sessions,
    settlement,
)
from cea_exchange.screens.control_room.monitor import Monitor
from cea_exchange.screens.control_room.rights import SYSTEMS_SHOWN
from cea_exchange.screens.page import Page
from cea_exchange.screens.site import Site
from cea_exchange.screens.waiting import WaitingMonitor

PAGES: tuple[Page, ...] = (
    *overview.PAGES,
    *market_acts.PAGES,
    *sessions.PAGES,
    *approvals.PAGES,
    *settlement.PAGES,
    *records.PAGES,
)


def open_pages(site: Site, systems: KeyedSystems) -> None:
    """Let a site look at the daemons, and show them."""
    monitor = Monitor(site, systems)
    site.kept["control"] = monitor
    site.kept["reconciling"] = settlement.Reconciling(site, systems)
    site.tasks.append(monitor.run)
    overview.channels_add(site, monitor)
    settlement.channels_add(site)
    WaitingMonitor(site, systems, approvals.CHANNEL, SYSTEMS_SHOWN)
