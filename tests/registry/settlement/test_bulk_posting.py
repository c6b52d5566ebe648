"""Trades taken by the thousand come to what they come to one by one, and stop where those stop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cea_exchange.domain.records import EVENT_DTYPE, PRODUCT_NONE, EventKind, Method, Side
from cea_exchange.institution.venue_link.stream_settlement import SettlementStopped
from cea_exchange.registry.registry import Registry
from cea_exchange.registry.settlement.bulk_posting import trades_post
from cea_exchange.registry.settlement.settlement import Settlement

ACCOUNTS, PRODUCTS = 4, 2
CASH, TONNES = 3_000, 20


class TakenBack(Exception):
    """An example is over; all of it is taken back."""


def records_of(fields, first_seq):
    """Return records with the given fields, from a sequence on."""
    rows = np.zeros(len(fields), EVENT_DTYPE)
    for row, values in zip(rows, fields, strict=True):
        for name, value in values.items():
            row[name] = value
    rows["seq"] = rows["settlement_seq"] = np.arange(first_seq, first_seq + len(rows))
    rows["trading_date"] = 2025_07_16
    return rows


def endowed(folder, address):
    """A registry whose accounts have cash and allowances at the venue."""
    registry = Registry.open(folder, address, admission="open")
    deposits = []
    with registry.transaction():
        for number in range(PRODUCTS):
            registry.product_declare(f"CEA2{number}", 10)
        for index in range(ACCOUNTS):
            name = f"P{index}"
            registry.account_open(name)
            registry.pay_in(name, CASH)
            seq = registry.transfer_in(name, None, CASH)
            deposits.append(deposit(index, PRODUCT_NONE, seq, cash=CASH))
            for product in range(PRODUCTS):
                registry.issue(name, f"CEA2{product}", TONNES)
                seq = registry.transfer_in(name, f"CEA2{product}", TONNES)
                deposits.append(deposit(index, product, seq, tonnes=TONNES))
    Settlement(registry.store).apply("log", records_of(deposits, 1))
    return registry


def deposit(account, product, transfer_seq, **amount):
    return {
        "kind": EventKind.DEPOSITED,
        "account_index": account,
        "product_index": product,
        "counter_account_index": 2**32 - 1,
        "client_order_id": transfer_seq,
        **amount,
    }


@st.composite
def trades(draw):
    """Up to forty trades, large enough that holdings run out; now and then a wrong one."""
    count = draw(st.integers(1, 40))
    rows = []
    for number in range(1, count + 1):
        price, tonnes = draw(st.integers(1, 90)), draw(st.integers(1, 12))
        buyer, seller = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        if buyer == seller and draw(st.integers(0, 9)):
            seller = (buyer + 1) % ACCOUNTS
        row = {
            "kind": EventKind.TRADE,
            "side": draw(st.sampled_from([Side.BUY, Side.SELL])),
            "method": Method.LISTED,
            "account_index": buyer,
            "counter_account_index": seller,
            "product_index": draw(st.integers(0, PRODUCTS - 1)),
            "price": price,
            "tonnes": tonnes,
            "cash": price * tonnes,
            "buy_fee": draw(st.integers(0, 5)),
            "sell_fee": draw(st.integers(0, min(5, price * tonnes))),
            "trade_id": number,
        }
        if draw(st.integers(0, 60)) == 0:
            row |= draw(st.sampled_from(WRONG))
        rows.append(row)
    return rows


WRONG = [
    {"cash": 1},
    {"price": 0, "cash": 0},
    {"tonnes": 0, "cash": 0},
    {"tonnes": -5},
    {"price": 2**61, "tonnes": 8, "cash": 0},
    {"price": 3, "tonnes": 2**62, "cash": -(2**62)},
    {"buy_fee": -1},
    {"sell_fee": -1},
    {"sell_fee": 2**40},
    {"buy_fee": 2**47},
    {"side": 0},
    {"side": 3},
    {"trade_id": 0},
    {"trade_id": 2**62},
    {"trade_id": 1},
    {"account_index": ACCOUNTS},
    {"counter_account_index": 2**32 - 1},
    {"product_index": PRODUCTS},
    {"product_index": PRODUCT_NONE},
]


def outcome(registry, records, failure_of):
    """Settle records, say what came of it, and take all of it back."""
    store = registry.store
    tables = ("entries", "postings", "trades", "balances")
    before = store.balances.rows()
    try:
        with store.transaction():
            stopped = None
            try:
                Settlement(store, failure_of=failure_of).apply("log", records)
            except SettlementStopped as error:
                stopped = str(error)
            found = {
                table: store.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3").fetchall()
                for table in tables
            }
            assert found["balances"] == store.balances.rows()
            found["last_seq"], found["stopped"] = store.last_seq, stopped
            found["entry_last"] = store.entry_last
            raise TakenBack
    except TakenBack:
        assert before == store.balances.rows()
        return found


def fails_never(trade):
    """Nothing keeps a trade from being posted; that it is asked means one by one."""
    return


def agree(registry, rows):
    records = records_of(rows, registry.store.last_seq + 1)
    at_once = outcome(registry, records, None)
    one_by_one = outcome(registry, records, fails_never)
    assert at_once == one_by_one


@pytest.fixture(scope="module")
def endowed_sqlite(tmp_path_factory):
    with endowed(tmp_path_factory.mktemp("runs"), None) as registry:
        yield registry


@settings(max_examples=150)
@given(rows=trades())
def test_at_once_is_as_one_by_one(endowed_sqlite, rows):
    """Delivery versus payment, in the venue's order (CEA-STL-01, CEA-STL-02)."""
    agree(endowed_sqlite, rows)


