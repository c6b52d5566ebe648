"""The public board in a browser, over real daemons: what it shows, in both languages."""

import pytest
from playwright.sync_api import expect

from support.screens.chromium import DESKTOP, picture, violations

pytestmark = pytest.mark.e2e

WORDS = {
    "zh": ("CEA24 买卖五档", "挂牌与大宗交易中"),
    "en": ("CEA24: five best levels", "Listed and block trading"),
}


@pytest.mark.parametrize("language", WORDS)
def test_the_board_shows_the_book_and_a_trade_as_it_happens(
    browser, exchange, board, carol, language
):
    book, phase = WORDS[language]
    page = browser.new_page(viewport=DESKTOP)
    page.goto(f"{board.address}/product/CEA24?lang={language}")
    expect(page.get_by_role("table", name=book)).to_contain_text("97.60")
    expect(page.locator(".state-line")).to_contain_text(phase)
    with carol_and("bob", exchange) as bob:
        bob.answer(bob.enter("CEA24", "sell", price="97.30", tonnes=30))
    trades = page.locator('[data-live="trades.CEA24"] tbody tr')
    expect(trades.first).to_contain_text("97.30")
    assert "30" in trades.first.text_content()
    expect(page.locator("#stale")).to_be_empty()
    assert violations(page) == []
    picture(page, f"board-market-{language}")
    page.close()


def carol_and(name, exchange):
    """Another one who trades."""
    from cea_exchange.client import Client

    return Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(name),
        exchange.keys("venue").public,
    )


def test_whoever_looks_may_look_only(board):
    import httpx

    assert httpx.post(f"{board.address}/", data={"a": "b"}).status_code == 405
    answer = httpx.get(f"{board.address}/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "http" not in answer.text.replace("http-equiv", "")
