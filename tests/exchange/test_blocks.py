"""Blocks over the wire: two clients negotiate, the venue is killed, the registry settles."""

import pytest

from cea_exchange.client import Client
from cea_exchange.domain.records import BlockFlag, EventKind, Method, Reason, Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from support.patience import patience

pytestmark = pytest.mark.e2e

REFERENCES = {"CEA24": 9749}
BUYER = Participant("alice", "short", {"CEA24": Side.BUY}, 5_000_000_000, {})
SELLER = Participant("bob", "surplus", {"CEA24": Side.SELL}, 1_000_000, {"CEA24": 500_000})


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with LocalExchange(tmp_path_factory.mktemp("exchange")) as exchange:
        exchange.prepare([BUYER, SELLER], REFERENCES, start="2025-01-02T08:30:00+08:00", fronts=0)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at="2025-01-02T13:00:00+08:00")
        yield exchange


def connect(exchange, name, **options):
    return Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(name),
        exchange.keys("venue").public,
        **options,
    )


def next_report(client, kind):
    """The next report of a kind."""
    for report in client.reports(timeout_s=30.0 * patience()):
        if report.kind == kind:
            return report
    raise AssertionError(f"no {kind.name} came")


def test_a_negotiation_over_the_wire_survives_a_kill_and_is_settled(exchange):
    with connect(exchange, "alice") as alice, connect(exchange, "bob") as bob:
        counterparty = alice.party(account="bob")["account_index"]
        asked = alice.answer(alice.block_enquiry("CEA24", "buy", counterparty=counterparty))
        assert asked.kind == EventKind.BLOCK_ENQUIRED
        enquiry = next_report(bob, EventKind.BLOCK_ENQUIRED)
        # The parties of a block know each other.
        assert bob.party(account_index=enquiry.account_index)["account"] == "alice"
        assert enquiry.flags & BlockFlag.PRICE_OPEN
        offered = bob.answer(
            bob.block_offer(
                "CEA24",
                "sell",
                price="110.00",
                tonnes=200_000,
                enquiry=enquiry.order_id,
            )
        )
        assert offered.kind == EventKind.BLOCK_OFFERED
        offer = next_report(alice, EventKind.BLOCK_OFFERED)
        open_blocks = alice.blocks()
        assert [(b["account"], b["block_id"]) for b in open_blocks] == [
            ("alice", enquiry.order_id),
            ("bob", offer.order_id),
        ]
        assert alice.blocks(offer.order_id) == open_blocks[1:]
        assert (offer.order_id, offer.client_order_id) == (offered.order_id, 0)
        alice.answer(alice.block_counter(offer.order_id, price="100.00", tonnes=150_000))
        exchange.kill("venue")
        exchange.start_venue()
        for client in (alice, bob):
            client.reconnect()
            client.logon(timeout_s=30.0 * patience())
        countered = next_report(bob, EventKind.BLOCK_COUNTERED)
        assert countered.flags & BlockFlag.BY_COUNTERPARTY
        trade = bob.answer(bob.block_accept(countered.order_id))
        assert (trade.kind, trade.method) == (EventKind.TRADE, Method.BLOCK)
        assert (trade.price, trade.tonnes) == (10_000, 150_000)
        assert next_report(alice, EventKind.TRADE).trade_id == trade.trade_id
        assert alice.blocks() == [block for block in open_blocks if block["account"] == "alice"]
    shown = exchange.operate("statistics")["products"]["CEA24"]
    assert (shown["block_volume"], shown["block_amount"]) == (150_000, "1500000000")
    assert (shown["volume"], shown["last"]) == (0, 0)
    exchange.operate("clock", at="2025-01-02T15:00:00+08:00")
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] == 20250102,
        "the registry confirms the day",
        30.0,
    )


def test_block_refusals_are_answers(exchange):
    with connect(exchange, "bob") as bob:
        answer = bob.answer(bob.block_accept(1 << 40))
        assert (answer.kind, answer.reason) == (EventKind.ORDER_REJECTED, Reason.BLOCK_UNKNOWN)
        assert bob.party(account="nobody")["account_index"] is None
        assert bob.party(group="none")["group_index"] is None
