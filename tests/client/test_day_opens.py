"""A client that logged on before the day opened trades as soon as the day is open."""

import asyncio

import pytest

from cea_exchange.client import AsyncClient, Client
from cea_exchange.domain.records import EventKind
from support.patience import patience
from support.venue.venue_world import PRODUCT, WAIT_MS, world_open

pytestmark = pytest.mark.e2e
ORDER = {"price": "97.49", "tonnes": 10}


@pytest.fixture
def world(tmp_path):
    with world_open(tmp_path) as world:
        world.start()
        world.ready()
        yield world


def connection(world):
    return world.venue.endpoints["gateway"], world.keys["alice"], world.keys["venue"].public


def day_opened(world):
    world.admin(op="clock", at="2024-12-31T09:30:00+08:00")


def test_a_client_that_has_not_polled_since_takes_the_open_days_date(world):
    with Client.connect(*connection(world)) as client:
        assert client.session.trading_date == 0
        day_opened(world)
        assert client._socket.poll(WAIT_MS * patience()), "the venue said nothing of the phase"
        report = client.answer(client.enter(PRODUCT, "buy", **ORDER))
        assert report.kind == EventKind.ORDER_ACCEPTED, report


def test_an_async_client_does_the_same(world):
    async def trade():
        async with await AsyncClient.connect(*connection(world)) as client:
            assert client.session.trading_date == 0
            await asyncio.to_thread(day_opened, world)
            assert await client._socket.poll(WAIT_MS * patience())
            return await client.answer(await client.enter(PRODUCT, "buy", **ORDER))

    assert asyncio.run(trade()).kind == EventKind.ORDER_ACCEPTED
