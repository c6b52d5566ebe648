"""The compiled core at its own edge: arrays, capacities, numbers, threads, snapshots."""

import inspect
import re
import sys
import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

import cea_exchange._book
import cea_exchange.core.market
from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import (
    ACCOUNT_NONE,
    CHECKPOINT_DTYPE,
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    LEVEL_DTYPE,
    ORDER_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Operation,
    Phase,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.reference import ReferenceMarket

RULES = load_profile("cea").rules
OPEN_RULES = load_profile("open").rules


def rules_with(**settings):
    return msgspec.structs.replace(RULES, **settings)


def a_market(rules=RULES, accounts=3, cash=10**9, tonnes=5_000, **settings):
    """A market in listed trading with one product at 100.00 yuan."""
    market = CompiledMarket(rules, **settings)
    market.product_declare(777, 10_000)
    for index in range(accounts):
        market.account_declare(1_000 + index)
        market.deposit(index, PRODUCT_NONE, cash)
        market.deposit(index, 0, tonnes)
    market.day_open(20250716)
    market.phase_set(Phase.LISTED)
    return market


class Trader:
    """Numbers commands for a market and returns their events."""

    def __init__(self, market):
        self.market = market
        self.client_order_id = 0

    def row(self, kind, account, **fields):
        self.client_order_id += 1
        command = np.zeros(1, COMMAND_DTYPE)
        command["kind"], command["account_index"] = kind, account
        command["client_order_id"] = self.client_order_id
        for name, value in fields.items():
            command[name] = value
        return command

    def enter(self, account, side, price, tonnes, **fields):
        terms = {"side": side, "price": price, "tonnes": tonnes}
        return self.send(self.row(CommandKind.ENTER, account, **terms | fields))

    def cancel(self, account, order_id):
        return self.send(self.row(CommandKind.CANCEL, account, order_id=order_id))

    def amend(self, account, order_id, price, tonnes):
        terms = {"order_id": order_id, "price": price, "tonnes": tonnes}
        return self.send(self.row(CommandKind.AMEND, account, **terms))

    def send(self, commands):
        events = np.zeros(1_000, EVENT_DTYPE)
        consumed, produced = self.market.process(commands, events)
        assert len(commands) == consumed
        return events[:produced]


def kinds(events):
    return [EventKind(kind).name for kind in events["kind"]]


def reasons(events):
    return [Reason(reason).name for reason in events["reason"]]


# -- Arrays ----------------------------------------------------------------------------------------


def test_what_an_act_returns_holds_no_more_memory_than_its_events():
    """Rows for all that could come of it are reserved first: one for each order on the book."""
    market = a_market()
    trader = Trader(market)
    for _ in range(100):
        trader.enter(1, Side.SELL, 10_100, 1)
    for events in (market.deposit(0, 0, 5), market.suspend(0), market.suspend(1)):
        assert sys.getsizeof(events.base) < 2 * events.nbytes + 100
    assert len(events) == 101


def test_wrong_arrays_are_type_errors():
    market = a_market()
    commands, events = np.zeros(1, COMMAND_DTYPE), np.zeros(4, EVENT_DTYPE)
    commands["kind"] = CommandKind.CANCEL
    locked = events.copy()
    locked.flags.writeable = False
    for wrong in (
        (events, events),
        (commands, commands),
        (commands.tolist(), events),
        (bytes(64), events),
        (commands.reshape(1, 1), events),
        (commands, np.zeros(8, EVENT_DTYPE)[::2]),
        (commands, locked),
        (commands, events, 1),
    ):
        with pytest.raises(TypeError):
            market.process(*wrong)
    assert (1, 1) == market.process(commands, events)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": 0},
        {"kind": 4},
        {"kind": 1, "side": 0},
        {"kind": 1, "side": 3},
        {"kind": 1, "side": 1, "tif": 3},
        {"kind": 1, "side": 1, "flags": 2},
        {"kind": 1, "side": 1, "reserved": 1},
        {"kind": 2, "reserved": 1},
    ],
)
def test_a_malformed_row_stops_the_batch_before_it_begins(fields):
    market = a_market()
    trader = Trader(market)
    good = trader.row(CommandKind.ENTER, 0, side=1, price=10_000, tonnes=1)
    bad = np.zeros(1, COMMAND_DTYPE)
    for name, value in fields.items():
        bad[name] = value
    before = market.state_hash()
    with pytest.raises(ValueError, match=r"commands\[1\]"):
        market.process(np.concatenate([good, bad]), np.zeros(9, EVENT_DTYPE))
    assert before == market.state_hash()


