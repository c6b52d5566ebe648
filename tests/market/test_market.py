"""The embedding API: names and text in, named events out."""

import json
import subprocess
import sys
import threading

import msgspec
import numpy as np
import pytest

from cea_exchange import COMMAND_DTYPE, EVENT_DTYPE, Market, Side, load_profile
from cea_exchange.domain.records import CommandKind, EventKind, Phase
from cea_exchange.matching.events import event_line
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.matching.sealing import sealed, unsealed
from support.market.market_scripts import CORES
from support.patience import patience


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def market(request: pytest.FixtureRequest) -> Market:
    """Listed trading is on; alice has cash, bob has allowances."""
    market = Market("cea", reference_prices={"CEA23": "97.49"}, core=request.param)
    market.deposit("alice", cash="1000000.00")
    market.deposit("bob", product="CEA23", tonnes=5_000)
    market.open_day("2025-07-16")
    market.phase("listed")
    return market


def test_an_order_and_its_trade(market: Market) -> None:
    """Events have attributes and keys, and are JSON as scripts write it."""
    accepted, rested = market.enter(
        "alice", "CEA23", Side.BUY, price="97.50", tonnes=100, order_id="a1"
    )
    assert accepted.event == accepted["event"] == "order_accepted"
    assert (rested.id, rested["price"], rested.tonnes) == ("a1", "97.50", 100)
    with pytest.raises(KeyError):
        rested["colour"]
    _, trade = market.enter("bob", "CEA23", "sell", price="97.00", tonnes=40, order_id="b1")
    assert trade.to_dict() == {
        "event": "trade",
        "seq": 9,
        "product": "CEA23",
        "method": "listed",
        "price": "97.50",
        "tonnes": 40,
        "buyer": "alice",
        "seller": "bob",
        "buy_id": "a1",
        "sell_id": "b1",
        "aggressor": "sell",
        "intra_group": False,
        "buy_fee": "0.00",
        "sell_fee": "0.00",
        "trade_id": 1,
    }
    assert json.loads(event_line(trade)) == trade.to_dict()
    assert market.depth("CEA23", Side.BUY) == [("97.50", 60, 1)]
    assert market.account("alice").holdings["CEA23"].bought_today == 40
    market.check()


def test_amend_and_cancel(market: Market) -> None:
    """The caller's id names the order."""
    market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=100, order_id="a1")
    (amended,) = market.amend("alice", "a1", price="97.50", tonnes=60)
    assert (amended.event, amended.tonnes) == ("order_amended", 60)
    (canceled,) = market.cancel("alice", "a1")
    assert (canceled.event, canceled.tonnes, canceled.reason) == ("order_canceled", 60, "REQUESTED")
    (rejected,) = market.cancel("alice", "a1")
    assert (rejected.event, rejected.reason) == ("order_rejected", "ORDER_UNKNOWN")


def test_pick_names_the_only_such_order_at_the_best_price(market: Market) -> None:
    """An id that two accounts use at that level can't be picked."""
    market.declare_account("carol")
    market.deposit("carol", product="CEA23", tonnes=100)
    market.enter("bob", "CEA23", Side.SELL, price="97.50", tonnes=10, order_id="s1")
    market.enter("carol", "CEA23", Side.SELL, price="97.50", tonnes=10, order_id="s2")
    market.enter("bob", "CEA23", Side.SELL, price="97.60", tonnes=10, order_id="s3")
    order = {"price": "97.60", "tonnes": 15}
    accepted, trade, canceled = market.enter(
        "alice", "CEA23", Side.BUY, order_id="a1", pick="s2", **order
    )
    assert (accepted.pick, trade.sell_id, trade.seller) == ("s2", "s2", "carol")
    assert (canceled.reason, canceled.tonnes) == ("PICK_REMAINDER", 5)
    market.enter("carol", "CEA23", Side.SELL, price="97.50", tonnes=10, order_id="s1")
    for pick in ("s1", "s3", "nobody"):
        (rejected,) = market.enter(
            "alice", "CEA23", Side.BUY, order_id="a2", pick=pick, **order
        )
        assert rejected.reason == "PICK_NOT_AVAILABLE"


def test_intra_group_trades_are_marked(market: Market) -> None:
    """Two accounts of one group."""
    market.declare_account("north", group="power")
    market.declare_account("south", group="power")
    market.deposit("north", product="CEA23", tonnes=10)
    market.deposit("south", cash="1000.00")
    market.enter("north", "CEA23", Side.SELL, price="97.50", tonnes=10, order_id="n1")
    *_, rested = market.enter("south", "CEA23", Side.BUY, price="97.50", tonnes=1, order_id="s1")
    assert rested.intra_group
    *_, trade = market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=1, order_id="a1")
    assert not trade.intra_group


