"""A province's cases of enforcement: opened, taken step by step, decided, paid."""

from typing import Any, get_args

from starlette.responses import Response

from cea_exchange.domain.compliance.enforcement.offences import Offence
from cea_exchange.screens.institution.asking import (
    act,
    done_see,
    done_words,
    look,
    rows_look,
    sent,
    whole_part,
    word_of,
)
from cea_exchange.screens.institution.proposals import province_name
from cea_exchange.screens.officials.place import official_at, province_seen, provinces_offered
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/cases"
OFFENCES = ("unpaid", *get_args(Offence))
OF_THEIR_OWN = ("decide", "pay", "instalments", "ruling", "cut")
"""Steps that have figures, and requests of their own."""
OF_TWO = ("drop", "stop_production")
"""Steps without figures that take a second person, and so have requests of their own too."""


async def cases_show(visit: Visit) -> Response:
    """Show a province's cases."""
    return await _page(visit)


async def _page(visit: Visit, form: Form | None = None) -> Response:
    province = province_seen(visit, "platform")
    rows, trouble = await rows_look(visit, "platform", "case_list", "cases", province=province)
    return visit.show(
        "officials/cases.html",
        live=["status"],
        status=200 if form is None else 422,
        province=province,
        province_name=province_name(visit.language, province),
        provinces=provinces_offered(visit, "platform"),
        cases=rows,
        may_act=visit.rights.role("platform") == "province",
        word=word_of(visit),
        offences=OFFENCES,
        form=form or visit.empty_form(),
        trouble=trouble,
        done=done_words(visit),
    )


async def _open(visit: Visit, form: Form) -> Response:
    offence, day = form.choice("offence", OFFENCES), form.day("committed_on")
    enterprise, firm = form.line("enterprise", needed=False), form.line("firm", needed=False)
    year, document = form.whole("year", needed=False), form.line("document")
    gains = form.yuan("gains", needed=False)
    if bool(enterprise) == bool(firm):
        form.refuse("enterprise", "cases.one_of_both")
    if form.is_sound and day is not None:
        request: dict[str, Any] = {
            "op": "case_open",
            "province": province_seen(visit, "platform"),
            "offence": offence,
            "committed_on": int(day.strftime("%Y%m%d")),
            "document": document,
            "year": year or 0,
            "gains": gains or 0,
            "apart": form.line("apart", needed=False),
            **({"enterprise": enterprise} if enterprise else {"firm": firm}),
        }
        fields = ("enterprise", "firm", "committed_on", "year", "gains", "document", "apart")
        answer = await act(visit, form, "platform", request, fields=fields)
        if answer is not None:
            return done_see(visit, f"{PATH}/{answer['case']}", answer, "taken")
    return await _page(visit, visit.again(form))


async def case_show(visit: Visit) -> Response:
    """Show a case with its steps."""
    return await _one(visit)


async def _one(visit: Visit, **forms: Form) -> Response:
    number = whole_part(visit, "number")
    shown = await look(visit, "platform", "case_show", case=number)
    if not shown:
        return visit.show("refused.html", status=404, trouble=shown.trouble)
    rows, _ = await rows_look(
        visit, "platform", "case_list", "cases", province=shown.answer["province"]
    )
    whose = next((each for each in rows if each["case_id"] == number), {})
    may = [step for step in shown.answer["may"] if step not in OF_THEIR_OWN]
    names = ("step", *OF_THEIR_OWN)
    return visit.show(
        "officials/case.html",
        live=["status"],
        status=422 if forms else 200,
        case=shown.answer,
        whose=whose.get("enterprise") or whose.get("firm") or "–",
        province_name=province_name(visit.language, shown.answer["province"]),
        steps=may,
        may=shown.answer["may"] if visit.rights.role("platform") == "province" else [],
        word=word_of(visit),
        outcomes=OUTCOMES,
        measures=MEASURES,
        forms={name: forms.get(name) or visit.empty_form() for name in names},
        done=done_words(visit),
    )


