"""Past days, event by event, forward and back: the book, holdings, the ledger's balances."""

from collections.abc import Mapping
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.domain.records import EventKind
from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator.alerts import place_asked, unread
from cea_exchange.screens.regulator.evidence import Unread, evidence_of, supervises
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.stepping.day import DayReplay
from cea_exchange.supervision.stepping.moments import HoldingSeen, Moment, SeenEvent

EVENTS_BEFORE, EVENTS_BEHIND = 8, 8
ACCOUNTS_ASKED = 4
"""Of so many accounts at most the registry is asked what its ledger had."""
CASH = "CNY"
JUMPS: Mapping[str, tuple[EventKind, ...]] = {
    "trade": (EventKind.TRADE,),
    "phase": (EventKind.PHASE_CHANGED, EventKind.DAY_OPENED, EventKind.HALTED, EventKind.RESUMED),
    "refused": (EventKind.ORDER_REJECTED, EventKind.TRANSFER_REJECTED),
}
"""To the next event of which kinds one may jump."""


class View(NamedTuple):
    """What a page of a day shows.

    Attributes
    ----------
    around
        The events before and behind this one, and it.
    products
        Those with a book to choose from.
    """

    moment: Moment
    around: tuple[SeenEvent, ...]
    first_place: int
    products: tuple[str, ...]
    accounts: tuple[str, ...]
    checkpoints: int


class Ledger(NamedTuple):
    """What the registry's ledger had by the same settlement record, beside the venue's.

    Attributes
    ----------
    amount
        On the trading account; None where the registry was not asked, or does not say.
    """

    holding: HoldingSeen
    amount: int | None

    @property
    def agrees(self) -> bool:
        """Whether the two are the same."""
        return self.amount == self.holding.amount


async def days_show(visit: Visit) -> Response:
    """Show which days can be replayed."""
    try:
        days = await evidence_of(visit).days()
    except Unread as error:
        return unread(visit, error)
    return visit.show("regulator/days.html", live=["status"], days=days)


async def day_show(visit: Visit) -> Response:
    """Show a day at one of its events."""
    evidence, date = evidence_of(visit), visit.part("date")
    if not (date.isascii() and date.isdigit() and len(date) == 8):
        raise HTTPException(404)
    account, product = visit.asked("account"), visit.asked("product")
    jump, back = visit.asked("jump"), visit.asked("way") == "back"
    place = place_asked(visit)

    def read(replay: DayReplay) -> View:
        return _view(replay, place, account, jump, -1 if back else 1)

    try:
        view = await evidence.on_day(int(date), read)
        if not visit.is_partial:
            await evidence.looked(visit, "replay", date=date)
    except Unread as error:
        return unread(visit, error)
    except LookupError:
        raise HTTPException(404) from None
    template = "regulator/day_step.html" if visit.is_partial else "regulator/day.html"
    return visit.show(
        template,
        live=["status"],
        view=view,
        moment=view.moment,
        ledger=await _ledger(visit, view.moment),
        account=account,
        product=_product_shown(view, product),
        asked_product=product,
        jumps=tuple(JUMPS),
        date=date,
        address=f"/supervision/replay/{date}",
        suspects=frozenset(filter(None, (account,))),
    )


def _view(replay: DayReplay, place: int, account: str, jump: str, way: int) -> View:
    if jump in JUMPS:
        place = replay.next_of(place, way, kinds=JUMPS[jump])
    elif jump == "account":
        place = replay.next_of(place, way, account=account)
    elif jump == "seq":
        place = replay.place_of(place)
    moment = replay.at(place, (account,) if account else ())
    around = replay.events_around(moment.at, EVENTS_BEFORE, EVENTS_BEHIND)
    return View(
        moment=moment,
        around=tuple(around),
        first_place=max(1, moment.at - EVENTS_BEFORE),
        products=tuple(book.product for book in moment.books),
        accounts=replay.accounts,
        checkpoints=replay.checkpoint_count,
    )


def _product_shown(view: View, asked: str) -> str:
    """Return whose book is shown: the one asked for, the event's own, or the first."""
    event = view.moment.event
    wanted = (asked, event.product if event else "")
    return next((name for name in wanted if name in view.products), next(iter(view.products), ""))


async def _ledger(visit: Visit, moment: Moment) -> list[Ledger]:
    """Return what accounts had at the venue, and by the registry's ledger at the same record."""
    names = list(dict.fromkeys(each.account for each in moment.holdings))
    found: dict[tuple[str, str], int] = {}
    asked = names[:ACCOUNTS_ASKED] if moment.settlement_seq else []
    if visit.rights.role("registry") not in ("operator", "regulator"):
        asked = []
    systems = visit.site.systems
    assert systems is not None
    answered = set()
    for name in asked:
        request = {"op": "balance", "account": name, "as_of_settlement": moment.settlement_seq}
        try:
            answer = await systems.ask("registry", request)
        except NotDone:
            continue
        answered.add(name)
        for each in answer["balances"]:
            if each["compartment"] == "trading":
                product = "" if each["product"] == CASH else each["product"]
                found[name, product] = each["amount"]
    return [
        Ledger(
            each,
            found.get((each.account, each.product), 0) if each.account in answered else None,
        )
        for each in moment.holdings
    ]


PAGES = (
    Page(
        path="/supervision/replay",
        name="replay",
        section="supervision",
        show=days_show,
        allowed=supervises,
    ),
    Page(
        path="/supervision/replay/{date}",
        name="replay",
        section="supervision",
        show=day_show,
        allowed=supervises,
        in_menu=False,
    ),
)