MISUSE = {
    "float price": (TypeError, {"price": 97.5}),
    "integer price": (TypeError, {"price": 97}),
    "bad price": (ValueError, {"price": "97.5"}),
    "float tonnes": (TypeError, {"tonnes": 1.0}),
    "numpy float tonnes": (TypeError, {"tonnes": np.float64(1)}),
    "bool tonnes": (TypeError, {"tonnes": True}),
    "huge tonnes": (ValueError, {"tonnes": 1 << 63}),
    "bare side": (TypeError, {"side": 1}),
    "bad side": (ValueError, {"side": "BUY"}),
    "bad tif": (ValueError, {"tif": "gtc"}),
    "integer post_only": (TypeError, {"post_only": 1}),
    "integer id": (TypeError, {"order_id": 1}),
    "integer pick": (TypeError, {"pick": 1}),
    "no account": (TypeError, {"account": None}),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_raises_and_changes_nothing(market: Market, name: str) -> None:
    """Wrong types are exceptions, refusals are events."""
    error, change = MISUSE[name]
    arguments = {
        "account": "alice",
        "product": "CEA23",
        "side": Side.BUY,
        "price": "97.50",
        "tonnes": 1,
        "order_id": "a1",
    } | change
    before = market.state_hash()
    with pytest.raises(error):
        market.enter(**arguments)
    assert market.state_hash() == before


def test_misuse_of_transfers_and_days(market: Market) -> None:
    """Nothing of it opens an account or a day."""
    before = market.state_hash()
    for arguments in ({}, {"cash": "1.00", "tonnes": 1}, {"product": "CEA23"}, {"cash": "1"}):
        with pytest.raises(ValueError):
            market.deposit("carol", **arguments)
    with pytest.raises(TypeError):
        market.deposit("carol", cash=1.0)
    for date in ("2025-07-17", "2025-07-15"):
        with pytest.raises(ValueError):
            market.open_day(date)
    with pytest.raises(ValueError):
        market.clock("2025-07-15T12:00:00+08:00")
    with pytest.raises(ValueError):
        market.phase("open")
    with pytest.raises(LookupError):
        market.account("carol")
    assert market.state_hash() == before


def test_records_and_names_meet(market: Market) -> None:
    """Orders that came as records have their number for a text id; both ways work on one book."""
    commands = np.zeros(2, COMMAND_DTYPE)
    commands["kind"] = CommandKind.ENTER
    commands["side"] = Side.BUY
    commands["account_index"] = market.account_index("alice")
    commands["product_index"] = market.product_index("CEA23")
    commands["client_order_id"] = [7, 9]
    commands["price"] = [9750, 9740]
    commands["tonnes"] = 10
    events = np.zeros(3, EVENT_DTYPE)
    assert market.process(commands, events) == (1, 2)
    assert market.rows_needed == 2
    assert [event.id for event in market.events_named(events[:2])] == ["7", "7"]
    assert market.process(commands[1:], events) == (1, 2)
    _, trade = market.enter("bob", "CEA23", Side.SELL, price="97.50", tonnes=5, order_id="b1")
    assert (trade.buy_id, trade.tonnes) == ("7", 5)
    accepted, _ = market.enter("alice", "CEA23", Side.BUY, price="97.00", tonnes=1, order_id="a1")
    assert accepted.event == "order_accepted"
    _, trade, _ = market.enter(
        "bob", "CEA23", Side.SELL, price="97.50", tonnes=6, order_id="b2", pick="7"
    )
    assert trade.buy_id == "7"
    market.check()


def test_an_order_keeps_its_id_when_records_amend_and_cancel_it(market: Market) -> None:
    """Amends and cancels have numbers of their own; the order's is the one that entered it."""
    commands = np.zeros(3, COMMAND_DTYPE)
    commands["kind"] = [CommandKind.ENTER, CommandKind.AMEND, CommandKind.CANCEL]
    commands["side"] = Side.BUY
    commands["account_index"] = market.account_index("alice")
    commands["product_index"] = market.product_index("CEA23")
    commands["client_order_id"] = [11, 12, 13]
    commands["order_id"] = [0, 1, 1]
    commands["price"], commands["tonnes"] = 9750, [5, 4, 0]
    events = np.zeros(4, EVENT_DTYPE)
    assert market.process(commands, events) == (3, 4)
    shown = [(event.event, event.id) for event in market.events_named(events)]
    kinds = ("order_accepted", "order_rested", "order_amended", "order_canceled")
    assert shown == [(kind, "11") for kind in kinds]


class PatientMarket(ReferenceMarket):
    """Waits inside `process` until it may go on."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.is_inside, self.may_go_on = threading.Event(), threading.Event()

    def process(self, *args: object) -> tuple[int, int]:
        """Say that a thread is inside, and keep it there."""
        self.is_inside.set()
        assert self.may_go_on.wait(timeout=30 * patience())
        return super().process(*args)


def test_a_second_thread_inside_raises() -> None:
    """Also between two commands by name: they share one record, and none may get lost."""
    market = Market("open", reference_prices={"X": "1.00"}, core=PatientMarket)
    market.declare_account("alice")
    market.open_day("2025-07-16")
    market.phase("listed")
    terms = {"side": "buy", "price": "1.00", "tonnes": 1}
    first = threading.Thread(
        target=market.enter, args=("alice", "X"), kwargs=terms | {"order_id": "a1"}
    )
    first.start()
    assert market.core.is_inside.wait(timeout=30 * patience())
    for second in (lambda: market.enter("alice", "X", order_id="a2", **terms), market.state):
        with pytest.raises(RuntimeError, match="another thread is inside this market"):
            second()
    market.core.may_go_on.set()
    first.join()
    accepted, _ = market.enter("alice", "X", order_id="a2", **terms)
    assert (accepted.event, accepted.id) == ("order_accepted", "a2")
    assert market.depth("X", Side.BUY) == [("1.00", 2, 2)]


def test_a_command_may_give_more_events_than_the_buffer_holds(market: Market) -> None:
    """The buffer grows, and nothing happens twice."""
    for number in range(100):
        market.enter("bob", "CEA23", Side.SELL, price="97.50", tonnes=1, order_id=f"b{number}")
    events = market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=100, order_id="a1")
    assert [event.event for event in events] == ["order_accepted"] + ["trade"] * 100
    assert [event.sell_id for event in events[1:]] == [f"b{number}" for number in range(100)]


def test_snapshot_restore_and_copy(market: Market) -> None:
    """Both go on as the market does: same events, same hash."""
    market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=10, order_id="a1")
    market.state()
    others = [Market.restore(market.snapshot(), core=type(market.core)), market.copy()]
    expected = market.enter("bob", "CEA23", Side.SELL, price="97.50", tonnes=4, order_id="b1")
    expected += market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=4, order_id="a1")
    expected += market.clock("2025-07-17T15:00:00+08:00")
    for other in others:
        shown = other.enter("bob", "CEA23", Side.SELL, price="97.50", tonnes=4, order_id="b1")
        shown += other.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=4, order_id="a1")
        shown += other.clock("2025-07-17T15:00:00+08:00")
        assert shown == expected
        assert other.state_hash() == market.state_hash()
        assert other.profile == market.profile


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda market: market.declare_product("CEA23", "1.00"), "product: expected a new name"),
        (lambda market: market.deposit("", cash="1.00"), "account: expected one or more visible"),
        (lambda market: market.deposit("alice"), "a transfer: expected cash, or product"),
        (lambda market: market.core.day_close(), "day_close: expected an open day, got none"),
        (lambda market: market.core.phase_set(2), "phase_set: expected an open day, got none"),
        (lambda market: market.phase("listed"), "phase: expected an open day, got none"),
    ],
)
def test_an_error_says_what_was_expected_and_what_was_given(market: Market, act, says) -> None:
    market.close_day()
    with pytest.raises(ValueError, match=says) as raised:
        act(market)
    assert "got" in str(raised.value)


def test_a_side_of_an_array_is_text(market: Market) -> None:
    (side,) = np.array(["buy"])
    accepted, _ = market.enter("alice", "CEA23", side, price="97.50", tonnes=1, order_id="a1")
    assert accepted["side"] == "buy"
    with pytest.raises(ValueError, match="side: expected one of buy, sell, got 'hold'"):
        market.enter("alice", "CEA23", np.str_("hold"), price="97.50", tonnes=1, order_id="a2")


@pytest.mark.parametrize(("flag", "taken"), [(np.True_, True), (np.False_, False)])
def test_a_row_of_an_array_says_yes_and_no(market: Market, flag: np.bool_, taken: bool) -> None:
    accepted, *_ = market.enter(
        *("alice", "CEA23", "buy"),
        price="97.50", tonnes=np.int64(10), order_id="a1", post_only=flag,
    )
    assert accepted.post_only is taken


def test_a_bit_that_flips_in_a_snapshot_is_found(market: Market) -> None:
    """Half of them gave a market with another name, rule or holding."""
    market.enter("alice", "CEA23", Side.BUY, price="97.50", tonnes=10, order_id="a1")
    data = market.snapshot()
    for place in range(0, len(data), 7):
        flipped = data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]
        with pytest.raises(ValueError, match="got one whose checksum is another's"):
            Market.restore(flipped)
        with pytest.raises(ValueError, match="got one whose checksum is another's"):
            Market.restore(data[:place])


OTHER_BYTES = [b"", b"\x80", b"nonsense", msgspec.msgpack.encode({"version": 1})]
OTHER_BYTES += [sealed(data) for data in OTHER_BYTES]


@pytest.mark.parametrize("data", OTHER_BYTES)
def test_restore_refuses_other_bytes(data: bytes) -> None:
    """ValueError, not something deeper."""
    with pytest.raises(ValueError):
        Market.restore(data)


@pytest.mark.parametrize("change", [{"phase": -1}, {"trading_date": 1 << 40}, {"orders": [[]]}])
def test_restore_refuses_numbers_that_can_not_be(change: dict) -> None:
    """A damaged snapshot is a ValueError too."""
    state = msgspec.msgpack.decode(unsealed(Market("cea").snapshot()))
    state["core"] = msgspec.msgpack.encode(msgspec.msgpack.decode(state["core"]) | change)
    with pytest.raises(ValueError, match="^(?!.*checksum)"):
        Market.restore(sealed(msgspec.msgpack.encode(state)))


MADE_WRONG = [
    ({"reference_prices": ["CEA23"]}, r"reference_prices: expected a mapping .*, got list$"),
    ({"reference_prices": "CEA23"}, r"reference_prices: expected a mapping such as .*, got str$"),
    ({"reference_prices": {"CEA23": 97}}, "price: expected str such as '97.49', got int$"),
    ({"core": "reference"}, "core: expected a class such as ReferenceMarket, got 'reference'$"),
    ({"core": dict}, "core: expected a class such as ReferenceMarket, got <class 'dict'>$"),
    ({"core": ReferenceMarket(load_profile("cea").rules)}, "core: expected a class"),
    ({"profile": {"CEA23": "97.49"}}, "profile: expected a name such as .*, got dict$"),
]


@pytest.mark.parametrize(("made", "message"), MADE_WRONG)
def test_a_market_says_what_it_is_made_of(made: dict, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Market(**made)
    if "core" in made:
        with pytest.raises(TypeError, match=message):
            Market.restore(Market().snapshot(), **made)


def test_looking_for_what_is_not_there_is_a_lookup_error(market: Market) -> None:
    with pytest.raises(LookupError, match="product: expected one of CEA23, got 'CEA99'"):
        market.depth("CEA99", "buy")
    with pytest.raises(LookupError, match="account: expected a declared one, got 'nobody'"):
        market.account("nobody")


@pytest.mark.parametrize("core", CORES)
def test_a_market_and_its_core_say_where_they_stand(core: type) -> None:
    market = Market("cea", reference_prices={"CEA23": "97.49"}, core=core)
    assert repr(market) == "<Market cea, no day yet closed: 1 products, 0 accounts, 0 orders>"
    market.deposit("alice", cash="1000.00")
    market.open_day("2025-07-16")
    market.phase("listed")
    market.enter("alice", "CEA23", "buy", price="97.50", tonnes=1, order_id="a1")
    assert repr(market) == "<Market cea, 2025-07-16 listed: 1 products, 1 accounts, 1 orders>"
    core_said = f"<{core.__name__} 20250716 LISTED: 1 products, 1 accounts, 1 of 2097152 orders>"
    assert repr(market.core) == core_said


def test_snapshots_pass_between_cores() -> None:
    """The format is one."""
    compiled, reference = CORES
    market = Market("cea", reference_prices={"CEA23": "97.49"}, core=compiled)
    market.deposit("alice", cash="1.00")
    other = Market.restore(market.snapshot(), core=reference)
    assert other.state_hash() == market.state_hash()
    assert other.snapshot() == market.snapshot()


def test_day_totals_have_128_bits() -> None:
    """A day's amount may pass 2^63 fen."""
    market = Market("open", reference_prices={"X": "100000.00"})
    market.declare_account("one")
    market.open_day("2025-07-16")
    market.phase(Phase.LISTED)
    tonnes = (1 << 59) // 10_000_000
    for number in range(40):
        for side in (Side.BUY, Side.SELL):
            order = {"price": "100000.00", "tonnes": tonnes, "order_id": f"{side.name}{number}"}
            market.enter("one", "X", side, **order)
    (closed,) = (event for event in market.close_day() if event.event == "day_closed")
    fen = 40 * tonnes * 10_000_000
    assert fen > 1 << 63
    assert closed.amount.listed == f"{fen // 100}.{fen % 100:02d}"


def test_import_is_light() -> None:
    """No ZeroMQ, no database, no command line."""
    code = (
        "import sys, cea_exchange; cea_exchange.Market; cea_exchange.OrderBook; "
        "cea_exchange.EVENT_DTYPE; "
        "sys.exit(sorted({'zmq', 'apsw', 'typer'} & set(sys.modules)) or 0)"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr


def test_names_of_the_package() -> None:
    """What `__all__` promises is there."""
    import cea_exchange

    for name in cea_exchange.__all__:
        assert getattr(cea_exchange, name) is not None
    with pytest.raises(AttributeError):
        _ = cea_exchange.no_such_name
    assert EventKind.TRADE == 7
