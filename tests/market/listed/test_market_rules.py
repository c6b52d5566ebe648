"""One test a rule: the sentence of protocol/rules.md, played on the compiled and plain markets."""

import numpy as np
import pytest

from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import COMMAND_DTYPE, EVENT_DTYPE, CommandKind, EventKind, Side
from support.market.market_scripts import (
    CORES,
    OPENING,
    amend,
    buy,
    cancel,
    cea_with,
    play,
    play_more,
    sell,
)

CLOSE = {"cmd": "close_day"}


def phase(name):
    return {"cmd": "phase", "phase": name}


def next_day(date="2025-07-17"):
    return {"cmd": "open_day", "date": date}


def words(events):
    """Each event as its name, with the reason where it has one."""
    return [" ".join(filter(None, (e.event, getattr(e, "reason", None)))) for e in events]


def trades(events):
    return [(e.price, e.tonnes, e.buy_id, e.sell_id) for e in events if e.event == "trade"]


def last(event, events):
    return [e for e in events if e.event == event][-1]


# -- Products and accounts -------------------------------------------------------------------------


def test_one_tonne_is_the_least_and_tonnes_are_whole():
    """CEA-PRD-01, CEA-ORD-02."""
    events = play_more([sell("b1", "100.00", 1), sell("b2", "100.00", 0), sell("b3", "100.00", -1)])
    assert words(events) == [
        "order_accepted",
        "order_rested",
        "order_rejected TONNES_NOT_POSITIVE",
        "order_rejected TONNES_NOT_POSITIVE",
    ]


def test_each_vintage_has_its_own_book_band_and_close():
    """CEA-PRD-02: orders of two vintages never meet, and each moves its own close."""
    other = {"cmd": "product", "product": "CEA24", "reference_price": "50.00"}
    events = play_more(
        [
            other,
            sell("b1", "100.00", 10),
            buy("a1", "50.00", 10, product="CEA24"),
            buy("a2", "100.00", 1, product="CEA24"),
            buy("a3", "50.00", 1),
            buy("a4", "100.00", 10),
            CLOSE,
        ]
    )
    assert trades(events) == [("100.00", 10, "a4", "b1")]
    assert [e.id for e in events if e.event == "order_rejected"] == ["a2", "a3"]
    closes = {e.product: e.close for e in events if e.event == "day_closed"}
    assert closes == {"CEA23": "100.00", "CEA24": "50.00"}


@pytest.mark.parametrize("core", CORES)
def test_operators_of_an_account_number_their_orders_apart(core):
    """CEA-ACC-01, CEA-ORD-08: ids increase per operator; the account's cash is one."""
    market = core(load_profile("cea").rules, 16)
    market.product_declare(1, 10_000)
    market.account_declare(1)
    market.deposit(0, 0xFFFF, 30_000)
    market.day_open(20250716)
    market.phase_set(2)
    commands = np.zeros(5, COMMAND_DTYPE)
    commands["kind"], commands["side"] = CommandKind.ENTER, Side.BUY
    commands["price"], commands["tonnes"] = 10_000, 1
    commands["operator_index"] = [0, 1, 0, 1, 1]
    commands["client_order_id"] = [5, 5, 5, 6, 7]
    events = np.zeros(32, EVENT_DTYPE)
    consumed, produced = market.process(commands, events)
    assert consumed == 5
    kinds = [EventKind(kind).name for kind in events["kind"][:produced]]
    assert kinds == [
        "ORDER_ACCEPTED", "ORDER_RESTED", "ORDER_ACCEPTED", "ORDER_RESTED", "ORDER_REJECTED",
        "ORDER_ACCEPTED", "ORDER_RESTED", "ORDER_REJECTED",
    ]  # fmt: skip
    # The third is a duplicate; the fifth finds the cash locked by both operators' orders.
    assert events["reason"][[4, 7]].tolist() == [4, 19]
    market.check()


# -- Orders ----------------------------------------------------------------------------------------


