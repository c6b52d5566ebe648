"""All six vintages through a venue, a restart in the middle of the day, and its bulletin."""

import pytest

from cea_exchange.client import Client
from cea_exchange.domain.documents.bulletin import ByMethod, Traded
from cea_exchange.domain.records import EventKind, Reason
from cea_exchange.matching.bulletins import MarketBulletins
from cea_exchange.matching.market import Market
from cea_exchange.matching.script import script_events
from cea_exchange.matching.statements import MarketStatements
from cea_exchange.protocol import control
from cea_exchange.protocol.clock import ClockSetting
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from cea_exchange.venue.publication.bulletins import bulletin_read
from support.market.market_scripts import SCRIPTS
from support.venue.venue_world import ACCOUNTS, World

pytestmark = pytest.mark.e2e

VINTAGES = {
    "CEA19-20": 7_800,
    "CEA21": 8_005,
    "CEA22": 8_520,
    "CEA23": 9_749,
    "CEA24": 7_283,
    "CEA25": 6_000,
}
DAY, NEXT_DAY = "2025-12-30", "2025-12-31"
BLOCK_TONNES = 150_000
BIDDING = {"product": "CEA24", "tonnes": 120_000, "pricing": "uniform"}


class Vintages(World):
    """A world of six products; alice has all the allowances, bob the cash."""

    def feed(self):
        """What the registry says first."""
        commands = [
            control.ProductDeclared(product=product, reference_price=price)
            for product, price in VINTAGES.items()
        ]
        for account in ACCOUNTS:
            commands.append(control.AccountDeclared(account=account))
            commands.append(control.KeyGranted(key=self.keys[account].public, account=account))
            commands.append(control.TransferIn(account=account, amount=10**13))
        for product in VINTAGES:
            commands.append(control.TransferIn(account="alice", product=product, amount=10**6))
        return commands

    def clock(self, at):
        self.admin(op="clock", at=f"{at}:00+08:00")

    def connected(self, name):
        keys, venue = self.keys[name], self.keys["venue"].public
        return Client.connect(self.venue.endpoints["gateway"], keys, venue)


@pytest.fixture
def world(tmp_path):
    clock = ClockSetting(kind="manual", start=f"{DAY}T08:00:00+08:00")
    CurveKeys.new().save(tmp_path / "keys", "bo")
    operators = tuple(
        OperatorSetting(name=name, key=f"keys/{name}.public") for name in ("admin", "bo")
    )
    opened = Vintages(tmp_path, clock=clock, operators=operators, wait_for_confirmation=False)
    opened.start()
    opened.ready()
    try:
        yield opened
    finally:
        opened.close()


def announced(world, **terms):
    number = world.admin(op="bidding_open", **terms, **BIDDING)["proposal"]
    admin_ask(world.data, {"op": "approve", "number": number}, key="bo")


def reasons(client, ids):
    return [Reason(client.answer(each).reason) for each in ids]


def sell_one_of_each(client, prices):
    return [client.enter(p, "sell", price_fen=price, tonnes=1) for p, price in prices.items()]