def test_a_short_buffer_stops_before_the_command_and_says_what_it_needs():
    market = a_market()
    trader = Trader(market)
    for _ in range(3):
        trader.enter(0, Side.SELL, 10_000, 1)
    taker = trader.row(CommandKind.ENTER, 1, side=Side.BUY, price=10_000, tonnes=5)
    before = market.state_hash()
    for rows in range(5):
        assert (0, 0) == market.process(taker, np.zeros(rows, EVENT_DTYPE))
        assert (5, before) == (market.rows_needed, market.state_hash())
    assert (0, 0) == market.process(taker, np.zeros(2, EVENT_DTYPE), True)
    assert 3 == market.rows_needed
    assert (1, 5) == market.process(taker, np.zeros(5, EVENT_DTYPE))
    assert 0 == market.rows_needed


def test_a_refused_command_changes_only_the_counters_of_its_event():
    market = a_market()
    trader = Trader(market)
    trader.enter(0, Side.SELL, 10_000, 10)
    accounts = [market.account(index) for index in range(3)]
    counted = market.command_seq, market.event_seq, market.report_seq(1)
    refused = {
        "FOK_NOT_FILLABLE": trader.enter(1, Side.BUY, 10_000, 11, tif=Tif.FOK),
        "POST_ONLY_WOULD_TRADE": trader.enter(1, Side.BUY, 10_000, 11, flags=1),
        "PRICE_OUT_OF_BAND": trader.enter(1, Side.BUY, 11_001, 11),
        "LISTED_TONNES_TOO_LARGE": trader.enter(1, Side.BUY, 10_000, 100_000),
        "AMOUNT_TOO_LARGE": trader.enter(1, Side.BUY, 10_000_001, 1),
        "TONNES_NOT_POSITIVE": trader.enter(1, Side.BUY, 10_000, 0),
        "CASH_INSUFFICIENT": trader.enter(1, Side.BUY, 10_001, 99_999),
        "ALLOWANCES_INSUFFICIENT": trader.enter(1, Side.SELL, 10_000, 5_001),
        "PICK_NOT_AVAILABLE": trader.enter(1, Side.BUY, 10_000, 1, pick_order_id=9),
        "ORDER_UNKNOWN": trader.cancel(1, 1),
    }
    for reason, events in refused.items():
        assert (["ORDER_REJECTED"], [reason]) == (kinds(events), reasons(events))
    assert accounts == [market.account(index) for index in range(3)]
    assert [(10_000, 10, 1)] == market.depth(0, Side.SELL, 5)
    moved = tuple(number + len(refused) for number in counted)
    assert moved == (market.command_seq, market.event_seq, market.report_seq(1))
    assert 1 == market.order_id_last
    assert 0 == market.last_client_order_id(1, 0)


def test_numbers_at_the_edge_of_64_bits_are_refused_not_wrapped():
    trader = Trader(a_market(OPEN_RULES))
    top = (1 << 63) - 1
    for price, tonnes in ((1, top), (10_000_000, top), (top, 1), (top, top)):
        assert ["AMOUNT_TOO_LARGE"] == reasons(trader.enter(0, Side.BUY, price, tonnes))
    for price, tonnes in ((-top - 1, top), (0, 1), (-1, 1)):
        assert ["PRICE_OUT_OF_BAND"] == reasons(trader.enter(0, Side.BUY, price, tonnes))
    for tonnes in (-top - 1, -1, 0):
        assert ["TONNES_NOT_POSITIVE"] == reasons(trader.enter(0, Side.BUY, 1, tonnes))
    assert ["NONE", "NONE"] == reasons(trader.enter(0, Side.BUY, 1, (1 << 60) - 1))
    assert ["AMOUNT_TOO_LARGE"] == reasons(trader.enter(0, Side.BUY, 1, 1 << 60))


