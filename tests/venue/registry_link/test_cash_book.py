"""The exchange's cash book: bank, events and balances agree, and the fees are the exchange's."""

import msgspec
import numpy as np
import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile, profile_parse
from cea_exchange.domain.records import EventKind, Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.venue.market import cash_book
from cea_exchange.venue.market.cash_book import CashFlow
from cea_exchange.venue.market.state_machine import VenueStateMachine
from support.venue.venue_world import enter

NO_GAP = 'gap_trading_days = {value = 0, rule = "CCER-FND-03"}'
CCER = load_profile("ccer")
GAPLESS = profile_parse(
    CCER.text.replace('gap_trading_days = {value = 5, rule = "CCER-FND-03"}', NO_GAP), "gapless"
)
PRODUCT, MONDAY, TUESDAY = "CCER-01-002-0001-2024", 20260302, 20260303


@pytest.fixture(params=[CompiledMarket, ReferenceMarket], ids=["compiled", "reference"])
def machine(request):
    """Alice has 100,000.00 yuan, bob 5,000 t; the first session runs."""
    machine = VenueStateMachine(GAPLESS, request.param)
    feed(machine, control.ProductDeclared(product=PRODUCT, reference_price=7076))
    for account in ("alice", "bob"):
        feed(machine, control.AccountDeclared(account=account))
    feed(machine, control.TransferIn(account="bob", product=PRODUCT, amount=5_000))
    machine.apply_control(control.ListingConfirmed(product=PRODUCT))
    begin(machine, MONDAY)
    pay(machine, "alice", 10_000_000, "BK1")
    return machine


def feed(machine, command):
    return machine.apply_control(
        control.FeedItem(transfer_seq=machine.feed_seq + 1, command=command)
    )


def begin(machine, day):
    machine.apply_control(control.DayOpen(date=day))
    machine.apply_control(control.PhaseSet(phase=int(Phase.LISTED_AND_BLOCK)))


def pay(machine, account, fen, reference):
    kind = control.CashPaidIn if fen > 0 else control.CashPaidOut
    return machine.apply_control(
        kind(account=account, amount=abs(fen), reference=reference, by="an", second="bo")
    )


def trade(machine, tonnes, *, taker="buy", lend=False):
    """Let alice buy of bob at 70.76; return the trade's event."""
    seq, sides = machine.core.command_seq, {"buy": 0, "sell": 1}
    maker = "sell" if taker == "buy" else "buy"
    orders = np.stack([
        enter(seq + n, side, 7076, tonnes, account_index=sides[side], trading_date=MONDAY)
        for n, side in enumerate((maker, taker), 1)
    ])
    events = machine.apply_records(orders, lend=lend)
    (traded,) = events[events["kind"] == EventKind.TRADE].copy()
    return traded


def book(machine):
    return cash_book.shown(*machine.cash_records())


@pytest.mark.parametrize("lend", [False, True])
@pytest.mark.parametrize("taker", ["buy", "sell"])
def test_the_fees_of_both_sides_are_the_exchanges(machine, taker, lend):
    """CCER-STL-01, CCER-FEE-01: 1,000 t at 70.76 bring 424.56 from each."""
    trade(machine, 1_000, taker=taker, lend=lend)
    assert machine.cash_flows == {
        "alice": CashFlow(booked=10_000_000, traded=-7_076_000, fees=42_456),
        "bob": CashFlow(traded=7_076_000, fees=42_456),
    }
    assert book(machine) == {
        "payments": 1, "booked": "10000000", "held": "9915088", "fees": "84912", "differences": [],
        "corrections": {},
    }


def test_a_trade_that_is_undone_takes_its_fees_back(machine):
    """CCER-STL-02, CEA-STL-04"""
    traded = trade(machine, 1_000)
    machine.apply_control(
        control.TradeBust(
            by="an", second="bo", settlement_seq=int(traded["settlement_seq"]),
            trade=traded.tobytes(),
        )
    )
    assert book(machine)["fees"] == "0"
    assert machine.cash_flows["alice"] == CashFlow(booked=10_000_000)
    assert book(machine)["differences"] == []


def test_what_the_bank_paid_out_and_what_moved_nothing_come_out(machine):
    """CCER-CSH-01, CCER-STL-02: a payment that is refused keeps its reference."""
    pay(machine, "alice", -4_000_000, "BK2")
    pay(machine, "alice", -6_000_001, "BK3")
    assert machine.payments == {
        "BK1": ("alice", 10_000_000), "BK2": ("alice", -4_000_000), "BK3": ("alice", 0),
    }
    assert (book(machine)["held"], book(machine)["differences"]) == ("6000000", [])


