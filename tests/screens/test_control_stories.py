"""An operator halts and busts with a second person's approval; a regulator replays an alert."""

import contextlib
import re

import httpx2
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

from support.screens.chromium import DESKTOP, PHONE, picture, violations
from support.screens.control_room import connected, control_room
from support.screens.reader import TRIES, at_console, looked_at, to, typed
from support.screens.served import Served

pytestmark = pytest.mark.e2e

CONTROL = (
    "control",
    "control/market",
    "control/sessions",
    "control/approvals",
    "control/settlement",
    "control/records",
)
SUPERVISION = (
    "supervision/alerts",
    "supervision/cases",
    "supervision/holders",
    "supervision/replay",
    "supervision/replay/20250102?at=30&account=alice",
    "supervision/looks",
)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with control_room(tmp_path_factory.mktemp("control")) as exchange:
        yield exchange


@pytest.fixture(scope="module")
def consoles(market):
    """One person's console each, opened when first asked for."""
    opened = {}

    def of(name):
        if name not in opened:
            opened[name] = Served.console(market.data, name)
        return opened[name]

    yield of
    for served in opened.values():
        served.close()


@pytest.fixture(scope="module")
def trade(market):
    """The number of a trade of the open day."""
    with connected(market, "alice") as alice, connected(market, "carol") as carol:
        carol.answer(carol.enter("CEA24", "sell", price="100.00", tonnes=20))
        alice.answer(alice.enter("CEA24", "buy", price="100.00", tonnes=20))
    return 2


def test_an_operator_halts_and_busts_with_a_second_person(
    browser, market, consoles, trade
):
    with (
        at_console(browser, consoles("an"), "en") as page,
        at_console(browser, consoles("bo"), "en") as second,
    ):
        to(second, "/control/approvals")
        expect(second.locator("#waiting .empty")).to_have_count(2)
        to(page, "/control")
        expect(page.locator(".daemon.good, .daemon.warn")).to_have_count(2)
        to(page, "/control/market")
        _halted_and_resumed(page)
        number = _bust_refused_then_proposed(page, trade)
        expect(page.locator(f"#proposal-venue-{number}-approve")).to_have_count(0)
        # It came to the second person's page by itself.
        expect(second.locator(".proposal h3")).to_contain_text(f"undo trade {trade}")
        expect(second.locator(f"#proposal-venue-{number}-approve")).to_be_visible()
        looked_at(second, "control-approval-en")
        _another_comes_while_a_reason_is_typed(second, market, number, trade)
        second.locator("body").click(position={"x": 2, "y": 2})
        second.keyboard.press("a")
        expect(second.locator(f"#proposal-venue-{number}-approve")).to_be_focused()
        second.keyboard.press("Enter")
        expect(second.locator(".done")).to_contain_text("The trade is undone")
        expect(page.locator(".proposal")).to_have_count(0)
        second.go_back()
        second.reload()
        expect(second.locator(".proposal")).to_have_count(0)


def _another_comes_while_a_reason_is_typed(second, market, number, trade):
    reason = second.locator(f"#proposal-venue-{number}-why")
    reason.focus()
    second.keyboard.type("not so")
    answer = market.operate("bust", trade_id=trade, why="I saw it too")
    expect(second.locator(".proposal")).to_have_count(2)
    expect(reason).to_have_value("not so")
    expect(reason).to_be_focused()
    market.operate("reject", number=answer["proposal"], why="it is back")
    expect(second.locator(".proposal")).to_have_count(1)
    expect(reason).to_have_value("not so")


def _halted_and_resumed(page):
    expect(page.locator("#halt-act")).to_be_visible()
    page.keyboard.press("h")
    expect(page.locator("#halt-act")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("CEA24")
    page.keyboard.press("Tab")
    page.keyboard.type("news awaited")
    page.keyboard.press("Enter")
    row = page.locator("tr", has=page.locator("th", has_text="CEA24"))
    expect(row.locator(".mark")).to_have_text("Halted")
    _followed(page, row.locator("a"), "**act=resume**")
    expect(page.locator("#halt-act")).to_have_value("resume")
    page.locator("#halt-why").press("Enter")
    expect(row.locator(".mark")).to_have_text("Trades")
    expect(page.locator(".done")).to_be_visible()


def _followed(page, link, url):
    """Follow a link of a part that is drawn anew meanwhile: a key pressed then is lost."""
    for _ in range(TRIES):
        link.press("Enter")
        with contextlib.suppress(PlaywrightTimeoutError):
            page.wait_for_url(url, timeout=1_000)
            return
    pytest.fail(f"no press led to {url}")


def _bust_refused_then_proposed(page, trade):
    page.keyboard.press("b")
    typed(page, "99", "typo, both agree")
    wrong = page.locator("#bust-trade_id-trouble")
    expect(wrong).to_contain_text("trade")
    looked_at(page, "control-bust-refused-en")
    page.locator("#bust-trade_id").focus()
    # The words of the reason are still there.
    typed(page, str(trade))
    done = page.locator(".done")
    expect(done).to_contain_text("waits for a second person")
    return re.search(r"\d+", done.text_content())[0]


def test_a_regulator_replays_an_alert_and_the_day_it_lies_in(browser, market, consoles):
    with at_console(browser, consoles("rex"), "zh") as page:
        to(page, "/supervision/alerts")
        alerts = page.locator("tbody tr")
        expect(alerts.filter(has_text="小额成交影响收盘价")).to_have_count(1)
        page.get_by_role("link", name="小额成交影响收盘价").press("Enter")
        expect(page.locator(".figures-held tbody tr").first).to_contain_text("已达到")
        _script_stepped(page)
        looked_at(page, "supervision-alert-zh")
        page.get_by_role("link", name="在当日回放中查看").press("Enter")
        _day_stepped(page)
        looked_at(page, "supervision-day-zh")
        to(page, "/supervision/looks")
        first = page.locator("tbody tr").first
        expect(first).to_contain_text("replay")
        expect(first).to_contain_text("rex")


def _script_stepped(page):
    place = page.locator(".stepper .place")
    expect(place).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator(".stepper .happened").last).to_contain_text(re.compile("收盘|收市|成交"))
    last = place.text_content()
    page.keyboard.press("j")
    expect(place).not_to_have_text(last)
    page.keyboard.press("l")
    expect(place).to_have_text(last)


