"""`Client` and `AsyncClient` against a real venue and registry."""

import asyncio
import time

import numpy as np
import pytest

from cea_exchange.client import AsyncClient, Client, KeyRefused, MarketDataClient, SessionEnded
from cea_exchange.domain.records import COMMAND_DTYPE, EventKind, Reason, Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.protocol.security import CurveKeys
from support.patience import patience

pytestmark = pytest.mark.e2e

WAIT_S = 30.0
REFERENCES = {"CEA24": 9749}
BUYER = Participant("alice", "short", {"CEA24": Side.BUY}, 100_000_000, {})
SELLER = Participant("bob", "surplus", {"CEA24": Side.SELL}, 1_000_000, {"CEA24": 50_000})


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with LocalExchange(tmp_path_factory.mktemp("exchange")) as exchange:
        exchange.prepare([BUYER, SELLER], REFERENCES, start="2025-01-02T08:30:00+08:00")
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T09:30:00+08:00")
        yield exchange


def connect(exchange, name, **options):
    return Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(name),
        exchange.keys("venue").public,
        **options,
    )


def reports_until(client, is_enough):
    """Return the reports that come until they are enough."""
    reports, until_s = [], time.monotonic() + WAIT_S * patience()
    while not is_enough(reports):
        assert time.monotonic() < until_s, kinds_of(reports)
        reports += client.poll(0.1)
    return reports


def has_trade(reports):
    return any(report.kind == EventKind.TRADE for report in reports)


def kinds_of(reports):
    return [EventKind(report.kind).name for report in reports]


def test_a_trade_is_reported_to_both_sides_and_to_nobody_elses_eyes(exchange):
    with connect(exchange, "alice") as alice, connect(exchange, "bob") as bob:
        assert alice.account == "alice"
        alice.enter("CEA24", "buy", price="97.50", tonnes=100)
        alice.answer(alice.session.next_client_order_id - 1)
        sell = bob.enter("CEA24", Side.SELL, price="97.40", tonnes=40)
        bob.answer(sell)
        taker, maker = reports_until(bob, has_trade), reports_until(alice, has_trade)
        assert kinds_of(taker) == ["ORDER_ACCEPTED", "TRADE"]
        assert kinds_of(maker) == ["ORDER_ACCEPTED", "ORDER_RESTED", "TRADE"]
        assert (taker[1].price, taker[1].tonnes) == (9750, 40)
        assert maker[2].is_maker(alice.session.account_index)
        assert maker[2].counter_tonnes_open == 60
        assert maker[2].account_index == 0xFFFFFFFF
        cancel = alice.cancel(maker[0].order_id)
        assert alice.answer(cancel).reason == Reason.REQUESTED


def test_the_book_shows_orders_that_a_taker_can_pick(exchange):
    with connect(exchange, "alice") as alice, connect(exchange, "bob") as bob:
        first = bob.answer(bob.enter("CEA24", "sell", price="98.00", tonnes=10)).order_id
        second = bob.answer(bob.enter("CEA24", "sell", price="98.00", tonnes=20)).order_id
        (level,) = alice.book("CEA24")["asks"]
        assert level["price"] == 9800
        assert level["orders"] == [[first, 10], [second, 20]]
        alice.answer(alice.enter("CEA24", "buy", price="98.00", tonnes=20, pick=second))
        reports = reports_until(alice, has_trade)
        (trade,) = [r for r in reports if r.kind == EventKind.TRADE]
        assert trade.counter_order_id == second
        bob.answer(bob.cancel(first))


def test_refusals_are_answers(exchange):
    with connect(exchange, "bob") as bob:
        for terms, reason in (
            ({"price": "120.00", "tonnes": 10}, Reason.PRICE_OUT_OF_BAND),
            ({"price": "97.00", "tonnes": 0}, Reason.TONNES_NOT_POSITIVE),
            ({"price": "97.00", "tonnes": 90_000}, Reason.ALLOWANCES_INSUFFICIENT),
            ({"price": "97.00", "tonnes": 1, "trading_date": 20250103},
             Reason.TRADING_DATE_MISMATCH),
        ):  # fmt: skip
            answer = bob.answer(bob.enter("CEA24", "sell", **terms))
            assert (answer.kind, answer.reason) == (EventKind.ORDER_REJECTED, reason)
        # Names are the client's to know; a number that is none the venue refuses.
        for ask in (lambda: bob.enter("CEA99", "sell", price="97.00", tonnes=1),
                    lambda: bob.book("CEA99")):  # fmt: skip
            with pytest.raises(LookupError, match="product: expected one of CEA24, got 'CEA99'"):
                ask()
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["side"], command["product_index"] = 1, 2, 99
        command["price"], command["tonnes"] = 9_700, 1
        assert bob.answer(*bob.submit(command)).reason == Reason.PRODUCT_UNKNOWN


