"""Who is let in to a console, and what is refused before any page sees it."""

import asyncio
import socket
import subprocess
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from cea_exchange.cli.screens.screen import opening
from cea_exchange.screens.serving import guard
from cea_exchange.screens.serving.door import IDLE_S, SESSION_S, Door
from cea_exchange.screens.serving.guard import Guard
from cea_exchange.screens.serving.listening import NotLoopback, listening_socket

HOST = "127.0.0.1:8123"
ORIGIN = f"http://{HOST}"


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what came to it; what is live, once the browser has gone."""
    if scope["path"] == "/live":
        while (await receive())["type"] != "http.disconnect":
            pass
        await PlainTextResponse(b"gone")(scope, receive, send)
        return
    body = await Request(scope, receive).body()
    await PlainTextResponse(b"seen " + body)(scope, receive, send)


class Console:
    """A guarded page, and a browser that was let in."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self.tokens: list[str] = []
        self.door = Door("cea_screen_8123", self.tokens.append, now_s)
        app = Guard(page, hosts={HOST}, door=self.door, body_bytes_max=lambda path: 100)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=ORIGIN)

    async def enter(self) -> str:
        """Come in, and return the mark that forms carry."""
        await self.http.get("/enter", params={"token": self.tokens[-1]})
        return self.door.mark(self.http.cookies["cea_screen_8123"])

    async def post(self, data: dict[str, str], **headers: str) -> httpx2.Response:
        """Send a form as the console's own page does."""
        return await self.http.post("/x", data=data, headers={"origin": ORIGIN, **headers})

    async def leave(self, mark: str) -> httpx2.Response:
        """Send the form that ends the session."""
        form = {"form_mark": mark}
        return await self.http.post("/leave", data=form, headers={"origin": ORIGIN})


def run(story: Any) -> None:
    asyncio.run(story)


def test_the_address_works_once_and_the_next_one_is_shown():
    async def story() -> None:
        console = Console()
        assert (await console.http.get("/")).status_code == 403
        first = console.tokens[-1]
        answer = await console.http.get("/enter", params={"token": first})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert (await console.http.get("/")).text == "seen "
        again = await another_browser(console).get("/enter", params={"token": first})
        assert again.status_code == 403
        assert len(console.tokens) == 2

    run(story())


def another_browser(console: Console) -> httpx2.AsyncClient:
    """Another browser at the same console."""
    return httpx2.AsyncClient(transport=console.http._transport, base_url=ORIGIN)


def test_a_name_that_others_have_pointed_here_is_refused():
    async def story() -> None:
        console = Console()
        await console.enter()
        answer = await console.http.get("/", headers={"host": "evil.example:8123"})
        assert (answer.status_code, answer.text[:4]) == (421, "this")

    run(story())


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(headers):
    async def story() -> None:
        console = Console()
        mark = await console.enter()
        assert (await console.post({"form_mark": mark})).status_code == 200
        assert (await console.post({"form_mark": mark}, **headers)).status_code == 403

    run(story())


def test_a_form_needs_its_sessions_own_mark():
    async def story() -> None:
        console = Console()
        mark = await console.enter()
        assert (await console.post({})).status_code == 403
        assert (await console.post({"form_mark": mark[::-1]})).status_code == 403
        assert (await console.post({}, **{"x-form-mark": mark})).status_code == 200
        assert (await console.http.put("/x")).status_code == 405

    run(story())


def test_a_form_that_is_too_large_or_too_slow_is_refused(monkeypatch):
    monkeypatch.setattr(guard, "BODY_S_MAX", 0.05)

    async def story() -> None:
        console = Console()
        mark = await console.enter()
        assert (await console.post({"form_mark": mark, "a": "x" * 100})).status_code == 413

        async def parts(pause_s: float) -> Any:
            yield f"form_mark={mark}".encode()
            await asyncio.sleep(pause_s)
            yield b"x" * 100

        headers = {"origin": ORIGIN}
        for pause_s, status in ((0.0, 413), (0.2, 408)):
            answer = await console.http.post("/x", content=parts(pause_s), headers=headers)
            assert answer.status_code == status

    run(story())


def test_every_answer_says_what_the_page_may_load():
    async def story() -> None:
        answer = await Console().http.get("/")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"

    run(story())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "localhost"])
