"""How long an order through the ticket takes, beside one over order entry in the same minute."""

import time
from typing import Any

import httpx
import numpy as np

from bench.screens.market import PRODUCT
from bench.screens.serving import served
from cea_exchange.client import Client
from cea_exchange.loadtest.local_exchange import LocalExchange


def ticket_measured(exchange: LocalExchange, count: int) -> dict[str, Any]:
    """Send orders by turns: from the request that the key press sends to its answer; and without.

    Each is of one tonne far below the market, and must be accepted.
    """
    key = exchange.keys_directory / "probe"
    words = ("screen", "--keys", key, "--data", exchange.data, "--no-browser")
    waited_s: dict[str, list[float]] = {"ticket": [], "venue": []}
    other = Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys("other"),
        exchange.keys("venue").public,
    )
    with other, served(*words) as (entrance, _), httpx.Client() as http:
        address = entrance.split("/enter")[0]
        http.base_url, http.headers["origin"] = httpx.URL(address), address
        http.get(entrance)
        text = http.get(f"/trade/{PRODUCT}").text
        http.headers["x-form-mark"] = text.split('name="form_mark" value="')[1].split('"')[0]
        for number in range(count):
            price = f"{88 + number % 5}.00"
            client_id = text.split('name="client_id" value="')[1].split('"')[0]
            form = {"client_id": client_id, "side": "buy", "tif": "day", "tonnes": "1"}
            began_s = time.monotonic()
            text = http.post(f"/trade/{PRODUCT}", data={**form, "price": price}).text
            waited_s["ticket"].append(time.monotonic() - began_s)
            assert 'class="done"' in text, text
            began_s = time.monotonic()
            accepted = other.answer(other.enter(PRODUCT, "buy", price=price, tonnes=1))
            waited_s["venue"].append(time.monotonic() - began_s)
            assert accepted.order_id
    figures: dict[str, Any] = {
        f"{name}_ms_p{share}": round(1_000 * float(np.percentile(values, share)), 2)
        for name, values in waited_s.items()
        for share in (50, 99)
    }
    over = figures["ticket_ms_p99"] - figures["venue_ms_p99"]
    return {"orders": count, **figures, "over_the_venue_ms_p99": round(over, 2)}
