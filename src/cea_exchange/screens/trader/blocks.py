"""Blocks: offers and enquiries that are open to the account, and what may be said to each."""

from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.client import AsyncClient, SessionError
from cea_exchange.client.answers import BlockAnswer
from cea_exchange.domain.records import BlockFlag, Side
from cea_exchange.screens.live.broadcast import Kind
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.site import Site
from cea_exchange.screens.trader.account_day import OTHER_SIDE
from cea_exchange.screens.trader.commands import command_send, outcome_words, session_of, trades
from cea_exchange.screens.trader.session import TradingSession
from cea_exchange.screens.visit import Visit

SIDES = ("buy", "sell")
KINDS = ("offer", "enquiry")
RECEIVERS = ("all", "account", "group")


class OpenBlock(NamedTuple):
    """A block as the account sees it.

    Attributes
    ----------
    side
        What the account itself would do.
    price, tonnes
        0 where an enquiry leaves them open.
    acts
        What the account may say to it: `accept`, `counter`, `reject`, `withdraw`, `answer`.
    """

    block_id: int
    product: str
    kind: str
    side: str
    price: int
    tonnes: int
    whom: str
    is_own: bool
    is_agreed: bool
    acts: tuple[str, ...]


def open_block(answer: BlockAnswer, account_index: int, products: list[str]) -> OpenBlock:
    """Return how an account sees a block, and what it may say.

    Notes
    -----
    Rules: CEA-BLK-04, CEA-BLK-07.
    """
    flags = answer["flags"]
    is_own = answer["account_index"] == account_index
    offered = Side(answer["side"]).name.lower()
    return OpenBlock(
        block_id=answer["block_id"],
        product=products[answer["product_index"]],
        kind="enquiry" if flags & BlockFlag.ENQUIRY else "offer",
        side=offered if is_own else OTHER_SIDE[offered],
        price=answer["price"],
        tonnes=answer["tonnes"],
        whom="account" if flags & BlockFlag.TO_ACCOUNT else _whom(flags),
        is_own=is_own,
        is_agreed=bool(answer["agreed"]),
        acts=_acts(flags, is_own, bool(answer["agreed"])),
    )


def _whom(flags: int) -> str:
    return "group" if flags & BlockFlag.TO_GROUP else "all"


def _acts(flags: int, is_own: bool, is_agreed: bool) -> tuple[str, ...]:
    if is_agreed:
        return ()
    if flags & BlockFlag.ENQUIRY:
        return ("withdraw",) if is_own else ("answer",)
    if not flags & BlockFlag.TO_ACCOUNT:
        return ("withdraw",) if is_own else ("accept",)
    is_spoken_by_other = bool(flags & BlockFlag.BY_COUNTERPARTY) == is_own
    if is_spoken_by_other:
        may_withdraw = is_own or bool(flags & BlockFlag.COUNTERED)
        return ("accept", "counter", "reject", *(("withdraw",) if may_withdraw else ()))
    return ("withdraw",)


def channels_add(site: Site, session: TradingSession) -> None:
    """Let the hub show the blocks."""

    def fragment(reading: Reading, _part: str) -> str:
        shown = blocks_of(session)
        return render(
            "trader/own_blocks.html", reading, blocks=shown, role=site.rights.trading
        )

    site.hub.kinds["own_blocks"] = Kind("own_blocks", fragment)


def blocks_of(session: TradingSession) -> list[OpenBlock]:
    """Return the open blocks that concern the account, newest first."""
    index, products = session.day.account_index, session.day.products
    return [open_block(each, index, products) for each in reversed(session.blocks)]


async def blocks_show(visit: Visit) -> Response:
    """Show the open blocks, and the form of a new one."""
    answers = visit.asked("answers")
    enquiry = _block(visit, answers) if answers.isdigit() else None
    values = {"kind": "offer", "to": "all", "product": visit.site.feed.newest}
    if enquiry is not None:
        values |= {"product": enquiry.product, "side": enquiry.side, "enquiry": answers}
        values |= {"price": visit.reading.price(enquiry.price)} if enquiry.price else {}
        values |= {"tonnes": str(enquiry.tonnes)} if enquiry.tonnes else {}
    return _page(visit, visit.empty_form(**values), done=visit.asked("done"))


def _page(visit: Visit, form: Form, *, status: int = 200, done: str = "") -> Response:
    session = session_of(visit)
    products = [each["product"] for each in visit.site.feed.products]
    return visit.show(
        "trader/blocks.html",
        live=["status", "session", "own_blocks", "blocks"],
        status=status,
        form=form,
        session=session,
        blocks=blocks_of(session),
        products=products,
        bands={product: session.band(product, block=True) for product in products},
        role=visit.rights.trading,
        done=done,
    )


def _block(visit: Visit, number: str) -> OpenBlock:
    found = [each for each in blocks_of(session_of(visit)) if str(each.block_id) == number]
    if not found:
        raise HTTPException(404)
    return found[0]


