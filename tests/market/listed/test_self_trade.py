"""What happens where an order meets one of its own account, word for word of the profile.

Rules: CEA-LST-07, CEA-LST-10.
"""

import numpy as np
import pytest

from cea_exchange._book import OrderBook
from cea_exchange.domain.profile import ProfileError
from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.market import Market
from cea_exchange.matching.script import script_events
from support.market.market_scripts import CORES, OPENING, amend, buy, cea_with, script_bytes, sell

pytestmark = pytest.mark.core

POLICIES = ("reject", "allow", "cancel_resting", "cancel_incoming", "cancel_both")
CANCELLING = POLICIES[2:]

ALICE_SELLS = {"cmd": "deposit", "account": "alice", "product": "CEA23", "tonnes": 1000}

TWO_LEVELS = [
    sell("b1", "100.00", 5),
    sell("a1", "100.00", 3, account="alice"),
    sell("b2", "100.00", 4),
    sell("a2", "101.00", 2, account="alice"),
    sell("b3", "101.00", 6),
]
"""alice's asks between bob's, at both levels."""

both_cores = pytest.mark.parametrize("core", CORES)
all_policies = pytest.mark.parametrize("policy", POLICIES)


def profile_with(policy, **values):
    return cea_with(self_trade=f'"{policy}"', **values)


def shown(core, lines, policy, **values):
    """What the lines give after the opening, a few words an event; and the market."""
    market = Market(profile_with(policy, **values), core=core)
    script = script_bytes([*OPENING, ALICE_SELLS, *lines])
    parts = list(script_events(script, market, "script"))
    market.check()
    events = [event for part in parts[len(OPENING) + 1 :] for event in part]
    return [words(event) for event in events], market


def words(event):
    if event.event == "trade":
        return f"trade {event.sell_id} {event.tonnes} @ {event.price}"
    if event.event == "order_rejected":
        return f"rejected {event.id} {event.reason}"
    reason = f" {event.reason}" if event.event == "order_canceled" else ""
    return f"{event.event.removeprefix('order_')} {event.id} {event.tonnes}{reason}"


def asks(market):
    return [(price, tonnes) for price, tonnes, _ in market.core.depth(0, Side.SELL, 9)]


# -- The five words --------------------------------------------------------------------------------

TWELVE = {
    "reject": (["rejected a9 SELF_TRADE"], [(10_000, 12), (10_100, 8)]),
    "allow": (
        [
            "accepted a9 12",
            "trade b1 5 @ 100.00",
            "trade a1 3 @ 100.00",
            "trade b2 4 @ 100.00",
        ],
        [(10_100, 8)],
    ),
    "cancel_resting": (
        [
            "accepted a9 12",
            "trade b1 5 @ 100.00",
            "canceled a1 3 SELF_TRADE_PREVENTED",
            "trade b2 4 @ 100.00",
            "canceled a2 2 SELF_TRADE_PREVENTED",
            "trade b3 3 @ 101.00",
        ],
        [(10_100, 3)],
    ),
    "cancel_incoming": (
        [
            "accepted a9 12",
            "trade b1 5 @ 100.00",
            "canceled a9 7 SELF_TRADE_PREVENTED",
        ],
        [(10_000, 7), (10_100, 8)],
    ),
    "cancel_both": (
        [
            "accepted a9 12",
            "trade b1 5 @ 100.00",
            "canceled a1 3 SELF_TRADE_PREVENTED",
            "canceled a9 7 SELF_TRADE_PREVENTED",
        ],
        [(10_000, 4), (10_100, 8)],
    ),
}
"""A buy of 12 t at 101.00 by alice: what it gives, and the asks after it."""


@both_cores
@all_policies
def test_each_policy_where_own_orders_lie_between_others(core, policy):
    """CEA-LST-07, CEA-LST-10."""
    events, market = shown(core, [*TWO_LEVELS, buy("a9", "101.00", 12)], policy)
    assert (events[2 * len(TWO_LEVELS) :], asks(market)) == TWELVE[policy]