async def _step(visit: Visit, form: Form) -> Response:
    number, step = whole_part(visit, "number"), form.line("step")
    is_dated = step in ("order", "tell_hearing")
    document, day = form.line("document"), form.day("due_on", needed=is_dated)
    words = form.line("words", needed=step == "drop")
    request: dict[str, Any] = {"case": number, "document": document, "words": words}
    if step in OF_TWO:
        request |= {"op": f"case_{step}"}
    else:
        due_on = int(day.strftime("%Y%m%d")) if day else 0
        request |= {"op": "case_step", "step": step, "due_on": due_on}
    return await _taken(visit, form, "step", request)


async def _decide(visit: Visit, form: Form) -> Response:
    request: dict[str, Any] = {"op": "case_decide", "case": whole_part(visit, "number")}
    request |= {"fine": form.yuan("fine"), "document": form.line("document")}
    request |= {"words": form.line("words")}
    request["persons"] = form.line("persons", needed=False).translate(_PERSONS)
    request["persons"] = request["persons"].replace(_FOR_LIFE, "life")
    request["measures"] = ",".join(each for each in MEASURES if form.values.get(each))
    given = {
        "traded_value": form.yuan("traded_value", needed=False),
        "traded_tonnes": form.whole("traded_tonnes", needed=False),
    }
    request |= {name: value for name, value in given.items() if value is not None}
    return await _taken(visit, form, "decide", request)


async def _pay(visit: Visit, form: Form) -> Response:
    request: dict[str, Any] = {"op": "case_pay", "case": whole_part(visit, "number")}
    request |= {"paid": form.yuan("paid"), "document": form.line("document")}
    request |= {"payer": form.line("payer", needed=False)}
    return await _taken(visit, form, "pay", request)


async def _cut(visit: Visit, form: Form) -> Response:
    request: dict[str, Any] = {"op": "case_cut", "case": whole_part(visit, "number")}
    request |= {"tonnes": form.whole("tonnes"), "document": form.line("document")}
    for name in ("year", "misreported"):
        request |= {name: form.whole(name, needed=False) or 0}
    return await _taken(visit, form, "cut", request)


async def _instalments(visit: Visit, form: Form) -> Response:
    request: dict[str, Any] = {"op": "case_instalments", "case": whole_part(visit, "number")}
    request |= {"parts": form.line("parts"), "document": form.line("document")}
    return await _taken(visit, form, "instalments", request)


async def _ruling(visit: Visit, form: Form) -> Response:
    request: dict[str, Any] = {"op": "case_ruling", "case": whole_part(visit, "number")}
    request |= {"outcome": form.choice("outcome", OUTCOMES), "document": form.line("document")}
    request |= {"fine": form.yuan("fine", needed=False) or 0}
    return await _taken(visit, form, "ruling", request)


OUTCOMES = ("upheld", "changed", "revoked", "withdrawn")
MEASURES = ("barred_from_service", "licence_withdrawn")
_PERSONS = str.maketrans("：，、", ":,,")
_FOR_LIFE = "终身"
"""As a Chinese keyboard writes what the platform reads as NAME:YUAN:life,NAME:YUAN."""
FIELDS = (
    *("document", "words", "due_on", "step", "fine", "persons", "measures", "paid", "payer"),
    *("tonnes", "year", "misreported", "parts", "outcome"),
)


async def _taken(visit: Visit, form: Form, name: str, request: dict[str, Any]) -> Response:
    if form.is_sound:
        answer = await act(visit, form, "platform", request, fields=FIELDS)
        if answer is not None:
            return done_see(visit, f"{PATH}/{request['case']}", answer, "taken")
    return await _one(visit, **{name: visit.again(form)})


PAGES = (
    Page(
        path=PATH,
        name="cases",
        section="officials",
        show=cases_show,
        acts={"": sent(_open)},
        allowed=official_at("platform"),
    ),
    Page(
        path="/cases/{number}",
        name="case",
        section="officials",
        show=case_show,
        acts={
            "/step": sent(_step),
            "/decide": sent(_decide),
            "/pay": sent(_pay),
            "/instalments": sent(_instalments),
            "/ruling": sent(_ruling),
            "/cut": sent(_cut),
        },
        allowed=official_at("platform"),
        in_menu=False,
    ),
)
