"""Biddings over the wire: sealed bids, a venue killed between, awards that the registry settles."""

import json

import pytest
from typer.testing import CliRunner

from cea_exchange.cli.errors import CommandError
from cea_exchange.cli.main import app_build
from cea_exchange.client import Client
from cea_exchange.domain.records import EventKind, Method, Reason, Side
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import ExchangeError, LocalExchange
from cea_exchange.loadtest.population import Participant
from support.patience import patience

pytestmark = pytest.mark.e2e

REFERENCES = {"CEA24": 9749}
CASH = 2_000_000_000
PEOPLE = [
    Participant("seller", "surplus", {"CEA24": Side.SELL}, 1_000_000, {"CEA24": 300_000}),
    Participant("alice", "short", {"CEA24": Side.BUY}, CASH, {}),
    Participant("bob", "short", {"CEA24": Side.BUY}, CASH, {}),
]
TERMS = {"account": "seller", "product": "CEA24", "tonnes": 100_000, "limit": 8_774}
DAY = "2025-01-02T"


def at(time):
    return f"{DAY}{time}:00+08:00"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with LocalExchange(tmp_path_factory.mktemp("exchange")) as exchange:
        exchange.prepare(PEOPLE, REFERENCES, start=at("08:30"), has_second=True, fronts=0)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at=at("10:00"))
        yield exchange


def connect(exchange, name, **options):
    return Client.connect(
        exchange.endpoint("venue", "gateway"),
        exchange.keys(name),
        exchange.keys("venue").public,
        **options,
    )


def reports_until(client, kind):
    """All reports up to the first of a kind."""
    seen = []
    for report in client.reports(timeout_s=30.0 * patience()):
        seen.append(report)
        if report.kind == kind:
            return seen
    raise AssertionError(f"no {kind.name} came")


def test_a_sealed_bidding_survives_a_kill_and_is_settled(exchange):
    window = {"opens_at": at("10:30"), "closes_at": at("11:00")}
    exchange.operate_by_two("bidding_open", bidding="B1", pricing="uniform", **TERMS, **window)
    with (
        connect(exchange, "seller", report_seq=0) as seller,
        connect(exchange, "alice") as alice,
        connect(exchange, "bob") as bob,
    ):
        (shown,) = bob.biddings()
        assert (shown["bidding"], shown["state"]) == ("B1", "announced")
        assert (shown["floor"], shown["ceiling"], shown["tonnes"]) == (8_774, 10_724, 100_000)
        assert shown["opens_at"] == at("10:30") and "seller" not in str(shown)
        assert reports_until(seller, EventKind.BIDDING_OPENED)[-1].tonnes == 100_000
        early = alice.answer(alice.bid(shown["bidding_id"], price="95.00", tonnes=1))
        assert (early.kind, early.reason) == (EventKind.ORDER_REJECTED, Reason.BIDDING_NOT_OPEN)
        exchange.operate("clock", at=at("10:30"))
        first = alice.answer(alice.bid(shown["bidding_id"], price="95.00", tonnes=60_000))
        assert (first.kind, first.counter_order_id) == (EventKind.BID_ACCEPTED, shown["bidding_id"])
        taken_back = alice.answer(alice.bid_cancel(first.order_id))
        assert (taken_back.kind, taken_back.reason) == (EventKind.BID_CANCELED, Reason.REQUESTED)
        again = alice.answer(alice.bid(shown["bidding_id"], price="96.00", tonnes=60_000))
        bob.answer(bob.bid(shown["bidding_id"], price="94.00", tonnes=60_000))
        foreign = bob.answer(bob.bid_cancel(again.order_id))
        assert foreign.reason == Reason.ORDER_UNKNOWN
        # Nobody else learns of a bid, nor of how many there are.
        sealed = bob.biddings()
        assert sealed == seller.biddings() == exchange.operate("biddings")["biddings"]
        assert sealed == [shown | {"state": "open"}]
        assert not [r for r in seller.poll(0.3) if r.kind == EventKind.BID_ACCEPTED]
        exchange.kill("venue")
        exchange.start_venue()
        for client in (seller, alice, bob):
            client.reconnect()
            client.logon(timeout_s=30.0 * patience())
        assert bob.biddings() == sealed
        exchange.operate("clock", at=at("11:00"))
        won = reports_until(alice, EventKind.TRADE)[-1]
        assert (won.method, won.price, won.tonnes) == (Method.BIDDING, 9_400, 60_000)
        assert (won.order_id, won.is_maker(alice.session.account_index)) == (again.order_id, False)
        assert reports_until(bob, EventKind.TRADE)[-1].tonnes == 40_000
        ended = reports_until(seller, EventKind.BIDDING_CLOSED)
        sales = [r for r in ended if r.kind == EventKind.TRADE]
        assert [(r.price, r.tonnes) for r in sales] == [(9_400, 60_000), (9_400, 40_000)]
        assert all(r.is_maker(seller.session.account_index) for r in sales)
        assert (ended[-1].tonnes, ended[-1].counter_order_id) == (100_000, 2)
        (result,) = bob.biddings()
        assert (result["state"], result["clearing_price"]) == ("ended", 9_400)
        assert result["tonnes_awarded"] == 100_000
    with connect(exchange, "alice", report_seq=0) as copy:
        kinds = [report.kind for report in reports_until(copy, EventKind.TRADE)]
        assert kinds[-4:] == [
            EventKind.BID_ACCEPTED,
            EventKind.BID_CANCELED,
            EventKind.BID_ACCEPTED,
            EventKind.TRADE,
        ]
    shown = exchange.operate("statistics")["products"]["CEA24"]
    assert (shown["bidding_volume"], shown["bidding_amount"]) == (100_000, "940000000")
    assert (shown["volume"], shown["last"]) == (0, 0)


