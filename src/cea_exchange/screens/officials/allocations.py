"""What a province gives its entities: computed, looked at with its differences, approved, given."""

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
    whole_part,
    year_asked,
)
from cea_exchange.screens.institution.proposals import province_name
from cea_exchange.screens.officials.place import official_at, province_seen, provinces_offered
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/allocations"
STAGES = ("pre", "final", "adjustment")
ACTS = ("approve", "distribute", "withdraw", "recall", "obligations")
OF_STATE = {
    "computed": ("approve", "withdraw"),
    "approved": ("distribute", "withdraw"),
    "distributed": ("obligations", "recall"),
}
"""What may be done with an allocation in each state; the first one is what comes next."""


async def allocations_show(visit: Visit) -> Response:
    """Show a province's allocations, and for the authority the nation's."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200, **forms: Form) -> Response:
    province = province_seen(visit, "platform")
    role = visit.rights.role("platform")
    today = await today_of(visit, "platform")
    year = year_asked(visit, today.year - 1)
    rows, trouble = await rows_look(
        visit, "platform", "allocation_list", "allocations", province=province, year=year
    )
    national = {}
    if role in ("authority", "regulator"):
        looks = await asyncio.gather(
            *(look(visit, "platform", "allocation_national", year=year, stage=stage)
              for stage in STAGES)
        )
        national = {
            stage: found.answer
            for stage, found in zip(STAGES, looks, strict=True)
            if found and (found.answer["total"] is not None or found.answer["given"])
        }
    return visit.show(
        "officials/allocations.html",
        live=["status"],
        status=status,
        province=province,
        province_name=province_name(visit.language, province),
        provinces=provinces_offered(visit, "platform"),
        names=lambda code: province_name(visit.language, code),
        years=range(today.year, today.year - 4, -1),
        year=year,
        allocations=rows,
        national=national,
        stages=[(stage, visit.text(f"stage.{stage}")) for stage in STAGES],
        role=role,
        trouble=trouble,
        forms={
            "compute": forms.get("compute") or visit.empty_form(stage="final"),
            "total": forms.get("total") or visit.empty_form(stage="final"),
        },
        done=done_words(visit),
    )


async def _compute(visit: Visit, form: Form) -> Response:
    year, stage = form.whole("year"), form.choice("stage", STAGES)
    if form.is_sound:
        request = {"op": "allocation_compute", "year": year, "stage": stage}
        request["province"] = province_seen(visit, "platform")
        answer = await act(visit, form, "platform", request, fields=("year", "stage"))
        if answer is not None:
            return done_see(visit, f"{PATH}/{answer['allocation']}", answer, "computed")
    return await _page(visit, status=422, compute=visit.again(form))


async def _total(visit: Visit, form: Form) -> Response:
    year, stage = form.whole("year"), form.choice("stage", STAGES)
    tonnes = form.whole("tonnes")
    if form.is_sound:
        request = {"op": "total_set", "year": year, "stage": stage, "tonnes": tonnes}
        answer = await act(visit, form, "platform", request, fields=("tonnes",))
        if answer is not None:
            return done_see(visit, f"{PATH}?year={year}", answer, "taken")
    return await _page(visit, status=422, total=visit.again(form))


async def allocation_show(visit: Visit) -> Response:
    """Show an allocation line by line, beside what was given before."""
    return await _one(visit)


async def _one(visit: Visit, form: Form | None = None) -> Response:
    number = whole_part(visit, "number")
    shown = await look(visit, "platform", "allocation_show", allocation=number)
    if not shown:
        return visit.show("refused.html", status=404, trouble=shown.trouble)
    lines, trouble = await rows_look(
        visit, "platform", "allocation_show", "lines", allocation=number
    )
    before = await _before(visit, shown.answer)
    rows = lines_compared(lines, before)
    return visit.show(
        "officials/allocation.html",
        live=["status"],
        status=200 if form is None else 422,
        allocation=shown.answer,
        province_name=province_name(visit.language, shown.answer["province"]),
        rows=rows,
        has_before=bool(before),
        totals={name: sum(row[name] for row in rows) for name in TOTALLED},
        acts=OF_STATE.get(shown.answer["state"], ()),
        may_act=visit.rights.role("platform") == "province",
        is_own=shown.answer["computed_by"] == _name(visit),
        trouble=trouble,
        form=form or visit.empty_form(),
        done=done_words(visit),
    )


def _name(visit: Visit) -> str:
    seat = visit.rights.seat("platform")
    return seat.name if seat else ""


TOTALLED = ("emissions", "before", "tonnes", "difference", "duty", "surplus")


def lines_compared(
    lines: list[dict[str, Any]], before: dict[str, int]
) -> list[dict[str, Any]]:
    """Return an allocation's lines beside what each entity was given of the year before it.

    An entity that was given something, and has no line now, has one here with nothing.
    """
    known = {line["enterprise"] for line in lines}
    nothing = {"emissions": 0, "tonnes": 0, "duty": 0, "mark": ""}
    gone = [{"enterprise": name, **nothing} for name in sorted(before) if name not in known]
    return [
        {
            **line,
            "before": before.get(line["enterprise"], 0),
            "difference": line["tonnes"] - before.get(line["enterprise"], 0),
            "surplus": line["tonnes"] - line["duty"],
        }
        for line in sorted([*lines, *gone], key=lambda line: line["enterprise"])
    ]


async def _before(visit: Visit, allocation: dict[str, Any]) -> dict[str, int]:
    """Return enterprise -> tonnes of the last allocation of the year that was given before."""
    rows, _ = await rows_look(
        visit,
        "platform",
        "allocation_list",
        "allocations",
        province=allocation["province"],
        year=allocation["compliance_year"],
    )
    earlier = [
        row["allocation_id"]
        for row in rows
        if row["state"] == "distributed" and row["allocation_id"] < allocation["allocation_id"]
    ]
    if not earlier:
        return {}
    lines, _ = await rows_look(
        visit, "platform", "allocation_show", "lines", allocation=max(earlier)
    )
    return {line["enterprise"]: line["tonnes"] for line in lines}


async def _act(visit: Visit, form: Form) -> Response:
    number = whole_part(visit, "number")
    what = form.choice("act", ACTS)
    request: dict[str, Any] = {"op": f"allocation_{what}", "allocation": number}
    if what == "recall":
        request["reason"] = form.line("reason")
    if what == "obligations":
        request = {"op": "obligations_set", "province": province_seen(visit, "platform")}
        request |= {"year": form.whole("year"), "reason": form.line("reason", needed=False)}
    if form.is_sound:
        answer = await act(visit, form, "platform", request, fields=("reason",))
        if answer is not None:
            return done_see(visit, f"{PATH}/{number}", answer, DONE_BY.get(what, "taken"))
    return await _one(visit, visit.again(form))


DONE_BY = {"approve": "approved", "distribute": "distributed", "withdraw": "withdrawn"}

PAGES = (
    Page(
        path=PATH,
        name="allocations",
        section="officials",
        show=allocations_show,
        acts={"/compute": sent(_compute), "/total": sent(_total)},
        allowed=official_at("platform", "province", "authority", "regulator"),
    ),
    Page(
        path="/allocations/{number}",
        name="allocation",
        section="officials",
        show=allocation_show,
        acts={"": sent(_act)},
        allowed=official_at("platform", "province", "authority", "regulator"),
        in_menu=False,
    ),
)
