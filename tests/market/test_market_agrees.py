"""The compiled market and the reference market are one market: event for event, hash for hash."""

import subprocess
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.records import (
    BID_DTYPE,
    BIDDING_DTYPE,
    BLOCK_DTYPE,
    COMMAND_DTYPE,
    EVENT_DTYPE,
    ORDER_DTYPE,
    CommandKind,
    EventKind,
    Operation,
    Reason,
    Side,
    Tif,
)
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.matching.reference.rows.book import price_crosses
from cea_exchange.matching.reference.trading.listed_trading import Decision, ListedTrading
from support.book.book_flow import Segment
from support.market.drawn_steps import steps_drawn
from support.market.market_cases import (
    CORES,
    REASONS_ELSEWHERE,
    MarketCase,
    MarketComparison,
    market_cases,
)
from support.market.market_flow import RULES, Flow, Step, act_do, rules_make, steps_seeded
from support.rounds import ROUNDS, examples

pytestmark = pytest.mark.differential

steps_strategy = steps_drawn(100, 130)


@pytest.mark.random
@pytest.mark.parametrize("rules_name", RULES)
def test_markets_agree_on_any_sequence(rules_name: str) -> None:
    """After each of a hundred acts and more: the same events, the same hashes."""

    @settings(
        max_examples=examples(10),
        derandomize=True,
        database=None,
    )
    @given(steps_strategy)
    def agree(steps: list[Step]) -> None:
        Flow(CORES, RULES[rules_name]).run(steps)

    agree()


@pytest.mark.random
@pytest.mark.parametrize("rules_name", RULES)
def test_markets_agree_over_long_days(rules_name: str) -> None:
    """Long seeded sequences fill the books deeper than random lists do."""
    for seed in range(ROUNDS):
        Flow(CORES, RULES[rules_name]).run(steps_seeded(1000 + seed, 600))


@pytest.mark.random
@settings(
    max_examples=examples(80),
    derandomize=True,
    database=None,
)
@given(market_cases)
def test_markets_agree_on_batches_under_any_rules(case: MarketCase) -> None:
    """Drawn rules, batches in buffers of several sizes, copies and restored markets."""
    MarketComparison(case).take_all()


def test_a_listed_trade_that_is_undone_as_a_block_still_counts_among_the_last() -> None:
    """CEA-STL-04: no market gives such a record; both take it alike."""
    rules = rules_make(
        block_tonnes_min=0,
        bidding_tonnes_min=0,
        self_trade="allow",
        close_trades_last=1,
        gap_trading_days=1,
        order_count_max=9,
    )
    shapes = ((0, 12), (22, 19), (209, 24), (0, 12), (367_713, 12))
    segments = [Segment(*shape) for shape in shapes]
    MarketComparison(MarketCase(rules, 285_169, segments)).take_all()


REACHING_MOST = {
    *((7, name) for name in ("cea", "fees", "narrow", "blocks", "confirmed", "biddings")),
    (7, "auctions"),
    *((9, name) for name in ("cea", "confirmed")),
}


def test_every_event_and_every_reason_occurs() -> None:
    """The sequences above reach all that the market can say, on both markets alike."""
    kinds, reasons, operations = {*EventKind}, {*Reason} - REASONS_ELSEWHERE, {*Operation}
    # Those that reach the most come first: all the others are played only where something is left.
    for seed, name in sorted(product((7, 9), RULES), key=lambda each: each not in REACHING_MOST):
        flow = Flow(CORES, RULES[name])
        flow.run(steps_seeded(seed, 1200))
        events = flow.events
        kinds -= {*events["kind"].tolist()}
        # Two records lay other things over these fields.
        plain = events[~np.isin(events["kind"], (EventKind.DAY_CLOSED, EventKind.CHECKPOINT))]
        found = {*plain["reason"].tolist()}
        assert not found & REASONS_ELSEWHERE
        reasons -= found
        operations -= {*plain["command"].tolist()}
        if not kinds | reasons | operations:
            return
    assert (kinds, reasons, operations) == (set(), set(), set())


