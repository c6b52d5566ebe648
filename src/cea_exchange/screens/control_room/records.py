"""What is on disk: the venue's journal, snapshots and archive, the registry's; and who did what."""

import asyncio
from functools import partial
from typing import Any

from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.control_room.overview import monitor_of
from cea_exchange.screens.control_room.rights import looks, looks_at
from cea_exchange.screens.page import Page
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.venue_folder import VenueFolder, folder_read

ACTS_SHOWN = 60


async def records_show(visit: Visit) -> Response:
    """Show journal, snapshots, backups, and the last acts."""
    monitor = monitor_of(visit)
    await monitor.look()
    acts: list[dict[str, Any]] = []
    if looks_at("registry", visit.rights):
        acts = await _registry_acts(visit)
    return visit.show(
        "control/records.html",
        live=["status"],
        venue=monitor.status("venue"),
        registry=monitor.status("registry"),
        folder=await _folder(visit),
        acts=acts,
    )


async def _folder(visit: Visit) -> VenueFolder | None:
    """Return what is in the venue's folder, where that is on this machine."""
    systems = visit.site.systems
    directory = systems.folder("venue") if systems else None
    if directory is None or not looks_at("venue", visit.rights):
        return None
    return await asyncio.to_thread(partial(folder_read, directory, acts_max=ACTS_SHOWN))


async def _registry_acts(visit: Visit) -> list[dict[str, Any]]:
    """Return the registry's last acts, newest first.

    They are numbered without a gap; the last number is found by doubling, then by halves.
    """
    try:
        low, high = 0, 1
        while await _acts_from(visit, high, 1):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if await _acts_from(visit, middle, 1):
                low = middle
            else:
                high = middle
        return (await _acts_from(visit, max(1, low - ACTS_SHOWN + 1), ACTS_SHOWN))[::-1]
    except NotDone:
        return []


async def _acts_from(visit: Visit, first: int, count: int) -> list[dict[str, Any]]:
    systems = visit.site.systems
    assert systems is not None
    answer = await systems.ask("registry", {"op": "acts", "since": first, "count": count})
    found: list[dict[str, Any]] = answer["acts"]
    return found


PAGES = (
    Page(
        path="/control/records",
        name="control_records",
        section="control",
        show=records_show,
        allowed=looks,
    ),
)