@both_cores
@all_policies
def test_own_orders_out_of_reach_are_no_matter(core, policy):
    """Used up before, priced beyond, or behind the levels it may take: nothing is prevented."""
    used_up, _ = shown(core, [*TWO_LEVELS, buy("a9", "101.00", 5)], policy)
    assert used_up[-2:] == ["accepted a9 5", "trade b1 5 @ 100.00"]
    beyond = [sell("b1", "100.00", 5), sell("a1", "100.01", 3, account="alice")]
    events, _ = shown(core, [*beyond, buy("a9", "100.00", 6)], policy)
    assert events[-3:] == ["accepted a9 6", "trade b1 5 @ 100.00", "rested a9 1"]
    events, market = shown(core, [*beyond, buy("a9", "100.01", 6)], policy, levels_max=1)
    assert events[-2:] == ["trade b1 5 @ 100.00", "canceled a9 1 LEVELS_EXHAUSTED"]
    assert asks(market) == [(10_001, 3)]


@both_cores
def test_only_the_five_words_are_a_policy(core):
    with pytest.raises(ProfileError, match="self_trade"):
        profile_with("cancel")
    with pytest.raises(ProfileError, match="self_trade"):
        profile_with("Reject")
    for policy in POLICIES:
        assert Market(profile_with(policy), core=core).profile.rules.self_trade == policy


# -- With the other rules --------------------------------------------------------------------------


@both_cores
def test_a_level_of_cancelled_orders_counts_as_a_level(core):
    """CEA-LST-05, CEA-LST-10: of two levels one was alice's own."""
    resting = [
        sell("a1", "100.00", 3, account="alice"),
        sell("b1", "101.00", 1),
        sell("b2", "102.00", 1),
    ]
    events, _ = shown(core, [*resting, buy("a9", "102.00", 9)], "cancel_resting", levels_max=2)
    assert events[6:] == [
        "accepted a9 9",
        "canceled a1 3 SELF_TRADE_PREVENTED",
        "trade b1 1 @ 101.00",
        "canceled a9 8 LEVELS_EXHAUSTED",
    ]


@both_cores
@pytest.mark.parametrize("policy", ["cancel_incoming", "cancel_both"])
def test_what_ends_the_walk_first_is_the_reason(core, policy):
    """The own order lies at the last level it may take; IOC is no reason any more either."""
    resting = [
        sell("b1", "100.00", 1),
        sell("a1", "100.00", 1, account="alice"),
        sell("b2", "101.00", 1),
    ]
    for more in ({}, {"tif": "ioc"}):
        events, _ = shown(core, [*resting, buy("a9", "101.00", 4, **more)], policy, levels_max=1)
        assert events[-1] == "canceled a9 3 SELF_TRADE_PREVENTED"


@both_cores
def test_ioc_cancels_what_is_left_after_own_orders(core):
    resting = [sell("a1", "100.00", 3, account="alice"), sell("b1", "100.00", 1)]
    events, _ = shown(core, [*resting, buy("a9", "100.00", 4, tif="ioc")], "cancel_resting")
    assert events[5:] == [
        "canceled a1 3 SELF_TRADE_PREVENTED",
        "trade b1 1 @ 100.00",
        "canceled a9 3 IOC",
    ]


FOK_MOST = {"cancel_resting": 15, "cancel_incoming": 5, "cancel_both": 5}
"""Of `TWO_LEVELS`, what alice can buy of others before the walk ends."""


@both_cores
@pytest.mark.parametrize("policy", CANCELLING)
def test_fok_counts_what_trades_with_others(core, policy):
    """CEA-ORD-09, CEA-LST-10: one tonne more is refused, and then nothing is cancelled."""
    most = FOK_MOST[policy]
    more = buy("a8", "101.00", most + 1, tif="fok")
    whole = buy("a9", "101.00", most, tif="fok")
    events, _ = shown(core, [*TWO_LEVELS, more, whole], policy)
    assert events[10:12] == ["rejected a8 FOK_NOT_FILLABLE", f"accepted a9 {most}"]
    trades = [event.split()[1:3] for event in events[12:] if event.startswith("trade")]
    assert sum(int(tonnes) for _, tonnes in trades) == most
    canceled = [event for event in events[12:] if event.startswith("canceled")]
    expected = ["canceled a1 3", "canceled a2 2"] if policy == "cancel_resting" else []
    assert canceled == [f"{one} SELF_TRADE_PREVENTED" for one in expected]
    assert not any("canceled a9" in event for event in events)