def test_a_stranger_gets_no_session(exchange):
    with pytest.raises(KeyRefused):
        Client.connect(
            exchange.endpoint("venue", "gateway"),
            CurveKeys.new(),
            exchange.keys("venue").public,
            timeout_s=1.0 * patience(),  # It is raised when the time is over.
        )


def test_reports_are_replayed_to_a_new_connection(exchange):
    with connect(exchange, "alice") as alice:
        alice.answer(alice.enter("CEA24", "buy", price="90.00", tonnes=10))
        reports_until(alice, lambda got: EventKind.ORDER_RESTED in [r.kind for r in got])
        last = alice.session.report_seq
        with connect(exchange, "alice", report_seq=last - 2) as again:
            missed = reports_until(again, lambda got: len(got) >= 2) + again.poll(0.2)
            assert [r.report_seq for r in missed] == [last - 1, last]


def test_unanswered_commands_survive_a_killed_venue(exchange):
    with connect(exchange, "alice") as alice:
        ids = [alice.enter("CEA24", "buy", price="91.00", tonnes=10) for _ in range(50)]
        exchange.kill("venue")
        ids += [alice.enter("CEA24", "buy", price="91.00", tonnes=10) for _ in range(50)]
        exchange.start_venue()
        alice.reconnect()
        alice.logon(timeout_s=WAIT_S * patience())
        deadline = time.monotonic() + WAIT_S * patience()
        accepted = []
        while len(accepted) < 100 and time.monotonic() < deadline:
            accepted += [r for r in alice.poll(0.1) if r.kind == EventKind.ORDER_ACCEPTED]
        assert [r.client_order_id for r in accepted] == ids
        assert alice.unacknowledged == []


def test_market_data_is_public_and_nameless(exchange):
    keys, endpoint = exchange.keys("alice"), exchange.endpoint("venue", "market_data")
    server_key = exchange.endpoint("venue", "market_data_public_key")
    with (
        MarketDataClient(endpoint, keys, server_key) as market_data,
        connect(exchange, "alice") as alice,
        connect(exchange, "bob") as bob,
    ):
        assert next(market_data.messages(timeout_s=60.0))
        bob.answer(bob.enter("CEA24", "sell", price="98.00", tonnes=10))
        alice.answer(alice.enter("CEA24", "buy", price="98.00", tonnes=10))
        trades = []
        deadline = time.monotonic() + 60.0
        while not trades and time.monotonic() < deadline:
            for topic, value in market_data.poll(1.0):
                if topic == "md":
                    trades += value[value["kind"] == EventKind.TRADE].tolist()
        assert len(trades) == 1
        assert market_data.missed == 0


def test_the_async_client_trades(exchange):
    async def trade():
        async with await AsyncClient.connect(
            exchange.endpoint("venue", "gateway"),
            exchange.keys("bob"),
            exchange.keys("venue").public,
        ) as bob:
            answer = await bob.answer(
                await bob.enter("CEA24", "sell", price="99.00", tonnes=10, post_only=True)
            )
            assert answer.kind == EventKind.ORDER_ACCEPTED
            amended = await bob.answer(await bob.amend(answer.order_id, price="99.10", tonnes=5))
            assert (amended.kind, amended.tonnes) == (EventKind.ORDER_AMENDED, 5)
            canceled = await bob.answer(await bob.cancel(answer.order_id))
            assert canceled.kind == EventKind.ORDER_CANCELED
            await bob.enter("CEA24", "sell", price="99.00", tonnes=10)
            await bob.logoff()
            assert [r.kind for r in await bob.poll()][-1] == EventKind.ORDER_RESTED
            with pytest.raises(SessionEnded, match="logged_off"):
                await bob.poll(WAIT_S * patience())

    asyncio.run(trade())