def test_six_vintages_trade_apart_and_are_bought_today_over_a_restart(world):
    """CEA-PRD-02, CEA-FND-04: own bands, books, closes, statistics; T+1 by every method."""
    world.clock(f"{DAY}T09:30")
    highs = {product: (price * 11 + 5) // 10 for product, price in VINTAGES.items()}
    with world.connected("alice") as alice, world.connected("bob") as bob:
        beyond = [
            alice.enter(p, "sell", price_fen=high + 1, tonnes=10) for p, high in highs.items()
        ]
        assert reasons(alice, beyond) == [Reason.PRICE_OUT_OF_BAND] * 6
        at_edge = [alice.enter(p, "sell", price_fen=high, tonnes=10) for p, high in highs.items()]
        assert reasons(alice, at_edge) == [Reason.NONE] * 6
        bought = [bob.enter(p, "buy", price_fen=high, tonnes=7) for p, high in highs.items()]
        assert reasons(bob, bought) == [Reason.NONE] * 6
        world.clock(f"{DAY}T13:00")
        to_bob = bob.session.account_index
        offer = {"price_fen": 8_000, "tonnes": BLOCK_TONNES, "counterparty": to_bob}
        block_id = alice.answer(alice.block_offer("CEA21", "sell", **offer)).order_id
        assert bob.answer(bob.block_accept(block_id)).kind == EventKind.TRADE
        announced(world, bidding="B1", account="alice", limit=7_283)
        (shown,) = bob.biddings()
        bid = bob.answer(bob.bid(shown["bidding_id"], price_fen=7_500, tonnes=BIDDING["tonnes"]))
        assert bid.kind == EventKind.BID_ACCEPTED
        world.admin(op="bidding_close", bidding="B1")
    world.stop()
    world.start()
    world.ready()
    with world.connected("bob") as bob:
        refused = sell_one_of_each(bob, VINTAGES)
        assert reasons(bob, refused) == [Reason.ALLOWANCES_BOUGHT_TODAY] * 6
        own_block = bob.block_offer("CEA21", "sell", price_fen=8_000, tonnes=100_000)
        assert reasons(bob, [own_block]) == [Reason.ALLOWANCES_BOUGHT_TODAY]
        with pytest.raises(AdminError, match="ALLOWANCES_BOUGHT_TODAY"):
            announced(world, bidding="B2", account="bob", limit=7_283)
        so_far = bob.statement()
        by_method = {"CEA21": BLOCK_TONNES, "CEA24": BIDDING["tonnes"]}
        assert {
            product: (held.tonnes, held.bought_today, held.available)
            for product, held in so_far.closing.holdings.items()
        } == {p: (7 + by_method.get(p, 0),) * 2 + (0,) for p in VINTAGES}
        assert {each.method for each in so_far.movements} == {None, "listed", "block", "bidding"}
    world.clock(f"{DAY}T15:00")
    bulletin = _bulletin_check(world, highs)
    world.clock(f"{NEXT_DAY}T13:00")
    with world.connected("bob") as bob:
        # Each band is measured from its own close, and what was bought yesterday may be sold.
        next_highs = {q.code: (q.close * 11 + 5) // 10 for q in bulletin.products}
        sold = sell_one_of_each(bob, next_highs)
        assert reasons(bob, sold) == [Reason.NONE] * 6
        again = {"price_fen": 8_000, "tonnes": BLOCK_TONNES}
        assert reasons(bob, [bob.block_offer("CEA21", "sell", **again)]) == [Reason.NONE]
        beyond = sell_one_of_each(bob, {p: high + 1 for p, high in next_highs.items()})
        assert reasons(bob, beyond) == [Reason.PRICE_OUT_OF_BAND] * 6


def _bulletin_check(world, highs):
    path = world.data / "bulletins" / f"{DAY}.json"
    world.until(path.exists, timeout_s=30.0)
    bulletin = bulletin_read(path)
    assert [quote.code for quote in bulletin.products] == list(VINTAGES)
    for quote in bulletin.products:
        high = highs[quote.code]
        assert (quote.open, quote.high, quote.low, quote.close) == (high,) * 4
        assert quote.last_close == VINTAGES[quote.code]
        nothing, bid_tonnes = Traded(), BIDDING["tonnes"]
        block = Traded(BLOCK_TONNES, BLOCK_TONNES * 8_000) if quote.code == "CEA21" else nothing
        bidding = Traded(bid_tonnes, bid_tonnes * 7_500) if quote.code == "CEA24" else nothing
        assert quote.day == ByMethod(Traded(7, 7 * high), block, bidding)
    composite = bulletin.composite
    assert composite.day.total.volume == 6 * 7 + BLOCK_TONNES + BIDDING["tonnes"]
    assert composite.close == (2 * sum(highs.values()) + 6) // 12 == composite.high
    # The first trade moved one of six.
    first = sum(VINTAGES.values()) + highs["CEA19-20"] - VINTAGES["CEA19-20"]
    assert composite.low == (2 * first + 6) // 12
    return bulletin


def test_six_vintages_in_a_script():
    """The golden script's days: six closes, and statements that hold."""
    market = Market("cea")
    bulletins, statements, stated = MarketBulletins(market), MarketStatements(market), []
    published = []
    with (SCRIPTS / "vintages.jsonl").open("rb") as lines:
        for events in script_events(lines, market, "vintages.jsonl"):
            published += bulletins.take(events)
            stated += statements.take(events)
    first = published[0]
    assert {quote.code: quote.close for quote in first.products} == {
        "CEA19-20": 8_580, "CEA21": 8_806, "CEA22": 7_668,
        "CEA23": 10_724, "CEA24": 6_555, "CEA25": 6_600,
    }  # fmt: skip
    assert first.quote("CEA24").day.bidding == Traded(120_000, 120_000 * 7_000)
    assert first.quote("CEA21").day.block == Traded(150_000, 150_000 * 6_000)
    of_taker = {each.trading_date: each for each in stated if each.account == "taker"}
    bought = of_taker[20251230].closing.holdings
    assert all(held.bought_today == held.tonnes > 0 for held in bought.values())
    assert len(bought) == 6
    assert published[-1].trading_date == 20260105
    last = published[-1]
    assert last.composite.close == last.quote("CEA25").close