def test_a_days_amount_goes_beyond_64_bits():
    market = a_market(OPEN_RULES)
    trader = Trader(market)
    price, tonnes = 10_000_000, (1 << 60) // 10_000_000
    for _ in range(40):
        trader.enter(0, Side.SELL, price, tonnes)
        trader.enter(1, Side.BUY, price, tonnes)
    assert 40 * price * tonnes == market.product(0)["amount"] > 1 << 65
    day = market.day_close().view(DAY_CLOSED_DTYPE)
    day = day[day["kind"] == EventKind.DAY_CLOSED][0]
    amount = int(day["amount_listed_low"]) + (int(day["amount_listed_high"]) << 64)
    assert (40 * price * tonnes, price) == (amount, day["close"])


def test_deposits_stop_below_2_to_the_62_over_all_accounts():
    market = CompiledMarket(RULES)
    market.product_declare(777, 10_000)
    for key in (1, 2):
        market.account_declare(key)
    for product in (PRODUCT_NONE, 0):
        assert ["DEPOSITED"] == kinds(market.deposit(0, product, (1 << 62) - 2))
        assert ["AMOUNT_TOO_LARGE"] == reasons(market.deposit(1, product, 2))
        assert ["DEPOSITED"] == kinds(market.deposit(1, product, 1))
        assert ["WITHDRAWN"] == kinds(market.withdraw(0, product, 10))
        assert ["DEPOSITED"] == kinds(market.deposit(1, product, 10))
    with pytest.raises(ValueError):
        market.deposit(0, 0, 1 << 63)
    with pytest.raises(TypeError):
        market.deposit(0, 0, 1.0)
    market.check()


# -- Capacities ------------------------------------------------------------------------------------


def test_accounts_and_products_grow_with_what_they_hold():
    market = CompiledMarket(rules_with(self_trade="allow"))
    for index in range(40):
        assert index == market.product_declare(10_000 + index, 10_000)
        for account in range(5 * index, 5 * index + 5):
            assert account == market.account_declare(account)
            market.deposit(account, index, account + 1)
    assert 200 == sum(len(market.account(index)["holdings"]) for index in range(200))
    assert {39: (200, 0, 0)} == market.account(199)["holdings"]
    with pytest.raises(ValueError, match="expected a new one"):
        market.product_declare(10_000, 10_000)
    with pytest.raises(ValueError, match="expected a new one"):
        market.account_declare(0)
    market.check()


def test_a_full_market_refuses_what_would_rest_and_no_more():
    market = a_market(order_count_max=2)
    trader = Trader(market)
    trader.enter(0, Side.SELL, 10_000, 1)
    trader.enter(0, Side.SELL, 10_001, 1)
    assert ["CAPACITY"] == reasons(trader.enter(0, Side.SELL, 10_002, 1))
    assert ["ORDER_ACCEPTED", "TRADE"] == kinds(trader.enter(1, Side.BUY, 10_000, 1))
    assert ["ORDER_ACCEPTED", "ORDER_RESTED"] == kinds(trader.enter(0, Side.SELL, 10_002, 1))
    assert "TRADE" in kinds(trader.enter(1, Side.BUY, 10_001, 2))
    market.check()


def test_order_ids_go_on_over_days_and_older_ones_are_unknown():
    market = a_market()
    trader = Trader(market)
    for _ in range(3_000):
        trader.enter(0, Side.SELL, 10_000, 1)
    assert 3_000 == kinds(market.day_close()).count("ORDER_EXPIRED")
    market.day_open(20250717)
    market.phase_set(Phase.LISTED)
    assert ["ORDER_UNKNOWN"] == reasons(trader.cancel(0, 3_000))
    assert 3_001 == trader.enter(0, Side.SELL, 10_000, 1)[0]["order_id"]
    assert market.order(3_000) is None
    assert [3_001] == market.orders_of(0)
    market.check()


# -- Cash, allowances, fees ------------------------------------------------------------------------


def test_a_better_price_frees_the_difference_at_once():
    market = a_market(rules_with(fee_bp=10, fee_min_fen=500))
    trader = Trader(market)
    trader.enter(0, Side.SELL, 9_900, 10)
    trade = trader.enter(1, Side.BUY, 10_000, 30)[1]
    assert (500, 500) == (trade["buy_fee"], trade["sell_fee"])
    account = market.account(1)
    # 99,000 fen traded; 20 t at 10,000 fen open: fee of 299,000 fen is the minimum still.
    assert (10**9 - 99_500, 200_000) == (account["cash"], account["cash_locked"])
    assert 10**9 + 98_500 == market.account(0)["cash"]
    trader.cancel(1, 2)
    assert 0 == market.account(1)["cash_locked"]
    market.check()


