"""Somebody at a screen, who uses the keyboard alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import expect

from support.rounds import ROUNDS
from support.screens.chromium import DESKTOP, picture, violations
from support.screens.served import Served

REFUSED = "status of 422|htmx:sendAbort|htmx:afterRequest"
"""What the browser itself says of a form that was refused, and shown again; and of a ticket's check
that the next one has overtaken."""
GONE = "status of (403|422|503)|ERR_|htmx:|Response Status Error"
"""The same, and of what does not answer: for tests that end it."""
MENU = '.menu a[href="{}"]'
TRIES = 60
LOCALES = {"zh": "zh-CN", "en": "en-GB"}


@contextmanager
def at_board(browser: Any, board: Served, language: str, **options: Any) -> Iterator[Any]:
    """Sit down before the public board."""
    with _context(browser, language, **options) as page:
        page.goto(f"{board.address}/?lang={language}")
        yield page


@contextmanager
def at_console(browser: Any, console: Served, language: str, **options: Any) -> Iterator[Any]:
    """Sit down before a console, which is entered by the address that it has printed last."""
    with _context(browser, language, **options) as page:
        page.goto(console.entrance)
        console.entrance = console.next_line()
        page.goto(f"{console.address}/?lang={language}")
        yield page


@contextmanager
def _context(
    browser: Any, language: str, *, expected: str = REFUSED, **options: Any
) -> Iterator[Any]:
    context = browser.new_context(
        viewport=options.pop("viewport", DESKTOP), locale=LOCALES[language], **options
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: message.type == "error"
        and not re.search(expected, message.text)
        and errors.append(message.text),
    )
    try:
        yield page
        assert not errors, errors
    finally:
        context.close()


def to(page: Any, path: str) -> None:
    """Go to a page by the menu, which has it once the daemons have said whose key it is."""
    link = page.locator(MENU.format(path))
    for _ in range(TRIES):
        if link.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    link.press("Enter")
    expect(page.locator(MENU.format(path))).to_have_attribute("aria-current", "page")
    # Before its scripts have run a page takes no key.
    page.wait_for_load_state("load")


def typed(page: Any, *words: str) -> None:
    """Type into the fields one after the other, each over what is there, and send."""
    for at, word in enumerate(words):
        if at:
            page.keyboard.press("Tab")
        page.keyboard.press("Control+a")
        page.keyboard.type(word)
    page.keyboard.press("Enter")


def looked_at(page: Any, name: str) -> None:
    """Find nothing wrong with a page; keep how it looks where something is, or in many rounds."""
    found = violations(page)
    if found or ROUNDS > 1:
        picture(page, name)
    assert not found, "\n".join(found)
