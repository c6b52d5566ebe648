"""The trading page: book, ticket, own orders and fills, alerts."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.client import AsyncClient
from cea_exchange.screens.board.market import book_shown
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.site import Site
from cea_exchange.screens.trader.account_day import OwnOrder
from cea_exchange.screens.trader.commands import (
    command_send,
    outcome_words,
    refuse,
    session_of,
    trades,
)
from cea_exchange.screens.trader.session import Outcome, TradingSession
from cea_exchange.screens.trader.ticket_check import Seen, Terms, cash_needed, refusal
from cea_exchange.screens.visit import Visit

SIDES = ("buy", "sell")
TIFS = ("day", "ioc", "fok")
CANCELS_AT_ONCE = 200
def channels_add(site: Site, session: TradingSession) -> None:
    """Let the hub show the account."""

    def shown(template: str) -> Callable[[Reading, str], str]:
        def fragment(reading: Reading, part: str) -> str:
            return render(template, reading, session=session, product=part, role=role())

        return fragment

    def role() -> str:
        return site.rights.trading

    site.hub.kinds |= {
        "session": Kind("session", shown("trader/session.html")),
        "orders": Kind("orders", shown("trader/orders.html")),
        "fills": Kind("orders", shown("trader/fills.html")),
        "holding": Kind("position", shown("trader/holding.html")),
        "alerts": Kind("alerts", shown("trader/alerts.html")),
        "ladder": Kind("book", lambda reading, part: ladder(site, session, reading, part)),
    }


def ladder(site: Site, session: TradingSession, reading: Reading, product: str) -> str:
    """Return a product's book with its best orders to be taken, and the account's own marked."""
    own = {order.order_id for order in session.day.open_orders}
    return book_shown(site.feed, reading, product, own=own, takes=site.rights.trading == "trader")


# -- The page -------------------------------------------------------------------------------------


async def trade_show(visit: Visit) -> Response:
    """Show the page with the newest product."""
    return _show(visit, visit.site.feed.newest)


async def product_show(visit: Visit) -> Response:
    """Show the page with the product in its address."""
    product = visit.part("product")
    if visit.site.feed.market and visit.site.feed.product(product) is None:
        raise HTTPException(404)
    return _show(visit, product)


def _show(visit: Visit, product: str) -> Response:
    site, session = visit.site, session_of(visit)
    channels = ["status", "session", "orders", "fills", "alerts"]
    if product:
        channels += [f"{kind}.{product}" for kind in ("quote", "ladder", "holding", "bars")]
        channels.append(f"trades.{product}")
    names = [each["product"] for each in site.feed.products]
    at = names.index(product) if product in names else 0
    return visit.show(
        "trader/trade.html",
        live=channels,
        product=product,
        names=names,
        following=names[(at + 1) % len(names)] if names else "",
        before=names[(at - 1) % len(names)] if names else "",
        session=session,
        role=site.rights.trading,
        book=ladder(site, session, visit.reading, product) if product else "",
        form=visit.empty_form(side=visit.asked("side", "buy"), price=visit.asked("price")),
        wish=visit.empty_form(),
        check=None,
        done="",
    )


# -- The ticket -----------------------------------------------------------------------------------


async def order_check(visit: Visit) -> Response:
    """Answer with what would be said of an order as the ticket has it now."""
    form = await visit.form()
    terms = _terms(form, visit.part("product"))
    context = _check_context(visit, terms) if form.is_sound and terms else {"check": None}
    return visit.show("trader/check.html", **context)


async def order_send(visit: Visit) -> Response:
    """Send an order; answer with the ticket and what came of it."""
    form = await visit.form()
    product = visit.part("product")
    return await visit.once(form, lambda: _order_send(visit, form, product))


async def _order_send(visit: Visit, form: Form, product: str) -> Response:
    terms = _terms(form, product)
    done = ""
    if terms is not None and form.is_sound:
        reason = refusal(terms, seen(visit, terms))
        if reason:
            refuse(visit, form, reason)
        else:
            outcome = await command_send(visit, form, lambda client: _enter(client, terms))
            done = outcome_words(visit, outcome)
    after = visit.again(form)
    if done:
        # Whoever presses once more sends nothing but an empty ticket.
        after.values |= {"tonnes": "", "pick": ""}
    return visit.show(
        "trader/ticket.html",
        product=product,
        form=after,
        done=done,
        check=None,
        session=session_of(visit),
    )


def _terms(form: Form, product: str) -> Terms | None:
    """Return the order that a ticket says; None where it says none yet."""
    price, tonnes = form.yuan("price"), form.whole("tonnes")
    side, tif = form.choice("side", SIDES), form.choice("tif", TIFS)
    pick = form.whole("pick", needed=False)
    if price is None or tonnes is None:
        return None
    return Terms(product, side, price, tonnes, tif, form.value("post_only") == "yes", pick or 0)


def seen(visit: Visit, terms: Terms) -> Seen:
    """Return what is known of the market and the account for an order."""
    feed, session = visit.site.feed, session_of(visit)
    entry: dict[str, Any] = feed.product(terms.product) or {"halted": False}
    book = feed.book(terms.product)
    return Seen(
        phase=feed.phase,
        is_halted=bool(entry["halted"] or feed.market.get("halted")),
        is_listed="band_low" in entry,
        band=session.band(terms.product),
        opposite=None if book is None else book.asks if terms.side == "buy" else book.bids,
        position=session.position,
        own_orders=session.day.open_orders,
        rules=session.rules,
    )


def _check_context(visit: Visit, terms: Terms) -> dict[str, Any]:
    session = session_of(visit)
    reason = refusal(terms, seen(visit, terms))
    held = session.position.holding(terms.product)
    is_buy = terms.side == "buy"
    return {
        "check": visit.trouble(reason) if reason else True,
        "terms": terms,
        "amount": terms.price * terms.tonnes,
        "needed": cash_needed(terms, session.rules) if is_buy else terms.tonnes,
        "free": session.position.cash_available if is_buy else held.available,
    }


async def _enter(client: AsyncClient, terms: Terms) -> int:
    return await client.enter(
        terms.product,
        terms.side,
        price_fen=terms.price,
        tonnes=terms.tonnes,
        tif=terms.tif,
        post_only=terms.post_only,
        pick=terms.pick,
    )


# -- Own orders -----------------------------------------------------------------------------------


def _own_order(visit: Visit) -> OwnOrder:
    number = visit.part("order_id")
    order = session_of(visit).day.orders.get(int(number)) if number.isdigit() else None
    if order is None:
        raise HTTPException(404)
    return order


async def amend_show(visit: Visit) -> Response:
    """Show the form that changes an order."""
    order = _own_order(visit)
    price = visit.reading.price(order.price)
    form = visit.empty_form(price=price, tonnes=str(order.tonnes_open))
    return visit.show("trader/amend.html", order=order, form=form, done="")


async def amend_send(visit: Visit) -> Response:
    """Change an order; answer with the form and what came of it."""
    order, form = _own_order(visit), await visit.form()
    return await visit.once(form, lambda: _amend_send(visit, order, form))


async def _amend_send(visit: Visit, order: OwnOrder, form: Form) -> Response:
    price, tonnes = form.yuan("price"), form.whole("tonnes")
    done = ""
    if price is not None and tonnes is not None and form.is_sound:
        terms = Terms(order.product, order.side, price, tonnes, replaced=order)
        reason = refusal(terms, seen(visit, terms))
        if reason:
            refuse(visit, form, reason)
        else:
            outcome = await command_send(
                visit,
                form,
                lambda client: client.amend(order.order_id, price_fen=price, tonnes=tonnes),
            )
            done = outcome_words(visit, outcome)
    return visit.show("trader/amend.html", order=order, form=visit.again(form), done=done)


async def cancel_send(visit: Visit) -> Response:
    """Cancel an order; a second time it is known to be over, so it needs no id."""
    order, form = _own_order(visit), visit.empty_form()
    outcome = await _cancel(visit, form, order)
    trouble = form.troubles.get("") or next(iter(form.troubles.values()), None)
    return visit.show("trader/note.html", trouble=trouble, done=outcome_words(visit, outcome))


async def _cancel(visit: Visit, form: Form, order: OwnOrder) -> Outcome:
    return await command_send(visit, form, lambda client: client.cancel(order.order_id))


async def cancel_all_send(visit: Visit) -> Response:
    """Cancel all of the account's orders; answer with how many went."""
    form = visit.empty_form()
    orders = session_of(visit).day.open_orders
    count = 0
    for first in range(0, len(orders), CANCELS_AT_ONCE):
        outcomes = await asyncio.gather(
            *(_cancel(visit, form, order) for order in orders[first : first + CANCELS_AT_ONCE])
        )
        count += sum(outcome.is_done for outcome in outcomes)
    trouble = next(iter(form.troubles.values()), None)
    done = visit.text("trade.canceled_all", count=count)
    return visit.show("trader/note.html", trouble=trouble, done=done)


