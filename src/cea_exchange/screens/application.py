"""The application: pages become routes, the market is followed, viewers are sent what changes."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import cache
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cea_exchange.screens.live.broadcast import Wire
from cea_exchange.screens.page import Handler, Page
from cea_exchange.screens.rendering import STATIC
from cea_exchange.screens.serving.forms import Trouble
from cea_exchange.screens.serving.listening import TRANSPORT
from cea_exchange.screens.site import Site, Task
from cea_exchange.screens.visit import Away, Visit, language_of

CHANNELS_MAX = 24
FRESH_LOOK_S = 0.2
AGAIN_S = 1.0
LAST_S = 1.0
"""How long the end of a stream may take to be sent."""
STATIC_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
STATIC_CACHED = "public, max-age=31536000, immutable"

log = structlog.get_logger("screens")


def application(site: Site) -> Starlette:
    """Return the site as an ASGI application."""
    routes = [
        Route("/static/{name:path}", _static),
        Route("/stream", _Stream(site)),
        *(route for page in site.pages for route in _routes(site, page)),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        jobs = [site.feed.run, site.hub.run, lambda: _freshness_follow(site), *site.tasks]
        tasks = [asyncio.ensure_future(_kept_going(job)) for job in jobs]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        page = Page(path="", name="refused", section="", show=_nothing, in_menu=False)
        visit = Visit(request, site, page)
        key = "refused.not_found" if error.status_code == 404 else "refused.other"
        return visit.show(
            "refused.html", status=error.status_code, trouble=Trouble(visit.text(key))
        )

    return Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refused}
    )


def _routes(site: Site, page: Page) -> list[Route]:
    def endpoint(handler: Handler) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        async def answer(request: Request) -> Response:
            await site.all_known()
            if not page.allowed(site.rights):
                raise HTTPException(404)
            visit = Visit(request, site, page)
            try:
                return await handler(visit)
            except Away as away:
                return visit.show(
                    "away.html", live=["status"], status=503, trouble=away.trouble
                )
            except HTTPException:
                raise
            except Exception:  # a fault of one page is no reason to cut its reader off
                log.exception("page_broke", page=page.name)
                trouble = Trouble(visit.text("refused.broken"))
                return visit.show("refused.html", status=500, trouble=trouble)

        return answer

    shown = Route(page.path, endpoint(page.show), methods=["GET"])
    root = page.path.rstrip("/")
    acts = [
        Route(f"{root}{behind}" or "/", endpoint(act), methods=["POST"])
        for behind, act in page.acts.items()
    ]
    return [*acts, shown]


async def _static(request: Request) -> Response:
    """Answer with a file of the page; its address changes with its content."""
    parts = request.path_params["name"].split("/")
    kind = STATIC_KINDS.get("." + parts[-1].rpartition(".")[2])
    if kind is None or ".." in parts or "" in parts or not STATIC.joinpath(*parts).is_file():
        raise HTTPException(404)
    headers = {"cache-control": STATIC_CACHED, "vary": "accept-encoding"}
    plain, packed = _static_content(tuple(parts))
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(plain, media_type=kind, headers=headers)
    headers["content-encoding"] = "gzip"
    return Response(packed, media_type=kind, headers=headers)


@cache
def _static_content(parts: tuple[str, ...]) -> tuple[bytes, bytes]:
    content = STATIC.joinpath(*parts).read_bytes()
    return content, gzip.compress(content, mtime=0)


class _Stream:
    """Server-sent events: `/stream?c=status&c=book.CEA24&lang=en`."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        names = request.query_params.getlist("c")[:CHANNELS_MAX]
        # A console's is not packed: it has secrets, of which its size could tell.
        may_pack = not self._site.is_console
        wire = Wire(
            is_packed=may_pack and "gzip" in request.headers.get("accept-encoding", ""),
            is_chunked=scope["http_version"] == "1.1",
        )
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        if wire.is_packed:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "GET":
            transport, language = scope["state"][TRANSPORT], language_of(request)
            await self._site.hub.serve(receive, transport, names, language, wire)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                await send({"type": "http.response.body", "body": b""})


async def _kept_going(job: Task) -> None:
    """Do a job until cancelled; one that breaks is logged and begun anew."""
    while True:
        try:
            await job()
        except Exception:
            log.exception("job_broke")
        await asyncio.sleep(AGAIN_S)


async def _freshness_follow(site: Site) -> None:
    """Keep telling the hub whether the market that is shown is the market."""
    while True:
        site.hub.is_fresh = site.feed.is_fresh
        if site.hub.is_fresh:
            site.learned("market")
        await asyncio.sleep(FRESH_LOOK_S)


async def _nothing(_visit: Visit) -> Response:
    raise HTTPException(404)