def test_open_orders_expire_at_the_close_and_their_locks_return():
    """CEA-ORD-03: in the order of acceptance."""
    events = play_more([sell("b1", "101.00", 10), buy("a1", "99.00", 10), CLOSE])
    assert [e.id for e in events if e.event == "order_expired"] == ["b1", "a1"]
    whole = buy("a1", "100.00", 10_000)
    again = play_more([whole, CLOSE, next_day(), phase("listed"), whole])
    assert words(again)[-1] == "order_rested"


def test_a_full_market_refuses_what_would_rest():
    """CEA-ORD-05."""
    orders = [sell("b1", "101.00", 1), sell("b2", "101.00", 1), buy("a1", "101.00", 1, tif="ioc")]
    events = play_more(orders, cea_with(order_count_max=1))
    assert words(events)[2] == "order_rejected CAPACITY"
    assert words(events)[-1] == "trade"


def test_cancels_pass_where_orders_do_not():
    """CEA-ORD-06: in every phase but closed, and under a halt (CEA-DAY-05)."""
    for name in ("pre_open", "break"):
        events = play_more(
            [
                sell("b1", "101.00", 2),
                phase(name),
                sell("b2", "101.00", 1),
                amend("b1", "bob", "101.00", 1),
                cancel("b1", "bob"),
            ]
        )
        assert words(events)[-3:] == [
            "order_rejected PHASE_CLOSED",
            "order_rejected PHASE_CLOSED",
            "order_canceled REQUESTED",
        ]
    events = play_more([sell("b1", "101.00", 2), phase("closed"), cancel("b1", "bob")])
    assert words(events)[-1] == "order_rejected PHASE_CLOSED"


@pytest.mark.parametrize(
    ("change", "first"),
    [(("100.00", 5), "b1"), (("100.00", 10), "b2"), (("100.00", 11), "b2"), (("100.01", 5), "b2")],
)
def test_only_fewer_tonnes_at_the_same_price_keep_the_place(change, first):
    """CEA-ORD-07."""
    events = play_more(
        [
            sell("b1", "100.00", 10),
            sell("b2", "100.00", 10),
            amend("b1", "bob", *change),
            buy("a1", "100.01", 1),
        ]
    )
    assert trades(events)[0][3] == first


def test_an_amended_order_may_trade_and_a_refused_amendment_changes_nothing():
    """CEA-ORD-07."""
    events = play_more(
        [
            buy("a1", "99.00", 5),
            sell("b1", "101.00", 5),
            amend("b1", "bob", "120.00", 5),
            amend("b1", "bob", "99.00", 5),
        ]
    )
    assert words(events)[-3:] == ["order_rejected PRICE_OUT_OF_BAND", "order_amended", "trade"]
    assert trades(events) == [("99.00", 5, "a1", "b1")]


def test_only_accepted_commands_use_up_an_id():
    """CEA-ORD-08: and the next day it may come again."""
    events = play_more(
        [
            buy("a1", "120.00", 1),
            buy("a1", "100.00", 1),
            buy("a1", "100.00", 1),
            CLOSE,
            next_day(),
            phase("listed"),
            buy("a1", "100.00", 1),
        ]
    )
    assert words(events)[:4] == [
        "order_rejected PRICE_OUT_OF_BAND",
        "order_accepted",
        "order_rested",
        "order_rejected ORDER_ID_DUPLICATE",
    ]
    assert words(events)[-1] == "order_rested"


def test_ioc_fok_and_post_only():
    """CEA-ORD-09."""
    resting = sell("b1", "100.00", 5)
    assert words(play_more([resting, buy("a1", "100.00", 8, tif="ioc")]))[-2:] == [
        "trade",
        "order_canceled IOC",
    ]
    fok = play_more([resting, buy("a1", "100.00", 6, tif="fok"), buy("a2", "100.00", 5, tif="fok")])
    assert words(fok)[2:] == ["order_rejected FOK_NOT_FILLABLE", "order_accepted", "trade"]
    post = [resting, buy("a1", "100.00", 1, post_only=True), buy("a2", "99.99", 1, post_only=True)]
    assert words(play_more(post))[2:] == [
        "order_rejected POST_ONLY_WOULD_TRADE",
        "order_accepted",
        "order_rested",
    ]


