"""Acts at a daemon from forms: sent once, with the answer shown beside the form."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from starlette.responses import Response

from cea_exchange.screens.control_room.overview import monitor_of
from cea_exchange.screens.control_room.rights import acts_at
from cea_exchange.screens.page import Handler
from cea_exchange.screens.serving.forms import Form
from cea_exchange.screens.visit import Visit

Request = dict[str, Any]


class Act(NamedTuple):
    """A form, and what it asks a daemon for.

    Attributes
    ----------
    request
        Reads the form; what it returns is sent where the form is sound.
    fields
        Beside which a refusal may stand.
    """

    request: Callable[[Form], Request]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class ActsPage:
    """A page with forms, each of them an act at the same daemon.

    Attributes
    ----------
    path
        Its address; an act's is that and its name behind it.
    system
        The daemon.
    acts
        By name.
    write
        Answers a visit; is given the forms by name, whether this person may act (`may_act`), which
        act was done (`done`, else ""), and the answer's status.
    """

    path: str
    system: str
    acts: Mapping[str, Act]
    write: Callable[..., Awaitable[Response]]

    async def show(self, visit: Visit) -> Response:
        """Show the page, its forms empty."""
        return await self._page(visit, {name: visit.empty_form() for name in self.acts})

    @property
    def handlers(self) -> dict[str, Handler]:
        """What answers the forms, as `Page` takes it."""
        return {f"/{name}": partial(self._act, name=name) for name in self.acts}

    async def _page(self, visit: Visit, forms: dict[str, Form], status: int = 200) -> Response:
        monitor, done = monitor_of(visit), visit.asked("done")
        if self.system not in monitor.states:
            await monitor.look()
        return await self.write(
            visit,
            status=status,
            forms=forms,
            may_act=acts_at(self.system, visit.rights),
            done=done if done in self.acts else "",
        )

    async def _act(self, visit: Visit, name: str) -> Response:
        form = await visit.form()
        return await visit.once(form, lambda: self._acted(visit, name, form))

    async def _acted(self, visit: Visit, name: str, form: Form) -> Response:
        act = self.acts[name]
        request = act.request(form)
        if form.is_sound:
            answer = await visit.act(self.system, form, request, act.fields)
            if answer is not None:
                await monitor_of(visit).look()
                return visit.see(answer_path(self.path, answer, name))
        forms = {other: visit.empty_form() for other in self.acts}
        return await self._page(visit, forms | {name: visit.again(form)}, 422)


def answer_path(page: str, answer: dict[str, Any], done: str) -> str:
    """Return where to go on: to the approvals, where the act waits for a second person."""
    number = answer.get("proposal")
    if number is not None and "approved" not in answer and "rejected" not in answer:
        return f"/control/approvals?proposed={number}"
    return f"{page}?done={done}"
