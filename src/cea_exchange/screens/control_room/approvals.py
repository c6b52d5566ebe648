"""What waits for a second person, at the venue and at the registry: seen, approved, refused."""

import time
from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.control_room.rights import SYSTEMS_SHOWN, acts_at, looks, looks_at
from cea_exchange.screens.page import Handler, Page
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.visit import Visit
from cea_exchange.screens.waiting import waiting_digest

NUMBER_OF = {"venue": "number", "registry": "proposal"}
"""How a proposal's number is called in requests."""
SECOND_NS = 1_000_000_000
CHANNEL = "waiting_control"


class Waiting(NamedTuple):
    """What waits.

    Attributes
    ----------
    what
        In the daemon's own words, or the name of the act.
    fields
        What else the request says.
    body
        Whose person decides.
    is_own
        Whether this person has proposed it.
    may_decide
        Whether this person may be the second one.
    """

    system: str
    number: int
    what: str
    fields: tuple[tuple[str, str], ...]
    by: str
    why: str
    body: str
    request_hash: str
    until_ns: int
    is_own: bool
    may_decide: bool


async def approvals_show(visit: Visit) -> Response:
    """Show what waits."""
    return await _page(visit, done=visit.asked("done"), outcome=visit.asked("outcome"))


async def _page(
    visit: Visit,
    wrong: tuple[str, str] = ("", ""),
    form: Form | None = None,
    *,
    status: int = 200,
    done: str = "",
    outcome: str = "",
) -> Response:
    waiting: dict[str, list[Waiting]] = {}
    silent: dict[str, Trouble] = {}
    for system in SYSTEMS_SHOWN:
        if not looks_at(system, visit.rights):
            continue
        try:
            waiting[system] = await _waiting(visit, system)
        except NotDone as error:
            silent[system] = visit.trouble(getattr(error, "code", None), str(error))

    def form_of(system: str, number: int) -> Form:
        if form is not None and wrong == (system, str(number)):
            return visit.again(form)
        return visit.empty_form()

    orphan = form is not None and not any(
        (system, str(each.number)) == wrong for system, all_ in waiting.items() for each in all_
    )
    return visit.show(
        "control/approvals.html",
        live=["status", CHANNEL],
        status=status,
        waiting=waiting,
        digest=waiting_digest((each.system, each.number) for each in chain(*waiting.values())),
        silent=silent,
        form_of=form_of,
        orphan=form.troubles.get("") if form is not None and orphan else None,
        may_act={system: acts_at(system, visit.rights) for system in SYSTEMS_SHOWN},
        done=done if done in ("approve", "reject") else "",
        outcome=outcome if outcome in ("undone", "moved") else "",
        proposed=visit.asked("proposed"),
    )


async def _waiting(visit: Visit, system: str) -> list[Waiting]:
    systems, seat = visit.site.systems, visit.rights.seat(system)
    assert systems is not None and seat is not None
    answer = await systems.ask(system, {"op": "proposals"})
    read = _of_venue if system == "venue" else _of_registry
    may = acts_at(system, visit.rights)
    found = []
    for each in answer["proposals"]:
        waits = read(each)
        is_own = waits.by == seat.name
        decides = may and not is_own and (system == "venue" or waits.body == seat.body)
        found.append(waits._replace(is_own=is_own, may_decide=decides))
    return found


def _of_venue(proposal: Mapping[str, Any]) -> Waiting:
    return Waiting(
        system="venue",
        number=proposal["number"],
        what=proposal["what"],
        fields=(),
        by=proposal["by"],
        why=proposal["why"],
        body="",
        request_hash=proposal["request_hash"],
        until_ns=time.time_ns() + int(proposal["expires_in_s"]) * SECOND_NS,
        is_own=False,
        may_decide=False,
    )


def _of_registry(proposal: Mapping[str, Any]) -> Waiting:
    request = dict(proposal["request"] or {})
    why = request.pop("why", "")
    fields = tuple(
        (name, str(value))
        for name, value in request.items()
        if name not in ("op", "request_id") and value is not None
    )
    return Waiting(
        system="registry",
        number=proposal["proposal_id"],
        what=proposal["op"],
        fields=fields,
        by=proposal["proposer"],
        why=str(why),
        body=proposal["body"],
        request_hash=proposal["request_hash"],
        until_ns=proposal["expires_at_ns"],
        is_own=False,
        may_decide=False,
    )


async def _decide(visit: Visit, system: str) -> Response:
    form = await visit.form()
    return await visit.once(form, lambda: _decided(visit, system, form))


async def _decided(visit: Visit, system: str, form: Form) -> Response:
    decision = form.choice("decision", ("approve", "reject"))
    number = form.whole("number")
    request: dict[str, Any] = {"op": decision, NUMBER_OF[system]: number}
    if decision == "approve":
        request["request_hash"] = form.value("request_hash")
    else:
        request["why"] = form.line("why")
    if form.is_sound:
        answer = await visit.act(system, form, request, ("why",))
        if answer is not None:
            outcome = str(answer.get("outcome", ""))
            shown = {"undone": "undone"}.get(outcome, "moved" if outcome else "")
            return visit.see(f"/control/approvals?done={decision}&outcome={shown}")
    return await _page(visit, (system, str(number)), form, status=422)


def _handler(system: str) -> Handler:
    return partial(_decide, system=system)


PAGES = (
    Page(
        path="/control/approvals",
        name="control_approvals",
        section="control",
        show=approvals_show,
        acts={f"/{system}": _handler(system) for system in SYSTEMS_SHOWN},
        allowed=looks,
    ),
)