@both_cores
@all_policies
def test_post_only_does_not_meet_its_own_either(core, policy):
    """CEA-ORD-09, CEA-ORD-10: of two reasons the first in the order of `Reason`."""
    resting = sell("a1", "100.00", 3, account="alice")
    events, market = shown(core, [resting, buy("a9", "100.00", 1, post_only=True)], policy)
    reason = "SELF_TRADE" if policy == "reject" else "POST_ONLY_WOULD_TRADE"
    assert events[-1] == f"rejected a9 {reason}"
    assert asks(market) == [(10_000, 3)]


@both_cores
@all_policies
def test_a_pick_of_ones_own_is_not_available(core, policy):
    """CEA-LST-06."""
    events, market = shown(core, [*TWO_LEVELS, buy("a9", "100.00", 1, pick="a1")], policy)
    assert events[-1] == "rejected a9 PICK_NOT_AVAILABLE"
    assert asks(market) == [(10_000, 12), (10_100, 8)]
    events, _ = shown(core, [*TWO_LEVELS, buy("a9", "100.00", 7, pick="b2")], policy)
    assert events[-2:] == ["trade b2 4 @ 100.00", "canceled a9 3 PICK_REMAINDER"]


AMENDED = {
    "reject": ["rejected a9 SELF_TRADE"],
    "allow": ["amended a9 5", "trade a1 3 @ 100.00", "trade b1 2 @ 100.00"],
    "cancel_resting": [
        "amended a9 5",
        "canceled a1 3 SELF_TRADE_PREVENTED",
        "trade b1 4 @ 100.00",
        "rested a9 1",
    ],
    "cancel_incoming": ["amended a9 5", "canceled a9 5 SELF_TRADE_PREVENTED"],
    "cancel_both": [
        "amended a9 5",
        "canceled a1 3 SELF_TRADE_PREVENTED",
        "canceled a9 5 SELF_TRADE_PREVENTED",
    ],
}


@both_cores
@all_policies
def test_an_amended_order_meets_its_own_like_a_new_one(core, policy):
    """CEA-ORD-07, CEA-LST-10."""
    resting = [
        buy("a9", "99.00", 8),
        sell("a1", "100.00", 3, account="alice"),
        sell("b1", "100.00", 4),
    ]
    events, market = shown(core, [*resting, amend("a9", "alice", "100.00", 5)], policy)
    assert events[6:] == AMENDED[policy]
    bids = market.core.depth(0, Side.BUY, 9)
    assert bids == {"reject": [(9_900, 8, 1)], "cancel_resting": [(10_000, 1, 1)]}.get(policy, [])


@both_cores
@all_policies
def test_room_is_counted_after_own_orders_left(core, policy):
    """CEA-ORD-05: two orders live, room for two; one would come and one goes."""
    resting = [sell("a1", "100.00", 1, account="alice"), sell("b1", "102.00", 1)]
    events, market = shown(core, [*resting, buy("a9", "100.00", 5)], policy, order_count_max=2)
    live = {"reject": 2, "allow": 2, "cancel_resting": 2, "cancel_incoming": 2, "cancel_both": 1}
    assert market.core.live_order_count == live[policy]
    assert not any("CAPACITY" in event for event in events)
    full, _ = shown(core, [*resting, buy("a9", "99.00", 5)], policy, order_count_max=2)
    assert full[-1] == "rejected a9 CAPACITY"


