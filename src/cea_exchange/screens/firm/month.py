"""A month of a firm: its figures typed or brought as a file, looked at, and filed by another."""

import asyncio
from functools import partial
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.screens.firm.filings import EVIDENCE_BYTES_MAX, may_enter
from cea_exchange.screens.firm.holder import enterprise_of, files
from cea_exchange.screens.firm.month_file import (
    FIELDS,
    ORIGINS,
    findings_note,
    form_values,
    month_csv,
    parameter_named,
    rows_count,
    rows_read,
    rows_shown,
)
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
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.texts.catalogue import texts
from cea_exchange.screens.visit import Visit

PATH = "/filings/{month}"
ENCODINGS = ("utf-8", "gb18030")


def _month(visit: Visit) -> int:
    month = whole_part(visit, "month")
    if not (2000_00 < month < 2100_00 and 1 <= month % 100 <= 12):
        raise HTTPException(404)
    return month


async def month_show(visit: Visit) -> Response:
    """Show a month of all units: figures, what they give, versions; and let it be filed."""
    return await _page(visit)


async def _page(visit: Visit, form: Form | None = None, brought: Form | None = None) -> Response:
    month, enterprise = _month(visit), enterprise_of(visit.rights)
    known = await look(visit, "platform", "enterprise_show", enterprise=enterprise)
    units = [each["unit"] for each in known.answer.get("units", ())]
    looks = await asyncio.gather(
        *(
            look(visit, "platform", "month_show", enterprise=enterprise, unit=unit, month=month)
            for unit in units
        )
    )
    shown = {unit: found.answer for unit, found in zip(units, looks, strict=True)}
    seen = {unit: each["sha256"] for unit, each in shown.items() if each.get("state") == "draft"}
    return visit.show(
        "firm/month.html",
        live=["status"],
        status=200 if form is None and brought is None else 422,
        enterprise=enterprise,
        month=month,
        units=shown,
        seen=seen,
        may_enter=may_enter(visit),
        may_file=visit.rights.role("platform") == "reviewer" and bool(seen),
        word=word_of(visit),
        named=partial(parameter_named, texts(visit.language)),
        trouble=known.trouble,
        form=form or visit.empty_form(),
        brought=brought or visit.empty_form(),
        done=done_words(visit),
    )


async def _file(visit: Visit, form: Form) -> Response:
    """File what was seen, of all units."""
    month = _month(visit)
    seen = {
        name.removeprefix("seen."): value
        for name, value in form.values.items()
        if name.startswith("seen.")
    }
    request = {
        "op": "month_file",
        "enterprise": enterprise_of(visit.rights),
        "period": month,
        "seen": seen,
    }
    answer = await act(visit, form, "platform", request)
    if answer is not None:
        return done_see(visit, f"/filings/{month}", answer, "filed")
    return await _page(visit, visit.again(form))


async def _bring(visit: Visit, form: Form) -> Response:
    """Enter a whole file of figures."""
    month, upload = _month(visit), form.files.get("file")
    encoding = form.choice("encoding", ENCODINGS)
    reason = form.line("reason", needed=False)
    if upload is None or not upload.content:
        form.refuse("file", "form.missing")
    elif form.is_sound:
        request = {
            "op": "month_enter",
            "enterprise": enterprise_of(visit.rights),
            "file": upload.name[-200:],
            "content": upload.content,
            "encoding": encoding,
            "reason": reason,
        }
        answer = await act(visit, form, "platform", request, fields=("reason",))
        if answer is not None:
            return done_see(visit, f"/filings/{month}", answer, "entered")
        if form.troubles.get("", Trouble("")).code == "FILE_REFUSED":
            form.troubles["file"] = form.troubles.pop("")
    return await _page(visit, brought=visit.again(form))


async def entry_show(visit: Visit) -> Response:
    """Show the form of a unit's month."""
    month, enterprise, unit = _month(visit), enterprise_of(visit.rights), visit.part("unit")
    before = month - 1 if month % 100 > 1 else month - 89
    known, this, last = await asyncio.gather(
        look(visit, "platform", "enterprise_show", enterprise=enterprise),
        *(
            look(visit, "platform", "month_show", enterprise=enterprise, unit=unit, month=each)
            for each in (month, before)
        ),
    )
    figures = this.answer.get("figures") or last.answer.get("figures", [])
    rows = rows_shown(figures, known.answer.get("sector", ""), with_values=bool(this))
    return await _entry(visit, visit.empty_form(**form_values(rows)))


async def _entry(visit: Visit, form: Form, status: int = 200) -> Response:
    month, enterprise, unit = _month(visit), enterprise_of(visit.rights), visit.part("unit")
    (evidence, trouble), this = await asyncio.gather(
        rows_look(visit, "platform", "evidence_list", "documents", enterprise=enterprise),
        look(visit, "platform", "month_show", enterprise=enterprise, unit=unit, month=month),
    )
    return visit.show(
        "firm/month_entry.html",
        live=["status"],
        status=status,
        enterprise=enterprise,
        month=month,
        unit=unit,
        form=form,
        rows=range(rows_count(form)),
        named=partial(parameter_named, texts(visit.language)),
        row_troubles=_row_troubles(form),
        origins=[(each, visit.text(f"origin.{each}")) for each in ORIGINS],
        evidence=[("", "–"), *((each["sha256"], each["file"]) for each in reversed(evidence))],
        is_further=bool(this),
        trouble=trouble,
    )


def _row_troubles(form: Form) -> dict[int, list[tuple[str, Trouble]]]:
    """Return row -> what is wrong with its fields, in their order."""
    found: dict[int, list[tuple[str, Trouble]]] = {}
    for at in range(rows_count(form)):
        for name in FIELDS:
            if trouble := form.troubles.get(f"{name}.{at}"):
                found.setdefault(at, []).append((name, trouble))
    return found


async def _enter(visit: Visit, form: Form) -> Response:
    month, enterprise, unit = _month(visit), enterprise_of(visit.rights), visit.part("unit")
    rows = rows_read(form)
    reason = form.line("reason", needed=False)
    if form.is_sound:
        request: dict[str, Any] = {
            "op": "month_enter",
            "enterprise": enterprise,
            "file": f"{unit}-{month}.csv",
            "content": month_csv(enterprise, unit, month, rows),
            "reason": reason,
        }
        answer = await act(visit, form, "platform", request, fields=("reason",))
        if answer is not None:
            return done_see(visit, f"/filings/{month}", answer, "entered")
        refused = form.troubles.get("")
        if refused is not None and refused.code == "FILE_REFUSED":
            findings_note(form, refused.detail, rows, visit.text("month.line_refused"))
    return await _entry(visit, visit.again(form), status=422)


PAGES = (
    Page(
        path=PATH,
        name="month",
        section="firm",
        show=month_show,
        acts={"/file": sent(_file), "/bring": sent(_bring)},
        allowed=files,
        in_menu=False,
        body_bytes_max=EVIDENCE_BYTES_MAX,
    ),
    Page(
        path="/filings/{month}/{unit}",
        name="month_entry",
        section="firm",
        show=entry_show,
        acts={"/enter": sent(_enter)},
        allowed=lambda rights: rights.role("platform") == "preparer",
        in_menu=False,
    ),
)