def test_the_first_reason_in_order_is_given():
    """CEA-ORD-10: an order wrong in many ways; each mended, the next reason shows."""
    wrong = {"account": "mallory", "product": "CEA99"}
    cases = [
        (buy("a1", "1000000.00", 0, **wrong), "PRODUCT_UNKNOWN"),
        (buy("a1", "1000000.00", 0, account="mallory"), "ACCOUNT_UNKNOWN"),
        (buy("a1", "1000000.00", 0), "TONNES_NOT_POSITIVE"),
        (buy("a1", "1000000.00", 100_000), "AMOUNT_TOO_LARGE"),
        (buy("a1", "1000.00", 100_000), "LISTED_TONNES_TOO_LARGE"),
        (buy("a1", "1000.00", 99_999), "PRICE_OUT_OF_BAND"),
        (buy("a1", "110.00", 99_999), "CASH_INSUFFICIENT"),
    ]
    events = play_more([line for line, _ in cases])
    assert words(events) == [f"order_rejected {reason}" for _, reason in cases]


# -- Listed trading --------------------------------------------------------------------------------


def test_price_then_time_at_the_resting_orders_price():
    """CEA-LST-04."""
    events = play_more(
        [
            sell("b1", "101.00", 5),
            sell("b2", "100.00", 5),
            sell("b3", "100.00", 5),
            buy("a1", "102.00", 12),
        ]
    )
    assert trades(events) == [
        ("100.00", 5, "a1", "b2"),
        ("100.00", 5, "a1", "b3"),
        ("101.00", 2, "a1", "b1"),
    ]


def test_an_order_reaches_five_levels():
    """CEA-LST-05: the sixth is not reached, and what would still cross is cancelled."""
    ladder = [sell(f"b{n}", f"10{n}.00", 1) for n in range(1, 7)]
    events = play_more([*ladder, buy("a1", "106.00", 6)])
    assert len(trades(events)) == 5
    assert words(events)[-1] == "order_canceled LEVELS_EXHAUSTED"
    rests = play_more([*ladder[:5], buy("a1", "106.00", 6)])
    assert words(rests)[-1] == "order_rested"


def test_a_taker_may_pick_whom_it_trades_with():
    """CEA-LST-06."""
    resting = [sell("b1", "100.00", 5), sell("b2", "100.00", 5), sell("b3", "101.00", 5)]
    events = play_more([*resting, buy("a1", "101.00", 8, pick="b2")])
    assert trades(events) == [("100.00", 5, "a1", "b2")]
    assert words(events)[-1] == "order_canceled PICK_REMAINDER"
    worse = play_more([*resting, buy("a1", "101.00", 5, pick="b3")])
    assert words(worse)[-1] == "order_rejected PICK_NOT_AVAILABLE"


# -- Cash and allowances ---------------------------------------------------------------------------


def test_an_accepted_order_locks_what_it_could_need():
    """CEA-FND-01, CEA-FND-03: a second buy finds the cash locked, a better price frees the rest."""
    events = play_more([buy("a1", "100.00", 10_000), buy("a2", "90.00", 1)])
    assert words(events)[-1] == "order_rejected CASH_INSUFFICIENT"
    better = play_more(
        [sell("b1", "90.00", 5_000), buy("a1", "100.00", 5_000), buy("a2", "100.00", 5_500)]
    )
    assert words(better)[-1] == "order_rested"
    sold = play_more([sell("b1", "100.00", 5_000), sell("b2", "100.00", 1)])
    assert words(sold)[-1] == "order_rejected ALLOWANCES_INSUFFICIENT"


def test_a_sale_needs_allowances_and_a_purchase_cash():
    """CEA-FND-02, CEA-FND-03: to the last tonne and the last fen."""
    events = play_more([sell("b1", "100.00", 5_001), sell("b2", "100.00", 5_000)])
    assert words(events)[0] == "order_rejected ALLOWANCES_INSUFFICIENT"
    assert words(events)[-1] == "order_rested"
    events = play_more([buy("a1", "100.01", 10_000), buy("a2", "100.00", 10_000)])
    assert words(events)[0] == "order_rejected CASH_INSUFFICIENT"
    assert words(events)[-1] == "order_rested"


