"""What the screens take and give: `python -m bench.screens --viewers 2000 --rate 3000`.

A venue, a registry and a population that trades, as real processes; a board; and viewers of one
product, each a connection of its own that reads all that it is sent. How late a viewer is: from
when a subscriber to the public stream has seen so many tonnes traded to when the viewer's own page
says as many or more. The same day is traded without viewers first, so it shows what they cost the
venue.

Then the ticket: from the request that the key press sends to its answer, beside the venue's own
answer over order entry, in a market that trades on.
"""

import argparse
import json
import multiprocessing
import re
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from pathlib import Path
from typing import Any

import httpx

from cea_exchange.client import Client, MarketDataClient
from cea_exchange.domain.records import EventKind, Method, Side
from cea_exchange.loadtest.driver import Runners
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange, prepare_process
from cea_exchange.loadtest.population import Participant, population
from cea_exchange.protocol.security import CurveKeys

PRODUCT = "CEA24"
DAY = "2025-01-02"
PROGRAM = [sys.executable, "-m", "cea_exchange.cli.main"]
CHANNELS = ("status", "products", f"quote.{PRODUCT}", f"book.{PRODUCT}", f"trades.{PRODUCT}")
VOLUME = re.compile(rb'id="volume-CEA24"[^>]*>([0-9,]+)<')
SEEN_EVERY = 20
"""Of so many viewers one is read to the digit; the others are read and thrown away."""


def percentile(values: list[float], share: float) -> float:
    """Return the value that a share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class Reference:
    """When a subscriber to the public stream had seen so many tonnes traded."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.volumes: list[int] = []
        self.at_s: list[float] = []
        self.events = 0
        self._client = MarketDataClient(
            exchange.endpoint("venue", "market_data"),
            CurveKeys.new(),
            exchange.endpoint("venue", "market_data_public_key"),
            topics=("md", "stats"),
        )
        self._is_over = False
        self._index = -1
        self._volume = 0
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        while not self._is_over:
            for topic, value in self._client.poll(0.05):
                if topic == "stats":
                    self._take_market(value)
                else:
                    self._take_records(value)
        self._client.close()

    def _take_market(self, market: dict[str, Any]) -> None:
        for each in market["products"]:
            if each["product"] == PRODUCT:
                self._index = each["product_index"]
                self._volume = max(self._volume, each["volume"]["listed"])

    def _take_records(self, records: Any) -> None:
        self.events += len(records)
        is_trade = (records["kind"] == EventKind.TRADE) & (records["method"] == Method.LISTED)
        tonnes = int(records["tonnes"][is_trade & (records["product_index"] == self._index)].sum())
        if tonnes:
            self._volume += tonnes
            self.volumes.append(self._volume)
            self.at_s.append(time.monotonic())

    def close(self) -> None:
        """Follow no more."""
        self._is_over = True
        self._thread.join()

    def lateness_s(self, seen: list[tuple[float, int]]) -> list[float]:
        """Return how late each sight of a volume was."""
        found = []
        for at_s, volume in seen:
            place = bisect_left(self.volumes, volume)
            if place < len(self.volumes):
                found.append(max(0.0, at_s - self.at_s[place]))
        return found


def view(address: str, count: int, seconds: float, out: Any) -> None:
    """Look at the board over many connections; send back what one in twenty saw, and when."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    query = "&".join(f"c={name}" for name in CHANNELS)
    request = f"GET /stream?{query}&lang=en HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode()
    selector = selectors.DefaultSelector()
    for number in range(count):
        connection = socket.create_connection((host, int(port)), 30)
        connection.sendall(request)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, number)
    out.send("ready")
    until_s = time.monotonic() + seconds
    seen: list[tuple[float, int]] = []
    read = 0
    while time.monotonic() < until_s:
        for key, _ in selector.select(0.1):
            data = key.fileobj.recv(262_144)  # type: ignore[union-attr]
            read += len(data)
            if not data:
                selector.unregister(key.fileobj)
            elif key.data % SEEN_EVERY == 0:
                found = VOLUME.findall(data)
                if found:
                    seen.append((time.monotonic(), int(found[-1].replace(b",", b""))))
    out.send((seen, read, len(selector.get_map())))


def memory_mib(process_id: int) -> float:
    """Return what a process has in memory."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]


