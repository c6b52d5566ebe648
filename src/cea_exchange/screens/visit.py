"""One request to one page: who reads in which language, what was typed, and how it is answered."""

import gzip
from collections.abc import Awaitable, Callable, Iterable
from enum import IntEnum
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from cea_exchange.control_plane.client import NotDone
from cea_exchange.screens.access import Rights
from cea_exchange.screens.page import Page
from cea_exchange.screens.reading import READINGS, Reading
from cea_exchange.screens.rendering import render
from cea_exchange.screens.serving.forms import Form, Trouble, form_read
from cea_exchange.screens.site import Site
from cea_exchange.screens.texts.catalogue import (
    LANGUAGE_DEFAULT,
    LANGUAGES,
    refusal_text,
    text,
)

THEMES = ("auto", "light", "dark")
COOKIE_S = 365 * 24 * 3600
PACKED_FROM = 2_048


class Away(Exception):
    """A daemon without whose answer a page would say something wrong does not answer."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.sentence)
        self.trouble = trouble


class Visit:
    """What a page's handler is given.

    Attributes
    ----------
    site
        The screens: market, hub, systems, rights.
    page
        The page that is visited.
    language, reading
        In which the reader reads, and what writes numbers and dates so.
    """

    def __init__(self, request: Request, site: Site, page: Page) -> None:
        self.request = request
        self.site = site
        self.page = page
        self.language = language_of(request)
        self.reading: Reading = READINGS[self.language]
        self.theme = _preferred(request, "theme", THEMES) or "auto"
        self.text = partial(text, self.language)

    @property
    def rights(self) -> Rights:
        """What the key may do."""
        return self.site.rights

    @property
    def is_partial(self) -> bool:
        """Whether the page's own script asks, for a part of the page."""
        return self.request.headers.get("hx-request") == "true"

    def part(self, name: str) -> str:
        """Return a part of the address that the page's path leaves open."""
        return str(self.request.path_params[name])

    def asked(self, name: str, default: str = "") -> str:
        """Return what the address asks for behind its question mark."""
        return self.request.query_params.get(name, default)

    # -- Answers ----------------------------------------------------------------------------------

    def show(
        self, template: str, *, live: Iterable[str] = (), status: int = 200, **context: Any
    ) -> Response:
        """Answer with a page, or with a part of one.

        Parameters
        ----------
        template
            Under ``templates/``.
        live
            Channels that go on telling this page of what changes.
        """
        content = render(
            template,
            self.reading,
            visit=self,
            feed=self.site.feed,
            live_channels=list(live),
            form_mark=self.request.scope.get("form_mark", ""),
            **context,
        )
        response = self._written(content, status)
        for name, choices in (("lang", LANGUAGES), ("theme", THEMES)):
            chosen = self.request.query_params.get(name)
            if chosen is not None and chosen in choices:
                response.set_cookie(name, chosen, max_age=COOKIE_S, path="/", samesite="strict")
        return response

    def _written(self, content: str, status: int) -> Response:
        """Return an answer; packed, where it has no secret that its size could tell of."""
        accepted = self.request.headers.get("accept-encoding", "")
        if self.site.is_console or "gzip" not in accepted or len(content) < PACKED_FROM:
            return HTMLResponse(content, status)
        headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
        return HTMLResponse(gzip.compress(content.encode(), 5, mtime=0), status, headers)

    def see(self, path: str) -> Response:
        """Answer with another page: what was sent is not sent again when this one is reloaded."""
        if self.is_partial:
            return Response(status_code=204, headers={"hx-redirect": path})
        return RedirectResponse(path, 303)

    # -- Forms ------------------------------------------------------------------------------------

    def empty_form(self, **values: str) -> Form:
        """Return a form to show, with a fresh id."""
        return Form(self.site.once.new_id(), dict(values), texts=self.text)

    async def form(self) -> Form:
        """Return what was typed."""
        content_type = self.request.headers.get("content-type", "")
        try:
            return form_read(content_type, await self.request.body(), self.text)
        except (ValueError, UnicodeDecodeError):
            return Form(texts=self.text, troubles={"": Trouble(self.text("form.unread"))})

    def again(self, form: Form) -> Form:
        """Return a form to show once more, with what is wrong with it and a fresh id."""
        return Form(
            self.site.once.new_id(), form.values, troubles=form.troubles, texts=self.text
        )

    async def once(self, form: Form, act: Callable[[], Awaitable[Response]]) -> Response:
        """Carry a form out, or give the answer that it got before."""
        if not self.site.once.knows(form.client_id):
            trouble = Trouble(self.text("form.old"), self.text("form.old_remedy"))
            if self.is_partial:
                # The page's script puts answers that are no refusals in their place.
                return self.show("refused_part.html", trouble=trouble)
            return self.show("refused.html", status=409, trouble=trouble)
        return await self.site.once.run(form.client_id, act)

    async def act(
        self, system: str, form: Form, request: dict[str, Any], fields: Iterable[str] = ()
    ) -> dict[str, Any] | None:
        """Ask a daemon for an act; None where it refuses, which is noted in the form.

        Parameters
        ----------
        fields
            Of the form: a refusal that names one of them stands beside it.
        """
        assert self.site.systems is not None, self.site.name
        try:
            return await self.site.systems.ask(system, request)
        except NotDone as error:
            self.refuse(form, error, fields)
            return None

    def refuse(self, form: Form, error: NotDone, fields: Iterable[str] = ()) -> None:
        """Note in a form why a daemon refused it: beside the field that its words begin with."""
        words = str(error)
        _, _, said = words.rpartition("refused ")
        _, _, said = said.partition(": ")
        where = said.partition(":")[0].split(" ")[0]
        code = getattr(error, "code", None)
        form.troubles.setdefault(
            where if where in fields else "", self.trouble(code, words)
        )

    def look_trouble(self, error: NotDone) -> Trouble:
        """Return why a look was refused.

        Raises
        ------
        Away
            It was not refused: the daemon does not answer.
        """
        code = getattr(error, "code", None)
        if code is None:
            words = self.text("refused.away"), self.text("refused.away_remedy")
            raise Away(Trouble(*words, detail=str(error))) from error
        return self.trouble(code, str(error))

    def trouble_of(self, key: str) -> Trouble:
        """Return what a text says is wrong."""
        return Trouble(self.text(key))

    def trouble(self, code: IntEnum | None, detail: str = "") -> Trouble:
        """Return a refusal as the reader reads it."""
        found = None if code is None else refusal_text(self.language, code)
        if code is None or found is None:
            name = "" if code is None else code.name
            return Trouble(self.text("refusal.other"), "", name, detail)
        return Trouble(found.meaning, found.remedy, code.name, detail)


def language_of(request: Request) -> str:
    """Return the language a reader has chosen, or else the browser's, or else Chinese."""
    chosen = _preferred(request, "lang", LANGUAGES)
    if chosen:
        return chosen
    for part in request.headers.get("accept-language", "").split(","):
        language = part.split(";")[0].strip().lower()[:2]
        if language in LANGUAGES:
            return language
    return LANGUAGE_DEFAULT


def _preferred(request: Request, name: str, choices: tuple[str, ...]) -> str:
    for chosen in (request.query_params.get(name), request.cookies.get(name)):
        if chosen in choices:
            return chosen
    return ""
