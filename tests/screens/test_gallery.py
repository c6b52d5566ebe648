"""Every page in both languages, on a phone and on a desktop, light and dark."""

import pytest
from playwright.sync_api import expect

from support.screens.chromium import DESKTOP, PHONE, picture, violations
from support.screens.reader import at_board, at_console

pytestmark = [pytest.mark.e2e, pytest.mark.nightly]

SIZES = {"desktop": DESKTOP, "phone": PHONE}
BOARD = ("", "product/CEA24", "history", "bulletins", "calendar", "rules", "notices", "lists")
CONSOLE = ("trade/CEA24", "blocks", "biddings", "positions")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_is_wrong_at_any_size_in_any_light(
    browser, board, console, carol, bob, language, size, theme
):
    bob.answer(bob.enter("CEA24", "sell", price="97.30", tonnes=12))
    options = {"viewport": SIZES[size], "color_scheme": theme}
    found = {}
    for open_site, served, paths in (
        (at_board, board, BOARD),
        (at_console, console, CONSOLE),
    ):
        with open_site(browser, served, language, **options) as page:
            for path in paths:
                page.goto(f"{served.address}/{path}")
                expect(page.locator("main")).to_be_visible()
                expect(page.locator("#stale")).to_be_empty()
                name = f"{path.replace('/', '-') or 'market'}-{language}-{size}-{theme}"
                picture(page, name)
                wrong = violations(page)
                width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if width > 0:
                    wrong.append(f"{width} pixels wider than the window")
                if wrong:
                    found[name] = wrong
    assert found == {}