@both_cores
@pytest.mark.parametrize("policy", CANCELLING)
def test_locks_of_cancelled_orders_return(core, policy):
    """CEA-FND-01: tonnes of the resting sale, cash of the incoming buy."""
    whole = [
        sell("a1", "100.00", 1_000, account="alice"),
        buy("a9", "100.00", 10_000),
    ]
    _, market = shown(core, whole, policy)
    account = market.core.account(0)
    assert account["holdings"] == {0: (1_000, 1_000 if policy == "cancel_incoming" else 0, 0)}
    assert account["cash"] == 100_000_000
    assert account["cash_locked"] == (100_000_000 if policy == "cancel_resting" else 0)


# -- The rows --------------------------------------------------------------------------------------


def enter_row(account_index, side, price, tonnes, client_order_id, operator_index=0):
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"], command["side"] = CommandKind.ENTER, side
    command["account_index"], command["operator_index"] = account_index, operator_index
    command["client_order_id"] = client_order_id
    command["price"], command["tonnes"] = price, tonnes
    return command


def market_of_own_ask(core):
    """alice's ask of 3 t, entered as 7 by operator 1 and amended from 4 t as 8, before bob's."""
    market = core(profile_with("cancel_both").rules, 16)
    market.product_declare(1, 10_000)
    for key in (1, 2):
        market.account_declare(key)
        market.deposit(key - 1, PRODUCT_NONE, 100_000_000)
        market.deposit(key - 1, 0, 1_000)
    market.day_open(20250716)
    market.phase_set(2)
    change = np.zeros(1, COMMAND_DTYPE)
    change["kind"], change["order_id"] = CommandKind.AMEND, 1
    change["operator_index"], change["client_order_id"] = 1, 8
    change["price"], change["tonnes"] = 10_000, 3
    commands = [
        enter_row(0, Side.SELL, 10_000, 4, 7, operator_index=1),
        change,
        enter_row(1, Side.SELL, 9_999, 5, 1),
    ]
    market.process(np.concatenate(commands), np.zeros(9, EVENT_DTYPE))
    return market


@both_cores
def test_the_cancel_of_a_resting_order_is_told_as_its_own(core):
    """With the id that entered it, and the operator whose command did it."""
    market = market_of_own_ask(core)
    events = np.zeros(9, EVENT_DTYPE)
    assert market.process(enter_row(0, Side.BUY, 10_000, 9, 5, 3), events) == (1, 4)
    columns = (
        "kind side reason order_id client_order_id operator_index price tonnes tonnes_open "
        "report_seq"
    ).split()
    rows = [tuple(int(row[name]) for name in columns) for row in events[1:4]]
    prevented = int(Reason.SELF_TRADE_PREVENTED)
    canceled = int(EventKind.ORDER_CANCELED)
    assert rows == [
        (EventKind.TRADE, Side.BUY, 0, 3, 5, 3, 9_999, 5, 4, 7),
        (canceled, Side.SELL, prevented, 1, 7, 3, 10_000, 3, 0, 8),
        (canceled, Side.BUY, prevented, 3, 5, 3, 10_000, 4, 0, 9),
    ]
    market.check()


@both_cores
def test_a_short_buffer_or_trades_only_make_no_difference(core):
    market = market_of_own_ask(core)
    command = enter_row(0, Side.BUY, 10_000, 9, 5)
    before = market.state_hash()
    for rows in range(4):
        assert market.process(command, np.zeros(rows, EVENT_DTYPE)) == (0, 0)
        assert market.rows_needed == 4
        assert market.state_hash() == before
    other = market.copy()
    trades = np.zeros(1, EVENT_DTYPE)
    assert market.process(command, trades, True) == (1, 1)
    events = np.zeros(4, EVENT_DTYPE)
    assert other.process(command, events) == (1, 4)
    assert events[1] == trades[0]
    assert market.state_hash() == other.state_hash()


# -- The bare book ---------------------------------------------------------------------------------


