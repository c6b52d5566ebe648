"""Who is logged on, and keys that were cut off."""

from functools import partial
from typing import Any

from starlette.responses import Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.control_room.overview import monitor_of
from cea_exchange.screens.control_room.rights import acts_at, looks_at
from cea_exchange.screens.page import Page
from cea_exchange.screens.serving.forms import Form, Trouble
from cea_exchange.screens.visit import Visit


async def sessions_show(visit: Visit) -> Response:
    """Show the sessions."""
    return await _page(visit, visit.empty_form(), done=visit.asked("done"))


async def _page(visit: Visit, form: Form, *, status: int = 200, done: str = "") -> Response:
    systems, monitor = visit.site.systems, monitor_of(visit)
    assert systems is not None
    sessions: list[dict[str, Any]] = []
    trouble: Trouble | None = None
    try:
        sessions = (await systems.ask("venue", {"op": "sessions"}))["sessions"]
    except NotDone as error:
        trouble = visit.look_trouble(error)
    await monitor.look()
    return visit.show(
        "control/sessions.html",
        live=["status"],
        status=status,
        sessions=sessions,
        venue=monitor.status("venue"),
        trouble=trouble,
        form=form,
        new_form=visit.empty_form,
        may_act=acts_at("venue", visit.rights),
        done=done if done in ("ended", "restored") else "",
    )


async def session_end(visit: Visit) -> Response:
    """End the sessions of a key or an account."""
    form = await visit.form()
    return await visit.once(form, lambda: _session_end(visit, form))


async def _session_end(visit: Visit, form: Form) -> Response:
    who = form.line("who")
    if form.is_sound:
        answer = await visit.act("venue", form, {"op": "disconnect", "who": who}, ("who",))
        if answer is not None:
            return visit.see("/control/sessions?done=ended")
    return await _page(visit, visit.again(form), status=422)


async def key_restore(visit: Visit) -> Response:
    """Admit a key again that was cut off."""
    form = await visit.form()
    return await visit.once(form, lambda: _key_restore(visit, form))


async def _key_restore(visit: Visit, form: Form) -> Response:
    key = form.line("key")
    if form.is_sound:
        answer = await visit.act("venue", form, {"op": "key_restore", "key": key}, ("key",))
        if answer is not None:
            return visit.see("/control/sessions?done=restored")
    return await _page(visit, visit.again(form), status=422)


PAGES = (
    Page(
        path="/control/sessions",
        name="control_sessions",
        section="control",
        show=sessions_show,
        acts={"/end": session_end, "/restore": key_restore},
        allowed=partial(looks_at, "venue"),
    ),
)
