"""What was tried against a board and a console from outside, and must not work."""

import socket
import time

import httpx2
import pytest

from cea_exchange.screens.serving.guard import BODY_S_MAX
from cea_exchange.screens.serving.listening import HEAD_S_MAX

pytestmark = [pytest.mark.e2e, pytest.mark.attack]

SCRIPT = '"><script>alert(1)</script>'
PATHS = (
    *("/static/../console.py", "/static/..%2f..%2fconsole.py", "/static/vendor/..%2f..%2fsite.py"),
    *("/static//etc/passwd", "/static/%2e%2e/rendering.py", "/static/style.css%00.js"),
    *("/bulletins/..%2fvenue.toml", "/bulletins/..%2f..%2fkeys%2fadmin.secret", "/lists/..%2fx"),
    *("/lists/%2fetc%2fpasswd", "/product/..%2f..%2fkeys", "/product/<script>", "/history/..%2fx"),
)


def exchanged(served, request: bytes, *, timeout_s: float = 5.0) -> bytes:
    """Send bytes and return what comes back before the connection ends, or the time is over."""
    host, port = served.address.removeprefix("http://").split(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout_s) as connection:
        connection.sendall(request)
        try:
            while part := connection.recv(65_536):
                answer += part
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


@pytest.fixture(scope="module")
def entered(console):
    """A browser that was let in to alice's console."""
    with httpx2.Client(base_url=console.address, headers={"origin": console.address}) as http:
        used, console.entrance = console.entrance, ""
        assert http.get(used).status_code == 303
        console.entrance = console.next_line()
        page = http.get("/trade/CEA24")
        http.headers["x-form-mark"] = page.text.split('name="form_mark" value="')[1].split('"')[0]
        yield http, used, page.text.split('name="client_id" value="')[1].split('"')[0]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_what_is_served(board, path):
    host = board.address.removeprefix("http://")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = exchanged(board, request.encode())
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"<script>alert" not in answer and b"root:" not in answer


def test_a_stolen_address_opens_nothing(console, entered):
    _, used, _ = entered
    assert httpx2.get(used).status_code == 403
    assert httpx2.get(f"{console.address}/trade").status_code == 403
    stolen = {"cookie": f"cea_screen_{console.address.rpartition(':')[2]}=guess"}
    assert httpx2.get(f"{console.address}/trade", headers=stolen).status_code == 403


def test_markup_in_a_field_stays_text(entered):
    http, _, client_id = entered
    form = {"client_id": client_id, "side": "buy", "tif": "day"}
    answer = http.post("/trade/CEA24", data={**form, "price": SCRIPT, "tonnes": SCRIPT})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text and "&lt;script&gt;alert" in answer.text
    for path in (f"/trade?price={SCRIPT}", "/blocks?done=" + SCRIPT, f"/positions?date={SCRIPT}"):
        assert "<script>alert" not in http.get(path).text


def test_a_huge_form_and_a_huge_head_are_refused(board, console, entered):
    http, _, _ = entered
    assert http.post("/trade/CEA24", data={"price": "9" * 100_000}).status_code == 413
    host = board.address.removeprefix("http://")
    head = f"GET / HTTP/1.1\r\nHost: {host}\r\nX: ".encode() + b"x" * 200_000
    assert b" 200 " not in exchanged(board, head)[:20]
    assert httpx2.get(f"{board.address}/").status_code == 200


@pytest.mark.nightly
def test_a_head_that_never_ends_is_let_go(board):
    began_s = time.monotonic()
    request = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    assert exchanged(board, request, timeout_s=4 * HEAD_S_MAX) == b""
    assert HEAD_S_MAX / 2 < time.monotonic() - began_s < 3 * HEAD_S_MAX


@pytest.mark.nightly
def test_a_form_that_never_ends_is_let_go_and_keeps_nobody_waiting(console, entered):
    http, _, _ = entered
    host = console.address.removeprefix("http://")
    cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    head = (
        f"POST /trade/CEA24 HTTP/1.1\r\nHost: {host}\r\nOrigin: {console.address}\r\n"
        f"Cookie: {cookie}\r\nContent-Length: 100\r\nConnection: close\r\n\r\nprice="
    )
    slow = [socket.create_connection(host.split(":"), 30) for _ in range(20)]
    for each in slow:
        each.sendall(head.encode())
    began_s = time.monotonic()
    assert http.get("/trade").status_code == 200
    assert time.monotonic() - began_s < BODY_S_MAX / 2
    for each in slow:
        assert each.recv(65_536).startswith(b"HTTP/1.1 408 ")
        each.close()
    assert time.monotonic() - began_s < 2 * BODY_S_MAX


def test_another_site_can_make_nobody_trade(console, entered):
    http, _, client_id = entered
    form = {"client_id": client_id, "side": "buy", "tif": "day", "price": "95.00", "tonnes": "1"}
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"x-form-mark": "0" * 64},
        {"host": f"evil.example:{console.address.rpartition(':')[2]}"},
    ):
        assert http.post("/trade/CEA24", data=form, headers=headers).status_code in (403, 421)