class KeepsPlaceOfMore(ListedTrading):
    """Wrong on purpose: an amend to just as many tonnes keeps its place."""

    def _amend_decision(self, command):
        order = self._state.orders[command.order_id]
        if (command.price, command.tonnes) == (order.price, order.tonnes_open):
            return Decision(keeps_place=True)
        return super()._amend_decision(command)


class PicksBehindTheBest(ListedTrading):
    """Wrong on purpose: a pick reaches behind the best price."""

    def _pick_available(self, taker, pick_order_id):
        maker = self._state.orders.get(pick_order_id)
        return super()._pick_available(taker, pick_order_id) or (
            maker is not None
            and maker.product_index == taker.product_index
            and maker.side != taker.side
            and price_crosses(taker.side, taker.price, maker.price)
            and maker.account_index != taker.account_index
        )


@pytest.mark.parametrize("wrong_trading", [KeepsPlaceOfMore, PicksBehindTheBest])
def test_a_wrong_market_is_found(wrong_trading: type[ListedTrading]) -> None:
    """The canaries: were these two thought to agree, the tests above would prove nothing."""

    class WrongMarket(ReferenceMarket):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._methods.listed = wrong_trading(self._state)

    with pytest.raises(AssertionError):
        for seed in range(8):
            Flow((WrongMarket, CompiledMarket), RULES["cea"]).run(steps_seeded(1000 + seed, 600))


@pytest.mark.parametrize("rules_name", RULES)
@pytest.mark.parametrize("rows_max", [1, 3, 8, 64])
def test_batches_of_any_size_lead_to_the_same_market(rules_name: str, rows_max: int) -> None:
    """However the buffers cut a run of commands, events and hashes are those of one by one."""
    flow = Flow((CompiledMarket,), RULES[rules_name])
    flow.run(steps_seeded(rows_max, 300))
    for make_core in CORES:
        events, core = events_in_batches(make_core, flow, rows_max)
        # Trades-only acts of the flow give all their events here, so only the rest must be equal.
        assert core.state_hash() == flow.market.state_hash()
        trades = events[events["kind"] == EventKind.TRADE]
        assert trades.tobytes() == flow.events[flow.events["kind"] == EventKind.TRADE].tobytes()
        assert events["seq"].tolist() == list(range(1, len(events) + 1))


def events_in_batches(
    make_core: Callable[..., Any], flow: Flow, rows_max: int
) -> tuple[np.ndarray, Any]:
    """Do a flow's acts again, all commands between two other acts at once."""
    core = make_core(flow.rules)
    events_all: list[np.ndarray] = []
    waiting: list[np.ndarray] = []

    def waiting_process() -> None:
        commands = np.concatenate([np.zeros(0, COMMAND_DTYPE), *waiting])
        waiting.clear()
        rows = rows_max
        while len(commands):
            (consumed, _, rows_needed), events = act_do(core, "process", (commands, rows, False))
            assert (rows_needed > 0) == (consumed < len(commands))
            commands = commands[consumed:]
            events_all.append(events)
            rows = max(rows_max, rows_needed)

    for name, arguments in flow.acts:
        if name != "process":
            waiting_process()
            _, events = act_do(core, name, arguments)
            if events is not None:
                events_all.append(events)
        # The flow's first try with too small a buffer did nothing; the second is the same command.
        elif not (waiting and waiting[-1] is arguments[0]):
            waiting.append(arguments[0])
    waiting_process()
    return np.concatenate(events_all), core


@pytest.mark.parametrize("make_core", CORES)
def test_a_buffer_too_small_stops_before_the_command(make_core: Callable[..., Any]) -> None:
    """The second command needs five rows: nothing of it happens until it gets them."""
    market = market_of_three_asks(make_core)
    commands = np.concatenate([enter(2, Side.SELL, 104, 1), enter(1, Side.BUY, 103, 40)])
    events = np.zeros(6, EVENT_DTYPE)
    assert market.process(commands, events) == (1, 2)
    assert market.rows_needed == 5
    before = market.state_hash()
    assert market.process(commands[1:], np.zeros(4, EVENT_DTYPE)) == (0, 0)
    assert market.rows_needed == 5
    assert market.state_hash() == before
    assert market.process(commands[1:], np.zeros(3, EVENT_DTYPE), True) == (1, 3)
    assert market.rows_needed == 0


