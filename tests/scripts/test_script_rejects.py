"""What an event says of each reason of listed trading, on both cores.

That every reason of every command is reached: test_rule_scripts.py.
"""

import pytest

from support.market.market_scripts import (
    OPENING,
    amend,
    buy,
    cancel,
    cea_with,
    play,
    play_more,
    sell,
)

REFUSED = {
    "PRODUCT_UNKNOWN": [buy("a1", "100.00", 1, product="CEA99")],
    "ACCOUNT_UNKNOWN": [buy("a1", "100.00", 1, account="mallory")],
    "ORDER_UNKNOWN": [cancel("a1", "alice")],
    "ORDER_ID_DUPLICATE": [buy("a1", "100.00", 1), cancel("a1", "alice"), buy("a1", "100.00", 1)],
    "ACCOUNT_SUSPENDED": [{"cmd": "suspend", "account": "alice"}, buy("a1", "100.00", 1)],
    "PHASE_CLOSED": [{"cmd": "phase", "phase": "break"}, buy("a1", "100.00", 1)],
    "PRODUCT_HALTED": [{"cmd": "halt", "product": "CEA23"}, buy("a1", "100.00", 1)],
    "TONNES_NOT_POSITIVE": [buy("a1", "100.00", 0)],
    "AMOUNT_TOO_LARGE": [buy("a1", "100000.01", 1)],
    "LISTED_TONNES_TOO_LARGE": [buy("a1", "100.00", 100_000)],
    "PRICE_OUT_OF_BAND": [buy("a1", "110.01", 1)],
    "CASH_INSUFFICIENT": [buy("a1", "100.00", 10_001)],
    "ALLOWANCES_INSUFFICIENT": [sell("b1", "100.00", 5_001)],
    "ALLOWANCES_BOUGHT_TODAY": [
        sell("b1", "100.00", 10),
        buy("a1", "100.00", 10),
        sell("a2", "100.00", 10, account="alice"),
    ],
    "PICK_NOT_AVAILABLE": [buy("a1", "100.00", 1, pick="b1")],
    "POST_ONLY_WOULD_TRADE": [sell("b1", "100.00", 1), buy("a1", "100.00", 1, post_only=True)],
    "FOK_NOT_FILLABLE": [sell("b1", "100.00", 1), buy("a1", "100.00", 2, tif="fok")],
}

REFUSED_TRANSFERS = {
    "PRODUCT_UNKNOWN": {"cmd": "deposit", "account": "bob", "product": "CEA99", "tonnes": 1},
    "ACCOUNT_UNKNOWN": {"cmd": "withdraw", "account": "mallory", "cash": "1.00"},
    "TONNES_NOT_POSITIVE": {"cmd": "deposit", "account": "bob", "product": "CEA23", "tonnes": -1},
    "AMOUNT_TOO_LARGE": {"cmd": "deposit", "account": "bob", "cash": "46116860184273879.04"},
    "CASH_INSUFFICIENT": {"cmd": "withdraw", "account": "alice", "cash": "1000000.01"},
    "ALLOWANCES_INSUFFICIENT": {
        "cmd": "withdraw",
        "account": "bob",
        "product": "CEA23",
        "tonnes": 5_001,
    },
}


@pytest.mark.parametrize("reason", REFUSED)
def test_order_refused(reason: str) -> None:
    """The last command is refused, and for this reason."""
    rejected = play_more(REFUSED[reason])[-1]
    assert rejected.event == "order_rejected"
    assert rejected.reason == reason
    assert rejected.command == REFUSED[reason][-1]["cmd"]
    assert rejected.id == REFUSED[reason][-1]["id"]
    assert rejected.account == REFUSED[reason][-1]["account"]


def test_self_trade() -> None:
    """An order that would meet its own account's is refused whole."""
    events = play_more(
        [
            {"cmd": "deposit", "account": "bob", "cash": "1000.00"},
            sell("b1", "100.00", 1),
            buy("b2", "100.00", 1, account="bob"),
        ]
    )
    assert events[-1].reason == "SELF_TRADE"
    assert events[-1].product == "CEA23"