async def orders_show(visit: Visit) -> Response:
    """Lead to the trading page, which has them."""
    return visit.see("/trade")


# -- Alerts, and the session ----------------------------------------------------------------------


async def wish_send(visit: Visit) -> Response:
    """Wait for a price, or no more; answer with the list."""
    form, session = await visit.form(), session_of(visit)
    forgotten = form.whole("forget", needed=False)
    if forgotten is not None:
        session.alerts.forget(forgotten)
    else:
        price, way = form.yuan("price"), form.choice("way", ("above", "below"))
        if price is not None and form.is_sound:
            session.alerts.wish(form.value("product"), way == "above", price)
    visit.site.hub.changed("alerts")
    wish = visit.again(form) if not form.is_sound else visit.empty_form()
    return visit.show("trader/wish.html", wish=wish, product=form.value("product"))


async def resume_send(visit: Visit) -> Response:
    """Log on again after the session ended for good."""
    session_of(visit).resume()
    return visit.see("/trade")


PAGES = (
    Page(
        path="/trade",
        name="trade",
        section="trader",
        show=trade_show,
        acts={"/resume": resume_send, "/alerts": wish_send},
        allowed=trades,
    ),
    Page(
        path="/trade/{product}",
        name="trade",
        section="trader",
        show=product_show,
        acts={"": order_send, "/check": order_check},
        allowed=trades,
        in_menu=False,
    ),
    Page(
        path="/orders",
        name="trade",
        section="trader",
        show=orders_show,
        acts={"/cancel-all": cancel_all_send},
        allowed=trades,
        in_menu=False,
    ),
    Page(
        path="/orders/{order_id}",
        name="trade",
        section="trader",
        show=amend_show,
        acts={"": amend_send, "/cancel": cancel_send},
        allowed=trades,
        in_menu=False,
    ),
)