async def block_send(visit: Visit) -> Response:
    """Offer a block, or ask for offers."""
    form = await visit.form()
    return await visit.once(form, lambda: _block_send(visit, form))


async def _block_send(visit: Visit, form: Form) -> Response:
    kind, side = form.choice("kind", KINDS), form.choice("side", SIDES)
    is_enquiry = kind == "enquiry"
    price = form.yuan("price", needed=not is_enquiry)
    tonnes = form.whole("tonnes", needed=not is_enquiry)
    enquiry = form.whole("enquiry", needed=False)
    receiver = {} if enquiry else await _receiver(visit, form)
    if not form.is_sound:
        return _page(visit, visit.again(form), status=422)
    terms: dict[str, Any] = {"price_fen": price, "tonnes": tonnes, **receiver}
    product = form.value("product")

    async def queue(client: AsyncClient) -> int:
        if is_enquiry:
            return await client.block_enquiry(product, side, **terms)
        return await client.block_offer(product, side, **terms, enquiry=enquiry or 0)

    outcome = await command_send(visit, form, queue)
    if not form.is_sound:
        return _page(visit, visit.again(form), status=422)
    await session_of(visit).blocks_ask()
    fresh = visit.empty_form(kind="offer", to="all", product=product)
    return _page(visit, fresh, done=outcome_words(visit, outcome))


async def _receiver(visit: Visit, form: Form) -> dict[str, int]:
    """Return for whom it is, as commands say it; what is not known is refused."""
    to, name = form.choice("to", RECEIVERS), form.value("name")
    if to == "all":
        return {}
    client = session_of(visit).client
    if not name or client is None:
        form.refuse("name", "form.missing" if client else "trade.not_sent")
        return {}
    try:
        if to == "account":
            index = (await client.party(account=name))["account_index"]
            key = "counterparty"
        else:
            index = (await client.party(group=name))["group_index"]
            key = "to_group"
    except (SessionError, TimeoutError):
        form.refuse("name", "trade.not_sent")
        return {}
    if index is None:
        form.refuse("name", "blocks.nobody")
        return {}
    return {key: index}


async def counter_show(visit: Visit) -> Response:
    """Show the form of a counter-offer."""
    block = _block(visit, visit.part("block_id"))
    form = visit.empty_form(price=visit.reading.price(block.price), tonnes=str(block.tonnes))
    return visit.show("trader/counter.html", block=block, form=form, done="")


async def counter_send(visit: Visit) -> Response:
    """Put other terms on the table."""
    block, form = _block(visit, visit.part("block_id")), await visit.form()
    return await visit.once(form, lambda: _counter_send(visit, block, form))


async def _counter_send(visit: Visit, block: OpenBlock, form: Form) -> Response:
    price, tonnes = form.yuan("price"), form.whole("tonnes")
    done = ""
    if price is not None and tonnes is not None:
        outcome = await command_send(
            visit,
            form,
            lambda client: client.block_counter(block.block_id, price_fen=price, tonnes=tonnes),
        )
        done = outcome_words(visit, outcome)
    return visit.show("trader/counter.html", block=block, form=visit.again(form), done=done)


async def accept_send(visit: Visit) -> Response:
    """Accept the terms that are seen; other ones that have come meanwhile are not accepted."""
    block, form = _block(visit, visit.part("block_id")), await visit.form()
    seen = form.value("price"), form.value("tonnes")
    if seen != (str(block.price), str(block.tonnes)):
        return visit.show(
            "trader/note.html", trouble=visit.trouble_of("blocks.changed"), done=""
        )
    return await _say(visit, lambda client: client.block_accept(block.block_id))


async def reject_send(visit: Visit) -> Response:
    """Decline."""
    block = _block(visit, visit.part("block_id"))
    return await _say(visit, lambda client: client.block_reject(block.block_id))


async def withdraw_send(visit: Visit) -> Response:
    """Take back an offer, an enquiry or a counter-offer."""
    block = _block(visit, visit.part("block_id"))
    return await _say(visit, lambda client: client.block_withdraw(block.block_id))


async def _say(visit: Visit, queue: Any) -> Response:
    """Send what needs no id: a second time the block is known to be over."""
    form = visit.empty_form()
    outcome = await command_send(visit, form, queue)
    trouble = next(iter(form.troubles.values()), None)
    return visit.show("trader/note.html", trouble=trouble, done=outcome_words(visit, outcome))


PAGES = (
    Page(
        path="/blocks",
        name="blocks",
        section="trader",
        show=blocks_show,
        acts={"": block_send},
        allowed=trades,
    ),
    Page(
        path="/blocks/{block_id}",
        name="blocks",
        section="trader",
        show=counter_show,
        acts={
            "": counter_send,
            "/accept": accept_send,
            "/reject": reject_send,
            "/withdraw": withdraw_send,
        },
        allowed=trades,
        in_menu=False,
    ),
)
