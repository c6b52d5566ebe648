"""Participants come by the way in, and the venue that leads is killed: they see a pause."""

import signal
import threading
import time
import urllib.request

import pytest

from cea_exchange.client import MarketDataClient
from cea_exchange.domain.records import EventKind
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.publication.relay import Relay, RelayConfig, UpstreamSought
from support.cluster.way_in_world import Trader, trade_for, way_in_world
from support.patience import patience
from support.registry.fake_venue import wait_until

pytestmark = pytest.mark.e2e

KILLS = 3
WAIT_S = 30


@pytest.fixture
def opened(tmp_path):
    with way_in_world(tmp_path, grants={"copy": {"account": "alice", "role": "reader"}}) as opened:
        yield opened


def test_commands_under_way_are_answered_once_whoever_leads(opened):
    clients = [opened.client(name, report_seq=0) for name in ("alice", "bob")]
    copy = opened.client("copy", report_seq=0)
    traders = [Trader(client, seed) for seed, client in enumerate(clients)]
    # A busy machine may need more than one try to let somebody in.
    reconnections = [client.reconnections for client in (*clients, copy)]
    in_flight = 0
    for kill in range(KILLS):
        trade_for(traders, 0.4)
        for trader in traders:
            for _ in range(15):
                trader.send()
        # A quick venue would have answered all of them before it is killed.
        opened.world.venue.process.send_signal(signal.SIGSTOP)
        for trader in traders:
            for _ in range(5):
                trader.send()
        opened.venue_kill()
        for trader in traders:
            trader.poll()
        in_flight += sum(len(client.unacknowledged) for client in clients)
        trade_for(traders, 0.2)
        opened.venue_begin()
        resumed = 3 * (kill + 1)
        wait_until(lambda resumed=resumed: opened.way_in.way_in.resumed_count >= resumed, WAIT_S)
    trade_for(traders, 0.4)
    for trader in traders:
        trader.settle(WAIT_S)
    # Or the test shows little.
    assert in_flight > KILLS
    # Both clients had one connection and one session all the time, and so had the drop copy.
    assert [client.reconnections for client in (*clients, copy)] == reconnections
    assert opened.way_in.way_in.resumed_count == KILLS * 3
    numbered = [each for each in traders[0].log if each.report_seq or each.counter_report_seq]
    copied, until_s = [], time.monotonic() + WAIT_S * patience()
    while len(copied) < len(numbered) and time.monotonic() < until_s:
        copied += copy.poll(0.1)
    assert copied + list(copy.reports(timeout_s=0.5)) == numbered
    for trader, name in zip(traders, ("alice", "bob"), strict=True):
        trader.client.close()
        trader.check(opened.client(name, report_seq=0))
    assert any(report.kind == EventKind.TRADE for report in traders[0].log)


def test_a_client_that_was_refused_for_want_of_a_leader_goes_on_when_there_is_one(tmp_path):
    with way_in_world(tmp_path, wait_s_max=1, metrics="127.0.0.1:0") as opened:
        alice = opened.client("alice", report_seq=0)
        order = alice.answer(alice.enter("CEA24", "buy", price_fen=9700, tonnes=5))
        # A busy machine may need more than one try to let her in.
        reconnections = alice.reconnections
        opened.world.venue.process.send_signal(signal.SIGSTOP)
        sent = alice.enter("CEA24", "buy", price_fen=9701, tonnes=5)
        # What the way in has not passed on by then is refused for want of a leader.
        wait_until(lambda: opened.way_in.way_in.unanswered_count == 1)
        opened.venue_kill()
        opened.world.until(lambda: not opened.way_in.has_leader)
        kept = alice.cancel(order.order_id)
        refused = refusals(alice, {sent, kept})
        assert refused[sent] == "OUTCOME_UNKNOWN"
        # Cancels too: there is nobody who could do it.
        assert refused[kept] == "VENUE_UNAVAILABLE"
        assert alice.unacknowledged == [sent, kept]
        opened.world.until(lambda: "cea_way_in_has_leader 0.0" in metrics_of(opened))
        opened.venue_begin()
        assert alice.answer(sent, timeout_s=WAIT_S * patience()).kind == EventKind.ORDER_ACCEPTED
        assert alice.answer(kept, timeout_s=WAIT_S * patience()).kind == EventKind.ORDER_CANCELED
        assert alice.reconnections == reconnections
        resumed = "cea_way_in_resumed_total 1.0"
        opened.world.until(lambda: resumed in metrics_of(opened), WAIT_S)


def metrics_of(opened):
    """Return what the way in says to Prometheus."""
    address = opened.way_in.metrics_address
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=60) as answer:
        return answer.read().decode()


def test_a_client_of_several_addresses_goes_to_the_next(opened):
    nobody = "tcp://127.0.0.1:9"
    there = opened.way_in.endpoints["gateway"]
    alice = opened.client("alice", endpoint=[nobody, there])
    assert alice.answer(alice.enter("CEA24", "buy", price_fen=9700, tonnes=5))
    assert alice.reconnections >= 1


def test_books_of_the_public_go_on_at_another_venue(tmp_path):
    """Numbers go on; what was missed meanwhile comes by a snapshot."""
    with way_in_world(tmp_path) as opened:
        keys = CurveKeys.new()
        # Of this process, which the tests before have made large.
        settings = RelayConfig(memory_mib_max=1 << 20)
        sought = UpstreamSought(settings.whereabouts(tmp_path))
        relay = Relay(settings, keys, sought)
        thread = threading.Thread(target=relay.run)
        thread.start()
        public = MarketDataClient(
            relay.endpoints["market_data"],
            CurveKeys.new(),
            keys.public,
            snapshot_endpoint=relay.endpoints["snapshot"],
        )
        try:
            alice = opened.client("alice", report_seq=0)
            alice.answer(alice.enter("CEA24", "buy", price_fen=9700, tonnes=5))
            public.await_books(WAIT_S * patience())
            before, gaps = public.books.seq, public.missed
            opened.venue_kill()
            sent = alice.enter("CEA24", "buy", price_fen=9701, tonnes=7)
            opened.venue_begin()
            alice.answer(sent, timeout_s=WAIT_S * patience())
            opened.world.until(lambda: best_of(public) == (9701, 7), WAIT_S)
            assert public.books.seq > before
            assert public.missed == gaps
        finally:
            public.close()
            relay.stop()
            thread.join()
            relay.close()


def best_of(public):
    """Return price and tonnes of the best bid, None while it is not known."""
    public.poll(0.05)
    if not public.books.is_exact:
        return None
    bids = public.book("CEA24").bids
    return (bids[0].price, bids[0].tonnes) if bids else None


def refusals(client, ids):
    """Return by id the first code for which commands are refused, once these all are."""
    until_s, found = time.monotonic() + WAIT_S * patience(), {}
    while not ids <= found.keys():
        assert time.monotonic() < until_s, found
        client.poll(0.05)
        for said in list(client.session.messages):
            for client_order_id in said.get("client_order_ids", ()):
                found.setdefault(client_order_id, said["code"])
    return found
