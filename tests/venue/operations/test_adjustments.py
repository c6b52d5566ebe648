"""Market adjustment at the venue: two persons, an account without keys, the market's word."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cea_exchange.core.market import CompiledMarket
from cea_exchange.domain.profile import load_profile
from cea_exchange.domain.records import EventKind, Phase
from cea_exchange.domain.refusals import VenueRefusal
from cea_exchange.domain.refusals.frame_error import FrameError
from cea_exchange.matching.reference import ReferenceMarket
from cea_exchange.protocol import control
from cea_exchange.protocol.operators import OperatorSetting
from cea_exchange.protocol.security import CurveKeys
from cea_exchange.venue.maintenance.verify import verify_data
from cea_exchange.venue.market.adjustments import shown
from cea_exchange.venue.market.state_machine import VenueStateMachine
from cea_exchange.venue.operations.act_log import acts_read
from cea_exchange.venue.operations.admin_client import AdminError, admin_ask
from support.venue.venue_world import enter, world_open

TWO = {"by": "an", "second": "bo", "why": "six limit closes"}
CASH = 10**12
SALE = {"account": "reserve", "product": "CEA24", "trigger": "hubei_limit_closes"}
Machine = VenueStateMachine


@pytest.fixture(params=[CompiledMarket, ReferenceMarket])
def machine(request: pytest.FixtureRequest) -> Machine:
    """An open day; the account that adjusts the market has tonnes and cash, alice has, too."""
    machine = VenueStateMachine(load_profile("cea"), request.param)
    items: list[Any] = [control.ProductDeclared(product="CEA24", reference_price=9_749)]
    for account in ("reserve", "alice"):
        items += [
            control.AccountDeclared(account=account),
            control.TransferIn(account=account, amount=CASH),
            control.TransferIn(account=account, product="CEA24", amount=10**6),
        ]
    items.append(control.KeyGranted(key=CurveKeys.new().public, account="alice"))
    for number, command in enumerate(items, start=1):
        machine.apply_control(control.FeedItem(transfer_seq=number, command=command))
    machine.apply_control(control.DayOpen(date=20250716))
    machine.apply_control(control.PhaseSet(phase=Phase.LISTED_AND_BLOCK))
    return machine


@pytest.fixture
def named(machine: Machine) -> Machine:
    machine.apply_control(control.AdjustmentAccountNamed(account="reserve", **TWO))
    return machine


def adjust(machine: Machine, **fields: Any) -> control.MarketAdjusted:
    number = len(machine.adjustments) + 1
    said = {"adjustment": number, "kind": "sale", "method": "listed", "tonnes": 100, "price": 9_749}
    return control.MarketAdjusted(**(TWO | SALE | said | fields))


@pytest.mark.parametrize(
    ("method", "kind", "tonnes", "event"),
    [
        ("listed", "sale", 100, EventKind.ORDER_ACCEPTED),
        ("listed", "purchase", 100, EventKind.ORDER_ACCEPTED),
        ("listed", "release", 100, EventKind.ORDER_ACCEPTED),
        ("block", "sale", 100_000, EventKind.BLOCK_OFFERED),
        ("block", "purchase", 100_000, EventKind.BLOCK_OFFERED),
        ("block", "release", 100_000, EventKind.BLOCK_OFFERED),
        ("bidding", "sale", 100_000, EventKind.BIDDING_OPENED),
        ("bidding", "purchase", 100_000, EventKind.BIDDING_OPENED),
    ],
)
def test_it_sells_buys_and_releases_by_each_method(
    named: Machine, method: str, kind: str, tonnes: int, event: EventKind
) -> None:
    """CEA-ADJ-02: and what is open of it is taken off again, by two persons; both survive."""
    rows = named.apply_control(adjust(named, method=method, kind=kind, tonnes=tonnes))
    assert rows["kind"][0] == event
    assert named.adjustments[-1].target == rows["order_id"][0] and not named.adjustments[-1].reason
    again = Machine.restore(named.profile, named.snapshot(), type(named.core))
    assert again.adjustments == named.adjustments
    assert again.adjustment_accounts == ["reserve"]
    with pytest.raises(FrameError, match="expected two persons"):
        named.apply_control(control.AdjustmentEnded(adjustment=1, by="an", why="x"))
    ended = control.AdjustmentEnded(adjustment=1, **TWO)
    assert len(named.apply_control(ended)) > 0
    assert named.core.live_order_count == 0 and not named.core.block_ids()
    with pytest.raises(FrameError, match="adjustment 1: expected one that goes on"):
        named.apply_control(ended)
    (row,) = shown(named.adjustments)
    assert (row["by"], row["second"], row["ended_by"]) == ("an", "bo", "an")


def test_a_release_trades_at_its_price_only(named: Machine) -> None:
    """CEA-ADJ-02: it waits for who takes it; beside a better bid it is refused, with the reason."""
    bid = np.atleast_1d(enter(1, "buy", 9_760, 10, account_index=1))
    named.apply_records(bid)
    named.apply_control(adjust(named, kind="release", price=9_749))
    assert named.adjustments[-1].reason == "POST_ONLY_WOULD_TRADE"
    named.apply_control(adjust(named, kind="release", price=9_761))
    taker = np.atleast_1d(enter(2, "buy", 9_790, 10, account_index=1))
    rows = named.apply_records(taker)
    (trade,) = rows[rows["kind"] == EventKind.TRADE]
    assert (trade["price"], trade["tonnes"]) == (9_761, 10)
    with pytest.raises(FrameError, match="one that goes on, got one that the market refused"):
        named.apply_control(control.AdjustmentEnded(adjustment=1, **TWO))


def test_what_the_markets_rules_refuse_is_kept_with_the_reason(named: Machine) -> None:
    """CEA-ADJ-02."""
    for fields, reason in (
        ({"price": 20_000}, "PRICE_OUT_OF_BAND"),
        ({"tonnes": 99_999, "method": "block"}, "BLOCK_TONNES_TOO_SMALL"),
        ({"tonnes": 2_000_000, "method": "bidding"}, "ALLOWANCES_INSUFFICIENT"),
        ({"product": "CEA99"}, "PRODUCT_UNKNOWN"),
    ):
        named.apply_control(adjust(named, **fields))
        assert (named.adjustments[-1].target, named.adjustments[-1].reason) == (0, reason)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"second": ""}, "expected two persons, got 'an' and ''"),
        ({"second": "an"}, "expected two persons, got 'an' and 'an'"),
        ({"why": " "}, "expected a reason, got none"),
        ({"account": "alice"}, "an account that adjusts the market, got 'alice'"),
        ({"adjustment": 2}, "expected number 1, got 2"),
        ({"kind": "release", "method": "bidding"}, "a release: expected a fixed price"),
        ({"reserve_price": 9_749}, "reserve price: expected of a bidding, got of listed"),
    ],
)
def test_what_does_not_fit_is_refused(named: Machine, changes: dict, said: str) -> None:
    """CEA-ADJ-01, CEA-ADJ-02."""
    before = named.snapshot()
    with pytest.raises(FrameError, match=said):
        named.apply_control(adjust(named, **changes))
    assert named.snapshot() == before


def test_nobody_trades_by_its_account_alone(machine: Machine) -> None:
    """CEA-ADJ-01: with a trader's key it is not named, and given one it does not act."""
    name: Callable[..., Any] = control.AdjustmentAccountNamed
    for act, said in (
        (name(account="alice", **TWO), "expected an account nobody trades by alone"),
        (name(account="nobody", **TWO), "expected a declared account, got 'nobody'"),
        (name(account="reserve", by="an", why="x"), "expected two persons"),
    ):
        with pytest.raises(FrameError, match=said):
            machine.apply_control(act)
    machine.apply_control(name(account="reserve", **TWO))
    with pytest.raises(FrameError, match="got 'reserve', which is one already"):
        machine.apply_control(name(account="reserve", **TWO))
    granted = control.KeyGranted(key=CurveKeys.new().public, account="reserve", role="reader")
    machine.apply_control(control.FeedItem(transfer_seq=9, command=granted))
    machine.apply_control(adjust(machine))
    granted = control.KeyGranted(key=CurveKeys.new().public, account="reserve")
    machine.apply_control(control.FeedItem(transfer_seq=10, command=granted))
    with pytest.raises(FrameError, match="expected an account nobody trades by alone"):
        machine.apply_control(adjust(machine))


