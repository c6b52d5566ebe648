"""What waits for an official's word: filings, verifications, surrenders; what looks unlikely."""

import asyncio
from typing import Any

from starlette.responses import Response

from cea_exchange.screens.access import Rights
from cea_exchange.screens.institution.asking import (
    act,
    done_see,
    done_words,
    rows_look,
    sent,
    today_of,
    word_of,
    year_asked,
)
from cea_exchange.screens.institution.proposals import province_name
from cea_exchange.screens.officials.place import (
    OFFICIALS,
    own_province,
    province_seen,
    provinces_offered,
)
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/reviews"
LEVELS = ("city", "province", "authority")
PICKED = "pick."


def reviews(rights: Rights) -> bool:
    """Whether somebody reviews anything."""
    return rights.role("platform") in OFFICIALS or rights.role("registry") in OFFICIALS


async def reviews_show(visit: Visit) -> Response:
    """Show what waits, of a year."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200, **forms: Form) -> Response:
    at_platform = visit.rights.role("platform") in OFFICIALS
    at_registry = visit.rights.role("registry") in OFFICIALS
    today = await today_of(visit, "platform" if at_platform else "registry")
    year = year_asked(visit, today.year - 1)
    platform, registry = await asyncio.gather(
        _at_platform(visit, year) if at_platform else _nothing(),
        _at_registry(visit) if at_registry else _nothing(),
    )
    names = ("filings", "give", "confirm", "surrenders")
    return visit.show(
        "officials/reviews.html",
        live=["status"],
        status=status,
        years=range(today.year, today.year - 4, -1),
        year=year,
        platform=platform,
        registry=registry,
        may_pass=visit.rights.role("platform") in LEVELS,
        may_verify=visit.rights.role("platform") == "province",
        registry_role=visit.rights.role("registry"),
        word=word_of(visit),
        forms={name: forms.get(name) or visit.empty_form() for name in names},
        done=done_words(visit),
    )


async def _nothing() -> None:
    return None


async def _at_platform(visit: Visit, year: int) -> dict[str, Any]:
    province = province_seen(visit, "platform")
    periods = [("plan", year), ("plan", year + 1), ("report", year)]
    periods += [("month", month) for month in range(100 * year + 1, 100 * year + 13)]
    (verifications, trouble), (findings, _), *lists = await asyncio.gather(
        rows_look(visit, "platform", "verification_list", "verifications",
                  province=province, year=year),
        rows_look(visit, "platform", "check_run", "findings", province=province, year=year),
        *(
            rows_look(visit, "platform", "filing_waiting", "waiting",
                      province=province, kind=kind, period=period)
            for kind, period in periods
        ),
    )
    return {
        "province": province,
        "province_name": province_name(visit.language, province),
        "provinces": provinces_offered(visit, "platform"),
        "waiting": [
            each
            for (kind, period), (rows, _) in zip(periods, lists, strict=True)
            for each in _by_enterprise(kind, period, rows)
        ],
        "verifications": verifications,
        "findings": findings,
        "trouble": trouble,
    }


def _by_enterprise(kind: str, period: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what an enterprise filed of a period as one row, with who has passed all of it."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        each = found.setdefault(
            row["enterprise"],
            {"enterprise": row["enterprise"], "kind": kind, "period": period, "units": []}
            | {"passed": set(row["passed"])},
        )
        each["passed"] &= set(row["passed"])
        if row["unit"]:
            each["units"].append(row["unit"])
    return list(found.values())


async def _at_registry(visit: Visit) -> dict[str, Any]:
    own = own_province(visit.rights, "registry")
    of: dict[str, Any] = {"province": own} if own else {}
    found = {}
    for state in ("applied", "accepted"):
        found[state], _ = await rows_look(
            visit, "registry", "surrender_list", "surrenders", state=state, **of
        )
    return found


async def _filings(visit: Visit, form: Form) -> Response:
    """Pass, or return, the filings that were picked."""
    decision = form.choice("decision", ("pass", "return"))
    picked = [value for name, value in form.values.items() if name.startswith(PICKED)]
    why = form.line("why", needed=decision == "return")
    if not picked:
        form.refuse("", "reviews.none_picked")
    for number, each in enumerate(picked):
        if not form.is_sound:
            break
        enterprise, kind, period = each.split("|") if each.count("|") == 2 else ("", "", "0")
        request: dict[str, Any] = {"op": f"filing_{decision}", "enterprise": enterprise}
        request |= {"kind": kind, "period": int(period) if period.isdigit() else 0}
        if decision == "return":
            request["why"] = why
        await act(visit, form, "platform", request, fields=("why",), part=f".{number}")
    if form.is_sound:
        done = "passed" if decision == "pass" else "returned"
        return done_see(visit, f"{PATH}?year={form.value('year')}", {}, done)
    return await _page(visit, status=422, filings=visit.again(form))


async def _give(visit: Visit, form: Form) -> Response:
    day = form.day("due_on")
    enterprise, year, firm = form.line("enterprise"), form.whole("year"), form.line("firm")
    if form.is_sound and day is not None:
        request = {"op": "verification_give", "enterprise": enterprise, "year": year, "firm": firm}
        request["due_on"] = int(day.strftime("%Y%m%d"))
        fields = ("enterprise", "firm", "due_on")
        answer = await act(visit, form, "platform", request, fields=fields)
        if answer is not None:
            return done_see(visit, f"{PATH}?year={year}", answer, "given")
    return await _page(visit, status=422, give=visit.again(form))


async def _confirm(visit: Visit, form: Form) -> Response:
    request = {"op": "verification_confirm", "verification": form.whole("verification")}
    request |= {"reason": form.line("reason", needed=False)}
    if form.is_sound:
        answer = await act(visit, form, "platform", request, fields=("reason",))
        if answer is not None:
            return done_see(visit, f"{PATH}?year={form.value('year')}", answer, "confirmed")
    return await _page(visit, status=422, confirm=visit.again(form))


async def _surrender(visit: Visit, form: Form) -> Response:
    """Accept or reject an application as the province, or retire it as the authority."""
    decision = form.choice("decision", ("accept", "reject", "retire"))
    request: dict[str, Any] = {
        "op": f"surrender_{decision}",
        "surrender_id": form.whole("surrender_id"),
    }
    if decision != "retire":
        request["province"] = own_province(visit.rights, "registry")
    if decision == "reject":
        request["why"] = form.line("why")
    if form.is_sound:
        answer = await act(visit, form, "registry", request, fields=("why",))
        if answer is not None:
            return done_see(visit, PATH, answer, "taken")
    return await _page(visit, status=422, surrenders=visit.again(form))


PAGES = (
    Page(
        path=PATH,
        name="reviews",
        section="officials",
        show=reviews_show,
        acts={
            "/filings": sent(_filings),
            "/give": sent(_give),
            "/confirm": sent(_confirm),
            "/surrender": sent(_surrender),
        },
        allowed=reviews,
    ),
)