def test_bought_today_is_sold_tomorrow():
    """CEA-FND-04: the next opening releases it, not the close."""
    bought = [sell("b1", "100.00", 10), buy("a1", "100.00", 10)]
    resale = sell("a2", "100.00", 10, account="alice")
    assert words(play_more([*bought, resale]))[-1] == "order_rejected ALLOWANCES_BOUGHT_TODAY"
    tomorrow = play_more([*bought, CLOSE, next_day(), phase("listed"), resale])
    assert words(tomorrow)[-1] == "order_rested"


def test_proceeds_buy_today_and_leave_tomorrow():
    """CEA-FND-05."""
    sold = [sell("b1", "100.00", 10), buy("a1", "100.00", 10)]
    leave = {"cmd": "withdraw", "account": "bob", "cash": "1000.00"}
    assert words(play_more([*sold, buy("b2", "100.00", 10, account="bob")]))[-1] == "order_rested"
    assert words(play_more([*sold, leave]))[-1] == "transfer_rejected PROCEEDS_OF_TODAY"
    assert words(play_more([*sold, CLOSE, next_day(), leave]))[-1] == "withdrawn"


def test_what_comes_in_is_usable_at_once():
    """CEA-FND-07: and what leaves must be available, not locked."""
    pay_in = {"cmd": "deposit", "account": "alice", "product": "CEA23", "tonnes": 7}
    leave = {"cmd": "withdraw", "account": "alice", "product": "CEA23", "tonnes": 7}
    sold = play_more([pay_in, sell("a1", "100.00", 7, account="alice")])
    assert words(sold)[-1] == "order_rested"
    assert words(play_more([pay_in, leave]))[-1] == "withdrawn"
    locked = play_more([pay_in, sell("a1", "100.00", 1, account="alice"), leave])
    assert words(locked)[-1] == "transfer_rejected ALLOWANCES_INSUFFICIENT"


def test_fees_accrue_per_order_and_the_minimum_falls_once():
    """CEA-FEE-01: 10 basis points, at least 15 fen an order; 1 t at 100.00 alone owes 10 fen."""
    profile = cea_with(fee_bp=10, fee_min_fen=15)
    events = play_more(
        [sell("b1", "100.00", 1), sell("b2", "100.00", 1), buy("a1", "100.00", 2)], profile
    )
    fees = [(e.buy_fee, e.sell_fee) for e in events if e.event == "trade"]
    # The buyer's sum is 10, then 20 fen: 15 are due at first, 5 more then. Each seller owes 15.
    assert fees == [("0.15", "0.15"), ("0.05", "0.15")]


# -- The day ---------------------------------------------------------------------------------------


def test_a_halt_stops_entries_only_and_time_goes_on_beneath():
    """CEA-DAY-05."""
    halt, resume = {"cmd": "halt"}, {"cmd": "resume"}
    events = play_more([sell("b1", "100.00", 5), halt, buy("a1", "100.00", 1), phase("break")])
    assert words(events)[2:] == ["halted", "order_rejected PHASE_CLOSED", "phase_changed"]
    one = {"product": "CEA23"}
    events = play_more([halt | one, buy("a1", "100.00", 1), resume | one, buy("a1", "100.00", 1)])
    assert words(events) == [
        "halted",
        "order_rejected PRODUCT_HALTED",
        "resumed",
        "order_accepted",
        "order_rested",
    ]


def test_a_suspended_account_loses_its_orders_and_may_only_receive():
    """CEA-DAY-06."""
    suspend, restore = {"cmd": "suspend", "account": "bob"}, {"cmd": "restore", "account": "bob"}
    pay_in = {"cmd": "deposit", "account": "bob", "cash": "1.00"}
    leave = {"cmd": "withdraw", "account": "bob", "cash": "1.00"}
    order = sell("b2", "100.00", 5_000)
    events = play_more([sell("b1", "100.00", 5_000), suspend, order, pay_in, leave, restore, order])
    assert words(events)[2:] == [
        "account_suspended",
        "order_canceled SUSPENDED",
        "order_rejected ACCOUNT_SUSPENDED",
        "deposited",
        "transfer_rejected ACCOUNT_SUSPENDED",
        "account_restored",
        "order_accepted",
        "order_rested",
    ]