def test_at_once_is_as_one_by_one_in_postgresql(tmp_path, postgres_address):
    with endowed(tmp_path, postgres_address) as registry:

        @settings(max_examples=15)
        @given(rows=trades())
        def each(rows):
            agree(registry, rows)

        each()


PLAIN = {
    "kind": EventKind.TRADE,
    "side": Side.BUY,
    "method": Method.LISTED,
    "account_index": 0,
    "counter_account_index": 1,
    "product_index": 0,
    "price": 10,
    "tonnes": 1,
    "cash": 10,
    "trade_id": 1,
}


def taken_at_once(registry, rows):
    """Tell whether the fast way takes them; and take them back."""
    store = registry.store
    records = records_of(rows, store.last_seq + 1)
    try:
        with store.transaction():
            taken = trades_post(store, records, ACCOUNTS, PRODUCTS)
            raise TakenBack
    except TakenBack:
        return taken


def test_plain_trades_take_the_fast_way_and_odd_ones_do_not(endowed_sqlite):
    """Else the two ways were compared with themselves."""
    plain = [PLAIN | {"trade_id": number} for number in (1, 2, 3)]
    assert taken_at_once(endowed_sqlite, plain)
    assert taken_at_once(endowed_sqlite, [PLAIN | {"buy_fee": 3, "sell_fee": 10}])
    others = {"counter_account_index": 0}, {"tonnes": 21, "cash": 210}
    for odd in (*WRONG, *others):
        if odd == {"trade_id": 1}:
            continue  # it is the database that knows them
        assert not taken_at_once(endowed_sqlite, [plain[0], PLAIN | {"trade_id": 2} | odd]), odd


def test_what_comes_in_one_trade_is_there_for_the_next(endowed_sqlite):
    """Thirty tonnes can be sold by one who has twenty, once he has bought ten: not before."""
    buys = PLAIN | {"tonnes": 10, "cash": 100, "trade_id": 1}
    sells = PLAIN | {
        "account_index": 2,
        "counter_account_index": 0,
        "tonnes": 30,
        "cash": 300,
        "trade_id": 2,
    }
    assert taken_at_once(endowed_sqlite, [buys, sells])
    assert not taken_at_once(endowed_sqlite, [sells, buys])
