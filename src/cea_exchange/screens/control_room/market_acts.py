"""The market in an operator's hands: halts, phases, the day, suspensions, kill switch, busts."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import Response

from cea_exchange.domain.records import Phase
from cea_exchange.screens.control_room.acting import act_send, answer_path
from cea_exchange.screens.control_room.overview import monitor_of
from cea_exchange.screens.control_room.rights import acts_at, looks_at
from cea_exchange.screens.page import Handler, Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PHASES = tuple(phase.name.lower() for phase in Phase)
MARKET = ""
"""In a form: all products."""

Request = dict[str, Any]


class Act(NamedTuple):
    """A form of the page, and what it asks the venue for.

    Attributes
    ----------
    request
        Reads the form; what it returns is sent where the form is sound.
    fields
        Beside which a refusal may stand.
    """

    request: Callable[[Form], Request]
    fields: tuple[str, ...]


def _halt(form: Form) -> Request:
    op = form.choice("act", ("halt", "resume"))
    return {"op": op, "product": form.value("product") or None, "why": _why(form, needed=False)}


def _phase(form: Form) -> Request:
    phase = form.choice("phase", PHASES)
    return {"op": "phase", "phase": phase, "why": _why(form, needed=False)}


def _day(form: Form) -> Request:
    op = form.choice("act", ("open_day", "close_day", "override"))
    if op == "open_day":
        date = form.day("date")
        request: Request = {"op": op, "date": date.isoformat() if date else ""}
    else:
        request = {"op": op}
    return request | {"why": _why(form, needed=op == "override")}


def _account(form: Form) -> Request:
    op = form.choice("act", ("suspend", "restore"))
    account = form.line("account")
    return {"op": op, "account": account, "why": _why(form, needed=op == "suspend")}


def _kill(form: Form) -> Request:
    whom = form.choice("whom", ("account", "market"))
    why = _why(form, needed=True)
    if whom == "account":
        return {"op": "kill", "account": form.line("account"), "why": why}
    if not form.value("sure"):
        form.refuse("sure", "control.sure_needed")
    return {"op": "kill", "market": True, "why": why}


def _bust(form: Form) -> Request:
    return {"op": "bust", "trade_id": form.whole("trade_id"), "why": _why(form, needed=True)}


def _why(form: Form, *, needed: bool) -> str:
    return form.line("why", needed=needed)


ACTS = {
    "halt": Act(_halt, ("product", "why")),
    "phase": Act(_phase, ("phase", "why")),
    "day": Act(_day, ("date", "why")),
    "account": Act(_account, ("account", "why")),
    "kill": Act(_kill, ("account", "why")),
    "bust": Act(_bust, ("trade_id", "why")),
}


async def market_show(visit: Visit) -> Response:
    """Show the market's state, and the forms of what may be done to it."""
    return await _page(visit, done=visit.asked("done"))


async def _page(
    visit: Visit, wrong: str = "", form: Form | None = None, *, status: int = 200, done: str = ""
) -> Response:
    monitor = monitor_of(visit)
    if "venue" not in monitor.states:
        await monitor.look()
    forms = {name: visit.empty_form() for name in ACTS}
    forms["halt"].values |= {"act": visit.asked("act"), "product": visit.asked("product")}
    if form is not None:
        forms[wrong] = visit.again(form)
    return visit.show(
        "control/market.html",
        live=["status", "control_products"],
        status=status,
        forms=forms,
        monitor=monitor,
        phases=PHASES,
        products=[each["product"] for each in visit.site.feed.products],
        may_act=acts_at("venue", visit.rights),
        done=done if done in ACTS else "",
    )


async def _act(visit: Visit, name: str) -> Response:
    form = await visit.form()
    return await visit.once(form, lambda: _acted(visit, name, form))


async def _acted(visit: Visit, name: str, form: Form) -> Response:
    act = ACTS[name]
    request = act.request(form)
    if form.is_sound:
        answer = await act_send(visit, "venue", form, request, act.fields)
        if answer is not None:
            await monitor_of(visit).look()
            return visit.see(answer_path("/control/market", answer, name))
    return await _page(visit, name, form, status=422)


def _handler(name: str) -> Handler:
    return partial(_act, name=name)


PAGES = (
    Page(
        path="/control/market",
        name="control_market",
        section="control",
        show=market_show,
        acts={f"/{name}": _handler(name) for name in ACTS},
        allowed=partial(looks_at, "venue"),
    ),
)
