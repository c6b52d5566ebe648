"""Alerts: a list, each one in figures against thresholds, and its reproducer over the book.

A case file begins at one.
"""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator import cases
from cea_exchange.screens.regulator.evidence import (
    NotHere,
    Seen,
    Unread,
    alert_key,
    evidence_of,
    supervises,
)
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.texts.catalogue import rule_texts
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.alerts import GRADES, Alert

GRADE_TONES = {"watch": "idle", "alert": "warn", "high": "bad"}


async def alerts_show(visit: Visit) -> Response:
    """Show the alerts."""
    grade = visit.asked("grade")
    try:
        seen = await evidence_of(visit).seen()
    except Unread as error:
        return unread(visit, error)
    shown = [each for each in seen.alerts if grade not in GRADES or each.grade == grade]
    return visit.show(
        "regulator/alerts.html",
        live=["status"],
        alerts=shown,
        count={name: sum(each.grade == name for each in seen.alerts) for name in GRADES},
        grade=grade,
        grades=GRADES,
        tones=GRADE_TONES,
        key_of=alert_key,
        missing=seen.missing,
        events=len(seen.tape.events),
    )


async def alert_show(visit: Visit) -> Response:
    """Show an alert, and its reproducer where it was stepped to."""
    evidence, key = evidence_of(visit), visit.part("key")
    try:
        seen, alert = await evidence.alert(key)
    except Unread as error:
        return unread(visit, error)
    except LookupError:
        raise HTTPException(404) from None
    if visit.is_partial:
        return await _steps(visit, seen, alert)
    await evidence.looked(visit, "alert", alert=key)
    return await _page(visit, seen, alert, visit.empty_form())


async def _page(visit: Visit, seen: Seen, alert: Alert, form: Form, status: int = 200) -> Response:
    return visit.show(
        "regulator/alert.html",
        live=["status"],
        status=status,
        alert=alert,
        said=rule_texts(visit.language).get(alert.rule, ""),
        tones=GRADE_TONES,
        gain=await evidence_of(visit).gain(seen, alert),
        address=f"/supervision/alerts/{alert_key(alert)}",
        place=place_asked(visit),
        form=form,
        may_enter=cases.may_enter(visit.rights),
    )


async def case_open(visit: Visit) -> Response:
    """Open a case file of the alert."""
    form = await visit.form()
    return await visit.once(form, lambda: _case_open(visit, form))


async def _case_open(visit: Visit, form: Form) -> Response:
    evidence = evidence_of(visit)
    try:
        seen, alert = await evidence.alert(visit.part("key"))
    except LookupError:
        raise HTTPException(404) from None
    gain = await evidence.gain(seen, alert)
    opened = await cases.case_opened(visit, form, alert, gain)
    return opened or await _page(visit, seen, alert, visit.again(form), 422)


async def _steps(visit: Visit, seen: Seen, alert: Alert) -> Response:
    """Show the reproducer at one of its commands; the first time it must be found, which takes."""
    accounts = (*alert.accounts, *alert.counterparties)
    found = await evidence_of(visit).script_at(seen, alert, place_asked(visit), accounts)
    if found is None:
        return visit.show("regulator/not_reproduced.html")
    steps, moment = found
    return visit.show(
        "regulator/script_steps.html",
        moment=moment,
        commands=steps.script[: moment.at],
        suspects=frozenset(alert.accounts),
        product=alert.product,
        address=f"/supervision/alerts/{alert_key(alert)}",
    )


def place_asked(visit: Visit) -> int:
    """Return where the address wants to be; 0 if it does not say."""
    asked = visit.asked("at", "0")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 16 else 0


def unread(visit: Visit, error: Unread) -> Response:
    """Say why the venue's record can't be read."""
    if isinstance(error, NotHere):
        trouble = Trouble(visit.text("supervision.not_here"), visit.text("supervision.not_here_do"))
    else:
        trouble = Trouble(visit.text("supervision.damaged"), "", "", str(error))
    return visit.show("regulator/unread.html", live=["status"], trouble=trouble, status=503)


PAGES = (
    Page(
        path="/supervision/alerts",
        name="alerts",
        section="supervision",
        show=alerts_show,
        allowed=supervises,
    ),
    Page(
        path="/supervision/alerts/{key}",
        name="alerts",
        section="supervision",
        show=alert_show,
        acts={"/case": case_open},
        allowed=supervises,
        in_menu=False,
    ),
)
