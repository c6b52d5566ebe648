"""A board and a console that are killed: pages say so, and go on once they are served again."""

import pytest
from playwright.sync_api import expect

from support.screens.reader import GONE, at_board, at_console, typed
from support.screens.served import Served

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

STALE = "data-stale"


def port_of(served):
    return served.address.rpartition(":")[2]


def test_a_page_of_a_killed_board_is_stale_until_it_is_served_again(
    browser, exchange, carol, bob
):
    first = Served.board(exchange.data)
    with at_board(browser, first, "en", expected=GONE) as page:
        expect(page.get_by_role("table", name="CEA24: five best levels")).to_contain_text("98.00")
        first.kill()
        expect(page.locator("html")).to_have_attribute(STALE, "yes", timeout=60_000)
        expect(page.locator("#stale")).not_to_be_empty()
        with Served.board(exchange.data, "--port", port_of(first)):
            expect(page.locator("html")).to_have_attribute(STALE, "no", timeout=60_000)
            bob.answer(bob.enter("CEA24", "sell", price="98.10", tonnes=77))
            book = page.get_by_role("table", name="CEA24: five best levels")
            expect(book).to_contain_text("98.10")
    first.close()


def test_a_killed_console_sends_nothing_and_lets_nobody_in_until_it_is_entered_anew(
    browser, exchange
):
    first = Served.console(exchange.data, "dora")
    with at_console(browser, first, "en", expected=GONE) as page:
        page.goto(f"{first.address}/trade/CEA24")
        page.keyboard.press("b")
        typed(page, "93.00", "6")
        expect(page.locator("#ticket .done")).to_be_visible()
        first.kill()
        expect(page.locator("html")).to_have_attribute(STALE, "yes", timeout=60_000)
        typed(page, "92.00")
        expect(page.locator("#stale")).not_to_be_empty()
        with Served.console(exchange.data, "dora", "--port", port_of(first)) as again:
            typed(page, "92.00")
            expect(page.locator("#stale")).to_contain_text("open the address")
            page.goto(again.entrance)
            page.goto(f"{again.address}/trade/CEA24")
            orders = page.locator('[data-live="orders"] tbody')
            expect(orders.locator("tr", has_text="93.00")).to_contain_text("Open")
            expect(orders.locator("tr", has_text="92.00")).to_have_count(0)
            orders.locator("tr", has_text="93.00").locator(".danger").press("Enter")
            expect(page.locator("#orders-note .done")).to_be_visible()
    first.close()
