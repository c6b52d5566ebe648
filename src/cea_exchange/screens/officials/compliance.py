"""How far a year's obligations are covered: a map of provinces, a table, and each entity."""

from starlette.responses import Response

from cea_exchange.domain.provinces import PROVINCES
from cea_exchange.screens.institution.asking import rows_look, today_of, year_asked
from cea_exchange.screens.institution.proposals import province_name
from cea_exchange.screens.officials.place import official_at, own_province
from cea_exchange.screens.officials.tile_map import progress_of, tiles_of, together
from cea_exchange.screens.page import Page
from cea_exchange.screens.visit import Visit

ENTITIES_SHOWN = 500


async def compliance_show(visit: Visit) -> Response:
    """Show a year's progress."""
    today = await today_of(visit, "registry")
    year = year_asked(visit, today.year - 2 if today.month < 6 else today.year - 1)
    entities, trouble = await rows_look(
        visit, "registry", "compliance_list", "entities", compliance_year=year
    )
    progress = progress_of(entities)
    asked = visit.asked("province")
    chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) == 2 else 0
    chosen = chosen if chosen in PROVINCES else own_province(visit.rights, "registry")
    of_chosen = [each for each in entities if not chosen or each["province"] == chosen]
    return visit.show(
        "officials/compliance.html",
        live=["status"],
        year=year,
        years=range(today.year - 1, today.year - 6, -1),
        tiles=tiles_of(progress, visit.language),
        progress=sorted(progress.items()),
        nation=together(progress.values()),
        chosen=chosen,
        entities=of_chosen[:ENTITIES_SHOWN],
        left_out=max(0, len(of_chosen) - ENTITIES_SHOWN),
        names=lambda code: province_name(visit.language, code),
        trouble=trouble,
    )


PAGES = (
    Page(
        path="/compliance",
        name="compliance",
        section="officials",
        show=compliance_show,
        allowed=official_at("registry"),
    ),
)