def market_of_three_asks(make_core: Callable[..., Any]) -> Any:
    """Asks of 10 t at 101, 102 and 103, and a buyer with cash."""
    market = make_core(rules_make())
    market.product_declare(7, 100)
    for account_key in (1, 2, 3):
        market.account_declare(account_key)
    market.deposit(0, 0, 100)
    market.deposit(2, 0, 100)
    market.deposit(1, 65535, 1_000_000)
    market.day_open(20250716)
    market.phase_set(2)
    for client_order_id, price in enumerate((101, 102, 103), start=1):
        command = enter(0, Side.SELL, price, 10, client_order_id=client_order_id)
        market.process(command, np.zeros(2, EVENT_DTYPE))
    return market


def enter(
    account_index: int, side: Side, price: int, tonnes: int, client_order_id: int = 1
) -> np.ndarray:
    """One ENTER."""
    command = np.zeros(1, COMMAND_DTYPE)
    command["kind"] = CommandKind.ENTER
    command["side"] = side
    command["account_index"] = account_index
    command["client_order_id"] = client_order_id
    command["price"] = price
    command["tonnes"] = tonnes
    return command


MALFORMED = {
    "kind 0": {"kind": 0},
    "kind 12": {"kind": 12},
    "side 0": {"side": 0},
    "side 3": {"side": 3},
    "a tif that is none": {"tif": max(Tif) + 1},
    "flags 2": {"flags": 2},
    "reserved": {"reserved": 1},
}


@pytest.mark.parametrize("make_core", CORES)
@pytest.mark.parametrize("fields", MALFORMED.values(), ids=MALFORMED)
def test_malformed_row_is_named_and_nothing_is_done(
    make_core: Callable[..., Any], fields: dict[str, int]
) -> None:
    """A good command before it is not processed either."""
    market = market_of_three_asks(make_core)
    commands = np.concatenate([enter(1, Side.BUY, 103, 1), enter(1, Side.BUY, 103, 1, 2)])
    for name, value in fields.items():
        commands[name][1] = value
    before = market.state_hash()
    with pytest.raises(ValueError, match="1"):
        market.process(commands, np.zeros(9, EVENT_DTYPE))
    assert market.state_hash() == before


@pytest.mark.parametrize("make_core", CORES)
def test_arrays_of_another_type_are_refused(make_core: Callable[..., Any]) -> None:
    """A TypeError, not a reading of foreign bytes."""
    market = market_of_three_asks(make_core)
    with pytest.raises(TypeError):
        market.process(np.zeros(64, "u1"), np.zeros(2, EVENT_DTYPE))
    with pytest.raises(TypeError):
        market.process(np.zeros(1, COMMAND_DTYPE), np.zeros(2, COMMAND_DTYPE))


MISUSES = {
    "a product declared twice": (ValueError, "product_declare", (7, 100)),
    "a product without a price": (ValueError, "product_declare", (8, 0)),
    "a price above the highest": (ValueError, "product_declare", (8, 10_000_001)),
    "a key beyond 64 bits": (ValueError, "product_declare", (1 << 64, 100)),
    "a negative weight": (ValueError, "product_declare", (8, 100, -1)),
    "an account declared twice": (ValueError, "account_declare", (1,)),
    "a float of money": (TypeError, "deposit", (0, 65535, 1.0)),
    "a text of money": (TypeError, "deposit", (0, 65535, "1")),
    "a truth of money": (TypeError, "deposit", (0, 65535, True)),
    "money beyond 64 bits": (ValueError, "deposit", (0, 65535, 1 << 63)),
    "a negative account": (ValueError, "deposit", (-1, 65535, 1)),
    "a negative transfer_seq": (ValueError, "withdraw", (0, 65535, 1, -1)),
    "a second day": (ValueError, "day_open", (20250717,)),
    "no such phase": (ValueError, "phase_set", (5,)),
    "no such date": (ValueError, "day_open", (20250230,)),
    "a reference price of none": (ValueError, "reference_price_set", (0, 0)),
    "a product that is none": (IndexError, "product", (1,)),
    "an account that is none": (IndexError, "account", (3,)),
    "the reports of none": (IndexError, "report_seq", (3,)),
    "the orders of none": (IndexError, "orders_of", (3,)),
    "the best price of none": (IndexError, "best", (1, 1)),
}


