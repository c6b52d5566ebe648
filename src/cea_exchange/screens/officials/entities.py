"""Who is on a province's list of a year, who comes and goes, and what is known of each."""

import asyncio
from typing import Any

from starlette.responses import Response

from cea_exchange.screens.institution.asking import (
    act,
    done_see,
    done_words,
    look,
    rows_look,
    sent,
    today_of,
    word_of,
    year_asked,
)
from cea_exchange.screens.institution.proposals import province_name
from cea_exchange.screens.officials.place import official_at, province_seen, provinces_offered
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/entities"
ENTERING = ("over_threshold", "new_plant", "on_request", "successor")
LEAVING = ("below_threshold", "stopped", "other_sector", "succeeded")


async def entities_show(visit: Visit) -> Response:
    """Show a province's list."""
    return await _page(visit)


async def _page(visit: Visit, form: Form | None = None) -> Response:
    province = province_seen(visit, "platform")
    today = await today_of(visit, "platform")
    year = year_asked(visit, today.year)
    of: dict[str, Any] = {"province": province, "list_year": year}
    (listed, trouble), (changes, no_changes) = await asyncio.gather(
        rows_look(visit, "platform", "list_show", "listed", **of),
        rows_look(visit, "platform", "list_next", "changes", **of),
    )
    return visit.show(
        "officials/entities.html",
        live=["status"],
        status=200 if form is None else 422,
        province=province,
        province_name=province_name(visit.language, province),
        provinces=provinces_offered(visit, "platform"),
        years=range(today.year + 1, today.year - 4, -1),
        year=year,
        today=today.isoformat(),
        listed=listed,
        changes=changes,
        no_changes=no_changes,
        trouble=trouble,
        may_decide=visit.rights.role("platform") == "province",
        entering=ENTERING,
        leaving=LEAVING,
        word=word_of(visit),
        form=form or visit.empty_form(decided_on=today.isoformat()),
        publish=visit.empty_form(),
        done=done_words(visit),
    )


async def _change(visit: Visit, form: Form) -> Response:
    year, enterprise = form.whole("year"), form.line("enterprise")
    cause = form.choice("cause", (*ENTERING, *LEAVING))
    day, document = form.day("decided_on"), form.line("document")
    enters = cause in ENTERING
    tonnes = form.whole("tonnes", needed=enters)
    if form.is_sound and day is not None:
        request = {
            "op": "list_enter" if enters else "list_leave",
            "list_year": year,
            "enterprise": enterprise,
            "cause": cause,
            "decided_on": int(day.strftime("%Y%m%d")),
            "document": document,
        }
        if enters:
            request["tonnes"] = tonnes
        fields = ("enterprise", "tonnes", "document", "decided_on", "cause")
        answer = await act(visit, form, "platform", request, fields=fields)
        if answer is not None:
            return done_see(visit, f"{PATH}?year={year}", answer, "taken")
    return await _page(visit, visit.again(form))


async def _publish(visit: Visit, form: Form) -> Response:
    year = form.whole("year")
    request = {
        "op": "list_publish",
        "list_year": year,
        "province": province_seen(visit, "platform"),
    }
    answer = await act(visit, form, "platform", request) if form.is_sound else None
    if answer is not None:
        return done_see(visit, f"{PATH}?year={year}", answer, "taken")
    return await _page(visit, visit.again(form))


async def entity_show(visit: Visit) -> Response:
    """Show what is known of an enterprise."""
    enterprise = visit.part("enterprise")
    known = await look(visit, "platform", "enterprise_show", enterprise=enterprise)
    if not known:
        return visit.show("refused.html", status=404, trouble=known.trouble)
    today = await today_of(visit, "platform")
    due, (filings, _), (evidence, _), (inspections, _) = await asyncio.gather(
        look(visit, "platform", "due_list", enterprise=enterprise),
        rows_look(visit, "platform", "filing_list", "filings", enterprise=enterprise),
        rows_look(visit, "platform", "evidence_list", "documents", enterprise=enterprise),
        rows_look(visit, "platform", "inspection_list", "inspections", enterprise=enterprise),
    )
    return visit.show(
        "officials/entity.html",
        live=["status"],
        known=known.answer,
        province_name=province_name(visit.language, known.answer["province"]),
        due=due.answer.get("missing", []),
        filings=list(reversed(filings)),
        evidence=evidence,
        inspections=inspections,
        today=int(today.strftime("%Y%m%d")),
        word=word_of(visit),
    )


PAGES = (
    Page(
        path=PATH,
        name="entities",
        section="officials",
        show=entities_show,
        acts={"": sent(_change), "/publish": sent(_publish)},
        allowed=official_at("platform"),
    ),
    Page(
        path="/entities/{enterprise}",
        name="entity",
        section="officials",
        show=entity_show,
        allowed=official_at("platform"),
        in_menu=False,
    ),
)
