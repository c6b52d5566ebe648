"""Who looked at what: regulators and operators, at the venue and past it (CEA-OPR-04)."""

from starlette.responses import Response

from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator.alerts import unread
from cea_exchange.screens.regulator.evidence import Unread, evidence_of, supervises
from cea_exchange.screens.visit import Visit

LOOKS_SHOWN = 300


async def looks_show(visit: Visit) -> Response:
    """Show the last looks."""
    try:
        looks = await evidence_of(visit).looks(LOOKS_SHOWN)
    except Unread as error:
        return unread(visit, error)
    return visit.show("regulator/looks.html", live=["status"], looks=looks)


PAGES = (
    Page(
        path="/supervision/looks",
        name="looks",
        section="supervision",
        show=looks_show,
        allowed=supervises,
    ),
)
