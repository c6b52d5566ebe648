"""What every request must be before a page sees it, and what every answer says to the browser."""

import asyncio
from collections.abc import Callable, Collection, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cea_exchange.screens.serving.door import SESSION_S, Door
from cea_exchange.screens.serving.forms import multipart_read

Scope = MutableMapping[str, Any]

SAFE_METHODS = ("GET", "HEAD")
BODY_S_MAX = 10.0
"""A form that takes longer to arrive is none."""
OVER_LOOK_S = 1.0
"""Seconds between two looks whether the session of a live page is over."""
MARK_FIELD = "form_mark"
MARK_HEADER = "x-form-mark"
LEAVE = "/leave"
"""A form that is sent here ends its session."""

# A page of another site, or a file that opened the browser, has asked: the browser keeps back the
# cookie from all that follows from it, until a page of this site asks.
_ENTERED = '<!doctype html><meta http-equiv="refresh" content="0; url=/"><title>…</title>'
_LEFT = "you have left the console; the next address stands in the terminal\n"

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Refused(Exception):
    """The request is not one for a page."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Guard:
    """ASGI middleware: host, method, origin, session, size and time of the body; then the page.

    Parameters
    ----------
    app
        The pages.
    hosts
        What the Host header may be; empty is any, for a page that is public anyway.
    door
        Lets a person in; without one everybody may look, and nothing but look.
    body_bytes_max
        Tells by its address how large a form may be.
    """

    def __init__(
        self,
        app: Any,
        *,
        hosts: Collection[str] = (),
        door: Door | None = None,
        body_bytes_max: Callable[[str], int],
    ) -> None:
        self._app = app
        self._body_bytes_max = body_bytes_max
        self._hosts = frozenset(hosts)
        self._door = door

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                extra = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                if b"cache-control" not in given:
                    extra.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            self._host_check(headers)
            if self._door is None:
                if scope["method"] not in SAFE_METHODS:
                    raise Refused(405, "this page is for looking only")
            elif scope["path"] == "/enter":
                await self._enter(self._door, scope)(scope, receive, send_with_headers)
                return
            elif not scope["path"].startswith("/static/"):
                receive = await self._person_check(self._door, scope, headers, receive)
                if scope["path"] == LEAVE and scope["method"] == "POST":
                    await self._leave(self._door, scope)(scope, receive, send_with_headers)
                    return
                if scope["method"] in SAFE_METHODS:
                    receive = _until_over(self._door, scope["session"], receive)
        except Refused as refused:
            response = PlainTextResponse(refused.why + "\n", refused.status)
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _host_check(self, headers: Headers) -> None:
        """Refuse a name that somebody else has pointed to this address."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or (self._hosts and hosts[0].lower() not in self._hosts):
            raise Refused(421, "this address is not served here")

    def _enter(self, door: Door, scope: Scope) -> Response:
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        session = door.enter(token) if scope["method"] == "GET" else None
        if session is None:
            raise Refused(403, "this address was used before; the next one stands in the terminal")
        is_own = Headers(scope=scope).get("sec-fetch-site", "none") in ("same-origin", "none")
        response: Response = HTMLResponse(_ENTERED)
        if is_own:
            response = Response(status_code=303, headers={"location": "/"})
        response.set_cookie(
            door.cookie, session, max_age=SESSION_S, path="/", httponly=True, samesite="strict"
        )
        return response

    def _leave(self, door: Door, scope: Scope) -> Response:
        door.leave(scope["session"])
        response = PlainTextResponse(_LEFT)
        response.delete_cookie(door.cookie, path="/", httponly=True, samesite="strict")
        return response

    async def _person_check(self, door: Door, scope: Scope, headers: Headers, receive: Any) -> Any:
        """Return how the page receives the body, once it is known whose request it is."""
        session = _cookie(headers, door.cookie)
        if not door.request(session):
            raise Refused(403, "open the address that stands in the terminal")
        scope["session"] = session
        scope["form_mark"] = door.mark(session)
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none"):
            raise Refused(403, "another site asked for this page")
        if scope["method"] in SAFE_METHODS:
            return receive
        if scope["method"] != "POST":
            raise Refused(405, "nothing here takes this method")
        origin = headers.get("origin", "")
        if origin != f"http://{headers['host']}":
            raise Refused(403, "another site sent this form")
        body = await _body(headers, receive, self._body_bytes_max(scope["path"]))
        if not door.is_marked(session, _mark(headers, body)):
            raise Refused(403, "this form is none of this console's; load the page anew")
        return _replayed(body)


def _until_over(door: Door, session: str, receive: Any) -> Any:
    """Return a `receive` that says that the browser has gone once its session is over.

    What is sent live to a page ends then.
    """

    async def receive_until_over() -> Any:
        incoming = asyncio.ensure_future(receive())
        over = asyncio.ensure_future(_over(door, session))
        try:
            await asyncio.wait({incoming, over}, return_when=asyncio.FIRST_COMPLETED)
            return incoming.result() if incoming.done() else {"type": "http.disconnect"}
        finally:
            incoming.cancel()
            over.cancel()

    return receive_until_over


async def _over(door: Door, session: str) -> None:
    while door.lasts(session):
        await asyncio.sleep(OVER_LOOK_S)


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return found[name].value if name in found else ""


async def _body(headers: Headers, receive: Any, bytes_max: int) -> bytes:
    """Return the whole body; refused where it is too large, or too slow."""
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > bytes_max:
        raise Refused(413, f"a form has at most {bytes_max} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_S_MAX):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "the form did not come whole")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > bytes_max:
                    raise Refused(413, f"a form has at most {bytes_max} bytes")
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        raise Refused(408, "the form took too long to come") from None


def _mark(headers: Headers, body: bytes) -> str:
    """Return the mark of a form: its header, or else its first field."""
    given = headers.get(MARK_HEADER)
    if given is not None:
        return given
    if headers.get("content-type", "").startswith("multipart/form-data"):
        fields, _files = multipart_read(headers["content-type"], body)
        return fields.get(MARK_FIELD, "")
    typed = parse_qs(body.decode("utf-8", "replace"))
    return typed.get(MARK_FIELD, [""])[0]


def _replayed(body: bytes) -> Any:
    """Return a `receive` that gives the body that has been read."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else {"type": "http.disconnect"}

    return receive