@pytest.mark.parametrize("make_core", CORES)
@pytest.mark.parametrize(("error", "name", "arguments"), MISUSES.values(), ids=MISUSES)
def test_misuse_raises_and_changes_nothing(
    make_core: Callable[..., Any], error: type[Exception], name: str, arguments: tuple
) -> None:
    """Wrong types and values that no market could answer are exceptions, not events."""
    market = market_of_three_asks(make_core)
    before = market.state_hash()
    with pytest.raises(error):
        getattr(market, name)(*arguments)
    assert market.state_hash() == before


@pytest.mark.parametrize("make_core", CORES)
def test_a_day_must_be_open_to_be_closed(make_core: Callable[..., Any]) -> None:
    """Neither its phase nor its close without a day; and no date twice."""
    market = market_of_three_asks(make_core)
    market.day_close()
    before = market.state_hash()
    for name, arguments in (("day_close", ()), ("phase_set", (2,)), ("day_open", (20250716,))):
        with pytest.raises(ValueError):
            getattr(market, name)(*arguments)
    assert market.state_hash() == before


@pytest.mark.parametrize("make_core", CORES)
def test_a_snapshot_has_its_orders_as_records_by_priority(make_core: Callable[..., Any]) -> None:
    """The middle ask was amended last, so it comes last."""
    market = market_of_three_asks(make_core)
    change = enter(0, Side.SELL, 102, 10, client_order_id=4)
    change["kind"], change["order_id"] = CommandKind.AMEND, 2
    market.process(change, np.zeros(2, EVENT_DTYPE))
    orders = np.frombuffer(msgspec.msgpack.decode(market.snapshot())["orders"], ORDER_DTYPE)
    assert orders.tolist() == [
        (1, 1, 1, 0, 101, 10, 0, 0, Side.SELL, 0),
        (3, 3, 3, 0, 103, 10, 0, 0, Side.SELL, 0),
        (2, 2, 4, 0, 102, 10, 0, 0, Side.SELL, 0),
    ]


WRONG_ORDERS = {
    "half a record": lambda orders: orders.tobytes()[:-28],
    "a byte more": lambda orders: orders.tobytes() + b"\0",
    "a list": lambda orders: orders.tolist(),
    "an unknown account": lambda orders: with_field(orders, "account_index", 3),
    "an unknown product": lambda orders: with_field(orders, "product_index", 1),
    "no such side": lambda orders: with_field(orders, "side", 3),
    "no tonnes": lambda orders: with_field(orders, "tonnes_open", 0),
    "one id twice": lambda orders: with_field(orders, "order_id", 1),
    "one priority twice": lambda orders: with_field(orders, "priority", 1),
}


def with_field(orders: np.ndarray, name: str, value: int) -> bytes:
    """The records with another value in the second of them."""
    changed = orders.copy()
    changed[name][1] = value
    return changed.tobytes()


@pytest.mark.parametrize("make_core", CORES)
@pytest.mark.parametrize("spoil", WRONG_ORDERS.values(), ids=WRONG_ORDERS)
def test_a_snapshot_of_impossible_orders_is_refused(
    make_core: Callable[..., Any], spoil: Callable[[np.ndarray], Any]
) -> None:
    """By either core, before there is a market."""
    market = market_of_three_asks(make_core)
    state = msgspec.msgpack.decode(market.snapshot())
    state["orders"] = spoil(np.frombuffer(state["orders"], ORDER_DTYPE))
    with pytest.raises((TypeError, ValueError)):
        make_core.from_snapshot(market.rules, msgspec.msgpack.encode(state))