def test_holding_limit() -> None:
    """Held, open buys and this order count."""
    profile = cea_with(holding_limit_tonnes=100)
    events = play_more([buy("a1", "100.00", 60), buy("a2", "100.00", 41)], profile)
    assert events[-1].reason == "HOLDING_LIMIT"
    events = play_more([buy("a1", "100.00", 60), buy("a2", "100.00", 40)], profile)
    assert events[-1].event == "order_rested"


def test_capacity_only_where_a_remainder_would_rest() -> None:
    """A full market still takes orders that leave nothing on the book."""
    profile = cea_with(order_count_max=1)
    events = play_more([sell("b1", "100.00", 1), sell("b2", "100.00", 1)], profile)
    assert events[-1].reason == "CAPACITY"
    events = play_more([sell("b1", "100.00", 1), buy("a1", "100.00", 1)], profile)
    assert events[-1].event == "trade"
    # The filled maker makes room for the remainder.
    events = play_more([sell("b1", "100.00", 1), buy("a1", "100.00", 2)], profile)
    assert events[-1].event == "order_rested"


@pytest.mark.parametrize("reason", REFUSED_TRANSFERS)
def test_transfer_refused(reason: str) -> None:
    """A transfer is refused by an event of its own."""
    command = REFUSED_TRANSFERS[reason]
    (rejected,) = play_more([command])
    assert rejected.event == "transfer_rejected"
    assert rejected.reason == reason
    assert rejected.command == command["cmd"]
    assert rejected.account == command["account"]
    assert rejected.product == command.get("product")
    assert rejected.id is None


def test_what_was_bought_or_sold_today_stays() -> None:
    """Neither today's purchases nor today's proceeds leave before the next opening."""
    traded = [sell("b1", "100.00", 10), buy("a1", "100.00", 10)]
    allowances = {"cmd": "withdraw", "account": "alice", "product": "CEA23", "tonnes": 10}
    cash = {"cmd": "withdraw", "account": "bob", "cash": "1000.00"}
    refused = play_more([*traded, allowances, cash])
    assert [event.reason for event in refused[-2:]] == [
        "ALLOWANCES_BOUGHT_TODAY",
        "PROCEEDS_OF_TODAY",
    ]
    # The close does not release them, the opening does.
    close, reopen = {"cmd": "close_day"}, {"cmd": "open_day", "date": "2025-07-17"}
    events = play_more([*traded, close, allowances, cash, reopen, allowances, cash])
    kinds = [event.event for event in events]
    assert kinds.count("transfer_rejected") == 2
    assert kinds[-2:] == ["withdrawn", "withdrawn"]


OPERATOR_REFUSED = {
    "PRODUCT_UNKNOWN": {"cmd": "halt", "product": "CEA99"},
    "ACCOUNT_UNKNOWN": {"cmd": "restore", "account": "mallory"},
    "PHASE_CLOSED": {"cmd": "reference_price", "product": "CEA23", "price": "99.00"},
}


@pytest.mark.parametrize("reason", OPERATOR_REFUSED)
def test_operator_refused(reason: str) -> None:
    """An operator's act is refused like an order, with the name of the act."""
    command = OPERATOR_REFUSED[reason]
    (rejected,) = play_more([command])
    assert rejected.event == "order_rejected"
    assert (rejected.reason, rejected.command) == (reason, command["cmd"])
    assert rejected.id is None
    assert rejected.account == command.get("account")
    assert rejected.product == command.get("product")


