"""Looks and acts at the institutions, as pages of firms and officials make them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.access import KeyedSystems
from cea_exchange.screens.page import Handler
from cea_exchange.screens.reading import SHANGHAI
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.texts.catalogue import texts
from cea_exchange.screens.visit import Visit

PAGES_MAX = 40
"""Answers that one list is read of."""
DONE = (
    *("taken", "brought", "entered", "filed", "signed", "passed", "returned", "given"),
    *("confirmed", "computed", "approved", "distributed", "withdrawn", "rejected", "sent"),
)
"""What may be said to be done: the texts `done.institution_WORD`."""


class Looked(NamedTuple):
    """What a look gave: an answer, or why there is none."""

    answer: dict[str, Any]
    trouble: Trouble | None = None

    def __bool__(self) -> bool:
        return self.trouble is None


def systems_of(visit: Visit) -> KeyedSystems:
    """Return who asks the daemons for the person that looks."""
    assert visit.site.systems is not None, visit.site.name
    return visit.site.systems


async def look(visit: Visit, system: str, op: str, **terms: Any) -> Looked:
    """Ask something that changes nothing; Away where the daemon does not answer."""
    try:
        return Looked(await systems_of(visit).ask(system, {"op": op, **terms}))
    except NotDone as error:
        return Looked({}, visit.look_trouble(error))


async def rows_look(
    visit: Visit, system: str, op: str, rows: str, *, by: str = "first", **terms: Any
) -> tuple[list[dict[str, Any]], Trouble | None]:
    """Return all rows of a list that comes in pages, `PAGES_MAX` of them at most.

    Parameters
    ----------
    rows
        The answer's field that has them.
    by
        The request's field that takes what the answer says to go on from.
    """
    found: list[dict[str, Any]] = []
    for _ in range(PAGES_MAX):
        page = await look(visit, system, op, **terms)
        if not page:
            return found, page.trouble
        found += page.answer[rows]
        if page.answer["next"] is None:
            break
        terms[by] = page.answer["next"]
    return found, None


async def act(
    visit: Visit,
    form: Form,
    system: str,
    request: dict[str, Any],
    *,
    fields: Sequence[str] = (),
    part: str = "",
) -> dict[str, Any] | None:
    """Send what changes something, under the form's own id; note in the form why it was refused.

    The institution does it once, also where its answer was lost.

    Parameters
    ----------
    fields
        Those of the form beside which a refusal may stand.
    part
        Tells several acts of one form apart.
    """
    request_id = f"{form.client_id}{part}"
    return await visit.act(system, form, {**request, "request_id": request_id}, fields)


def sent(carry_out: Callable[[Visit, Form], Awaitable[Response]]) -> Handler:
    """Make a page's handler of what carries a form out: it does so once."""

    async def answer(visit: Visit) -> Response:
        form = await visit.form()
        return await visit.once(form, lambda: carry_out(visit, form))

    return answer


def done_see(visit: Visit, path: str, answer: dict[str, Any], done: str = "sent") -> Response:
    """Show a page that says what was done, or that a second person is waited for."""
    mark = "&" if "?" in path else "?"
    proposal = answer.get("proposal")
    if proposal is not None and "approving_body" in answer:
        return visit.see(f"{path}{mark}proposal={proposal}")
    return visit.see(f"{path}{mark}done={done}")


def done_words(visit: Visit) -> str:
    """Return what a page says was done; empty where nothing was."""
    proposal, done = visit.asked("proposal"), visit.asked("done")
    if proposal.isascii() and proposal.isdigit():
        return visit.text("institution.proposed", number=proposal)
    return visit.text(f"done.institution_{done}") if done in DONE else ""


def word_of(visit: Visit) -> Callable[[str], str]:
    """Return what gives a text by its key, and the key's last part where there is none.

    For names that institutions give, of which a later one may know more.
    """
    known = texts(visit.language)
    return lambda key: known.get(key, key.rpartition(".")[2])


async def today_of(visit: Visit, system: str) -> date:
    """Return the day it is at an institution; the machine's where it does not say."""
    seat = await look(visit, system, "seat")
    now = seat.answer.get("time")
    moment = datetime.fromisoformat(now) if isinstance(now, str) else datetime.now(SHANGHAI)
    return moment.astimezone(SHANGHAI).date()


def year_asked(visit: Visit, default: int) -> int:
    """Return the year that the address asks for."""
    asked = visit.asked("year")
    return int(asked) if len(asked) == 4 and asked.isascii() and asked.isdigit() else default


def whole_part(visit: Visit, name: str) -> int:
    """Return a number that is a part of the address; 0, which nothing has, where it is none."""
    given = visit.part(name)
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 18 else 0