def test_a_console_listens_at_this_machine_only(host):
    with pytest.raises(ValueError) as caught:
        listening_socket(host, 0, loopback_only=True)
    assert host == "localhost" or isinstance(caught.value, NotLoopback)


def test_a_console_listens_at_a_loopback_address():
    with listening_socket("127.0.0.1", 0, loopback_only=True) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"


def test_what_is_answered_is_sent_at_once():
    """Without TCP_NODELAY a page's parts wait for each other's acknowledgement."""

    async def story() -> None:
        accepted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with listening_socket("127.0.0.1", 0, loopback_only=True) as listening:
            serving = await asyncio.start_server(
                lambda _, writer: accepted.set_result(writer), sock=listening
            )
            _, here = await asyncio.open_connection(*listening.getsockname())
            there = await accepted
            connection = there.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for each in (here, there, serving):
                each.close()

    run(story())


# -- the end of a session, and who may read the address -----


def test_a_session_ends_by_time_idleness_and_leaving():
    now = [0.0]

    async def story() -> None:
        console = Console(lambda: now[0])
        await console.enter()
        for _ in range(12):
            assert (await console.http.get("/")).status_code == 200
            now[0] += IDLE_S - 1
        assert (await console.http.get("/")).status_code == 200
        now[0] = SESSION_S - 1
        assert (await console.http.get("/")).status_code == 200
        now[0] = SESSION_S
        assert (await console.http.get("/")).status_code == 403
        await console.enter()
        now[0] += IDLE_S
        assert (await console.http.get("/")).status_code == 403
        mark = await console.enter()
        cookie = console.http.cookies["cea_screen_8123"]
        assert (await console.leave("x")).status_code == 403
        assert (await console.http.get("/")).status_code == 200
        assert (await console.leave(mark)).status_code == 200
        console.http.cookies.set("cea_screen_8123", cookie)
        assert (await console.http.get("/")).status_code == 403

    run(story())


def test_what_is_sent_live_ends_with_the_session(monkeypatch):
    monkeypatch.setattr(guard, "OVER_LOOK_S", 0.01)

    async def story() -> None:
        console = Console()
        mark = await console.enter()
        watching = asyncio.ensure_future(console.http.get("/live"))
        await asyncio.sleep(0.1)
        assert not watching.done()
        await console.leave(mark)
        assert (await asyncio.wait_for(watching, 10)).text == "gone"

    run(story())


def test_a_file_that_opened_the_browser_is_led_on_by_a_page_of_the_consoles_own():
    """The browser sends no strict cookie on what another site, or a file, has begun."""

    async def story() -> None:
        console = Console()
        answer = await console.http.get(
            "/enter", params={"token": console.tokens[-1]}, headers={"sec-fetch-site": "cross-site"}
        )
        assert answer.status_code == 200 and 'url=/"' in answer.text
        assert "samesite=strict" in answer.headers["set-cookie"].lower()

    run(story())


def test_the_browsers_command_line_has_no_token(tmp_path, monkeypatch):
    """The browser is a script that keeps what it was given, and what it may read there."""
    seen, script = tmp_path / "seen", tmp_path / "browser"
    script.write_text(
        f'#!/bin/sh\nfile="${{1#file://}}"\necho "$@" > {seen}.part\n'
        f'stat -c %a "$file" "$(dirname "$file")" >> {seen}.part\ncat "$file" >> {seen}.part\n'
        f"mv {seen}.part {seen}\nsleep 60\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(webbrowser, "open", lambda url: subprocess.run([script, url]))
    began_s = time.monotonic()
    with opening("http://127.0.0.1:1/enter?token=SECRET") as opened:
        opened()
        # The console is served while the browser is there.
        assert time.monotonic() - began_s < 30
        while not seen.exists():
            assert time.monotonic() - began_s < 60
            time.sleep(0.01)
    command, file_mode, folder_mode, text = seen.read_text().splitlines()
    assert "SECRET" not in command and command.startswith("file://")
    assert (file_mode, folder_mode) == ("600", "700")
    assert "url=http://127.0.0.1:1/enter?token=SECRET" in text
    assert not Path(command.removeprefix("file://")).exists()