def _day_stepped(page):
    place = page.locator(".stepper .place")
    expect(place).to_be_visible()
    page.keyboard.press("g")
    expect(page.locator(".stepper .happened")).to_contain_text("首个事件之前")
    page.keyboard.press("t")
    expect(page.locator(".stepper .happened strong")).to_have_text("成交")
    expect(page.locator(".book")).to_contain_text("bob 10")
    ledger = page.locator("tr", has=page.locator("th", has_text="alice"))
    expect(ledger.first).to_contain_text("一致")
    assert page.get_by_text("不一致").count() == 0
    traded = place.text_content()
    page.keyboard.press("j")
    expect(page.locator(".stepper .happened strong")).to_have_text("委托接受")
    page.keyboard.press("l")
    expect(place).to_have_text(traded)


@pytest.mark.nightly
def test_a_case_is_opened_of_an_alert_added_to_and_closed_by_two(browser, market, consoles):
    """Rules: CEA-CAS-01."""
    with (
        at_console(browser, consoles("an"), "en") as page,
        at_console(browser, consoles("bo"), "en") as second,
    ):
        to(page, "/supervision/alerts")
        page.locator("tbody th a").first.press("Enter")
        page.locator("#case-case").focus()
        typed(page, "2025-1", "a close that one trade moved")
        expect(page.locator("h1")).to_have_text("2025-1")
        expect(page.locator("tbody tr")).to_have_count(2)
        page.locator("#note-text").focus()
        typed(page, "<script>alert(1)</script> was called")
        expect(page.locator("tbody tr").last).to_contain_text("<script>alert(1)</script>")
        looked_at(page, "supervision-case-en")
        page.locator("#close-outcome").select_option("measures")
        page.locator("#close-why").focus()
        typed(page, "told off")
        expect(page.locator(".done")).to_contain_text("waits for a second person")
        to(second, "/control/approvals")
        expect(second.locator(".proposal h3")).to_contain_text("close case 2025-1")
        second.keyboard.press("a")
        second.keyboard.press("Enter")
        expect(second.locator(".done")).to_be_visible()
        to(page, "/supervision/cases")
        expect(page.locator("tbody tr")).to_contain_text("Ended with measures")
        page.get_by_role("link", name="2025-1").press("Enter")
        expect(page.locator("main form")).to_have_count(0)
        expect(page.locator("tbody tr").last).to_contain_text("bo")


def test_who_only_looks_has_no_form_and_one_that_is_made_up_is_not_taken(
    browser, market, consoles
):
    console = consoles("rex")
    with at_console(browser, console, "en") as page:
        page.goto(f"{console.address}/control/market")
        expect(page.locator("main form")).to_have_count(0)
        page.goto(f"{console.address}/control/approvals")
        cookies = {each["name"]: each["value"] for each in page.context.cookies()}
        mark = page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))['X-Form-Mark']")
    answer = httpx2.post(
        f"{console.address}/control/market/halt",
        data={"act": "halt", "product": "", "why": "x", "client_id": "none"},
        cookies=cookies,
        headers={"x-form-mark": mark, "origin": console.address},
    )
    assert answer.status_code == 409
    assert market.operate("status")["halted"] is False


@pytest.mark.nightly
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_of_the_control_room_is_wrong_at_any_size_in_any_light(
    browser, consoles, trade, language, size, theme
):
    options = {"viewport": {"desktop": DESKTOP, "phone": PHONE}[size], "color_scheme": theme}
    found = {}
    for name, paths in (("an", CONTROL), ("rex", SUPERVISION)):
        with at_console(browser, consoles(name), language, **options) as page:
            shown = list(paths)
            while shown:
                path = shown.pop(0)
                page.goto(f"{consoles(name).address}/{path}")
                expect(page.locator("main")).to_be_visible()
                if path == "supervision/alerts":
                    shown += page.locator("tbody th a").first.get_attribute("href")[1:].split("|")
                if path == "control":
                    page.wait_for_timeout(2_500)
                picture(page, f"{_name(path)}-{language}-{size}-{theme}")
                wrong = violations(page)
                width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if width > 0:
                    wrong.append(f"{width} pixels wider than the window")
                if wrong:
                    found[path] = wrong
    assert found == {}


def _name(path):
    if path.startswith("supervision/alerts/"):
        return "supervision-alert"
    if "?" in path:
        return "supervision-day"
    return path.replace("/", "-")