WRONG_BLOCKS = {
    "half a record": lambda blocks: blocks.tobytes()[:-40],
    "a list": lambda blocks: blocks.tolist(),
    "an unknown account": lambda blocks: with_field(blocks, "account_index", 3),
    "an unknown product": lambda blocks: with_field(blocks, "product_index", 1),
    "an unknown counterparty": lambda blocks: with_field(blocks, "counterparty_index", 3),
    "no such side": lambda blocks: with_field(blocks, "side", 3),
    "for two": lambda blocks: with_field(blocks, "flags", 3),
    "countered by nobody": lambda blocks: with_field(blocks, "flags", 32),
    "a lock of nobody": lambda blocks: with_field(with_flags(blocks, 0), "cash_locked", 1),
    "a lock below zero": lambda blocks: with_field(blocks, "tonnes_locked", -1),
    "a lock that is not there": lambda blocks: with_field(blocks, "tonnes_locked", 101),
    "a lock below what is offered": lambda blocks: with_field(blocks, "tonnes_locked", 9),
    "a lock beyond the terms": lambda blocks: with_field(blocks, "cash_locked", 1_001),
    "a price below zero": lambda blocks: with_field(blocks, "price", -1),
    "a price beyond all": lambda blocks: with_field(blocks, "price", 10_000_001),
    "an enquiry that locks": lambda blocks: with_field(blocks, "flags", 17),
    "one id twice": lambda blocks: with_field(blocks, "block_id", 4),
    "an id not given out": lambda blocks: with_field(blocks, "block_id", 6),
    "something reserved": lambda blocks: with_field(blocks, "reserved", 1),
}


def with_flags(blocks: np.ndarray, flags: int) -> np.ndarray:
    """The records with other flags in the second of them."""
    changed = blocks.copy()
    changed["flags"][1] = flags
    return changed


@pytest.mark.parametrize("make_core", CORES)
@pytest.mark.parametrize("spoil", WRONG_BLOCKS.values(), ids=WRONG_BLOCKS)
def test_a_snapshot_of_impossible_blocks_is_refused(
    make_core: Callable[..., Any], spoil: Callable[[np.ndarray], Any]
) -> None:
    """By either core; unspoiled, both take it."""
    market = make_core(rules_make(block_tonnes_min=10))
    market.product_declare(7, 100)
    for account_key in (1, 2, 3):
        market.account_declare(account_key)
    market.deposit(0, 0, 100)
    market.day_open(20250716)
    market.phase_set(4)
    commands = np.concatenate([enter(0, Side.SELL, 100, 10, n) for n in range(1, 6)])
    commands["kind"] = CommandKind.BLOCK_OFFER
    commands["flags"], commands["pick_order_id"] = 1, 1
    market.process(commands, np.zeros(5, EVENT_DTYPE))
    withdrawal = enter(0, Side.SELL, 0, 0, 6)
    withdrawal["kind"] = CommandKind.BLOCK_WITHDRAW
    for order_id in (1, 2, 3):
        withdrawal["order_id"], withdrawal["client_order_id"] = order_id, 5 + order_id
        market.process(withdrawal, np.zeros(1, EVENT_DTYPE))
    state = msgspec.msgpack.decode(market.snapshot())
    whole = make_core.from_snapshot(market.rules, market.snapshot())
    assert whole.state_hash() == market.state_hash()
    assert whole.block_ids() == [4, 5]
    state["blocks"] = spoil(np.frombuffer(state["blocks"], BLOCK_DTYPE))
    with pytest.raises((AssertionError, TypeError, ValueError)):
        make_core.from_snapshot(market.rules, msgspec.msgpack.encode(state)).check()


