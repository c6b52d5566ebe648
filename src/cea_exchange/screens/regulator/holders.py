"""Who holds much, against what may be held, and how concentrated holdings are."""

from collections.abc import Sequence
from typing import NamedTuple

from starlette.responses import Response

from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator.alerts import unread
from cea_exchange.screens.regulator.evidence import Unread, evidence_of, supervises
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.large_holders import Holder

HOLDERS_SHOWN = 100


class Concentration(NamedTuple):
    """How much of all that is held few have.

    Attributes
    ----------
    tonnes
        All that is held.
    largest, three, ten
        Of it the largest one's, the three and the ten largest ones' together.
    herfindahl
        Herfindahl and Hirschman's: the sum of the squares of all shares in percent, rounded down;
        10,000 where one has all.
    """

    tonnes: int
    largest: int
    three: int
    ten: int
    herfindahl: int


def concentration_of(held: Sequence[Holder]) -> Concentration:
    """Return how concentrated holdings are; debts of tonnes, where there are any, are none."""
    tonnes = sorted((max(0, each.tonnes) for each in held), reverse=True)
    total = sum(tonnes)
    squares = sum(each * each for each in tonnes)
    index = 10_000 * squares // (total * total) if total else 0
    return Concentration(total, sum(tonnes[:1]), sum(tonnes[:3]), sum(tonnes[:10]), index)


async def holders_show(visit: Visit) -> Response:
    """Show the large holders."""
    evidence = evidence_of(visit)
    try:
        held = await evidence.holders()
        await evidence.looked(visit, "holders")
    except Unread as error:
        return unread(visit, error)
    return visit.show(
        "regulator/holders.html",
        live=["status"],
        holders=held[:HOLDERS_SHOWN],
        count=len(held),
        concentration=concentration_of(held),
    )


PAGES = (
    Page(
        path="/supervision/holders",
        name="holders",
        section="supervision",
        show=holders_show,
        allowed=supervises,
    ),
)
