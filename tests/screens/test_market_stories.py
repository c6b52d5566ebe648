"""The board and a trader's pages in a browser, by keyboard alone, over real daemons."""

import re

import httpx2
import pytest
from playwright.sync_api import expect

from cea_exchange.domain.records import EventKind
from support.screens.reader import at_board, at_console, looked_at, typed

pytestmark = pytest.mark.e2e

LANGUAGES = ("zh", pytest.param("en", marks=pytest.mark.nightly))
BOARD_PAGES = ("history", "bulletins", "calendar", "rules", "notices", "lists")
BOARD = {
    "zh": ("CEA24 买卖五档", "挂牌与大宗交易中"),
    "en": ("CEA24: five best levels", "Listed and block trading"),
}
ACCEPTED = {"zh": r"报单 (\d+) 已接受", "en": r"Order (\d+) accepted"}
AMENDED = {"zh": "已修改", "en": "amended"}
CANCELED = {"zh": "已撤销", "en": "cancelled"}
BLOCK_DONE = {"zh": "已对 {id} 还价", "en": "Counter-offer to {id} stands"}
BID_DONE = {"zh": r"申报 \d+ 已接受", "en": r"Bid \d+ accepted"}
PRICE_OUT = {"zh": "价格超出当日涨跌幅限制", "en": "outside the day's band"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_board_shows_the_book_and_a_trade_as_it_happens(
    browser, exchange, board, carol, bob, language
):
    book, phase = BOARD[language]
    with at_board(browser, board, language) as page:
        page.locator('a[href="/product/CEA24"]').press("Enter")
        expect(page.get_by_role("table", name=book)).to_contain_text("97.60")
        expect(page.locator(".state-line")).to_contain_text(phase)
        bob.answer(bob.enter("CEA24", "sell", price="97.30", tonnes=30))
        trades = page.locator('[data-live="trades.CEA24"] tbody tr')
        expect(trades.first).to_contain_text("97.30")
        expect(page.locator("#stale")).to_be_empty()
        looked_at(page, f"board-market-{language}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_public_page_is_there_and_can_be_read_by_all(browser, board, language):
    with at_board(browser, board, language) as page:
        for name in BOARD_PAGES:
            page.locator(f'.menu a[href="/{name}"]').press("Enter")
            expect(page.locator(f'.menu a[href="/{name}"]')).to_have_attribute(
                "aria-current", "page"
            )
            looked_at(page, f"board-{name}-{language}")


def test_whoever_looks_at_the_board_may_look_only(board):
    assert httpx2.post(f"{board.address}/", data={"a": "b"}).status_code == 405
    assert httpx2.get(f"{board.address}/trade").status_code == 404


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_trader_buys_amends_cancels_takes_negotiates_and_bids_by_keyboard(
    browser, exchange, console, carol, bob, language
):
    with at_console(browser, console, language) as page:
        page.locator('.menu a[href="/trade"]').press("Enter")
        expect(page).to_have_url(re.compile("/trade$"))
        for key, product in (("n", "CEA23"), ("p", "CEA24")):
            page.wait_for_load_state()
            page.keyboard.press(key)
            expect(page).to_have_url(re.compile(f"/trade/{product}$"))
        expect(page.locator('[data-live="ladder.CEA24"] table')).to_be_visible()
        _refused_before_it_is_sent(page, language)
        _bought_amended_canceled(page, language)
        _taken(page, language)
        looked_at(page, f"trade-{language}")
        _negotiated(page, bob, language)
        _bid(page, exchange, language)
        page.locator('.menu a[href="/positions"]').press("Enter")
        expect(page.locator("table").first).to_contain_text("CEA24")
        looked_at(page, f"positions-{language}")


def _refused_before_it_is_sent(page, language):
    page.keyboard.press("b")
    typed(page, "120.00", "20")
    wrong = page.locator("#ticket .field.yuan .refusal")
    expect(wrong).to_contain_text(PRICE_OUT[language])
    page.keyboard.press("Escape")


def _bought_amended_canceled(page, language):
    page.keyboard.press("b")
    typed(page, "97.20", "20")
    done = page.locator("#ticket .done")
    expect(done).to_have_text(re.compile(ACCEPTED[language]))
    number = re.search(r"\d+", done.text_content())[0]
    row = page.locator("tr", has=page.locator(f"#amend-{number}"))
    expect(row).to_contain_text("97.20")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#amend-price")).to_be_focused()
    # A busy browser settles late; what was closed before that stays closed.
    page.evaluate("htmx.config.defaultSettleDelay = 500")
    typed(page, "97.25", "15")
    expect(page.locator("#amend-dialog .done")).to_contain_text(AMENDED[language])
    page.keyboard.press("Escape")
    page.wait_for_timeout(1_000)
    page.evaluate("htmx.config.defaultSettleDelay = 20")
    expect(page.locator("tr", has=page.locator(f"#amend-{number}"))).to_contain_text("97.25")
    page.keyboard.press("c")
    expect(page.locator(f"#cancel-{number}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#orders-note .done")).to_contain_text(CANCELED[language])
    expect(page.locator(f"#cancel-{number}")).to_have_count(0)


def _taken(page, language):
    """The best ask's first order is taken by its number."""
    page.keyboard.press("t")
    expect(page.locator('#ticket [name="pick"]')).to_have_value(re.compile(r"^\d+$"))
    typed(page, "10")
    expect(page.locator("#ticket .done")).to_have_text(re.compile(ACCEPTED[language]))
    expect(page.locator('[data-live="fills"] tbody tr').first).to_contain_text("97.60")
    page.keyboard.press("Escape")


def _negotiated(page, bob, language):
    """bob offers, alice counters, bob accepts."""
    counterparty = bob.party(account="alice")["account_index"]
    offered = bob.answer(
        bob.block_offer("CEA24", "sell", price="105.00", tonnes=100_000, counterparty=counterparty)
    )
    page.locator('.menu a[href="/blocks"]').press("Enter")
    counter = page.locator(f"#counter-{offered.order_id}")
    counter.press("Enter")
    expect(page.locator("#counter-price")).to_be_focused()
    typed(page, "101.00", "100000")
    done = BLOCK_DONE[language].format(id=offered.order_id)
    expect(page.locator("#counter-dialog .done")).to_have_text(done)
    looked_at(page, f"blocks-{language}")
    page.keyboard.press("Escape")
    assert bob.answer(bob.block_accept(offered.order_id)).kind == EventKind.TRADE
    expect(page.locator(f"#withdraw-{offered.order_id}")).to_have_count(0)


def _bid(page, exchange, language):
    name = f"sale-{language}"
    exchange.operate_by_two(
        "bidding_open",
        bidding=name,
        account="bob",
        product="CEA24",
        tonnes=100_000,
        limit=exchange.operate("statistics")["products"]["CEA24"]["reference_price"],
    )
    page.locator('.menu a[href="/biddings"]').press("Enter")
    expect(page.locator("th", has_text=name)).to_be_visible()
    page.get_by_role("button", name=name).press("Enter")
    expect(page.locator("#bid-price")).to_be_focused()
    typed(page, "98.00", "500")
    expect(page.locator("#bid-dialog .done")).to_have_text(re.compile(BID_DONE[language]))
    page.keyboard.press("Escape")
    expect(page.locator('[data-live="own_bids"] tbody tr').first).to_contain_text("500")
    looked_at(page, f"biddings-{language}")
    exchange.operate("bidding_close", bidding=name)
    expect(page.locator('[data-live="own_bids"] tbody tr').first).to_contain_text("500")


def test_an_order_that_is_sent_twice_is_entered_once(browser, exchange, console, carol):
    """The same form from a second tab, and a double click: one order."""
    with at_console(browser, console, "en") as page:
        page.goto(f"{console.address}/trade/CEA24")
        sent = page.evaluate(
            """async () => {
              const form = new FormData(document.getElementById("ticket"));
              form.set("price", "95.00"); form.set("tonnes", "7");
              const send = () => fetch("/trade/CEA24", {
                method: "POST", body: new URLSearchParams(form),
              }).then((answer) => answer.text());
              const texts = await Promise.all([send(), send()]);
              return [...texts, await send()];
            }"""
        )
        numbers = {re.search(r"Order (\d+) accepted", text)[1] for text in sent}
        assert len(numbers) == 1
        rows = page.locator('[data-live="orders"] tbody tr', has_text="95.00")
        expect(rows).to_have_count(1)
        page.locator(f"#cancel-{numbers.pop()}").press("Enter")
        expect(page.locator("#orders-note .done")).to_be_visible()


@pytest.mark.nightly
def test_after_a_kill_of_the_venue_the_pages_recover_and_no_report_is_lost(
    browser, exchange, console, board, carol
):
    with at_console(browser, console, "en") as page, at_board(browser, board, "en") as public:
        page.goto(f"{console.address}/trade/CEA24")
        page.keyboard.press("b")
        typed(page, "94.00", "9")
        expect(page.locator("#ticket .done")).to_be_visible()
        exchange.kill("venue")
        for each in (page, public):
            expect(each.locator("html")).to_have_attribute("data-stale", "yes", timeout=15_000)
        exchange.start_venue()
        for each in (page, public):
            expect(each.locator("html")).to_have_attribute("data-stale", "no", timeout=60_000)
        expect(page.locator(".mark.good", has_text="Logged on")).to_be_visible(timeout=60_000)
        order = page.locator('[data-live="orders"] tr', has_text="94.00")
        expect(order).to_contain_text("Open")
        order.locator(".danger").press("Enter")
        expect(page.locator("#orders-note .done")).to_be_visible(timeout=20_000)
