"""Biddings: the day's and those to come, bids, and their results."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.client.answers import BiddingAnswer
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.site import Site
from cea_exchange.screens.trader.commands import command_send, outcome_words, session_of, trades
from cea_exchange.screens.trader.session import TradingSession
from cea_exchange.screens.visit import Visit


def channels_add(site: Site, session: TradingSession) -> None:
    """Let the hub show biddings and bids."""

    def fragment(template: str) -> Kind:
        def shown(reading: Reading, _part: str) -> str:
            return render(template, reading, session=session, role=site.rights.trading)

        return Kind("own_bids", shown)

    site.hub.kinds["biddings"] = fragment("trader/bidding_list.html")
    site.hub.kinds["own_bids"] = fragment("trader/own_bids.html")


async def biddings_show(visit: Visit) -> Response:
    """Show the biddings, and the account's bids."""
    return visit.show(
        "trader/biddings.html",
        live=["status", "session", "biddings", "own_bids"],
        session=session_of(visit),
        role=visit.rights.trading,
    )


def _bidding(visit: Visit) -> BiddingAnswer:
    number = visit.part("bidding_id")
    found = [each for each in session_of(visit).biddings if str(each["bidding_id"]) == number]
    if not found:
        raise HTTPException(404)
    return found[0]


async def bid_show(visit: Visit) -> Response:
    """Show the form of a bid."""
    return _form_show(visit, visit.empty_form(), "")


def _form_show(visit: Visit, form: Form, done: str) -> Response:
    return visit.show(
        "trader/bid.html",
        bidding=_bidding(visit),
        form=form,
        done=done,
        position=session_of(visit).position,
    )


async def bid_send(visit: Visit) -> Response:
    """Send a bid; answer with the form and what came of it."""
    bidding, form = _bidding(visit), await visit.form()
    return await visit.once(form, lambda: _bid_send(visit, bidding, form))


async def _bid_send(visit: Visit, bidding: BiddingAnswer, form: Form) -> Response:
    price, tonnes = form.yuan("price"), form.whole("tonnes")
    done = ""
    if price is not None and tonnes is not None:
        outcome = await command_send(
            visit,
            form,
            lambda client: client.bid(bidding["bidding_id"], price_fen=price, tonnes=tonnes),
        )
        done = outcome_words(visit, outcome)
    return _form_show(visit, visit.again(form), done)


async def bid_cancel_send(visit: Visit) -> Response:
    """Take a bid back; a second time it is known to be over, so it needs no id."""
    number, form = visit.part("bid_id"), visit.empty_form()
    if not number.isdigit() or int(number) not in session_of(visit).day.bids:
        raise HTTPException(404)
    outcome = await command_send(visit, form, lambda client: client.bid_cancel(int(number)))
    trouble = next(iter(form.troubles.values()), None)
    return visit.show("trader/note.html", trouble=trouble, done=outcome_words(visit, outcome))


async def bids_show(visit: Visit) -> Response:
    """Lead to the page that has them."""
    return visit.see("/biddings")


PAGES = (
    Page(
        path="/biddings",
        name="biddings",
        section="trader",
        show=biddings_show,
        allowed=trades,
    ),
    Page(
        path="/biddings/{bidding_id}",
        name="biddings",
        section="trader",
        show=bid_show,
        acts={"": bid_send},
        allowed=trades,
        in_menu=False,
    ),
    Page(
        path="/bids/{bid_id}",
        name="biddings",
        section="trader",
        show=bids_show,
        acts={"/cancel": bid_cancel_send},
        allowed=trades,
        in_menu=False,
    ),
)