def test_two_persons_note_what_an_account_was_allocated(machine: Machine) -> None:
    """PLT-FND-01."""
    note: Callable[..., Any] = control.AllocationNoted
    for act, said in (
        (note(account="nobody", tonnes=1, **TWO), "expected a declared account, got 'nobody'"),
        (note(account="alice", tonnes=1, by="an", why="x"), "expected two persons"),
    ):
        with pytest.raises(FrameError, match=said):
            machine.apply_control(act)
    before = machine.core.state_hash()
    machine.apply_control(note(account="alice", tonnes=7, **TWO))
    assert machine.core.state_hash() != before


ROLES = {"an": "operator", "bo": "operator", "reg": "regulator"}


@pytest.mark.e2e
def test_at_a_running_venue(tmp_path) -> None:
    """CEA-ADJ-01, CEA-ADJ-02: proposed and approved, journaled, listed, and verified."""
    operators = tuple(
        OperatorSetting(name=name, key=f"keys/{name}.public", role=role)
        for name, role in ROLES.items()
    )
    with world_open(tmp_path, operators=operators, admin_keys=()) as world:
        for name in ROLES:
            CurveKeys.new().save(tmp_path / "keys", name)
        world.admin_key = "an"

        def ask(key: str, **request: Any) -> dict:
            return admin_ask(tmp_path, request, key=key)

        def approved(**request: Any) -> dict:
            number = ask("an", **request)["proposal"]
            return ask("bo", op="approve", number=number)

        world.registry.commands += [
            control.AccountDeclared(account="reserve"),
            control.TransferIn(account="reserve", product="CEA24", amount=10**6),
        ]
        world.listed()
        why = {"why": "order of the ministry"}
        sale = {
            **{"op": "market_adjust", "kind": "release", "method": "listed", "tonnes": 50},
            **{"price": 9_800, **SALE, **why},
        }
        with pytest.raises(AdminError, match="account that adjusts the market") as refused:
            ask("an", **sale)
        assert VenueRefusal.ADJUSTMENT_ACCOUNT_UNKNOWN.name in str(refused.value)
        approved(op="adjustment_account", account="reserve", **why)
        asked = ask("an", **sale)
        assert asked["what"] == (
            "release of 50 t of CEA24 at 9800 fen by reserve, listed, trigger hubei_limit_closes"
        )
        with pytest.raises(AdminError, match="SAME_PERSON"):
            ask("an", op="approve", number=asked["proposal"])
        done = ask("bo", op="approve", number=asked["proposal"])
        assert (done["adjustment"], done["outcome"]) == (1, "taken")
        buyer = world.logged_on("bob")
        buyer.command(enter(1, "buy", 9_900, 20))
        (_, trade) = buyer.reports(2)
        assert (trade["kind"], trade["price"], trade["tonnes"]) == (EventKind.TRADE, 9_800, 20)
        answer = approved(**(sale | {"price": 20_000}))
        assert answer["outcome"] == "nothing was entered: PRICE_OUT_OF_BAND"
        approved(op="adjustment_end", adjustment=1, **why)
        listed = ask("reg", op="adjustments")
        assert listed["accounts"] == ["reserve"]
        assert [row["reason"] for row in listed["adjustments"]] == ["", "PRICE_OUT_OF_BAND"]
        assert ask("reg", op="position", account="reserve")["orders"] == []
        world.stop()
        assert verify_data(tmp_path).events > 10
    acts = [(act.what, act.by, act.second) for act in acts_read(tmp_path)]
    assert acts == [
        (what, "an", "bo")
        for what in ("adjustment_account_named", "market_adjusted", "market_adjusted")
    ] + [("adjustment_ended", "an", "bo")]
