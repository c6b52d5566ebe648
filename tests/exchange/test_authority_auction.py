"""An auction of allowances by the authority, from the registry's issue to the registry's accounts.

The rules are the EU's where a profile may choose: lots, cancellation of what is short; and a cap
and a share for bids without a price besides.
"""

from importlib import resources

import pytest

from cea_exchange.client import Client
from cea_exchange.domain.records import EventKind, Reason, Side
from cea_exchange.ledger.double_entry import CASH_ASSET, Compartment, Holding
from cea_exchange.loadtest.load_run import await_transfers
from cea_exchange.loadtest.local_exchange import LocalExchange
from cea_exchange.loadtest.population import Participant
from cea_exchange.registry.store import RegistryStore

pytestmark = pytest.mark.e2e

CASH = 4_000_000_000
BIDDERS = ("alice", "bob", "carol")
PEOPLE = [Participant("authority", "surplus", {"CEA24": Side.SELL}, 100, {"CEA24": 400_000})]
PEOPLE += [Participant(name, "short", {"CEA24": Side.BUY}, CASH, {}) for name in BIDDERS]
SETTINGS = {
    "bidding_tie": '"random"',
    "bidding_undersubscription": '"cancel"',
    "bidder_cap_bp": "5000",
    "noncompetitive_max_bp": "500",
}
TERMS = {"account": "authority", "product": "CEA24", "tonnes": 200_000, "limit": 8_774}
DAY = "2025-01-02T"


def at(time):
    return f"{DAY}{time}:00+08:00"


def profile_write(path):
    """The profile `cea` with the settings of these auctions."""
    packaged = resources.files("cea_exchange.domain").joinpath("profiles", "cea.toml")
    text, changed = "", set()
    for line in packaged.read_text(encoding="utf-8").splitlines():
        name = line.partition(" = ")[0]
        if name in SETTINGS:
            changed.add(name)
            line = f"{name} = {{value = {SETTINGS[name]}, rule = {line.partition('rule = ')[2]}"
        text += line + "\n"
    assert changed == set(SETTINGS)
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def exchange(tmp_path):
    with LocalExchange(tmp_path / "data") as exchange:
        profile = profile_write(tmp_path / "auctions.toml")
        settings = {"profile": profile, "has_second": True, "fronts": 0}
        exchange.prepare(PEOPLE, {"CEA24": 9749}, start=at("08:30"), **settings)
        exchange.start()
        await_transfers(exchange)
        exchange.operate("clock", at=at("10:00"))
        yield exchange


def connect(exchange, name):
    venue_key = exchange.keys("venue").public
    return Client.connect(exchange.endpoint("venue", "gateway"), exchange.keys(name), venue_key)


def bid(exchange, name, bidding_id, **terms):
    with connect(exchange, name) as client:
        answer = client.answer(client.bid(bidding_id, **terms))
        assert answer.kind == EventKind.BID_ACCEPTED, answer
        return answer.order_id


def holdings(exchange):
    """Cash and tonnes of each account, as the registry has them after its daemon has ended."""
    exchange.stop("registry")
    with RegistryStore.open_reader(exchange.data) as store:
        return {
            person.name: tuple(
                store.balance(
                    Holding(store.account_index(person.name), asset, Compartment.TRADING)
                )
                for asset in (CASH_ASSET, store.product_index("CEA24"))
            )
            for person in PEOPLE
        }


def test_the_authoritys_allowances_are_auctioned_and_settled(exchange):
    """CEA-AWD-04, CEA-AWD-06 to CEA-AWD-08: one auction is short, the next one is awarded."""
    exchange.operate_by_two("bidding_open", bidding="A1", pricing="uniform", **TERMS)
    with connect(exchange, "alice") as alice:
        (first,) = alice.biddings()
        # Half of it is the most that counts of one bidder: 100,000 t of 200,000.
        sent = alice.bid(first["bidding_id"], price="97.00", tonnes=250_000)
        assert alice.answer(sent).kind == EventKind.BID_ACCEPTED
        exchange.operate("bidding_close", bidding="A1")
        ended = next(r for r in alice.reports(timeout_s=20.0) if r.kind == EventKind.BID_CANCELED)
        assert ended.reason == Reason.BIDS_SHORT
        assert alice.biddings()[0]["tonnes_awarded"] == 0

    terms = {"pricing": "uniform", "reserve_price": 9_000, **TERMS}
    exchange.operate_by_two("bidding_open", bidding="A2", **terms)
    with connect(exchange, "carol") as carol:
        second = carol.biddings()[1]["bidding_id"]
    bid(exchange, "alice", second, price="97.00", tonnes=150_000)
    bid(exchange, "carol", second, tonnes=30_000)
    bid(exchange, "bob", second, price="89.99", tonnes=200_000)
    bid(exchange, "bob", second, price="92.50", tonnes=100_000)
    exchange.operate("bidding_close", bidding="A2")
    exchange.operate("clock", at=at("15:00"))
    exchange.wait_until(
        lambda: exchange.operate("status")["confirmed_date"] == 20250102,
        "the registry confirms the day",
        30.0,
    )
    # carol wins 5% without a price, alice half of it, bob what is left, of his better bid; what is
    # under the reserve price of 90.00 wins nothing.
    won = {"carol": 10_000, "alice": 100_000, "bob": 90_000}
    found = holdings(exchange)
    assert found == {name: (CASH - 9_250 * tonnes, tonnes) for name, tonnes in won.items()} | {
        "authority": (100 + 9_250 * 200_000, 200_000)
    }
