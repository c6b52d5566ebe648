"""A bust: both legs of a trade go back, or nothing moves and the event says why; on both cores."""

import numpy as np
import pytest

from cea_exchange.domain.records import (
    COMMAND_DTYPE,
    DAY_CLOSED_DTYPE,
    EVENT_DTYPE,
    PRODUCT_NONE,
    CommandKind,
    EventKind,
    Phase,
    Reason,
    Side,
)
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.protocol import control
from cea_exchange.venue._reports import reports_by_account
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.journal.small_market import TRADING_DATE, feed, orders
from support.market.market_scripts import CORES, cea_with

ALICE, BOB = 0, 1
FEES = cea_with(fee_bp=100)


class Market:
    """A machine, its events, and the ids its orders take."""

    def __init__(self, core):
        self.machine = VenueStateMachine(FEES, core)
        self.core = self.machine.core
        self.client_order_id = 0
        self.events = []
        for message in (*feed(), control.DayOpen(date=TRADING_DATE), control.PhaseSet(phase=2)):
            self.act(message)

    def act(self, message):
        events = self.machine.apply_control(message)
        self.events.append(events)
        return events

    def enter(self, account, side, price, tonnes):
        self.client_order_id += 1
        events = self.machine.apply_records(
            orders((account, self.client_order_id, side, price, tonnes))
        )
        self.events.append(events)
        return events

    def trade(self, price=9_700, tonnes=10, buyer=ALICE):
        """Let the buyer buy from the other, who waits in the book; return the TRADE."""
        self.enter(1 - buyer, Side.SELL, price, tonnes)
        events = self.enter(buyer, Side.BUY, price, tonnes)
        return events[events["kind"] == EventKind.TRADE]

    def bust(self, trade, **changed):
        terms = {"by": "ops1", "second": "ops2", "why": "a slip of the finger"} | changed
        seq = terms.pop("settlement_seq", int(trade["settlement_seq"][0]))
        return self.act(control.TradeBust(settlement_seq=seq, trade=trade.tobytes(), **terms))

    def account(self, index):
        account = self.core.account(index)
        return account["cash"], account["proceeds_today"], account["holdings"].get(0, (0, 0, 0))


@pytest.fixture(params=CORES, ids=lambda core: core.__name__)
def market(request):
    return Market(request.param)


def test_a_bust_is_as_if_there_had_been_no_trade(market):
    """CEA-STL-04: cash, tonnes, fees, what is bound until tomorrow; each side is told."""
    before = [market.account(index) for index in (ALICE, BOB)]
    trade = market.trade()
    assert (int(trade["buy_fee"][0]), int(trade["sell_fee"][0])) == (970, 970)
    assert market.account(ALICE) == (before[0][0] - 97_970, 0, (5_010, 0, 10))
    assert market.account(BOB) == (before[1][0] + 96_030, 97_000, (4_990, 0, 0))
    (busted,) = market.bust(trade)
    assert [market.account(index) for index in (ALICE, BOB)] == before
    market.core.check()
    same = ("trade_id", "side", "method", "product_index", "account_index", "order_id", "price")
    for name in (*same, "counter_account_index", "tonnes", "cash", "buy_fee", "sell_fee"):
        assert busted[name] == trade[name][0]
    assert busted["reason"] == Reason.NONE
    for seq in ("report_seq", "counter_report_seq", "settlement_seq", "market_data_seq", "seq"):
        assert busted[seq] > trade[seq][0]
    assert busted["settlement_seq"] == market.core.settlement_seq
    assert busted["market_data_seq"] == market.core.market_data_seq


def test_each_party_reads_its_own_side_of_a_bust(market):
    """As of a trade: nothing of the other's name, id or fee."""
    busted = market.bust(market.trade())
    (first, taker), (second, maker) = reports_by_account(busted)
    assert (first, second) == (ALICE, BOB)
    taker, maker = (np.frombuffer(payload, EVENT_DTYPE)[0] for payload in (taker, maker))
    assert taker["report_seq"] == market.core.report_seq(ALICE)
    assert maker["counter_report_seq"] == market.core.report_seq(BOB)
    assert (taker["buy_fee"], taker["sell_fee"], maker["buy_fee"], maker["sell_fee"]) == (
        970, 0, 0, 970,
    )  # fmt: skip
    assert not taker["counter_report_seq"] and not maker["report_seq"]