def venue(exchange, *arguments):
    """What `cea-exchange venue bidding` answers, as JSON."""
    command = ["venue", "bidding", *arguments, "--data", str(exchange.data), "--json"]
    result = CliRunner().invoke(app_build(command), command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_an_application_is_filed_reviewed_and_published(exchange):
    """CEA-BID-10: ten working days ahead, by the command line; all see it once another approves."""
    terms = ["seller", "CEA24", "100000"]
    window = ["--opens-at", "10:30", "--closes-at", "11:00", "--limit", "band_end"]
    with pytest.raises(CommandError, match="10 working days"):
        venue(exchange, "apply", "F1", *terms, "2025-01-15", *window)
    venue(exchange, "apply", "F1", *terms, "2025-01-16", *window)
    (filed,) = venue(exchange, "applications")["applications"]
    assert (filed["account"], filed["status"], filed["by"]) == ("seller", "applied", "admin")
    assert (filed["applied_on"], filed["review_until"]) == (20250102, 20250107)
    with connect(exchange, "alice") as alice:
        assert alice.bidding_notices() == []
        with pytest.raises(CommandError, match="another person than admin, who filed it"):
            venue(exchange, "review", "F1", "--approve")
        assert alice.bidding_notices() == []
        venue(exchange, "review", "F1", "--approve", "--key", "second")
        (notice,) = alice.bidding_notices()
        assert (notice["bidding"], notice["date"]) == ("F1", 20250116)
        assert "seller" not in str(notice)
    venue(exchange, "withdraw", "F1", "--why", "on request")
    (filed,) = venue(exchange, "applications")["applications"]
    assert (filed["status"], filed["why"]) == ("lapsed", "on request")
    assert [shown["bidding"] for shown in venue(exchange, "list")["biddings"]] == ["B1"]


def test_operators_refusals_and_cancels(exchange):
    """What the market would refuse is told; a cancelled bidding gives its bids back."""
    for changes, expected in (
        ({"tonnes": 99_999}, "BIDDING_TONNES_TOO_SMALL"),
        ({"limit": 8_775}, "BIDDING_FLOOR_NOT_ALLOWED"),
        ({"tonnes": 300_001}, "ALLOWANCES_INSUFFICIENT"),
        ({"closes_at": at("15:01")}, "BIDDING_NOT_OPEN"),
        ({"account": "nobody"}, "nobody"),
        ({"bidding": "B1"}, "new today"),
        ({"opens_at": "10:30"}, "ISO 8601"),
    ):
        with pytest.raises(ExchangeError, match=expected):
            exchange.operate_by_two(
                "bidding_open", **({"bidding": "B2", "pricing": "uniform", **TERMS} | changes)
            )
    exchange.operate_by_two("bidding_open", bidding="B2", pricing="pay_as_bid", **TERMS)
    with pytest.raises(ExchangeError, match="not ended|open bidding"):
        exchange.operate("bidding_close", bidding="B1")
    with connect(exchange, "alice") as alice:
        bidding_id = alice.biddings()[-1]["bidding_id"]
        bid = alice.answer(alice.bid(bidding_id, price="90.00", tonnes=10))
        exchange.operate("bidding_cancel", bidding="B2", why="seller in default")
        ended = reports_until(alice, EventKind.BID_CANCELED)[-1]
        assert (ended.order_id, ended.reason) == (bid.order_id, Reason.REQUESTED)
        assert ended.answers() == 0
        assert alice.biddings()[-1]["state"] == "ended"
    position = exchange.operate("position", account="alice")
    assert position["cash_locked"] == 0


def test_the_day_closes_and_the_registry_confirms_it(exchange):
    """The last bidding has no end of its own: the close awards it, and all is settled."""
    exchange.operate_by_two("bidding_open", bidding="B3", pricing="pay_as_bid", **TERMS)
    with connect(exchange, "bob") as bob:
        bidding_id = bob.biddings()[-1]["bidding_id"]
        bob.answer(bob.bid(bidding_id, price="97.49", tonnes=5))
        exchange.operate("clock", at=at("15:00"))
        assert reports_until(bob, EventKind.TRADE)[-1].tonnes == 5
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] == 20250102,
        "the registry confirms the day",
        30.0,
    )
