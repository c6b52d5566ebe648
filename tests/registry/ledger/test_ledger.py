"""The ledger's arithmetic: entries sum of zero, nobody goes below nothing, trades are whole."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cea_exchange.domain.records import EVENT_DTYPE, Side
from cea_exchange.ledger.double_entry import (
    AMOUNT_LIMIT,
    CASH_ASSET,
    Claim,
    Compartment,
    EntryKind,
    Holding,
    InsufficientHolding,
    LedgerError,
    Posting,
    Trade,
    bust_claims,
    bust_legs,
    legs_of,
    post,
    trade_figures,
    trade_from_figures,
    trade_legs,
    unbalanced_assets,
)
from cea_exchange.ledger.institutions import SINKS, Institution, province_account

BUYER, SELLER, PRODUCT = 7, 3, 2
TRADING = Compartment.TRADING


def trade(**odd):
    figures = {
        "settlement_seq": 1,
        "trade_id": 1,
        "trading_date": 2025_07_16,
        "method": 1,
        "buyer_index": BUYER,
        "seller_index": SELLER,
        "product_index": PRODUCT,
        "price": 100,
        "tonnes": 5,
        "cash": 500,
        "buy_fee": 3,
        "sell_fee": 2,
    }
    return Trade(**(figures | odd))


def record(side=Side.BUY, **odd):
    row = np.zeros(1, EVENT_DTYPE)[0]
    taker, maker = (BUYER, SELLER) if side == Side.BUY else (SELLER, BUYER)
    fields = {
        "side": side,
        "method": 1,
        "account_index": taker,
        "counter_account_index": maker,
        "product_index": PRODUCT,
        "price": 100,
        "tonnes": 5,
        "cash": 500,
        "buy_fee": 3,
        "sell_fee": 2,
        "trade_id": 1,
        "settlement_seq": 1,
        "trading_date": 2025_07_16,
    }
    for name, value in (fields | odd).items():
        row[name] = value
    return row


def trade_of(row):
    (figures,) = trade_figures(np.array([row]))
    return trade_from_figures(figures)


def balances(**held):
    result = {}
    for index in (BUYER, SELLER, Institution.FEES):
        for asset in (CASH_ASSET, PRODUCT):
            for compartment in Compartment:
                result[Holding(index, asset, compartment)] = 0
    result[Holding(BUYER, CASH_ASSET, TRADING)] = held.get("cash", 503)
    result[Holding(SELLER, PRODUCT, TRADING)] = held.get("tonnes", 5)
    return result


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_buyer_and_seller_of_a_record_follow_the_aggressors_side(side):
    assert trade() == trade_of(record(side))


def test_a_trade_has_four_legs_and_the_fees():
    assert [
        Posting(BUYER, CASH_ASSET, TRADING, -503),
        Posting(SELLER, CASH_ASSET, TRADING, 498),
        Posting(SELLER, PRODUCT, TRADING, -5),
        Posting(BUYER, PRODUCT, TRADING, 5),
        Posting(Institution.FEES, CASH_ASSET, Compartment.REGISTRATION, 5),
    ] == trade_legs(trade())
    assert len(trade_legs(trade(buy_fee=0, sell_fee=0))) == 4


@pytest.mark.parametrize(
    "odd",
    [
        {"cash": 499},
        {"cash": 501},
        {"tonnes": 0, "cash": 0},
        {"tonnes": -5, "cash": -500},
        {"price": 0, "cash": 0},
        {"trade_id": 0},
        {"trade_id": 2**63},
        {"buy_fee": -1},
        {"sell_fee": -1},
        {"sell_fee": 501},
        {"side": 0},
        {"side": 3},
    ],
)
def test_a_record_that_contradicts_itself_is_refused(odd):
    with pytest.raises(LedgerError):
        trade_of(record(**odd))


@given(
    price=st.integers(1, 10_000_000),
    tonnes=st.integers(1, 2**40),
    buy_fee=st.integers(0, 2**40),
    share=st.integers(0, 100),
    same=st.booleans(),
)
def test_legs_of_every_trade_sum_to_zero(price, tonnes, buy_fee, share, same):
    cash = price * tonnes
    legs = trade_legs(
        trade(
            price=price,
            tonnes=tonnes,
            cash=cash,
            buy_fee=buy_fee,
            sell_fee=cash * share // 100,
            seller_index=BUYER if same else SELLER,
        )
    )
    assert {} == unbalanced_assets(legs)


@pytest.mark.parametrize("held", [{"cash": 502}, {"tonnes": 4}])
def test_a_trade_that_can_not_be_paid_or_delivered_moves_nothing(held):
    before = balances(**held)
    after = dict(before)
    with pytest.raises(InsufficientHolding):
        post(after, trade_legs(trade()))
    assert before == after


def test_a_trade_moves_both_legs():
    """Delivery versus payment (CEA-STL-01)."""
    after = balances()
    post(after, trade_legs(trade()))
    assert 0 == after[Holding(BUYER, CASH_ASSET, TRADING)]
    assert 498 == after[Holding(SELLER, CASH_ASSET, TRADING)]
    assert 5 == after[Holding(BUYER, PRODUCT, TRADING)]
    assert 0 == after[Holding(SELLER, PRODUCT, TRADING)]


def test_a_bust_is_the_trade_the_other_way_and_claims_would_pay_it_back():
    """CEA-STL-04: legs and claims come to the same for everybody."""
    sold = trade(buy_fee=3, sell_fee=2)
    undone, owed = Counter(), Counter()
    for account, asset, _compartment, amount in [*trade_legs(sold), *bust_legs(sold)]:
        undone[account, asset] += amount
    assert not any(undone.values())
    for account, asset, _compartment, amount in trade_legs(sold):
        owed[account, asset] += amount
    for debtor, creditor, asset, amount in bust_claims(sold):
        assert amount > 0
        owed[debtor, asset] -= amount
        owed[creditor, asset] += amount
    assert not any(owed.values())
    assert 2 == len(bust_claims(trade(buy_fee=0, sell_fee=0)))
    own = trade(buy_fee=1, sell_fee=0)._replace(seller_index=sold.buyer_index)
    assert [Claim(Institution.FEES, sold.buyer_index, CASH_ASSET, 1)] == bust_claims(own)


def test_legs_that_do_not_sum_to_zero_are_refused():
    with pytest.raises(LedgerError, match="sum of zero"):
        post(balances(), trade_legs(trade())[:1])


def test_nothing_reaches_two_to_the_sixty_two():
    holdings = {
        Holding(Institution.BANK, CASH_ASSET, Compartment.CONTRA): 0,
        Holding(BUYER, CASH_ASSET, Compartment.REGISTRATION): 0,
    }
    with pytest.raises(LedgerError, match="2\\^62"):
        post(holdings, legs_of(EntryKind.PAY_IN, Institution.BANK, BUYER, CASH_ASSET, AMOUNT_LIMIT))
    most = AMOUNT_LIMIT - 1
    post(holdings, legs_of(EntryKind.PAY_IN, Institution.BANK, BUYER, CASH_ASSET, most))


# Who gives, who takes and what: of each kind but trade and bust a movement that can be.
CONTRA, REGISTRATION = Compartment.CONTRA, Compartment.REGISTRATION
APPLIED, JUDICIAL, BANKING = Compartment.APPLIED, Compartment.JUDICIAL, Compartment.BANKING
SUPERVISORY = Compartment.SUPERVISORY
AUTHORITY, RESERVE = Institution.AUTHORITY, Institution.RISK_RESERVE
BEIJING = province_account(11)
MOVES = {
    EntryKind.ISSUE: (Institution.ISSUANCE, AUTHORITY, PRODUCT, CONTRA, REGISTRATION),
    EntryKind.PAY_IN: (Institution.BANK, BUYER, CASH_ASSET, CONTRA, REGISTRATION),
    EntryKind.TRANSFER_BEGUN: (BUYER, BUYER, PRODUCT, REGISTRATION, Compartment.TRANSIT),
    EntryKind.DEPOSITED: (BUYER, BUYER, CASH_ASSET, Compartment.TRANSIT, TRADING),
    EntryKind.TRANSFER_RETURNED: (BUYER, BUYER, PRODUCT, Compartment.TRANSIT, REGISTRATION),
    EntryKind.WITHDRAWN: (BUYER, BUYER, CASH_ASSET, TRADING, REGISTRATION),
    EntryKind.DISTRIBUTED: (AUTHORITY, BEIJING, PRODUCT, REGISTRATION, REGISTRATION),
    EntryKind.RECALLED: (BUYER, BEIJING, PRODUCT, REGISTRATION, REGISTRATION),
    EntryKind.SET_ASIDE: (BUYER, BUYER, PRODUCT, REGISTRATION, APPLIED),
    EntryKind.SET_FREE: (BUYER, BUYER, PRODUCT, APPLIED, REGISTRATION),
    EntryKind.SURRENDERED: (BUYER, BEIJING, PRODUCT, APPLIED, APPLIED),
    EntryKind.RETIRED: (AUTHORITY, Institution.RETIREMENT, PRODUCT, APPLIED, REGISTRATION),
    EntryKind.CANCELLED: (BUYER, Institution.CANCELLATION, PRODUCT, APPLIED, REGISTRATION),
    EntryKind.CARRIED_OVER: (BUYER, Institution.CARRYOVER, PRODUCT, APPLIED, REGISTRATION),
    EntryKind.FROZEN: (BUYER, BUYER, PRODUCT, REGISTRATION, JUDICIAL),
    EntryKind.RELEASED: (BUYER, BUYER, CASH_ASSET, JUDICIAL, REGISTRATION),
    EntryKind.DEDUCTED: (BUYER, SELLER, CASH_ASSET, JUDICIAL, REGISTRATION),
    EntryKind.ENFORCED: (BUYER, SELLER, PRODUCT, APPLIED, REGISTRATION),
    EntryKind.MERGED: (BUYER, SELLER, PRODUCT, REGISTRATION, REGISTRATION),
    EntryKind.PAY_OUT_BEGUN: (BUYER, BUYER, CASH_ASSET, REGISTRATION, BANKING),
    EntryKind.PAID_OUT: (BUYER, Institution.BANK, CASH_ASSET, BANKING, CONTRA),
    EntryKind.PAY_OUT_RETURNED: (BUYER, BUYER, CASH_ASSET, BANKING, REGISTRATION),
    EntryKind.RESERVE_USED: (RESERVE, BUYER, CASH_ASSET, REGISTRATION, REGISTRATION),
    EntryKind.RESERVE_RECOVERED: (BUYER, RESERVE, CASH_ASSET, REGISTRATION, REGISTRATION),
    EntryKind.CLAIM_PAID: (BUYER, SELLER, PRODUCT, REGISTRATION, REGISTRATION),
    EntryKind.ISSUE_REVERSED: (AUTHORITY, Institution.ISSUANCE, PRODUCT, REGISTRATION, CONTRA),
    EntryKind.WITHHELD: (BUYER, BUYER, PRODUCT, REGISTRATION, SUPERVISORY),
    EntryKind.GIVEN_BACK: (BUYER, BUYER, PRODUCT, SUPERVISORY, REGISTRATION),
    EntryKind.FORFEITED: (BUYER, Institution.CANCELLATION, PRODUCT, SUPERVISORY, REGISTRATION),
    EntryKind.DELIVERED: (BUYER, SELLER, PRODUCT, TRADING, TRADING),
    EntryKind.RESERVE_CONTRIBUTED: (
        *(Institution.FEES, RESERVE, CASH_ASSET),
        *(REGISTRATION, REGISTRATION),
    ),
    EntryKind.PAY_IN_REVERSED: (BUYER, Institution.BANK, CASH_ASSET, REGISTRATION, CONTRA),
    EntryKind.PROCEEDS_BOOKED: (
        *(BUYER, Institution.PROCEEDS, CASH_ASSET),
        *(REGISTRATION, REGISTRATION),
    ),
}


@pytest.mark.parametrize(
    "kind", [kind for kind in EntryKind if kind not in (EntryKind.TRADE, EntryKind.BUST)]
)
def test_every_other_entry_takes_from_one_holding_what_it_gives_another(kind):
    account, counter, asset, source, target = MOVES[kind]
    legs = legs_of(kind, account, counter, asset, 9)
    assert legs == [(account, asset, source, -9), (counter, asset, target, 9)]


@pytest.mark.parametrize(
    ("kind", "account", "counter", "asset", "amount"),
    [
        (EntryKind.ISSUE, Institution.ISSUANCE, BUYER, CASH_ASSET, 1),
        (EntryKind.ISSUE, AUTHORITY, BUYER, PRODUCT, 1),
        (EntryKind.PAY_IN, Institution.BANK, BUYER, PRODUCT, 1),
        (EntryKind.PAY_IN, Institution.ISSUANCE, BUYER, CASH_ASSET, 1),
        (EntryKind.DEPOSITED, BUYER, BUYER, PRODUCT, 0),
        (EntryKind.DEPOSITED, BUYER, BUYER, PRODUCT, -1),
        (EntryKind.DEPOSITED, BUYER, SELLER, PRODUCT, 1),
        (EntryKind.FROZEN, BUYER, SELLER, PRODUCT, 1),
        (EntryKind.MERGED, BUYER, BUYER, PRODUCT, 1),
        (EntryKind.RETIRED, BUYER, Institution.RETIREMENT, PRODUCT, 1),
        (EntryKind.RETIRED, AUTHORITY, Institution.RECALL, PRODUCT, 1),
        (EntryKind.CANCELLED, BUYER, Institution.RETIREMENT, PRODUCT, 1),
        (EntryKind.PAID_OUT, BUYER, SELLER, CASH_ASSET, 1),
        (EntryKind.SURRENDERED, BUYER, BEIJING, CASH_ASSET, 1),
        (EntryKind.RESERVE_USED, BUYER, SELLER, CASH_ASSET, 1),
        *((EntryKind.DISTRIBUTED, sink, BUYER, PRODUCT, 1) for sink in sorted(SINKS)),
    ],
)
def test_an_entry_that_can_not_be_is_refused(kind, account, counter, asset, amount):
    with pytest.raises(LedgerError):
        legs_of(kind, account, counter, asset, amount)


def test_a_contra_account_gives_nothing_but_what_is_issued_or_paid_in():
    # CEA-DIS-01: no other entry makes allowances.
    legs = legs_of(EntryKind.DISTRIBUTED, Institution.ISSUANCE, BUYER, PRODUCT, 1)
    holdings = dict.fromkeys((Holding(*leg[:3]) for leg in legs), 0)
    with pytest.raises(LedgerError, match="holds 0"):
        post(holdings, legs)
    assert {0} == {*holdings.values()}


def test_the_ledger_needs_neither_zeromq_nor_a_database():
    code = (
        "import sys, cea_exchange.ledger.double_entry as l;"
        "assert not {'zmq', 'apsw', 'typer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