def test_the_open_days_statistics_forget_a_busted_trade_but_for_its_prices(market):
    """CEA-STL-04, CEA-LST-08: the close is the mean of what stands; high and low are what was."""
    dear, cheap = market.trade(price=10_000, tonnes=30), market.trade(price=9_600, tonnes=10)
    market.bust(dear)
    product = market.core.product(0)
    assert (product["volume"], product["amount"]) == (10, 96_000)
    assert (product["open"], product["high"], product["low"]) == (10_000, 10_000, 9_600)
    market.bust(cheap)
    events = market.act(control.DayClose())
    (closed,) = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    assert (closed["volume_listed"], closed["amount_listed_low"]) == (0, 0)
    assert closed["close"] == 9_749


def test_what_was_sold_on_can_not_come_back(market):
    """CEA-STL-04: nothing moves, and the event says why; nothing of it is public."""
    trade = market.trade(tonnes=5_000)
    for message in (control.DayClose(), control.DayOpen(date=20250102), control.PhaseSet(phase=2)):
        market.act(message)
    market.enter(ALICE, Side.SELL, 10_500, 5_001)
    before = market.core.holdings_hash(), market.core.market_data_seq
    accounts = [market.account(index) for index in (ALICE, BOB)]
    (busted,) = market.bust(trade)
    assert busted["reason"] == Reason.ALLOWANCES_INSUFFICIENT
    assert busted["settlement_seq"] and busted["report_seq"] and busted["counter_report_seq"]
    assert (market.core.holdings_hash(), market.core.market_data_seq) == before
    assert [market.account(index) for index in (ALICE, BOB)] == accounts


