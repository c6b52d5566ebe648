"""Fees in scripts, under a profile that charges some: per order, rounded up, the minimum once."""

from support.market.market_scripts import amend, buy, cea_with, play_more, sell

FEES = cea_with(fee_bp=10, fee_min_fen=500)


def fees(events: list, name: str) -> list[str]:
    """One side's fee in each trade."""
    return [event[name] for event in events if event.event == "trade"]


def test_the_minimum_falls_due_once_an_order() -> None:
    """5.00 with the first fill, nothing until 10 basis points of the sum pass it."""
    events = play_more(
        [
            sell("b1", "100.00", 100),
            buy("a1", "100.00", 30),
            buy("a2", "100.00", 30),
            buy("a3", "100.00", 40),
        ],
        FEES,
    )
    assert fees(events, "buy_fee") == ["5.00", "5.00", "5.00"]
    assert fees(events, "sell_fee") == ["5.00", "1.00", "4.00"]


def test_a_fee_is_rounded_up_to_the_fen() -> None:
    """10 basis points of 5000.84 are 5.00084."""
    events = play_more([sell("b1", "96.17", 52), buy("a1", "96.17", 52)], FEES)
    assert fees(events, "buy_fee") == ["5.01"]


def test_a_sellers_fee_is_no_more_than_the_sale_brought() -> None:
    """A low price: 0.90 yuan bring 0.90 and cost 0.90."""
    events = play_more(
        [
            {"cmd": "product", "product": "CHEAP", "reference_price": "1.00"},
            {"cmd": "deposit", "account": "bob", "product": "CHEAP", "tonnes": 10},
            sell("b1", "0.90", 1, product="CHEAP"),
            buy("a1", "0.90", 1, product="CHEAP"),
            {"cmd": "state"},
        ],
        FEES,
    )
    assert fees(events, "sell_fee") == ["0.90"]
    assert fees(events, "buy_fee") == ["5.00"]
    assert events[-1].accounts["bob"].cash == "0.00"
    assert events[-1].accounts["alice"].cash == "999994.10"


def test_a_buy_locks_the_fee_too() -> None:
    """9990 t at 100.00 with their fee are within a million, 9991 t are not."""
    events = play_more([buy("a1", "100.00", 9991)], FEES)
    assert events[-1].reason == "CASH_INSUFFICIENT"
    events = play_more([buy("a1", "100.00", 9990), {"cmd": "state"}], FEES)
    assert events[-1].accounts["alice"].cash_locked == "999999.00"


def test_a_fill_at_a_better_price_frees_the_difference() -> None:
    """Nothing stays locked behind a filled order."""
    events = play_more([sell("b1", "95.00", 10), buy("a1", "100.00", 10), {"cmd": "state"}], FEES)
    state = events[-1]
    assert state.accounts["alice"].cash_locked == "0.00"
    assert state.accounts["alice"].cash == "999045.00"


def test_an_amended_order_goes_on_with_its_own_sum() -> None:
    """The minimum was paid with the first fill."""
    events = play_more(
        [
            buy("a1", "100.00", 20),
            sell("b1", "100.00", 10),
            amend("a1", "alice", "101.00", 15),
            sell("b2", "101.00", 15),
        ],
        FEES,
    )
    assert fees(events, "buy_fee") == ["5.00", "0.00"]