CANCELED = {
    "REQUESTED": [buy("a1", "100.00", 10), cancel("a1", "alice")],
    "IOC": [buy("a1", "100.00", 10, tif="ioc")],
    "LEVELS_EXHAUSTED": [
        *(sell(f"b{n}", f"10{n}.00", 1) for n in range(6)),
        buy("a1", "110.00", 10),
    ],
    "PICK_REMAINDER": [sell("b1", "100.00", 1), buy("a1", "100.00", 2, pick="b1")],
    "SUSPENDED": [buy("a1", "100.00", 10), {"cmd": "suspend", "account": "alice"}],
}


@pytest.mark.parametrize("reason", CANCELED)
def test_canceled(reason: str) -> None:
    """What was open goes, and the event says why."""
    canceled = play_more(CANCELED[reason])[-1]
    assert canceled.event == "order_canceled"
    assert canceled.reason == reason


def test_refused_commands_do_not_use_up_an_id() -> None:
    """Only an accepted command does."""
    events = play_more([buy("a1", "200.00", 1), buy("a1", "100.00", 1)])
    assert [event.event for event in events] == ["order_rejected", "order_accepted", "order_rested"]


def test_ids_are_free_again_on_another_day_and_for_another_account() -> None:
    """An id is one account's for one trading day."""
    events = play_more(
        [
            buy("x", "95.00", 1),
            sell("x", "105.00", 1),
            {"cmd": "close_day"},
            buy("x", "95.00", 1),
            {"cmd": "open_day", "date": "2025-07-17"},
            cancel("x", "alice"),
            {"cmd": "phase", "phase": "listed"},
            buy("x", "95.00", 1),
        ]
    )
    reasons = [event.reason for event in events if event.event == "order_rejected"]
    assert reasons == ["ORDER_ID_DUPLICATE", "ORDER_UNKNOWN"]
    assert events[-1].event == "order_rested"


def test_amend_refusals_name_the_product_of_the_order_found() -> None:
    """Where the order is unknown the product is null."""
    events = play_more(
        [
            buy("a1", "100.00", 10),
            amend("a1", "alice", "111.00", 10),
            amend("a1", "alice", "100.00", 0),
            amend("a2", "alice", "100.00", 1),
            amend("a1", "bob", "100.00", 1),
            cancel("a1", "mallory"),
        ]
    )[2:]
    assert [(event.reason, event.product) for event in events] == [
        ("PRICE_OUT_OF_BAND", "CEA23"),
        ("TONNES_NOT_POSITIVE", "CEA23"),
        ("ORDER_UNKNOWN", None),
        ("ORDER_UNKNOWN", None),
        ("ACCOUNT_UNKNOWN", None),
    ]
    assert {event.command for event in events} == {"amend", "cancel"}


def test_halts() -> None:
    """A halted market answers PHASE_CLOSED, a halted product PRODUCT_HALTED; cancels pass."""
    events = play_more(
        [
            buy("a1", "100.00", 10),
            buy("a2", "100.00", 10),
            {"cmd": "halt", "product": "CEA23"},
            {"cmd": "halt", "product": "CEA23"},
            amend("a1", "alice", "100.00", 5),
            cancel("a1", "alice"),
            {"cmd": "halt"},
            amend("a2", "alice", "100.00", 5),
            cancel("a2", "alice"),
            {"cmd": "resume"},
            {"cmd": "resume", "product": "CEA23"},
            {"cmd": "resume"},
            buy("a3", "100.00", 1),
        ]
    )[4:]
    assert [event.event for event in events] == [
        "halted",
        "order_rejected",
        "order_canceled",
        "halted",
        "order_rejected",
        "order_canceled",
        "resumed",
        "resumed",
        "order_accepted",
        "order_rested",
    ]
    assert [events[1].reason, events[4].reason] == ["PRODUCT_HALTED", "PHASE_CLOSED"]
    assert [events[0].product, events[3].product] == ["CEA23", None]


def test_opening_alone() -> None:
    """What the other tests start from."""
    assert [event.event for event in play(OPENING)] == [
        "deposited",
        "deposited",
        "day_opened",
        "phase_changed",
        "phase_changed",
    ]