# -- Prices of the day -----------------------------------------------------------------------------


def test_open_high_low_and_close_of_a_day():
    """CEA-PRC-01, CEA-PRC-03, CEA-LST-08."""
    events = play_more(
        [
            sell("b1", "101.00", 1),
            buy("a1", "101.00", 1),
            sell("b2", "99.00", 1),
            buy("a2", "99.00", 1),
            sell("b3", "100.01", 2),
            buy("a3", "100.01", 2),
            CLOSE,
        ]
    )
    day = last("day_closed", events)
    # (101.00 + 99.00 + 2 x 100.01) / 4 = 100.005, half up.
    assert (day.open, day.high, day.low, day.close) == ("101.00", "101.00", "99.00", "100.01")


def test_a_day_without_trades_carries_the_close():
    """CEA-PRC-01, CEA-PRC-03, CEA-LST-08."""
    day = last("day_closed", play_more([CLOSE]))
    assert (day.open, day.high, day.low, day.close) == ("100.00", None, None, "100.00")


def test_the_close_is_the_next_days_reference():
    """CEA-LST-02, CEA-LST-08: at a close of 110.00 the band is 99.00 to 121.00."""
    traded = [sell("b1", "110.00", 1), buy("a1", "110.00", 1), CLOSE, next_day(), phase("listed")]
    events = play_more([*traded, buy("a2", "121.01", 1), buy("a3", "121.00", 1)])
    assert words(events)[-3:] == [
        "order_rejected PRICE_OUT_OF_BAND",
        "order_accepted",
        "order_rested",
    ]


@pytest.mark.parametrize(
    ("reference", "low", "high"),
    [
        ("97.49", "87.74", "107.24"),
        ("48.00", "43.20", "52.80"),
        ("52.96", "47.66", "58.26"),
        ("44.08", "39.67", "48.49"),
        ("46.66", "41.99", "51.33"),
        ("51.69", "46.52", "56.86"),
        ("57.46", "51.71", "63.21"),
        ("69.99", "62.99", "76.99"),
        ("0.05", "0.05", "0.06"),
    ],
)
def test_band_limits_round_half_up_as_the_real_market_did(reference, low, high):
    """CEA-LST-02, CEA-LST-03: the limits trade, a fen beyond is refused."""

    def fen(text, more):
        cents = int(text.replace(".", "")) + more
        return f"{cents // 100}.{cents % 100:02d}"

    opening = [dict(line) for line in OPENING]
    opening[0]["reference_price"] = reference
    orders = [buy("a1", low, 1), buy("a2", high, 1), buy("a3", fen(high, 1), 1)]
    if fen(low, -1) != "0.00":
        orders.append(buy("a4", fen(low, -1), 1))
    events = play([*opening, *orders])[len(play(opening)) :]
    accepted = [e.id for e in events if e.event == "order_accepted"]
    refused = {e.reason for e in events if e.event == "order_rejected"}
    assert accepted == ["a1", "a2"]
    assert refused == {"PRICE_OUT_OF_BAND"}


def test_the_reference_price_is_set_before_the_first_listed_phase_only():
    """CEA-PRC-05."""
    change = {"cmd": "reference_price", "product": "CEA23", "price": "50.00"}
    assert words(play_more([change])) == ["order_rejected PHASE_CLOSED"]
    events = play_more([CLOSE, change, next_day(), change | {"price": "60.00"}])
    assert words(events)[-1] == "reference_price_changed"
    assert words(events).count("reference_price_changed") == 2


def test_the_composite_is_the_mean_of_the_vintages():
    """CEA-PRC-04: 100.00 and 50.01 give 75.005, half up."""
    other = {"cmd": "product", "product": "CEA24", "reference_price": "50.01"}
    assert last("composite_closed", play_more([other, CLOSE])).price == "75.01"