def test_a_sellers_fee_never_exceeds_what_the_sale_brought():
    market = a_market(rules_with(fee_bp=10, fee_min_fen=50_000))
    trader = Trader(market)
    trader.enter(0, Side.SELL, 10_000, 10)
    fees = [trader.enter(1, Side.BUY, 10_000, 1)[1]["sell_fee"] for _ in range(7)]
    assert [10_000] * 5 + [0] * 2 == fees
    assert 10**9 + 20_000 == market.account(0)["cash"]


def test_purchases_and_proceeds_stay_until_the_next_opening():
    market = a_market(tonnes=10)
    trader = Trader(market)
    trader.enter(0, Side.SELL, 10_000, 10)
    trader.enter(1, Side.BUY, 10_000, 10)
    assert ["ALLOWANCES_BOUGHT_TODAY"] == reasons(trader.enter(1, Side.SELL, 10_000, 11))
    assert ["ALLOWANCES_INSUFFICIENT"] == reasons(trader.enter(1, Side.SELL, 10_000, 21))
    assert ["ALLOWANCES_BOUGHT_TODAY"] == reasons(market.withdraw(1, 0, 11))
    assert ["PROCEEDS_OF_TODAY"] == reasons(market.withdraw(0, PRODUCT_NONE, 10**9 + 1))
    assert ["CASH_INSUFFICIENT"] == reasons(market.withdraw(0, PRODUCT_NONE, 10**9 + 100_001))
    market.day_close()
    assert ["PROCEEDS_OF_TODAY"] == reasons(market.withdraw(0, PRODUCT_NONE, 10**9 + 1))
    market.day_open(20250717)
    assert ["WITHDRAWN"] == kinds(market.withdraw(0, PRODUCT_NONE, 10**9 + 100_000))
    assert ["WITHDRAWN"] == kinds(market.withdraw(1, 0, 20))


def test_the_holding_limit_counts_held_open_and_new():
    trader = Trader(a_market(rules_with(holding_limit_tonnes=5_100)))
    assert ["HOLDING_LIMIT"] == reasons(trader.enter(0, Side.BUY, 10_000, 101))
    assert ["NONE", "NONE"] == reasons(trader.enter(0, Side.BUY, 10_000, 60))
    assert ["HOLDING_LIMIT"] == reasons(trader.enter(0, Side.BUY, 10_000, 41))
    assert ["NONE", "NONE"] == reasons(trader.amend(0, 1, 10_000, 100))
    assert ["HOLDING_LIMIT"] == reasons(trader.amend(0, 1, 10_000, 101))


# -- The day and the operator ----------------------------------------------------------------------


def test_misuse_of_the_day_raises():
    market = CompiledMarket(RULES)
    for call in (market.day_close, lambda: market.phase_set(2), lambda: market.day_open(20250230)):
        with pytest.raises(ValueError):
            call()
    market.day_open(20250716)
    for date in (20250716, 20250717):
        with pytest.raises(ValueError):
            market.day_open(date)
    market.day_close()
    with pytest.raises(ValueError, match="after 20250716"):
        market.day_open(20250716)
    assert (20250716, False) == (market.trading_date, market.day_is_open)


def test_repeated_acts_give_no_event():
    market = a_market()
    acts = {
        "halt": (0,),
        "resume": (0,),
        "suspend": (2,),
        "restore": (2,),
        "phase_set": (Phase.BREAK,),
    }
    for name, arguments in acts.items():
        assert 1 == len(getattr(market, name)(*arguments))
        assert 0 == len(getattr(market, name)(*arguments))


