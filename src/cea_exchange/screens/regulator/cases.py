"""Case files: opened of an alert, added to, closed with a second person (CEA-CAS-01)."""

from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.access import Rights
from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator.evidence import supervises
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.alerts import Alert
from cea_exchange.supervision.gains import Gain

PATH = "/supervision/cases"
OUTCOMES = ("no_abuse", "measures", "to_authority")
FORMS = ("note", "close")
TEXT_MAX = 4_000

Request = dict[str, Any]


def may_enter(rights: Rights) -> bool:
    """Whether somebody may add to case files."""
    return rights.role("venue") == "operator"


async def cases_show(visit: Visit) -> Response:
    """Show all case files."""
    cases = (await _look(visit, "cases"))["cases"]
    return visit.show("regulator/cases.html", live=["status"], cases=cases)


async def case_show(visit: Visit) -> Response:
    """Show one, entry by entry."""
    return await _page(visit)


async def _page(visit: Visit, wrong: str = "", form: Form | None = None) -> Response:
    case = (await _look(visit, "case", case=visit.part("case")))["case"]
    forms = {name: visit.empty_form() for name in FORMS}
    if form is not None:
        forms[wrong] = visit.again(form)
    return visit.show(
        "regulator/case.html",
        live=["status"],
        status=422 if form is not None else 200,
        case=case,
        address=f"{PATH}/{quote(visit.part('case'))}",
        forms=forms,
        outcomes=OUTCOMES,
        may_enter=may_enter(visit.rights) and not case["outcome"],
    )


async def _look(visit: Visit, op: str, **terms: str) -> dict[str, Any]:
    assert visit.site.systems is not None
    try:
        return await visit.site.systems.ask("venue", {"op": op, **terms})
    except NotDone as error:
        visit.look_trouble(error)
        raise HTTPException(404) from None


def _note(form: Form) -> Request:
    return {"op": "case_note", "text": form.line("text", length_max=TEXT_MAX)}


def _close(form: Form) -> Request:
    outcome = form.choice("outcome", OUTCOMES)
    return {"op": "case_close", "outcome": outcome, "why": form.line("why")}


REQUESTS = {"note": (_note, ("text",)), "close": (_close, ("why",))}


async def _act(visit: Visit, name: str) -> Response:
    form = await visit.form()
    return await visit.once(form, lambda: _acted(visit, name, form))


async def _acted(visit: Visit, name: str, form: Form) -> Response:
    read, fields = REQUESTS[name]
    request = read(form)
    if form.is_sound:
        case = {"case": visit.part("case")}
        answer = await visit.act("venue", form, request | case, fields)
        if answer is not None:
            return _seen(visit, answer, visit.part("case"))
    return await _page(visit, name, form)


def _seen(visit: Visit, answer: dict[str, Any], case: str) -> Response:
    number = answer.get("proposal")
    return visit.see(
        f"{PATH}/{quote(case)}" if number is None else f"/control/approvals?proposed={number}"
    )


async def case_opened(visit: Visit, form: Form, alert: Alert, gain: Gain) -> Response | None:
    """Open a case of an alert; None where that is refused, which is noted in the form."""
    case, title = form.line("case", length_max=64), form.line("title")
    if not form.is_sound:
        return None
    request = {"op": "case_open", "case": case, "title": title, "alerts": [_taken(alert, gain)]}
    answer = await visit.act("venue", form, request, ("case", "title"))
    return None if answer is None else _seen(visit, answer, case)


def _taken(alert: Alert, gain: Gain) -> Request:
    """Return an alert as a case file takes it."""
    fields = msgspec.to_builtins(alert)
    return {"kind": "alert_taken", **fields, "gain_fen": msgspec.to_builtins(gain)}


PAGES = (
    Page(
        path=PATH,
        name="case_files",
        section="supervision",
        show=cases_show,
        allowed=supervises,
    ),
    Page(
        path=f"{PATH}/{{case}}",
        name="case_files",
        section="supervision",
        show=case_show,
        acts={f"/{name}": partial(_act, name=name) for name in FORMS},
        allowed=supervises,
        in_menu=False,
    ),
)
