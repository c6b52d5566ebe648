"""Supervision: alerts and what shows them, case files, holders, past days, who looked at what."""

from cea_exchange.screens.access import KeyedSystems
from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator import alerts, cases, holders, looks, replay
from cea_exchange.screens.regulator.evidence import Evidence
from cea_exchange.screens.site import Site

PAGES: tuple[Page, ...] = (
    *alerts.PAGES,
    *cases.PAGES,
    *holders.PAGES,
    *replay.PAGES,
    *looks.PAGES,
)


def open_pages(site: Site, systems: KeyedSystems) -> None:
    """Let a site read the venue's record, where it is on this machine."""
    site.kept["evidence"] = Evidence(systems)