def test_refused_acts_say_which_and_why():
    market = a_market()
    for events, operation, reason in (
        (market.halt(5), Operation.HALT, Reason.PRODUCT_UNKNOWN),
        (market.resume(5), Operation.RESUME, Reason.PRODUCT_UNKNOWN),
        (market.suspend(9), Operation.SUSPEND, Reason.ACCOUNT_UNKNOWN),
        (market.restore(9), Operation.RESTORE, Reason.ACCOUNT_UNKNOWN),
        (market.reference_price_set(0, 9_000), Operation.REFERENCE_PRICE, Reason.PHASE_CLOSED),
    ):
        assert ["ORDER_REJECTED"] == kinds(events)
        assert (operation, reason) == (events[0]["command"], events[0]["reason"])
        assert 0 == events[0]["report_seq"]


def test_a_reference_price_moves_the_band_before_the_first_listed_phase():
    market = CompiledMarket(RULES)
    market.product_declare(777, 10_000)
    market.day_open(20250716)
    assert ["REFERENCE_PRICE_CHANGED"] == kinds(market.reference_price_set(0, 9_749))
    assert (8_774, 10_724) == tuple(market.product(0)[name] for name in ("band_low", "band_high"))
    market.phase_set(Phase.LISTED)
    assert ["PHASE_CLOSED"] == reasons(market.reference_price_set(0, 9_000))
    market.day_close()
    assert ["REFERENCE_PRICE_CHANGED"] == kinds(market.reference_price_set(0, 9_000))


# -- Hashes and snapshots --------------------------------------------------------------------------


def test_hash_of_an_empty_market_is_that_of_protocol_state_hash_md():
    def mix(word):
        word = (word + 0x9E3779B97F4A7C15) % 2**64
        word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
        return word ^ (word >> 31)

    state = 0
    for word in [7] + 13 * [0]:
        state = mix(state ^ word)
    market = CompiledMarket(RULES)
    assert (state, 0) == (market.state_hash(), market.holdings_hash())


def test_a_checkpoint_carries_the_hashes_of_before_it():
    market = a_market()
    before = market.state_hash(), market.holdings_hash(), market.command_seq
    row = market.checkpoint().view(CHECKPOINT_DTYPE)[0]
    assert before == (row["state_hash"], row["holdings_hash"], row["command_seq"])
    assert market.settlement_seq == row["settlement_seq"]
    assert before[0] != market.state_hash()
    assert before[1] == market.holdings_hash()


def test_either_core_restores_the_others_snapshot_and_goes_on_alike():
    market = a_market(rules_with(fee_bp=7, fee_min_fen=20))
    trader = Trader(market)
    for price in (9_990, 10_000, 10_010):
        trader.enter(0, Side.SELL, price, 30)
        trader.enter(1, Side.BUY, price - 5, 20, operator_index=3)
    trader.amend(0, 5, 10_010, 10)
    market.suspend(2)
    plain = ReferenceMarket.from_snapshot(market.rules, market.snapshot())
    again = CompiledMarket.from_snapshot(market.rules, plain.snapshot())
    assert market.state_hash() == plain.state_hash() == again.state_hash()
    again.check()
    command = trader.row(CommandKind.ENTER, 1, side=Side.BUY, price=10_020, tonnes=100)
    rows = [np.zeros(20, EVENT_DTYPE) for _ in range(3)]
    for core, events in zip((market, plain, again), rows, strict=True):
        core.process(command, events)
    assert rows[0].tobytes() == rows[1].tobytes() == rows[2].tobytes()
    assert market.state_hash() == plain.state_hash() == again.state_hash()


def test_a_copy_goes_its_own_way():
    market = a_market()
    Trader(market).enter(0, Side.SELL, 10_000, 10)
    other = market.copy()
    before = market.state_hash()
    assert before == other.state_hash()
    other.suspend(0)
    assert before == market.state_hash() != other.state_hash()


WRONG_ORDERS = (
    ("account_index", 99), ("product_index", 99), ("side", 0), ("side", 3), ("price", 1),
    ("price", 1 << 40), ("tonnes_open", 0), ("tonnes_open", -1), ("flags", 2),
    ("priority", 0), ("priority", 1 << 40),
    ("order_id", 0), ("order_id", 1 << 40),
)


def test_a_snapshot_that_can_not_be_is_refused():
    market = a_market()
    Trader(market).enter(0, Side.SELL, 10_000, 10)
    state = msgspec.msgpack.decode(market.snapshot())
    changes = [{"order_id_last": 0}, {"orders": state["orders"][:-1]}, {"orders": [1]}]
    changes.append({"orders": 2 * state["orders"]})
    for change in changes:
        with pytest.raises(ValueError):
            CompiledMarket.from_snapshot(RULES, msgspec.msgpack.encode(state | change))
    with pytest.raises(ValueError):
        CompiledMarket.from_snapshot(RULES, b"")


