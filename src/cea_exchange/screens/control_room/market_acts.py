"""The market in an operator's hands: halts, phases, the day, suspensions, kill switch, busts."""

from functools import partial
from typing import Any

from starlette.responses import Response

from cea_exchange.domain.records import Phase
from cea_exchange.screens.control_room.acting import Act, ActsPage, Request
from cea_exchange.screens.control_room.overview import monitor_of
from cea_exchange.screens.control_room.rights import looks_at
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PHASES = tuple(phase.name.lower() for phase in Phase)


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


async def _write(visit: Visit, forms: dict[str, Form], **shown: Any) -> Response:
    halt = forms["halt"]
    halt.values = {name: visit.asked(name) for name in ("act", "product")} | halt.values
    return visit.show(
        "control/market.html",
        live=["status", "control_products"],
        forms=forms,
        monitor=monitor_of(visit),
        phases=PHASES,
        products=[each["product"] for each in visit.site.feed.products],
        **shown,
    )


MARKET = ActsPage("/control/market", "venue", ACTS, _write)
PAGES = (
    Page(
        path=MARKET.path,
        name="control_market",
        section="control",
        show=MARKET.show,
        acts=MARKET.handlers,
        allowed=partial(looks_at, "venue"),
    ),
)
