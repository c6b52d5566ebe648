"""Alerts: a list, each one in figures against thresholds, and its reproducer over the book.

Case files begin at an alert: `alert_key` is what one would be opened with.
"""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from cea_exchange.screens.page import Page
from cea_exchange.screens.regulator.evidence import (
    NotHere,
    Unread,
    alert_key,
    evidence_of,
    supervises,
)
from cea_exchange.screens.serving.forms import Trouble
from cea_exchange.screens.visit import Visit
from cea_exchange.supervision.alerts import GRADES

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
    place = place_asked(visit)
    if not visit.is_partial:
        await evidence.looked(visit, "alert", alert=key)
    accounts = (*alert.accounts, *alert.counterparties)
    found = await evidence.script_at(seen, alert, place, accounts)
    steps, moment = found or (None, None)
    template = "regulator/script_steps.html" if visit.is_partial else "regulator/alert.html"
    return visit.show(
        template,
        live=["status"],
        alert=alert,
        key=key,
        tones=GRADE_TONES,
        gain=await evidence.gain(seen, alert),
        steps=steps,
        moment=moment,
        commands=steps.script[: moment.at] if steps is not None and moment is not None else [],
        suspects=frozenset(alert.accounts),
        product=alert.product,
        address=f"/supervision/alerts/{key}",
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
        allowed=supervises,
        in_menu=False,
    ),
)