@pytest.mark.parametrize(("field", "value"), WRONG_ORDERS)
def test_an_order_that_can_not_rest_is_refused_before_it_does(field, value):
    market = a_market()
    Trader(market).enter(0, Side.SELL, 10_000, 10)
    state = msgspec.msgpack.decode(market.snapshot())
    orders = np.frombuffer(state["orders"], ORDER_DTYPE).copy()
    orders[field] = value
    # By these words, and not by what is checked once all orders rest.
    with pytest.raises(ValueError, match=r"orders\[0\]: expected a live order"):
        CompiledMarket.from_snapshot(
            RULES, msgspec.msgpack.encode(state | {"orders": orders.tobytes()})
        )


def test_levels_and_orders_fill_arrays():
    market = a_market()
    trader = Trader(market)
    for account, side, price, tonnes in ((0, 2, 10_010, 5), (1, 2, 10_010, 6), (2, 1, 9_990, 7)):
        trader.enter(account, side, price, tonnes)
    levels, orders = np.zeros(9, LEVEL_DTYPE), np.zeros(9, ORDER_DTYPE)
    assert 1 == market.depth_into(0, Side.SELL, levels)
    assert market.depth(0, Side.SELL, 9) == [levels[0].item()[:3]]
    assert 3 == market.orders_into(0, orders)
    assert [3, 1, 2] == orders["order_id"][:3].tolist()
    assert [7, 5, 6] == orders["tonnes_open"][:3].tolist()
    assert [2, 0, 1] == orders["account_index"][:3].tolist()
    assert 1 == market.orders_into(0, orders[:1])


# -- Threads and stubs -----------------------------------------------------------------------------


def test_a_second_thread_inside_raises():
    market = a_market(tonnes=400_000)
    commands = np.zeros(300_000, COMMAND_DTYPE)
    commands["kind"], commands["side"] = CommandKind.ENTER, Side.SELL
    commands["price"], commands["tonnes"] = 10_000, 1
    commands["client_order_id"] = np.arange(1, len(commands) + 1)
    events = np.zeros(2 * len(commands), EVENT_DTYPE)
    worker = threading.Thread(target=market.process, args=(commands, events))
    refused = []
    worker.start()
    while worker.is_alive() and not refused:
        try:
            market.phase_set(Phase.BREAK)
            market.phase_set(Phase.LISTED)
        except RuntimeError as error:
            refused.append(str(error))
    worker.join()
    assert ["another thread is inside this market"] == refused
    market.check()


@pytest.mark.parametrize("module", [cea_exchange._book, cea_exchange.core.market])
def test_stubs_name_what_the_compiled_module_has(module):
    stub = Path(module.__file__).parent / f"{module.__name__.rsplit('.', 1)[1]}.pyi"
    text = stub.read_text(encoding="utf-8")
    for name in re.findall(r"^class (\w+)", text, re.MULTILINE):
        compiled = getattr(module, name)
        body = text.split(f"class {name}")[1].split("\nclass ")[0]
        stubbed = set(re.findall(r"^    (?:def )?(\w+)[(:]", body, re.MULTILINE))
        public = {member for member in dir(compiled) if not member.startswith("_")}
        assert public == {member for member in stubbed if not member.startswith("_")}
        for member in sorted(public):
            if callable(getattr(compiled, member)):
                parameters = inspect.signature(getattr(compiled, member)).parameters
                stub_head = body.split(f"def {member}(")[1].split(") ->")[0]
                named = re.findall(r"^\s*(\w+)|, (\w+)", stub_head)
                names = {first or second for first, second in named} | set(
                    re.findall(r"(\w+):", stub_head)
                )
                assert set(parameters) <= names | {"self", "cls"}, member


def test_events_name_nobody_where_nobody_is_meant():
    market = CompiledMarket(RULES)
    row = market.day_open(20250716)[0]
    assert (PRODUCT_NONE, ACCOUNT_NONE, ACCOUNT_NONE) == (
        row["product_index"],
        row["account_index"],
        row["counter_account_index"],
    )
