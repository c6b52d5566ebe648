"""What the board's first view weighs, and when it can be used over a slow line, in a Chromium."""

import os
import shutil
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from bench.screens.market import PRODUCT
from bench.screens.serving import served
from cea_exchange.loadtest.local_exchange import LocalExchange

THIRD_GENERATION = {
    "offline": False,
    "latency": 300,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 768_000 / 8,
}
"""A round trip of 300 ms, 1.6 Mbit/s down and 768 kbit/s up, as WebPageTest has its `3G`."""
SWITCHES = ("--no-sandbox", "--disable-gpu")
PAINTED = """() => new Promise((done) => {
  const look = () => {
    const shown = performance.getEntriesByName("first-contentful-paint")[0];
    if (shown) done(shown.startTime); else setTimeout(look, 5);
  };
  look();
})"""


def first_view_measured(exchange: LocalExchange, times: int) -> dict[str, Any]:
    """Open the board anew, each time with nothing kept, on a wide and a slow line."""
    found: dict[str, list[float]] = {}
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    with (
        served("board", "serve", "--data", exchange.data) as (address, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        for _ in range(times):
            for line, conditions in (("", None), ("_3g", THIRD_GENERATION)):
                context = browser.new_context()
                for name, value in _opened(context.new_page(), address, conditions).items():
                    found.setdefault(f"{name}{line}", []).append(value)
                context.close()
        browser.close()
    return {name: round(float(np.median(values))) for name, values in found.items()}


def _opened(page: Page, address: str, conditions: dict[str, Any] | None) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    if conditions is not None:
        session.send("Network.emulateNetworkConditions", conditions)
    weights: dict[str, float] = {}
    session.on(
        "Network.dataReceived",
        lambda event: weights.__setitem__(
            event["requestId"], weights.get(event["requestId"], 0) + event["encodedDataLength"]
        ),
    )
    page.goto(address, wait_until="commit")
    painted_ms = page.evaluate(PAINTED)
    page.wait_for_selector(f'[data-live="book.{PRODUCT}"] table')
    page.wait_for_load_state("load")
    ready_ms = page.evaluate(
        "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    )
    return {
        "bytes": sum(weights.values()),
        "painted_ms": painted_ms,
        # Its scripts have run too, after which it is kept as the market is.
        "usable_ms": max(painted_ms, ready_ms),
    }