WRONG_BIDDINGS = {
    "half a record": ("biddings", lambda rows: rows.tobytes()[:-44]),
    "a list": ("biddings", lambda rows: rows.tolist()),
    "an unknown account": ("biddings", lambda rows: with_field(rows, "account_index", 3)),
    "an unknown product": ("biddings", lambda rows: with_field(rows, "product_index", 1)),
    "no such side": ("biddings", lambda rows: with_field(rows, "side", 3)),
    "no such pricing": ("biddings", lambda rows: with_field(rows, "pricing", 3)),
    "no such state": ("biddings", lambda rows: with_field(rows, "state", 3)),
    "no tonnes": ("biddings", lambda rows: with_field(rows, "tonnes", 0)),
    "more than is held": ("biddings", lambda rows: with_field(rows, "tonnes", 100)),
    "more awarded than offered": ("biddings", lambda rows: with_field(rows, "tonnes_awarded", 11)),
    "no floor": ("biddings", lambda rows: with_field(rows, "floor", 0)),
    "a floor above the ceiling": ("biddings", lambda rows: with_field(rows, "floor", 111)),
    "an amount too large": ("biddings", lambda rows: with_field(rows, "tonnes", 1 << 60)),
    "one name twice": ("biddings", lambda rows: with_field(rows, "bidding_key", 77)),
    "one id twice": ("biddings", lambda rows: with_field(rows, "bidding_id", 1)),
    "an id not given out": ("biddings", lambda rows: with_field(rows, "bidding_id", 9)),
    "something reserved": ("biddings", lambda rows: with_field(rows, "reserved", 1)),
    "half a bid": ("bids", lambda rows: rows.tobytes()[:-24]),
    "a bidder who is unknown": ("bids", lambda rows: with_field(rows, "account_index", 3)),
    "the applicant's own": ("bids", lambda rows: with_field(rows, "account_index", 0)),
    "in no bidding": ("bids", lambda rows: with_field(rows, "bidding_id", 3)),
    "in one not open yet": ("bids", lambda rows: with_field(rows, "bidding_id", 2)),
    "a bid below the floor": ("bids", lambda rows: with_field(rows, "price", 89)),
    "a bid of nothing": ("bids", lambda rows: with_field(rows, "tonnes", 0)),
    "a bid beyond its cash": ("bids", lambda rows: with_field(rows, "tonnes", 1 << 30)),
    "one bid twice": ("bids", lambda rows: with_field(rows, "bid_id", 3)),
    "a bid not given out": ("bids", lambda rows: with_field(rows, "bid_id", 9)),
    "a bid with something reserved": ("bids", lambda rows: with_field(rows, "reserved", 1)),
}


@pytest.mark.parametrize("make_core", CORES)
@pytest.mark.parametrize(("field", "spoil"), WRONG_BIDDINGS.values(), ids=WRONG_BIDDINGS)
def test_a_snapshot_of_impossible_biddings_is_refused(
    make_core: Callable[..., Any], field: str, spoil: Callable[[np.ndarray], Any]
) -> None:
    """By either core; unspoiled, both take it, bids and all."""
    market = make_core(rules_make(bidding_tonnes_min=10))
    market.product_declare(7, 100)
    for account_key in (1, 2, 3):
        market.account_declare(account_key)
    market.deposit(0, 0, 20)
    market.deposit(1, 65535, 10_000)
    market.day_open(20250716)
    for key, window in ((77, 2), (78, 1)):
        market.bidding_open(
            key, 0, 0, side=2, tonnes=10, limit=90, pricing=1, opens_at=5, window=window
        )
    commands = np.concatenate([enter(1, Side.BUY, 95, 6, client_order_id=n) for n in (1, 2)])
    commands["kind"], commands["order_id"] = CommandKind.BID, 1
    market.process(commands, np.zeros(2, EVENT_DTYPE))
    state = msgspec.msgpack.decode(market.snapshot())
    whole = make_core.from_snapshot(market.rules, market.snapshot())
    assert whole.state_hash() == market.state_hash()
    assert [bid["bid_id"] for bid in whole.bids(1)] == [3, 4]
    assert whole.bidding_close(1)["tonnes"].tolist() == [6, 4, 10]
    state[field] = spoil(np.frombuffer(state[field], {"bids": BID_DTYPE}.get(field, BIDDING_DTYPE)))
    with pytest.raises((AssertionError, TypeError, ValueError)):
        make_core.from_snapshot(market.rules, msgspec.msgpack.encode(state)).check()


def test_reference_imports_nothing_compiled() -> None:
    """The two share layouts and profile data, no deciding code."""
    code = (
        "import sys, cea_exchange.matching.reference as r; "
        "m = [n for n in sys.modules if n.startswith('cea_exchange')]; "
        "print([n for n in m if (sys.modules[n].__file__ or '').endswith(('.so', '.pyd'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