def book_of_two_levels(policy, **settings):
    """The asks of `TWO_LEVELS`: orders 1 to 5, of owners 1 (alice) and 2."""
    book = OrderBook(0, 1_000, order_count_max=8, self_trade=policy, **settings)
    for order_id, (price, tonnes, owner) in enumerate(
        [(100, 5, 2), (100, 3, 1), (100, 4, 2), (101, 2, 1), (101, 6, 2)], start=1
    ):
        book.enter(order_id, Side.SELL, price, tonnes, owner)
    return book


PREVENTED = int(Reason.SELF_TRADE_PREVENTED)
BOOK_TWELVE = {
    "reject": (Reason.SELF_TRADE, 0, (), ()),
    "allow": (0, 0, ((1, 2, 100, 5), (2, 1, 100, 3), (3, 2, 100, 4)), ()),
    "cancel_resting": (0, 0, ((1, 2, 100, 5), (3, 2, 100, 4), (5, 2, 101, 3)), (2, 4)),
    "cancel_incoming": (PREVENTED, 7, ((1, 2, 100, 5),), ()),
    "cancel_both": (PREVENTED, 7, ((1, 2, 100, 5),), (2,)),
}


@all_policies
def test_the_order_book_does_as_the_market(policy):
    book = book_of_two_levels(policy)
    result = book.enter(9, Side.BUY, 101, 12, 1)
    assert 0 == result.tonnes_open
    shown = (result.reason, result.tonnes_canceled, result.trades, result.orders_canceled)
    assert BOOK_TWELVE[policy] == shown
    assert (policy != "reject") == result.accepted
    expected = [(price // 100, tonnes) for price, tonnes in TWELVE[policy][1]]
    assert expected == [(price, tonnes) for price, tonnes, _ in book.depth()[1]]
    assert all(order_id not in book for order_id in result.orders_canceled)
    book.check()


@pytest.mark.parametrize("policy", CANCELLING)
def test_the_order_books_fok_and_post_only(policy):
    book = book_of_two_levels(policy)
    most = FOK_MOST[policy]
    refused = book.enter(9, Side.BUY, 101, most + 1, 1, tif=Tif.FOK)
    assert (Reason.FOK_NOT_FILLABLE, ()) == (refused.reason, refused.orders_canceled)
    refused = book.enter(9, Side.BUY, 101, 1, 1, post_only=True)
    assert Reason.POST_ONLY_WOULD_TRADE == refused.reason
    assert 5 == len(book)
    whole = book.enter(9, Side.BUY, 101, most, 1, tif=Tif.FOK)
    assert most == sum(tonnes for _, _, _, tonnes in whole.trades)
    book.check()


def test_the_order_book_amends_into_its_own():
    book = book_of_two_levels("cancel_resting")
    book.enter(9, Side.BUY, 99, 20, 1)
    result = book.amend(9, 101, 18)
    assert (0, 3, 0) == (result.reason, result.tonnes_open, result.tonnes_canceled)
    assert (2, 4) == result.orders_canceled
    assert ([(101, 3, 1)], []) == book.depth()
    book.check()


def test_the_order_books_rows_come_in_walk_order():
    book = book_of_two_levels("cancel_both")
    command = enter_row(1, Side.BUY, 101, 12, 0)
    command["order_id"] = 9
    assert (0, 0) == book.process(command, np.zeros(3, EVENT_DTYPE))
    assert 4 == book.rows_needed
    events = np.zeros(4, EVENT_DTYPE)
    assert (1, 4) == book.process(command, events)
    columns = "kind side reason account_index order_id price tonnes tonnes_open".split()
    rows = [tuple(int(row[name]) for name in columns) for row in events]
    canceled = int(EventKind.ORDER_CANCELED)
    assert [
        (EventKind.ORDER_ACCEPTED, Side.BUY, 0, 1, 9, 101, 12, 12),
        (EventKind.TRADE, Side.BUY, 0, 1, 9, 100, 5, 7),
        (canceled, Side.SELL, PREVENTED, 1, 2, 100, 3, 0),
        (canceled, Side.BUY, PREVENTED, 1, 9, 101, 7, 0),
    ] == rows
