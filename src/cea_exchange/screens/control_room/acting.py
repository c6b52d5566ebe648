"""An act at a daemon from a form: sent once; what it was answered is said where the form was."""

from collections.abc import Iterable
from typing import Any

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit


async def act_send(
    visit: Visit,
    system: str,
    form: Form,
    request: dict[str, Any],
    fields: Iterable[str] = (),
) -> dict[str, Any] | None:
    """Ask a daemon for an act; None where it refuses, which is noted in the form.

    Parameters
    ----------
    fields
        Of the form: a refusal that names one of them stands beside it.
    """
    systems = visit.site.systems
    assert systems is not None
    try:
        return await systems.ask(system, request)
    except NotDone as error:
        visit.refuse(form, error, fields)
        return None


def answer_path(page: str, answer: dict[str, Any], done: str) -> str:
    """Return where to go on: to the approvals, where the act waits for a second person."""
    number = answer.get("proposal")
    if number is not None and "approved" not in answer and "rejected" not in answer:
        return f"/control/approvals?proposed={number}"
    return f"{page}?done={done}"
