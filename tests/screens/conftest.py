"""One market, one board, one browser, for all tests of a file: idle daemons cost time, too."""

from collections.abc import Iterator
from typing import Any

import pytest

from cea_exchange.domain.records import Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from support.screens.chromium import chromium
from support.screens.kept_client import KeptClient
from support.screens.served import Served

REFERENCES = {"CEA23": 9_610, "CEA24": 9_749}
DAY = "2025-01-02"
PEOPLE = [
    Participant("alice", "short", {"CEA24": Side.BUY}, 9_000_000_000, {}),
    Participant("bob", "surplus", {"CEA24": Side.SELL}, 1_000_000, {"CEA24": 500_000}),
    Participant("carol", "surplus", {}, 800_000_000, {"CEA23": 40_000, "CEA24": 60_000}),
    Participant("dora", "short", {"CEA24": Side.BUY}, 9_000_000, {}),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium without a window; while it is driven, no test may run an event loop of its own."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def exchange(tmp_path_factory) -> Iterator[LocalExchange]:
    """A venue and a registry in the day's last session: listed trading and blocks."""
    with LocalExchange(tmp_path_factory.mktemp("screens")) as exchange:
        start = f"{DAY}T08:30:00+08:00"
        exchange.prepare(PEOPLE, REFERENCES, start=start, has_second=True, fronts=0)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at=f"{DAY}T13:00:00+08:00")
        yield exchange


@pytest.fixture(scope="module")
def board(exchange: LocalExchange) -> Iterator[Served]:
    """The public board of that market."""
    with Served.board(exchange.data) as board:
        yield board


@pytest.fixture(scope="module")
def console(exchange: LocalExchange) -> Iterator[Served]:
    """alice's own console."""
    with Served.console(exchange.data, "alice") as console:
        yield console


@pytest.fixture(scope="module")
def bob(exchange: LocalExchange) -> Iterator[KeptClient]:
    """Somebody with much to sell."""
    with KeptClient.of(exchange, "bob") as client:
        yield client


@pytest.fixture(scope="module")
def carol(exchange: LocalExchange) -> Iterator[KeptClient]:
    """Somebody whose orders stand in the books."""
    with KeptClient.of(exchange, "carol") as client:
        for price, tonnes in (("97.60", 300), ("97.80", 500), ("97.80", 200), ("98.00", 1_000)):
            client.answer(client.enter("CEA24", "sell", price=price, tonnes=tonnes))
        for price, tonnes in (("97.30", 400), ("97.10", 900)):
            client.answer(client.enter("CEA24", "buy", price=price, tonnes=tonnes))
        yield client