def test_what_was_spent_can_not_come_back(market):
    """CEA-STL-04: the seller's cash is in an order, then free again; a bust comes once."""
    trade, twin = market.trade(tonnes=100), market.trade(tonnes=100)
    cash = market.core.account(BOB)["cash"]
    for _ in range(2):
        market.enter(BOB, Side.BUY, 9_600, cash // 9_696 // 2)
    (busted,) = market.bust(trade)
    assert busted["reason"] == Reason.CASH_INSUFFICIENT
    market.act(control.Kill(account="bob"))
    assert market.bust(twin)["reason"].tolist() == [Reason.NONE]
    with pytest.raises(FrameError, match="was busted already"):
        market.bust(trade)
    market.core.check()


def test_an_older_trade_takes_todays_purchases_where_the_others_are_gone(market):
    """CEA-STL-04: allowances are alike; what is left bound until tomorrow is what there is."""
    old = market.trade(tonnes=100)
    for message in (control.DayClose(), control.DayOpen(date=20250102), control.PhaseSet(phase=2)):
        market.act(message)
    market.trade(tonnes=60, buyer=BOB)
    market.trade(tonnes=40)
    market.enter(ALICE, Side.SELL, 10_500, 5_100 - 60 - 50)
    assert market.account(ALICE)[2] == (5_080, 4_990, 40)
    assert market.bust(old)["reason"].tolist() == [Reason.ALLOWANCES_INSUFFICIENT]
    market.act(control.Kill(account="alice"))
    market.act(control.Restore(account="alice"))
    small = market.trade(tonnes=1)
    assert market.bust(small)["reason"].tolist() == [Reason.NONE]
    market.core.check()


def test_a_trade_of_the_closed_day_frees_what_it_bound(market):
    """Between days its purchases are still bound; its statistics are published and stay."""
    trade = market.trade()
    market.act(control.DayClose())
    before = market.core.product(0)
    (busted,) = market.bust(trade)
    assert (busted["reason"], busted["trading_date"]) == (Reason.NONE, 0)
    assert market.account(ALICE)[2] == (5_000, 0, 0) and market.account(BOB)[1] == 0
    assert market.core.product(0) == before
    market.core.check()


def test_a_bust_takes_two_persons_and_a_true_record(market):
    """CEA-STL-04: what does not hold is refused before the journal, and changes nothing."""
    trade = market.trade()
    before = market.core.state_hash()
    for changed, complaint in (
        ({"by": ""}, "two persons"),
        ({"second": ""}, "two persons"),
        ({"second": "ops1"}, "two persons"),
        ({"settlement_seq": 1}, "settlement_seq of the record: expected 1"),
    ):
        with pytest.raises(FrameError, match=complaint):
            market.bust(trade, **changed)
    assert market.core.state_hash() == before and not market.machine.busted


FORGERIES = {
    "no trade": {"kind": EventKind.ORDER_ACCEPTED},
    "a bust": {"kind": EventKind.TRADE_BUSTED},
    "of no method": {"method": 0},
    "of no side": {"side": 3},
    "of nobody": {"account_index": 2},
    "with nobody": {"counter_account_index": 2**32 - 1},
    "of cash": {"product_index": PRODUCT_NONE},
    "of none": {"trade_id": 0},
    "of tomorrow": {"trade_id": 2},
    "of a day to come": {"trading_date": TRADING_DATE + 1},
    "of no day": {"trading_date": 0},
    "before its event": {"seq": 2**63},
    "more than the day's": {"tonnes": 11, "cash": 11 * 9_700},
    "of less than nothing": {"tonnes": -10, "cash": -97_000},
    "of a huge amount": {"price": 10_000_000, "tonnes": 2**60, "cash": 0},
    "for other money": {"cash": 1},
    "for a fee below nothing": {"buy_fee": -1},
    "for a huge fee": {"buy_fee": 2**62},
    "for a fee above the proceeds": {"sell_fee": 97_001},
}


@pytest.mark.parametrize("fields", FORGERIES.values(), ids=FORGERIES)
def test_a_record_that_is_no_trade_of_the_market_is_refused(market, fields):
    """By the machine before the journal, and by the core itself."""
    forged = market.trade().copy()
    for name, value in fields.items():
        forged[name] = value
    before = market.core.state_hash()
    with pytest.raises(FrameError, match="^bust: .*expected .*, got ") as refused:
        market.bust(forged)
    assert refused.value.code is VenueRefusal.TRADE_UNKNOWN
    with pytest.raises(ValueError, match="^trade: "):
        market.core.trade_bust(forged.tobytes())
    assert market.core.state_hash() == before


@pytest.mark.parametrize("trade", [b"", bytes(159), bytes(161)])
def test_a_record_has_its_length(market, trade):
    with pytest.raises(ValueError, match="160 bytes"):
        market.core.trade_bust(trade)
    with pytest.raises(TypeError, match="expected bytes"):
        market.core.trade_bust(bytearray(trade))
    message = control.TradeBust(settlement_seq=1, trade=trade)
    with pytest.raises(control.ControlError, match="length"):
        control.control_decode(control.control_encode(message))


def test_both_cores_refuse_in_the_same_words_and_end_alike():
    """The faults name what was wrong with the same sentence, and busts lead to the same state."""
    markets = [Market(core) for core in CORES]
    for fields in FORGERIES.values():
        faults = set()
        for market in markets:
            forged = market.trade().copy()
            for name, value in fields.items():
                forged[name] = value
            faults.add(market.core.trade_bust_fault(forged.tobytes()))
        assert len(faults) == 1
    shown = [np.concatenate(market.events) for market in markets]
    assert shown[0].dtype == EVENT_DTYPE and shown[0].tobytes() == shown[1].tobytes()
    for market in markets:
        for trade in shown[0][shown[0]["kind"] == EventKind.TRADE]:
            market.bust(trade.reshape(1))
    shown = [np.concatenate(market.events) for market in markets]
    assert shown[0].tobytes() == shown[1].tobytes()
    assert markets[0].core.state_hash() == markets[1].core.state_hash()
    assert markets[0].core.phase == Phase.LISTED


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_a_block_trade_is_busted_out_of_its_own_sums(core):
    """CEA-STL-04, CEA-BLK-08, CEA-BLK-09: volume by method, within the group too; not the close."""
    machine = VenueStateMachine(FEES, core)
    machine.apply_control(control.ProductDeclared(product="CEA23", reference_price=9_749))
    for account in ("alice", "bob"):
        machine.apply_control(control.AccountDeclared(account=account, group="power"))
        machine.apply_control(control.TransferIn(account=account, amount=10**10))
        machine.apply_control(
            control.TransferIn(account=account, product="CEA23", amount=1_000_000)
        )
    machine.apply_control(control.DayOpen(date=TRADING_DATE))
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED_AND_BLOCK))
    before = [machine.core.account(index) for index in (ALICE, BOB)]
    commands = np.zeros(4, COMMAND_DTYPE)
    commands["kind"] = (CommandKind.BLOCK_OFFER, CommandKind.BLOCK_ACCEPT) * 2
    commands["account_index"] = (BOB, ALICE) * 2
    commands["client_order_id"] = (1, 1, 2, 2)
    commands["side"] = (Side.SELL, 0) * 2
    commands["order_id"] = (0, 1, 0, 2)
    commands["price"], commands["tonnes"] = (12_000, 0) * 2, (100_000, 0) * 2
    events = machine.apply_records(commands)
    trades = events[events["kind"] == EventKind.TRADE]
    assert len(trades) == 2
    for trade, volume in zip(trades, (100_000, 0), strict=True):
        (busted,) = machine.apply_control(
            control.TradeBust(
                by="ops1",
                second="ops2",
                why="a slip of the finger",
                settlement_seq=int(trade["settlement_seq"]),
                trade=trade.tobytes(),
            )
        )
        assert (busted["kind"], busted["reason"]) == (EventKind.TRADE_BUSTED, Reason.NONE)
        product = machine.core.product(0)
        assert product["block_volume"] == product["intra_group_volume"] == volume
        assert product["block_amount"] == 12_000 * volume
    assert [machine.core.account(index) for index in (ALICE, BOB)] == before
    assert machine.core.trade_bust_fault(trades[0].tobytes()) is not None
    events = machine.apply_control(control.DayClose())
    (closed,) = events[events["kind"] == EventKind.DAY_CLOSED].view(DAY_CLOSED_DTYPE)
    assert (closed["close"], closed["volume_block"], closed["volume_intra_group"]) == (9_749, 0, 0)
    machine.core.check()


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.__name__)
def test_what_was_traded_within_groups_holds_a_busted_trade_of_one(core):
    """CEA-STL-04, CEA-BLK-09: what others traded by block is no room for a trade within a group.

    Nor the other way about.
    """
    market = core(FEES.rules)
    market.product_declare(1, 9_749)
    for account_key, group_index in ((1, 1), (2, 1), (3, 2)):
        index = market.account_declare(account_key, group_index)
        market.deposit(index, PRODUCT_NONE, 10**10)
        market.deposit(index, 0, 1_000_000)
    market.day_open(TRADING_DATE)
    market.phase_set(Phase.LISTED_AND_BLOCK)
    commands = np.zeros(4, COMMAND_DTYPE)
    commands["kind"] = (CommandKind.BLOCK_OFFER, CommandKind.BLOCK_ACCEPT) * 2
    commands["account_index"] = (0, 1, 0, 2)
    commands["client_order_id"] = (1, 1, 2, 1)
    commands["side"] = (Side.SELL, 0) * 2
    commands["order_id"] = (0, 1, 0, 2)
    commands["price"], commands["tonnes"] = (9_749, 0) * 2, (100_000, 0) * 2
    events = np.zeros(4, EVENT_DTYPE)
    assert market.process(commands, events) == (4, 4)
    within_group, other = (event.tobytes() for event in events[1::2])
    again = market.copy()
    assert again.trade_bust(other)["reason"] == Reason.NONE
    no_tonnes = "tonnes: expected within the day's 0, got 100000"
    assert again.trade_bust_fault(other) == no_tonnes
    assert again.product(0)["block_volume"] == again.product(0)["intra_group_volume"] == 100_000
    assert market.trade_bust(within_group)["reason"] == Reason.NONE
    assert market.trade_bust_fault(within_group) == no_tonnes
    assert market.trade_bust_fault(other) is None
    assert market.product(0)["intra_group_volume"] == 0
    market.check()