def test_the_book_outlives_a_snapshot(machine):
    """CCER-STL-02"""
    trade(machine, 7)
    again = VenueStateMachine.restore(GAPLESS, machine.snapshot(), type(machine.core))
    assert book(again) == book(machine)
    assert book(again)["fees"] == "596"


@pytest.mark.parametrize(
    ("spoilt", "by_reference", "by_events"),
    [("payment", "9999999", "10000000"), ("flow", "10000000", "10000001")],
)
def test_no_day_opens_on_cash_that_does_not_come_out(machine, spoilt, by_reference, by_events):
    """CCER-STL-02: the exchange's confirmation of the day is this."""
    machine.apply_control(control.DayClose())
    assert machine.refusal(control.DayOpen(date=TUESDAY)) is None
    if spoilt == "payment":
        machine.payments["BK1"] = ("alice", 9_999_999)
    else:
        flow = machine.cash_flows["alice"]
        machine.cash_flows["alice"] = msgspec.structs.replace(flow, traded=1)
    with pytest.raises(FrameError, match="cash to come out, got .*'alice'") as refused:
        machine.apply_control(control.DayOpen(date=TUESDAY))
    assert refused.value.code is VenueRefusal.CASH_DIFFERS
    assert book(machine)["differences"] == [{
        "account": "alice", "by_reference": by_reference, "booked": "10000000",
        "by_events": by_events, "cash": "10000000",
    }]


def correct(machine, cash, account="alice", **named):
    """Let two persons say what an account has."""
    terms = {"by": "an", "second": "bo", "why": "bank file read twice"} | named
    return machine.apply_control(control.CashCorrected(account=account, cash=cash, **terms))


@pytest.mark.parametrize("spoilt", ["payment", "flow", "market"])
@pytest.mark.parametrize("found", [10_000_000, 10_000_001, 9_999_000, 0])
def test_two_persons_correct_what_does_not_come_out(machine, spoilt, found):
    """CCER-STL-03: whichever record was wrong, and whatever they find; then the day opens."""
    machine.apply_control(control.DayClose())
    if spoilt == "payment":
        machine.payments["BK1"] = ("alice", 9_999_999)
    elif spoilt == "flow":
        machine.cash_flows["alice"].booked += 5
    else:
        machine.core.deposit(0, 65_535, 7)
    by_bank = 9_999_999 if spoilt == "payment" else 10_000_000
    correct(machine, found)
    answered = book(machine)
    assert (answered["differences"], answered["held"]) == ([], str(found))
    added = found - by_bank
    assert answered["corrections"] == ({"alice": str(added)} if added else {})
    assert machine.core.account(0)["cash"] == found
    again = VenueStateMachine.restore(GAPLESS, machine.snapshot(), type(machine.core))
    assert book(again) == answered
    machine.apply_control(control.DayOpen(date=TUESDAY))


def test_a_correction_of_cash_that_trades_moved_keeps_what_they_moved(machine):
    """CCER-STL-03: fees and the other account stay as they are."""
    trade(machine, 1_000)
    machine.payments["BK1"] = ("alice", 10_000_100)
    correct(machine, 2_881_644)
    answered = book(machine)
    assert (answered["fees"], answered["differences"]) == ("84912", [])
    assert machine.cash_flows["alice"].traded == -7_076_000


def test_a_correction_that_the_market_refuses_changes_nothing(machine):
    """CCER-STL-03: what is locked stays."""
    order = enter(1, "buy", 7076, 1_000, trading_date=MONDAY)
    machine.apply_records(order.reshape(1))
    machine.payments["BK1"] = ("alice", 9_000_000)
    before = book(machine)
    events = correct(machine, 5)
    assert events["kind"].tolist() == [EventKind.TRANSFER_REJECTED]
    assert book(machine) == before


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"second": ""}, "two persons"),
        ({"second": "an"}, "two persons"),
        ({"why": " "}, "expected a reason"),
        ({"account": "carol"}, "expected a declared account"),
        ({"account": "bob"}, "got some that agree"),
    ],
)
def test_cash_is_corrected_by_two_with_a_reason_where_it_differs(machine, terms, why):
    """CCER-STL-03"""
    machine.payments["BK1"] = ("alice", 9_999_999)
    with pytest.raises(FrameError, match=why):
        correct(machine, 5, **terms)


def test_where_the_registry_settles_the_venue_keeps_no_book():
    """CEA-STL-01"""
    machine = VenueStateMachine(load_profile("cea"))
    feed(machine, control.AccountDeclared(account="alice"))
    feed(machine, control.TransferIn(account="alice", amount=5))
    assert (machine.cash_flows, machine.payments) == ({}, {})
    with pytest.raises(FrameError, match="got the registry's"):
        correct(machine, 5)