def board_measured(
    exchange: LocalExchange, runners: Runners, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Measure the board: lateness of viewers, memory, and what they cost the venue."""
    without = commands_answered(exchange, runners, arguments)
    serving = subprocess.Popen(
        [*PROGRAM, "board", "serve", "--data", str(exchange.data)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    address = serving.stdout.readline().strip()
    reference = Reference(exchange)
    here, there = multiprocessing.Pipe()
    viewers = multiprocessing.get_context("spawn").Process(
        target=view, args=(address, arguments.viewers, arguments.seconds + 2, there)
    )
    viewers.start()
    assert here.recv() == "ready"
    before_mib, events = memory_mib(serving.pid), reference.events
    began_s = time.monotonic()
    with_viewers = commands_answered(exchange, runners, arguments)
    events_per_s = (reference.events - events) / (time.monotonic() - began_s)
    seen, read, left = here.recv()
    after_mib = memory_mib(serving.pid)
    reference.close()
    serving.terminate()
    serving.wait()
    late = reference.lateness_s(seen)
    return {
        "viewers": arguments.viewers,
        "viewers_left": left,
        "sights": len(late),
        "late_ms_p50": round(1000 * percentile(late, 0.5), 1),
        "late_ms_p99": round(1000 * percentile(late, 0.99), 1),
        "public_records_per_s": round(events_per_s),
        "mbit_per_s": round(8 * read / 1e6 / arguments.seconds, 1),
        "board_mib": [round(before_mib), round(after_mib)],
        "commands_per_s_without": without,
        "commands_per_s_with": with_viewers,
    }


def commands_answered(
    exchange: LocalExchange, runners: Runners, arguments: argparse.Namespace
) -> int:
    """Trade for some time; return the commands that the venue took in a second."""
    first, began_s = exchange.operate("status")["command_seq"], time.monotonic()
    runners.run(rate=arguments.rate, seconds=arguments.seconds)
    taken_s = time.monotonic() - began_s
    return round((exchange.operate("status")["command_seq"] - first) / taken_s)


def ticket_measured(exchange: LocalExchange, count: int) -> dict[str, Any]:
    """Measure the ticket, and the venue's own answer beside it."""
    key = exchange.keys_directory / "probe"
    serving = subprocess.Popen(
        [*PROGRAM, "screen", "--keys", str(key), "--data", str(exchange.data), "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert serving.stdout is not None
    entrance = serving.stdout.readline().strip()
    address = entrance.split("/enter")[0]
    screen_s = []
    with httpx.Client(base_url=address, headers={"origin": address}) as http:
        http.get(entrance)
        text = http.get(f"/trade/{PRODUCT}").text
        http.headers["x-form-mark"] = text.split('name="form_mark" value="')[1].split('"')[0]
        for number in range(count):
            client_id = text.split('name="client_id" value="')[1].split('"')[0]
            form = {"client_id": client_id, "side": "buy", "tif": "day", "tonnes": "1"}
            began_s = time.monotonic()
            text = http.post(
                f"/trade/{PRODUCT}", data={**form, "price": f"{88 + number % 5}.00"}
            ).text
            screen_s.append(time.monotonic() - began_s)
            assert 'class="done"' in text, text
    serving.terminate()
    serving.wait()
    own_s = []
    with Client.connect(
        exchange.endpoint("venue", "gateway"),
        CurveKeys.load(key.parent, key.name),
        exchange.keys("venue").public,
    ) as client:
        for number in range(count):
            began_s = time.monotonic()
            price = f"{88 + number % 5}.00"
            client.answer(client.enter(PRODUCT, "buy", price=price, tonnes=1))
            own_s.append(time.monotonic() - began_s)
    figures = {"ticket_ms": screen_s, "venue_ms": own_s}
    return {
        f"{name}_p{int(share * 100)}": round(1000 * percentile(values, share), 2)
        for name, values in figures.items()
        for share in (0.5, 0.99)
    }


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=2_000)
    parser.add_argument("--rate", type=float, default=3_000.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--orders", type=int, default=500, help="sent through the ticket")
    arguments = parser.parse_args()
    prepare_process()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard >= arguments.viewers + 200, "too few files may be open"
    prices = {"CEA23": 9_610, PRODUCT: 9_749}
    with tempfile.TemporaryDirectory() as folder:
        orders_each = int(arguments.rate * arguments.seconds * 3 / 100)
        members = population(100, prices, seed=1, orders_each=orders_each)
        probe = Participant("probe", "short", {PRODUCT: Side.BUY}, 10**11, {})
        with (
            LocalExchange(Path(folder)) as exchange,
            Runners(Path(folder) / "runners") as runners,
        ):
            exchange.prepare([*members, probe], prices, start=f"{DAY}T08:30:00+08:00")
            exchange.start()
            await_transfers(exchange)
            exchange.operate("clock", at=f"{DAY}T09:30:00+08:00")
            runners.start(
                members,
                endpoint=exchange.endpoint("venue", "gateway"),
                server_key=exchange.keys("venue").public,
                keys=exchange.keys_directory,
                reference_prices=prices,
                workload="trading_day",
                seed=1,
                process_count=1,
            )
            runners.ask({"do": "await_day", "trading_date": int(DAY.replace("-", ""))})
            found = {
                **board_measured(exchange, runners, arguments),
                **ticket_measured(exchange, arguments.orders),
            }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
