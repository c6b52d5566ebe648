"""A Chromium that tests drive, and pages in it."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.places import ROOT, TESTS

NAMES = ("chromium", "google-chrome")
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOW = (
    "no Chromium: install it (Debian: apt-get install chromium), or say in CHROMIUM where it is"
)
AXE = TESTS / "screens" / "vendor" / "axe.min.js"
LOCK = Path(tempfile.gettempdir()) / "cea-exchange-tests-chromium.lock"
UNATTENDED = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
PICTURES = ROOT / "build" / "screens"
"""Where a run keeps pictures of the pages, for people to look at."""
EXPECTED_MS = 30_000
"""So long a page may take to show what is expected of it: a busy machine draws late."""
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def chromium_found(environment: dict[str, str] | None = None) -> str | None:
    """Return the program: what CHROMIUM says, or one of its names; None where there is none."""
    environment = dict(os.environ) if environment is None else environment
    asked = environment.get("CHROMIUM")
    names = (asked,) if asked else NAMES
    found = (shutil.which(name, path=environment.get("PATH")) for name in names)
    return next((path for path in found if path is not None), None)


def chromium_path() -> str:
    """Return it; on Debian, as root, the distribution's package is installed where it is not."""
    found = chromium_found()
    if found is None and Path("/etc/debian_version").exists() and os.geteuid() == 0:
        found = _installed()
    if found is None:
        pytest.fail(HOW, pytrace=False)
    return found


def _installed() -> str | None:
    """Install the package; only one of those that run tests at a time can."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := chromium_found()) is not None:
            return found
        for words in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "--quiet", *words], capture_output=True, env=UNATTENDED)
    return chromium_found()


@contextmanager
def chromium() -> Iterator[Any]:
    """Run one, without a window."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=EXPECTED_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=list(SWITCHES), headless=True
        )
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Any) -> list[str]:
    """Return what axe-core finds wrong with a page: which rule, and where."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    options = {"runOnly": tags, "resultTypes": ["violations"]}
    found = page.evaluate("(options) => axe.run(document, options)", options)
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def picture(page: Any, name: str) -> None:
    """Keep how a page looks."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)
