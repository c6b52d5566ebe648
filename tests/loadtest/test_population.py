"""The seeded population: the same seed gives the same people, and they can pay and deliver."""

from collections import Counter

import numpy as np

from cea_exchange.client.reports import Report, reports_of
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, EventKind, Side
from cea_exchange.loadtest.population import (
    BLOCK_TONNES_GIVEN,
    WORKLOADS,
    PricePath,
    Trader,
    population,
)

REFERENCES = {"CEA23": 9749, "CEA24": 9749}


def trader(workload="trading_day", sides=None):
    paths = {0: PricePath("CEA23", 9749, seed=1)}
    return Trader("participant-0001", sides or {0: Side.BUY}, paths, WORKLOADS[workload], 1)


def rested(order_id, tonnes=100) -> Report:
    row = np.zeros(1, EVENT_DTYPE)
    row["kind"] = EventKind.ORDER_RESTED
    row["order_id"] = order_id
    row["side"] = Side.BUY
    row["price"] = 9700
    row["tonnes_open"] = tonnes
    return next(reports_of(row.tobytes()))


def test_the_same_seed_gives_the_same_population():
    assert population(50, REFERENCES, seed=7, orders_each=10) == population(
        50, REFERENCES, seed=7, orders_each=10
    )
    assert population(50, REFERENCES, seed=7, orders_each=10) != population(
        50, REFERENCES, seed=8, orders_each=10
    )


def test_there_are_buyers_sellers_and_dealers_and_each_has_what_it_needs():
    members = population(300, REFERENCES, seed=1, orders_each=100)
    kinds = Counter(member.kind for member in members)
    assert kinds["short"] > 90 and kinds["surplus"] > 90 and kinds["dealer"] > 10
    for member in members:
        sells = {name for name, side in member.sides.items() if side is Side.SELL}
        assert set(member.holdings) == sells
        assert member.cash > 0
        if len(sells) < 2:
            assert member.cash >= 100 * 200 * 9749


def test_every_intention_occurs_and_records_are_well_formed():
    buyer = trader()
    kinds = Counter()
    for client_order_id in range(1, 2001):
        name = buyer.intention()
        if name == "pick":
            buyer.pick(0, client_order_id, 20250102, order_id=1, price=9749, tonnes=10)
        elif name.startswith("block_"):
            buyer.block(name, 0, client_order_id, 20250102, counterparty=5, count=client_order_id)
        else:
            record = buyer.command(name, client_order_id, 20250102, client_order_id)
            (command,) = np.frombuffer(record, COMMAND_DTYPE)
            assert command["client_order_id"] == client_order_id
            assert command["account_index"] == command["operator_index"] == 0
            if command["kind"] == CommandKind.ENTER:
                assert 8774 <= command["price"] <= 10724
                assert 0 < command["tonnes"] < 100_000
        kinds[name] += 1
        if client_order_id % 8 == 0:
            buyer.take(rested(client_order_id), 0)
    assert set(kinds) == {
        "passive", "aggressive", "ioc", "fok", "post_only", "pick", "amend", "cancel",
        "block_offer", "block_enquiry",
    }  # fmt: skip


def block_report(kind, tonnes=100_000) -> Report:
    row = np.zeros(1, EVENT_DTYPE)
    row["kind"], row["order_id"], row["account_index"], row["tonnes"] = kind, 40, 3, tonnes
    return next(reports_of(row.tobytes()))


def answers(kind, tonnes=100_000, count=200):
    """What a seller with everything left answers, so often, and the first record of each kind."""
    found = {}
    names = Counter()
    for number in range(1, count + 1):
        seller = Trader(
            f"s{number}",
            {0: Side.SELL},
            {0: PricePath("CEA23", 9749, seed=1)},
            WORKLOADS["trading_day"],
            1,
        )
        name, record = seller.block_answer(block_report(kind, tonnes), number, 20250102, number)
        names[name] += 1
        found.setdefault(name, np.frombuffer(record, COMMAND_DTYPE)[0])
    return names, found


def test_blocks_are_answered_in_every_way_there_is():
    names, found = answers(EventKind.BLOCK_OFFERED)
    assert set(names) == {"block_accept", "block_counter", "block_reject"}
    assert names["block_accept"] > 80
    assert found["block_counter"]["tonnes"] == 100_000 and found["block_counter"]["price"] > 9000
    assert {int(each["order_id"]) for each in found.values()} == {40}
    names, _ = answers(EventKind.BLOCK_COUNTERED)
    assert set(names) == {"block_accept", "block_counter", "block_reject", "block_withdraw"}
    names, found = answers(EventKind.BLOCK_ENQUIRED)
    assert set(names) == {"block_offer"}
    offer = found["block_offer"]
    assert (offer["order_id"], offer["pick_order_id"], offer["flags"]) == (40, 3, 1)
    assert (offer["side"], offer["kind"]) == (Side.SELL, CommandKind.BLOCK_OFFER)
    assert offer["tonnes"] >= 100_000


def test_nobody_agrees_to_more_blocks_than_it_was_given_or_begins_two_a_day():
    names, _ = answers(EventKind.BLOCK_OFFERED, tonnes=BLOCK_TONNES_GIVEN + 1)
    assert set(names) == {"block_reject"}
    buyer = trader()
    begun = [buyer.begins_block(date) for date in (20250102, 20250102, 20250103)]
    assert begun == [True, False, True]
    while buyer.begins_block(20250106 + begun.count(True)):
        begun.append(True)
        buyer.block("block_offer", 0, len(begun), 20250106, counterparty=5, count=1)
        assert len(begun) < 20
    assert len(begun) > 5


def test_only_live_orders_are_cancelled():
    buyer = trader("cancel_heavy")
    assert buyer.live == {}
    buyer.take(rested(9), 0)
    record = np.frombuffer(buyer.command("cancel", 1, 20250102, 0), COMMAND_DTYPE)
    assert record["order_id"][0] == 9
    assert buyer.live == {}


def test_prices_stay_near_the_reference():
    path = PricePath("CEA23", 9749, seed=3)
    prices = [path.price(count) for count in range(0, 800_000, 200)]
    assert min(prices) >= 9749 * 96 // 100 and max(prices) <= 9749 * 104 // 100 + 1
    assert len(set(prices)) > 50
