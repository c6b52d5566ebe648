"""What a firm has to file: what is due, where its documents stand, evidence, the year's report."""

import asyncio
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from cea_exchange.screens.firm.holder import enterprise_of, files
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
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

PATH = "/filings"
AHEAD_DAYS = 100
EVIDENCE_BYTES_MAX = 4 << 20
YEARS_BACK = 3


def may_enter(visit: Visit) -> bool:
    """Whether the reader enters figures."""
    return visit.rights.role("platform") == "preparer"


async def filings_show(visit: Visit) -> Response:
    """Show what is due, and the documents of a year."""
    return await _page(visit)


async def _page(visit: Visit, *, status: int = 200, **forms: Form) -> Response:
    enterprise = enterprise_of(visit.rights)
    today = await today_of(visit, "platform")
    year = year_asked(visit, today.year - 1)
    until = int((today + timedelta(days=AHEAD_DAYS)).strftime("%Y%m%d"))
    known, due, (filings, trouble), (evidence, _) = await asyncio.gather(
        look(visit, "platform", "enterprise_show", enterprise=enterprise),
        look(visit, "platform", "due_list", enterprise=enterprise, until=until),
        rows_look(visit, "platform", "filing_list", "filings", enterprise=enterprise, year=year),
        rows_look(visit, "platform", "evidence_list", "documents", enterprise=enterprise),
    )
    units = [each["unit"] for each in known.answer.get("units", ())]
    return visit.show(
        "firm/filings.html",
        live=["status"],
        status=status,
        enterprise=enterprise,
        known=known.answer,
        units=units,
        today=int(today.strftime("%Y%m%d")),
        years=range(today.year, today.year - YEARS_BACK - 1, -1),
        year=year,
        due=due.answer,
        months=months_of(year, units, filings),
        reports=[each for each in filings if each["kind"] == "report"],
        plans=[each for each in filings if each["kind"] == "plan"],
        evidence=list(reversed(evidence)),
        role=visit.rights.role("platform"),
        word=word_of(visit),
        trouble=known.trouble or due.trouble or trouble,
        done=done_words(visit),
        forms={
            name: forms.get(name) or visit.empty_form() for name in ("evidence", "report", "sign")
        },
    )


def months_of(
    year: int, units: list[str], filings: list[dict[str, Any]]
) -> list[tuple[int, list[tuple[str, dict[str, Any] | None]]]]:
    """Return a year's months, each with its units and where their documents stand."""
    stands = {
        (each["period"], each["unit"]): each for each in filings if each["kind"] == "month"
    }
    named = sorted({*units, *(unit for _, unit in stands)})
    return [
        (month, [(unit, stands.get((month, unit))) for unit in named])
        for month in range(100 * year + 1, 100 * year + 13)
    ]


async def _evidence(visit: Visit, form: Form) -> Response:
    upload = form.files.get("file")
    if upload is None or not upload.content:
        form.refuse("file", "form.missing")
    else:
        request = {
            "op": "evidence_bring",
            "enterprise": enterprise_of(visit.rights),
            "file": upload.name[-200:],
            "content": upload.content,
        }
        answer = await act(visit, form, "platform", request, fields=("file",))
        if answer is not None:
            return done_see(visit, PATH, answer, "brought")
    return await _page(visit, status=422, evidence=visit.again(form))


async def _report(visit: Visit, form: Form) -> Response:
    year = form.whole("year")
    reason = form.line("reason", needed=False)
    if form.is_sound:
        enterprise = enterprise_of(visit.rights)
        request = {"op": "report_enter", "enterprise": enterprise, "year": year, "reason": reason}
        answer = await act(visit, form, "platform", request, fields=("reason",))
        if answer is not None:
            return done_see(visit, f"{PATH}?year={year}", answer, "entered")
    return await _page(visit, status=422, report=visit.again(form))


async def _sign(visit: Visit, form: Form) -> Response:
    year = form.whole("year")
    request = {
        "op": "report_sign",
        "enterprise": enterprise_of(visit.rights),
        "year": year,
        "seen": form.value("seen"),
    }
    answer = await act(visit, form, "platform", request) if form.is_sound else None
    if answer is not None:
        return done_see(visit, f"{PATH}?year={year}", answer, "signed")
    return await _page(visit, status=422, sign=visit.again(form))


PAGES = (
    Page(
        path=PATH,
        name="filings",
        section="firm",
        show=filings_show,
        acts={"/evidence": sent(_evidence), "/report": sent(_report), "/sign": sent(_sign)},
        allowed=files,
        body_bytes_max=EVIDENCE_BYTES_MAX,
    ),
)
