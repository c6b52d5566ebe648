"""All at one glance: alarms, the daemons, the day, how fast the venue is."""

import json

from starlette.responses import Response

from cea_exchange.screens.control_room.monitor import Monitor, Sample
from cea_exchange.screens.control_room.rights import acts_at, looks
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.site import Site
from cea_exchange.screens.visit import Visit

SAMPLES_SHOWN = 3


def monitor_of(visit: Visit) -> Monitor:
    """Return who looks at the daemons."""
    monitor: Monitor = visit.site.kept["control"]
    return monitor


def channels_add(site: Site, monitor: Monitor) -> None:
    """Let the hub show the daemons."""

    def daemons(reading: Reading, _part: str) -> str:
        return render("control/daemons.html", reading, monitor=monitor)

    def products(reading: Reading, _part: str) -> str:
        may_act = acts_at("venue", site.rights)
        return render(
            "control/products.html", reading, monitor=monitor, feed=site.feed, may_act=may_act
        )

    def performance(_reading: Reading, _part: str) -> str:
        return samples_json(list(monitor.samples)[-SAMPLES_SHOWN:])

    site.hub.kinds |= {
        "control": Kind("control", daemons),
        "control_products": Kind("control", products),
        "performance": Kind("performance", performance),
    }


def samples_json(samples: list[Sample]) -> str:
    """Return samples as the charts take them: a column each."""
    return json.dumps([list(column) for column in zip(*samples, strict=True)] or [[]])


async def overview_show(visit: Visit) -> Response:
    """Show how all daemons are."""
    monitor = monitor_of(visit)
    if not monitor.states:
        await monitor.look()
    return visit.show(
        "control/overview.html", live=["status", "control", "performance"], monitor=monitor
    )


async def performance_show(visit: Visit) -> Response:
    """Answer with the last quarter of an hour, for the charts."""
    return Response(samples_json(list(monitor_of(visit).samples)), media_type="application/json")


PAGES = (
    Page(path="/control", name="control", section="control", show=overview_show, allowed=looks),
    Page(
        path="/control/performance",
        name="control",
        section="control",
        show=performance_show,
        allowed=looks,
        in_menu=False,
    ),
)
